//! Alerts on their way to people: servers and tools that write down what they are given.

mod common;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use common::old_kernel;
use common::{BOUND, Outcome, Program, Sig, TestBox, exists, kill_all, ms, run, sh, sup, until};
use serde_json::{Value, json};
use sup::os::{clock, kernel};

/// What was asked of a server.
#[derive(Debug)]
struct Asked {
    /// Method and path.
    line: String,
    head: String,
    body: String,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        });
        line.unwrap_or_else(|| panic!("no {name} in {}", self.head))
    }

    fn json(&self) -> Value {
        assert_eq!(self.header("Content-Type"), "application/json");
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("{}", self.body))
    }
}

/// A server that answers everything with one status.
struct Server {
    url: String,
    asked: Receiver<Asked>,
}

impl Server {
    fn answering(status: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (to, asked) = channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if let Some(asked) = take(stream, status)
                    && to.send(asked).is_err()
                {
                    return;
                }
            }
        });
        Self { url, asked }
    }

    fn next(&self) -> Asked {
        self.asked.recv_timeout(BOUND).expect("nobody asked")
    }

    /// How often it was asked besides.
    fn rest(&self) -> usize {
        self.asked.try_iter().count()
    }
}

fn take(mut stream: TcpStream, status: &str) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|l| l.strip_prefix("Content-Length: "));
            let length: usize = length.map_or(0, |length| length.parse().unwrap());
            if body.len() >= length {
                let _left = write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                let (line, head) = head.split_once("\r\n").unwrap();
                return Some(Asked {
                    line: line.strip_suffix(" HTTP/1.1").unwrap().to_owned(),
                    head: head.to_owned(),
                    body: body.to_owned(),
                });
            }
        }
        match stream.read(&mut piece) {
            Ok(length @ 1..) => bytes.extend(&piece[..length]),
            Ok(0) | Err(_) => return None,
        }
    }
}

/// A child that says something and fails, and is not tried again.
const FAILS: &str = "budget = { max-restarts = 0 }\n";

fn failing() -> String {
    let script = sh("echo starting; echo \"no <such> feed\" >&2; exit 7");
    format!("[child.collector]\n{script}\n{FAILS}")
}

const MESSAGE: &str =
    "CRITICAL: collector crashed with exit code 7. Giving up after 0 restarts in 10 minutes";
const OUTPUT: &str = "starting\nno <such> feed";

fn host() -> String {
    kernel::host_name()
}

/// A box whose tools come first in PATH; what they are called with and given is written
/// down beside them.
fn with_tools(config: &str, tools: &[(&str, &str)]) -> TestBox {
    let made = TestBox::new(config);
    std::fs::create_dir(made.path("tools")).unwrap();
    for (name, then) in tools {
        let text = format!(
            "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >>$DIR/{name}.args\n\
             cat >>$DIR/{name}.input\necho >>$DIR/{name}.done\n{then}\n"
        );
        made.program(&format!("tools/{name}"), &text);
    }
    made
}

/// Starts sup with those tools and these variables.
fn start(made: &mut TestBox, env: &[(&str, &str)]) {
    let mut command = made.command(&["run"]);
    let path = format!(
        "{}:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
        made.name("tools")
    );
    command.env("PATH", path).envs(env.iter().copied());
    let program = Program::start(&mut command, None);
    made.adopt(program);
}

// ---- http -------------------------------------------------------------------------------

#[test]
fn a_webhook_gets_everything_as_json() {
    let server = Server::answering("200 OK");
    let alert = format!("[[alert]]\nwebhook = \"{}/hook?x=1\"\n", server.url);
    let _made = TestBox::up(&(failing() + &alert));
    let asked = server.next();
    assert_eq!(asked.line, "POST /hook?x=1");
    let mut body = asked.json();
    let time = body["time"].take();
    assert_eq!(time.as_str().unwrap().len(), "2026-05-01T12:34:56Z".len());
    let expected = json!({
        "host": host(), "time": null, "level": "CRITICAL", "event": "gave-up",
        "subject": "collector", "message": MESSAGE, "output": OUTPUT,
        "facts": {
            "child": "collector", "run": "1", "exit": "exit code 7", "exit_code": "7",
            "restarts": "0", "window_seconds": "600",
        },
    });
    assert_eq!(body, expected);
}

