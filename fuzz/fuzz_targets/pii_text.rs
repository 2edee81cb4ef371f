//! Any text: nothing panics, findings are in order and on character borders, what is no finding stays, and no mask is taken for anything.

#![no_main]

use std::sync::LazyLock;

use engines_pii::Scrubber;
use libfuzzer_sys::fuzz_target;

static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

fuzz_target!(|text: &str| {
    let Ok(clean) = SCRUBBER.scrub_text(text) else { panic!("a text was refused") };
    let (mut rest, mut from) = (&*clean.value, 0);
    let mut masks = Vec::new();
    for finding in &clean.findings {
        assert!(from <= finding.start && finding.start < finding.end);
        let kept = &text[from..finding.start];
        let mask = format!("[{}]", finding.entity);
        rest = rest.strip_prefix(kept).and_then(|rest| rest.strip_prefix(&*mask)).expect("the text around a finding changed");
        let end = clean.value.len() - rest.len();
        masks.push(end - mask.len()..end);
        from = finding.end;
    }
    assert_eq!(rest, &text[from..]);
    assert_eq!(clean.receipt.total(), clean.findings.len() as u64);
    // What an earlier scrub left is never a finding, whole or in part; pieces that grew together around it may be one with it inside.
    let Ok(again) = SCRUBBER.findings(&clean.value) else { panic!("a clean text was refused") };
    for finding in again {
        let cuts = |mask: &std::ops::Range<usize>| {
            let overlaps = finding.start < mask.end && mask.start < finding.end;
            overlaps && !(finding.start <= mask.start && mask.end <= finding.end) || mask.start == finding.start && mask.end == finding.end
        };
        assert!(!masks.iter().any(cuts), "a mask was found: {finding:?} in {:?}", clean.value);
    }
});
