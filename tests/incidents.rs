//! Who is told what, and when: the machine of incidents, alone and behind a supervisor,
//! through days of simulated time.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use sup::alerts::{Incidents, Letter, Moment};
use sup::model::alert::{AlertMemory, AlertSpec, Channel, Key, Kind, Quiet, Severity};
use sup::model::spec::{Launch, Life, LogSpec, OnLimit};
use sup::model::words::{self, Level, Telling};
use sup::model::{ChildSpec, Exit, Member, Notice, Order, RunId, Tree, Uptime};
use sup::policy::{Action, Event, Phase, Rules, Supervisor};

const SECOND: i64 = 1000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// At midnight, plus these milliseconds.
fn at(millis: i64) -> Moment {
    Moment {
        now: Uptime::from_millis(millis),
        minute: (millis / MINUTE % (24 * 60)) as u16,
    }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A channel of the defaults, with something different.
fn channel(change: impl FnOnce(&mut AlertSpec)) -> AlertSpec {
    let mut spec = AlertSpec::new(Channel::Qnap);
    change(&mut spec);
    spec
}

fn told(level: Level, text: &str) -> Telling {
    Telling {
        level,
        message: format!("{}: {text}", level.name()),
        facts: vec![("EVENT", text.to_owned())],
    }
}

fn check(name: &str) -> Key {
    Key {
        subject: "host".into(),
        kind: Kind::Check(name.into()),
    }
}

fn messages(letters: &[Letter]) -> Vec<&str> {
    letters.iter().map(|l| l.telling.message.as_str()).collect()
}

/// The machine with one channel, told what happens at given times.
struct Desk {
    incidents: Incidents,
}

impl Desk {
    fn new(spec: AlertSpec) -> Self {
        Self {
            incidents: Incidents::new(&[spec]),
        }
    }

    fn raise(&mut self, millis: i64, name: &str, severity: Severity) -> Vec<Letter> {
        let now = at(millis);
        let text = told(severity.level(), &format!("{name} is bad"));
        self.incidents.raise(check(name), severity, text, now.now);
        self.incidents.pass(now)
    }

    fn clear(&mut self, millis: i64, name: &str) -> Vec<Letter> {
        let now = at(millis);
        self.incidents.clear(&check(name), now.now);
        self.incidents.pass(now)
    }

    fn crash(&mut self, millis: i64, child: &str) -> Vec<Letter> {
        let now = at(millis);
        let text = told(Level::Warning, &format!("{child} crashed"));
        self.incidents.restarted(child, text, now.now, now.now);
        self.incidents.pass(now)
    }

    fn settle(&mut self, millis: i64, child: &str) -> Vec<Letter> {
        let now = at(millis);
        let text = told(Level::Info, &format!("{child} has settled"));
        self.incidents.settled(child, text, now.now);
        self.incidents.pass(now)
    }

    /// Up to there, with a pass whenever one is due: what is told, and when.
    fn sleep_until(&mut self, millis: i64) -> Vec<(i64, String)> {
        let mut all = Vec::new();
        while let Some(due) = self.incidents.deadline().map(Uptime::as_millis)
            && due <= millis
        {
            let letters = self.incidents.pass(at(due));
            let texts = letters.iter().map(|l| l.telling.message.clone());
            all.extend(texts.map(|text| (due, text)));
            let next = self.incidents.deadline().map(Uptime::as_millis);
            assert!(next.is_none_or(|next| next > due), "it would not sleep");
        }
        all
    }
}

// ---- one incident ---------------------------------------------------------------------

#[test]
fn an_incident_is_told_when_it_opens_when_it_gets_worse_and_when_it_is_over() {
    use Severity::{Critical, Warning};
    let mut desk = Desk::new(channel(|_| {}));
    let mut said = Vec::new();
    for (millis, severity) in [
        (1, Warning),
        (2, Warning),
        (3, Critical),
        (4, Critical),
        (5, Warning),
    ] {
        said.extend(desk.raise(millis * MINUTE, "disk", severity));
    }
    said.extend(desk.clear(6 * MINUTE, "disk"));
    said.extend(desk.clear(7 * MINUTE, "disk"));
    let expected = [
        "WARNING: disk is bad",
        "CRITICAL: disk is bad",
        "INFO: disk of host is as it should be again, after 5 minutes",
    ];
    assert_eq!(messages(&said), expected);
    // Another time is another incident.
    assert_eq!(desk.raise(8 * MINUTE, "disk", Warning).len(), 1);
}

#[test]
fn a_single_crash_that_mends_itself_is_no_news_and_the_second_is() {
    let mut desk = Desk::new(channel(|_| {}));
    assert_eq!(messages(&desk.crash(0, "a")), [""; 0]);
    assert_eq!(messages(&desk.settle(MINUTE, "a")), [""; 0]);
    assert_eq!(messages(&desk.crash(HOUR, "a")), [""; 0]);
    assert_eq!(
        messages(&desk.crash(HOUR + SECOND, "a")),
        ["WARNING: a crashed"]
    );
    assert_eq!(messages(&desk.crash(HOUR + 2 * SECOND, "a")), [""; 0]);
    let settled = desk.settle(HOUR + MINUTE, "a");
    assert_eq!(messages(&settled), ["INFO: a has settled"]);
}

#[test]
fn whoever_wants_the_first_crash_gets_it() {
    let mut desk = Desk::new(channel(|spec| spec.restarts = 1));
    assert_eq!(messages(&desk.crash(0, "a")), ["WARNING: a crashed"]);
    assert_eq!(messages(&desk.crash(1, "a")), [""; 0]);
    assert_eq!(messages(&desk.settle(MINUTE, "a")), ["INFO: a has settled"]);
}

#[test]
fn more_than_five_restarts_in_an_hour_are_a_loop_and_an_hour_of_calm_ends_it() {
    let mut desk = Desk::new(channel(|_| {}));
    let mut said = Vec::new();
    // Each is mended by itself, and none is news alone.
    for nth in 0..6 {
        said.extend(desk.crash(nth * 9 * MINUTE, "a"));
        said.extend(desk.settle(nth * 9 * MINUTE + MINUTE, "a"));
    }
    let expected = "WARNING: a keeps crashing: 6 restarts within an hour";
    assert_eq!(messages(&said), [expected]);
    // No notice says so: it is for the history, too.
    let news = |desk: &mut Desk| -> Vec<String> {
        let news = desk.incidents.take_news();
        news.iter().map(|telling| telling.message.clone()).collect()
    };
    assert_eq!(news(&mut desk), [expected]);
    // Two more, and then none.
    assert_eq!(desk.crash(60 * MINUTE, "a").len(), 0);
    assert_eq!(desk.settle(61 * MINUTE, "a").len(), 0);
    let calm = "INFO: a has not crashed for 1 hour, after 2 restarts";
    let said = desk.sleep_until(DAY);
    assert_eq!(said, [(120 * MINUTE, calm.to_owned())]);
    assert_eq!(desk.incidents.deadline(), None);
    assert_eq!(news(&mut desk), [calm]);
}

#[test]
fn what_a_loop_is_can_be_said() {
    for most in [1, 9] {
        let mut desk = Desk::new(channel(|_| {}));
        desk.incidents.use_loop(most);
        let mut told_at = Vec::new();
        for nth in 1..=12 {
            let said = desk.crash(i64::from(nth) * MINUTE, "a");
            told_at.extend(said.iter().map(|_| nth));
            desk.settle(i64::from(nth) * MINUTE + SECOND, "a");
        }
        assert_eq!(told_at, [most + 1]);
    }
}

#[test]
fn a_channel_hears_what_it_asked_for() {
    let critical = channel(|spec| spec.level = Level::Critical);
    let only = channel(|spec| spec.only = Box::new(["b".into(), "pool".into()]));
    let mut incidents = Incidents::new(&[critical, only]);
    let mut to = BTreeMap::<usize, Vec<String>>::new();
    for (subject, severity) in [
        ("a", Severity::Warning),
        ("b", Severity::Warning),
        ("pool/3", Severity::Critical),
        ("a", Severity::Critical),
    ] {
        let key = Key {
            subject: subject.into(),
            kind: Kind::Down,
        };
        incidents.raise(key, severity, told(severity.level(), subject), at(0).now);
        for letter in incidents.pass(at(0)) {
            let line = to.entry(letter.channel).or_default();
            line.push(letter.telling.message.clone());
        }
    }
    assert_eq!(to[&0], ["CRITICAL: pool/3", "CRITICAL: a"]);
    assert_eq!(to[&1], ["WARNING: b", "CRITICAL: pool/3"]);
}

#[test]
fn whoever_did_not_hear_of_it_does_not_hear_that_it_is_over() {
    let mut desk = Desk::new(channel(|spec| spec.level = Level::Critical));
    assert_eq!(desk.raise(0, "disk", Severity::Warning).len(), 0);
    assert_eq!(desk.clear(1, "disk").len(), 0);
}

#[test]
fn a_person_who_starts_it_anew_hears_when_that_did_not_help() {
    let mut desk = Desk::new(channel(|_| {}));
    let down = || Key {
        subject: "a".into(),
        kind: Kind::Down,
    };
    let gave_up = |desk: &mut Desk, millis| {
        let text = told(Level::Critical, "a is given up");
        desk.incidents
            .raise(down(), Severity::Critical, text, at(millis).now);
        desk.incidents.pass(at(millis))
    };
    assert_eq!(gave_up(&mut desk, 0).len(), 1);
    assert_eq!(gave_up(&mut desk, 1).len(), 0);
    desk.incidents.begins_anew("a", at(2).now);
    assert_eq!(desk.incidents.pass(at(2)).len(), 0);
    assert_eq!(messages(&desk.crash(3, "a")), [""; 0]);
    assert_eq!(
        messages(&gave_up(&mut desk, 4)),
        ["CRITICAL: a is given up"]
    );
    // This time it helps.
    desk.incidents.begins_anew("a", at(5).now);
    let said = desk.sleep_until(DAY);
    let calm = "INFO: a has not crashed for 10 minutes, after 1 restart";
    assert_eq!(said, [(5 + 10 * MINUTE, calm.to_owned())]);
}

#[test]
fn what_is_critical_is_told_again_where_that_is_wanted() {
    let mut desk = Desk::new(channel(|spec| spec.reminder = Some(secs(6 * 3600))));
    assert_eq!(desk.raise(0, "ram", Severity::Warning).len(), 1);
    assert_eq!(desk.sleep_until(DAY), []);
    assert_eq!(desk.raise(DAY, "disk", Severity::Critical).len(), 1);
    let said = desk.sleep_until(DAY + 13 * HOUR);
    let expected = |hours: i64| {
        let text = format!("CRITICAL: still, after {hours} hours: disk is bad");
        (DAY + hours * HOUR, text)
    };
    assert_eq!(said, [expected(6), expected(12)]);
    desk.clear(DAY + 14 * HOUR, "disk");
    assert_eq!(desk.sleep_until(3 * DAY), []);
}

// ---- quiet hours, limits --------------------------------------------------------------

fn at_night() -> AlertSpec {
    channel(|spec| {
        spec.quiet = Some(Quiet {
            from: 22 * 60,
            to: 7 * 60,
        });
    })
}

#[test]
fn at_night_only_what_is_critical_is_told_and_the_rest_in_the_morning() {
    let mut desk = Desk::new(at_night());
    assert_eq!(desk.raise(HOUR, "ram", Severity::Warning).len(), 0);
    assert_eq!(desk.raise(2 * HOUR, "disk", Severity::Critical).len(), 1);
    assert_eq!(desk.clear(3 * HOUR, "disk").len(), 0);
    assert_eq!(desk.raise(4 * HOUR, "fan", Severity::Warning).len(), 0);
    assert_eq!(desk.clear(5 * HOUR, "fan").len(), 0);
    let digest = "WARNING: 3 messages were held back. This is how it stands:\n\
                  - WARNING: ram is bad\n\
                  - INFO: disk of host is as it should be again, after 1 hour";
    assert_eq!(desk.sleep_until(DAY), [(7 * HOUR, digest.to_owned())]);
    // By day it is as ever.
    assert_eq!(desk.clear(DAY + 8 * HOUR, "ram").len(), 1);
}

#[test]
fn a_night_of_one_message_brings_that_message() {
    let mut desk = Desk::new(at_night());
    desk.raise(HOUR, "ram", Severity::Warning);
    let said = desk.sleep_until(DAY);
    assert_eq!(said, [(7 * HOUR, "WARNING: ram is bad".to_owned())]);
}

#[test]
fn a_night_of_which_nothing_is_left_is_one_line() {
    let mut desk = Desk::new(at_night());
    for hour in 1..6 {
        desk.raise(hour * HOUR, "ram", Severity::Warning);
        desk.clear(hour * HOUR + MINUTE, "ram");
    }
    let said = desk.sleep_until(DAY);
    let line = "INFO: 5 messages were held back. What they told of is over";
    assert_eq!(said, [(7 * HOUR, line.to_owned())]);
}

#[test]
fn a_flood_is_cut_at_the_limit_with_a_count_and_a_quarter_left_to_what_is_critical() {
    let mut desk = Desk::new(channel(|spec| spec.per_hour = 8));
    let sent: usize = (0..50)
        .map(|nth| {
            desk.raise(nth * SECOND, &format!("check {nth}"), Severity::Warning)
                .len()
        })
        .sum();
    assert_eq!(sent, 6);
    // What is critical comes at once, with all that waits in one message.
    let said = desk.raise(MINUTE, "disk", Severity::Critical);
    assert_eq!(said.len(), 1);
    let text = messages(&said)[0];
    assert!(
        text.starts_with("CRITICAL: 44 messages were held back. This is how it stands:\n- "),
        "{text}"
    );
    assert!(text.ends_with("- and 35 more"), "{text}");
    assert_eq!(text.lines().count(), 12);
    let again: usize = (0..50)
        .map(|nth| {
            desk.clear(2 * MINUTE + nth * SECOND, &format!("check {nth}"))
                .len()
        })
        .sum();
    assert_eq!(again, 0);
    let said = desk.sleep_until(DAY);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].1.contains("50 messages were held back"), "{said:?}");
}

