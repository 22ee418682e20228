//! Everything a new process needs, made before there is one: until it becomes its program
//! nothing may be allocated, and no lock taken (signal-safety(7)). It may run in our memory
//! (see [`super::birth`]), where C libraries would change all our threads' users and groups
//! with its own: such calls are bare ones.

use std::ffi::{CStr, CString};
use std::os::fd::RawFd;
use std::os::unix::ffi::OsStrExt;
use std::ptr;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};

use super::boot;
use crate::model::Gather as _;
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
            groups: groups.into_iter().map(Gid::as_raw).gather(),
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

/// What a new process does until it becomes its program.
pub(super) struct Steps {
    /// Where the program may be: one path, or one for each folder in PATH.
    programs: Vec<CString>,
    argv: Words,
    envp: Words,
    dir: Option<CString>,
    identity: Option<Identity>,
    umask: Option<libc::mode_t>,
    nice: Option<i32>,
    limits: Vec<(libc::c_int, libc::rlimit64)>,
    no_new_privs: bool,
    /// Signals that are not as every process has them.
    changed: &'static [libc::c_int],
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
        let mut pointers: Vec<_> = owned.iter().map(|word| word.as_ptr()).gather();
        pointers.push(ptr::null());
        Self {
            pointers,
            _owned: owned,
        }
    }
}

impl Steps {
    /// Gathers what `launch` says. `env` is complete.
    pub(super) fn new(launch: &Launch, identity: Option<Identity>, env: Vec<CString>) -> Self {
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
            changed: changed_signals(),
        }
    }

    /// Whether it becomes somebody else.
    pub(super) fn changes_identity(&self) -> bool {
        self.identity.is_some()
    }

    /// Runs in the new process, and does not return where all goes well. What it returns
    /// carries the stage above the kernel's number; see [`unpack`].
    pub(super) fn run(&self) -> i32 {
        pack(match self.take() {
            Ok(()) => self.exec(),
            Err(fault) => fault,
        })
    }

    fn take(&self) -> Result<(), StartFault> {
        nix::unistd::setsid().map_err(|errno| fault(Stage::Session, errno))?;
        reset_signals(self.changed).map_err(|errno| fault(Stage::Signals, errno))?;
        if let Some(mask) = self.umask {
            // SAFETY: cannot fail, touches no memory.
            unsafe { libc::umask(mask) };
        }
        for (resource, limit) in &self.limits {
            set_limit(*resource, limit).map_err(|errno| fault(Stage::Limits, errno))?;
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
        Ok(())
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

/// Puts a descriptor on the number that the program is to know it by.
pub(super) fn give(fd: RawFd, number: RawFd) -> nix::Result<()> {
    let result = if fd == number {
        // SAFETY: touches no memory.
        unsafe { libc::fcntl(number, libc::F_SETFD, 0) }
    } else {
        // SAFETY: touches no memory; whatever had that number is close-on-exec and
        // would be gone in a moment anyway.
        unsafe { libc::dup2(fd, number) }
    };
    Errno::result(result).map(drop)
}

/// 32-bit ARM's first calls for these have users of 16 bits.
#[cfg(target_arch = "arm")]
mod calls {
    use nix::libc;
    pub(super) const SET_GROUPS: libc::c_long = libc::SYS_setgroups32;
    pub(super) const SET_GROUP: libc::c_long = libc::SYS_setresgid32;
    pub(super) const SET_USER: libc::c_long = libc::SYS_setresuid32;
}
#[cfg(not(target_arch = "arm"))]
mod calls {
    use nix::libc;
    pub(super) const SET_GROUPS: libc::c_long = libc::SYS_setgroups;
    pub(super) const SET_GROUP: libc::c_long = libc::SYS_setresgid;
    pub(super) const SET_USER: libc::c_long = libc::SYS_setresuid;
}

impl Identity {
    /// Groups first, then group, then user: the other way round we would no longer be
    /// allowed to. Bare calls: those of C libraries are for all threads of a process.
    fn become_it(&self) -> nix::Result<()> {
        let (uid, gid) = (self.uid.as_raw(), self.gid.as_raw());
        if Uid::effective().is_root() {
            let (length, groups) = (self.groups.len(), self.groups.as_ptr());
            // SAFETY: pointer and length belong to one vector.
            Errno::result(unsafe { libc::syscall(calls::SET_GROUPS, length, groups) })?;
        }
        // SAFETY: touches no memory.
        Errno::result(unsafe { libc::syscall(calls::SET_GROUP, gid, gid, gid) })?;
        // SAFETY: as above.
        Errno::result(unsafe { libc::syscall(calls::SET_USER, uid, uid, uid) }).map(drop)
    }
}

/// The same for every C library and machine (Linux 2.6.36).
fn set_limit(resource: libc::c_int, limit: &libc::rlimit64) -> nix::Result<()> {
    let before = ptr::null_mut::<libc::rlimit64>();
    // SAFETY: `limit` is valid for the length of the call.
    let result = unsafe { libc::syscall(libc::SYS_prlimit64, 0, resource, limit, before) };
    Errno::result(result).map(drop)
}

/// Where a program without `/` is sought, when nobody says.
pub(super) const DEFAULT_PATH: &str =
    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const STAGE_SHIFT: u32 = 16;
const ERRNO_MASK: i32 = 0xffff;

/// One number for a fault, never 0.
pub(super) fn pack(StartFault { stage, errno }: StartFault) -> i32 {
    (stage as i32) << STAGE_SHIFT | (errno & ERRNO_MASK)
}

/// Takes such a number apart. Stage 0 is what happened before [`Steps::run`].
pub(super) fn unpack(code: i32) -> StartFault {
    let number = usize::try_from(code >> STAGE_SHIFT).unwrap_or(0);
    let stage = Stage::ALL.get(number).copied().unwrap_or(Stage::Fork);
    StartFault {
        stage,
        errno: code & ERRNO_MASK,
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
        .gather()
}

/// The kernel's set of 64 signals, in bytes.
pub(super) const SIGNAL_SET_SIZE: usize = 8;
const SIGNAL_LAST: libc::c_int = 64;

/// No signal ignored and none blocked: children inherit both from whoever started us,
/// `nohup` for example. Handlers go first: what arrives before `exec` would run them, in
/// our memory perhaps, and tell us of signals that were not sent to us.
fn reset_signals(changed: &[libc::c_int]) -> nix::Result<()> {
    let default: Disposition = [0; 16];
    for signal in changed {
        disposition(*signal, default.as_ptr(), ptr::null_mut());
    }
    let (how, none, old) = (libc::SIG_SETMASK, 0_u64, ptr::null_mut::<u64>());
    // SAFETY: as long as the kernel's set.
    let result = unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            how,
            &raw const none,
            old,
            SIGNAL_SET_SIZE,
        )
    };
    Errno::result(result).map(drop)
}

/// The kernel's `sigaction`, whose handler is first; none is longer. All zero is the default.
type Disposition = [u64; 16];

/// Which signals are ignored or have a handler in this program, which changes none of them
/// once it makes processes.
fn changed_signals() -> &'static [libc::c_int] {
    static CHANGED: OnceLock<Box<[libc::c_int]>> = OnceLock::new();
    CHANGED.get_or_init(|| {
        let is_changed = |signal: &libc::c_int| {
            let mut found: Disposition = [0; 16];
            disposition(*signal, ptr::null(), found.as_mut_ptr());
            found[0] as usize != libc::SIG_DFL
        };
        (1..=SIGNAL_LAST).filter(is_changed).gather()
    })
}

