//! A new configuration, from the same file: all of it or nothing.

use super::core::Core;
use crate::config;
use crate::model::{ChildId, Uptime};
use crate::policy::{Change, Event, plan};
use crate::wire::control::Reply;

/// Reads the configuration again and carries it out, or only says what would happen.
///
/// # Errors
/// Every mistake in it, in words; then nothing has changed.
pub(super) fn reload(core: &mut Core, dry_run: bool, now: Uptime) -> Result<Vec<Reply>, String> {
    let Some(path) = core.config.clone() else {
        return Err("there is no configuration to reload".to_owned());
    };
    let loaded = config::load(&path).map_err(|mistakes| mistakes.to_string())?;
    let children = loaded.spec.children.into_vec();
    let changes = plan(&core.supervisor, &children);
    let mut replies: Vec<Reply> = changes
        .iter()
        .map(|(name, change)| planned(name, *change))
        .collect();
    replies.extend(
        loaded
            .warnings
            .iter()
            .map(|warning| Reply::Warning(warning.to_string())),
    );
    let settings = &loaded.spec.settings;
    if (&settings.state, &settings.runtime) != (&core.settings.state, &core.settings.runtime) {
        let words = "a new state or runtime directory takes effect when sup is started again";
        replies.push(Reply::Warning(words.to_owned()));
    }
    if !dry_run {
        core.supervisor
            .reload(children, settings.shutdown_timeout, now);
        if settings.alerts != core.settings.alerts {
            core.use_alerts(settings.alerts.clone());
        }
        core.settings.alerts.clone_from(&settings.alerts);
        adjust_outputs(core);
        core.turn(Event::Tick, now);
    }
    Ok(replies)
}

fn planned(name: &str, change: Change) -> Reply {
    let change = match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Restarted => "restarted",
        Change::Adjusted => "adjusted",
        Change::Kept => "kept",
    };
    Reply::Planned {
        child: name.to_owned(),
        change: change.to_owned(),
    }
}

fn adjust_outputs(core: &mut Core) {
    for place in 0..core.supervisor.places() {
        let id = ChildId(u16::try_from(place).unwrap_or(u16::MAX));
        let configured = core.supervisor.children().any(|(known, _, _)| known == id);
        if configured || !core.supervisor.child(id).phase().is_alive() {
            let spec = configured.then(|| core.supervisor.spec(id));
            core.outputs.adjust(id, spec);
        }
    }
}
