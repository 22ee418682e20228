//! `sup demo`: a small tree of programs lives, crashes and recovers before one's eyes.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::args::Flags;
use super::ask::{say, story, whole_status};
use super::branches::Pen;
use super::client::Client;
use super::detach::detach;
use super::{Code, Failed, show, style};
use crate::model::standing::Standing;
use crate::os::clock;
use crate::wire::control::{Reply, Request};

/// What the demo runs; also a first configuration to read.
pub(super) const CONFIG: &str = include_str!("demo.toml");

/// Runs the demo and shows it.
pub(super) fn demo(flags: &Flags) -> Result<Code, Failed> {
    let dir = make_dir()
        .map_err(|error| Failed::failure(format!("making a directory for the demo: {error}")))?;
    let result = play(&dir, flags);
    let _left = fs::remove_dir_all(&dir);
    result
}

fn make_dir() -> std::io::Result<PathBuf> {
    let dir = std::env::temp_dir().join(format!("sup-demo-{}", std::process::id()));
    DirBuilder::new().mode(0o700).create(&dir)?;
    fs::write(dir.join("sup.toml"), CONFIG)?;
    Ok(dir)
}

fn play(dir: &std::path::Path, flags: &Flags) -> Result<Code, Failed> {
    let config = dir.join("sup.toml");
    say(&format!(
        "The configuration:\n\n{CONFIG}\nWhat happens, as `sup events -f` shows it:\n\n"
    ));
    detach(&config, flags)?;
    let runtime = dir.join("run");
    let shown = watch(&runtime);
    let status = whole_status(&runtime);
    let told = ["pipeline", "hopeless"].map(|name| (name, story(&runtime, name)));
    let mut client = Client::ask(&runtime, &Request::Shutdown)?;
    while client.reply().is_some() {}
    shown?;
    say(&format!(
        "\n`sup status` at the end:\n\n{}",
        table(&status?)
    ));
    for (name, told) in told {
        say(&format!("\n`sup why {name}`:\n\n{}", told?));
    }
    say("\nAll stopped, nothing left behind.\n");
    Ok(Code::Success)
}

fn table(standing: &Standing) -> String {
    show::status(standing, Pen::fitting(), style::is_wanted())
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
            say(&format!("\n{}\n", table(&whole_status(runtime)?)));
        }
    }
    Ok(())
}
