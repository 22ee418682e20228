//! Colours, only where a person looks.

use std::io::IsTerminal;

/// A colour of a word.
#[derive(Clone, Copy)]
pub(super) enum Colour {
    Green,
    Yellow,
    Red,
    Grey,
}

/// Whether standard output is a terminal that wants colours (no-color.org).
pub(super) fn is_wanted() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    !refused && !dumb && std::io::stdout().is_terminal()
}

/// The text in that colour.
pub(super) fn paint(text: &str, colour: Colour, wanted: bool) -> String {
    let code = match colour {
        Colour::Green => 32,
        Colour::Yellow => 33,
        Colour::Red => 31,
        Colour::Grey => 90,
    };
    if wanted {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}
