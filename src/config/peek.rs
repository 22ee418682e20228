//! One key of a configuration that may be wrong everywhere else.

use std::path::{Path, PathBuf};

use super::tree;

use crate::model::Gather as _;
use crate::model::limits::CONFIG_SIZE_MAX;

/// The runtime directory that a configuration names, if it does: what leads a person to
/// the sup that runs, even where the file has mistakes by now.
#[must_use]
pub fn runtime_of(path: &Path) -> Option<PathBuf> {
    if let Ok(loaded) = super::load(path) {
        return loaded.spec.settings.runtime.as_deref().map(PathBuf::from);
    }
    let size = std::fs::metadata(path)
        .ok()
        .filter(std::fs::Metadata::is_file)?
        .len();
    let text = (size <= CONFIG_SIZE_MAX)
        .then(|| std::fs::read_to_string(path).ok())
        .flatten()?;
    // Only the top of the file: what stands behind the first table is not ours to read.
    let top: String = text
        .lines()
        .take_while(|line| !line.starts_with('['))
        .flat_map(|line| [line, "\n"])
        .gather();
    let table = tree::parse(&top, &mut ());
    let named = table.entries.get("runtime")?.value.as_str()?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    Some(folder.join(named))
}
