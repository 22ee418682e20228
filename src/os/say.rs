//! Lines for sup's own log. Functions, because what a macro of `log` leaves behind at each
//! place is 70 bytes more.

use std::fmt::Arguments;

use log::Level;

/// Something has failed.
pub fn error(words: Arguments<'_>) {
    say(Level::Error, "ERROR", words);
}

/// Something is not as it should be.
pub fn warning(words: Arguments<'_>) {
    say(Level::Warn, "WARNING", words);
}

/// What sup itself does.
pub fn news(words: Arguments<'_>) {
    say(Level::Info, "SUPERVISOR", words);
}

/// What a person may want to know of a child.
pub fn notification(words: Arguments<'_>) {
    say(Level::Info, "NOTIFICATION", words);
}

fn say(level: Level, who: &str, words: Arguments<'_>) {
    log::log!(target: "sup", level, "[{who}] {words}");
}
