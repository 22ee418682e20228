//! What another program in sup's place goes on with, besides children: what groups have
//! used up, what people have been told, who comes over HTTP, and what is recorded.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use common::{BOUND, Program, Sig, TestBox, run, sh, until};

const SLEEPER: &str = "command = [\"sleep\", \"1000\"]\nrestart = \"always\"\n";

fn upgrade(sup: &TestBox) {
    let outcome = sup.ask(&["upgrade"]);
    assert_eq!(outcome.code, 0, "{outcome:?}\nlog:\n{}", sup.log());
}

#[test]
fn a_group_has_used_up_what_it_had_and_keeps_the_number_of_its_instances() {
    let at_once = "backoff = { first = \"0s\" }\n";
    let config = format!(
        "[child.a]\n{SLEEPER}{at_once}budget = {{ max-restarts = \"unlimited\" }}\n\
         [child.b]\n{SLEEPER}{at_once}budget = {{ max-restarts = \"unlimited\" }}\n\
         [group.g]\nstrategy = \"one-for-all\"\nmembers = [\"a\", \"b\"]\n\
         budget = {{ max-restarts = 2, window = \"1h\", on-limit = \"give-up\" }}\n\
         [group.w]\nstrategy = \"simple-one-for-one\"\ncount = 2\n[group.w.template]\n{SLEEPER}"
    );
    let sup = TestBox::up(&config);
    sup.pid("b");
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("b", 2);
    sup.must(&["scale", "w", "4"]);
    let pids = ["a", "b", "w/1", "w/2", "w/3", "w/4"].map(|name| sup.pid(name));
    upgrade(&sup);
    let after = ["a", "b", "w/1", "w/2", "w/3", "w/4"].map(|name| sup.pid(name));
    assert_eq!(after, pids);
    let group = |name: &str| {
        let groups = sup.status()["groups"].as_array().unwrap().clone();
        groups
            .into_iter()
            .find(|group| group["name"] == name)
            .unwrap()
    };
    let g = group("g");
    assert_eq!(
        (&g["recent_restarts"], &g["restarts"]),
        (&1.into(), &1.into())
    );
    assert_eq!(g["last_failure"]["by"], "a", "{g}");
    assert_eq!(group("w")["instances"], 4);
    // One is left of two, and then it is too much.
    sup.signal("b", Sig::SIGKILL);
    sup.wait_run("a", 3);
    upgrade(&sup);
    sup.signal("a", Sig::SIGKILL);
    until("the group to be given up", || {
        (group("g")["state"] == "gave-up").then_some(())
    });
    upgrade(&sup);
    assert_eq!(group("g")["state"], "gave-up");
    sup.must(&["scale", "w", "1"]);
    assert_eq!(sup.pid("w/1"), pids[2]);
}

#[test]
fn an_incident_is_told_once_and_goes_on() {
    let config = format!(
        "[[alert]]\nexec = [\"$DIR/tell\"]\n[child.a]\n{SLEEPER}\
         backoff = {{ first = \"0s\", settle = \"1h\" }}\nbudget = {{ max-restarts = 2 }}\n"
    );
    let mut sup = TestBox::new(&config);
    sup.program("tell", "#!/bin/sh\necho \"$1\" >> $DIR/told\n");
    sup.start();
    sup.pid("a");
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 2);
    upgrade(&sup);
    // The second restart of an incident is told: it knows of the first.
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 3);
    sup.wait_lines("told", 1);
    upgrade(&sup);
    sup.signal("a", Sig::SIGKILL);
    sup.wait_state("a", "gave-up");
    let told = sup.wait_lines("told", 2);
    upgrade(&sup);
    assert_eq!(sup.lines("told"), told, "the same is no news");
    assert!(
        told[0].contains("attempt 2/2") && told[1].contains("Giving up"),
        "{told:?}"
    );
    assert_eq!(sup.child("a")["restarts"], 2);
}

/// A program that tells people may hang: what it was to tell is told by the next one.
#[test]
fn who_was_being_told_is_told() {
    let config = format!(
        "[[alert]]\nexec = [\"$DIR/tell\"]\nrestarts = 1\n[child.a]\n{SLEEPER}\
         backoff = {{ first = \"0s\" }}\n"
    );
    let mut sup = TestBox::new(&config);
    let slow = "#!/bin/sh\nuntil test -e $DIR/go; do sleep 0.02; done; echo \"$1\" >> $DIR/told\n";
    sup.program("tell", slow);
    sup.start();
    sup.pid("a");
    sup.signal("a", Sig::SIGKILL);
    sup.wait_run("a", 2);
    let asks = Program::start(&mut sup.command(&["upgrade"]), None);
    until("sup to be asked", || {
        sup.path("r/baton").exists().then_some(())
    });
    sup.write("go", "");
    assert_eq!(asks.code(), 0);
    assert!(sup.wait_lines("told", 1)[0].contains("attempt 1/5"));
    assert_eq!(sup.lines("told").len(), 1);
}

// ---- HTTP ----------------------------------------------------------------------------

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// What is answered; a client that was being served may be dropped.
fn get(port: u16, path: &str) -> std::io::Result<String> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, BOUND)?;
    stream.set_read_timeout(Some(BOUND))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: nas\r\n\r\n").as_bytes())?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if text.is_empty() {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    Ok(text)
}