#[test]
fn slack_and_discord_get_their_shapes() {
    let server = Server::answering("200 OK");
    let url = &server.url;
    let alerts = format!("[[alert]]\nslack = \"{url}/s\"\n[[alert]]\ndiscord = \"{url}/d\"\n");
    let _made = TestBox::up(&(failing() + &alerts));
    let mut both = [server.next(), server.next()];
    both.sort_by_key(|asked| asked.line.clone());
    let [discord, slack] = both;
    let text = format!("[{}] {MESSAGE}\n```\n{OUTPUT}\n```", host());
    let mentions = json!({ "parse": [] });
    assert_eq!(discord.line, "POST /d");
    assert_eq!(
        discord.json(),
        json!({ "content": text, "allowed_mentions": mentions })
    );
    assert_eq!(slack.line, "POST /s");
    let text = text.replace('<', "&lt;").replace('>', "&gt;");
    assert_eq!(slack.json(), json!({ "text": text }));
}

#[test]
fn ntfy_and_gotify_get_theirs_and_their_tokens_from_where_they_are_kept() {
    let server = Server::answering("200 OK");
    let url = &server.url;
    let alerts = format!(
        "[[alert]]\nntfy = \"{url}/topic\"\ntoken = {{ file = \"$DIR/token\" }}\noutput = false\n\
         [[alert]]\ngotify = \"{url}/\"\ntoken = \"$GOTIFY_TOKEN\"\n"
    );
    let mut made = with_tools(&(failing() + &alerts), &[]);
    made.write("token", "tk_secret\n");
    set_mode(&made, "token", 0o600);
    start(&mut made, &[("GOTIFY_TOKEN", "A.secret")]);
    let mut both = [server.next(), server.next()];
    both.sort_by_key(|asked| asked.line.clone());
    let [gotify, ntfy] = both;
    let title = format!("sup on {}: CRITICAL", host());
    assert_eq!(ntfy.line, "POST /topic");
    assert_eq!(ntfy.header("Title"), title);
    assert_eq!(ntfy.header("Priority"), "5");
    assert_eq!(ntfy.header("Tags"), "rotating_light");
    assert_eq!(ntfy.header("Authorization"), "Bearer tk_secret");
    assert_eq!(ntfy.body, MESSAGE);
    assert_eq!(gotify.line, "POST /message");
    assert_eq!(gotify.header("X-Gotify-Key"), "A.secret");
    let message = format!("{MESSAGE}\n\n{OUTPUT}");
    let expected = json!({ "title": title, "message": message, "priority": 8 });
    assert_eq!(gotify.json(), expected);
}

fn set_mode(made: &TestBox, name: &str, mode: u32) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
    std::fs::set_permissions(made.path(name), mode).unwrap();
}

#[test]
fn home_assistant_gets_what_an_automation_reads() {
    let server = Server::answering("200 OK");
    let alert = format!(
        "[[alert]]\nhome-assistant = \"{}/api/webhook/x\"\n",
        server.url
    );
    let _made = TestBox::up(&(failing() + &alert));
    let asked = server.next();
    assert_eq!(asked.line, "POST /api/webhook/x");
    assert_eq!(asked.json()["message"], MESSAGE);
    assert_eq!(asked.json()["level"], "CRITICAL");
}

