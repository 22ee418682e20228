//! Requests as bytes, and what an answer begins with: as much of HTTP/1.1 as a server
//! needs that is only read from.
//!
//! Every connection is closed after its answer. A body is not read, and a request that
//! follows on the same connection is not answered.

use alloc::format;
use alloc::string::String;

use httparse::{EMPTY_HEADER, Error, Header, Status};

use crate::model::limits::{HTTP_HEADERS_MAX, HTTP_REQUEST_MAX};

/// What the beginning of a connection says.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// It goes on.
    Unfinished,
    /// Somebody asks for something.
    Request(Request<'a>),
    /// It cannot be answered with what it asks for.
    Refused(Refusal),
}

/// What is asked for. A HEAD differs from a GET in [`Request::is_head`] only.
#[derive(Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// Whether only the head of the answer is wanted.
    pub is_head: bool,
    /// From the first `/` to before the `?`.
    pub path: &'a str,
    /// What stands behind the `?`.
    query: &'a str,
    /// The value of `Accept`.
    accept: &'a str,
}

/// Why a request is not answered with what it asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400.
    NotHttp,
    /// 400.
    BadQuery,
    /// 404.
    NotFound,
    /// 405.
    OnlyGet,
    /// 408.
    TooSlow,
    /// 431.
    TooLong,
    /// 505.
    OtherVersion,
}

impl Refusal {
    /// The status, and what a person is told.
    #[must_use]
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::NotHttp => ("400 Bad Request", "this is not a request in HTTP/1.1"),
            Self::BadQuery => (
                "400 Bad Request",
                "format is json or prometheus; since is a number",
            ),
            Self::NotFound => (
                "404 Not Found",
                "there is nothing here; there are: /  /health  /metrics  /events",
            ),
            Self::OnlyGet => (
                "405 Method Not Allowed",
                "only GET and HEAD: nothing can be changed here; see: sup --help",
            ),
            Self::TooSlow => ("408 Request Timeout", "the request did not come in time"),
            Self::TooLong => (
                "431 Request Header Fields Too Large",
                "the request is longer than 8 KiB, or has more than 64 headers",
            ),
            Self::OtherVersion => ("505 HTTP Version Not Supported", "HTTP/1.1, please"),
        }
    }
}

/// How figures are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As JSON.
    Json,
    /// As Prometheus reads it.
    Prometheus,
}

/// Reads what has come so far.
#[must_use]
pub fn parse(bytes: &[u8]) -> Heard<'_> {
    let mut headers = [EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes) {
        Ok(Status::Partial) if bytes.len() >= HTTP_REQUEST_MAX => Heard::Refused(Refusal::TooLong),
        Ok(Status::Partial) => Heard::Unfinished,
        Ok(Status::Complete(_)) => complete(&request),
        Err(Error::TooManyHeaders) => Heard::Refused(Refusal::TooLong),
        Err(Error::Version) => Heard::Refused(Refusal::OtherVersion),
        Err(
            Error::HeaderName | Error::HeaderValue | Error::NewLine | Error::Status | Error::Token,
        ) => Heard::Refused(Refusal::NotHttp),
    }
}

fn complete<'a>(request: &httparse::Request<'_, 'a>) -> Heard<'a> {
    let is_head = match request.method {
        Some("GET") => false,
        Some("HEAD") => true,
        Some(_) | None => return Heard::Refused(Refusal::OnlyGet),
    };
    let target = request.path.unwrap_or_default();
    if !target.starts_with('/') {
        // Such as `http://host/path`, which is for proxies.
        return Heard::Refused(Refusal::NotFound);
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Heard::Request(Request {
        is_head,
        path,
        query,
        accept: header(request.headers, "accept"),
    })
}

/// The first header of that name, where it is text.
fn header<'a>(headers: &[Header<'a>], name: &str) -> &'a str {
    let mut found = headers
        .iter()
        .filter(|header| header.name.eq_ignore_ascii_case(name));
    let value = found.next().map(|header| header.value);
    core::str::from_utf8(value.unwrap_or_default()).unwrap_or_default()
}

impl Request<'_> {
    /// As what figures are wanted: what `format` says, or else the first type in `Accept`
    /// that is one of ours. `None`: a format that we do not have.
    #[must_use]
    pub fn format(&self) -> Option<Format> {
        match self.parameter("format") {
            Some("json") => return Some(Format::Json),
            Some("prometheus") => return Some(Format::Prometheus),
            Some(_) => return None,
            None => {}
        }
        let mut types = self.accept.split(',').filter_map(|range| {
            match range.split(';').next().unwrap_or_default().trim() {
                "application/json" => Some(Format::Json),
                "text/plain" | "application/openmetrics-text" => Some(Format::Prometheus),
                _ => None,
            }
        });
        Some(types.next().unwrap_or(Format::Json))
    }

    /// The number that `since` says, 0 without it. `None`: it is no number.
    #[must_use]
    pub fn since(&self) -> Option<u64> {
        match self.parameter("since") {
            Some(text) => text.parse().ok(),
            None => Some(0),
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self
            .query
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
    }
}

