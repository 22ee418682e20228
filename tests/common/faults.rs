//! Faults on demand: calls that the kernel refuses, limits that become tight while a
//! process runs, and small file systems.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::errno::Errno;
use nix::libc;

use super::old_kernel::{install, op};

/// Says why a test shows nothing here.
pub(crate) fn skipped(why: &str) {
    let _shown = writeln!(io::stderr(), "not shown here: {why}");
}

// ---- refused calls ------------------------------------------------------------

/// From its `exec` on, the kernel refuses these calls to the command and to all that it
/// starts.
pub(crate) fn refuse(command: &mut Command, calls: &[(libc::c_long, Errno)]) {
    let mut filter = vec![load(NUMBER)];
    for (call, errno) in calls {
        filter.extend([equal(*call, 0, 1), error(*errno)]);
    }
    filter.push(ALLOW);
    install(command, filter);
}

/// From its `exec` on, the command can make no process, for want of memory; threads it can.
pub(crate) fn refuse_fork(command: &mut Command) {
    let flag = u32::try_from(libc::CLONE_THREAD).unwrap();
    let mut filter = vec![load(NUMBER)];
    // Its flags are in memory, which no filter sees: the older call is tried next.
    filter.extend([equal(libc::SYS_clone3, 0, 1), error(Errno::ENOSYS)]);
    #[cfg(target_arch = "x86_64")]
    for call in [libc::SYS_fork, libc::SYS_vfork] {
        filter.extend([equal(call, 0, 1), error(Errno::ENOMEM)]);
    }
    let is_thread = op(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, flag, 1, 0);
    filter.extend([equal(libc::SYS_clone, 0, 3), load(FIRST_ARGUMENT)]);
    filter.extend([is_thread, error(Errno::ENOMEM), ALLOW]);
    install(command, filter);
}

const NUMBER: u32 = 0;
const FIRST_ARGUMENT: u32 = 16;

const ALLOW: libc::sock_filter = libc::sock_filter {
    code: (libc::BPF_RET | libc::BPF_K) as u16,
    jt: 0,
    jf: 0,
    k: libc::SECCOMP_RET_ALLOW,
};

fn load(offset: u32) -> libc::sock_filter {
    op(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, offset, 0, 0)
}

fn equal(call: libc::c_long, yes: u8, no: u8) -> libc::sock_filter {
    let call = u32::try_from(call).unwrap();
    op(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, call, yes, no)
}

fn error(errno: Errno) -> libc::sock_filter {
    let answer = libc::SECCOMP_RET_ERRNO | (errno as i32).unsigned_abs();
    op(libc::BPF_RET | libc::BPF_K, answer, 0, 0)
}

// ---- limits -------------------------------------------------------------------

/// The command may open so many files at a time, whatever it asks for.
pub(crate) fn limit_descriptors(command: &mut Command, most: u32) {
    let set = move || {
        let most = most.into();
        let limit = libc::rlimit {
            rlim_cur: most,
            rlim_max: most,
        };
        // SAFETY: the kernel reads a valid rlimit.
        let result = unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    };
    // SAFETY: one system call, which neither allocates nor locks.
    unsafe { command.pre_exec(set) };
}

/// A limit of a process that runs, made tight until this is dropped.
pub(crate) struct Tight {
    pid: i32,
    resource: i64,
    before: libc::rlimit,
}

impl Tight {
    pub(crate) fn descriptors(pid: i32, most: u64) -> Self {
        Self::set(pid, i64::from(libc::RLIMIT_NOFILE), most)
    }

    pub(crate) fn processes(pid: i32, most: u64) -> Self {
        Self::set(pid, i64::from(libc::RLIMIT_NPROC), most)
    }

    fn set(pid: i32, resource: i64, most: u64) -> Self {
        let text = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
        let name = match resource == i64::from(libc::RLIMIT_NOFILE) {
            true => "Max open files",
            false => "Max processes",
        };
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let mut numbers = line.unwrap().split_ascii_whitespace().map(|number| {
            let number = number.parse().unwrap_or(libc::RLIM_INFINITY);
            number as libc::rlim_t
        });
        let before = libc::rlimit {
            rlim_cur: numbers.next().unwrap(),
            rlim_max: numbers.next().unwrap(),
        };
        let tight = libc::rlimit {
            rlim_cur: most as libc::rlim_t,
            ..before
        };
        assert!(change(pid, resource, tight), "the limits of {pid}");
        Self {
            pid,
            resource,
            before,
        }
    }
}

impl Drop for Tight {
    fn drop(&mut self) {
        // One that has ended needs none.
        let _done = change(self.pid, self.resource, self.before);
    }
}

/// Changes a limit of another process, as the user that it runs as: root may be without
/// the right to do that to others.
fn change(pid: i32, resource: i64, limit: libc::rlimit) -> bool {
    use std::os::unix::fs::MetadataExt;
    let Ok(owner) = fs::metadata(format!("/proc/{pid}")) else {
        return false;
    };
    let mut command = Command::new("true");
    if super::is_root() {
        command.uid(owner.uid()).gid(owner.gid());
    }
    let set = move || {
        // SAFETY: the kernel reads a valid rlimit.
        let result = unsafe { libc::prlimit(pid, resource as _, &limit, std::ptr::null_mut()) };
        Errno::result(result).map(drop).map_err(io::Error::from)
    };
    // SAFETY: one system call, which neither allocates nor locks.
    unsafe { command.pre_exec(set) };
    command.status().is_ok_and(|status| status.success())
}

/// A process that has been given this number, and leads a session, until it is dropped.
pub(crate) struct Recycled(i32);

