//! Children, sup, and both are killed at random, over and over, with orders by hand and
//! upgrades in between. After each round everything must be as people want it.
//!
//! `scripts/soak [ROUNDS]` runs many rounds, and `SUP_SEED` the same ones again.

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;

use common::{
    BOUND, Sig, TestBox, is_running, kill_all, ms, pause, pid_of, proc_status, sh, until,
};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use serde_json::Value;
use sup::os::{clock, procfs};

/// Rounds unless told: enough to see that the soak itself works.
const ROUNDS: usize = 20;

/// Fewer say nothing about growth.
const ROUNDS_TO_MEASURE: usize = 90;

/// Groups that are stopped and started by hand, with all that is below them.
const GROUPS: [(&str, &[&str]); 2] = [
    ("pair", &["left", "right"]),
    ("chain", &["first", "second", "third", "w/1", "w/2", "w/3"]),
];

/// Every child that is to run.
const CHILDREN: [&str; 12] = [
    "plain", "forks", "deaf", "ready", "uses", "left", "right", "first", "second", "third", "w/1",
    "w/2",
];

fn config() -> String {
    let sleeper = "command = [\"sleep\", \"1000\"]\n".to_owned();
    let forks = sh("sleep 1000 & sleep 1000 & wait");
    let deaf = sh("trap \"\" TERM; while :; do sleep 1000; done");
    let says = sh("echo >&3; exec sleep 1000");
    let job = sh("echo done >> $DIR/job");
    let children = [
        ("plain", sleeper.clone()),
        ("forks", forks),
        ("deaf", deaf + "\nstop-timeout = \"50ms\"\n"),
        ("ready", says + "\nready = { descriptor = 3 }\n"),
        ("uses", sleeper.clone() + "requires = [\"ready\"]\n"),
        ("left", sleeper.clone()),
        ("right", sleeper.clone()),
        ("first", sleeper.clone()),
        ("second", sleeper.clone()),
        ("third", sleeper.clone()),
    ];
    let children: String = children
        .iter()
        .map(|(name, keys)| format!("[child.{name}]\n{keys}\nrestart = \"always\"\n"))
        .collect();
    let unlimited = "budget = { max-restarts = \"unlimited\" }\nbackoff = { first = \"0s\" }\n";
    format!(
        "{children}\
         [child.job]\n{job}\nrestart = \"no\"\n\
         [group.pair]\nstrategy = \"one-for-all\"\nmembers = [\"left\", \"right\"]\n{unlimited}\
         [group.chain]\nstrategy = \"rest-for-one\"\n\
         members = [\"first\", \"second\", \"w\", \"third\"]\n{unlimited}\
         [group.w]\nstrategy = \"simple-one-for-one\"\ncount = 3\n{unlimited}\
         [group.w.template]\n{sleeper}restart = \"always\"\n{unlimited}\
         [defaults]\n{unlimited}"
    )
}

/// Dice, from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What sup takes of the box, after a round.
#[derive(Clone, Copy)]
struct Size {
    memory_kib: u64,
    descriptors: u64,
}

/// A sup under fire, and what people want of it.
struct Soak {
    sup: TestBox,
    dice: Dice,
    stopped: BTreeSet<&'static str>,
    groups_stopped: BTreeSet<&'static str>,
    tally: BTreeMap<&'static str, usize>,
    sizes: Vec<Size>,
}

impl Soak {
    fn is_wanted(&self, name: &str) -> bool {
        let in_stopped = |(group, below): &(&str, &[&str])| {
            self.groups_stopped.contains(group) && below.contains(&name)
        };
        // What requires a child that is stopped by hand does not run either.
        let required = name == "uses" && self.stopped.contains("ready");
        !self.stopped.contains(name) && !required && !GROUPS.iter().any(in_stopped)
    }

