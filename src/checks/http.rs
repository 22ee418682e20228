//! A page over HTTP. No redirection is followed and no name looked up.

use std::io;
use std::time::Duration;

use smol::io::{AsyncReadExt, AsyncWriteExt};

use super::tcp::{connect, holds};
use super::{Finding, error_words, joined, judge_time};
use crate::model::check::{Address, Bounds, Health, Url};
use crate::model::limits::ANSWER_MAX;
use crate::model::words::Brief;
use crate::os::clock;

/// Lines of a head that are looked at; more make no sense of an answer.
const HEADERS_MAX: usize = 64;

/// The head of an answer, in bytes: what servers themselves allow of a request.
const HEAD_MAX: usize = 16 << 10;

pub(super) async fn look(
    url: &str,
    status: (u16, u16),
    body: Option<&str>,
    time: Bounds<Duration>,
) -> Finding {
    let Some(page) = Url::parse(url) else {
        return Finding::new(
            Health::Unknown,
            format!("{url} is no page that can be read"),
        );
    };
    let begun = clock::now();
    let heard = match get(&page, body).await {
        Ok(heard) => heard,
        Err(error) => {
            let words = format!("{url}: {}", error_words(&error));
            return Finding::new(Health::Critical, words);
        }
    };
    let took = clock::now() - begun;
    let (health, words) = match answer(&heard) {
        Err(fault) => (
            Health::Critical,
            format!("no answer in HTTP ({})", fault.words()),
        ),
        Ok(None) => (Health::Critical, "the answer breaks off".to_owned()),
        Ok(Some(answer)) => {
            let is_good = (status.0..=status.1).contains(&answer.status);
            match body {
                _ if !is_good => (Health::Critical, format!("status {}", answer.status)),
                Some(text) if !holds(&answer.body, text.as_bytes()) => {
                    let words = format!("status {}, without \"{text}\"", answer.status);
                    (Health::Critical, words)
                }
                Some(_) | None => {
                    let words = format!("status {} in {}", answer.status, Brief(took));
                    (judge_time(time, took), words)
                }
            }
        }
    };
    let words = if health.passes() {
        format!("{url}: {words}")
    } else {
        joined(&format!("{url}: {words}"), body_of(&heard))
    };
    Finding::new(health, words).with(&heard)
}

fn body_of(heard: &[u8]) -> &[u8] {
    let end = heard.windows(4).position(|four| four == b"\r\n\r\n");
    end.map_or(&[], |end| &heard[end + 4..])
}

/// As much of the answer as is needed: its head, and where a text is sought its body up
/// to that.
async fn get(page: &Url<'_>, text: Option<&str>) -> io::Result<Vec<u8>> {
    let mut line = connect(Address::Ip(page.to)).await?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sup/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        page.path,
        page.host,
        env!("CARGO_PKG_VERSION")
    );
    line.write_all(request.as_bytes()).await?;
    line.flush().await?;
    let mut heard = Vec::new();
    let mut piece = [0; 2048];
    let mut end = None;
    while heard.len() < ANSWER_MAX {
        let length = line.read(&mut piece).await?;
        // Where the last piece and this one meet, too.
        let from = heard.len().saturating_sub(text.map_or(0, str::len));
        heard.extend_from_slice(&piece[..length]);
        if end.is_none() {
            end = match head(&heard) {
                Ok(Some((start, _, body))) => Some((start, body)),
                Ok(None) => None,
                Err(_) => break,
            };
        }
        let is_enough = end.is_some_and(|(start, body)| {
            let found = |text: &str| holds(&heard[from.max(start)..], text.as_bytes());
            text.is_none_or(found) || body.is_whole(&heard[start..])
        });
        if length == 0 || is_enough {
            break;
        }
        smol::future::yield_now().await;
    }
    Ok(heard)
}

/// An answer, as far as it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its body, without the sizes of its chunks.
    pub body: Vec<u8>,
    /// Whether nothing more follows.
    pub is_whole: bool,
}

/// Why that is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is not HTTP.
    Syntax,
    /// Its head has no end.
    TooLong,
}

impl Fault {
    fn words(self) -> &'static str {
        match self {
            Self::Syntax => "it does not read as such",
            Self::TooLong => "its head is too long",
        }
    }
}

/// Reads what has come of an answer; `None`: its head is not complete.
///
/// # Errors
/// It will not become an answer, whatever follows.
pub fn answer(heard: &[u8]) -> Result<Option<Answer>, Fault> {
    let Some((start, status, body)) = head(heard)? else {
        return Ok(None);
    };
    let rest = &heard[start..];
    Ok(Some(Answer {
        status,
        is_whole: body.is_whole(rest),
        body: match body {
            Body::Chunked => chunks(rest).0,
            Body::Length(length) => rest[..length.min(rest.len())].to_vec(),
            Body::Open => rest.to_vec(),
        },
    }))
}

