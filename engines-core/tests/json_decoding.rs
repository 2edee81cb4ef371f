//! Decoding of JSON from outside: what is accepted, what is rejected, and the errors.

use std::collections::BTreeMap;

use engines_core::{
    Code, Error, Limits, ResourceId,
    json::{self, CheckedJson},
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Debug, Deserialize)]
struct Order {
    id: ResourceId,
    #[serde(default)]
    lines: Vec<Line>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Line {
    #[serde(alias = "quantity")]
    count: u32,
}

fn refused(body: impl AsRef<[u8]>) -> Error {
    match json::decode::<Order>(body.as_ref(), &Limits::default(), "test") {
        Ok(order) => panic!("taken: {order:?}"),
        Err(error) => error,
    }
}

fn field(error: &Error) -> &str {
    error.member("field").and_then(Value::as_str).unwrap_or("none")
}

#[test]
fn a_valid_body_is_decoded_and_unknown_members_are_ignored() {
    let body = r#" {"id":"o1", "lines":[{"count":2,"x":{"deep":[1,2]}}], "note":null, "more":1e300} "#;
    let order: Order = json::decode(body.as_bytes(), &Limits::default(), "test").unwrap();
    assert_eq!((order.id.as_str(), order.lines[0].count, order.note), ("o1", 2, None));
}

#[test]
fn errors_name_the_field_and_quote_no_values() {
    let cases = [
        (r#"{"lines":[]}"#, Code::BodyInvalid, "/id"),
        (r#"{"id":"o1","lines":[{"count":1},{}]}"#, Code::BodyInvalid, "/lines/1/count"),
        (r#"{"id":"o1","lines":[{"count":"sesame"}]}"#, Code::BodyInvalid, "/lines/0/count"),
        (r#"{"id":"o1","lines":"sesame"}"#, Code::BodyInvalid, "/lines"),
        (r#"{"id":"o1","lines":[{"count":-1}]}"#, Code::BodyInvalid, "/lines/0/count"),
        (r#"{"id":"o1","note":[]}"#, Code::BodyInvalid, "/note"),
        (r#"{"id":"open sesame"}"#, Code::IdInvalid, "/id"),
        (r#"{"id":"o1","lines":[{"count":1,"quantity":1}]}"#, Code::BodyInvalid, "/lines/0/count"),
        (r#"{"id":"o1","a/b":{"~":{"k":1,"k":2}}}"#, Code::BodyInvalid, "/a~1b/~0/k"),
        (r#"{"id":"o1","x":[0,{"k":1,"\u006b":2}]}"#, Code::BodyInvalid, "/x/1/k"),
        (r#"{"id":"o1","x":[0,[1e999]]}"#, Code::BodyInvalid, "/x/1/0"),
        (r#"{"id":"o1","x":123456789012345678901234567890}"#, Code::BodyInvalid, "/x"),
        (r#"{"id":"o1","x":"\ud800"}"#, Code::BodyInvalid, "/x"),
        ("[1,2]", Code::BodyInvalid, "/0"),
        ("null", Code::BodyInvalid, ""),
        ("", Code::BodyInvalid, ""),
        ("  \n", Code::BodyInvalid, ""),
        (r#"{"id":"o1"} {"id":"o2"}"#, Code::BodyInvalid, ""),
    ];
    for (body, code, place) in cases {
        let error = refused(body);
        assert_eq!((error.code(), field(&error)), (code, place), "{body}: {error}");
        assert!(!error.to_string().contains("sesame"), "{error}");
        assert_eq!(error.operation(), "test");
    }
    for body in [r#"{"id":"o1""#, "{", "\"", "}", "]]", r#"{"id":"o1",}"#, "nonsense", r#"{"id" "o1"}"#, r#"{"id":01}"#]
    {
        assert_eq!(refused(body).code(), Code::BodyInvalid, "{body}");
    }
    assert_eq!(refused(b"{\"id\":\"\xff\"}").code(), Code::BodyInvalid);
}

#[test]
fn too_deep_json_is_refused_without_recursion() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(json::decode::<Value>(nested(64).as_bytes(), &Limits::default(), "test").is_ok());
    for levels in [65, 10_000, 1_000_000] {
        let error = refused(nested(levels));
        assert!(error.detail().contains("json_depth"), "{error}");
        assert_eq!(error.member("limit"), Some(&json!(64)));
    }
    assert_eq!(refused("{\"a\":".repeat(10_000)).member("limit"), Some(&json!(64)));
}

#[test]
fn duplicates_among_many_keys_are_found() {
    let mut keys: Vec<_> = (0..50_000).map(|n| format!("\"key{n}\":{n}")).collect();
    let body = |keys: &[String]| format!("{{{}}}", keys.join(","));
    let all: BTreeMap<String, u32> = json::decode(body(&keys).as_bytes(), &Limits::default(), "test").unwrap();
    assert_eq!(all.len(), 50_000);
    keys.push("\"key777\":1".into());
    assert_eq!(field(&refused(body(&keys))), "/key777");
}

#[test]
fn numbers_at_the_limits_of_64_bits_are_kept() {
    let body =
        br#"{"a":18446744073709551615,"b":-9223372036854775808,"c":1e308,"d":0.1234567890123456789012345,"e":1e-999}"#;
    let numbers: Value = json::decode(body, &Limits::default(), "test").unwrap();
    assert_eq!(numbers["a"], json!(u64::MAX));
    assert_eq!(numbers["b"], json!(i64::MIN));
}

#[test]
fn members_can_be_read_without_decoding_the_rest() {
    let limits = Limits::default();
    let body = br#"{"x":{"tenant_id":"t_other"},"tenant\u005fid" : "t_a\u0063me","env":null,"n":1}"#;
    let json = CheckedJson::check(body, &limits, "test").unwrap();
    assert_eq!(json.string_member("tenant_id").unwrap().as_deref(), Some("t_acme"));
    assert_eq!(json.string_member("env").unwrap(), None);
    assert_eq!(json.string_member("absent").unwrap(), None);
    assert_eq!(field(&json.string_member("n").unwrap_err()), "/n");
    assert!(
        CheckedJson::check(b"[\"tenant_id\"]", &limits, "test").unwrap().string_member("tenant_id").unwrap().is_none()
    );
    assert!(CheckedJson::check(b"{\"env\":\"open", &limits, "test").unwrap().string_member("env").is_err());
}

#[test]
fn expect_object_refuses_other_values() {
    let object = |body: &[u8]| {
        CheckedJson::check(body, &Limits::default(), "test")
            .unwrap()
            .expect_object()
            .and_then(|json| json.decode::<Order>())
    };
    assert!(object(b" {\"id\":\"o1\"}").is_ok());
    assert_eq!(object(b"[\"o1\"]").unwrap_err().detail(), "expected an object");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..24)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_serde_json_writes_is_accepted_unchanged(value in values(), pretty: bool) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let plain: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(json::decode::<Value>(text.as_bytes(), &Limits::default(), "test").unwrap(), plain);
    }

    #[test]
    fn arbitrary_input_never_panics(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(br#"{}[]",:\u0d8-1e."#.to_vec())], 0..200)) {
        if let Ok(json) = CheckedJson::check(&bytes, &Limits::default(), "test") {
            let _ = json.string_member("a");
            let ours = json.decode::<Value>();
            prop_assert!(ours.is_err() || serde_json::from_slice::<Value>(&bytes).is_ok());
        }
    }
}
