//! A text without findings is scrubbed without an allocation.

use allocation_counter::measure;
use engines_pii::Scrubber;

const CLEAN: [&str; 6] = [
    "",
    "The meeting was moved to the larger room because more people than expected signed up for it.",
    "order 1234567 shipped 2024-05-17T10:00:00Z, build 4.18.0-513, 3 of 12 items, total 129.90",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8 in git@host.example:team/repo.git",
    "id=550e8400-e29b-41d4-a716-446655440000 level=info took=12ms status=200 path=/v1/items",
    "Größe, naïve café, 東京で会いましょう, привет мир, γειά σου κόσμε",
];

/// Tables that are built on first use are built before.
fn warm() -> Scrubber {
    let scrubber = Scrubber::default();
    for text in CLEAN {
        drop(scrubber.scrub_text(text));
    }
    scrubber
}

#[test]
fn a_clean_text_allocates_nothing() {
    let scrubber = warm();
    for text in CLEAN {
        let mut clean = false;
        let seen = measure(|| clean = scrubber.scrub_text(text).is_ok_and(|done| done.findings.is_empty()));
        assert!(clean, "{text}");
        assert_eq!(seen.count_total, 0, "{text}: {seen:?}");
    }
    // The counter works.
    let seen = measure(|| drop(scrubber.scrub_text("mail ada@example.org")));
    assert!(seen.count_total > 0);
}

#[test]
fn a_clean_document_allocates_nothing() {
    let scrubber = warm();
    for text in CLEAN {
        let document = serde_json::json!({ "surface": "chat", "list": [text, 1, true, null], "deep": { "a": text } });
        let document = document.to_string();
        let mut clean = false;
        let seen = measure(|| clean = scrubber.scrub_json_str(&document).is_ok_and(|done| done.receipt.is_clean()));
        assert!(clean, "{text}");
        assert_eq!(seen.count_total, 0, "{text}: {seen:?}");
    }
}
