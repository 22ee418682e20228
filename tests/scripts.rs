//! The scripts that lie on boxes: with the shell of this machine, and with BusyBox's where
//! it is installed.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sup::os::clock;
use tempfile::TempDir;

/// The shells that there are: each a program and its first arguments.
fn shells() -> Vec<Vec<&'static str>> {
    let mut shells = vec![vec!["sh"]];
    if Command::new("busybox").arg("true").output().is_ok() {
        shells.push(vec!["busybox", "ash"]);
    }
    shells
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name)
}

/// A folder of tools that write down what they are called with and given.
fn spies(folder: &Path, names: &[&str]) -> PathBuf {
    let tools = folder.join("tools");
    fs::create_dir(&tools).unwrap();
    for name in names {
        let told = folder.join(name);
        let text = format!(
            "#!/bin/sh\nfor word; do printf '%s\\n' \"$word\"; done >{told}.args\ncat >{told}.input\n",
            told = told.display()
        );
        let path = tools.join(name);
        fs::write(&path, text).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }
    tools
}

fn notify(shell: &[&str], folder: &Path, env: &[(&str, &str)], message: &str) -> Output {
    let path = format!(
        "{}:{}",
        folder.join("tools").display(),
        std::env::var("PATH").unwrap()
    );
    Command::new(shell[0])
        .args(&shell[1..])
        .arg(script("notify.sh"))
        .arg(message)
        .env("PATH", path)
        .env("SUP_NOTIFY_LOG", folder.join("notifications.log"))
        .envs(env.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn notify_appends_a_line_and_prints_it() {
    for shell in shells() {
        let folder = TempDir::new().unwrap();
        for message in ["first", "a \"second\" with \\ and $HOME and %s"] {
            let output = notify(&shell, folder.path(), &[], message);
            assert!(output.status.success(), "{shell:?}: {output:?}");
            let line = String::from_utf8(output.stdout).unwrap();
            // [2026-05-01 12:34:56] message
            let shape: String = line[..22]
                .chars()
                .map(|c| if c.is_ascii_digit() { '0' } else { c })
                .collect();
            assert_eq!(shape, "[0000-00-00 00:00:00] ", "{shell:?}");
            assert_eq!(line[22..].trim_end_matches('\n'), message, "{shell:?}");
            let log = fs::read_to_string(folder.path().join("notifications.log")).unwrap();
            assert!(log.ends_with(&line), "{shell:?}: {log}");
        }
        let log = fs::read_to_string(folder.path().join("notifications.log")).unwrap();
        assert_eq!(log.lines().count(), 2, "{shell:?}");
    }
}

#[test]
fn notify_posts_json_and_shows_no_address_to_ps() {
    const SECRET: &str = "https://hooks.example/T000/very-secret";
    let message = "say \"hi\" \\ to\tyou\nand me \u{7}ünd";
    for shell in shells() {
        let folder = TempDir::new().unwrap();
        spies(folder.path(), &["curl"]);
        for (variable, key) in [
            ("SLACK_WEBHOOK_URL", "text"),
            ("DISCORD_WEBHOOK_URL", "content"),
        ] {
            let output = notify(&shell, folder.path(), &[(variable, SECRET)], message);
            assert!(output.status.success(), "{shell:?}: {output:?}");
            let args = fs::read_to_string(folder.path().join("curl.args")).unwrap();
            let input = fs::read_to_string(folder.path().join("curl.input")).unwrap();
            assert!(!args.contains("very-secret"), "{shell:?}: {args}");
            assert_eq!(input, format!("url = \"{SECRET}\"\n"), "{shell:?}");
            let json = args.lines().last().unwrap();
            let read: serde_json::Value = serde_json::from_str(json).unwrap();
            assert_eq!(read[key], "say \"hi\" \\ to you\nand me ünd", "{shell:?}");
        }
    }
}

#[test]
fn notify_mails_the_message_and_the_facts() {
    for shell in shells() {
        let folder = TempDir::new().unwrap();
        spies(folder.path(), &["sendmail"]);
        let env = [("ALERT_EMAIL", "me@example.org"), ("SUP_CHILD", "media")];
        let output = notify(
            &shell,
            folder.path(),
            &env,
            "media crashed\nBcc: all@example.org",
        );
        assert!(output.status.success(), "{shell:?}: {output:?}");
        let mail = fs::read_to_string(folder.path().join("sendmail.input")).unwrap();
        let (head, body) = mail.split_once("\n\n").unwrap();
        assert!(
            head.contains("Subject: [sup] media crashed"),
            "{shell:?}: {head}"
        );
        assert!(!head.contains("Bcc"), "{shell:?}: {head}");
        assert!(body.contains("SUP_CHILD=media"), "{shell:?}: {body}");
    }
}

#[test]
fn notify_that_cannot_write_still_prints_and_says_so() {
    for shell in shells() {
        let folder = TempDir::new().unwrap();
        let env = [("SUP_NOTIFY_LOG", "/no/such/folder/log")];
        let output = notify(&shell, folder.path(), &env, "hello");
        assert_eq!(output.status.code(), Some(1), "{shell:?}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("hello"));
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write"));
    }
}

/// A hook with its two paths filled in, for the fake box below `home`.
fn filled(template: &str, home: &Path) -> String {
    let text = fs::read_to_string(script(template)).unwrap();
    let path = |name: &str| home.join(name).to_str().unwrap().to_owned();
    text.replace("@SUP@", &path("sup"))
        .replace("@CONFIG@", &path("sup.toml"))
}

/// A folder with a sup and a configuration, as on a box.
fn home() -> TempDir {
    let home = TempDir::new_in("/tmp").unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sup"), home.path().join("sup")).unwrap();
    let config = "runtime = \"run\"\n[child.a]\ncommand = [\"sleep\", \"86400\"]\n";
    fs::write(home.path().join("sup.toml"), config).unwrap();
    home
}

/// The init script with the verbs of the LSB and of boxes, on a real sup.
#[test]
fn init_starts_once_tells_the_status_and_stops() {
    for shell in shells() {
        let home = home();
        let path = home.path().join("init");
        fs::write(&path, filled("init", home.path())).unwrap();
        let init = |verb: &str| {
            let mut command = Command::new(shell[0]);
            let command = command.args(&shell[1..]).arg(&path).arg(verb);
            let output = command.output().unwrap();
            (output.status.code(), output)
        };
        // Right, the code that a box would see.
        let story = [
            ("stop", 0),
            ("status", 3),
            ("try-restart", 0),
            ("reload", 7),
            ("force-reload", 7),
            ("status", 3),
            ("start", 0),
            ("start", 0),
            ("status", 0),
            ("reload", 0),
            ("force-reload", 0),
            ("restart", 0),
            ("try-restart", 0),
            ("status", 0),
            ("remove", 0),
            ("stop", 0),
            ("stop", 0),
            ("status", 3),
            ("bogus", 2),
        ];
        for (verb, code) in story {
            let (seen, output) = init(verb);
            assert_eq!(seen, Some(code), "{shell:?} {verb}: {output:?}");
        }
        let config = home.path().join("sup.toml");
        fs::write(&config, "[child.a]\n").unwrap();
        assert_eq!(init("start").0, Some(6), "{shell:?}: mistakes");
        fs::remove_file(&config).unwrap();
        assert_eq!(init("start").0, Some(6), "{shell:?}: no configuration");
        fs::remove_file(home.path().join("sup")).unwrap();
        assert_eq!(init("status").0, Some(4), "{shell:?}: no binary");
    }
}

/// A volume that comes after boot: `start` returns at once, and sup comes up when it can.
#[test]
fn init_waits_for_the_binary_and_not_in_boots_way() {
    let home = home();
    let (binary, away) = (home.path().join("sup"), home.path().join("away"));
    fs::rename(&binary, &away).unwrap();
    let path = home.path().join("init");
    fs::write(&path, filled("init", home.path())).unwrap();
    let init = |verb: &str| {
        let mut command = Command::new("sh");
        command.arg(&path).arg(verb).output().unwrap().status.code()
    };
    let before = clock::now();
    assert_eq!(init("start"), Some(0));
    assert!(clock::now() - before < common::ms(2_000));
    fs::rename(&away, &binary).unwrap();
    common::until("sup to come up", || {
        (init("status") == Some(0)).then_some(())
    });
    assert_eq!(init("stop"), Some(0));
}

/// Every hook, each with the files in which it leaves its mark.
const HOOKS: [(&str, &[&str]); 11] = [
    ("qnap", &["tmp/nasconfig_tmp/autorun.sh"]),
    ("synology", &["usr/local/etc/rc.d/sup.sh"]),
    ("asustor", &["usr/local/etc/init.d/S99sup"]),
    ("entware", &["opt/etc/init.d/S99sup"]),
    ("unraid", &["boot/config/go"]),
    ("truenas", &["midclt"]),
    (
        "wd",
        &[
            "mnt/HD/HD_a2/Nas_Prog/sup/start.sh",
            "mnt/HD/HD_a2/Nas_Prog/sup/stop.sh",
        ],
    ),
    ("openwrt", &["etc/init.d/sup"]),
    ("openrc", &["etc/init.d/sup"]),
    ("systemd", &["etc/systemd/system/sup.service"]),
    ("cron", &["crontab"]),
];

/// The tools of boxes, played: what they were told is kept in a file by their name.
const TOOLS: [(&str, &str); 9] = [
    ("etc/rc.common", ". \"$1\"; echo \"$2\" >>$ROOT/rc"),
    ("midclt", "echo \"$@\" >>$ROOT/midclt"),
    ("systemctl", "echo \"$@\" >>$ROOT/systemctl"),
    ("rc-update", "echo \"$@\" >>$ROOT/rc-update"),
    ("rc-service", "echo \"$@\" >>$ROOT/rc-service"),
    ("sbin/setcfg", "echo \"$@\" >>$ROOT/setcfg"),
    ("etc/init.d/init_disk.sh", "echo \"$@\" >>$ROOT/init_disk"),
    ("sup", "echo \"#!/bin/sh\"; echo \"# sup: $*\""),
    (
        "crontab",
        "case $1 in -l) cat $ROOT/crontab ;; *) cat >$ROOT/new && mv $ROOT/new $ROOT/crontab ;; esac",
    ),
];

/// A fake box: folders that real ones have, and the tools.
fn fake_box() -> TempDir {
    let root = TempDir::new_in("/tmp").unwrap();
    let folders = [
        "tmp/nasconfig_tmp",
        "usr/local/etc/rc.d",
        "usr/local/etc/init.d",
        "opt/etc/init.d",
        "boot/config",
        "mnt/HD/HD_a2/Nas_Prog",
        "etc/init.d",
        "etc/systemd/system",
        "sbin",
        "tools",
    ];
    for folder in folders {
        fs::create_dir_all(root.path().join(folder)).unwrap();
    }
    for (name, does) in TOOLS {
        let dir = if name.contains('/') { "" } else { "tools" };
        let path = root.path().join(dir).join(name);
        let does = does.replace("$ROOT", root.path().to_str().unwrap());
        fs::write(&path, format!("#!/bin/sh\n{does}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(&path, mode).unwrap();
    }
    fs::write(
        root.path().join("boot/config/go"),
        "#!/bin/bash\nemhttp &\n",
    )
    .unwrap();
    fs::write(root.path().join("crontab"), "0 4 * * * /sbin/hwclock -s\n").unwrap();
    root
}

/// A hook as it would be run on the fake box: its absolute paths lead there.
fn on_fake_box(text: &str, root: &Path) -> String {
    // Those that end as another one does come first.
    let places = [
        "/usr/local/etc/",
        "/opt/etc/",
        "/etc/init.d/",
        "/etc/rc.common",
        "/etc/systemd/",
        "/tmp/nasconfig_tmp/",
        "/boot/config/",
        "/mnt/HD/",
        "/sbin/setcfg",
    ];
    let moved = places.iter().fold(text.to_owned(), |text, place| {
        text.replace(place, &format!("@ROOT@{}", place.replace('/', "@")))
    });
    let moved = places.iter().fold(moved, |text, place| {
        text.replace(&place.replace('/', "@"), place)
    });
    moved
        .replace("@ROOT@", root.to_str().unwrap())
        .replace("@SUP@", root.join("tools/sup").to_str().unwrap())
        .replace("@CONFIG@", "/volume1/sup.toml")
}

fn run_hook(shell: &[&str], text: &str, root: &Path) -> Output {
    let path = format!(
        "{}:{}",
        root.join("tools").display(),
        std::env::var("PATH").unwrap()
    );
    let mut command = Command::new(shell[0]);
    let command = command.args(&shell[1..]).args(["-e", "-c", text]);
    command.env("PATH", path).output().unwrap()
}

/// Each hook, twice, and then its removal, which stands behind `# Remove` as a comment.
#[test]
fn hooks_can_be_set_twice_bear_the_mark_and_leave_nothing_behind() {
    for shell in shells() {
        for (name, marked) in HOOKS {
            let root = fake_box();
            let text = fs::read_to_string(script("hooks").join(name)).unwrap();
            let text = on_fake_box(&text, root.path());
            let (_, removal) = text.split_once("# Remove").unwrap();
            let mark = |file: &str| {
                let text = fs::read_to_string(root.path().join(file)).unwrap_or_default();
                text.matches("sup: begin")
                    .count()
                    .max(text.matches("sup:").count().min(1))
            };
            for time in 1..=2 {
                let output = run_hook(&shell, &text, root.path());
                assert!(output.status.success(), "{name} {shell:?}: {output:?}");
                for file in marked {
                    assert_eq!(mark(file), 1, "{name} {shell:?}: {file}, time {time}");
                }
            }
            let removal: String = removal
                .lines()
                .filter_map(|line| line.strip_prefix("#   "))
                .map(|line| format!("{line}\n"))
                .collect();
            let output = run_hook(&shell, &removal, root.path());
            assert!(output.status.success(), "{name} {shell:?}: {output:?}");
            for file in marked.iter().filter(|file| **file != "midclt") {
                assert_eq!(mark(file), 0, "{name} {shell:?}: {file} after removal");
            }
            let go = fs::read_to_string(root.path().join("boot/config/go")).unwrap();
            assert_eq!(go, "#!/bin/bash\nemhttp &\n", "{name}");
            let crontab = fs::read_to_string(root.path().join("crontab")).unwrap();
            assert!(crontab.contains("hwclock"), "{name}: {crontab}");
        }
    }
}

/// BusyBox 1.01, as QNAP has it, knows less than a shell of today.
#[test]
fn hooks_ask_nothing_that_an_old_busybox_lacks() {
    let names = HOOKS.iter().map(|(name, _)| format!("hooks/{name}"));
    for name in names.chain(["init".to_owned()]) {
        let text = fs::read_to_string(script(&name)).unwrap();
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with('#'));
        for line in code {
            for word in [
                "[[",
                "<(",
                "grep -m",
                "nohup",
                "local ",
                "function ",
                "$'",
                "=~",
                "/dev/fd",
            ] {
                assert!(!line.contains(word), "{name}: {word} in {line}");
            }
        }
        assert!(text.contains("sup:"), "{name} bears no mark");
        for shell in shells() {
            let mut command = Command::new(shell[0]);
            let command = command.args(&shell[1..]).arg("-n").arg(script(&name));
            assert!(command.status().unwrap().success(), "{name} {shell:?}");
        }
    }
}
