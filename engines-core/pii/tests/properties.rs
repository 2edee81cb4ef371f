//! Properties that hold for every text.

use engines_pii::{EntityKind, Finding, Operator, PiiKey, Policy, Scrubber, Vault};
use proptest::prelude::*;
use serde_json::Value;

/// Pieces that trigger rules when combined: values, cues, separators, incomplete values, encodings.
fn piece() -> impl Strategy<Value = String> {
    let pieces = [
        "ana@example.org",
        "bob\\u0040example.com",
        "@",
        ".",
        "+44 20 7946 0958",
        "(212) 555-0199",
        "call",
        "phone: ",
        "4111 1111 1111 1111",
        "4111111111111111",
        "DE89370400440532013000",
        "SSN ",
        "123-45-6789",
        "203.0.113.9",
        "2001:db8::1:2:3",
        "00:1B:44:11:3A:B7",
        "version ",
        "order ",
        "born on ",
        "1980-05-17",
        "17 May 1980",
        "password is ",
        "password=",
        "hunter2!x",
        "secret ",
        "\"",
        "'",
        ":",
        "=",
        " ",
        "\n",
        "-",
        "/",
        "[",
        "]",
        "[EMAIL_ADDRESS]",
        "[SECRET_PASSWORD]",
        "%40",
        "&#64;",
        "\\n",
        "\u{200b}",
        "\u{ad}",
        "１２３",
        "é",
        "電話は",
        "😀",
        "ß",
        "%",
        "12 Oak Street",
        "Hauptstraße 5",
        "SW1A 1AA",
        "postcode ",
        "CA 90210",
        "name (at) host (dot) com",
        "https://a:b1c2d3@h.example/",
        "-----BEGIN ",
        "eyJhbGciOi",
        "AB123456C",
        "529.982.247-25",
        "x",
        "0",
        "1",
        "12",
        "1234567",
        "the",
        "zip",
        "lat",
        "52.520008, 13.404954",
        "GPS: ",
        "\u{8}",
        "\u{c}",
        "\t",
        "\\",
    ];
    prop_oneof![
        8 => prop::sample::select(pieces.map(str::to_owned).to_vec()),
        1 => "[ -~]{0,12}",
        1 => "\\PC{0,6}",
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop::collection::vec(piece(), 0..24).prop_map(|pieces| pieces.concat())
}

/// A text whose pieces do not combine to other words: `Street` and `-DE89…` in one word are another word than
/// `Street-[IBAN_CODE]`.
fn prose() -> impl Strategy<Value = String> {
    let separator = prop::sample::select(vec![" ", "\n", ", ", "; ", ": ", " = ", "\" \"", " (", ") ", "\t", ". "]);
    prop::collection::vec((piece(), separator), 0..24)
        .prop_map(|pieces| pieces.into_iter().map(|(p, s)| p + s).collect())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::from(4_111_111_111_111_111_u64)),
        prose().prop_map(Value::from),
    ];
    let key = prop_oneof![3 => prop::sample::select(vec!["a", "dob", "password", "phone", "ana@example.org", "bob@example.org"]).prop_map(str::to_owned), 1 => prose()];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|entries| entries.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Masks each finding in the text, independently of the scrubber.
fn masked(text: &str, findings: &[Finding]) -> String {
    let (mut out, mut from) = (String::new(), 0);
    for f in findings {
        out += &text[from..f.start];
        out += &format!("[{}]", f.entity);
        from = f.end;
    }
    out + &text[from..]
}

/// The same shape at every level; numbers may have become strings.
fn same_shape(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_shape(a, b)),
        (Value::Object(a), Value::Object(b)) => a.len() == b.len(),
        (Value::Number(_), Value::Number(_) | Value::String(_)) => true,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

