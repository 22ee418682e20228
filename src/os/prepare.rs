//! Everything a new process needs, made before there is one: between `fork` and `exec`
//! nothing may be allocated, and no lock taken (signal-safety(7)).

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::boot;
use crate::model::spec::{Launch, Limit, Resource};
use crate::model::{Stage, StartFault};

/// Who the process will be.
pub(super) struct Identity {
    uid: Uid,
    gid: Gid,
    groups: Vec<libc::gid_t>,
    /// For `HOME`, `USER`, `LOGNAME`, `SHELL`; a bare number has none of them.
    user: Option<User>,
}

impl Identity {
    /// Looks up user and group, by name or number. `None` where neither is configured.
    pub(super) fn find(launch: &Launch) -> Result<Option<Self>, StartFault> {
        let group = match &launch.group {
            Some(name) => Some(find_group(name)?),
            None => None,
        };
        let (uid, user) = match (&launch.user, group) {
            (Some(name), _) => find_user(name)?,
            (None, Some(_)) => (Uid::effective(), find_number(Uid::effective())?),
            (None, None) => return Ok(None),
        };
        // A domain's user is not in our /etc/passwd: its number will do, with a group.
        let gid = group.or_else(|| user.as_ref().map(|user| user.gid));
        let gid = gid.ok_or_else(no_such_user)?;
        let groups = match &user {
            Some(user) => {
                let name = CString::new(user.name.as_str()).map_err(|_| no_such_user())?;
                getgrouplist(&name, gid).map_err(|errno| fault(Stage::User, errno))?
            }
            None => vec![gid],
        };
        Ok(Some(Self {
            uid,
            gid,
            groups: groups.into_iter().map(Gid::as_raw).collect(),
            user,
        }))
    }

    /// The number of the user.
    pub(super) fn uid(&self) -> u32 {
        self.uid.as_raw()
    }

    /// The variables that say who one is.
    pub(super) fn variables(&self) -> Vec<(&'static str, Vec<u8>)> {
        let Some(user) = &self.user else {
            return Vec::new();
        };
        vec![
            ("HOME", user.dir.as_os_str().as_bytes().to_vec()),
            ("USER", user.name.as_bytes().to_vec()),
            ("LOGNAME", user.name.as_bytes().to_vec()),
            ("SHELL", user.shell.as_os_str().as_bytes().to_vec()),
        ]
    }
}

fn find_user(name: &str) -> Result<(Uid, Option<User>), StartFault> {
    if let Ok(number) = name.parse() {
        let uid = Uid::from_raw(number);
        return Ok((uid, find_number(uid)?));
    }
    let found = User::from_name(name).map_err(|errno| fault(Stage::User, errno))?;
    let user = found.ok_or_else(no_such_user)?;
    Ok((user.uid, Some(user)))
}

fn find_number(uid: Uid) -> Result<Option<User>, StartFault> {
    User::from_uid(uid).map_err(|errno| fault(Stage::User, errno))
}

fn find_group(name: &str) -> Result<Gid, StartFault> {
    if let Ok(number) = name.parse() {
        return Ok(Gid::from_raw(number));
    }
    let found = Group::from_name(name).map_err(|errno| fault(Stage::User, errno))?;
    found.map(|group| group.gid).ok_or_else(no_such_user)
}

fn no_such_user() -> StartFault {
    fault(Stage::User, Errno::ENOENT)
}

pub(super) fn fault(stage: Stage, errno: Errno) -> StartFault {
    StartFault {
        stage,
        errno: errno as i32,
    }
}

/// What is done between `fork` and `exec`.
pub(super) struct Steps {
    /// Where the program may be: one path, or one for each folder in PATH.
    programs: Vec<CString>,
    argv: Words,
    envp: Words,
    dir: Option<CString>,
    identity: Option<Identity>,
    umask: Option<libc::mode_t>,
    nice: Option<i32>,
    limits: Vec<(libc::c_int, libc::rlimit)>,
    no_new_privs: bool,
    /// Signals that would stay ignored.
    ignored: &'static [libc::c_int],
    /// Our end of the readiness pipe, and the number that the child knows it by.
    ready: Option<(OwnedFd, RawFd)>,
}

/// A null-terminated list of words, as `execve` wants it. The pointers go into `_owned`,
/// whose buffers do not move with the struct.
struct Words {
    pointers: Vec<*const libc::c_char>,
    _owned: Vec<CString>,
}