#[test]
fn signs_of_life_come_at_once_in_each_interval_and_say_what_is_down() {
    let (kuma, checks) = (Server::answering("200 OK"), Server::answering("200 OK"));
    let alerts = format!(
        "[[alert]]\nuptime-kuma = \"{}/api/push/token?status=up&msg=OK&ping=\"\ninterval = \"300ms\"\n\
         [[alert]]\nhealthchecks = \"{}/uuid\"\ninterval = \"300ms\"\n",
        kuma.url, checks.url
    );
    let script =
        sh("until test -e $DIR/go; do sleep 0.05; done; exit 7").replace("$DIR", "$HOME_DIR");
    let config =
        format!("[child.collector]\n{script}\nenv = {{ HOME_DIR = \"$DIR\" }}\n{FAILS}{alerts}");
    let made = TestBox::up(&config);
    for _ in 0..3 {
        assert_eq!(
            kuma.next().line,
            "GET /api/push/token?status=up&msg=OK&ping="
        );
        let asked = checks.next();
        assert_eq!((&*asked.line, &*asked.body), ("POST /uuid", "OK"));
    }
    made.write("go", "");
    let down = "GET /api/push/token?status=down&msg=CRITICAL%3A%20collector%20crashed";
    until("Uptime Kuma to hear of it", || {
        kuma.next().line.starts_with(down).then_some(())
    });
    until("Healthchecks to hear of it", || {
        let asked = checks.next();
        (asked.line == "POST /uuid/fail").then(|| assert!(asked.body.starts_with(MESSAGE)))
    });
    made.must(&["stop", "collector"]);
    until("Uptime Kuma to hear that it is over", || {
        kuma.next().line.contains("status=up").then_some(())
    });
    until("Healthchecks to hear that it is over", || {
        (checks.next().line == "POST /uuid").then_some(())
    });
}

#[test]
fn application_insights_gets_incidents_and_figures() {
    let server = Server::answering("200 OK");
    let config = failing()
        + "[child.well]\ncommand = [\"sleep\", \"1000\"]\n\
         [[alert]]\napp-insights = \"$APPLICATIONINSIGHTS_CONNECTION_STRING\"\ninterval = \"200ms\"\n";
    let mut made = with_tools(&config, &[]);
    let connection = format!("InstrumentationKey=k-1;IngestionEndpoint={}/", server.url);
    start(
        &mut made,
        &[("APPLICATIONINSIGHTS_CONNECTION_STRING", &connection)],
    );
    let (mut incident, mut figures) = (None, BTreeMap::new());
    until("an incident and all figures", || {
        let asked = server.next();
        assert_eq!(asked.line, "POST /v2/track");
        for envelope in asked.json().as_array().unwrap() {
            assert_eq!(envelope["iKey"], "k-1");
            let data = &envelope["data"]["baseData"];
            if envelope["data"]["baseType"] == "ExceptionData" {
                incident = Some(data.clone());
            } else {
                let metric = &data["metrics"][0];
                let key = format!("{} {}", metric["name"], data["properties"]["subject"]);
                figures.insert(key.replace('"', ""), metric["value"].as_f64().unwrap());
            }
        }
        let is_over = figures.get("health.service_active collector") == Some(&0.0);
        (incident.is_some() && figures.len() == 4 && is_over).then_some(())
    });
    let exception = &incident.unwrap()["exceptions"][0];
    assert_eq!(exception["typeName"], "health_critical");
    assert_eq!(exception["message"], MESSAGE);
    assert_eq!(figures["health.service_active well"], 1.0);
    assert_eq!(figures["health.crash_count well"], 0.0);

    // What has not changed is measured after a reload, too.
    made.must(&["reload"]);
    let _from_before = server.rest();
    let _on_its_way = server.next();
    let all = figures_of(&server.next());
    assert_eq!(all["health.service_active well"], 1.0);
    assert_eq!(all["health.service_active collector"], 0.0);
}

/// The figures of one batch, by their name and subject.
fn figures_of(asked: &Asked) -> BTreeMap<String, f64> {
    let batch = asked.json();
    let of = |envelope: &Value| {
        let data = &envelope["data"]["baseData"];
        let metric = &data["metrics"][0];
        let key = format!("{} {}", metric["name"], data["properties"]["subject"]);
        Some((key.replace('"', ""), metric["value"].as_f64()?))
    };
    batch.as_array().unwrap().iter().filter_map(of).collect()
}

