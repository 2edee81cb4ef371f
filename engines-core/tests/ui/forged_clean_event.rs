//! A clean event cannot be constructed, converted or defaulted: only the PII engine makes one.
use engines_core::CleanEvent;

fn main() {
    let _: CleanEvent = Default::default();
    let _ = CleanEvent { surface: String::new() };
}
