//! What is answered to what.

use std::borrow::Cow;

use super::Source;
use crate::model::check::Health;
use crate::os;
use crate::wire::http::{self, Format, Refusal, Request};
use crate::wire::json::{self, Status};
use crate::wire::prometheus;

const HTML: &str = "text/html; charset=utf-8";
const JSON: &str = "application/json";
const TEXT: &str = "text/plain; charset=utf-8";

/// The page for people.
pub(super) const PAGE: &str = include_str!("page.html");

/// What the page may do: run the script and look as the style says that are written in it,
/// and ask us for more. The hashes are those of its `<script>` and `<style>`; the test
/// below says which ones they should be.
const PAGE_POLICY: &str = "Content-Security-Policy: default-src 'none'; \
    script-src 'sha256-TcFre4xGAyvfLBYGpFVn30nYWp1Zd4Dyc0ra8GN0abU='; \
    style-src 'sha256-e8LgIQrrFPXLrafJwrV1aBymgpQ9es50al8YyKJaEZA='; \
    img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'\r\nReferrer-Policy: no-referrer\r\n";

/// An answer, on its way.
pub(super) struct Answer {
    pub(super) head: String,
    /// What a HEAD is spared.
    body: Option<Cow<'static, str>>,
}

impl Answer {
    fn new(status: &str, kind: &str, body: impl Into<Cow<'static, str>>, more: &str) -> Self {
        let body = body.into();
        Self {
            head: http::head(status, kind, body.len(), more),
            body: Some(body),
        }
    }

    /// That it will not be, and why.
    pub(super) fn refusal(refusal: Refusal) -> Self {
        let (status, words) = refusal.words();
        let more = match refusal {
            Refusal::OnlyGet => "Allow: GET, HEAD\r\n",
            Refusal::NotHttp
            | Refusal::BadQuery
            | Refusal::NotFound
            | Refusal::TooSlow
            | Refusal::TooLong
            | Refusal::OtherVersion => "",
        };
        Self::new(status, TEXT, format!("{words}\n"), more)
    }

    pub(super) fn body(&self) -> &[u8] {
        self.body.as_deref().unwrap_or_default().as_bytes()
    }
}

/// The answer to a request.
pub(super) async fn find(request: &Request<'_>, source: &impl Source) -> Answer {
    let mut answer = match request.path {
        "/" => Answer::new("200 OK", HTML, PAGE, PAGE_POLICY),
        "/health" => health(source).await,
        "/metrics" => match request.format() {
            Some(format) => metrics(source, format).await,
            None => Answer::refusal(Refusal::BadQuery),
        },
        "/events" => match request.since() {
            Some(since) => Answer::new("200 OK", JSON, json::line(&source.events(since)), ""),
            None => Answer::refusal(Refusal::BadQuery),
        },
        _ => Answer::refusal(Refusal::NotFound),
    };
    if request.is_head {
        answer.body = None;
    }
    answer
}

async fn health(source: &impl Source) -> Answer {
    let standing = source.standing(false).await;
    let status = match standing.health() {
        Health::Healthy => "200 OK",
        Health::Unknown | Health::Warning | Health::Critical => "503 Service Unavailable",
    };
    Answer::new(status, JSON, json::line(&json::Health::new(&standing)), "")
}

async fn metrics(source: &impl Source, format: Format) -> Answer {
    let standing = source.standing(true).await;
    // A megabyte for a thousand children: on a thread of its own, or the loop would wait.
    match format {
        Format::Json => {
            let text = os::aside(move || json::line(&Status::new(&standing))).await;
            Answer::new("200 OK", JSON, text, "")
        }
        Format::Prometheus => {
            let text = os::aside(move || prometheus::text(&standing)).await;
            Answer::new("200 OK", prometheus::CONTENT_TYPE, text, "")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    /// What stands in the one element of that name.
    fn inside(element: &str) -> &'static str {
        let (_, rest) = PAGE.split_once(&format!("<{element}>")).unwrap();
        let (text, rest) = rest.split_once(&format!("</{element}>")).unwrap();
        assert!(!rest.contains(&format!("<{element}")), "a second {element}");
        text
    }

    /// SHA-256 in base 64, by the tool that every Linux has.
    fn hash(text: &str) -> String {
        let mut command = Command::new("sha256sum");
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut pipe = child.stdin.take().unwrap();
        pipe.write_all(text.as_bytes()).unwrap();
        drop(pipe);
        let out = child.wait_with_output().unwrap().stdout;
        let digits = std::str::from_utf8(&out[..64]).unwrap();
        let bits: String = digits
            .chars()
            .map(|digit| format!("{:04b}", digit.to_digit(16).unwrap()))
            .collect();
        let letter = |six: &[u8]| {
            let six = format!("{:0<6}", std::str::from_utf8(six).unwrap());
            let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
            char::from(alphabet[usize::from_str_radix(&six, 2).unwrap()])
        };
        bits.as_bytes().chunks(6).map(letter).collect::<String>() + "="
    }

    #[test]
    fn the_policy_names_the_pages_own_script_and_style() {
        for (element, kind) in [("script", "script-src"), ("style", "style-src")] {
            let wanted = format!("{kind} 'sha256-{}';", hash(inside(element)));
            assert!(PAGE_POLICY.contains(&wanted), "PAGE_POLICY needs {wanted}");
        }
    }

    #[test]
    fn the_page_is_small_and_needs_nobody_else() {
        assert!(PAGE.len() < 16 << 10, "{} bytes", PAGE.len());
        for outside in ["http://", "https://", "//cdn", "@import", "url("] {
            let found = PAGE.matches(outside).count();
            // The name of SVG is no address.
            let expected = usize::from(outside == "http://");
            assert_eq!(found, expected, "{outside}");
        }
        assert!(PAGE.contains("'http://www.w3.org/2000/svg'"));
        for evil in [
            "innerHTML",
            "outerHTML",
            "document.write",
            "eval(",
            " onclick",
            " style=",
        ] {
            assert!(!PAGE.contains(evil), "{evil}");
        }
    }
}
