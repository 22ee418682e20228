//! `KEY=VALUE` lines, as `env-file` names them. Read at each start of a child, not here.

/// Reads the text of an `env-file`. Blank lines and lines that begin with `#` are
/// passed over, and so are a leading `export`, a byte order mark and the `\r` of
/// Windows. A value is
///
/// - in single quotes: what stands there;
/// - in double quotes: with `\n`, `\r`, `\t`, `\\`, `\"`, `\$` and `` \` ``;
/// - bare: the rest of the line without surrounding space, up to a ` #`.
///
/// Nothing is expanded. A key that comes twice is listed twice: the later one wins.
///
/// # Errors
///
/// The first line that cannot be read, counted from 1, and what is wrong with it.
/// The text never holds a value: those are secrets.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, String)> {
    let mut variables = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (place, line) in text.lines().enumerate() {
        match variable(line.trim()) {
            Ok(Some(variable)) => variables.push(variable),
            Ok(None) => {}
            Err(problem) => return Err((place + 1, problem)),
        }
    }
    Ok(variables)
}

fn variable(line: &str) -> Result<Option<(String, String)>, String> {
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    if line.contains('\0') {
        return Err("holds a NUL byte; is this a text file?".to_owned());
    }
    let Some((key, value)) = line.split_once('=') else {
        return Err("has no \"=\"; write KEY=VALUE".to_owned());
    };
    let key = match key.trim_end().split_once(char::is_whitespace) {
        Some(("export", key)) => key.trim(),
        Some(_) => return Err("has a space in its key; write KEY=VALUE".to_owned()),
        None => key.trim_end(),
    };
    if key.is_empty() {
        return Err("has no key before the \"=\"; write KEY=VALUE".to_owned());
    }
    if key.contains(char::is_whitespace) {
        return Err("has a space in its key; write KEY=VALUE".to_owned());
    }
    let value = value.trim();
    let value = match value.chars().next() {
        Some('\'') => single(&value[1..])?,
        Some('"') => double(&value[1..])?,
        Some(_) | None => bare(value).to_owned(),
    };
    Ok(Some((key.to_owned(), value)))
}

fn bare(value: &str) -> &str {
    let end = value
        .match_indices('#')
        .map(|(place, _)| place)
        .find(|&place| place == 0 || value[..place].ends_with([' ', '\t']));
    end.map_or(value, |end| value[..end].trim_end())
}

fn single(rest: &str) -> Result<String, String> {
    let (value, rest) = rest
        .split_once('\'')
        .ok_or("has a single quote that is not closed on the same line")?;
    nothing_but_a_comment(rest)?;
    Ok(value.to_owned())
}

fn double(rest: &str) -> Result<String, String> {
    let mut value = String::new();
    let mut chars = rest.chars();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                nothing_but_a_comment(chars.as_str())?;
                return Ok(value);
            }
            '\\' => match chars.next() {
                Some('n') => value.push('\n'),
                Some('r') => value.push('\r'),
                Some('t') => value.push('\t'),
                Some(plain @ ('\\' | '"' | '$' | '`')) => value.push(plain),
                Some(other) => value.extend(['\\', other]),
                None => break,
            },
            _ => value.push(char),
        }
    }
    Err("has a double quote that is not closed on the same line".to_owned())
}

fn nothing_but_a_comment(rest: &str) -> Result<(), String> {
    let rest = rest.trim_start();
    if rest.is_empty() || rest.starts_with('#') {
        Ok(())
    } else {
        Err("goes on after the closing quote; quote the whole value".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let text = "\u{feff}# secrets\r\n\r\nTOKEN=abc\r\n export  A = b c  # why\nURL=http://x/#top\n\
                    S='it is $HOME \\n' # single\nD=\"a\\tb\\\"c\\\\ \\d\"\nEMPTY=\nE2=''\nQ=it's\nA=again\nN= # none\n";
        let expected = [
            ("TOKEN", "abc"),
            ("A", "b c"),
            ("URL", "http://x/#top"),
            ("S", "it is $HOME \\n"),
            ("D", "a\tb\"c\\ \\d"),
            ("EMPTY", ""),
            ("E2", ""),
            ("Q", "it's"),
            ("A", "again"),
            ("N", ""),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn says_which_line_is_wrong_and_never_its_value() {
        let table = [
            ("A=1\n\nsecret", 3, "has no \"=\"; write KEY=VALUE"),
            ("=secret", 1, "has no key before the \"=\"; write KEY=VALUE"),
            ("A B=secret", 1, "has a space in its key; write KEY=VALUE"),
            (
                "export A B=secret",
                1,
                "has a space in its key; write KEY=VALUE",
            ),
            (
                "A='secret",
                1,
                "has a single quote that is not closed on the same line",
            ),
            (
                "A=\"secret\\\"",
                1,
                "has a double quote that is not closed on the same line",
            ),
            (
                "A=\"secret\\",
                1,
                "has a double quote that is not closed on the same line",
            ),
            (
                "A='b'secret",
                1,
                "goes on after the closing quote; quote the whole value",
            ),
            ("A=se\0cret", 1, "holds a NUL byte; is this a text file?"),
        ];
        for (text, line, problem) in table {
            assert_eq!(parse(text), Err((line, problem.to_owned())), "{text}");
        }
    }
}
