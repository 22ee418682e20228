//! Azure Application Insights: incidents as exceptions, figures as metrics.

use serde::Serialize;

use super::fault::Fault;
use super::http::Request;
use super::presets::{Around, Facts};
use crate::model::Gather as _;
use crate::model::words::{Level, Telling};

/// Where a connection string without an endpoint means.
const ENDPOINT: &str = "https://dc.services.visualstudio.com";

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Of a disk, in percent.
    DiskUsage,
    /// Of the host's or a child's memory, in percent.
    MemoryUsage,
    /// In seconds.
    HeartbeatAge,
    /// Restarts of a child, ever.
    CrashCount,
    /// Whether a child runs: 1 or 0.
    ServiceActive,
}

impl Metric {
    /// Its name there.
    const fn name(self) -> &'static str {
        match self {
            Self::DiskUsage => "health.disk_usage",
            Self::MemoryUsage => "health.memory_usage",
            Self::HeartbeatAge => "health.heartbeat_age",
            Self::CrashCount => "health.crash_count",
            Self::ServiceActive => "health.service_active",
        }
    }
}

/// One figure: what, of whom, and how much.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// What.
    pub metric: Metric,
    /// Of which child, or of which disk.
    pub of: String,
    /// How much.
    pub value: f64,
}

// Fields of what is sent stand in the order of the alphabet.

#[derive(Serialize)]
struct Envelope<'a, T> {
    data: Data<T>,
    #[serde(rename = "iKey")]
    key: &'a str,
    name: &'static str,
    tags: Tags<'a>,
    time: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<T> {
    base_data: T,
    base_type: &'static str,
}

#[derive(Serialize)]
struct Tags<'a> {
    #[serde(rename = "ai.cloud.role")]
    role: &'static str,
    #[serde(rename = "ai.cloud.roleInstance")]
    instance: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exceptions<'a> {
    exceptions: [Exception<'a>; 1],
    problem_id: &'static str,
    properties: Facts<'a>,
    severity_level: u8,
    ver: u8,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Exception<'a> {
    has_full_stack: bool,
    message: &'a str,
    type_name: &'static str,
}

#[derive(Serialize)]
struct Metrics<'a> {
    metrics: [Measure; 1],
    properties: Of<'a>,
    ver: u8,
}

#[derive(Serialize)]
struct Measure {
    count: u8,
    name: &'static str,
    value: f64,
}

#[derive(Serialize)]
struct Of<'a> {
    subject: &'a str,
}

/// An incident.
pub(super) fn told(
    connection: &str,
    telling: &Telling,
    around: &Around<'_>,
) -> Result<Request, Fault> {
    let name = match telling.level {
        Level::Critical => "health_critical",
        Level::Warning => "health_warning",
        Level::Info => "health_info",
    };
    let severity = match telling.level {
        Level::Info => 1,
        Level::Warning => 2,
        Level::Critical => 4,
    };
    let data = Exceptions {
        exceptions: [Exception {
            has_full_stack: false,
            message: &telling.message,
            type_name: name,
        }],
        problem_id: name,
        properties: Facts::of(telling, &[]),
        severity_level: severity,
        ver: 2,
    };
    request(
        connection,
        around,
        ["Microsoft.ApplicationInsights.Exception", "ExceptionData"],
        vec![data],
    )
}

/// Figures, in one request.
pub(super) fn measured(
    connection: &str,
    figures: &[Figure],
    around: &Around<'_>,
) -> Result<Request, Fault> {
    let data = figures.iter().map(|figure| {
        let metrics = [Measure {
            count: 1,
            name: figure.metric.name(),
            value: figure.value,
        }];
        let subject = &figure.of;
        Metrics {
            metrics,
            properties: Of { subject },
            ver: 2,
        }
    });
    request(
        connection,
        around,
        ["Microsoft.ApplicationInsights.Metric", "MetricData"],
        data.gather(),
    )
}

fn request(
    connection: &str,
    around: &Around<'_>,
    [name, base_type]: [&'static str; 2],
    all: Vec<impl Serialize>,
) -> Result<Request, Fault> {
    let part = |name: &str| {
        let mut parts = connection
            .split(';')
            .filter_map(|part| part.split_once('='));
        parts
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    };
    let key = part("InstrumentationKey").ok_or_else(|| {
        Fault::lasting("its connection string is not like InstrumentationKey=…;IngestionEndpoint=…")
    })?;
    let endpoint = part("IngestionEndpoint").unwrap_or(ENDPOINT);
    let envelopes = all.into_iter().map(|base_data| Envelope {
        data: Data {
            base_data,
            base_type,
        },
        key,
        name,
        tags: Tags {
            role: "sup",
            instance: around.host,
        },
        time: around.time,
    });
    let body: Vec<_> = envelopes.gather();
    let url = format!("{}/v2/track", endpoint.trim_end_matches('/'));
    Ok(super::presets::post(url, &body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::presets;

    #[test]
    fn a_connection_string_is_read_in_any_order() {
        let around = Around {
            host: "nas",
            time: "2026-05-01T12:34:56Z",
        };
        let figure = Figure {
            metric: Metric::DiskUsage,
            of: "/share".to_owned(),
            value: 81.5,
        };
        let figures = [figure];
        let url = |connection: &str| {
            let request = measured(connection, &figures, &around);
            request
                .map(|request| request.url)
                .map_err(|f| f.to_string())
        };
        let whole =
            "IngestionEndpoint=https://x.in.applicationinsights.azure.com/;InstrumentationKey=k";
        assert_eq!(
            url(whole),
            Ok("https://x.in.applicationinsights.azure.com/v2/track".to_owned())
        );
        assert_eq!(
            url("InstrumentationKey=k"),
            Ok(format!("{ENDPOINT}/v2/track"))
        );
        assert!(url("k").is_err());
    }

    /// So that they are sent as they always were, byte by byte.
    #[test]
    fn bodies_have_their_fields_in_the_order_of_the_alphabet() {
        let around = Around {
            host: "nas",
            time: "2026-05-01T12:34:56Z",
        };
        let telling = Telling {
            message: "media crashed: \"no\"\n".to_owned(),
            level: Level::Critical,
            facts: vec![("EXIT_CODE", "7".to_owned()), ("CHILD", "media".to_owned())],
        };
        let figures = [Figure {
            metric: Metric::DiskUsage,
            of: "/share".to_owned(),
            value: 81.5,
        }];
        let url = || "http://nas.example".to_owned();
        let requests = [
            told("InstrumentationKey=k", &telling, &around).unwrap(),
            measured("InstrumentationKey=k", &figures, &around).unwrap(),
            presets::webhook(url(), &telling, &around),
            presets::discord(url(), &telling, &around),
            presets::gotify("http://nas.example", "token", &telling, &around),
        ];
        for request in requests {
            let body = String::from_utf8(request.body.unwrap()).unwrap();
            // A tree of values keeps its fields in this order.
            let value: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(value.to_string(), body);
        }
    }

    #[test]
    fn figures_have_the_names_that_dashboards_know() {
        let all = [
            (Metric::DiskUsage, "health.disk_usage"),
            (Metric::MemoryUsage, "health.memory_usage"),
            (Metric::HeartbeatAge, "health.heartbeat_age"),
            (Metric::CrashCount, "health.crash_count"),
            (Metric::ServiceActive, "health.service_active"),
        ];
        for (metric, name) in all {
            assert_eq!(metric.name(), name);
        }
    }
}
