//! A box as `sup doctor` looks at it: facts, read from the files below its root.

use std::fs;
use std::path::{Path, PathBuf};

use super::args::Flags;
use super::platform::{self, Platform};
use super::recipe;
use crate::config;
use crate::model::CheckSpec;
use crate::model::Gather as _;
use crate::model::alert::HOST;
use crate::model::check::Kind;
use crate::model::spec::Spec;
use crate::os::kernel::Version;
use crate::os::mounts::{self, Mount};
use crate::os::place;

/// What there is to know.
pub(super) struct Patient {
    pub(super) root: PathBuf,
    pub(super) platform: &'static Platform,
    pub(super) release: String,
    pub(super) mounts: Vec<Mount>,
    /// The binary.
    pub(super) sup: PathBuf,
    pub(super) config: PathBuf,
    /// Why the configuration cannot be used.
    pub(super) mistakes: Option<String>,
    pub(super) state: PathBuf,
    /// By whose check which path is needed: of a child, or of the box.
    pub(super) needed: Vec<(String, PathBuf)>,
    /// Checks that count lines of output.
    pub(super) counts: Vec<String>,
    /// Whether cron takes a look with `sup --once`.
    pub(super) looks: bool,
    /// Where it should all lie.
    pub(super) home: PathBuf,
}

/// A process, by its name and its arguments.
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) args: Vec<String>,
}

impl Patient {
    pub(super) fn look(flags: &Flags) -> Self {
        let root = recipe::root(flags);
        let platform = platform::detect(&root);
        let home = platform.home(&root);
        let this_box = root == Path::new("/");
        let exe = std::env::current_exe().ok().filter(|_| this_box);
        let config = recipe::config(platform, flags, &root);
        let loaded = config::load(&below(&root, &config));
        // A relative one has the root before it, as the file itself has.
        let inside = |path: &str| {
            let path = Path::new(path);
            Path::new("/").join(path.strip_prefix(&root).unwrap_or(path))
        };
        let spec = loaded.as_ref().ok().map(|loaded| &loaded.spec);
        let state = spec.and_then(|spec| spec.settings.state.as_deref());
        let state = state.map(inside);
        let needed = spec.map_or_else(Vec::new, |spec| needed(spec, inside));
        let counts = spec.map_or_else(Vec::new, counts);
        Self {
            platform,
            release: text(&root, "proc/sys/kernel/osrelease").trim().to_owned(),
            mounts: mounts::parse(&text(&root, "proc/mounts")),
            sup: exe.unwrap_or_else(|| home.join("sup")),
            mistakes: loaded.err().map(|mistakes| mistakes.to_string()),
            state: state.unwrap_or_else(|| place::default_state(&config)),
            looks: platform::looks(&root),
            needed,
            counts,
            config,
            home,
            root,
        }
    }

    /// A file of the box; empty where there is none.
    pub(super) fn text(&self, path: &str) -> String {
        text(&self.root, path)
    }

    /// Where we find what the box calls so.
    pub(super) fn below(&self, path: &Path) -> PathBuf {
        below(&self.root, path)
    }

    pub(super) fn kernel(&self) -> Version {
        Version::parse(&self.release)
    }

    pub(super) fn mount(&self, path: &Path) -> Option<&Mount> {
        mounts::of(&self.mounts, path)
    }

    /// From what the kernel tells each program at its start (`AT_PAGESZ`, getauxval(3)).
    pub(super) fn page_size(&self) -> Option<usize> {
        const AT_PAGESZ: usize = 6;
        const WORD: usize = size_of::<usize>();
        let bytes = fs::read(self.root.join("proc/self/auxv")).ok()?;
        let word = |bytes: &[u8]| Some(usize::from_ne_bytes(bytes.try_into().ok()?));
        let mut pairs = bytes.chunks_exact(2 * WORD);
        let found = pairs.find(|pair| word(&pair[..WORD]) == Some(AT_PAGESZ))?;
        word(&found[WORD..])
    }

    /// The wall clock in seconds since 1970: when it was booted, and how long ago.
    pub(super) fn wall(&self) -> Option<u64> {
        let stat = self.text("proc/stat");
        let booted = stat.lines().find_map(|line| line.strip_prefix("btime "))?;
        let uptime = self.text("proc/uptime");
        let seconds = uptime.split('.').next()?.parse::<u64>().ok()?;
        Some(booted.trim().parse::<u64>().ok()? + seconds)
    }

    /// Memory in KiB: what programs can still have, and all.
    pub(super) fn memory(&self) -> Option<(u64, u64)> {
        let text = self.text("proc/meminfo");
        let value = |key: &str| {
            let mut rows = text.lines().filter_map(|line| line.split_once(':'));
            let (_, value) = rows.find(|(name, _)| *name == key)?;
            value.split_whitespace().next()?.parse::<u64>().ok()
        };
        // MemAvailable came with Linux 3.14.
        let sum = || Some(value("MemFree")? + value("Buffers")? + value("Cached")?);
        Some((value("MemAvailable").or_else(sum)?, value("MemTotal")?))
    }

    pub(super) fn processes(&self) -> Vec<Process> {
        let Ok(entries) = fs::read_dir(self.root.join("proc")) else {
            return Vec::new();
        };
        let process = |entry: fs::DirEntry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            let args = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let args = String::from_utf8_lossy(&args);
            Some(Process {
                pid,
                name: name.trim().to_owned(),
                args: args.split_terminator('\0').map(str::to_owned).gather(),
            })
        };
        let mut all: Vec<Process> = entries.flatten().filter_map(process).gather();
        all.sort_by_key(|process| process.pid);
        all
    }
}

/// All checks, and whose they are.
fn checks(spec: &Spec) -> impl Iterator<Item = (&str, &CheckSpec)> {
    let of_box = spec.settings.checks.iter().map(|check| (HOST, check));
    let templates = spec.tree.groups.iter();
    let templates = templates.filter_map(|group| Some(&group.template.as_ref()?.child));
    let children = spec.tree.children.iter().chain(templates);
    let of_children = children.flat_map(|child| {
        let checks = child.life.checks.iter();
        checks.map(|check| (&*child.name, check))
    });
    of_box.chain(of_children)
}

fn counts(spec: &Spec) -> Vec<String> {
    let counts = checks(spec).filter(|(_, check)| matches!(check.kind, Kind::Log { .. }));
    counts
        .map(|(whose, check)| format!("{} of {whose}", check.name))
        .gather()
}

/// What checks need to be there.
fn needed(spec: &Spec, inside: impl Fn(&str) -> PathBuf) -> Vec<(String, PathBuf)> {
    let needed = checks(spec).filter_map(|(whose, check)| {
        let path = match &check.kind {
            Kind::Exec { command, .. } => command.first()?.to_str().ok()?,
            Kind::Disk { path, .. } => path,
            Kind::Tcp { .. }
            | Kind::Http { .. }
            | Kind::File { .. }
            | Kind::Memory { .. }
            | Kind::Process
            | Kind::Log { .. } => return None,
        };
        // What has no path is sought where the child's PATH says.
        let is_path = path.starts_with('/');
        is_path.then(|| (format!("{} of {whose}", check.name), inside(path)))
    });
    needed.gather()
}

fn text(root: &Path, path: &str) -> String {
    fs::read_to_string(root.join(path)).unwrap_or_default()
}

fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}