/// The bare call: C libraries keep signals 32 to 34 from their callers, and glibc's
/// `posix_spawn` leaves one of them ignored in whatever it starts, us included. Fails for
/// KILL and STOP, which have only one.
fn disposition(signal: libc::c_int, new: *const u64, old: *mut u64) {
    // SAFETY: both are as long as the kernel's, or null.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, new, old, SIGNAL_SET_SIZE) };
}

/// Those of the configuration win over those that we give back.
fn limits(launch: &Launch) -> Vec<(libc::c_int, libc::rlimit64)> {
    let found = boot::found_descriptors().map(|found| libc::rlimit64 {
        rlim_cur: wide(found.rlim_cur),
        rlim_max: wide(found.rlim_max),
    });
    let back = found.map(|limit| (libc::RLIMIT_NOFILE as _, limit));
    let said = launch.limits.iter();
    back.into_iter()
        .chain(said.map(|(what, limit)| raw_limit(*what, *limit)))
        .gather()
}

#[allow(
    clippy::unnecessary_cast,
    clippy::useless_conversion,
    reason = "some C libraries have limits of 32 bits"
)]
fn wide(limit: libc::rlim_t) -> u64 {
    match limit {
        libc::RLIM_INFINITY => libc::RLIM64_INFINITY as u64,
        limit => u64::from(limit),
    }
}

fn raw_limit(what: Resource, limit: Limit) -> (libc::c_int, libc::rlimit64) {
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
    let raw = |value: Option<u64>| value.unwrap_or(libc::RLIM64_INFINITY);
    (
        resource as _,
        libc::rlimit64 {
            rlim_cur: raw(limit.soft),
            rlim_max: raw(limit.hard),
        },
    )
}
