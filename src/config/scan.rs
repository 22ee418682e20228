//! A text before it is parsed: whether it is worth it. And one that could not be: what of
//! it may be shown.

use toml_parser::ParseError;

use super::keys::{Key, Table};
use super::tree;

use crate::model::Gather as _;

/// A file with errors is read a second time to find more than the first one, unless it
/// is larger than this, in bytes: each further error costs memory, and a file of
/// garbage is nothing but errors.
pub(super) const RECOVERED_MAX: usize = 256 << 10;

/// Brackets within brackets. We need four. The parser's own bounds, 80 brackets and 80
/// parts of a key in each, make 6,400 tables in each other: more than a stack can take
/// when they are dropped.
const NEST_MAX: usize = 16;

/// What is not even worth parsing: where, why, and what to do.
pub(super) fn no_config(text: &str) -> Option<(usize, String, &'static str)> {
    // No TOML file may hold these. One word about a binary file says more than a
    // thousand syntax errors.
    let is_control = |byte: u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\n' | b'\r');
    let mut bytes = text.bytes().enumerate();
    if let Some((start, byte)) = bytes.find(|(_, byte)| is_control(*byte)) {
        let problem = format!("holds a control character (0x{byte:02x})");
        return Some((start, problem, "is this a text file?"));
    }
    let start = nest(text)?;
    let problem = format!("arrays and tables are nested more than {NEST_MAX} deep");
    Some((start, problem, "is a bracket left open?"))
}

/// The first syntax error of a large text, if it is at its beginning: parsing takes some
/// fifty times the size of a text of garbage, and the box may not have that.
pub(super) fn garbage(text: &str) -> Option<ParseError> {
    if text.len() <= RECOVERED_MAX {
        return None;
    }
    let end = (0..RECOVERED_MAX / 4).rfind(|end| text.is_char_boundary(*end))?;
    let error = tree::first_mistake(&text[..end])?;
    // Later ones may come from the cut: what is left open there is closed further down.
    let start = error.unexpected()?.start();
    (start < end / 2).then_some(error)
}

/// How much of a line with a syntax error may be shown: messages go into logs and to
/// whoever reloads; the environment of a child holds secrets, and so do the ways to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    All,
    /// What stands before the `=`: it is the key of a secret, or nobody knows what for.
    Key,
    Nothing,
}

/// How much may be shown of a line, counted from 1.
pub(super) fn shown(text: &str, line: u32) -> Shown {
    let count = usize::try_from(line).unwrap_or(usize::MAX);
    let rows: Vec<&str> = text.lines().take(count).gather();
    let Some((row, above)) = rows.split_last() else {
        return Shown::Nothing;
    };
    // What begins here is known only further up, if at all.
    if is_within_text(above) || row.trim_start().starts_with(['"', '\'']) {
        return Shown::Nothing;
    }
    let head = above.iter().rposition(|row| is_header(row));
    let (head, above) = above.split_at(head.map_or(0, |head| head + 1));
    let in_env = head.last().is_some_and(|header| names_env(header))
        || names_env(row)
        || above.iter().any(|row| names_env(row) && !is_closed(row));
    match (in_env, row.split_once('=')) {
        (true, _) => Shown::Nothing,
        (false, Some((key, _))) if !is_known(key) || names_secret(row) => Shown::Key,
        (false, Some(_) | None) => Shown::All,
    }
}

fn is_header(row: &str) -> bool {
    let row = row.split('#').next().unwrap_or_default().trim();
    row.starts_with('[') && row.ends_with(']') && !row.contains([',', '='])
}

fn names_env(row: &str) -> bool {
    words(row).any(|word| word == "env")
}

/// Whether a key is there whose value may be a secret: one that can be kept in a variable.
fn names_secret(row: &str) -> bool {
    words(row)
        .flat_map(named)
        .any(|key| key.kind.contains("$VARIABLE"))
}

fn words(row: &str) -> impl Iterator<Item = &str> {
    let is_part =
        |char: char| char.is_ascii_alphanumeric() || !char.is_ascii() || matches!(char, '-' | '_');
    row.split(move |char| !is_part(char))
}

/// Whether what begins on a line ends on it, as far as brackets and quotes tell.
fn is_closed(row: &str) -> bool {
    let count = |chars: [char; 2]| row.matches(chars).count();
    let quotes = |quote: &str| row.matches(quote).count().is_multiple_of(2);

    count(['{', '[']) == count(['}', ']']) && quotes("\"") && quotes("'")
}