#[test]
fn more_incidents_than_anybody_can_read_are_counted() {
    let mut desk = Desk::new(channel(|spec| spec.per_hour = 1000));
    let limit = sup::model::limits::INCIDENTS_MAX;
    for nth in 0..limit + 7 {
        desk.raise(nth as i64, &format!("check {nth}"), Severity::Critical);
    }
    assert_eq!(desk.incidents.open_ones().count(), limit);
}

// ---- memory ---------------------------------------------------------------------------

fn reborn(desk: &Desk, spec: AlertSpec, now: i64) -> (Desk, Vec<Letter>) {
    let memory: AlertMemory = desk.incidents.remember();
    let mut next = Desk::new(spec);
    next.incidents.recall(&memory, at(now).now);
    let letters = next.incidents.pass(at(now));
    (next, letters)
}

#[test]
fn the_next_sup_repeats_nothing_and_tells_when_it_is_over() {
    let mut desk = Desk::new(channel(|_| {}));
    desk.raise(0, "disk", Severity::Critical);
    desk.crash(1, "a");
    desk.crash(2, "a");
    let (mut next, letters) = reborn(&desk, channel(|_| {}), MINUTE);
    assert_eq!(messages(&letters), [""; 0]);
    assert_eq!(next.raise(2 * MINUTE, "disk", Severity::Critical).len(), 0);
    assert_eq!(next.crash(2 * MINUTE, "a").len(), 0);
    assert_eq!(
        messages(&next.settle(4 * MINUTE, "a")),
        ["INFO: a has settled"]
    );
    let over = "INFO: disk of host is as it should be again, after 5 minutes";
    assert_eq!(messages(&next.clear(5 * MINUTE, "disk")), [over]);
}

