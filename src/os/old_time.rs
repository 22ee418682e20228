//! Time on 32-bit ARM, by the calls that each of its kernels has.
//!
//! musl asks for the clock by a newer call first (403) and goes back to the old one only
//! where the answer is ENOSYS. Synology's kernels have calls of their own behind 402 to 427
//! and answer EINVAL: there a program of Rust dies as soon as it looks at the clock
//! (rust-lang/rust#132117). So these functions stand in the place of musl's, for all of the
//! program: the linker takes a name from us before it looks into the C library.
//!
//! musl uses the other newer calls only for times beyond 32 bits. Neither does Rust's own
//! library, whose waits are the old futex call, nor do we, who wait by `epoll_wait` (see
//! [`super::reactor`]). A kernel without the old calls is none that a program of Rust can
//! run on, so there is nothing to fall back to.
//!
//! Seconds are 32 bits wide then, as they are in the `libc` crate on this target anyway:
//! spans since boot last 68 years, and in 2038 the wall clock, by which nothing is decided,
//! goes back to 1901.

/// A time as the old calls have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Short {
    seconds: i32,
    nanoseconds: i32,
}

/// A time as musl has it since version 1.2; the padding stands where the kernel has the
/// upper half of the nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
struct Long {
    seconds: i64,
    nanoseconds: i32,
    padding: i32,
}

const _: () = assert!(size_of::<Short>() == 8 && size_of::<Long>() == 16);

impl From<Short> for Long {
    fn from(time: Short) -> Self {
        Self {
            seconds: time.seconds.into(),
            nanoseconds: time.nanoseconds,
            padding: 0,
        }
    }
}

/// The functions that stand in musl's place.
#[cfg(all(target_arch = "arm", target_env = "musl"))]
mod names {
    use std::ffi::{c_int, c_long};

    use nix::libc::{SYS_clock_gettime, syscall};

    use super::{Long, Short};

    /// What musl calls `clock_gettime` for programs that know long times; the function of
    /// that name calls this one.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __clock_gettime64(clock: c_int, to: *mut Long) -> c_int {
        let mut time = Short::default();
        // SAFETY: the kernel writes one short time, for which there is room.
        let answer = unsafe { syscall(SYS_clock_gettime, clock, &raw mut time) };
        if answer == 0 {
            // SAFETY: the caller has room for one time, as clock_gettime(2) asks.
            unsafe { to.write(time.into()) };
        }
        code(answer)
    }

    /// The same by the name that musl uses inside.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn __clock_gettime(clock: c_int, to: *mut Long) -> c_int {
        // SAFETY: as above.
        unsafe { __clock_gettime64(clock, to) }
    }

    /// 0 or -1, with `errno` set by `syscall(2)`.
    fn code(answer: c_long) -> c_int {
        if answer == 0 { 0 } else { -1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_in_the_long_shape() {
        for seconds in [0, -1, i32::MAX, i32::MIN] {
            let nanoseconds = 999_999_999;
            let long = Long::from(Short {
                seconds,
                nanoseconds,
            });
            let same = (i64::from(seconds), nanoseconds, 0);
            assert_eq!((long.seconds, long.nanoseconds, long.padding), same);
        }
    }
}
