//! Parsing and serialising of ops: errors name what is wrong, and valid ops round-trip.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use engines_core::command::{
    CommandLimits, JsonReducer, Op, OpError, OpErrorKind, Reducer, SizedDocument, apply_batch, parse_ops,
    parse_ops_for, parse_ops_str, parse_ops_value,
};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

fn kind(json: &str) -> (usize, OpErrorKind) {
    let error = parse_ops_str(json).unwrap_err();
    (error.index, error.kind)
}

#[test]
fn every_op_round_trips() {
    let wire = json!([
        {"op":"add","path":"/a","value":{"x":[1,null]}},
        {"op":"add","path":"","value":null},
        {"op":"remove","path":"/a~1b/~0"},
        {"op":"replace","path":"/a","value":false},
        {"op":"move","from":"/a","path":"/b"},
        {"op":"copy","from":"","path":"/b/-"},
        {"op":"test","path":"/","value":1.5},
        {"op":"insert_text","path":"/t","pos":0,"text":"ä"},
        {"op":"delete_range","path":"/t","pos":1,"len":2},
        {"op":"replace_text_range","path":"/t","pos":1,"len":0,"text":""},
        {"op":"set_token","path":"/k","value":"v"},
    ]);
    let ops = parse_ops_str(&wire.to_string()).unwrap();
    assert_eq!(parse_ops_value(&wire).unwrap(), ops);
    assert_eq!(parse_ops(&RawValue::from_string(wire.to_string()).unwrap()).unwrap(), ops);
    assert_eq!(serde_json::to_value(&ops).unwrap(), wire);
    let text = serde_json::to_string(&ops).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Op>>(&text).unwrap(), ops);
    assert!(text.starts_with(r#"[{"op":"add","path":"/a","#), "op and path come first: {text}");
    let paths: Vec<&str> = ops[4].paths().map(|path| path.as_str()).collect();
    assert_eq!(paths, ["/b", "/a"]);
    for (op, wire) in ops.iter().zip(wire.as_array().unwrap()) {
        assert_eq!(op.name(), wire["op"]);
        assert_eq!(op.paths().count(), 1 + usize::from(wire.get("from").is_some()));
    }
}

#[test]
fn errors_name_the_op_and_its_fault() {
    use OpErrorKind as K;
    for json in ["{}", "null", "1", "\"add\"", "", "[", "[}", "nope", "[]]"] {
        assert_eq!(kind(json), (0, K::Malformed), "{json}");
    }
    let ok = r#"{"op":"remove","path":"/a"}"#;
    for (bad, expected) in [
        ("1", K::Malformed),
        ("[]", K::Malformed),
        ("null", K::Malformed),
        (r#"{"op":"add","path":"/a","value":1e999}"#, K::Malformed),
        (r#"{"op":"add","path":"/a","value":"\ud800"}"#, K::Malformed),
        ("{}", K::MissingField),
        (r#"{"path":"/a"}"#, K::MissingField),
        (r#"{"op":"add","path":"/a"}"#, K::MissingField),
        (r#"{"op":"test","path":"/a"}"#, K::MissingField),
        (r#"{"op":"replace","path":"/a"}"#, K::MissingField),
        (r#"{"op":"set_token","path":"/a"}"#, K::MissingField),
        (r#"{"op":"remove"}"#, K::MissingField),
        (r#"{"op":"move","path":"/a"}"#, K::MissingField),
        (r#"{"op":"copy","from":"/a"}"#, K::MissingField),
        (r#"{"op":"insert_text","path":"/a","pos":1}"#, K::MissingField),
        (r#"{"op":"insert_text","path":"/a","text":"x"}"#, K::MissingField),
        (r#"{"op":"delete_range","path":"/a","pos":1}"#, K::MissingField),
        (r#"{"op":7,"path":"/a"}"#, K::WrongType),
        (r#"{"op":"remove","path":7}"#, K::WrongType),
        (r#"{"op":"remove","path":null}"#, K::WrongType),
        (r#"{"op":"insert_text","path":"/a","pos":-1,"text":"x"}"#, K::WrongType),
        (r#"{"op":"insert_text","path":"/a","pos":1.5,"text":"x"}"#, K::WrongType),
        (r#"{"op":"insert_text","path":"/a","pos":"1","text":"x"}"#, K::WrongType),
        (r#"{"op":"insert_text","path":"/a","pos":1,"text":null}"#, K::WrongType),
        (r#"{"op":"insert_text","path":"/a","pos":99999999999999999999,"text":"x"}"#, K::WrongType),
        (r#"{"op":"spam","path":"/a"}"#, K::UnknownOp),
        (r#"{"op":"Add","path":"/a","value":1}"#, K::UnknownOp),
        (r#"{"op":"add","path":"a","value":1}"#, K::InvalidPointer),
        (r#"{"op":"add","path":"/a~2","value":1}"#, K::InvalidPointer),
        (r#"{"op":"add","path":"/a~","value":1}"#, K::InvalidPointer),
        (r##"{"op":"move","path":"/a","from":"#/a"}"##, K::InvalidPointer),
        (r#"{"op":"add","path":"/a","path":"/b","value":1}"#, K::DuplicateField),
        (r#"{"op":"add","path":"/a","value":1,"x":1,"\u0078":2}"#, K::DuplicateField),
        (r#"{"op":"add","path":"/a","value":9007199254740992}"#, K::NumberOutOfRange),
        (r#"{"op":"test","path":"/a","value":[-9007199254740992]}"#, K::NumberOutOfRange),
        (r#"{"op":"add","path":"/a","value":{"n":100000000000000000001}}"#, K::NumberOutOfRange),
    ] {
        assert_eq!(kind(&format!("[{bad}]")), (0, expected), "{bad}");
        assert_eq!(kind(&format!("[{ok}, {ok} ,{bad},{ok}]")), (2, expected), "{bad}");
    }
    let error = parse_ops_str(r#"[{"op":"add","path":"/a"}]"#).unwrap_err();
    assert_eq!(error.to_string(), "op 0: `value` is missing (missing_field)");
}

#[test]
fn unusual_but_valid_ops_are_accepted() {
    for good in [
        r#"{"op":"add","path":"/a","value":null}"#,
        r#"{"op":"add","path":"/a","value":9007199254740991}"#,
        r#"{"op":"add","path":"/a","value":-9007199254740991}"#,
        r#"{"op":"add","path":"/a","value":[1e20, 123456789012345678901.5, 1E+2]}"#,
        r#"{"op":"add","path":"/a","value":"9007199254740993 \" 9007199254740993"}"#,
        r#"{"op":"add","path":"/a","value":1,"sent_ns":1700000000000000000000}"#,
        r#"{"op":"remove","path":"/a","value":{"op":"x"},"from":7}"#,
        " { \"path\" : \"/a\" , \"op\" : \"remove\" } ",
    ] {
        assert!(parse_ops_str(&format!("[{good}]")).is_ok(), "{good}");
    }
    assert_eq!(parse_ops_str("[]"), Ok(vec![]));
}

#[test]
fn deeply_nested_input_is_an_error() {
    for levels in [130, 10_000, 400_000] {
        let value = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let op = format!(r#"[{{"op":"add","path":"/a","value":{value}}}]"#);
        assert_eq!(kind(&op), (0, OpErrorKind::TooDeep), "{levels}");
        assert_eq!(kind(&value).0, 0);
        assert!(parse_ops_str(&"[".repeat(levels)).is_err());
    }
}

#[test]
fn errors_quote_at_most_a_truncated_pointer() {
    let secret = "s3cret";
    let long = format!("/{}", "ä".repeat(500));
    let mut state = SizedDocument::new(json!({"t": secret})).unwrap();
    let mut details = Vec::new();
    for op in [
        json!({"op":secret,"path":"/a"}),
        json!({"op":"add","path":secret,"value":1}),
        json!({"op":"test","path":"/t","value":"s3cret2"}),
        json!({"op":"insert_text","path":"/t","pos":99,"text":secret}),
        json!({"op":"insert_text","path":"/t","pos":secret,"text":secret}),
        json!({"op":"remove","path":long}),
        json!({"op":"move","from":long,"path":format!("{long}/x")}),
    ] {
        let done = parse_ops_value(&json!([op]))
            .and_then(|ops| apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::default()));
        details.push(done.unwrap_err().to_string());
    }
    for detail in details {
        assert!(!detail.contains(secret), "{detail}");
        assert!(detail.len() < 128 + 80, "{detail}");
    }
}

/// Knows `increment`.
struct Counting;

impl Reducer for Counting {
    fn knows(&self, name: &str) -> bool {
        name == "increment"
    }
}

#[test]
fn custom_ops_are_parsed_only_for_reducers_that_know_them() {
    let wire = r#"[{"op":"increment","path":"/n","by":2}]"#;
    let raw = RawValue::from_string(wire.into()).unwrap();
    assert_eq!(parse_ops(&raw).unwrap_err().kind, OpErrorKind::UnknownOp);
    let ops = parse_ops_for(&Counting, &raw).unwrap();
    assert_eq!(serde_json::to_value(&ops).unwrap(), serde_json::from_str::<Value>(wire).unwrap());
    assert_eq!(ops[0].name(), "increment");
    // A log is readable whatever reducer wrote it; applying it needs the reducer.
    assert_eq!(serde_json::from_str::<Vec<Op>>(wire).unwrap(), ops);
    let mut state = SizedDocument::new(json!({"n": 1})).unwrap();
    let failed = apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::default());
    assert_eq!(failed.unwrap_err().kind, OpErrorKind::UnknownOp);
    let other = RawValue::from_string(r#"[{"op":"decrement","path":"/n"}]"#.into()).unwrap();
    assert_eq!(parse_ops_for(&Counting, &other).unwrap_err().kind, OpErrorKind::UnknownOp);
    let placeless = RawValue::from_string(r#"[{"op":"increment"}]"#.into()).unwrap();
    assert_eq!(parse_ops_for(&Counting, &placeless).unwrap_err().kind, OpErrorKind::MissingField);
}

/// JSON that often looks like ops.
fn almost_ops() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![
            "add",
            "remove",
            "replace",
            "move",
            "copy",
            "test",
            "insert_text",
            "delete_range",
            "replace_text_range",
            "set_token",
            "",
            "/a",
            "/a/-",
            "/0",
            "~",
            "/~2",
        ])
        .prop_map(Value::from),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        let keys = prop::sample::select(vec!["op", "path", "from", "value", "pos", "len", "text", "x"]);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(keys, inner, 0..8)
                .prop_map(|members| { Value::Object(members.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),) }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_input_never_panics_and_parsed_ops_round_trip(items in prop::collection::vec(almost_ops(), 0..4), raw in ".*") {
        let _: Result<Vec<Op>, OpError> = parse_ops_str(&raw);
        let value = Value::from(items);
        let parsed = parse_ops_str(&value.to_string());
        if let Ok(ops) = parsed {
            prop_assert_eq!(parse_ops_value(&value), Ok(ops.clone()));
            let again = serde_json::to_string(&ops).unwrap();
            prop_assert_eq!(parse_ops_str(&again), Ok(ops.clone()));
            let mut state = SizedDocument::new(json!({"a": ["text"]})).unwrap();
            let _ = apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::default());
        }
    }
}
