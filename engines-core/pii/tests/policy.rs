//! Policies, operators, detectors, lists and limits.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use engines_pii::{
    DetectedSpan, Detector, DetectorBudget, DetectorError, Entity, EntityKind, Operator, PiiKey, Policy, PolicyError,
    ScrubError, ScrubReport, Scrubber, scrub_reader,
};
use serde_json::json;

fn policy(document: serde_json::Value) -> Policy {
    serde_json::from_value(document).unwrap()
}

fn scrub(scrubber: &Scrubber, text: &str) -> String {
    scrubber.scrub_text(text).unwrap().value.into_owned()
}

#[test]
fn operators_can_differ_by_entity_and_action() {
    let policy = policy(json!({
        "version": "t1",
        "entities": {"CREDIT_CARD": {"operator": "partial"}, "PHONE_NUMBER": {"operator": "drop"}, "IP_ADDRESS": {"enabled": false}},
        "actions": {"export": {"CREDIT_CARD": "mask"}},
    }));
    let scrubber = Scrubber::builder().policy(policy).build().unwrap();
    let text = "card 4111 1111 1111 1111, tel +442079460958, from 203.0.113.9, a@example.org";
    assert_eq!(scrub(&scrubber, text), "card [CREDIT_CARD:1111], tel , from 203.0.113.9, [EMAIL_ADDRESS]");
    let export = scrubber.for_action("export");
    assert!(scrub(&export, text).starts_with("card [CREDIT_CARD], "));
    assert_eq!(scrub(&scrubber.for_action("unknown"), text), scrub(&scrubber, text));
    let (clean, receipt) =
        scrubber.scrub_json(&json!({"phone": 15551234567_u64, "card": 4111111111111111_u64})).unwrap();
    assert_eq!(clean["card"], "[CREDIT_CARD:1111]");
    assert_eq!(&*receipt.policy, "t1");
}

#[test]
fn pseudonyms_are_stable_inside_a_tenant_and_differ_across() {
    let build = |key: &[u8]| {
        let policy = Policy { default: Operator::Pseudonym, ..Policy::default() };
        Scrubber::builder().policy(policy).key(PiiKey::new(key)).build().unwrap()
    };
    let (one, again, other) = (build(b"tenant one's key"), build(b"tenant one's key"), build(b"tenant two's key"));
    let token = scrub(&one, "ana@example.org");
    assert_eq!(token.len(), "[EMAIL_ADDRESS:]".len() + 24);
    assert_eq!(token, scrub(&again, "Ana@Example.ORG"));
    assert_eq!(token, scrub(&one, "ana%40example.org"));
    assert_ne!(token, scrub(&other, "ana@example.org"));
    assert_eq!(scrub(&one, "4111 1111 1111 1111"), scrub(&one, "4111111111111111"));
    assert_eq!(scrub(&one, &token), token);
    let a = one.scrub_json(&json!({"a": "ana@example.org", "b": "bob@example.org"})).unwrap().0;
    let b = one.scrub_json(&json!({"b": "bob@example.org", "a": "ana@example.org"})).unwrap().0;
    assert_eq!(a, b);
    assert_eq!(format!("{:?}", PiiKey::new(*b"secret")), "PiiKey(..)");
}

#[test]
fn missing_keys_and_unknown_entities_fail_the_build() {
    let keyless = Policy { default: Operator::Hash, ..Policy::default() };
    assert!(matches!(Scrubber::builder().policy(keyless).build(), Err(PolicyError::KeyMissing { .. })));
    let unknown = policy(json!({"entities": {"NO_SUCH": {}}}));
    assert!(
        matches!(Scrubber::builder().policy(unknown).build(), Err(PolicyError::UnknownEntity(name)) if name == "NO_SUCH")
    );
    let versionless = policy(json!({"version": ""}));
    assert!(matches!(Scrubber::builder().policy(versionless).build(), Err(PolicyError::Version)));
    assert!(serde_json::from_value::<Policy>(json!({"defualt": "mask"})).is_err());
}

#[test]
fn allow_and_deny_lists_are_applied() {
    let policy = policy(json!({
        "allow": ["support@example.com", "@example.net"],
        "deny": ["Project Nightfall", "künstlername"],
    }));
    let scrubber = Scrubber::builder().policy(policy).build().unwrap();
    assert_eq!(
        scrub(
            &scrubber,
            "Support@example.com, x@example.net, x@example.org: project nightfall, künstlername; Project Nightfalls"
        ),
        "Support@example.com, x@example.net, [EMAIL_ADDRESS]: [DENY_LIST], [DENY_LIST]; Project Nightfalls"
    );
    let mut stream = scrubber.stream().unwrap();
    let mut out = stream.push("about project ni").unwrap();
    out += &stream.push("ghtfall and support@exam").unwrap();
    out += &stream.push("ple.com").unwrap();
    assert_eq!(out + &stream.finish().unwrap().0, "about [DENY_LIST] and support@example.com");
}

/// A detector that returns a configured result.
struct Says(fn(&str) -> Result<Vec<DetectedSpan>, DetectorError>);

impl Detector for Says {
    fn name(&self) -> &str {
        "says"
    }

    fn entities(&self) -> Vec<Entity> {
        Entity::from_name("PERSON").into_iter().collect()
    }

