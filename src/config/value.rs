//! Values that TOML has no type for: durations, sizes, words of a command.

use std::time::Duration;

use crate::model::limits::DURATION_MAX;

/// Units of time in milliseconds, the largest first.
const SPANS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Units of size in bytes.
const SIZES: [(char, u64); 5] = [
    ('B', 1),
    ('K', 1 << 10),
    ('M', 1 << 20),
    ('G', 1 << 30),
    ('T', 1 << 40),
];

/// Reads `5s`, `250ms`, `1h30m`: whole numbers with units, the larger unit first.
pub fn duration(text: &str) -> Result<Duration, &'static str> {
    const MALFORMED: &str = "is not a duration";
    const TOO_LONG: &str = "is longer than a century";
    let (mut rest, mut units, mut millis) = (text, &SPANS[..], 0u64);
    while !rest.is_empty() || text.is_empty() {
        let (number, after) = rest.split_at(digits(rest));
        let (unit, after) = after.split_at(letters(after));
        let place = units.iter().position(|(name, _)| *name == unit);
        let (Some(place), false) = (place, number.is_empty()) else {
            return Err(MALFORMED);
        };
        let part = number.parse::<u64>().ok();
        let part = part.and_then(|number| number.checked_mul(units[place].1));
        millis = part
            .and_then(|part| millis.checked_add(part))
            .ok_or(TOO_LONG)?;
        units = &units[place + 1..];
        rest = after;
    }
    let span = Duration::from_millis(millis);
    if span > DURATION_MAX {
        return Err(TOO_LONG);
    }
    Ok(span)
}

/// Writes a duration as [`duration`] reads it.
pub(super) fn span(span: Duration) -> String {
    let mut millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, factor) in SPANS {
        if millis >= factor {
            text += &format!("{}{unit}", millis / factor);
            millis %= factor;
        }
    }
    match text.is_empty() {
        true => "0s".to_owned(),
        false => text,
    }
}

/// Reads `256M`, `64K`, `100B`, also `64KB` and `64KiB`: powers of 1024.
pub(super) fn size(text: &str) -> Result<u64, &'static str> {
    const MALFORMED: &str = "is not a size";
    let (number, unit) = text.split_at(digits(text));
    let mut letters = unit.chars();
    let letter = letters.next().ok_or(MALFORMED)?.to_ascii_uppercase();
    let factor = SIZES.iter().find(|(name, _)| *name == letter);
    let (_, factor) = factor.ok_or(MALFORMED)?;
    let tail_is_known = match letter {
        'B' => letters.as_str().is_empty(),
        _ => matches!(letters.as_str(), "" | "B" | "b" | "iB"),
    };
    if number.is_empty() || !tail_is_known {
        return Err(MALFORMED);
    }
    let number = number.parse::<u64>().ok();
    number
        .and_then(|number| number.checked_mul(*factor))
        .ok_or("is more bytes than a file can have")
}

/// Reads `10%`.
pub(super) fn percent(text: &str) -> Option<u8> {
    let number = text.strip_suffix('%')?;
    let number = number
        .get(..digits(number))
        .filter(|part| *part == number)?;
    number.parse().ok().filter(|percent| *percent <= 100)
}

/// Reads `022` or `0o022`.
pub(super) fn mask(text: &str) -> Option<u16> {
    let octal = text.strip_prefix("0o").unwrap_or(text);
    let is_octal = !octal.is_empty() && octal.bytes().all(|byte| matches!(byte, b'0'..=b'7'));
    let mask = u16::from_str_radix(octal, 8).ok().filter(|_| is_octal)?;
    (mask <= 0o777).then_some(mask)
}

/// Splits a command into words as a shell does, with `'…'`, `"…"` and `\`, and
/// refuses what only a shell can do.
pub(super) fn words(text: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        match char {
            ' ' | '\t' | '\n' | '\r' => words.extend(word.take()),
            '\'' => single(&mut chars, word.get_or_insert_default())?,
            '"' => double(&mut chars, word.get_or_insert_default())?,
            '\\' => {
                let next = chars.next().ok_or("ends in a lone \\")?;
                word.get_or_insert_default().push(next);
            }
            '|' | '&' | ';' | '<' | '>' | '(' | ')' | '`' | '$' => return Err(needs_a_shell(char)),
            _ => word.get_or_insert_default().push(char),
        }
    }
    words.extend(word);
    Ok(words)
}

fn single(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    let (inside, rest) = chars
        .as_str()
        .split_once('\'')
        .ok_or("has a single quote that is not closed")?;
    word.push_str(inside);
    *chars = rest.chars();
    Ok(())
}