// SAFETY: the pointers lead into buffers that the struct owns and never changes.
unsafe impl Send for Words {}
// SAFETY: as above; all access is reading.
unsafe impl Sync for Words {}

impl Words {
    fn new(owned: Vec<CString>) -> Self {
        let mut pointers: Vec<_> = owned.iter().map(|word| word.as_ptr()).collect();
        pointers.push(ptr::null());
        Self {
            pointers,
            _owned: owned,
        }
    }
}

impl Steps {
    /// Gathers what `launch` says. `env` is complete; `ready` is the pipe's writing end.
    pub(super) fn new(
        launch: &Launch,
        identity: Option<Identity>,
        env: Vec<CString>,
        ready: Option<(OwnedFd, RawFd)>,
    ) -> Self {
        let path = env
            .iter()
            .find_map(|var| var.to_bytes().strip_prefix(b"PATH="));
        let dir = launch.dir.as_deref().and_then(|dir| CString::new(dir).ok());
        Self {
            programs: programs(&launch.command[0], path.unwrap_or(DEFAULT_PATH.as_bytes())),
            argv: Words::new(launch.command.to_vec()),
            envp: Words::new(env),
            dir,
            identity,
            umask: launch.umask.map(libc::mode_t::from),
            nice: launch.nice.map(i32::from),
            limits: limits(launch),
            no_new_privs: launch.no_new_privs,
            ignored: ignored_signals(),
            ready,
        }
    }

    /// Runs in the new process, and does not return where all goes well. The error
    /// carries the stage above the kernel's number; see [`unpack`].
    pub(super) fn run(&self) -> io::Error {
        let StartFault { stage, errno } = match self.take() {
            Ok(()) => self.exec(),
            Err(fault) => fault,
        };
        io::Error::from_raw_os_error((stage as i32) << STAGE_SHIFT | (errno & ERRNO_MASK))
    }

    fn take(&self) -> Result<(), StartFault> {
        nix::unistd::setsid().map_err(|errno| fault(Stage::Session, errno))?;
        reset_signals(self.ignored)?;
        if let Some(mask) = self.umask {
            // SAFETY: cannot fail, touches no memory.
            unsafe { libc::umask(mask) };
        }
        for (resource, limit) in &self.limits {
            // SAFETY: `limit` is a valid rlimit for the length of the call. The cast is
            // to libc's own type for the resource, which differs between C libraries.
            let result = unsafe { libc::setrlimit(*resource as _, limit) };
            Errno::result(result).map_err(|errno| fault(Stage::Limits, errno))?;
        }
        if let Some(nice) = self.nice {
            // SAFETY: touches no memory.
            let result = unsafe { libc::setpriority(libc::PRIO_PROCESS as _, 0, nice) };
            Errno::result(result).map_err(|errno| fault(Stage::Nice, errno))?;
        }
        if let Some(identity) = &self.identity {
            identity
                .become_it()
                .map_err(|errno| fault(Stage::Identity, errno))?;
        }
        if let Some(dir) = &self.dir {
            nix::unistd::chdir(dir.as_c_str()).map_err(|errno| fault(Stage::Directory, errno))?;
        }
        if self.no_new_privs {
            nix::sys::prctl::set_no_new_privs().map_err(|errno| fault(Stage::Privileges, errno))?;
        }
        self.hand_over()
    }

    fn hand_over(&self) -> Result<(), StartFault> {
        let Some((pipe, number)) = &self.ready else {
            return Ok(());
        };
        let result = if pipe.as_raw_fd() == *number {
            // SAFETY: touches no memory.
            unsafe { libc::fcntl(*number, libc::F_SETFD, 0) }
        } else {
            // SAFETY: touches no memory; whatever had that number is close-on-exec and
            // would be gone in a moment anyway.
            unsafe { libc::dup2(pipe.as_raw_fd(), *number) }
        };
        Errno::result(result)
            .map(drop)
            .map_err(|errno| fault(Stage::Descriptors, errno))
    }

    /// Tries each place. "No permission" is kept, because it says more than that the
    /// last folder of PATH does not have the program (execvp(3)).
    fn exec(&self) -> StartFault {
        let mut worst = Errno::ENOENT;
        for program in &self.programs {
            // SAFETY: all three are null-terminated and outlive the call.
            unsafe {
                libc::execve(
                    program.as_ptr(),
                    self.argv.pointers.as_ptr(),
                    self.envp.pointers.as_ptr(),
                )
            };
            let errno = Errno::last();
            let elsewhere = self.programs.len() > 1;
            if errno == Errno::EACCES {
                worst = errno;
            } else if !elsewhere || ![Errno::ENOENT, Errno::ENOTDIR].contains(&errno) {
                return fault(Stage::Exec, errno);
            }
        }
        fault(Stage::Exec, worst)
    }
}

