//! Events, actions and deadlines in words that stay: a journal is read by later sups.

use core::time::Duration;

use super::Lookup;
use crate::model::Gather as _;
use crate::model::order::{GroupEnd, GroupNotice, ScaleTo, StopWhy};
use crate::model::words::Names;
use crate::model::{
    CheckId, ChildId, Exit, GroupId, Health, Member, Notice, Order, RunId, Signal, Stage, Timeout,
    Uptime,
};
use crate::policy::{Action, Alarm, Answer, Due, Event, Reach, ScaleFault, Supervisor};

/// Whose the checks of the box are. No child is called so.
pub(super) const HOST: &str = "@host";

/// In the order of [`Stage::ALL`].
pub(super) const STAGES: [&str; Stage::ALL.len()] = [
    "fork",
    "env-file",
    "user",
    "output",
    "session",
    "signals",
    "limits",
    "nice",
    "identity",
    "directory",
    "descriptors",
    "privileges",
    "exec",
];

pub(super) fn moment(at: Uptime) -> String {
    let millis = at.as_millis();
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

pub(super) fn span(span: Duration) -> String {
    format!("{}.{:03}", span.as_secs(), span.subsec_millis())
}

/// `SIGTERM`, and `SIG40` for one that has no name.
pub(super) fn signal(signal: Signal) -> String {
    match signal.name() {
        Some(name) => format!("SIG{name}"),
        None => format!("SIG{}", signal.0),
    }
}

pub(super) fn exit(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("code {code}"),
        Exit::Signal { signal: by, core } => {
            format!("{}{}", signal(by), if core { " core" } else { "" })
        }
        Exit::Vanished => "vanished".to_owned(),
        Exit::StartFault(fault) => {
            format!(
                "start-fault {} {}",
                STAGES[fault.stage as usize], fault.errno
            )
        }
        Exit::Timeout(Timeout::Start) => "timeout start".to_owned(),
        Exit::Timeout(Timeout::Stop) => "timeout stop".to_owned(),
        Exit::Watchdog => "watchdog".to_owned(),
        Exit::Unhealthy => "unhealthy".to_owned(),
        Exit::OutOfMemory => "out-of-memory".to_owned(),
    }
}

fn order(order: Order) -> String {
    match order {
        Order::Start => "start".to_owned(),
        Order::Stop { term: None } => "stop".to_owned(),
        Order::Stop { term: Some(term) } => format!("stop for {}", span(term)),
        Order::Restart => "restart".to_owned(),
        Order::Signal(by) => format!("signal {}", signal(by)),
        Order::Reset => "reset".to_owned(),
    }
}

pub(super) fn scale_to(to: ScaleTo) -> String {
    match to {
        ScaleTo::Count(count) => format!("count {count}"),
        ScaleTo::More(more) => format!("more {more}"),
        ScaleTo::Without(number) => format!("without {number}"),
    }
}

/// What became of a change of a number of instances.
pub(super) fn scaled(result: &Result<(Vec<u16>, Vec<u16>), ScaleFault>) -> String {
    let list = |numbers: &[u16]| -> String {
        let numbers: Vec<String> = numbers.iter().map(u16::to_string).gather();
        if numbers.is_empty() {
            String::new()
        } else {
            format!(" {}", numbers.join(","))
        }
    };
    match result {
        Ok((come, go)) => format!("come{}; go{}", list(come), list(go)),
        Err(ScaleFault::NoTemplate) => "refused no-template".to_owned(),
        Err(ScaleFault::NoInstance) => "refused no-instance".to_owned(),
        Err(ScaleFault::TooMany) => "refused too-many".to_owned(),
        Err(ScaleFault::Ending) => "refused ending".to_owned(),
    }
}

/// Says what happens in a supervisor, with its names.
pub(super) struct Speaker<'a>(pub(super) &'a Supervisor);

