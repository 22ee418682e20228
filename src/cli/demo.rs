//! `sup demo`: three programs live, crash and recover before one's eyes.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::ask::{say, whole_status};
use super::client::Client;
use super::{Code, Failed, show, style};
use crate::os::clock;
use crate::wire::control::{Reply, Request};

/// What the demo runs; also a first configuration to read.
pub(super) const CONFIG: &str = include_str!("demo.toml");

/// Runs the demo and shows it.
pub(super) fn demo() -> Result<Code, Failed> {
    let dir = make_dir()
        .map_err(|error| Failed::failure(format!("making a directory for the demo: {error}")))?;
    let result = play(&dir);
    let _left = fs::remove_dir_all(&dir);
    result
}

fn make_dir() -> std::io::Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("sup-demo-{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&dir)?;
    fs::write(dir.join("sup.toml"), CONFIG)?;
    Ok(dir)
}

fn play(dir: &std::path::Path) -> Result<Code, Failed> {
    let config = dir.join("sup.toml");
    say(&format!(
        "The configuration:\n\n{CONFIG}\nWhat happens, as `sup events -f` shows it:\n\n"
    ));
    let mut sup = Command::new("/proc/self/exe");
    sup.arg("run")
        .arg("--detach")
        .arg("--config")
        .arg(&config)
        .stdin(Stdio::null());
    let up = sup
        .status()
        .map_err(|error| Failed::failure(format!("starting sup: {error}")))?;
    if !up.success() {
        return Err(Failed::failure("the demo did not start"));
    }
    let runtime = dir.join("run");
    let shown = watch(&runtime);
    let status = whole_status(&runtime);
    let mut client = Client::ask(&runtime, &Request::Shutdown)?;
    while client.reply().is_some() {}
    shown?;
    let (sup, children) = status?;
    say(&format!(
        "\n`sup status` at the end:\n\n{}",
        show::status(&sup, &children, style::is_wanted())
    ));
    for child in children.iter().filter(|child| child.name == "hopeless") {
        say(&format!(
            "\n`sup why hopeless`:\n\n{}",
            show::why(child, style::is_wanted())
        ));
    }
    say("\nAll stopped, nothing left behind.\n");
    Ok(Code::Success)
}

/// Shows events until the one has recovered and the other is given up, with the status
/// in between.
fn watch(runtime: &std::path::Path) -> Result<(), Failed> {
    let mut client = Client::ask(
        runtime,
        &Request::Events {
            count: u32::MAX,
            follow: true,
        },
    )?;
    let (mut recovered, mut given_up) = (false, false);
    while !(recovered && given_up) {
        let Some(Reply::Event { wall, text }) = client.reply() else {
            return Err(Failed::failure("the demo's sup has ended early"));
        };
        say(&format!("{}  {text}\n", clock::utc(wall)));
        recovered |= text.contains("flaky has settled");
        given_up |= text.contains("Giving up");
        if text.contains("flaky crashed") {
            let (sup, children) = whole_status(runtime)?;
            say(&format!(
                "\n{}\n",
                show::status(&sup, &children, style::is_wanted())
            ));
        }
    }
    Ok(())
}
