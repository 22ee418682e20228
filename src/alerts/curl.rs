//! One request over https, through the box's own curl.
//!
//! Address, headers and body are read by curl from its input: whoever looks at the
//! list of processes sees none of them.

use super::fault::Fault;
use super::http::{Request, one_line};
use super::program;
use crate::model::Exit;
use crate::model::limits::NOTIFY_TIMEOUT;

/// Sends it, and returns the status of the answer.
pub(super) async fn send(request: &Request) -> Result<u16, Fault> {
    let curl = program::find(&["curl"]).ok_or_else(|| {
        Fault::lasting(
            "this box has no curl, which https needs: install it, or use an http address \
             of your own network, or a program of your own with exec",
        )
    })?;
    let command = Box::new([curl, c"--config".into(), c"-".into()]);
    let ran = program::run(command, Box::default(), config(request).as_bytes()).await?;
    // The status is the last thing that it says; the words of a failure stand before it.
    let said = ran.said.trim();
    let (words, status) = said.rsplit_once('\n').unwrap_or(("", said));
    match (ran.exit, status.parse()) {
        (Exit::Code(0), Ok(status)) => Ok(status),
        (Exit::Code(0), Err(_)) => Err(Fault::passing("curl: no answer")),
        (exit, _) => {
            let first = words.lines().next().unwrap_or_default().trim();
            let words = match first.is_empty() {
                true => format!("curl: {exit}"),
                false => first.to_owned(),
            };
            Err(Fault::passing(words))
        }
    }
}

/// What curl reads.
fn config(request: &Request) -> String {
    let mut text = String::from("silent\nshow-error\noutput = \"/dev/null\"\n");
    text += "write-out = \"\\n%{http_code}\\n\"\nproto = \"=https\"\n";
    text += &format!(
        "max-time = {}\n",
        NOTIFY_TIMEOUT.as_secs().saturating_sub(1)
    );
    text += &format!("url = {}\n", quoted(&request.url));
    for (name, value) in &request.headers {
        let header = format!("{name}: {}", one_line(value));
        text += &format!("header = {}\n", quoted(&header));
    }
    if let Some(body) = &request.body {
        let body = String::from_utf8_lossy(body);
        text += &format!("data-binary = {}\n", quoted(&body));
    }
    text
}

/// In quotes, as curl(1) reads them.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            '\r' => quoted += "\\r",
            '\t' => quoted += "\\t",
            '\0' => {}
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_message_becomes_a_line_of_the_configuration() {
        let request = Request {
            body: Some(b"{\"a\\b\":\n\"url = x\"}".to_vec()),
            url: "https://x/\"y\nurl = z".to_owned(),
            headers: vec![("Title", "a\nb".to_owned())],
        };
        let config = config(&request);
        let lines: Vec<&str> = config.lines().skip(6).collect();
        let expected = [
            "url = \"https://x/\\\"y\\nurl = z\"",
            "header = \"Title: a b\"",
            "data-binary = \"{\\\"a\\\\b\\\":\\n\\\"url = x\\\"}\"",
        ];
        assert_eq!(lines, expected);
    }
}
