//! One message through one channel: how, how often, and what became of it.

use std::rc::Rc;
use std::time::Duration;

use super::fault::Fault;
use super::http::{self, Request};
use super::insights::{self, Figure};
use super::presets::{self, Around};
use super::secret::reveal;
use super::{curl, exec, mail, nas};
use crate::model::alert::{AlertSpec, Channel};
use crate::model::words::Telling;
use crate::os::{Timer, clock, kernel, say};

/// Before the second try, the third and so on: a box that has just booted may have no
/// network yet, and a server may be restarted.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
];

/// A channel's voice, which fails aloud only once.
pub(super) struct Voice {
    spec: AlertSpec,
    is_failing: bool,
}

impl Voice {
    pub(super) fn new(spec: AlertSpec) -> Self {
        Self {
            spec,
            is_failing: false,
        }
    }

    /// Tells people, and again where that may help.
    pub(super) async fn tell(&mut self, telling: &Rc<Telling>) {
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            let result = tell(&self.spec, telling).await;
            let passes = result.as_ref().is_err_and(|fault| fault.passes);
            self.note(result);
            match pause {
                Some(pause) if passes => {
                    Timer::after(pause).await;
                }
                Some(_) | None => return,
            }
        }
    }

    /// Tells a service that we live, and what is critical.
    pub(super) async fn beat(&mut self, worst: Option<Rc<Telling>>) {
        let result = beat(&self.spec, worst.as_deref()).await;
        self.note(result);
    }

    /// Hands in figures.
    pub(super) async fn measured(&mut self, figures: &[Figure]) {
        if let (Channel::AppInsights(connection), false) = (&self.spec.channel, figures.is_empty())
        {
            let result = async {
                let connection = reveal(connection).await?;
                let request = insights::measured(&connection, figures, &here().around())?;
                ask(&request).await
            };
            let result = result.await;
            self.note(result);
        }
    }

    /// A failure is said once, and that it is over.
    fn note(&mut self, result: Result<String, Fault>) {
        let name = &self.spec.name;
        match (result, self.is_failing) {
            (Err(fault), false) => {
                say::warning(format_args!("alert {name}: {fault}"));
            }
            (Ok(_), true) => say::news(format_args!("alert {name} works again")),
            (Ok(_), false) => return,
            (Err(_), true) => return,
        }
        self.is_failing = !self.is_failing;
    }
}

/// What a box says of itself.
struct Here {
    host: String,
    time: String,
}

fn here() -> Here {
    Here {
        host: kernel::host_name(),
        time: clock::utc(clock::wall()),
    }
}

impl Here {
    fn around(&self) -> Around<'_> {
        Around {
            host: &self.host,
            time: &self.time,
        }
    }
}

/// Tells people once; comes back with what was answered.
pub(super) async fn tell(spec: &AlertSpec, telling: &Telling) -> Result<String, Fault> {
    let mut telling = telling.clone();
    if !spec.output {
        telling.facts.retain(|(name, _)| *name != "OUTPUT");
    }
    let (telling, here) = (&telling, here());
    let around = &here.around();
    match &spec.channel {
        Channel::Exec(command) => exec::tell(command, telling).await,
        Channel::Mail(to) => mail::send(to, telling, around).await,
        Channel::Qnap => nas::qnap(telling).await,
        Channel::Synology => nas::synology(telling, around).await,
        Channel::Webhook(_)
        | Channel::Slack(_)
        | Channel::Discord(_)
        | Channel::Ntfy { .. }
        | Channel::Gotify { .. }
        | Channel::HomeAssistant(_)
        | Channel::AppInsights(_) => ask(&request(spec, telling, around).await?).await,
        Channel::UptimeKuma(_) | Channel::Healthchecks(_) => beat(spec, None).await,
    }
}

async fn request(
    spec: &AlertSpec,
    telling: &Telling,
    around: &Around<'_>,
) -> Result<Request, Fault> {
    Ok(match &spec.channel {
        Channel::Slack(url) => presets::slack(reveal(url).await?, telling, around),
        Channel::Discord(url) => presets::discord(reveal(url).await?, telling, around),
        Channel::Ntfy { url, token } => {
            let token = match token {
                Some(token) => Some(reveal(token).await?),
                None => None,
            };
            presets::ntfy(reveal(url).await?, token.as_deref(), telling, around)
        }
        Channel::Gotify { url, token } => {
            let (url, token) = (reveal(url).await?, reveal(token).await?);
            presets::gotify(&url, &token, telling, around)
        }
        Channel::HomeAssistant(url) => presets::home_assistant(reveal(url).await?, telling, around),
        Channel::AppInsights(connection) => {
            insights::told(&reveal(connection).await?, telling, around)?
        }
        Channel::Webhook(url) | Channel::UptimeKuma(url) | Channel::Healthchecks(url) => {
            presets::webhook(reveal(url).await?, telling, around)
        }
        Channel::Exec(_) | Channel::Mail(_) | Channel::Qnap | Channel::Synology => {
            return Err(Fault::lasting("is asked in another way"));
        }
    })
}

async fn beat(spec: &AlertSpec, worst: Option<&Telling>) -> Result<String, Fault> {
    let request = if let Channel::UptimeKuma(url) = &spec.channel {
        presets::uptime_kuma(&reveal(url).await?, worst)
    } else if let Channel::Healthchecks(url) = &spec.channel {
        presets::healthchecks(&reveal(url).await?, worst)
    } else {
        return Err(Fault::lasting("takes no signs of life"));
    };
    ask(&request).await
}

/// Asks a server; https goes through curl.
async fn ask(request: &Request) -> Result<String, Fault> {
    let status = if request.url.starts_with("https://") {
        curl::send(request).await?
    } else {
        http::send(request).await?
    };
    match status {
        200..=299 => Ok(format!("answered {status}")),
        408 | 429 | 500.. => Err(Fault::passing(format!("answered {status}"))),
        _ => Err(Fault::lasting(format!("answered {status}"))),
    }
}
