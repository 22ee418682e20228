//! A connection, and an answer where one is expected.

use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use smol::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{Finding, error_words, first_line, joined, judge_time};
use crate::model::check::{Address, Bounds, Health};
use crate::model::limits::ANSWER_MAX;
use crate::model::words::Brief;
use crate::os::{Async, clock};

/// Either kind of connection.
pub(super) trait Line: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Line for T {}

/// Connects.
pub(super) async fn connect(to: Address<'_>) -> io::Result<Box<dyn Line>> {
    Ok(match to {
        Address::Ip(to) => Box::new(Async::<TcpStream>::connect(to).await?),
        Address::Unix(path) => Box::new(Async::<UnixStream>::connect(path)?),
    })
}

pub(super) async fn look(
    to: &str,
    send: Option<&str>,
    expect: Option<&str>,
    time: Bounds<Duration>,
) -> Finding {
    let Some(address) = Address::parse(to) else {
        return Finding::new(Health::Unknown, format!("{to} is no address"));
    };
    let begun = clock::now();
    match talk(address, send, expect).await {
        Err(error) => Finding::new(Health::Critical, format!("{to}: {}", error_words(&error))),
        Ok((heard, false)) => {
            let expected = first_line(expect.unwrap_or_default().as_bytes());
            let words = joined(&format!("{to}: no \"{expected}\" in its answer"), &heard);
            Finding::new(Health::Critical, words).with(&heard)
        }
        Ok((heard, true)) => {
            let took = clock::now() - begun;
            let words = format!("{to}: answered in {}", Brief(took));
            Finding::new(judge_time(time, took), words).with(&heard)
        }
    }
}

/// What was heard, and whether that is what was expected.
async fn talk(
    to: Address<'_>,
    send: Option<&str>,
    expect: Option<&str>,
) -> io::Result<(Vec<u8>, bool)> {
    let mut line = connect(to).await?;
    if let Some(send) = send {
        line.write_all(send.as_bytes()).await?;
        line.flush().await?;
    }
    let Some(expect) = expect else {
        return Ok((Vec::new(), true));
    };
    let mut heard = Vec::new();
    let mut piece = [0; 2048];
    loop {
        let length = line.read(&mut piece).await?;
        // Where the last piece and this one meet, too.
        let from = heard.len().saturating_sub(expect.len());
        heard.extend_from_slice(&piece[..length]);
        if holds(&heard[from..], expect.as_bytes()) {
            return Ok((heard, true));
        }
        if length == 0 || heard.len() >= ANSWER_MAX {
            return Ok((heard, false));
        }
        smol::future::yield_now().await;
    }
}

/// Whether a text is somewhere in it.
pub(super) fn holds(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}
