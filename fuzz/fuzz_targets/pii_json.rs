//! Any text as JSON: what `serde_json` takes is taken and stays JSON, what it refuses is refused.

#![no_main]

use std::sync::LazyLock;

use engines_pii::{ScrubError, Scrubber};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;
use serde_json::Value;

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

fuzz_target!(|text: &str| {
    match SCRUBBER.scrub_json_str(text) {
        Ok(clean) => {
            serde_json::from_str::<IgnoredAny>(&clean.value).expect("the output is not JSON");
        }
        Err(ScrubError::TooDeep { .. }) => {}
        Err(_) => assert!(serde_json::from_str::<IgnoredAny>(text).is_err(), "JSON was refused"),
    }
    if let Ok(value) = serde_json::from_str::<Value>(text) {
        let _ = SCRUBBER.scrub_json(&value);
    }
});