#[test]
fn what_was_held_back_is_told_by_the_next_sup() {
    let mut desk = Desk::new(at_night());
    desk.raise(HOUR, "ram", Severity::Warning);
    let (mut next, letters) = reborn(&desk, at_night(), 2 * HOUR);
    assert_eq!(messages(&letters), [""; 0]);
    let said = next.sleep_until(DAY);
    // Its words have not survived.
    let line = "WARNING: ram of host is not as it should be";
    assert_eq!(said, [(7 * HOUR, line.to_owned())]);
}

#[test]
fn a_limit_is_a_limit_for_the_next_sup_too() {
    let spec = || channel(|spec| spec.per_hour = 4);
    let mut desk = Desk::new(spec());
    for nth in 0..4 {
        desk.raise(nth, &format!("check {nth}"), Severity::Critical);
    }
    let (mut next, _) = reborn(&desk, spec(), MINUTE);
    assert_eq!(next.raise(2 * MINUTE, "disk", Severity::Critical).len(), 0);
    assert_eq!(next.sleep_until(DAY).len(), 1);
}

#[test]
fn another_configuration_forgets_nothing_that_has_kept_its_name() {
    let mut desk = Desk::new(channel(|_| {}));
    desk.raise(0, "disk", Severity::Critical);
    let other = channel(|spec| spec.name = "other".into());
    desk.incidents
        .use_channels(&[other, channel(|spec| spec.per_hour = 3)]);
    let letters = desk.incidents.pass(at(1));
    let channels: Vec<usize> = letters.iter().map(|letter| letter.channel).collect();
    assert_eq!(channels, [0], "only the new one");
    desk.incidents.keep(|_| false);
    assert_eq!(desk.incidents.pass(at(2)), []);
    assert_eq!(desk.incidents.remember().incidents, []);
}

