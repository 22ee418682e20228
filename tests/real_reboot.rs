//! Reboots, power cuts and clocks that lie: sup under one boot id, and then under another.

mod common;

use std::process::Command;

use common::faults::skipped;
use common::{Program, Sig, TestBox, is_root, old_kernel, run, sh, until};
use sup::os::clock;
use sup::os::file::lock_dir;

/// Two boots, as `/proc/sys/kernel/random/boot_id` has them.
const FIRST: &str = "11111111-2222-4333-8444-555555555555\n";
const SECOND: &str = "99999999-2222-4333-8444-555555555555\n";

/// What a sup sees of the time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    boot: &'static str,
    /// Seconds since boot; `None`: those of this machine.
    uptime: Option<u32>,
    /// What the wall clock says, see [`FALSE_CLOCK`]; `None`: the truth.
    wall: Option<&'static str>,
}

const TRUE: Clock = Clock {
    boot: FIRST,
    uptime: None,
    wall: None,
};

/// Starts a sup that sees this. `false` where that cannot be played.
fn boot(sup: &mut TestBox, clock: Clock) -> bool {
    if !is_root() {
        skipped("another boot id needs root");
        return false;
    }
    sup.write("boot_id", clock.boot);
    let bind = "mount --bind \"$1\" /proc/sys/kernel/random/boot_id || exit 9; shift; exec \"$@\"";
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount");
    if let Some(uptime) = clock.uptime {
        let now = clock::now().as_millis() / 1000;
        let offset = i64::from(uptime) - now;
        unshare.args(["--time", "--fork", "--kill-child", "--boottime"]);
        unshare.arg(offset.to_string());
    }
    unshare
        .args(["sh", "-c", bind, "sh"])
        .arg(sup.path("boot_id"));
    let arguments: Vec<_> = unshare.get_args().map(ToOwned::to_owned).collect();
    if run(unshare.arg("true")).code != 0 {
        skipped("another boot id needs the right to mount, another uptime Linux 5.6");
        return false;
    }
    let wall = clock.wall.map(|wall| (wall, false_clock(sup)));
    if matches!(wall, Some((_, None))) {
        skipped("another wall clock needs a C compiler");
        return false;
    }
    let of_sup = sup.command(&["run"]);
    let mut command = Command::new("unshare");
    command.args(arguments).arg("env");
    if let Some((wall, Some(library))) = wall {
        command.arg(format!("LD_PRELOAD={library}"));
        command.arg(format!("FALSE_WALL={wall}"));
    }
    command.arg(of_sup.get_program()).args(of_sup.get_args());
    for (key, value) in of_sup.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    if old_kernel::is_played() {
        old_kernel::play(&mut command);
    }
    let program = Program::start(&mut command, None);
    sup.adopt(program);
    true
}

/// The power goes.
fn cut(sup: &mut TestBox) {
    sup.kill_sup();
    // Where it was below `unshare`, it ends a moment later.
    until("sup to be gone", || lock_dir(&sup.path("r")).ok());
}

/// A library that lies about the wall clock; `None` where it cannot be made.
fn false_clock(sup: &TestBox) -> Option<String> {
    let (source, library) = (sup.path("clock.c"), sup.name("clock.so"));
    sup.write("clock.c", FALSE_CLOCK);
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-o", &library])
        .arg(source);
    compile.status().ok()?.success().then_some(library)
}

/// `FALSE_WALL` is the time that it always is, in seconds since 1970; `jumps` for one that
/// is somewhere else each time.
const FALSE_CLOCK: &str = r#"
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *time) {
    static const long long jumps[] = {0, 4102444800, 1104537600, 1777000000, 3355000000};
    static unsigned calls;
    int result = syscall(SYS_clock_gettime, clock, time);
    const char *wall = getenv("FALSE_WALL");
    if (clock == CLOCK_REALTIME && wall)
        time->tv_sec = *wall == 'j' ? jumps[calls++ % 5] : atoll(wall);
    return result;
}
"#;

fn flaky(keys: &str) -> String {
    format!(
        "[child.flaky]\n{}\n{keys}\n",
        sh("test -e $DIR/mended || exit 1; exec sleep 1000")
    )
}

const SLEEPERS: &str = "[child.a]\ncommand = [\"sleep\", \"1000\"]\n[child.b]\ncommand = [\"sleep\", \"1000\"]\n[child.c]\ncommand = [\"sleep\", \"1000\"]\n";