/// Where a body ends.
#[derive(Clone, Copy)]
enum Body {
    /// With its last chunk.
    Chunked,
    /// After so many bytes.
    Length(usize),
    /// With the connection.
    Open,
}

impl Body {
    fn is_whole(self, rest: &[u8]) -> bool {
        match self {
            Self::Chunked => rest.ends_with(b"\n") && chunks(rest).1,
            Self::Length(length) => length <= rest.len(),
            Self::Open => false,
        }
    }
}

/// Where the body begins, the status, and where the body ends; `None`: the head is not
/// complete.
fn head(heard: &[u8]) -> Result<Option<(usize, u16, Body)>, Fault> {
    let mut from = 0;
    loop {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut head = httparse::Response::new(&mut headers);
        let part = &heard[from..];
        from += match head.parse(part) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if part.len() > HEAD_MAX => return Err(Fault::TooLong),
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(Fault::TooLong),
            Err(_) => return Err(Fault::Syntax),
        };
        let status = head.code.unwrap_or_default();
        // "100 Continue" and its kin announce the answer, which follows.
        if !(100..200).contains(&status) {
            return Ok(Some((from, status, body(status, head.headers))));
        }
    }
}

fn body(status: u16, headers: &[httparse::Header<'_>]) -> Body {
    let value = |name: &str| {
        let mut known = headers.iter();
        let found = known.find(|header| header.name.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(found.value).ok()
    };
    let coding = value("transfer-encoding").unwrap_or_default();
    if matches!(status, 204 | 304) {
        Body::Length(0)
    } else if coding.to_ascii_lowercase().contains("chunked") {
        Body::Chunked
    } else {
        let length = value("content-length").and_then(|length| length.trim().parse().ok());
        length.map_or(Body::Open, Body::Length)
    }
}

/// The chunks put together, and whether the last one is among them. What is wrong ends it.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            return (body, false);
        };
        if size == 0 {
            return (body, true);
        }
        rest = &rest[start..];
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        body.extend_from_slice(&rest[..size.min(rest.len())]);
        // Behind each chunk is an empty line.
        match size.checked_add(2).and_then(|end| rest.get(end..)) {
            Some(next) => rest = next,
            None => return (body, false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(u16, String, bool)> {
        let answer = answer(text.as_bytes()).unwrap()?;
        let body = String::from_utf8(answer.body).unwrap();
        Some((answer.status, body, answer.is_whole))
    }

    #[test]
    fn answers_are_read_as_they_come() {
        let table = [
            ("", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\nab", Some((200, "ab", false))),
            (
                "HTTP/1.0 404 \r\nContent-Length: 2\r\n\r\nabc",
                Some((404, "ab", true)),
            ),
            (
                "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc",
                Some((200, "abc", false)),
            ),
            ("HTTP/1.1 204 No\r\n\r\n", Some((204, "", true))),
            (
                "HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 503 No\r\n\r\n",
                Some((503, "", false)),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nab\r\n3;x=y\r\ncde\r\n0\r\n\r\n",
                Some((200, "abcde", true)),
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
                Some((200, "ab", false)),
            ),
        ];
        for (text, expected) in table {
            let expected = expected.map(|(status, body, whole)| (status, body.to_owned(), whole));
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_answer_is_a_fault_and_never_more() {
        for text in [
            "SSH-2.0-x\r\n",
            "HTTP/9 x\r\n\r\n",
            "\0\0\0\0",
            "HTTP/1.1 2000 x\r\n\r\n",
        ] {
            assert_eq!(answer(text.as_bytes()), Err(Fault::Syntax), "{text}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_MAX));
        assert_eq!(answer(endless.as_bytes()), Err(Fault::TooLong));
        let many = format!("HTTP/1.1 200 OK\r\n{}", "X: y\r\n".repeat(100));
        assert_eq!(answer(many.as_bytes()), Err(Fault::TooLong));
        let huge = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nab";
        assert_eq!(read(huge), Some((200, "ab".to_owned(), false)));
        let announced = "HTTP/1.1 100 Go on\r\n\r\n".repeat(5_000);
        assert_eq!(answer(announced.as_bytes()), Ok(None));
        // Each beginning and each broken byte of an answer ends in something.
        let good = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n";
        for at in 0..good.len() {
            let _any = answer(&good[..at]);
            for byte in [0, b' ', b'\n', b'f', 0xff] {
                let mut broken = good.to_vec();
                broken[at] = byte;
                let _any = answer(&broken);
            }
        }
    }
}