// ---- a day ------------------------------------------------------------------------------

/// A supervisor whose children live as long as told, and who is told of it.
struct Day {
    sup: Supervisor,
    incidents: Incidents,
    /// Milliseconds since midnight.
    now: i64,
    /// When runs end.
    ends: BTreeMap<i64, Vec<RunId>>,
    /// How long a run of a child lives that is started then.
    lives: fn(&str, i64) -> Option<i64>,
    restarts: usize,
    told: Vec<(i64, usize, Rc<Telling>)>,
}

impl Day {
    fn new(
        children: Vec<ChildSpec>,
        channels: &[AlertSpec],
        lives: fn(&str, i64) -> Option<i64>,
    ) -> Self {
        let rules = Rules {
            shutdown_timeout: secs(20),
            ends_when_over: false,
            seed: 1,
        };
        let mut day = Self {
            sup: Supervisor::new(Tree::from(children), rules),
            incidents: Incidents::new(channels),
            now: 0,
            ends: BTreeMap::new(),
            lives,
            restarts: 0,
            told: Vec::new(),
        };
        day.event(Event::Tick);
        day
    }

    fn event(&mut self, event: Event) {
        let now = at(self.now);
        let actions: Vec<Action> = self.sup.handle(event, now.now).collect();
        let mut started = Vec::new();
        for action in actions {
            if let Action::Spawn(run) = action {
                started.push(run);
            }
            if let Action::Tell(notice) = action {
                let restarts = matches!(notice, Notice::Restarting { .. });
                self.restarts += usize::from(restarts);
                let telling = words::telling(&notice, &self.sup);
                self.incidents.hear(&notice, telling, &self.sup, now);
            }
        }
        self.pass();
        for run in started {
            let name = self.sup.spec(run.child).name.clone();
            if let Some(life) = (self.lives)(&name, self.now) {
                self.ends.entry(self.now + life).or_default().push(run);
            }
            self.event(Event::Started { run, pid: 1 });
        }
    }

