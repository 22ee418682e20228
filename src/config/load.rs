//! Files: the main one, and what it includes. The only place here that reads a disk.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

use crate::model::Gather as _;
use crate::model::limits::{CONFIG_SIZE_MAX, INCLUDES_MAX};

use super::mistake::{Mistake, Notes};
use super::raw::Page;
use super::read::{Gathered, Include};

/// Why a file is not read: what is wrong, and what to do.
type Refusal = (String, String);

/// A file that has been read, or is about to be.
struct Source {
    path: PathBuf,
    /// Device and inode, which two names can share.
    id: (u64, u64),
    /// Who includes it, by place in [`Loader::sources`].
    by: Option<usize>,
}

/// A file that waits to be read.
struct Wanted {
    path: PathBuf,
    /// Who includes it, and on which line.
    by: Option<(usize, u32)>,
}

/// Reads a configuration file and everything that it includes.
pub(super) struct Loader<'a> {
    notes: &'a Notes,
    gathered: Gathered,
    sources: Vec<Source>,
    bytes_left: u64,
}

impl<'a> Loader<'a> {
    pub(super) fn new(notes: &'a Notes) -> Self {
        Self {
            notes,
            gathered: Gathered::default(),
            sources: Vec::new(),
            bytes_left: CONFIG_SIZE_MAX,
        }
    }

    /// Everything that the files say, and the files.
    pub(super) fn run(mut self, main: &Path) -> (Gathered, Vec<PathBuf>) {
        let mut wanted = vec![Wanted {
            path: main.to_owned(),
            by: None,
        }];
        while let Some(next) = wanted.pop() {
            if self.sources.len() > INCLUDES_MAX {
                let problem = format!("more than {INCLUDES_MAX} files are included");
                self.refuse(&next, (problem, "join some of them".to_owned()));
                break;
            }
            match self.visit(&next) {
                Ok(included) => wanted.extend(included.into_iter().rev()),
                Err(refusal) => self.refuse(&next, refusal),
            }
        }
        let files = self.sources.into_iter().map(|source| source.path);
        (self.gathered, files.gather())
    }

    /// Reads one file; comes back with the files that it includes.
    fn visit(&mut self, wanted: &Wanted) -> Result<Vec<Wanted>, Refusal> {
        let (mut file, facts) = open(&wanted.path)?;
        let by = wanted.by.map(|(by, _)| by);
        self.once(&wanted.path, id(&facts), by)?;
        let place = self.sources.len();
        self.sources.push(Source {
            path: wanted.path.clone(),
            id: id(&facts),
            by,
        });
        let name = wanted.path.to_string_lossy();
        self.trust(&wanted.path, &facts)?;
        let text = self.text(&mut file, &facts)?;
        let whole = std::path::absolute(&wanted.path).map_err(|error| refusal(&error))?;
        let folder = whole.parent().unwrap_or(&whole);
        let (page, table) = Page::parse(&name, folder, &text, self.notes);
        let main = self.sources[0].path.to_string_lossy();
        let includes = self.gathered.read(&page, &table, by.map(|_| &*main));
        let mut found = Vec::new();
        for include in includes {
            for path in files(&page, &wanted.path, &include) {
                let by = Some((place, include.line));
                found.push(Wanted { path, by });
            }
        }
        Ok(found)
    }

    /// Refuses a file that has been read before: that is a cycle, or everything in it twice.
    fn once(&self, path: &Path, id: (u64, u64), by: Option<usize>) -> Result<(), Refusal> {
        let mut chain = vec![path.display().to_string()];
        let mut above = by;
        while let Some(source) = above.and_then(|place| self.sources.get(place)) {
            chain.push(source.path.display().to_string());
            if source.id == id {
                chain.reverse();
                let problem = format!("files include each other: {}", chain.join(" -> "));
                return Err((problem, "take one of these includes out".to_owned()));
            }
            above = source.by;
        }
        match self.sources.iter().any(|source| source.id == id) {
            true => Err((
                format!("{} is included a second time", path.display()),
                "include it once".to_owned(),
            )),
            false => Ok(()),
        }
    }

    /// Root runs what the configuration says: nobody else may write it.
    fn trust(&self, path: &Path, facts: &Metadata) -> Result<(), Refusal> {
        let path = path.display();
        let for_all = facts.mode() & 0o002 != 0;
        let chmod = format!("type: chmod o-w {path}");
        if !geteuid().is_root() {
            if for_all {
                self.notes.warning(Mistake {
                    file: path.to_string().into(),
                    line: 0,
                    key: "".into(),
                    problem: "everybody can write it, and sup runs what it says".into(),
                    hint: chmod.into(),
                });
            }
            return Ok(());
        }
        if for_all {
            let problem = "everybody can write it, and sup runs what it says as root";
            return Err((problem.to_owned(), chmod));
        }
        if facts.uid() != 0 {
            let problem = format!(
                "it belongs to user {}, and sup runs what it says as root",
                facts.uid()
            );
            return Err((problem, format!("type: chown root {path}")));
        }
        Ok(())
    }

