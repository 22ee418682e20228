//! A life as it was recorded, and the same life once more: `sup run --journal FILE`
//! writes down what policy was told and what it decided, `sup replay FILE` tells a policy
//! the same and says where it decides otherwise.
//!
//! ```text
//!   journal version=1 sup=0.1.0 boot=0f1e… at=100.000 seed=7 shutdown-timeout=20.000 tree=2
//!   child media launch=1 ready=started output=pipe …          the tree, one line each
//!   group root strategy=one-for-one members=media …
//!   memory 0141…                                              as the state file has it
//!   handover 01a4…                                            what the program before was doing
//!   adopted media#3 pid 4711 at 99.120                        runs of the sup before
//!   decided books#2 waits until 160.000                       what it decided after others
//!   100.000 tick -> spawn media#4; due 160.000 save           an event, and what followed
//!   104.250 reload shutdown-timeout=20.000 tree=2             with the new tree below
//!   107.001 scale workers count 4 -> come 3,4; go
//!   # a remark
//! ```
//!
//! Times are seconds since boot. A journal goes on where sup is started again: the next
//! life begins with the next `journal` line. How a child is launched is not in it, only
//! a number that grows when that changes: commands and environments hold secrets, and
//! policy asks no more of them. (An instance whose launch is the same before and after
//! its template was changed is the one case that this cannot tell.)

mod grown;
mod parse;
mod play;
mod read;
mod scribe;
mod told;
mod tree;
mod words;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use crate::model::limits::JOURNAL_MAX;
use crate::model::{ChildId, GroupId, Member};
use crate::policy::Supervisor;

pub use parse::{Journal, Mistake};
pub use play::play;
pub use scribe::{Scribe, adopted, decided, following, handed_over, happening, scale};
pub use told::{Summary, Telling};

/// The form of the lines. A change that this sup could not play is a new number.
const VERSION: u32 = 1;

/// What a sup writes behind a line that the one before it had no time to end.
pub const CUT: &str = " [cut]\n";

/// The text of a journal. What is not UTF-8 in it becomes a mistake of its line.
///
/// # Errors
/// It cannot be read, or is longer than any that was recorded.
pub fn load(path: &Path) -> io::Result<String> {
    // The last words stand behind the bound.
    let most = JOURNAL_MAX + (1 << 20);
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    (&file).take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other("it is too long for a journal"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Who is meant by a name.
trait Lookup {
    fn child_by(&self, name: &str) -> Option<ChildId>;
    fn group_by(&self, name: &str) -> Option<GroupId>;
    fn member_by(&self, name: &str) -> Option<Member>;
}

/// A child that is leaving has its name still, and one that has left may be spoken of by
/// its place: `@3`.
impl Lookup for Supervisor {
    fn child_by(&self, name: &str) -> Option<ChildId> {
        let mut places = (0..u16::MAX).map(ChildId).take(self.places());
        if let Some(place) = name.strip_prefix('@') {
            let place: u16 = place.parse().ok()?;
            return places.find(|id| id.0 == place);
        }
        self.find(name)
            .or_else(|| places.find(|&id| *self.spec(id).name == *name))
    }

    fn group_by(&self, name: &str) -> Option<GroupId> {
        self.find_group(name)
    }

    fn member_by(&self, name: &str) -> Option<Member> {
        let child = || self.child_by(name).map(Member::Child);
        self.find_member(name).or_else(child)
    }
}

/// Everybody is known: to see whether a line can be read at all.
struct Anybody;

impl Lookup for Anybody {
    fn child_by(&self, _: &str) -> Option<ChildId> {
        Some(ChildId(0))
    }

    fn group_by(&self, _: &str) -> Option<GroupId> {
        Some(GroupId::ROOT)
    }

    fn member_by(&self, _: &str) -> Option<Member> {
        Some(Member::Group(GroupId::ROOT))
    }
}