    fn detect(&self, text: &str, _: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError> {
        (self.0)(text)
    }
}

fn person(start: usize, end: usize) -> DetectedSpan {
    DetectedSpan { entity: Entity::from_name("PERSON").unwrap(), start, end, score: 0.9 }
}

#[test]
fn detectors_fail_closed() {
    let with = |f| Scrubber::builder().detector(Says(f)).build().unwrap();
    assert_eq!(scrub(&with(|_| Ok(vec![person(0, 3)])), "Ada: ada@example.org"), "[PERSON]: [EMAIL_ADDRESS]");
    assert_eq!(scrub(&with(|_| Ok(vec![person(0, 12)])), "Ada: ada@example.org!"), "[EMAIL_ADDRESS]!");
    let failing = with(|_| Err(DetectorError("no model".into())));
    assert!(matches!(failing.scrub_text("x"), Err(ScrubError::Detector { .. })));
    assert!(matches!(failing.scrub_json(&json!({"a": "x y"})), Err(ScrubError::Detector { .. })));
    assert!(matches!(with(|_| Ok(vec![person(0, 9)])).scrub_text("x"), Err(ScrubError::DetectorSpan { .. })));
    assert!(matches!(with(|_| Ok(vec![person(1, 2)])).scrub_text("é"), Err(ScrubError::DetectorSpan { .. })));
    assert!(matches!(failing.stream(), Err(PolicyError::DetectorStream(_))));
    let ticks = Arc::new(AtomicU64::new(0));
    let clock = move || Duration::from_secs(ticks.fetch_add(1, Ordering::Relaxed));
    let slow =
        Scrubber::builder().detector(Says(|_| Ok(vec![]))).budget(Duration::from_millis(1), clock).build().unwrap();
    assert!(matches!(slow.scrub_text("x"), Err(ScrubError::OutOfTime { .. })));
}

#[test]
fn receipts_name_entities_and_masked_paths() {
    let value = json!({"a/b": {"ana@example.org": ["x", "call +442079460958"]}, "user": {"dob": "1980-05-17"}});
    let (_, receipt) = Scrubber::default().scrub_json(&value).unwrap();
    assert_eq!(
        serde_json::to_value(&receipt).unwrap(),
        json!({
            "policy": "default-1",
            "counts": {"DATE_OF_BIRTH": 1, "EMAIL_ADDRESS": 1, "PHONE_NUMBER": 1},
            "paths": ["/a~1b/[EMAIL_ADDRESS]", "/a~1b/[EMAIL_ADDRESS]/1", "/user/dob"],
        })
    );
    let many: Vec<_> = (0..500).map(|i| format!("u{i}@example.org")).collect();
    let (_, receipt) = Scrubber::default().scrub_json(&json!(many)).unwrap();
    assert_eq!(receipt.paths.len(), ScrubReport::MAX_PATHS);
    assert_eq!(receipt.counts[&Entity::from(EntityKind::EmailAddress)], 500);
}

#[test]
fn json_keys_that_become_equal_get_a_suffix() {
    let text = r#"{"a@example.org":1,"b@example.org":{"password":"hunter22"},"c":[]}"#;
    let clean = Scrubber::default().scrub_json_str(text).unwrap();
    assert_eq!(clean.value, r#"{"[EMAIL_ADDRESS]":1,"[EMAIL_ADDRESS]_2":{"password":"[SECRET_PASSWORD]"},"c":[]}"#);
    let (clean, _) = Scrubber::default().scrub_json(&serde_json::from_str(text).unwrap()).unwrap();
    assert_eq!(clean.as_object().unwrap().len(), 3);
}

#[test]
fn text_size_json_depth_and_invalid_json_are_refused() {
    let deep = "[".repeat(80) + &"]".repeat(80);
    assert!(matches!(Scrubber::default().scrub_json_str(&deep), Err(ScrubError::TooDeep { limit: 64 })));
    assert!(matches!(
        Scrubber::default().scrub_json(&serde_json::from_str(&deep).unwrap()),
        Err(ScrubError::TooDeep { .. })
    ));
    let small = Scrubber::builder().max_bytes(8).build().unwrap();
    assert!(matches!(small.scrub_text("nine bytes"), Err(ScrubError::TooLarge { size: 10, limit: 8 })));
    for broken in ["", "{", "{\"a\"}", "[1,]", "01", "\"\\x\"", "nul", "1 2", "\"\n\""] {
        assert!(matches!(Scrubber::default().scrub_json_str(broken), Err(ScrubError::NotJson { .. })), "{broken:?}");
    }
}

#[test]
fn a_long_reader_is_scrubbed_with_bounded_memory() {
    let line = "mail ana@example.org or password=hunter2x now\n";
    let text = line.repeat(5000);
    let mut out = Vec::new();
    let receipt = scrub_reader(&Scrubber::default(), text.as_bytes(), &mut out).unwrap();
    assert_eq!(receipt.total(), 10_000);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        "mail [EMAIL_ADDRESS] or password=[SECRET_PASSWORD] now\n".repeat(5000)
    );
}

#[test]
fn a_detector_span_inside_a_json_escape_is_widened() {
    // A detector that sees the string as it is written, and reports the text after a backslash as a name.
    let cut = Says(|text| {
        let cuts = text.match_indices('\\').map(|(at, _)| person(at + 1, (at + 3).min(text.len())));
        Ok(cuts.filter(|cut| cut.start < cut.end && text.is_char_boundary(cut.end)).collect())
    });
    let scrubber = Scrubber::builder().detector(cut).build().unwrap();
    for inner in [r"a\fred", r"a\nb\\c", r"\u00e9t\u00e9", r"\\\\\\", r#"\"\"x"#, r"\b\f\n", r"ends\\"] {
        let text = format!(r#"{{"t":"{inner}","{inner}":[]}}"#);
        let clean = scrubber.scrub_json_str(&text).unwrap();
        assert!(serde_json::from_str::<serde_json::Value>(&clean.value).is_ok(), "{text} became {}", clean.value);
        assert!(clean.value.contains("[PERSON]"), "{text} became {}", clean.value);
    }
}
