//! Who stands with whom: groups of children and of groups, as OTP's supervisors.

use alloc::boxed::Box;
use alloc::ffi::CString;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::spec::{Backoff, Budget, ChildSpec, Life, LogSpec, RestartPolicy, Watchdog};

use crate::model::Gather as _;

/// What stands for an instance's number in its template.
pub const INSTANCE: &str = "{instance}";

/// The name of the group of everything that is in no other group.
pub const ROOT: &str = "root";

/// Everything that is supervised.
#[derive(Clone, Debug, PartialEq)]
pub struct Tree {
    /// The children, in the order of the file; those of templates are not among them.
    pub children: Box<[ChildSpec]>,
    /// The group of everything that is in no other group. Its members are listed too.
    pub root: GroupSpec,
    /// All other groups, in the order of the file.
    pub groups: Box<[GroupSpec]>,
}

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    /// Its name, of the same letters as a child's, and no child's name.
    pub name: Box<str>,
    /// Who shares the fate of a member that fails.
    pub strategy: Strategy,
    /// Names of children and groups, in start order. Empty where there is a template.
    pub members: Box<[Box<str>]>,
    /// What its members are made from: [`Strategy::SimpleOneForOne`] only.
    pub template: Option<Template>,
    /// Whether it starts with its parent, before anybody has said anything.
    pub autostart: bool,
    /// How many restarts of members, all together, are too many. `None`, for the root
    /// only: they are not counted, and a member that escalates is one too many.
    pub budget: Option<Budget>,
    /// How long its parent waits before it starts it again.
    pub backoff: Backoff,
    /// Whether its parent starts it again: after a failure, always, or not at all.
    pub restart: RestartPolicy,
    /// Whether its parent counts it for its [`AutoShutdown`].
    pub significant: bool,
    /// Whether it ends when members that matter have ended.
    pub auto_shutdown: AutoShutdown,
}

/// Who shares the fate of a member that fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Nobody.
    #[default]
    OneForOne,
    /// All.
    OneForAll,
    /// Those that stand behind it.
    RestForOne,
    /// Nobody; the members are instances of one template.
    SimpleOneForOne,
}

impl Strategy {
    /// The names in a configuration.
    pub const NAMES: [(&'static str, Self); 4] = [
        ("one-for-one", Self::OneForOne),
        ("one-for-all", Self::OneForAll),
        ("rest-for-one", Self::RestForOne),
        ("simple-one-for-one", Self::SimpleOneForOne),
    ];

    /// Its name in [`Self::NAMES`].
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::NAMES
            .iter()
            .find(|(_, strategy)| *strategy == self)
            .map_or("", |(name, _)| name)
    }
}

/// Whether a group ends by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoShutdown {
    /// It does not.
    #[default]
    Never,
    /// When one significant member has ended by itself, for good.
    AnySignificant,
    /// When all significant members have ended by themselves, for good.
    AllSignificant,
}

impl AutoShutdown {
    /// The names in a configuration.
    pub const NAMES: [(&'static str, Self); 3] = [
        ("never", Self::Never),
        ("any-significant", Self::AnySignificant),
        ("all-significant", Self::AllSignificant),
    ];
}

/// What the members of a group are made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// Their specification; its name is the group's.
    pub child: ChildSpec,
    /// How many there are, until somebody says otherwise.
    pub count: u16,
}

impl Template {
    /// Instance `number`: named `GROUP/NUMBER`, with the number in place of every
    /// [`INSTANCE`] in command, directory, environment, files and checks.
    #[must_use]
    pub fn instance(&self, number: u16) -> ChildSpec {
        let number = format!("{number}");
        let mut child = self.child.clone();
        child.name = format!("{}/{number}", child.name).into();
        let launch = &mut child.launch;
        for word in &mut launch.command {
            *word = fill_word(word, &number);
        }
        for text in launch.dir.iter_mut().chain(&mut launch.env_files) {
            *text = fill(text, &number);
        }
        for (_, value) in &mut launch.env {
            *value = fill(value, &number);
        }
        if let LogSpec::File(file) = &mut child.log {
            file.path = fill(&file.path, &number);
        }
        if child.life.has_texts() {
            child.life.fill(&number);
        }
        child
    }
}

impl Life {
    /// Whether there is anything in which an instance could have its number.
    fn has_texts(&self) -> bool {
        !self.wait_path.is_empty() || !self.checks.is_empty() || self.watchdog.is_some()
    }

    fn fill(&mut self, number: &str) {
        for text in &mut self.wait_path {
            *text = fill(text, number);
        }
        for check in &mut self.checks {
            check.fill(number);
        }
        if let Some(Watchdog {
            file: Some(path), ..
        }) = &mut self.watchdog
        {
            *path = fill(path, number);
        }
    }
}