#[test]
fn children_that_a_reboot_took_are_not_charged_and_stops_by_hand_stand() {
    let mut sup = TestBox::new(SLEEPERS);
    if !boot(&mut sup, TRUE) {
        return;
    }
    sup.must(&["stop", "b"]);
    sup.must(&["stop", "--for", "1h", "c"]);
    sup.signal("a", Sig::SIGSTOP);
    cut(&mut sup);
    assert!(boot(
        &mut sup,
        Clock {
            boot: SECOND,
            ..TRUE
        }
    ));
    let a = sup.wait_state("a", "up");
    assert_eq!(
        (&a["restarts"], &a["failures"]),
        (&0.into(), &0.into()),
        "{a}"
    );
    assert_eq!(a["recent_restarts"], 0);
    assert_eq!(sup.child("b")["state"], "stopped");
    let c = sup.child("c");
    let left = c["stopped_for_seconds"].as_f64().unwrap();
    // Time without power counts for nothing, and no clock makes it longer.
    assert!(left > 3_500.0 && left <= 3_600.0, "{c}");
    assert!(!sup.log().contains("adopted"), "{}", sup.log());
    assert_eq!(sup.end(), 0);
}

#[test]
fn what_was_given_up_gets_one_try_from_a_reboot_and_none_from_a_restart() {
    let keys = "backoff = { first = \"10ms\" }\nbudget = { max-restarts = 2 }";
    let mut sup = TestBox::new(&flaky(keys));
    if !boot(&mut sup, TRUE) {
        return;
    }
    let runs = sup.wait_state("flaky", "gave-up")["run"].as_u64().unwrap();
    sup.end();
    assert!(boot(&mut sup, TRUE));
    assert_eq!(
        sup.child("flaky")["run"],
        runs,
        "another sup, the same boot"
    );
    sup.kill_sup();
    assert!(boot(
        &mut sup,
        Clock {
            boot: SECOND,
            ..TRUE
        }
    ));
    sup.line("flaky is given up");
    let child = sup.wait_state("flaky", "gave-up");
    assert_eq!(child["run"], runs + 1, "{child}");
    sup.end();
    sup.write("mended", "");
    assert!(boot(&mut sup, TRUE));
    sup.wait_state("flaky", "up");
}

#[test]
fn a_wait_is_never_longer_than_it_was_whatever_the_clocks_say() {
    let keys = "backoff = { first = \"30s\", longest = \"30s\" }";
    let (uptimes, walls) = (
        [Some(5), Some(400), Some(100_000_000)],
        // 1970, 2005, in fifty years, the end of 32 bits, all of these by turns.
        [
            Some("0"),
            Some("1104537600"),
            Some("3355000000"),
            Some("4294967296"),
            Some("jumps"),
        ],
    );
    let of_uptimes = uptimes.map(|uptime| Clock { uptime, ..TRUE });
    let of_walls = walls.map(|wall| Clock { wall, ..TRUE });
    for clock in of_uptimes.into_iter().chain(of_walls) {
        let mut sup = TestBox::new(&flaky(keys));
        if !boot(&mut sup, TRUE) {
            return;
        }
        sup.wait_state("flaky", "backoff");
        sup.ask(&["start", "flaky"]); // An order is written at once, a crash later.
        sup.wait_for("flaky", "back in backoff", |child| {
            child["state"] == "backoff" && child["run"] == 2
        });
        cut(&mut sup);
        for boot_id in [FIRST, SECOND, FIRST] {
            if !boot(
                &mut sup,
                Clock {
                    boot: boot_id,
                    ..clock
                },
            ) {
                break;
            }
            let child = sup.wait_state("flaky", "backoff");
            let left = child["next_seconds"].as_f64().unwrap();
            assert!(left <= 30.0, "{clock:?}: {child}");
            assert!(child["recent_restarts"].as_u64() <= Some(4), "{child}");
            cut(&mut sup);
        }
    }
}

#[test]
fn a_wall_clock_that_jumps_changes_no_decision() {
    let keys = "backoff = { first = \"50ms\", longest = \"100ms\" }\nbudget = { max-restarts = 4 }";
    let mut sup = TestBox::new(&flaky(keys));
    let jumping = Clock {
        wall: Some("jumps"),
        ..TRUE
    };
    if !boot(&mut sup, jumping) {
        return;
    }
    let child = sup.wait_state("flaky", "gave-up");
    assert_eq!(
        (&child["run"], &child["restarts"]),
        (&5.into(), &4.into()),
        "{child}"
    );
    let log = sup.log();
    if !log.contains("[1970-01-01T00:00:00Z") {
        return skipped("a static sup takes the time from no library");
    }
    assert!(log.contains("[2100-01-01T00:00:00Z"), "{log}");
    sup.ask(&["stop", "--for", "1h", "flaky"]);
    cut(&mut sup);
    assert!(boot(&mut sup, jumping));
    let left = sup.child("flaky")["stopped_for_seconds"].as_f64().unwrap();
    assert!(left > 3_500.0 && left <= 3_600.0, "{left}");
}