#[test]
fn json_escapes_stay_whole() {
    let scrubber = Scrubber::default();
    for escape in [r"\b", r"\f", r"\n", r"\r", r"\t", r"\/", r"\\", r#"\""#, r"\u000c", r"\u0008", r"\u2028"] {
        for (key, value) in
            [("t", "rancis@hall.fr"), ("t", "ob@x.example"), ("t", "@x.example"), ("phone", "020 7946 0958")]
        {
            let text = format!(r#"{{"{key}":"a {escape}{value}{escape}b"}}"#);
            let clean = scrubber.scrub_json_str(&text).unwrap();
            let (tree, receipt) = scrubber.scrub_json(&serde_json::from_str(&text).unwrap()).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&clean.value).unwrap(), tree, "{text}");
            assert_eq!(clean.receipt.counts, receipt.counts, "{text}");
        }
    }
}

#[test]
fn an_escaped_key_gives_the_cues_of_its_decoded_form() {
    let scrubber = Scrubber::default();
    for key in [
        r"password",
        r"p\u0061ssword",
        r"\tpassword is",
        r"pass\u0077ord\n",
        r"\u0070\u0061\u0073\u0073\u0077\u006f\u0072\u0064",
    ] {
        let text = format!(r#"{{"{key}":"lattice-9 blue"}}"#);
        let clean = scrubber.scrub_json_str(&text).unwrap();
        assert_eq!(*clean.value, format!(r#"{{"{key}":"[SECRET_PASSWORD]"}}"#));
    }
}

proptest! {
    #[test]
    fn text_outside_findings_stays_byte_for_byte(text in text()) {
        let scrubber = Scrubber::default();
        let clean = scrubber.scrub_text(&text).unwrap();
        // Slicing would panic inside a character.
        prop_assert_eq!(masked(&text, &clean.findings), &*clean.value);
        prop_assert!(clean.findings.windows(2).all(|w| w[0].end <= w[1].start));
        prop_assert_eq!(clean.receipt.total(), clean.findings.len() as u64);
    }

    #[test]
    fn a_masked_text_has_no_findings(text in prose()) {
        let scrubber = Scrubber::default();
        let once = scrubber.scrub_text(&text).unwrap().value.into_owned();
        let twice = scrubber.scrub_text(&once).unwrap();
        prop_assert_eq!(&*twice.value, &once, "findings left: {:?} of {:?}", twice.findings, text);
    }

    #[test]
    fn chunked_output_equals_that_of_the_whole_text(text in text(), sizes in prop::collection::vec(1_usize..40, 1..20)) {
        let scrubber = Scrubber::default();
        let whole = scrubber.scrub_text(&text).unwrap();
        let mut stream = scrubber.stream().unwrap();
        let mut out = String::new();
        let mut rest = text.as_bytes();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (chunk, more) = rest.split_at((*size).min(rest.len()));
            out += &stream.push_bytes(chunk).unwrap();
            rest = more;
        }
        let (tail, receipt) = stream.finish().unwrap();
        out += &tail;
        prop_assert_eq!(&out, &*whole.value);
        prop_assert_eq!(receipt.counts, whole.receipt.counts);
    }

    #[test]
    fn long_chunked_output_equals_that_of_the_whole_text(texts in prop::collection::vec(text(), 20..40), size in 1_usize..700) {
        let text = texts.join(" ");
        let scrubber = Scrubber::default();
        let whole = scrubber.scrub_text(&text).unwrap();
        let mut stream = scrubber.stream().unwrap();
        let mut out = String::new();
        for chunk in text.as_bytes().chunks(size) {
            out += &stream.push_bytes(chunk).unwrap();
        }
        let (tail, receipt) = stream.finish().unwrap();
        out += &tail;
        prop_assert_eq!(&out, &*whole.value);
        prop_assert_eq!(receipt.counts, whole.receipt.counts);
    }

    #[test]
    fn json_keeps_its_shape(value in json()) {
        let scrubber = Scrubber::default();
        let (clean, receipt) = scrubber.scrub_json(&value).unwrap();
        prop_assert!(same_shape(&value, &clean), "{} became {}", value, clean);
        let (again, more) = scrubber.scrub_json(&clean).unwrap();
        prop_assert_eq!(&again, &clean);
        prop_assert!(more.is_clean());
        let text = value.to_string();
        let written = scrubber.scrub_json_str(&text).unwrap();
        let parsed: Value = serde_json::from_str(&written.value).unwrap();
        prop_assert!(same_shape(&value, &parsed), "{} became {}", value, parsed);
        prop_assert_eq!(written.receipt.is_clean(), receipt.is_clean());
        for step in receipt.paths.iter().flat_map(|path| path.split('/')) {
            // As the key was written (RFC 6901 section 4).
            let step = step.replace("~1", "/").replace("~0", "~");
            prop_assert!(scrubber.findings(&step).unwrap().is_empty(), "{}", step);
        }
    }

    #[test]
    fn invalid_json_is_refused_without_panic(text in "[\\[\\]{}\",:0-9a-z\\\\ -]{0,40}") {
        let ours = Scrubber::default().scrub_json_str(&text).is_ok();
        let theirs = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        prop_assert_eq!(ours, theirs, "{}", text);
    }

    #[test]
    fn sealed_values_can_be_opened_again(text in text()) {
        let key = PiiKey::new(vec![7; 32]);
        let policy = Policy { default: Operator::Seal, ..Policy::default() };
        let scrubber = Scrubber::builder().policy(policy).vault_key(key.clone()).build().unwrap();
        let sealed = scrubber.scrub_text(&text).unwrap();
        let vault = Vault::new(key);
        prop_assert_eq!(vault.open_text(&sealed.value).unwrap(), text.clone());
        if !sealed.findings.is_empty() {
            prop_assert!(Vault::new(PiiKey::new(vec![8; 32])).open_text(&sealed.value).is_err());
        }
    }

    #[test]
    fn arbitrary_bytes_in_chunks_scrub_as_lossy_text(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut stream = Scrubber::default().stream().unwrap();
        let mut out = stream.push_bytes(&bytes).unwrap();
        out += &stream.finish().unwrap().0;
        let whole = Scrubber::default().scrub_text(&String::from_utf8_lossy(&bytes)).unwrap().value.into_owned();
        prop_assert_eq!(out, whole);
    }
}

#[test]
fn every_entity_name_maps_back_to_its_kind() {
    for kind in EntityKind::all() {
        assert_eq!(EntityKind::from_name(kind.name()), Some(kind));
    }
}

/// Inputs that fuzzing found.
#[test]
fn a_card_behind_a_phone_number_is_not_read_as_its_extension() {
    let scrubber = Scrubber::default();
    let card = "+44 20 7946 0958, x 4111 1111 1111 1111 and";
    assert_eq!(scrubber.scrub_text(card).unwrap().value, "[PHONE_NUMBER], x [CREDIT_CARD] and");
    for extended in ["+44 20 7946 0958 x 4111 and", "+44 20 7946 0958 ext. 411 2024-01-31 and"] {
        assert!(scrubber.scrub_text(extended).unwrap().value.starts_with("[PHONE_NUMBER] "), "{extended}");
        assert!(!scrubber.scrub_text(extended).unwrap().value.contains("411"), "{extended}");
    }
}

#[test]
fn inputs_found_by_fuzzing_stay_fixed() {
    let texts = [
        // A backslash at the end of a value forms an escape with the following text.
        "\n2-2secret_]\":=\":= ==A\u{18}%%%%t6%%\\\":",
        // A key whose last line comes in two chunks, and continues unusually.
        "private_key: |\n-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVAT地址E KEY----",
        // A street's name that is cut inside a character.
        "Va2015T1d\u{c}dddddddddddvdddddddddd080身d74, rue, rue 2       T1",
        "e moved to 8deat 23 od70ed to 8ddddd74eat 23 of b23 of birth 2r rue Va2015T1d\u{c}ddddddddddddddddvdddddddddd080身d74, rue, rue 2       T1:j",
    ];
    let scrubber = Scrubber::default();
    for text in texts {
        let clean = scrubber.scrub_text(text).unwrap();
        assert_eq!(masked(text, &clean.findings), *clean.value);
        for size in [1, 2, 3, 5, 7, 11, 64, 97, 200] {
            let mut stream = scrubber.stream().unwrap();
            let mut out = String::new();
            for chunk in text.as_bytes().chunks(size) {
                out += &stream.push_bytes(chunk).unwrap();
            }
            assert_eq!(out + &stream.finish().unwrap().0, *clean.value, "in chunks of {size}");
        }
    }
}
