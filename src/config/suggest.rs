//! What was probably meant.

use crate::model::Gather as _;

/// The candidate that is nearest to what was written, if it is near enough to be
/// what was meant. Case, `_` and `-` do not count.
pub(super) fn closest<'a>(
    written: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    let written = plain(written);
    // A third of the letters may be wrong, three at most: beyond that it is a guess.
    let bound = (written.len() / 3).min(3);
    candidates
        .map(|candidate| (distance(&written, &plain(candidate), bound), candidate))
        .filter(|(distance, _)| *distance <= bound)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn plain(name: &str) -> Vec<u8> {
    name.bytes()
        .filter(|byte| !matches!(byte, b'-' | b'_' | b' '))
        .map(|byte| byte.to_ascii_lowercase())
        .gather()
}

/// Letters to add, take away or change, two neighbours that changed places being one
/// (optimal string alignment); `bound + 1` where it is more than `bound`.
fn distance(one: &[u8], other: &[u8], bound: usize) -> usize {
    if one.len().abs_diff(other.len()) > bound {
        return bound + 1;
    }
    let mut before = vec![0; other.len() + 1];
    let mut above: Vec<usize> = (0..=other.len()).gather();
    let mut row = vec![0; other.len() + 1];
    for (i, letter) in one.iter().enumerate() {
        row[0] = i + 1;
        for (j, wanted) in other.iter().enumerate() {
            let changed = above[j] + usize::from(letter != wanted);
            row[j + 1] = changed.min(above[j + 1] + 1).min(row[j] + 1);
            let swapped = i > 0 && j > 0 && *letter == other[j - 1] && one[i - 1] == *wanted;
            if swapped {
                row[j + 1] = row[j + 1].min(before[j - 1] + 1);
            }
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_understood_and_strangers_are_not() {
        let keys = ["stop-timeout", "start-timeout", "restart", "env", "dir"];
        let table = [
            ("stop_timeout", Some("stop-timeout")),
            ("StopTimeout", Some("stop-timeout")),
            ("stop-timout", Some("stop-timeout")),
            ("restrat", Some("restart")),
            ("resart", Some("restart")),
            ("evn", Some("env")),
            ("colour", None),
            ("", None),
            ("x", None),
        ];
        for (written, meant) in table {
            assert_eq!(closest(written, keys.into_iter()), meant, "{written}");
        }
    }
}
