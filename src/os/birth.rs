//! Making a child without a copy of ourselves. As with `vfork(2)`, the new process runs in
//! our memory, on a stack of its own, and this thread waits until it has become its program
//! or has ended. A copy costs more the more memory and descriptors there are.
//!
//! What holds for the code in between: all it needs was prepared before; it takes no lock,
//! and allocates, frees and panics nowhere; no signal reaches it that has a handler of ours;
//! it makes bare system calls where a C library would tell all our threads (`setuid` and its
//! kin). It writes to nothing of ours but [`Plan`]'s cells, and `errno`, which nobody reads
//! across a birth.

use std::cell::OnceCell;
use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::libc;

use super::kernel::Version;
use super::prepare::{SIGNAL_SET_SIZE, Steps, fault, give, pack, unpack};
use super::{adopt, clock, seats};
use crate::model::{Stage, StartFault};

/// A new process, which is its program already.
pub(super) struct Born {
    pub(super) pid: u32,
    /// Where the kernel has them, and they can be waited for (Linux 5.3).
    pub(super) pidfd: Option<OwnedFd>,
    /// When it was made, in clock ticks since boot, if that was within one.
    pub(super) start: Option<u64>,
}

/// A descriptor of ours, and the number that the new process is to know it by.
pub(super) type Give = (RawFd, RawFd);

/// What the new process reads, and the cells that it writes.
struct Plan<'a> {
    steps: &'a Steps,
    /// One after the other: what is given on a number is gone from there.
    gives: &'a [Give],
    /// Where it also tells of its fault.
    report: Option<RawFd>,
    /// It shares our table of descriptors, which it is to leave first.
    shares_table: AtomicBool,
    begun: AtomicBool,
    /// See [`unpack`].
    fault: AtomicI32,
}

/// Whether a birth has shown that the new process runs in our memory. QEMU's emulation of
/// processes makes a copy instead, and does not wait: there a pipe brings the news.
static SHARED: AtomicBool = AtomicBool::new(false);

/// Makes a process that takes these steps. What is given may not lie below 3, and goes to
/// the standard streams first.
///
/// # Errors
/// The step that failed, and why. Then there is no process.
pub(super) fn bear(steps: &Steps, gives: &[Give]) -> Result<Born, StartFault> {
    bear_telling(steps, gives, !SHARED.load(Ordering::Relaxed))
}

/// As [`bear`]; whether it is to tell of its fault through a pipe, too.
fn bear_telling(steps: &Steps, gives: &[Give], by_pipe: bool) -> Result<Born, StartFault> {
    let system = |errno| fault(Stage::Fork, errno);
    let lowered = seats::lower(gives).map_err(system)?;
    let gives = &lowered.gives[..gives.len()];
    let pipe = by_pipe.then(|| report_pipe(gives)).transpose();
    let pipe = pipe.map_err(system)?;
    let plan = Plan {
        steps,
        gives,
        report: pipe.as_ref().map(|(_, theirs)| theirs.as_raw_fd()),
        shares_table: AtomicBool::new(false),
        begun: AtomicBool::new(false),
        fault: AtomicI32::new(0),
    };
    let dumpable = Dumpable::now(steps);
    let made = make(&plan);
    dumpable.restore();
    let born = made.map_err(system)?;
    if plan.begun.load(Ordering::Acquire) {
        SHARED.store(true, Ordering::Relaxed);
    }
    let mut code = plan.fault.load(Ordering::Acquire);
    if let Some((ours, theirs)) = pipe {
        drop(theirs);
        let mut bytes = [0; size_of::<i32>()];
        if File::from(ours).read_exact(&mut bytes).is_ok() {
            code = i32::from_ne_bytes(bytes);
        }
    }
    if code == 0 {
        return Ok(born);
    }
    bury(born.pid);
    Err(unpack(code))
}

/// A pipe that closes when the new process becomes its program. Its end there has a number
/// that no other end will be put on.
fn report_pipe(gives: &[Give]) -> nix::Result<(OwnedFd, OwnedFd)> {
    let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
    if gives
        .iter()
        .all(|(_, number)| *number != theirs.as_raw_fd())
    {
        return Ok((ours, theirs));
    }
    let other = fcntl(&theirs, FcntlArg::F_DUPFD_CLOEXEC(theirs.as_raw_fd() + 1))?;
    // SAFETY: the kernel has just given it to us, and nobody else knows it.
    Ok((ours, unsafe { OwnedFd::from_raw_fd(other) }))
}

