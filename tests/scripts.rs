//! The scripts that lie on boxes: with the shell of this machine, and with BusyBox's where
//! it is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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

/// `scripts/init` with the verbs that boxes use, on a real sup.
#[test]
fn init_starts_once_tells_the_status_and_stops() {
    for shell in shells() {
        let folder = TempDir::new().unwrap();
        let home = folder.path();
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_sup"), home.join("sup")).unwrap();
        let config = "runtime = \"run\"\n[child.a]\ncommand = [\"sleep\", \"86400\"]\n";
        fs::write(home.join("sup.toml"), config).unwrap();
        let init = |verb: &str| {
            let output = Command::new(shell[0])
                .args(&shell[1..])
                .arg(script("init"))
                .arg(verb)
                .env("SUP_HOME", home)
                .output()
                .unwrap();
            (output.status.code(), output)
        };
        // Left, the code that a box would see.
        let story = [
            ("stop", 0),
            ("status", 3),
            ("start", 0),
            ("start", 0),
            ("status", 0),
            ("restart", 0),
            ("status", 0),
            ("remove", 0),
            ("stop", 0),
            ("status", 3),
            ("bogus", 2),
        ];
        for (verb, code) in story {
            let (seen, output) = init(verb);
            assert_eq!(seen, Some(code), "{shell:?} {verb}: {output:?}");
        }
    }
}
