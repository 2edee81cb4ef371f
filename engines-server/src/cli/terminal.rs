//! Prints for people.

use std::io::Write;

/// Prints the error of a command to standard error.
#[expect(clippy::print_stderr, reason = "the command line speaks to people")]
pub(super) fn print_error(failed: &(dyn std::error::Error + 'static)) {
    match failed.downcast_ref::<engines::Error>() {
        Some(error) => eprintln!("error: {}", error.detail()),
        None => eprintln!("error: {failed}"),
    }
}

/// Prints to standard output. A closed output is ignored, because it is no reason to stop.
pub(super) fn print(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}
