//! Checks of findings in texts.

use engines_pii::Scrubber;

/// Checks that each text has a finding of that entity at exactly this place; it may have others.
#[track_caller]
pub(crate) fn finds(cases: &[(&str, &str, &str)]) {
    let scrubber = Scrubber::default();
    let mut wrong = Vec::new();
    for &(text, entity, value) in cases {
        let found = scrubber.findings(text).unwrap();
        if !found.iter().any(|f| f.entity.name() == entity && &text[f.start..f.end] == value) {
            let got: Vec<_> = found.iter().map(|f| (f.entity.name().to_owned(), &text[f.start..f.end])).collect();
            wrong.push((text, entity, got));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Checks that none of the texts has a finding.
#[track_caller]
pub(crate) fn leaves(texts: &[&str]) {
    let scrubber = Scrubber::default();
    for text in texts {
        let found = scrubber.findings(text).unwrap();
        let got: Vec<_> = found.iter().map(|f| (f.entity.name(), &text[f.start..f.end])).collect();
        assert!(got.is_empty(), "{text}: {got:?}");
    }
}