    fn pass(&mut self) {
        for letter in self.incidents.pass(at(self.now)) {
            self.told.push((self.now, letter.channel, letter.telling));
        }
    }

    fn live_until(&mut self, end: i64) {
        loop {
            let due = self.sup.next_deadline().map(|(at, _)| at.as_millis());
            let alert = self.incidents.deadline().map(Uptime::as_millis);
            let exit = self.ends.keys().next().copied();
            let Some(next) = [due, alert, exit].into_iter().flatten().min() else {
                break;
            };
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if exit == Some(next) {
                for run in self.ends.remove(&next).unwrap() {
                    let process = self.sup.child(run.child).phase().process();
                    if process.is_some_and(|process| process.run == run) {
                        let exit = Exit::Code(1);
                        self.event(Event::Exited {
                            run,
                            exit,
                            left: false,
                        });
                    }
                }
            } else if due == Some(next) {
                self.event(Event::Tick);
            }
            self.pass();
        }
        self.now = end;
    }

    fn told_to(&self, channel: usize) -> Vec<String> {
        let told = self.told.iter().filter(|(_, to, _)| *to == channel);
        told.map(|(at, _, telling)| {
            let (hours, minutes) = (at / HOUR, at / MINUTE % 60);
            format!("{hours:02}:{minutes:02} {}", telling.message)
        })
        .collect()
    }
}