/// Cron's looks are shorter than any interval.
#[test]
fn a_look_sends_its_figures_when_it_ends() {
    let server = Server::answering("200 OK");
    let made = TestBox::new(&format!(
        "[child.a]\ncommand = [\"sleep\", \"1000\"]\n[[check]]\ndisk = \"/\"\nwarn = \"100%\"\n\
         [[alert]]\napp-insights = \"InstrumentationKey=k;IngestionEndpoint={}/\"\n",
        server.url
    ));
    let outcomes = [(); 2].map(|()| made.ask(&["--once", "--alert"]));
    kill_all(&made.marked());
    for outcome in outcomes {
        assert_eq!(outcome.code, 0, "{outcome:?}");
        let all = figures_of(&server.next());
        assert_eq!(all["health.service_active a"], 1.0, "{all:?}");
        assert!(all["health.disk_usage /"] > 0.0, "{all:?}");
    }
    assert_eq!(server.rest(), 0);
}

#[test]
fn a_server_that_refuses_hangs_or_errs_is_named_once_and_delays_nothing() {
    let erring = Server::answering("500 Internal Server Error");
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let config = format!(
        "[child.a]\n{}\nrestart = \"always\"\nbackoff = {{ first = \"0s\" }}\nbudget = {{ max-restarts = 60 }}\n\
         [[alert]]\nwebhook = \"http://{}/\"\nname = \"hangs\"\n\
         [[alert]]\nwebhook = \"http://{refusing}/\"\nname = \"refuses\"\n\
         [[alert]]\nwebhook = \"{}/\"\nname = \"errs\"\n",
        sh("exit 1"),
        hanging.local_addr().unwrap(),
        erring.url,
    );
    let start = clock::now();
    let made = TestBox::up(&config);
    made.wait_state("a", "gave-up");
    assert!(clock::now() - start < ms(20_000), "{}", made.log());
    made.line("alert refuses: 127.0.0.1:");
    made.line("alert errs: answered 500");
    made.line("alert hangs: no answer in 10s");
    for name in ["refuses", "errs", "hangs"] {
        let lines = made.sup().err.with(&format!("alert {name}"));
        assert_eq!(lines.len(), 1, "{lines:?}");
    }
}

#[test]
fn a_server_that_hangs_does_not_keep_sup_from_ending() {
    let hanging = TcpListener::bind("127.0.0.1:0").unwrap();
    let alert = format!(
        "[[alert]]\nwebhook = \"http://{}/\"\n",
        hanging.local_addr().unwrap()
    );
    let made = TestBox::up(&(failing() + &alert));
    let _asked = hanging.accept().unwrap();
    let asked_to_end = clock::now();
    made.sup().signal(Sig::SIGTERM);
    let (code, ended) = made.sup().end();
    assert_eq!(code, 0);
    assert!(
        ended - asked_to_end < ms(6_000),
        "{:?}",
        ended - asked_to_end
    );
}

#[test]
fn an_answer_that_will_not_change_is_not_asked_for_again() {
    let server = Server::answering("404 Not Found");
    let alert = format!("[[alert]]\nwebhook = \"{}/\"\n", server.url);
    let mut made = TestBox::up(&(failing() + &alert));
    made.line("alert webhook: answered 404");
    assert_eq!(made.end(), 0);
    assert_eq!(server.asked.iter().take(1).count(), 1);
    assert_eq!(server.rest(), 0);
}

// ---- tools of the box -------------------------------------------------------------------

#[test]
fn https_goes_through_curl_and_shows_no_secret_to_ps() {
    let config = failing() + "[[alert]]\nslack = \"https://hooks.example/T0/very-secret\"\n";
    let mut made = with_tools(&config, &[("curl", "echo; echo 200")]);
    start(&mut made, &[]);
    made.wait_lines("curl.done", 1);
    assert_eq!(made.read("curl.args"), "--config\n-\n");
    let input = made.read("curl.input");
    assert!(
        input.contains("\nurl = \"https://hooks.example/T0/very-secret\"\n"),
        "{input}"
    );
    assert!(input.contains("\nproto = \"=https\"\n"), "{input}");
    let body = format!("[{}] {MESSAGE}", host());
    assert!(
        input.contains(&format!("data-binary = \"{{\\\"text\\\":\\\"{body}")),
        "{input}"
    );
    assert!(!made.log().contains("very-secret"), "{}", made.log());
}

