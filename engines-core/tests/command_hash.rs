//! The canonical form compared with RFC 8785, and the hash of it.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use engines_core::command::{canonical_json, state_hash};
use proptest::prelude::*;
use serde_json::{Value, json};

fn canonical(value: &Value) -> String {
    String::from_utf8(canonical_json(value).unwrap()).unwrap()
}

#[test]
fn canonical_json_matches_the_example_of_rfc_8785_section_3_2() {
    let input = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = concat!(
        r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
        r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
    assert_eq!(canonical(&serde_json::from_str(input).unwrap()), expected);
}

#[test]
fn keys_are_sorted_by_utf16_as_in_rfc_8785_section_3_2_3() {
    // By UTF-16 code units: the emoji (a surrogate pair, D83D…) sorts before U+FB33.
    let input = json!({
        "\u{20ac}": "Euro Sign", "\r": "Carriage Return", "\u{fb33}": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
        "\u{f6}": "Latin Small Letter O With Diaeresis",
    });
    let text = canonical(&input);
    let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
    let found: Vec<usize> = order.iter().map(|name| text.find(name).unwrap()).collect();
    assert!(found.is_sorted(), "{text}");
}

#[test]
fn numbers_are_written_as_in_rfc_8785_appendix_b() {
    for (bits, expected) in [
        (0x0000_0000_0000_0000, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    ] {
        let number = f64::from_bits(bits);
        assert_eq!(canonical(&json!(number)), expected, "{bits:x}");
        // The same from text, as a client sends it.
        let sent: Value = serde_json::from_str(&format!("{number:e}")).unwrap();
        assert_eq!(canonical(&sent), expected, "{bits:x}");
    }
    assert_eq!(canonical(&json!(9_007_199_254_740_991_i64)), "9007199254740991");
    assert_eq!(canonical(&json!(-1)), "-1");
}

#[test]
fn the_state_hash_is_sha256_of_the_canonical_form() {
    // printf '{}' | sha256sum; printf '{"a":[1,"\303\244"],"b":null}' | sha256sum
    assert_eq!(state_hash(&json!({})), "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a");
    assert_eq!(state_hash(&json!({"b": null, "a": [1.0, "ä"]})), HASH);
    assert_eq!(state_hash(&json!({"b": null, "a": [1, "ä"]})), HASH);
    assert_ne!(state_hash(&json!({"b": null, "a": ["1", "ä"]})), HASH);
}

const HASH: &str = "09d06402b1598786e7403149b3c484b8ab826d83c444852812290076db12646b";

proptest! {
    /// Compares byte for byte with an independent canonicalizer that shares only the formatting of numbers.
    #[test]
    fn canonical_json_equals_serde_json_canonicalizer(value in values()) {
        let expected = serde_json_canonicalizer::to_string(&value).unwrap();
        prop_assert_eq!(canonical(&value), expected);
    }
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        (-(1_i64 << 53)..(1 << 53)).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
        "[\\x00-\\x7f]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        // Keys on both sides of the surrogates, where bytes and UTF-16 units sort differently.
        let key = "[a-c\"\\\\\u{1}äé\u{e000}\u{fb33}🦀😀]{0,3}";
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(key, inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