pub(super) fn fill(text: &str, number: &str) -> Box<str> {
    text.replace(INSTANCE, number).into()
}

pub(super) fn fill_word(word: &CString, number: &str) -> CString {
    let (mut filled, mut rest) = (Vec::new(), word.as_bytes());
    while let Some(at) = rest
        .windows(INSTANCE.len())
        .position(|window| window == INSTANCE.as_bytes())
    {
        filled.extend_from_slice(&rest[..at]);
        filled.extend_from_slice(number.as_bytes());
        rest = &rest[at + INSTANCE.len()..];
    }
    filled.extend_from_slice(rest);
    CString::new(filled).unwrap_or_else(|_| word.clone()) // Digits hold no NUL.
}

/// A child's name as a file's: the `/` of an instance becomes an `@`, which no name has.
#[must_use]
pub fn file_name(child: &str) -> String {
    child.replace('/', "@")
}

impl GroupSpec {
    /// A group of these members, one for one.
    #[must_use]
    pub fn new(name: &str, members: Box<[Box<str>]>) -> Self {
        Self {
            name: name.into(),
            strategy: Strategy::OneForOne,
            members,
            template: None,
            autostart: true,
            budget: Some(Budget::default()),
            backoff: Backoff::default(),
            restart: RestartPolicy::OnFailure,
            significant: false,
            auto_shutdown: AutoShutdown::Never,
        }
    }

    /// The group of everything, where nothing else is said of it.
    #[must_use]
    pub fn root(members: Box<[Box<str>]>) -> Self {
        Self {
            budget: None,
            ..Self::new(ROOT, members)
        }
    }

    /// Whether two say the same. Members that nobody has named do not count: instances of
    /// a template, and what the root has.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let bare = |spec: &Self| Self {
            members: if spec.template.is_some() || &*spec.name == ROOT {
                Box::default()
            } else {
                spec.members.clone()
            },
            ..spec.clone()
        };
        bare(self) == bare(other)
    }

    /// Whether its members start one after the other, and end the other way round. The
    /// members of a one-for-one root are strangers to each other, instances are alike.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        match self.strategy {
            Strategy::OneForOne => &*self.name != ROOT,
            Strategy::OneForAll | Strategy::RestForOne => true,
            Strategy::SimpleOneForOne => false,
        }
    }
}

impl Tree {
    /// The root and all other groups.
    pub fn all_groups(&self) -> impl Iterator<Item = &GroupSpec> {
        core::iter::once(&self.root).chain(&self.groups)
    }
}

impl From<Vec<ChildSpec>> for Tree {
    /// These children, and no groups.
    fn from(children: Vec<ChildSpec>) -> Self {
        Self {
            root: GroupSpec::root(children.iter().map(|child| child.name.clone()).gather()),
            children: children.into(),
            groups: Box::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::spec::{Launch, LogFile};

    #[test]
    fn an_instance_has_its_number_wherever_the_template_asks_for_it() {
        let word = |text: &str| CString::new(text).unwrap();
        let launch = Launch {
            command: Box::new([word("w"), word("--id={instance}/{instance}"), word("{x}")]),
            dir: Some("/srv/{instance}".into()),
            env: Box::new([("N".into(), "{instance}".into())]),
            env_files: Box::new(["/etc/w{instance}.env".into()]),
            ..Launch::default()
        };
        let log = LogSpec::File(LogFile {
            path: "/log/{instance}.log".into(),
            max_size: 1,
            keep: 1,
            timestamps: false,
        });
        let child = ChildSpec {
            name: "workers".into(),
            launch,
            log,
            life: Life {
                wait_path: Box::new(["/mnt/{instance}".into()]),
                watchdog: Some(Watchdog {
                    file: Some("/tmp/{instance}.beat".into()),
                    within: core::time::Duration::from_secs(9),
                }),
                ..Life::default()
            }
            .into(),
        };
        let third = Template { child, count: 4 }.instance(3);
        assert_eq!(&*third.name, "workers/3");
        assert_eq!(file_name(&third.name), "workers@3");
        let words: Vec<_> = third
            .launch
            .command
            .iter()
            .map(|word| word.to_str())
            .collect();
        assert_eq!(words, [Ok("w"), Ok("--id=3/3"), Ok("{x}")]);
        assert_eq!(third.launch.dir.as_deref(), Some("/srv/3"));
        assert_eq!(&*third.launch.env[0].1, "3");
        assert_eq!(&*third.launch.env_files[0], "/etc/w3.env");
        assert_eq!(&*third.life.wait_path[0], "/mnt/3");
        let beat = third
            .life
            .watchdog
            .clone()
            .and_then(|watchdog| watchdog.file);
        assert_eq!(beat.as_deref(), Some("/tmp/3.beat"));
        let LogSpec::File(file) = third.log else {
            panic!()
        };
        assert_eq!(&*file.path, "/log/3.log");
    }
}
