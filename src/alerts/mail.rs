//! Mail, through the box's own sendmail.

use super::fault::Fault;
use super::http::one_line;
use super::presets::{Around, output};
use super::program;
use crate::model::Exit;
use crate::model::Gather as _;
use crate::model::words::Telling;

/// What boxes call it. All of them read the addresses from the mail with `-t`.
const SENDMAILS: [&str; 3] = ["sendmail", "ssmtp", "msmtp"];

pub(super) async fn send(
    to: &str,
    telling: &Telling,
    around: &Around<'_>,
) -> Result<String, Fault> {
    let sendmail = program::find(&SENDMAILS).ok_or_else(|| {
        Fault::lasting("this box has neither sendmail nor ssmtp nor msmtp, which mail needs")
    })?;
    let command = Box::new([sendmail, c"-t".into(), c"-i".into()]);
    let mail = text(to, telling, around);
    let ran = program::run(command, Box::default(), mail.as_bytes()).await?;
    if ran.exit == Exit::Code(0) {
        Ok("handed over".to_owned())
    } else {
        // The server may be away.
        Err(Fault::passing(format!("sendmail: {}", ran.words())))
    }
}

fn text(to: &str, telling: &Telling, around: &Around<'_>) -> String {
    let subject = telling.message.lines().next().unwrap_or_default();
    let mut mail = format!(
        "To: {}\nSubject: {}\n",
        one_line(to),
        header(&format!("[sup] {}: {subject}", around.host))
    );
    mail += "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n";
    mail += "Content-Transfer-Encoding: 8bit\nAuto-Submitted: auto-generated\n\n";
    mail += &format!("{}\n", telling.message);
    if let Some(output) = output(telling) {
        mail += &format!("\nIts last output:\n\n{output}\n");
    }
    mail += "\n-- \n";
    for (name, value) in telling.facts.iter().filter(|(name, _)| *name != "OUTPUT") {
        mail += &format!("{}: {}\n", name.to_ascii_lowercase(), one_line(value));
    }
    mail + &format!("host: {}\ntime: {}\n", around.host, around.time)
}

/// A header's text; what is not ASCII is encoded as RFC 2047 has it, in words of at most
/// 75 characters that do not cut a letter in two.
fn header(text: &str) -> String {
    let text = one_line(text);
    if text.is_ascii() {
        return text;
    }
    let mut words = vec![String::new()];
    for letter in text.chars() {
        let mut bytes = [0; 4];
        let coded: String = match letter {
            ' ' => "_".to_owned(),
            plain if plain.is_ascii_alphanumeric() => plain.to_string(),
            other => {
                let bytes = other.encode_utf8(&mut bytes).bytes();
                bytes.map(|byte| format!("={byte:02X}")).gather()
            }
        };
        match words.last_mut() {
            Some(last) if last.len() + coded.len() <= 60 => last.push_str(&coded),
            _ => words.push(coded),
        }
    }
    let words = words.into_iter().map(|word| format!("=?utf-8?Q?{word}?="));
    words.gather::<Vec<_>>().join("\n ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_is_not_ascii_is_encoded_in_whole_letters() {
        assert_eq!(header("plain: it"), "plain: it");
        assert_eq!(header("für\nalle"), "=?utf-8?Q?f=C3=BCr_alle?=");
        let long = header(&"ü".repeat(30));
        for word in long.lines() {
            let word = word.trim_start();
            assert!(word.len() <= 75, "{word}");
            let inside = word.strip_prefix("=?utf-8?Q?").unwrap();
            let inside = inside.strip_suffix("?=").unwrap();
            assert_eq!(inside.len() % "=C3=BC".len(), 0, "{word}");
        }
    }
}