    /// One round: something is killed, and now and then somebody says something.
    fn round(&mut self) {
        if self.dice.below(3) == 0 {
            self.order();
        }
        let what = match self.dice.below(10) {
            0..=3 => "a child",
            4 => "some children",
            5..=6 => "sup",
            7..=8 => "sup and children",
            _ => "a child, and an upgrade",
        };
        *self.tally.entry(what).or_default() += 1;
        match what {
            "a child" => self.kill_children(1),
            "some children" => self.kill_children(4),
            "sup" => self.kill_sup(),
            "sup and children" => {
                self.kill_children(3);
                pause(ms(self.dice.below(20) as u64)); // In the middle of what follows.
                self.kill_sup();
            }
            _ => {
                self.kill_children(1);
                self.sup.must(&["upgrade"]);
            }
        }
        self.settle();
    }

    fn order(&mut self) {
        let kind = self.dice.below(4);
        let name = self.dice.one(&CHILDREN);
        let (group, below) = self.dice.one(&GROUPS);
        *self.tally.entry("orders by hand").or_default() += 1;
        match kind {
            0 | 1 if self.stopped.contains(name) => self.start(name),
            0 | 1 => {
                self.stopped.insert(name);
                self.ask(&["stop", name]);
            }
            2 if self.groups_stopped.remove(group) => {
                self.ask(&["start", group]);
                self.stopped.retain(|name| !below.contains(name)); // All of it.
            }
            2 => {
                self.groups_stopped.insert(group);
                self.ask(&["stop", group]);
            }
            _ if self.is_wanted(name) => {
                self.ask(&["restart", name]);
            }
            _ => {}
        }
    }

    fn start(&mut self, name: &str) {
        // What is down with its group is not started alone, and says so.
        if !self.ask(&["start", name]) {
            return;
        }
        self.stopped.remove(name);
        if name == "uses" {
            self.stopped.remove("ready"); // Who wants the one wants the other.
        }
    }

    /// With or without the patience to see it done. Whether it is carried out.
    fn ask(&mut self, words: &[&str]) -> bool {
        let hurried = [words, &["--no-wait"]].concat();
        let words = match self.dice.below(2) {
            0 => words,
            _ => &hurried,
        };
        let outcome = self.sup.ask(words);
        let refused = outcome.out.contains("is down, and it starts with that");
        let good = outcome.code == 0 || refused || outcome.out.contains("held");
        assert!(good, "{words:?}: {outcome:?}");
        !refused
    }

    fn kill_children(&mut self, count: usize) {
        let status = self.sup.status();
        let alive: Vec<i32> = children(&status)
            .filter(|child| child["pid"].is_i64())
            .map(pid_of)
            .collect();
        for _ in 0..count.min(alive.len()) {
            let _ended = kill(Pid::from_raw(self.dice.one(&alive)), Sig::SIGKILL);
        }
    }

    fn kill_sup(&mut self) {
        self.sup.kill_sup_only();
        self.sup.start();
        // A child that was just being made holds the old socket until it is made.
        until("the new sup to answer", || {
            let outcome = self.sup.ask(&["status", "--json"]);
            outcome.out.starts_with('{').then_some(())
        });
    }

    /// Waits until all is as it should be.
    fn settle(&mut self) {
        let start = clock::now();
        while let Err(wrong) = self.is_right() {
            assert!(
                clock::now() - start < BOUND,
                "{wrong}\nlog:\n{}",
                self.sup.log()
            );
            pause(ms(5));
        }
        let pid = self.sup.sup().pid;
        let memory = proc_status(pid, "RssAnon");
        self.sizes.push(Size {
            memory_kib: memory.split(' ').next().unwrap().parse().unwrap(),
            descriptors: own_descriptors(pid),
        });
    }

    /// Every wanted child runs exactly once, no other does, and nothing else is there.
    fn is_right(&self) -> Result<(), String> {
        let status = self.sup.status();
        let mut leaders = BTreeMap::new();
        for child in children(&status).filter(|child| child["name"] != "job") {
            let name = child["name"].as_str().unwrap();
            let by_hand = child["stopped_by_hand"].as_bool().unwrap();
            if by_hand != self.stopped.contains(name) {
                return Err(format!("an order is lost: {child}"));
            }
            match (self.is_wanted(name), child["pid"].is_i64()) {
                (true, true) if child["state"] == "up" && is_running(pid_of(child)) => {
                    leaders.insert(pid_of(child), name.to_owned());
                }
                (false, false) => {}
                _ => return Err(format!("not as wanted: {child}")),
            }
        }
        for stat in self.sup.marked() {
            let owner = leaders.get(&stat.session);
            if owner != procfs::variable(stat.pid, "SUP_CHILD").as_ref() {
                return Err(format!("nobody's: {stat:?}"));
            }
        }
        let me = self.sup.sup().pid;
        let all = fs::read_dir("/proc").unwrap().flatten();
        let all = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let zombies = all.filter_map(procfs::stat);
        let zombies: Vec<_> = zombies
            .filter(|stat| stat.parent == me && stat.state == 'Z')
            .collect();
        match zombies.is_empty() {
            true => Ok(()),
            false => Err(format!("zombies: {zombies:?}")),
        }
    }