#[test]
fn a_real_curl_reads_what_we_write() {
    // This machine's curl is not made for the kernel that we play.
    if !exists("/usr/bin/curl".as_ref()) || old_kernel::is_played() {
        return;
    }
    // What is asked of https is asked of a server that speaks none: curl gets as far as
    // that, which it does not with a configuration that it cannot read.
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let alert = format!("[[alert]]\nwebhook = \"https://{address}/x\"\n");
    let made = TestBox::up(&(failing() + &alert));
    let (mut stream, _) = server.accept().unwrap();
    let mut hello = [0; 3];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(hello[0], 22, "a TLS handshake");
    drop(stream);
    drop(server);
    made.line("alert webhook: curl: (");
}

#[test]
fn mail_goes_through_sendmail() {
    let config = failing() + "[[alert]]\nmail = [\"me@example.org\", \"you@example.org\"]\n";
    let mut made = with_tools(&config, &[("sendmail", "")]);
    start(&mut made, &[]);
    made.wait_lines("sendmail.done", 1);
    assert_eq!(made.read("sendmail.args"), "-t\n-i\n");
    let mail = made.read("sendmail.input");
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(
        head.starts_with("To: me@example.org, you@example.org\n"),
        "{head}"
    );
    assert!(
        head.contains(&format!("\nSubject: [sup] {}: {MESSAGE}\n", host())),
        "{head}"
    );
    assert!(
        body.starts_with(&format!(
            "{MESSAGE}\n\nIts last output:\n\n{OUTPUT}\n\n-- \n"
        )),
        "{body}"
    );
    assert!(body.contains("\nexit_code: 7\n"), "{body}");
}

#[test]
fn qnap_and_synology_are_told_by_their_own_tools() {
    let config = failing() + "[[alert]]\nqnap = true\n[[alert]]\nsynology = true\n";
    let tools = ["log_tool", "synologset1", "synodsmnotify"].map(|name| (name, ""));
    let mut made = with_tools(&config, &tools);
    start(&mut made, &[]);
    for (name, _) in tools {
        made.wait_lines(&format!("{name}.done"), 1);
    }
    let words = "-t\n2\n-u\nSystem\n-p\n127.0.0.1\n-m\nlocalhost\n-a\n";
    assert_eq!(made.read("log_tool.args"), format!("{words}{MESSAGE}\n"));
    let words = "sys\nerr\n0x11100000\n";
    assert_eq!(made.read("synologset1.args"), format!("{words}{MESSAGE}\n"));
    let title = format!("sup on {}: CRITICAL", host());
    assert_eq!(
        made.read("synodsmnotify.args"),
        format!("@administrators\n{title}\n{MESSAGE}\n")
    );
}

#[test]
fn an_old_qnap_numbers_its_levels_in_its_own_way() {
    let config = failing() + "[[alert]]\nqnap = true\n";
    let mut made = with_tools(&config, &[("write_log", "")]);
    start(&mut made, &[]);
    made.wait_lines("write_log.done", 1);
    assert_eq!(made.read("write_log.args"), format!("{MESSAGE}\n1\n"));
}

#[test]
fn a_program_gets_the_last_lines_and_only_where_that_is_wanted() {
    let script = "#!/bin/sh\n{ echo \"$SUP_EVENT $1\"; echo \"<$SUP_OUTPUT>\"; } >$DIR/$0.told.new; mv $DIR/$0.told.new $DIR/told\n";
    let config = failing()
        + "[[alert]]\nexec = [\"$DIR/tell\"]\n[[alert]]\nexec = [\"$DIR/plain\"]\noutput = false\n";
    let made = TestBox::new(&config);
    made.program(
        "tell",
        &script
            .replace("$DIR/$0.told.new", "$DIR/tell.new")
            .replace("$DIR/told", "$DIR/tell.txt"),
    );
    made.program(
        "plain",
        &script
            .replace("$DIR/$0.told.new", "$DIR/plain.new")
            .replace("$DIR/told", "$DIR/plain.txt"),
    );
    let mut made = made;
    made.start();
    until("both to be told", || {
        (exists(&made.path("tell.txt")) && exists(&made.path("plain.txt"))).then_some(())
    });
    assert_eq!(
        made.read("tell.txt"),
        format!("gave-up {MESSAGE}\n<{OUTPUT}>\n")
    );
    assert_eq!(made.read("plain.txt"), format!("gave-up {MESSAGE}\n<>\n"));
}

