//! TOML to specifications, every mistake at once.
//!
//! ```text
//!   load   a file and its includes --+
//!                                    +--> scan, raw   tables that know their lines
//!   parse  a text -------------------+        |
//!                                             v
//!   keys   which keys there are ---->  read, child, launch, rlimit, life, budget, group
//!                                             |       tables to specs, by at and value
//!                                             v
//!   Spec, or all Mistakes  <----------  names, nest, cycles, check, warnings
//!                                                     what no table can see alone
//! ```
//!
//! Reading never stops at the first mistake: each is written down with its file, line
//! and key, with what is allowed there, and all of them come back together. Where a file
//! has syntax errors, what can still be read of it is checked too; only what seems to be
//! missing is then not complained of.
//!
//! `state` and `runtime` stay `None` where the configuration does not name them: the
//! daemon knows the box and chooses. Children and groups come in the order of the file,
//! those of included files after them.

mod alert;
mod at;
mod budget;
mod check;
mod child;
mod cycles;
pub mod env_file;
mod group;
mod health;
pub mod keys;
mod launch;
mod life;
mod load;
mod mistake;
mod names;
mod nest;
mod peek;
mod place;
mod raw;
mod read;
mod rlimit;
mod scan;
mod suggest;
mod tree;
mod value;
mod warnings;

use std::path::{Path, PathBuf};

use crate::model::spec::Spec;

pub use mistake::{MISTAKES_MAX, Mistake, Mistakes};
pub use peek::runtime_of;
pub use value::duration;

/// A configuration that can be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// What it says.
    pub spec: Spec,
    /// The files that it was read from, the main one first.
    pub files: Vec<PathBuf>,
    /// What is allowed and yet hardly meant.
    pub warnings: Vec<Mistake>,
}

/// Reads a configuration file and everything that it includes.
///
/// # Errors
///
/// Every mistake that was found.
pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
    let notes = mistake::Notes::default();
    let (gathered, files) = load::Loader::new(&notes).run(path);
    finish(gathered, files, &path.to_string_lossy(), notes)
}

/// Reads a configuration from a text that `name` stands for. Relative paths in it start
/// from the folder of `name`; an `include` is a mistake, as there is no disk here.
///
/// # Errors
///
/// Every mistake that was found.
pub fn parse(text: &str, name: &str) -> Result<Loaded, Mistakes> {
    let notes = mistake::Notes::default();
    let folder = Path::new(name).parent().unwrap_or(Path::new(""));
    let mut gathered = read::Gathered::default();
    {
        let (page, table) = raw::Page::parse(name, folder, text, &notes);
        for include in gathered.read(&page, &table, None) {
            let hint = "read it from a file";
            page.mistake(
                include.line,
                "include",
                "only a file can include others",
                hint,
            );
        }
    }
    finish(gathered, vec![PathBuf::from(name)], name, notes)
}

fn finish(
    mut gathered: read::Gathered,
    files: Vec<PathBuf>,
    main: &str,
    notes: mistake::Notes,
) -> Result<Loaded, Mistakes> {
    let names = names::Names::of(&gathered, &notes);
    nest::settle(&mut gathered, &names, &notes);
    check::all(&gathered, &names, main, &notes);
    alert::check(&mut gathered, &names, &notes);
    cycles::all(&gathered, &notes);
    if notes.is_clean() {
        warnings::all(&gathered, &names, &notes);
    }
    let warnings = notes.close()?;
    Ok(Loaded {
        spec: gathered.finish(),
        files,
        warnings,
    })
}

/// The candidate that was probably meant by a name that nobody has.
#[must_use]
pub fn nearest<'a>(written: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    suggest::closest(written, candidates)
}