impl Speaker<'_> {
    pub(super) fn child(&self, id: ChildId) -> String {
        let name = Names::child(self.0, id);
        // The name may belong to another one by now.
        if self.0.child_by(name) == Some(id) {
            name.to_owned()
        } else {
            format!("@{}", id.0)
        }
    }

    pub(super) fn run(&self, run: RunId) -> String {
        format!("{}#{}", self.child(run.child), run.nth)
    }

    pub(super) fn group(&self, id: GroupId) -> &str {
        Names::group(self.0, id).0
    }

    /// By its place: `media 0`, and `host 0` for one of the box.
    fn check(&self, check: CheckId) -> String {
        let of = check
            .of
            .map_or_else(|| HOST.to_owned(), |id| self.child(id));
        format!("{of} {}", check.place)
    }

    fn member(&self, member: Member) -> String {
        match member {
            Member::Child(id) => self.child(id),
            Member::Group(id) => self.group(id).to_owned(),
        }
    }

    pub(super) fn event(&self, event: Event) -> String {
        match event {
            Event::Tick => "tick".to_owned(),
            Event::Started { run, pid } => format!("started {} pid {pid}", self.run(run)),
            Event::StartFailed { run, fault } => {
                let fault = exit(Exit::StartFault(fault));
                format!("failed {} {fault}", self.run(run))
            }
            Event::Ready { run } => format!("ready {}", self.run(run)),
            Event::Exited {
                run,
                exit: how,
                left,
            } => {
                let left = if left { " left" } else { "" };
                format!("exited {} {}{left}", self.run(run), exit(how))
            }
            Event::Cleared { run } => format!("cleared {}", self.run(run)),
            Event::Paths { child, there } => {
                let there = if there { "there" } else { "gone" };
                format!("paths {} {there}", self.child(child))
            }
            Event::Probed { check, nth, health } => {
                format!("probed {} probe {nth} {health}", self.check(check))
            }
            Event::Pulse { run, last } => {
                let last = last.map_or_else(|| "never".to_owned(), moment);
                format!("pulse {} {last}", self.run(run))
            }
            Event::Order {
                of,
                order: of_a_person,
            } => {
                format!("order {} {}", self.member(of), order(of_a_person))
            }
            Event::Shutdown => "shutdown".to_owned(),
            Event::Remember => "remember".to_owned(),
            Event::SaveFailed => "save-failed".to_owned(),
        }
    }

    pub(super) fn action(&self, action: Action) -> String {
        match action {
            Action::Spawn(run) => format!("spawn {}", self.run(run)),
            Action::Signal {
                run,
                signal: by,
                to,
            } => {
                let to = match to {
                    Reach::Main => " main",
                    Reach::All => "",
                };
                format!("signal {} {}{to}", self.run(run), signal(by))
            }
            Action::Look(run) => format!("look {}", self.run(run)),
            Action::Probe { check, nth } => format!("probe {} probe {nth}", self.check(check)),
            Action::Pulse(run) => format!("pulse {}", self.run(run)),
            Action::Tell(notice) => format!("tell {}", self.notice(notice)),
            Action::Save => "save".to_owned(),
            Action::Answer(answer) => match answer {
                Answer::Accepted => "answer accepted".to_owned(),
                Answer::Unchanged => "answer unchanged".to_owned(),
                Answer::NotRunning => "answer not-running".to_owned(),
                Answer::Ending => "answer ending".to_owned(),
                Answer::GroupDown(group) => format!("answer group-down {}", self.group(group)),
                Answer::RequirementDown(group) => {
                    format!("answer requirement-down {}", self.group(group))
                }
            },
            Action::End { success: true } => "end success".to_owned(),
            Action::End { success: false } => "end failure".to_owned(),
            Action::Alarm(Alarm::UnexpectedStart(run)) => {
                format!("alarm unexpected-start {}", self.run(run))
            }
        }
    }

    pub(super) fn due(&self, (at, due): (Uptime, Due)) -> String {
        let why = match due {
            Due::Restart(of) => format!("restart {}", self.member(of)),
            Due::Try(of) => format!("try {}", self.member(of)),
            Due::StartTimeout(of) => format!("start-timeout {}", self.child(of)),
            Due::Settle(of) => format!("settle {}", self.member(of)),
            Due::Kill(of) => format!("kill {}", self.child(of)),
            Due::Look(of) => format!("look {}", self.child(of)),
            Due::Term(of) => format!("term {}", self.member(of)),
            Due::Probe(Some(of)) => format!("probe {}", self.child(of)),
            Due::Probe(None) => format!("probe {HOST}"),
            Due::Pulse(of) => format!("pulse {}", self.child(of)),
            Due::Save => "save".to_owned(),
            Due::Shutdown => "shutdown".to_owned(),
        };
        format!("due {} {why}", moment(at))
    }

    // ---- notices --------------------------------------------------------------

    fn notice(&self, notice: Notice) -> String {
        match notice {
            Notice::Started { run, pid } => format!("started {} pid {pid}", self.run(run)),
            Notice::Ready { run } => format!("ready {}", self.run(run)),
            Notice::Ended {
                run,
                exit: how,
                asked,
            } => {
                let asked = if asked { " asked" } else { "" };
                format!("ended {} {}{asked}", self.run(run), exit(how))
            }
            Notice::Restarting {
                run,
                exit: how,
                delay,
                attempt,
                max,
                counted_by,
            } => {
                let max = max.map_or_else(|| "unlimited".to_owned(), |max| max.to_string());
                let by = counted_by.map(|group| format!(" of {}", self.group(group)));
                let (run, how, delay) = (self.run(run), exit(how), span(delay));
                let by = by.unwrap_or_default();
                format!("restarting {run} {how} in {delay} attempt {attempt}/{max}{by}")
            }
            Notice::Finished { run, exit: how } => {
                format!("finished {} {}", self.run(run), exit(how))
            }
            Notice::GaveUp {
                run,
                exit: how,
                restarts,
                window,
                trial,
            } => {
                let (run, how, window) = (self.run(run), exit(how), span(window));
                let trial = if trial { " trial" } else { "" };
                format!("gave-up {run} {how} after {restarts} in {window}{trial}")
            }
            Notice::Parked {
                run,
                exit: how,
                pause,
            } => format!("parked {} {} for {}", self.run(run), exit(how), span(pause)),
            Notice::Escalated {
                run,
                exit: how,
                group,
            } => {
                let (run, how, group) = (self.run(run), exit(how), self.group(group));
                format!("escalated {run} {how} to {group}")
            }
            Notice::Recovered { run, restarts } => {
                format!("recovered {} after {restarts}", self.run(run))
            }
            Notice::Stopping { run, why } => {
                format!("stopping {} {}", self.run(run), self.stop_why(why))
            }
            Notice::Killed { run } => format!("killed {}", self.run(run)),
            Notice::LeftBehind { run } => format!("left-behind {}", self.run(run)),
            Notice::Held { child, by } => {
                format!("held {} by {}", self.child(child), self.member(by))
            }
            Notice::TermOver { of } => format!("term-over {}", self.member(of)),
            Notice::Checked { check, was, health } => self.checked(check, was, health),
            Notice::Group { group, what } => {
                format!("group {} {}", self.group(group), self.group_notice(what))
            }
            Notice::ShuttingDown => "shutting-down".to_owned(),
        }
    }

    fn checked(&self, check: CheckId, was: Health, health: Health) -> String {
        format!("checked {} {health} after {was}", self.check(check))
    }

    fn stop_why(&self, why: StopWhy) -> String {
        match why {
            StopWhy::Asked => "asked".to_owned(),
            StopWhy::Recycle => "recycle".to_owned(),
            StopWhy::Removed => "removed".to_owned(),
            StopWhy::Requirement => "requirement".to_owned(),
            StopWhy::Shutdown => "shutdown".to_owned(),
            StopWhy::StartTimeout => "start-timeout".to_owned(),
            StopWhy::Taken(group) => format!("taken by {}", self.group(group)),
            StopWhy::Group(group) => format!("group {}", self.group(group)),
            StopWhy::Unhealthy => "unhealthy".to_owned(),
            StopWhy::Watchdog => "watchdog".to_owned(),
        }
    }

    fn group_notice(&self, what: GroupNotice) -> String {
        let counted = |counted: Option<(u16, u16)>| {
            counted.map_or_else(String::new, |(made, max)| format!(" attempt {made}/{max}"))
        };
        match what {
            GroupNotice::Restarting {
                by,
                delay,
                counted: count,
            } => {
                let (by, delay) = (self.member(by), span(delay));
                format!("restarting by {by} in {delay}{}", counted(count))
            }
            GroupNotice::Renewed {
                parent,
                delay,
                counted: count,
            } => {
                let (parent, delay) = (self.group(parent), span(delay));
                format!("renewed by {parent} in {delay}{}", counted(count))
            }
            GroupNotice::StartFailed { by } => format!("start-failed by {}", self.member(by)),
            GroupNotice::Failed {
                by,
                exit: how,
                then,
                trial,
                made,
            } => {
                let how = how.map_or_else(String::new, |how| format!(" {}", exit(how)));
                let made = made.map_or_else(String::new, |(made, window)| {
                    format!(" after {made} in {}", span(window))
                });
                let trial = if trial { " trial" } else { "" };
                let (by, then) = (self.member(by), self.group_end(then));
                format!("failed by {by}{how}{made}{trial} {then}")
            }
            GroupNotice::Finished { by } => format!("finished by {}", self.member(by)),
            GroupNotice::Recovered { restarts } => format!("recovered after {restarts}"),
        }
    }

    fn group_end(&self, then: GroupEnd) -> String {
        match then {
            GroupEnd::GivesUp => "gives-up".to_owned(),
            GroupEnd::Parks(pause) => format!("parks for {}", span(pause)),
            GroupEnd::Escalates(parent) => format!("escalates to {}", self.group(parent)),
            GroupEnd::Ends => "ends".to_owned(),
        }
    }
}