impl Recycled {
    /// `None` where nobody may choose numbers (before Linux 5.5, or without the right).
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let numbers = [pid];
        // SAFETY: numbers, all of which may be zero.
        let mut how: libc::clone_args = unsafe { std::mem::zeroed() };
        how.exit_signal = libc::SIGCHLD as u64;
        (how.set_tid, how.set_tid_size) = (numbers.as_ptr() as u64, 1);
        let size = size_of::<libc::clone_args>();
        // SAFETY: as fork(2); what the new process does needs no lock and no memory.
        let made = unsafe { libc::syscall(libc::SYS_clone3, &raw const how, size) };
        match made {
            0 => loop {
                // SAFETY: no memory is involved.
                unsafe {
                    libc::setsid();
                    libc::pause();
                }
            },
            made if made == libc::c_long::from(pid) => Some(Self(pid)),
            _ => {
                skipped("nobody may choose the number of a process");
                None
            }
        }
    }

    pub(crate) fn is_alive(&self) -> bool {
        sup::os::procfs::stat(self.0).is_some_and(|stat| stat.state != 'Z')
    }

    /// When it leads its session.
    pub(crate) fn leads(&self) -> bool {
        sup::os::procfs::stat(self.0).is_some_and(|stat| stat.session == self.0)
    }
}

impl Drop for Recycled {
    fn drop(&mut self) {
        // SAFETY: our own child, which nobody else waits for.
        unsafe {
            libc::kill(self.0, libc::SIGKILL);
            libc::waitpid(self.0, std::ptr::null_mut(), 0);
        }
    }
}

/// A cgroup with little memory, until it is dropped.
pub(crate) struct Cgroup(pub(crate) PathBuf);

impl Cgroup {
    /// `None` where none can be made.
    pub(crate) fn of_bytes(bytes: u32) -> Option<Self> {
        let name = format!("sup-test-{}", std::process::id());
        let (swap, limit) = ("memory.memsw.limit_in_bytes", "memory.limit_in_bytes");
        let ways = [
            ("/sys/fs/cgroup/memory", limit, swap),
            ("/sys/fs/cgroup", "memory.max", "memory.swap.max"),
        ];
        ways.iter().find_map(|(root, limit, swap)| {
            let dir = Path::new(root).join(&name);
            fs::create_dir(&dir).ok()?;
            let group = Self(dir);
            fs::write(group.0.join(limit), bytes.to_string()).ok()?;
            let _without_swap = fs::write(group.0.join(swap), bytes.to_string());
            Some(group)
        })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let _empty = fs::remove_dir(&self.0);
    }
}

// ---- file systems -------------------------------------------------------------

/// A small file system in RAM at a directory, until it is dropped.
pub(crate) struct Small(PathBuf);

impl Small {
    /// `None` where we may not mount.
    pub(crate) fn mount(at: &Path, options: &str) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(at);
        let mounted = mount.output().is_ok_and(|told| told.status.success());
        if !mounted {
            skipped("mounting needs root and its capabilities");
        }
        mounted.then(|| Self(at.to_owned()))
    }

    /// Mounts it anew with these options.
    pub(crate) fn remount(&self, options: &str) {
        let mut mount = Command::new("mount");
        mount
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0);
        assert!(mount.status().unwrap().success(), "remount,{options}");
    }

    /// Fills it to the last byte; [`Small::free`] makes room again.
    pub(crate) fn fill(&self) {
        let mut ballast = fs::File::create(self.0.join("ballast")).unwrap();
        while ballast.write_all(&[1; 1024]).is_ok() {}
        while ballast.write_all(&[1]).is_ok() {}
    }

    pub(crate) fn free(&self) {
        fs::remove_file(self.0.join("ballast")).unwrap();
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _mounted = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A file system whose server does not answer, as NFS when the other box is off: whoever
/// looks at it hangs until this is dropped.
pub(crate) struct Dead {
    at: PathBuf,
    /// Closed, it is the server's end, and who hangs gets an error.
    server: Option<fs::File>,
}

impl Dead {
    /// `None` where we may not mount, or the kernel has no FUSE.
    pub(crate) fn mount(at: &Path) -> Option<Self> {
        fs::create_dir_all(at).unwrap();
        let mut options = fs::OpenOptions::new();
        let server = options.read(true).write(true).open("/dev/fuse");
        let mounted = server.ok().and_then(|server| {
            let text = |text: &str| std::ffi::CString::new(text).unwrap();
            let fd = std::os::fd::AsRawFd::as_raw_fd(&server);
            let data = text(&format!("fd={fd},rootmode=40000,user_id=0,group_id=0"));
            let (name, kind) = (text("dead"), text("fuse"));
            let place = text(at.to_str().unwrap());
            // SAFETY: the kernel reads four strings that end.
            let result = unsafe {
                let data = data.as_ptr().cast();
                libc::mount(name.as_ptr(), place.as_ptr(), kind.as_ptr(), 0, data)
            };
            (result == 0).then_some(server)
        });
        if mounted.is_none() {
            skipped("a dead file system needs root and FUSE");
        }
        mounted.map(|server| Self {
            at: at.to_owned(),
            server: Some(server),
        })
    }
}

impl Drop for Dead {
    fn drop(&mut self) {
        self.server = None;
        let _mounted = Command::new("umount").arg("-l").arg(&self.at).status();
    }
}

// ---- other users --------------------------------------------------------------

/// A user who owns nothing here, for a command that must not be root.
pub(crate) const NOBODY: u32 = 54_321;

/// Runs the command as [`NOBODY`].
pub(crate) fn as_nobody(command: &mut Command) {
    command.uid(NOBODY).gid(NOBODY);
}