#[test]
fn the_environment_alone_names_channels_and_a_configuration_wins_over_it() {
    let server = Server::answering("200 OK");
    let url = format!("{}/env", server.url);
    let env = [
        ("ALERT_EMAIL", "me@example.org"),
        ("ALERT_WEBHOOK_URL", url.as_str()),
    ];
    let mut made = with_tools(&failing(), &[("sendmail", "")]);
    start(&mut made, &env);
    assert_eq!(server.next().json()["message"], MESSAGE);
    made.wait_lines("sendmail.done", 1);
    made.end();

    let told = "[[alert]]\nexec = [\"$DIR/tools/told\"]\n";
    let mut made = with_tools(&(failing() + told), &[("told", ""), ("sendmail", "")]);
    start(&mut made, &env);
    made.wait_lines("told.done", 1);
    made.end();
    assert_eq!(server.rest(), 0);
    assert_eq!(made.read("sendmail.done"), "");
}

#[test]
fn one_command_needs_no_configuration_to_tell() {
    let server = Server::answering("200 OK");
    let mut command = sup(&["--max-restarts", "0", "--", "/bin/sh", "-c", "exit 3"]);
    command.env("ALERT_WEBHOOK_URL", format!("{}/env", server.url));
    assert_eq!(run(&mut command).code, 1);
    let told = server.next().json();
    assert_eq!(
        told["message"],
        "CRITICAL: sh crashed with exit code 3. Giving up after 0 restarts in 10 minutes"
    );
}

// ---- secrets ----------------------------------------------------------------------------

#[test]
fn a_secret_that_everybody_can_open_or_nobody_has_is_not_used() {
    let server = Server::answering("200 OK");
    let alerts = format!(
        "[[alert]]\nntfy = \"{0}/x\"\ntoken = {{ file = \"$DIR/open\" }}\nname = \"open\"\n\
         [[alert]]\nntfy = \"{0}/x\"\ntoken = \"$NO_SUCH_VARIABLE\"\nname = \"none\"\n",
        server.url
    );
    let mut made = with_tools(&(failing() + &alerts), &[]);
    made.write("open", "tk_secret\n");
    set_mode(&made, "open", 0o644);
    start(&mut made, &[]);
    made.line("open: everybody can open it; type: chmod 600");
    made.line("alert none: $NO_SUCH_VARIABLE is not in sup's environment");
    assert_eq!(server.rest(), 0);
}

// ---- sup alert test -----------------------------------------------------------------------