    /// Nothing has grown between the first and the last quarter; both, in words.
    fn growth(&self) -> String {
        let quarter = (self.sizes.len() / 4).max(1);
        let (first, last) = (
            &self.sizes[..quarter],
            &self.sizes[self.sizes.len() - quarter..],
        );
        let memory = |sizes: &[Size]| median(sizes.iter().map(|size| size.memory_kib));
        let open = |sizes: &[Size]| median(sizes.iter().map(|size| size.descriptors));
        let (memory, open) = ((memory(first), memory(last)), (open(first), open(last)));
        let words = format!(
            "memory {} -> {} KiB, own descriptors {} -> {} (median of the first and the last quarter)",
            memory.0, memory.1, open.0, open.1
        );
        if self.sizes.len() > ROUNDS_TO_MEASURE {
            assert!(memory.1 <= memory.0 + memory.0 / 10, "{words}");
            // One that holds a client, more or less.
            assert!(open.1 <= open.0 + 2, "{words}");
        }
        words
    }
}

/// Descriptors besides those that each child brings, one of each: its end and its output.
fn own_descriptors(pid: i32) -> u64 {
    let all = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let mut counts = [0; 3];
    for to in all.filter_map(|entry| fs::read_link(entry.path()).ok()) {
        let to = to.to_string_lossy();
        let kind = usize::from(to.contains("[pidfd]")) + 2 * usize::from(to.ends_with(".out"));
        counts[kind] += 1;
    }
    let [own, ends, outputs] = counts;
    // And w/3, and the job, and both ends of an output for somebody who is being made.
    let children = CHILDREN.len() as u64 + 2 + 2;
    assert!(ends <= children && outputs <= children, "{counts:?}");
    own
}

fn children(status: &Value) -> impl Iterator<Item = &Value> {
    status["children"].as_array().unwrap().iter()
}

fn median(values: impl Iterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

fn say(words: &str) {
    let _shown = writeln!(std::io::stderr(), "{words}");
}

#[test]
fn whatever_is_killed_all_is_as_people_want_it() {
    let rounds = number("SUP_SOAK").map_or(ROUNDS, |rounds| usize::try_from(rounds).unwrap());
    let seed = number("SUP_SEED").unwrap_or_else(|| clock::wall() ^ u64::from(std::process::id()));
    say(&format!("soak: {rounds} rounds, SUP_SEED={seed}"));
    let start = clock::now();
    let mut soak = Soak {
        sup: TestBox::up(&config()),
        dice: Dice(seed),
        stopped: BTreeSet::new(),
        groups_stopped: BTreeSet::new(),
        tally: BTreeMap::new(),
        sizes: Vec::new(),
    };
    soak.settle();
    for round in 1..=rounds {
        soak.round();
        if round.is_multiple_of(100) {
            let seconds = (clock::now() - start).as_secs();
            say(&format!("soak: round {round} of {rounds}, {seconds} s"));
        }
    }
    assert_eq!(soak.sup.lines("job"), ["done"], "the job ran once");
    let restarts: u64 = children(&soak.sup.status())
        .map(|child| child["restarts"].as_u64().unwrap())
        .sum();
    let growth = soak.growth();
    say(&format!(
        "soak: {rounds} rounds in {} s, seed {seed}; killed {:?}; {restarts} restarts remembered; {growth}",
        (clock::now() - start).as_secs(),
        soak.tally
    ));
    assert_eq!(soak.sup.end(), 0);
    let left = soak.sup.marked();
    kill_all(&left);
    assert!(left.is_empty(), "left behind: {left:?}");
}
