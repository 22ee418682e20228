//! The end by an instruction that no machine carries out: what a panic is where the binary
//! holds no words for it.
//!
//! In the 64-bit binaries for the boxes (`cross/build`) a panic is such an instruction
//! (SIGILL, on ARM SIGTRAP) and nothing else, which keeps them smaller. So the kernel
//! tells us of it, and we tell where it was. Then it ends us as it would have at once: with
//! that signal and, where they are kept, a core file whose top is the place.

use std::ffi::c_void;
use std::sync::OnceLock;

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};

use super::trace;

/// Says what there is to say: by which signal, and where, the nearest first.
type Words = fn(&'static str, &[u64]);

static WORDS: OnceLock<Words> = OnceLock::new();

/// From now on, such an end has last words.
pub fn listen(words: Words) {
    let _first = WORDS.set(words);
    // Once: a trap on the way to the last words ends us without them.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESETHAND;
    let action = SigAction::new(SigHandler::SigAction(trapped), flags, SigSet::empty());
    for signal in [Signal::SIGILL, Signal::SIGTRAP] {
        // SAFETY: the compiler puts traps into Rust code only, never into the allocator, which
        // is C's: the handler may do what a panic's hook may. To whom somebody else sends the
        // signal, so that it comes at a bad moment, that is the end in any case.
        let _set = unsafe { sigaction(signal, &action) };
    }
}

extern "C" fn trapped(signal: libc::c_int, _info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel's own, and nobody else's until we return.
    let context = unsafe { context.cast::<libc::ucontext_t>().as_ref() };
    let signal = Signal::try_from(signal).unwrap_or(Signal::SIGILL);
    if let (Some(words), Some(context)) = (WORDS.get(), context) {
        let place = Place::of(context);
        let mut way = vec![place.at];
        way.extend(trace::callers_from(place.stack, place.back));
        words(signal.as_str(), &way);
    }
    // It comes once we return; and where it is ignored, as a first process ignores it, the
    // instruction itself does it again.
    let _ends = raise(signal);
}

/// Where a program was.
struct Place {
    at: u64,
    /// Its stack, from here up.
    stack: u64,
    /// The way back of a function that has made no call, on machines that keep it apart.
    back: Option<u64>,
}

#[allow(
    clippy::cast_sign_loss,
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "registers have the width of the machine, and here and there a sign"
)]
impl Place {
    #[cfg(target_arch = "x86_64")]
    fn of(context: &libc::ucontext_t) -> Self {
        let registers = &context.uc_mcontext.gregs;
        Self {
            at: registers[libc::REG_RIP as usize] as u64,
            stack: registers[libc::REG_RSP as usize] as u64,
            back: None,
        }
    }

    #[cfg(target_arch = "aarch64")]
    fn of(context: &libc::ucontext_t) -> Self {
        let registers = &context.uc_mcontext;
        Self {
            at: registers.pc,
            stack: registers.sp,
            back: Some(registers.regs[30]),
        }
    }

    #[cfg(target_arch = "arm")]
    fn of(context: &libc::ucontext_t) -> Self {
        let registers = &context.uc_mcontext;
        Self {
            at: registers.arm_pc.into(),
            stack: registers.arm_sp.into(),
            back: Some(registers.arm_lr.into()),
        }
    }

    /// No box of ours. What lies on the stack is said all the same.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
    fn of(context: &libc::ucontext_t) -> Self {
        Self {
            at: 0,
            stack: std::ptr::from_ref(context).addr() as u64,
            back: None,
        }
    }
}