/// Whether a text of several lines is still open behind these.
fn is_within_text(rows: &[&str]) -> bool {
    let is_open = |quotes: &str| {
        let counts = rows.iter().map(|row| row.matches(quotes).count());
        !counts.sum::<usize>().is_multiple_of(2)
    };
    is_open("\"\"\"") || is_open("'''")
}

/// Whether a key is one of ours, whatever table it is in.
fn is_known(key: &str) -> bool {
    named(key).next().is_some()
}

/// The keys of this name, in whatever tables.
fn named(key: &str) -> impl Iterator<Item = &'static Key> {
    let last = key.trim().rsplit('.').next().unwrap_or_default().trim();
    let keys = Table::ALL.iter().flat_map(|table| table.keys());
    keys.filter(move |key| key.name == last)
}

/// Where brackets are nested too deep, strings and comments left out.
fn nest(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' | b'\'' => {
                at = string_end(bytes, at, *byte);
                continue;
            }
            b'#' => {
                let rest = bytes[at..].iter();
                at += rest.take_while(|byte| **byte != b'\n').count();
                continue;
            }
            b'[' | b'{' if depth == NEST_MAX => return Some(at),
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The place after a string that begins with this quote, or where its line ends.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let triple = [quote; 3];
    let closing = match bytes[start..].starts_with(&triple) {
        true => &triple[..],
        false => &triple[..1],
    };
    let mut at = start + closing.len();
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if closing.len() == 1 => return at,
            _ if bytes[at..].starts_with(closing) => return at + closing.len(),
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_that_may_hold_a_secret_is_shown() {
        let table = [
            ("user = \"x", Shown::All),
            ("[child.a]\nenv = { A = \"b\" }\nuser = \"x", Shown::All),
            ("ready: notify", Shown::All),
            ("[child.a.env]\nTOKEN = \"x", Shown::Nothing),
            ("[child.a.env]\nuser = \"x", Shown::Nothing),
            ("[child.a.env]\n[child.b]\nuser = \"x", Shown::All),
            ("[child.a.env\nTOKEN = \"x", Shown::Nothing),
            ("[[child.a.env]] # why\n\nx", Shown::Nothing),
            ("[child.a]\nenv.TOKEN = x", Shown::Nothing),
            ("child.a = { env = { TOKEN = x } }", Shown::Nothing),
            ("[child.a]\nenv = {\n  TOKEN = 'x',\n  b", Shown::Nothing),
            ("[child.a.env]\nKEY = '''\nabc\n''' x", Shown::Nothing),
            // What looks like a table in a text is none.
            ("[child.a.env]\nKEY = '''\n[x]\nabc", Shown::Nothing),
            (
                "[child.a.env]\nKEY = \"\"\"\n[x]\nuser = abc",
                Shown::Nothing,
            ),
            (
                "[child.a.env]\nKEY = '''\n[x]'''\n[child.b]\nuser = \"x",
                Shown::All,
            ),
            // The ways to people.
            ("[[alert]]\nslack = \"https://x", Shown::Key),
            ("[[alert]]\ntoken = abc", Shown::Key),
            ("alert = [ { app-insights = abc", Shown::Key),
            ("[[alert]]\nwebhook =\n  \"https://x?y=z\"", Shown::Nothing),
            ("[[alert]]\nlevel = critical", Shown::All),
            // An unknown key, or a table whose name is misspelt.
            ("[child.a.enviroment]\nTOKEN = \"x", Shown::Key),
            ("TOKEN = x", Shown::Key),
            ("", Shown::Nothing),
        ];
        for (text, expected) in table {
            let line = u32::try_from(text.lines().count()).unwrap();
            assert_eq!(shown(text, line), expected, "{text}");
        }
    }

    #[test]
    fn brackets_count_where_they_are_brackets() {
        let deep = "[".repeat(NEST_MAX);
        let table = [
            (format!("a = {deep}"), None),
            (format!("a = {deep}["), Some(4 + NEST_MAX)),
            (
                format!("a = '{deep}['\nb = \"{deep}\\\"[\"\n# {deep}["),
                None,
            ),
            (
                format!("a = \"\"\"{deep}\n\"[\"\"\"\nb = \'\'\'\n{deep}[\'\'\'"),
                None,
            ),
            (format!("a = \"left open\n{deep}["), Some(15 + NEST_MAX)),
            ("a = [{}, {}]\n".repeat(100), None),
        ];
        for (text, expected) in table {
            assert_eq!(nest(&text), expected, "{text}");
        }
    }
}
