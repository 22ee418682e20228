//! The name of a thread, without printf.
//!
//! Rust's library names each thread that it makes, through the C library. musl's function
//! writes a path with `snprintf`, for threads other than the caller, and so brings all of
//! printf, floating point and wide characters included: 13 KB for a name that is set by its
//! own thread. This one stands in its place: the linker takes a name from us before it
//! looks into the C library.

use std::ffi::{c_char, c_int};

use nix::libc;

/// `pthread_setname_np(3)`, of the calling thread.
#[unsafe(no_mangle)]
unsafe extern "C" fn pthread_setname_np(thread: libc::pthread_t, name: *const c_char) -> c_int {
    // SAFETY: says who calls, and touches nothing.
    if thread != unsafe { libc::pthread_self() } {
        return libc::ENOSYS;
    }
    // SAFETY: the caller's text ends with a zero; the kernel reads no more than 16 bytes.
    match unsafe { libc::prctl(libc::PR_SET_NAME, name) } {
        0 => 0,
        _ => nix::errno::Errno::last_raw(),
    }
}