#[test]
fn nobody_who_comes_over_http_is_turned_away() {
    let port = free_port();
    let sup = TestBox::up(&format!("[http]\nlisten = {port}\n[child.a]\n{SLEEPER}"));
    sup.pid("a");
    until("an answer", || get(port, "/health").ok());
    let events = |since: u64| {
        let text = get(port, &format!("/events?since={since}")).unwrap();
        let body = text.split_once("\r\n\r\n").unwrap().1;
        serde_json::from_str::<serde_json::Value>(body).unwrap()
    };
    let before = events(0);
    let (done, ends) = (AtomicBool::new(false), |error: &std::io::Error| {
        error.kind()
    });
    let (answered, dropped) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let (mut answered, mut dropped) = (0, Vec::new());
                    while !done.load(Ordering::Relaxed) {
                        match get(port, "/health") {
                            Ok(text) => {
                                assert!(text.starts_with("HTTP/1.1 200"), "{text}");
                                answered += 1;
                            }
                            Err(error) => dropped.push(ends(&error)),
                        }
                    }
                    (answered, dropped)
                })
            })
            .collect();
        for _ in 0..5 {
            upgrade(&sup);
        }
        done.store(true, Ordering::Relaxed);
        let all = clients.into_iter().map(|client| client.join().unwrap());
        all.fold(
            (0, Vec::new()),
            |(count, mut kinds), (answered, dropped)| {
                kinds.extend(dropped);
                (count + answered, kinds)
            },
        )
    });
    assert!(answered > 10, "{answered}");
    assert!(
        !dropped.contains(&ErrorKind::ConnectionRefused) && dropped.len() <= 10,
        "{dropped:?}"
    );
    // Numbers of events go on, and nothing of the past is lost.
    let after = events(0);
    assert_eq!(before["pid"], after["pid"]);
    let first = &before["events"].as_array().unwrap()[0];
    assert_eq!(&after["events"].as_array().unwrap()[0], first);
    let next = before["next"].as_u64().unwrap();
    assert_eq!(after["next"].as_u64().unwrap(), next + 5);
    // Another address comes with a reload, as ever.
    let other = free_port();
    sup.configure(&format!("[http]\nlisten = {other}\n[child.a]\n{SLEEPER}"));
    let outcome = sup.ask(&["upgrade"]);
    assert!(
        outcome.err.contains("(http): first sup reload"),
        "{outcome:?}"
    );
    sup.must(&["reload"]);
    until("an answer", || get(other, "/health").ok());
    upgrade(&sup);
    assert!(get(other, "/health").is_ok());
    assert!(get(port, "/health").is_err());
}

// ---- the way in ------------------------------------------------------------------------

#[test]
fn a_way_in_that_was_deleted_is_made_again_before_and_after() {
    let sup = TestBox::up(&format!("[child.a]\n{SLEEPER}"));
    let pid = sup.pid("a");
    let process = nix::unistd::Pid::from_raw(sup.sup().pid);
    for told in 1..=2 {
        std::fs::remove_dir_all(sup.path("r")).unwrap();
        nix::sys::signal::kill(process, Sig::SIGUSR2).unwrap();
        until("it to answer", || {
            (sup.ask(&["status"]).code != 3).then_some(())
        });
        upgrade(&sup);
        assert_eq!(sup.pid("a"), pid, "{told}");
    }
    let second = sup.ask(&["run"]);
    assert!(second.err.contains("another sup is running"), "{second:?}");
}

// ---- what is recorded ------------------------------------------------------------------

#[test]
fn a_journal_goes_on_and_is_played_as_it_was_lived() {
    let mut sup = TestBox::new(&format!(
        "[child.a]\n{SLEEPER}[child.slow]\n{}\nready = {{ descriptor = 3 }}\n\
         [child.job]\ncommand = [\"true\"]\n\
         [child.flaky]\ncommand = [\"false\"]\nbackoff = {{ first = \"1h\", longest = \"1h\" }}\n\
         [child.far]\n{SLEEPER}wait-path = \"$DIR/a, b %\"\n\
         [group.g]\nstrategy = \"rest-for-one\"\nmembers = [\"a\", \"slow\"]\n",
        sh("until test -e $DIR/go; do sleep 0.02; done; echo >&3; exec sleep 1000")
    ));
    let journal = sup.name("journal");
    let words = ["run", "--journal", &journal];
    let program = Program::start(&mut sup.command(&words), None);
    sup.adopt(program);
    sup.wait_state("slow", "readying");
    sup.wait_state("flaky", "backoff");
    sup.wait_state("job", "finished");
    sup.must(&["stop", "--for", "1h", "a"]);
    upgrade(&sup);
    sup.write("go", "");
    sup.must(&["start", "a"]);
    sup.wait_state("slow", "up");
    sup.write("a, b %", "");
    sup.wait_state("far", "up");
    sup.signal("slow", Sig::SIGKILL);
    sup.wait_run("slow", 2);
    // Killed, too: the next one knows what had been decided.
    sup.kill_sup_only();
    let program = Program::start(&mut sup.command(&words), None);
    sup.adopt(program);
    sup.wait_state("flaky", "backoff");
    assert_eq!(sup.end(), 0);
    let text = sup.read("journal");
    for expected in [
        "\nhandover ",
        "\nadopted slow#2 ",
        "\ndecided flaky#1 waits until ",
        "\ndecided job#1 finished clean\n",
        " paths far there -> ",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    let played = run(&mut common::sup(&["replay", "--quiet", &journal]));
    assert_eq!(played.code, 0, "{played:?}\n{text}");
    assert!(played.out.contains("of 3 lives"), "{played:?}");
}