fn make(plan: &Plan) -> nix::Result<Born> {
    let stack = Stack::of_this_thread()?;
    let plain = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    let mut more = 0;
    if adopt::has_pidfds() {
        more |= libc::CLONE_PIDFD;
    }
    if can_leave_tables() {
        more |= libc::CLONE_FILES;
    }
    let _held = HeldSignals::hold();
    plan.shares_table
        .store(more & libc::CLONE_FILES != 0, Ordering::Release);
    match clone(plan, stack, plain | more) {
        // An emulator may know no such flags.
        Err(Errno::EINVAL) if more != 0 => {
            plan.shares_table.store(false, Ordering::Release);
            clone(plan, stack, plain)
        }
        result => result,
    }
}

/// Whether a process can leave a shared table of descriptors with the few that it needs
/// (Linux 5.9). A copy of ours costs the more the more children there are, and twice: all
/// that it is not to have is closed again when it becomes its program.
fn can_leave_tables() -> bool {
    static CAN: OnceLock<bool> = OnceLock::new();
    *CAN.get_or_init(|| {
        Version::of_this_kernel() >= Version(5, 9) && close_range(libc::c_uint::MAX, 0).is_ok()
    })
}

/// Closes all from a number on; with `CLOSE_RANGE_UNSHARE`, in a table of our own.
fn close_range(first: libc::c_uint, flags: libc::c_uint) -> nix::Result<()> {
    // SAFETY: no memory is involved.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, flags) };
    Errno::result(result).map(drop)
}

fn clone(plan: &Plan, stack: Stack, flags: c_int) -> nix::Result<Born> {
    let mut pidfd: c_int = -1;
    let argument = ptr::from_ref(plan).cast_mut().cast::<c_void>();
    let before = clock::tick();
    // SAFETY: the stack belongs to this thread, which waits while it is used; `begin` only
    // reads the plan, but for its atomic cells. Signals are held.
    let pid = unsafe { libc::clone(begin, stack.top(), flags, argument, &raw mut pidfd) };
    let pid = Errno::result(pid)?;
    let start = before.filter(|_| before == clock::tick());
    // SAFETY: the kernel has just given it to us, and nobody else knows it.
    let pidfd = (pidfd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(pidfd) });
    let pid = pid.cast_unsigned();
    Ok(Born { pid, pidfd, start })
}

/// What the new process does.
extern "C" fn begin(plan: *mut c_void) -> c_int {
    // SAFETY: it is what `clone` was given, and stays until we are gone.
    let plan = unsafe { &*plan.cast::<Plan>() };
    plan.begun.store(true, Ordering::Release);
    let code = match leave_table(plan).and_then(|()| connect(plan.gives)) {
        Ok(()) => plan.steps.run(),
        Err(fault) => pack(fault),
    };
    plan.fault.store(code, Ordering::Release);
    if let Some(pipe) = plan.report {
        // SAFETY: the bytes of a number of ours.
        unsafe { libc::write(pipe, (&raw const code).cast(), size_of::<i32>()) };
    }
    // SAFETY: ends this process at once, and runs nothing of ours.
    unsafe { libc::_exit(127) }
}

/// From here on our descriptors are safe from it.
fn leave_table(plan: &Plan) -> Result<(), StartFault> {
    if !plan.shares_table.load(Ordering::Acquire) {
        return Ok(());
    }
    let given = plan.gives.iter().map(|(fd, _)| *fd);
    let last = given.chain(plan.report).fold(2, RawFd::max);
    close_range(last.cast_unsigned() + 1, libc::CLOSE_RANGE_UNSHARE)
        .map_err(|errno| fault(Stage::Descriptors, errno))
}

fn connect(gives: &[Give]) -> Result<(), StartFault> {
    for &(fd, number) in gives {
        let stage = match number {
            0..=2 => Stage::Output,
            _ => Stage::Descriptors,
        };
        give(fd, number).map_err(|errno| fault(stage, errno))?;
    }
    Ok(())
}