impl Identity {
    /// Groups first, then group, then user: the other way round we would no longer be
    /// allowed to.
    fn become_it(&self) -> nix::Result<()> {
        if Uid::effective().is_root() {
            // SAFETY: pointer and length belong to one vector.
            Errno::result(unsafe {
                libc::setgroups(self.groups.len() as _, self.groups.as_ptr())
            })?;
        }
        nix::unistd::setresgid(self.gid, self.gid, self.gid)?;
        nix::unistd::setresuid(self.uid, self.uid, self.uid)
    }
}

/// Where a program without `/` is sought, when nobody says.
pub(super) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const STAGE_SHIFT: u32 = 16;
const ERRNO_MASK: i32 = 0xffff;

/// Takes an error of [`Steps::run`] apart. Stage 0 is what std itself met on its way.
pub(super) fn unpack(error: &io::Error) -> StartFault {
    let raw = error.raw_os_error().unwrap_or(0);
    let number = usize::try_from(raw >> STAGE_SHIFT).unwrap_or(0);
    let stage = Stage::ALL.get(number).copied().unwrap_or(Stage::Fork);
    StartFault {
        stage,
        errno: raw & ERRNO_MASK,
    }
}

fn programs(command: &CStr, path: &[u8]) -> Vec<CString> {
    let name = command.to_bytes();
    if name.contains(&b'/') {
        return vec![command.to_owned()];
    }
    let folders = path
        .split(|&b| b == b':')
        .map(|folder| if folder.is_empty() { b"." } else { folder });
    folders
        .filter_map(|folder| CString::new([folder, b"/", name].concat()).ok())
        .collect()
}

/// The kernel's set of 64 signals, in bytes.
const SIGNAL_SET_SIZE: usize = 8;

/// No signal ignored and none blocked: children inherit both from whoever started us,
/// `nohup` for example. Handlers need no reset, `exec` does that.
fn reset_signals(ignored: &[libc::c_int]) -> Result<(), StartFault> {
    // The bare call: C libraries keep signals 32 to 34 from their callers, and glibc's
    // `posix_spawn` leaves one of them ignored in whatever it starts, us included.
    let default = [0_u64; 16];
    for signal in ignored {
        let old = ptr::null_mut::<u64>();
        // SAFETY: all zero is the default disposition, and no kernel's sigaction is longer.
        unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                *signal,
                default.as_ptr(),
                old,
                SIGNAL_SET_SIZE,
            )
        };
    }
    let none = nix::sys::signal::SigSet::empty();
    none.thread_set_mask()
        .map_err(|errno| fault(Stage::Signals, errno))
}

/// The signals that were ignored when sup was started, from `/proc`, or any where that
/// cannot be read.
fn ignored_signals() -> &'static [libc::c_int] {
    static IGNORED: OnceLock<Box<[libc::c_int]>> = OnceLock::new();
    IGNORED.get_or_init(|| {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let mask = mask.unwrap_or(u64::MAX);
        (1..=64)
            .filter(|signal| mask >> (signal - 1) & 1 == 1)
            .collect()
    })
}

/// Those of the configuration win over those that we give back.
fn limits(launch: &Launch) -> Vec<(libc::c_int, libc::rlimit)> {
    let found = boot::found_descriptors();
    let back = found.map(|limit| (libc::RLIMIT_NOFILE as _, limit));
    let said = launch.limits.iter();
    back.into_iter()
        .chain(said.map(|(what, limit)| raw_limit(*what, *limit)))
        .collect()
}

fn raw_limit(what: Resource, limit: Limit) -> (libc::c_int, libc::rlimit) {
    let resource = match what {
        Resource::As => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::Fsize => libc::RLIMIT_FSIZE,
        Resource::Memlock => libc::RLIMIT_MEMLOCK,
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Nproc => libc::RLIMIT_NPROC,
        Resource::Rtprio => libc::RLIMIT_RTPRIO,
        Resource::Stack => libc::RLIMIT_STACK,
    };
    let raw = |value: Option<u64>| value.map_or(libc::RLIM_INFINITY, |v| v as libc::rlim_t);
    (
        resource as _,
        libc::rlimit {
            rlim_cur: raw(limit.soft),
            rlim_max: raw(limit.hard),
        },
    )
}
