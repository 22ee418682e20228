//! A text before it is parsed: whether it is worth it.

use toml::de::{DeTable, Error};

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
pub(super) fn garbage(text: &str) -> Option<Error> {
    if text.len() <= RECOVERED_MAX {
        return None;
    }
    let end = (0..RECOVERED_MAX / 4).rfind(|end| text.is_char_boundary(*end))?;
    let error = DeTable::parse(&text[..end]).err()?;
    // Later ones may come from the cut: what is left open there is closed further down.
    let start = error.span()?.start;
    (start < end / 2).then_some(error)
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