    /// The file's text, no more of it than may still be read.
    fn text(&mut self, file: &mut File, facts: &Metadata) -> Result<String, Refusal> {
        let too_large = || {
            let mib = CONFIG_SIZE_MAX >> 20;
            let problem = format!("the configuration is larger than {mib} MiB");
            (problem, "is this the right file?".to_owned())
        };
        if facts.len() > self.bytes_left {
            return Err(too_large());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(facts.len()).unwrap_or(0));
        let read = file.take(self.bytes_left + 1).read_to_end(&mut bytes);
        read.map_err(|error| refusal(&error))?;
        let Some(left) = self.bytes_left.checked_sub(bytes.len() as u64) else {
            return Err(too_large());
        };
        self.bytes_left = left;
        String::from_utf8(bytes).map_err(|error| not_utf8(error.as_bytes(), error.utf8_error()))
    }

    /// Writes down that a file is not read, where it was asked for.
    fn refuse(&mut self, wanted: &Wanted, (problem, hint): Refusal) {
        self.gathered.is_incomplete = true;
        let name = wanted.path.to_string_lossy();
        let (file, line, key, problem) = match wanted.by {
            None => (name, 0, "", problem),
            Some((by, line)) => (
                self.sources[by].path.to_string_lossy(),
                line,
                "include",
                format!("{name}: {problem}"),
            ),
        };
        self.notes.mistake(Mistake {
            file: file.into(),
            line,
            key: key.into(),
            problem: problem.into(),
            hint: hint.into(),
        });
    }
}

/// Opens a regular file, and nothing that could make us wait or do something.
fn open(path: &Path) -> Result<(File, Metadata), Refusal> {
    // Looked at before it is opened: opening a device can have effects, a tape rewinds.
    regular(path, &fs::metadata(path).map_err(|error| refusal(&error))?)?;
    let file = OpenOptions::new()
        .read(true)
        // It may have become a pipe since.
        .custom_flags((OFlag::O_NONBLOCK | OFlag::O_NOCTTY).bits())
        .open(path)
        .map_err(|error| refusal(&error))?;
    let facts = file.metadata().map_err(|error| refusal(&error))?;
    regular(path, &facts)?;
    Ok((file, facts))
}

fn regular(path: &Path, facts: &Metadata) -> Result<(), Refusal> {
    if facts.is_dir() {
        let all = path.join("*.toml");
        let hint = format!(
            "to take all files in it write include = \"{}\"",
            all.display()
        );
        return Err(("is a folder, not a file".to_owned(), hint));
    }
    if !facts.is_file() {
        let hint = "a configuration is read from regular files only";
        return Err(("is not a regular file".to_owned(), hint.to_owned()));
    }
    Ok(())
}

fn id(facts: &Metadata) -> (u64, u64) {
    (facts.dev(), facts.ino())
}

fn refusal(error: &io::Error) -> Refusal {
    let words = error.to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    (format!("cannot be read: {words}"), String::new())
}

fn not_utf8(bytes: &[u8], error: std::str::Utf8Error) -> Refusal {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        let hint = "save it as UTF-8 in the editor";
        return ("is UTF-16, not UTF-8".to_owned(), hint.to_owned());
    }
    let before = &bytes[..error.valid_up_to()];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let byte = bytes.get(before.len()).copied().unwrap_or(0);
    let place = before.len() + 1;
    (
        format!("is not UTF-8: byte 0x{byte:02x} on line {line} (byte {place} of the file)"),
        "save it as UTF-8; is this the right file?".to_owned(),
    )
}

/// The files that one `include` names, sorted.
fn files(page: &Page, including: &Path, include: &Include) -> Vec<PathBuf> {
    let folder = including.parent().unwrap_or(Path::new(""));
    let path = folder.join(&include.path);
    let star = include.path.split_once('*');
    let (Some((_, after)), Some(folder)) = (star, path.parent()) else {
        return vec![path];
    };
    let mistake = |problem: &str, hint: &str| page.mistake(include.line, "include", problem, hint);
    if after.contains(['*', '/']) {
        mistake(
            "one * in the last part of a path is all that is understood",
            "write \"folder/*.toml\"",
        );
        return Vec::new();
    }
    let last = path.file_name().unwrap_or_default().to_string_lossy();
    let (head, tail) = last.split_once('*').unwrap_or((&last, ""));
    let found = match matches(folder, head, tail) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => {
            mistake(&format!("{}: {}", folder.display(), refusal(&error).0), "");
            return Vec::new();
        }
    };
    let mut found: Vec<PathBuf> = found.into_iter().filter(|path| path != including).gather();
    // Of one folder: their bytes say the order that their parts would.
    found.sort_by(|one, other| one.as_os_str().cmp(other.as_os_str()));
    if found.is_empty() {
        page.warning(
            include.line,
            "include",
            &format!("no file is like {}", path.display()),
            "",
        );
    }
    found
}

/// The files of a folder whose names begin and end so; hidden ones are none of them.
fn matches(folder: &Path, head: &str, tail: &str) -> io::Result<Vec<PathBuf>> {
    let readable = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let mut found = Vec::new();
    for entry in fs::read_dir(readable)? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        let is_long_enough = text.len() >= head.len() + tail.len();
        if is_long_enough
            && text.starts_with(head)
            && text.ends_with(tail)
            && !text.starts_with('.')
        {
            found.push(folder.join(&name));
        }
    }
    Ok(found)
}
