//! A clean event cannot be written down, converted, defaulted or deserialised: only the PII engine makes one.
use engines_core::CleanEvent;

fn main() {
    let _: CleanEvent = Default::default();
    let _: CleanEvent = serde_json::from_str("{}").unwrap();
    let _ = CleanEvent { surface: String::new() };
}