/// What an answer begins with. `more` are whole lines, each with its end.
#[must_use]
pub fn head(status: &str, content_type: &str, length: usize, more: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n{more}Connection: close\r\n\r\n"
    )
}

#[cfg(test)]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn request(text: &str) -> Request<'_> {
        match parse(text.as_bytes()) {
            Heard::Request(request) => request,
            other @ (Heard::Unfinished | Heard::Refused(_)) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_request_is_a_path_a_query_and_what_is_accepted() {
        let text = "GET /events?since=7&x HTTP/1.1\r\nHost: nas\r\nACCEPT: text/html\r\n\r\nGET /";
        let asked = request(text);
        assert_eq!((asked.path, asked.query), ("/events", "since=7&x"));
        assert_eq!((asked.is_head, asked.accept), (false, "text/html"));
        assert!(request("HEAD / HTTP/1.0\n\n").is_head);
        assert_eq!(request("\r\nGET / HTTP/1.1\r\n\r\n").path, "/");
    }

    #[test]
    fn any_beginning_of_a_request_goes_on() {
        let whole = "GET /health HTTP/1.1\r\nHost: nas\r\nAccept: */*\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(parse(&whole.as_bytes()[..end]), Heard::Unfinished, "{end}");
        }
        assert_eq!(request(whole).path, "/health");
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let table: [(&[u8], Refusal); 11] = [
            (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                Refusal::NotHttp,
            ),
            (b"\0\0\0\0", Refusal::NotHttp),
            (b"GET / HTTP/2.0\r\n\r\n", Refusal::OtherVersion),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Refusal::OtherVersion),
            (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", Refusal::NotHttp),
            (b"GET / HTTP/1.1\r\nA: \0\r\n\r\n", Refusal::NotHttp),
            (
                b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n",
                Refusal::OnlyGet,
            ),
            (b"get / HTTP/1.1\r\n\r\n", Refusal::OnlyGet),
            (b"GET http://a/ HTTP/1.1\r\n\r\n", Refusal::NotFound),
            (b"OPTIONS * HTTP/1.1\r\n\r\n", Refusal::OnlyGet),
            (b"GET * HTTP/1.1\r\n\r\n", Refusal::NotFound),
        ];
        for (bytes, refusal) in table {
            let text = String::from_utf8_lossy(bytes);
            assert_eq!(parse(bytes), Heard::Refused(refusal), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        let mut long = b"GET /".to_vec();
        long.resize(HTTP_REQUEST_MAX - 1, b'a');
        assert_eq!(parse(&long), Heard::Unfinished);
        long.push(b'a');
        assert_eq!(parse(&long), Heard::Refused(Refusal::TooLong));
        let many = "GET / HTTP/1.1\r\n".to_owned() + &"a: b\r\n".repeat(HTTP_HEADERS_MAX + 1);
        assert_eq!(parse(many.as_bytes()), Heard::Refused(Refusal::TooLong));
    }

    /// A small generator: the same bytes each time.
    fn bytes(seed: u64, alphabet: &[u8]) -> Vec<u8> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            usize::try_from(state % 1_000_003).unwrap_or(0)
        };
        let length = next() % 200;
        (0..length)
            .map(|_| alphabet[next() % alphabet.len()])
            .collect()
    }

    #[test]
    fn no_bytes_do_harm() {
        let all: Vec<u8> = (0..=255).collect();
        let likely = b"GETHAD /?&=:,;.*%\r\n\t HTTP/1.1 accept\0\xff";
        for seed in 0..20_000 {
            for alphabet in [&all[..], likely] {
                let tail = bytes(seed, alphabet);
                for head in [&b""[..], b"GET ", b"GET /?", b"GET / HTTP/1.1\r\nAccept: "] {
                    let mut whole = vec![];
                    whole.extend_from_slice(head);
                    whole.extend_from_slice(&tail);
                    if let Heard::Request(asked) = parse(&whole) {
                        assert!(asked.path.starts_with('/'));
                        let _answers = (asked.format(), asked.since());
                    }
                }
            }
        }
    }

    #[test]
    fn figures_come_as_they_are_wanted() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        let table = [
            ("", "*/*", Some(Format::Json)),
            ("", prometheus, Some(Format::Prometheus)),
            ("", "text/plain", Some(Format::Prometheus)),
            ("", "application/json, text/plain, */*", Some(Format::Json)),
            (
                "",
                "text/html,application/xml;q=0.9,*/*;q=0.8",
                Some(Format::Json),
            ),
            ("?format=prometheus", "*/*", Some(Format::Prometheus)),
            ("?a=b&format=json", prometheus, Some(Format::Json)),
            ("?format=xml", "*/*", None),
        ];
        for (query, accept, expected) in table {
            let text = format!("GET /metrics{query} HTTP/1.1\r\nAccept: {accept}\r\n\r\n");
            assert_eq!(request(&text).format(), expected, "{query} {accept}");
        }
        let since = |query| request(&format!("GET /events{query} HTTP/1.1\r\n\r\n")).since();
        assert_eq!(since(""), Some(0));
        assert_eq!(since("?since=12"), Some(12));
        assert_eq!(since("?since=-1"), None);
        assert_eq!(since("?since=99999999999999999999"), None);
    }
}
