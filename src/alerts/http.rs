//! One request over plain HTTP, and the status of the answer.
//!
//! Enough for what stands in one's own network. What goes through the internet is
//! https, and [`curl`](super::curl)'s work.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};

use smol::future;

use super::fault::Fault;
use crate::model::Gather as _;
use crate::model::limits::NOTIFY_TIMEOUT;
use crate::model::words::Brief;
use crate::os::{self, Async, Timer};

/// The most that is read of an answer's head, in bytes.
const HEAD_MAX: usize = 8 << 10;

/// What is asked of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// Whether there is a body: POST, else GET.
    pub(super) body: Option<Vec<u8>>,
    /// `http://…` or `https://…`.
    pub(super) url: String,
    /// Names and values.
    pub(super) headers: Vec<(&'static str, String)>,
}

/// The parts of a plain address.
#[derive(Debug, PartialEq, Eq)]
struct Address<'a> {
    /// As the `Host` header has it.
    host: &'a str,
    name: &'a str,
    port: u16,
    path: String,
}

/// Sends it, and returns the status of the answer. Bounded in time and in bytes.
pub(super) async fn send(request: &Request) -> Result<u16, Fault> {
    let work = exchange(request);
    let late = async {
        Timer::after(NOTIFY_TIMEOUT).await;
        Err(Fault::passing(format!(
            "no answer in {}",
            Brief(NOTIFY_TIMEOUT)
        )))
    };
    future::or(work, late).await
}

async fn exchange(request: &Request) -> Result<u16, Fault> {
    let address = address(&request.url)
        .ok_or_else(|| Fault::lasting("its address is not like http://HOST[:PORT]/PATH"))?;
    let mut fault = Fault::passing(format!("{} has no address", address.name));
    for server in resolve(address.name, address.port).await? {
        let stream = match Async::<TcpStream>::connect(server).await {
            Ok(stream) => stream,
            Err(error) => {
                fault = Fault::system(&format!("{server}"), &error);
                continue;
            }
        };
        return converse(&stream, &bytes(request, &address))
            .await
            .map_err(|error| Fault::system(&format!("{server}"), &error));
    }
    Err(fault)
}

/// A name that is a number needs nobody's help; another one is asked for on a thread.
async fn resolve(name: &str, port: u16) -> Result<Vec<SocketAddr>, Fault> {
    if let Ok(ip) = name.parse() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let wanted = name.to_owned();
    let found = os::aside(move || {
        (wanted.as_str(), port)
            .to_socket_addrs()
            .map(Iterator::collect)
    });
    found.await.map_err(|error| Fault::system(name, &error))
}

async fn converse(stream: &Async<TcpStream>, request: &[u8]) -> io::Result<u16> {
    let mut rest = request;
    while !rest.is_empty() {
        let length = stream.write_with(|mut to| to.write(rest)).await?;
        rest = &rest[length..];
    }
    let mut head = Vec::new();
    let mut piece = [0; 1024];
    while head.len() < HEAD_MAX && !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read_with(|mut from| from.read(&mut piece)).await? {
            0 => break,
            length => head.extend(&piece[..length]),
        }
    }
    status(&head).ok_or_else(|| io::Error::other("its answer is no HTTP"))
}

/// `HTTP/1.1 200 OK`.
fn status(head: &[u8]) -> Option<u16> {
    let rest = head.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5)?;
    let text = str::from_utf8(digits).ok()?;
    text.parse()
        .ok()
        .filter(|status| (100..600).contains(status))
}

fn bytes(request: &Request, address: &Address<'_>) -> Vec<u8> {
    let method = if request.body.is_some() {
        "POST"
    } else {
        "GET"
    };
    let mut head = format!(
        "{method} {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: sup\r\nConnection: close\r\n",
        address.path, address.host
    );
    for (name, value) in &request.headers {
        head += &format!("{name}: {}\r\n", one_line(value));
    }
    if let Some(body) = &request.body {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    [head.as_bytes(), request.body.as_deref().unwrap_or_default()].concat()
}

/// A header's value cannot begin another header.
pub(super) fn one_line(value: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    value.chars().map(plain).gather()
}

fn address(url: &str) -> Option<Address<'_>> {
    let rest = url.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits(rest) || host.contains('@') {
        return None;
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, port.parse().ok()?),
        Some(_) | None => (host, 80),
    };
    let name = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'))
        .unwrap_or(name);
    let path = match path.starts_with('/') {
        true => path.to_owned(),
        false => format!("/{path}"),
    };
    (!name.is_empty()).then_some(Address {
        host,
        name,
        port,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let table = [
            ("http://nas", Some(("nas", "nas", 80, "/"))),
            (
                "http://nas:8080/x?y=1#z",
                Some(("nas:8080", "nas", 8080, "/x?y=1")),
            ),
            (
                "http://10.0.0.1?y",
                Some(("10.0.0.1", "10.0.0.1", 80, "/?y")),
            ),
            ("http://[::1]:90/", Some(("[::1]:90", "::1", 90, "/"))),
            ("http://[::1]/", Some(("[::1]", "::1", 80, "/"))),
            ("http://", None),
            ("http:///x", None),
            ("https://nas/", None),
            ("http://nas:99999/", None),
            ("http://me:secret@nas/", None),
            ("http://nas/a b", None),
            ("http://nas/\r\nHost: x", None),
        ];
        for (url, expected) in table {
            let found = address(url);
            let found = found
                .as_ref()
                .map(|a| (a.host, a.name, a.port, a.path.as_str()));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn only_a_status_line_is_an_answer() {
        let table: [(&[u8], Option<u16>); 7] = [
            (b"HTTP/1.1 200 OK\r\n", Some(200)),
            (b"HTTP/1.0 404\r\n", Some(404)),
            (b"HTTP/1.1 999 x", None),
            (b"HTTP/1.1 2", None),
            (b"HTTP/2 200", None),
            (b"SSH-2.0", None),
            (b"", None),
        ];
        for (head, expected) in table {
            assert_eq!(status(head), expected, "{head:?}");
        }
    }

    #[test]
    fn a_header_stays_one_header() {
        let request = Request {
            body: Some(b"hi".to_vec()),
            url: "http://nas/x".to_owned(),
            headers: vec![("Title", "a\r\nHost: b".to_owned())],
        };
        let text = bytes(&request, &address(&request.url).unwrap());
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "POST /x HTTP/1.1\r\nHost: nas\r\nUser-Agent: sup\r\nConnection: close\r\n\
             Title: a  Host: b\r\nContent-Length: 2\r\n\r\nhi"
        );
    }
}