fn double(chars: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    while let Some(char) = chars.next() {
        match char {
            '"' => return Ok(()),
            '`' | '$' => return Err(needs_a_shell(char)),
            '\\' => match chars.next() {
                Some(plain @ ('\\' | '"' | '$' | '`')) => word.push(plain),
                Some(other) => word.extend(['\\', other]),
                None => break,
            },
            _ => word.push(char),
        }
    }
    Err("has a double quote that is not closed".to_owned())
}

fn needs_a_shell(char: char) -> String {
    format!("has a {char} that only a shell understands")
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

fn letters(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_alphabetic).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let table = [
            ("0s", Ok(0)),
            ("5s", Ok(5_000)),
            ("250ms", Ok(250)),
            ("10m", Ok(600_000)),
            ("1h30m", Ok(5_400_000)),
            ("2d", Ok(172_800_000)),
            ("1d2h3m4s5ms", Ok(93_784_005)),
            ("36500d", Ok(3_153_600_000_000)),
            ("36501d", Err("is longer than a century")),
            ("99999999999999999999s", Err("is longer than a century")),
            ("18446744073709551615d", Err("is longer than a century")),
            ("", Err("is not a duration")),
            ("5", Err("is not a duration")),
            ("s", Err("is not a duration")),
            ("1.5s", Err("is not a duration")),
            ("-5s", Err("is not a duration")),
            ("5 s", Err("is not a duration")),
            ("5S", Err("is not a duration")),
            ("5sec", Err("is not a duration")),
            ("30m1h", Err("is not a duration")),
            ("5s5s", Err("is not a duration")),
            ("5s5", Err("is not a duration")),
            ("５s", Err("is not a duration")),
        ];
        for (text, expected) in table {
            assert_eq!(
                duration(text),
                expected.map(Duration::from_millis),
                "{text}"
            );
        }
    }

    #[test]
    fn spans_read_back_as_they_are_written() {
        for text in ["0s", "5s", "2m", "1h30m", "1d2h3m4s5ms"] {
            assert_eq!(duration(text).map(span).as_deref(), Ok(text));
        }
    }

    #[test]
    fn sizes() {
        let table = [
            ("0B", Ok(0)),
            ("100B", Ok(100)),
            ("64K", Ok(65_536)),
            ("64k", Ok(65_536)),
            ("64KB", Ok(65_536)),
            ("64KiB", Ok(65_536)),
            ("256M", Ok(268_435_456)),
            ("1G", Ok(1_073_741_824)),
            ("2T", Ok(2_199_023_255_552)),
            ("", Err("is not a size")),
            ("5", Err("is not a size")),
            ("M", Err("is not a size")),
            ("5 M", Err("is not a size")),
            ("1.5G", Err("is not a size")),
            ("-1M", Err("is not a size")),
            ("5BB", Err("is not a size")),
            ("5MX", Err("is not a size")),
            ("5é", Err("is not a size")),
            ("99999999999T", Err("is more bytes than a file can have")),
        ];
        for (text, expected) in table {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    #[test]
    fn percents_and_masks() {
        for (text, expected) in [
            ("0%", Some(0)),
            ("100%", Some(100)),
            ("101%", None),
            ("10", None),
            ("+1%", None),
            ("%", None),
        ] {
            assert_eq!(percent(text), expected, "{text}");
        }
        for (text, expected) in [
            ("022", Some(0o22)),
            ("0o077", Some(0o77)),
            ("0", Some(0)),
            ("777", Some(0o777)),
            ("1000", None),
            ("8", None),
            ("", None),
            ("0o", None),
            ("+22", None),
        ] {
            assert_eq!(mask(text), expected, "{text}");
        }
    }

    #[test]
    fn words_of_a_command() {
        let table: [(&str, &[&str]); 7] = [
            ("", &[]),
            ("  a   b\tc\n", &["a", "b", "c"]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            ("a --x='y z'\"!\" ''", &["a", "--x=y z!", ""]),
            (r"a\ b \\ \'", &["a b", "\\", "'"]),
            (r#"'$HOME;' "\$x \"q\" \n""#, &["$HOME;", "$x \"q\" \\n"]),
            ("ls *.c ~ #x", &["ls", "*.c", "~", "#x"]),
        ];
        for (text, expected) in table {
            assert_eq!(words(text).unwrap(), expected, "{text}");
        }
        let table = [
            ("a | b", "has a | that only a shell understands"),
            ("a>b", "has a > that only a shell understands"),
            ("echo \"$HOME\"", "has a $ that only a shell understands"),
            ("it's", "has a single quote that is not closed"),
            ("say \"hi", "has a double quote that is not closed"),
            ("say \"hi\\", "has a double quote that is not closed"),
            ("a \\", "ends in a lone \\"),
        ];
        for (text, problem) in table {
            assert_eq!(words(text), Err(problem.to_owned()), "{text}");
        }
    }
}