/// Takes the news of one that could not become its program, and has ended or is about to.
fn bury(pid: u32) {
    loop {
        // SAFETY: the kernel writes no status to nowhere.
        let result = unsafe { libc::waitpid(pid.cast_signed(), ptr::null_mut(), 0) };
        if result != -1 || Errno::last() != Errno::EINTR {
            return;
        }
    }
}

/// All signals wait while it lives, those too that C libraries keep from their callers: the
/// new process begins with them held, and with our handlers.
struct HeldSignals {
    before: u64,
}

impl HeldSignals {
    fn hold() -> Self {
        let mut before = 0;
        set_mask(&u64::MAX, &raw mut before);
        Self { before }
    }
}

impl Drop for HeldSignals {
    fn drop(&mut self) {
        set_mask(&self.before, ptr::null_mut());
    }
}

fn set_mask(mask: &u64, before: *mut u64) {
    // SAFETY: both are as long as the kernel's set of signals, or null.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            ptr::from_ref(mask),
            before,
            SIGNAL_SET_SIZE,
        )
    };
}

/// A process that changes its user makes the memory that it runs in undumpable, which is
/// ours until it becomes its program. That keeps its new user's processes out meanwhile; we
/// want our core files back afterwards.
struct Dumpable(bool);

impl Dumpable {
    fn now(steps: &Steps) -> Self {
        Self(steps.changes_identity() && nix::sys::prctl::get_dumpable() == Ok(true))
    }

    fn restore(self) {
        if self.0 {
            let _as_before = nix::sys::prctl::set_dumpable(true);
        }
    }
}

/// Where the new process keeps what it does. Nothing lies below it: what would overflow
/// ends there.
#[derive(Clone, Copy)]
struct Stack {
    bottom: *mut c_void,
}

/// In bytes; a multiple of every page size. Only what is used of it becomes memory.
const STACK_SIZE: usize = 64 << 10;

thread_local! {
    static STACK: OnceCell<Stack> = const { OnceCell::new() };
}

impl Stack {
    /// Made for the first birth, and kept.
    fn of_this_thread() -> nix::Result<Self> {
        STACK.with(|stack| match stack.get() {
            Some(stack) => Ok(*stack),
            None => Self::map().map(|new| *stack.get_or_init(|| new)),
        })
    }

    fn map() -> nix::Result<Self> {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK;
        // SAFETY: a new mapping, twice the size; then its upper half is ours to write to.
        unsafe {
            let guard = libc::mmap(
                ptr::null_mut(),
                2 * STACK_SIZE,
                libc::PROT_NONE,
                flags,
                -1,
                0,
            );
            if guard == libc::MAP_FAILED {
                return Err(Errno::last());
            }
            let bottom = guard.byte_add(STACK_SIZE);
            let access = libc::PROT_READ | libc::PROT_WRITE;
            Errno::result(libc::mprotect(bottom, STACK_SIZE, access))?;
            Ok(Self { bottom })
        }
    }