fn child(name: &str, change: impl FnOnce(&mut Life)) -> ChildSpec {
    let mut life = Life::default();
    change(&mut life);
    ChildSpec {
        name: name.into(),
        launch: Launch::default(),
        log: LogSpec::Ring,
        life: life.into(),
    }
}

/// It settles each time, and crashes two minutes after that: 24 hours long, then it is well.
#[test]
fn a_day_of_flapping_is_two_messages() {
    let flapping = child("flapping", |life| life.budget.max_restarts = None);
    let first = channel(|spec| (spec.restarts, spec.name) = (1, "first".into()));
    let all = channel(|spec| spec.name = "all".into()).repeating();
    let lives = |_: &str, now: i64| (now < DAY).then_some(3 * MINUTE);
    let mut day = Day::new(vec![flapping], &[channel(|_| {}), first, all], lives);
    day.live_until(2 * DAY);
    assert_eq!(day.restarts, 468);
    let expected = [
        "00:18 WARNING: flapping keeps crashing: 6 restarts within an hour, the last one after exit code 1",
        "25:03 INFO: flapping has not crashed for 1 hour, after 463 restarts",
    ];
    assert_eq!(day.told_to(0), expected);
    // From the first crash on: five times there and back, before it is known to be a loop.
    assert_eq!(day.told_to(1).len(), 5 * 2 + 2);
    // Everything: each restart, and each time that it has settled.
    assert_eq!(day.told_to(2).len(), 468 * 2);
}

#[test]
fn a_day_of_a_hopeless_child_is_two_messages_parked_or_given_up() {
    let hopeless = child("hopeless", |_| {});
    let parked = child("parked", |life| {
        life.budget.on_limit = OnLimit::Park(secs(3600));
    });
    let mut day = Day::new(vec![hopeless, parked], &[channel(|_| {})], |_, _| {
        Some(SECOND)
    });
    day.live_until(DAY);
    let told = day.told_to(0);
    let of = |name: &str| {
        told.iter()
            .filter(|line| line.contains(&format!(": {name} ")))
            .count()
    };
    assert_eq!((of("hopeless"), of("parked")), (2, 2), "{told:#?}");
    assert_eq!(told.len(), 4);
    // What a person does is answered, once.
    let id = day.sup.find("hopeless").unwrap();
    day.incidents.begins_anew("hopeless", at(day.now).now);
    day.event(Event::Order {
        of: Member::Child(id),
        order: Order::Start,
    });
    day.live_until(DAY + HOUR);
    assert_eq!(day.told_to(0).len(), 5);
    assert!(matches!(day.sup.child(id).phase(), Phase::Over(_)));
}

#[test]
fn a_child_that_crashes_each_half_hour_and_mends_itself_is_no_news() {
    let quiet = child("quiet", |_| {});
    let mut day = Day::new(vec![quiet], &[channel(|_| {})], |_, _| Some(30 * MINUTE));
    day.live_until(DAY);
    assert_eq!(day.restarts, 47);
    assert_eq!(day.told_to(0), [""; 0]);
}

#[test]
fn a_box_of_fifty_children_that_loses_its_disk_says_so_in_a_screen() {
    let children = (0..50)
        .map(|nth| child(&format!("child-{nth}"), |_| {}))
        .collect();
    let lives = |_: &str, now: i64| (now < HOUR).then_some(SECOND);
    let mut day = Day::new(children, &[channel(|_| {})], lives);
    day.live_until(DAY);
    let told = day.told_to(0);
    // Fifteen warnings, then five that are critical; the others in one.
    assert!(told.len() <= 22, "{} messages", told.len());
    assert!(
        told.last().unwrap().contains("messages were held back"),
        "{told:#?}"
    );
    assert_eq!(day.incidents.open_ones().count(), 50);
}
