//! The tree beside the table: names behind branches, each below its group.

use std::io::IsTerminal;

use crate::model::Gather as _;
use crate::model::standing::Row;

/// What branches are drawn with.
#[derive(Clone, Copy)]
pub(super) enum Pen {
    /// `├─`, on a terminal that knows it.
    Lines,
    /// `|-`, on one that does not.
    Ascii,
    /// Two spaces a level, for programs: the first word of a row is its name.
    Spaces,
}

impl Pen {
    /// That for standard output.
    pub(super) fn fitting() -> Self {
        if !std::io::stdout().is_terminal() {
            return Self::Spaces;
        }
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .filter_map(std::env::var_os)
            .find(|value| !value.is_empty());
        let locale = locale
            .unwrap_or_default()
            .to_string_lossy()
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Self::Lines
        } else {
            Self::Ascii
        }
    }

    /// A level further up: whether more of it follows below.
    fn above(self, goes_on: bool) -> &'static str {
        match (self, goes_on) {
            (Self::Lines, true) => "│  ",
            (Self::Ascii, true) => "|  ",
            (Self::Lines | Self::Ascii, false) => "   ",
            (Self::Spaces, _) => "  ",
        }
    }

    /// The row's own level.
    fn branch(self, goes_on: bool) -> &'static str {
        match (self, goes_on) {
            (Self::Lines, true) => "├─ ",
            (Self::Lines, false) => "└─ ",
            (Self::Ascii, true) => "|- ",
            (Self::Ascii, false) => "`- ",
            (Self::Spaces, _) => "  ",
        }
    }
}

/// The name of each row, behind its branches.
pub(super) fn names(rows: &[Row], pen: Pen) -> Vec<String> {
    let mut names: Vec<String> = Vec::with_capacity(rows.len());
    // Whether a level goes on below; that of the first rows has no branches.
    let mut goes_on = Vec::new();
    // From the bottom: whether a branch is the last one is known before it is drawn.
    for (row, level) in rows.iter().zip(levels(rows)).rev() {
        goes_on.resize(level + 1, false);
        let own = std::mem::replace(&mut goes_on[level], true);
        let mut name = String::new();
        for above in goes_on[..level].iter().skip(1) {
            name += pen.above(*above);
        }
        if level > 0 {
            name += pen.branch(own);
        }
        name += row.name();
        names.push(name);
    }
    names.reverse();
    names
}

/// How deep each row stands below the rows before it: what was asked for by name begins
/// at the left, however deep it is in the tree.
fn levels(rows: &[Row]) -> Vec<usize> {
    let mut open: Vec<&str> = Vec::new();
    let levels = rows.iter().map(|row| {
        while open.last().is_some_and(|group| row.parent() != Some(group)) {
            open.pop();
        }
        let level = open.len();
        if let Row::Group(group) = row {
            open.push(&group.name);
        }
        level
    });
    levels.gather()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::standing::samples::{group, tree};

    fn drawn(rows: &[Row], pen: Pen) -> String {
        names(rows, pen).join("\n")
    }

    #[test]
    fn a_branch_goes_on_as_long_as_members_follow() {
        let wanted = "\
stranger
pipeline
├─ database
├─ collector
├─ workers
│  ├─ workers/1
│  └─ workers/2
└─ dashboard
last";
        assert_eq!(drawn(&tree(), Pen::Lines), wanted);
    }

    #[test]
    fn terminals_without_lines_and_programs_see_the_same_tree() {
        let rows = tree();
        let ascii = "pipeline\n|- database\n|- collector\n|- workers\n|  |- workers/1\n|  `- workers/2\n`- dashboard";
        assert_eq!(drawn(&rows[1..8], Pen::Ascii), ascii);
        let spaces = "pipeline\n  database\n  collector\n  workers\n    workers/1\n    workers/2\n  dashboard";
        assert_eq!(drawn(&rows[1..8], Pen::Spaces), spaces);
    }

    #[test]
    fn what_is_asked_for_by_name_begins_at_the_left() {
        let rows = tree();
        assert_eq!(drawn(&rows[3..4], Pen::Lines), "collector");
        let workers = "workers\n├─ workers/1\n└─ workers/2";
        assert_eq!(drawn(&rows[4..7], Pen::Lines), workers);
        // `sup status workers/2 workers database`
        let mut mixed = tree();
        mixed.rotate_left(6);
        mixed.truncate(1);
        mixed.extend(tree().drain(4..7));
        mixed.extend(tree().drain(2..3));
        let wanted = "workers/2\nworkers\n├─ workers/1\n└─ workers/2\ndatabase";
        assert_eq!(drawn(&mixed, Pen::Lines), wanted);
    }

    #[test]
    fn the_root_has_everything_below_it() {
        let mut rows = vec![Row::Group(group("root", None, "one-for-one"))];
        rows.extend(tree().drain(6..));
        rows.remove(1);
        rows.remove(1);
        assert_eq!(drawn(&rows, Pen::Lines), "root\n└─ last");
    }
}