    /// Stacks grow down.
    fn top(self) -> *mut c_void {
        self.bottom.wrapping_byte_add(STACK_SIZE)
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use super::*;
    use crate::model::spec::Launch;
    use crate::os::prepare::Identity;
    use crate::os::procfs;

    fn launch(program: &str) -> Launch {
        let command = [program, "-c", "exit 7"].map(|word| CString::new(word).unwrap());
        Launch {
            command: command.into(),
            ..Launch::default()
        }
    }

    fn steps(launch: &Launch) -> Steps {
        let identity = Identity::find(launch).unwrap();
        Steps::new(launch, identity, Vec::new())
    }

    /// The code that it has ended with; none, where it is nobody's.
    fn end(pid: u32) -> Option<c_int> {
        let mut status = 0;
        // SAFETY: the kernel writes the status.
        let found = unsafe { libc::waitpid(pid.cast_signed(), &raw mut status, 0) };
        (found == pid.cast_signed()).then(|| libc::WEXITSTATUS(status))
    }

    #[test]
    fn it_becomes_its_program_and_what_is_ours_is_as_it_was() {
        let mut before = 0;
        set_mask(&(1 << (libc::SIGUSR1 - 1)), &raw mut before);
        let born = bear(&steps(&launch("/bin/sh")), &[]).unwrap();
        assert_eq!(end(born.pid), Some(7));
        let mut after = 0;
        set_mask(&before, &raw mut after);
        assert_eq!(after, 1 << (libc::SIGUSR1 - 1));
        assert!(SHARED.load(Ordering::Relaxed), "no copy was made");
        assert_eq!(born.pidfd.is_some(), adopt::has_pidfds());
    }

    #[test]
    fn a_fault_comes_back_with_its_stage_by_cell_and_by_pipe() {
        let mut nowhere = launch("/bin/sh");
        nowhere.dir = Some("/proc/nowhere".into());
        for by_pipe in [true, false] {
            for (launch, stage) in [
                (&launch("/proc/nothing"), Stage::Exec),
                (&nowhere, Stage::Directory),
            ] {
                let fault = bear_telling(&steps(launch), &[], by_pipe).err().unwrap();
                assert_eq!((fault.stage, fault.errno), (stage, libc::ENOENT));
            }
            let born = bear_telling(&steps(&launch("/bin/sh")), &[], by_pipe).unwrap();
            assert_eq!(end(born.pid), Some(7));
        }
    }

    #[test]
    fn its_moment_is_known_without_asking_and_is_what_the_kernel_says() {
        // One in twenty falls between two ticks.
        let known = (0..100).filter(|_| {
            let born = bear(&steps(&launch("/bin/sh")), &[]).unwrap();
            let told = procfs::stat(born.pid.cast_signed()).unwrap().start;
            assert_eq!(end(born.pid), Some(7));
            born.start
                .inspect(|start| assert_eq!(*start, told))
                .is_some()
        });
        assert!(known.count() > 0);
    }

    #[test]
    fn the_pipe_is_not_where_the_readiness_descriptor_goes() {
        let launch = launch("/proc/nothing");
        // Whichever number the pipe will have: one of those.
        for number in 3..40 {
            let (_ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC).unwrap();
            let steps = Steps::new(&launch, None, Vec::new());
            let gives = [(theirs.as_raw_fd(), number)];
            let fault = bear_telling(&steps, &gives, true).err().unwrap();
            assert_eq!(fault.stage, Stage::Exec);
        }
    }

    #[test]
    fn another_user_takes_neither_our_user_nor_our_core_files_along() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let mut other = launch("/bin/sh");
        other.user = Some("65534".into());
        other.group = Some("65534".into());
        let born = bear(&steps(&other), &[]).unwrap();
        assert_eq!(end(born.pid), Some(7));
        assert!(nix::unistd::geteuid().is_root());
        assert_eq!(nix::sys::prctl::get_dumpable(), Ok(true));
    }

    #[test]
    fn it_gets_what_it_is_given_and_nothing_else_and_takes_nothing_from_us() {
        let (mut ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)
            .map(|(ours, theirs)| (File::from(ours), theirs))
            .unwrap();
        // Not close-on-exec, and at a high number: what others have left open in us.
        // SAFETY: the kernel has just given it to us.
        let high =
            unsafe { OwnedFd::from_raw_fd(libc::fcntl(theirs.as_raw_fd(), libc::F_DUPFD, 200)) };
        let mut launch = launch("/bin/sh");
        let script = c"ls /proc/self/fd | tr '\\n' ' '; exit 7";
        launch.command[2] = script.into();
        let steps = Steps::new(&launch, None, vec![c"PATH=/usr/bin:/bin".into()]);
        let born = bear(&steps, &[(high.as_raw_fd(), 1), (theirs.as_raw_fd(), 40)]).unwrap();
        drop((high, theirs));
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(end(born.pid), Some(7));
        let said: Vec<&str> = said.split_whitespace().collect();
        assert!(
            ["0", "1", "2", "40"]
                .iter()
                .all(|given| said.contains(given)),
            "{said:?}"
        );
        assert_eq!(said.contains(&"200"), !can_leave_tables(), "{said:?}");
    }
}
