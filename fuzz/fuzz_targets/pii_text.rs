//! Any text: nothing panics, findings are in order and on character borders, and what is no finding stays.

#![no_main]

use std::sync::LazyLock;

use engines_core::pii::Scrubber;
use libfuzzer_sys::fuzz_target;

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

fuzz_target!(|text: &str| {
    let Ok(clean) = SCRUBBER.scrub_text(text) else { panic!("a text was refused") };
    let (mut rest, mut from) = (&*clean.value, 0);
    for finding in &clean.findings {
        assert!(from <= finding.start && finding.start < finding.end);
        let kept = &text[from..finding.start];
        let mask = format!("[{}]", finding.entity);
        rest = rest.strip_prefix(kept).and_then(|rest| rest.strip_prefix(&*mask)).expect("the text around a finding changed");
        from = finding.end;
    }
    assert_eq!(rest, &text[from..]);
});