fn sorted(outcome: &Outcome) -> Vec<&str> {
    let mut lines: Vec<&str> = outcome.out.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_test_goes_through_every_channel_and_says_what_each_answered() {
    let (good, bad) = (
        Server::answering("204 No Content"),
        Server::answering("403 Forbidden"),
    );
    let config = format!(
        "[child.a]\ncommand = [\"sleep\", \"1000\"]\n\
         [[alert]]\nntfy = \"{}/x\"\nlevel = \"critical\"\nquiet = \"00:00-23:59\"\n\
         [[alert]]\nwebhook = \"{}/x\"\n[[alert]]\nexec = [\"$DIR/no/such\"]\n\
         [[alert]]\nqnap = true\n",
        good.url, bad.url
    );
    let mut made = with_tools(&config, &[("log_tool", "echo logged")]);
    start(&mut made, &[]);
    let outcome = made.ask(&["alert", "test"]);
    assert_eq!(outcome.code, 1, "{outcome:?}");
    let lines = sorted(&outcome);
    assert!(lines[0].starts_with("exec: NOT taken: "), "{lines:?}");
    assert!(lines[0].contains("/no/such: "), "{lines:?}");
    let expected = [
        "ntfy: taken: answered 204",
        "qnap: taken: logged",
        "webhook: NOT taken: answered 403",
    ];
    assert_eq!(lines[1..], expected);
    assert_eq!(
        good.next().body,
        "INFO: this is a test of sup's alerts; nothing is wrong"
    );
}

#[test]
fn a_test_without_channels_or_with_another_word_says_what_to_do() {
    let made = TestBox::up("[child.a]\ncommand = [\"sleep\", \"1000\"]\n");
    let outcome = made.ask(&["alert", "test"]);
    assert_eq!(outcome.code, 1);
    assert!(outcome.err.contains("there is no [[alert]]"), "{outcome:?}");
    let outcome = made.ask(&["alert", "tset"]);
    assert_eq!(outcome.code, 2);
    assert!(outcome.err.contains("knows one word: test"), "{outcome:?}");
}

// ---- over a restart of sup ----------------------------------------------------------------

#[test]
fn the_next_sup_repeats_nothing_and_a_reload_neither() {
    let server = Server::answering("200 OK");
    let alert = format!(
        "[[alert]]\nwebhook = \"{}/x\"\nlevel = \"info\"\nrestarts = 1\n",
        server.url
    );
    let config = failing() + &alert;
    let mut made = TestBox::up(&config);
    assert_eq!(server.next().json()["message"], MESSAGE);
    made.wait_state("collector", "gave-up");
    made.configure(&(config.clone() + "[[alert]]\nqnap = true\n"));
    made.must(&["reload"]);
    made.configure(&config);
    made.must(&["reload"]);
    made.end();
    made.start();
    // After a shutdown its state is as it was; after a kill, too.
    made.kill_sup();
    made.start();
    assert_eq!(made.child("collector")["state"], "gave-up");
    made.must(&["alert", "test"]);
    let next = server.next().json();
    assert_eq!(next["event"], "test", "{next}");
    made.must(&["stop", "collector"]);
    let next = server.next().json();
    assert_eq!(next["message"], "INFO: collector has been stopped by hand");
    assert_eq!(server.rest(), 0);
}

/// Of what the log says, the lines that hold this.
fn lines_with(sup: &TestBox, text: &str) -> usize {
    let log = sup.log();
    log.lines().filter(|line| line.contains(text)).count()
}

#[test]
fn what_becomes_of_an_incident_is_an_event_and_stands_in_the_log_once() {
    let sup = TestBox::up(
        "crash-loop = 3\n\
         [child.a]\ncommand = [\"sh\", \"-c\", \"exit 1\"]\nbackoff = { first = \"0s\" }\n\
         budget = { max-restarts = 5 }\n\
         [child.b]\ncommand = [\"sh\", \"-c\", \"exit 2\"]\n\
         budget = { max-restarts = 0, on-limit = \"escalate\" }\n\
         [group.g]\nmembers = \"b\"\nbudget = { max-restarts = 0 }\n",
    );
    sup.wait_state("a", "gave-up");
    let failed = "g (one-for-one): b crashed with exit code 2. Giving up";
    sup.line(failed);
    let events = sup.must(&["events", "-n", "100"]);
    let looping = "WARNING: a keeps crashing: 4 restarts within an hour";
    assert_eq!(events.matches(looping).count(), 1, "{events}");
    assert_eq!(lines_with(&sup, looping), 1);
    assert_eq!(events.matches(failed).count(), 1, "{events}");
    assert_eq!(lines_with(&sup, failed), 1, "{}", sup.log());
}

#[test]
fn what_an_earlier_sup_knew_of_is_over_in_the_history_of_this_one() {
    let mut sup = TestBox::up(
        "[[check]]\nname = \"beat\"\nexec = [\"test\", \"-e\", \"$DIR/well\"]\n\
         interval = \"100ms\"\nretries = 1\n[child.a]\ncommand = [\"sleep\", \"1000\"]\n",
    );
    sup.line("this box is critical (check beat)");
    assert_eq!(sup.end(), 0);
    sup.write("well", "");
    sup.start();
    sup.line("INFO: beat of host is as it should be again");
    let events = sup.must(&["events"]);
    assert!(
        events.contains("INFO: beat of host is as it should be again"),
        "{events}"
    );
}
