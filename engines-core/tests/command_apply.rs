//! Application of batches: compared with a slow reference, within the limits, and with a custom reducer.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use engines_core::command::{
    CommandLimits, DEPTH_CEILING, Draft, JsonReducer, Op, OpErrorKind, OpFault, PointerBuf, Reducer, SizedDocument,
    apply_batch, parse_ops_value, state_hash,
};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Applies one op to a copy in the simple way: json-patch for JSON Patch, `Vec<char>` for text.
fn reference(doc: &Value, op: &Op) -> Option<Value> {
    let mut doc = doc.clone();
    let splice = |doc: &mut Value, path: &PointerBuf, pos: usize, len: usize, text: &str| {
        let target = doc.pointer_mut(path.as_str())?;
        let mut chars: Vec<char> = target.as_str()?.chars().collect();
        if pos.checked_add(len)? > chars.len() {
            return None;
        }
        chars.splice(pos..pos + len, text.chars());
        *target = Value::String(chars.into_iter().collect());
        Some(())
    };
    match op {
        Op::InsertText { path, pos, text } => splice(&mut doc, path, *pos, 0, text)?,
        Op::DeleteRange { path, pos, len } => splice(&mut doc, path, *pos, *len, "")?,
        Op::ReplaceTextRange { path, pos, len, text } => splice(&mut doc, path, *pos, *len, text)?,
        Op::SetToken { path, value } => match doc.pointer_mut(path.as_str()) {
            Some(there) => *there = value.clone(),
            None => {
                return reference(&doc, &Op::Add { path: path.clone(), value: value.clone() });
            }
        },
        patch => {
            let patch: json_patch::PatchOperation =
                serde_json::from_value(serde_json::to_value(patch).unwrap()).unwrap();
            json_patch::patch(&mut doc, &[patch]).ok()?;
        }
    }
    Some(doc)
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..100).prop_map(Value::from),
        "[a-cäß漢🦀]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[ab0/~]", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn paths() -> impl Strategy<Value = PointerBuf> {
    let token = prop::sample::select(vec!["a", "b", "0", "1", "2", "-", "/", "~", "01"]);
    prop::collection::vec(token, 0..4).prop_map(PointerBuf::from_tokens)
}

fn ops() -> impl Strategy<Value = Op> {
    let text = || "[a-cäß漢🦀]{0,3}";
    prop_oneof![
        (paths(), documents()).prop_map(|(path, value)| Op::Add { path, value }),
        paths().prop_map(|path| Op::Remove { path }),
        (paths(), documents()).prop_map(|(path, value)| Op::Replace { path, value }),
        (paths(), paths()).prop_map(|(from, path)| Op::Move { from, path }),
        (paths(), paths()).prop_map(|(from, path)| Op::Copy { from, path }),
        (paths(), documents()).prop_map(|(path, value)| Op::Test { path, value }),
        (paths(), 0_usize..5, text()).prop_map(|(path, pos, text)| Op::InsertText { path, pos, text }),
        (paths(), 0_usize..4, 0_usize..4).prop_map(|(path, pos, len)| Op::DeleteRange { path, pos, len }),
        (paths(), 0_usize..4, 0_usize..4, text())
            .prop_map(|(path, pos, len, text)| { Op::ReplaceTextRange { path, pos, len, text } }),
        (paths(), documents()).prop_map(|(path, value)| Op::SetToken { path, value }),
    ]
}

/// Documents with objects and arrays at the root, so that most random paths exist.
fn rooted() -> impl Strategy<Value = Value> {
    (documents(), documents(), documents(), "[a-cä🦀]{0,6}").prop_map(
        |(a, b, c, text)| json!({"a": {"a": a, "b": [b, text.clone()], "0": text}, "b": [c, "text", {"a": text}]}),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn a_batch_equals_its_ops_applied_in_turn_or_changes_nothing(
        doc in rooted(),
        ops in prop::collection::vec(ops(), 1..8),
        skip_bad in any::<bool>(),
    ) {
        // Random ops mostly fail; `skip_bad` skips those, so that long batches occur.
        let mut kept = Vec::new();
        let mut expected = Ok(doc.clone());
        for op in ops {
            let Ok(now) = &expected else { break };
            match reference(now, &op) {
                Some(next) => { kept.push(op); expected = Ok(next); }
                None if skip_bad => {}
                None => { expected = Err(kept.len()); kept.push(op); }
            }
        }
        let before = SizedDocument::new(doc).unwrap();
        let mut state = before.clone();
        let done = apply_batch(&JsonReducer, &mut state, &kept, &CommandLimits::default());
        match expected {
            Ok(expected) => {
                prop_assert!(done.is_ok(), "{done:?} {kept:?}");
                // The value is right, and the size equals a new measurement.
                prop_assert_eq!(&state, &SizedDocument::new(expected).unwrap());
                prop_assert_eq!(done.unwrap().size_after, state.size());
            }
            Err(index) => {
                prop_assert_eq!(done.map_err(|error| error.index), Err(index), "{:?}", kept);
                prop_assert_eq!(&state, &before);
                prop_assert_eq!(state_hash(state.value()), state_hash(before.value()));
            }
        }
    }

    /// A failure at the end reverts everything before it.
    #[test]
    fn a_dropped_draft_restores_the_document(doc in rooted(), ops in prop::collection::vec(ops(), 1..12)) {
        let before = SizedDocument::new(doc.clone()).unwrap();
        let mut now = doc;
        let mut kept = Vec::new();
        for op in ops {
            if let Some(next) = reference(&now, &op) {
                now = next;
                kept.push(op);
            }
        }
        kept.push(Op::Remove { path: PointerBuf::parse("/no/such/place").unwrap() });
        let mut state = before.clone();
        let failed = apply_batch(&JsonReducer, &mut state, &kept, &CommandLimits::default());
        prop_assert_eq!(failed.unwrap_err().index, kept.len() - 1);
        prop_assert_eq!(state, before);
    }
}

fn run(doc: Value, ops: &Value, limits: &CommandLimits) -> Result<Value, (usize, OpErrorKind)> {
    let ops = parse_ops_value(ops).unwrap();
    let before = SizedDocument::new(doc).unwrap();
    let mut state = before.clone();
    match apply_batch(&JsonReducer, &mut state, &ops, limits) {
        Ok(_) => Ok(state.into_value()),
        Err(error) => {
            assert_eq!(state, before);
            Err((error.index, error.kind))
        }
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn the_depth_limit_counts_levels_of_the_resulting_document() {
    let limits = CommandLimits::default();
    let add =
        |path: &str, levels| run(json!({"a": {}}), &json!([{"op":"add","path":path,"value":nested(levels)}]), &limits);
    assert!(add("", 64).is_ok());
    assert_eq!(add("", 65), Err((0, OpErrorKind::TooDeep)));
    assert!(add("/a/b", 62).is_ok());
    assert_eq!(add("/a/b", 63), Err((0, OpErrorKind::TooDeep)));
    // Repeatedly copying a document into itself deepens it one op at a time.
    let ops: Vec<Value> = (0..40).map(|_| json!({"op":"copy","from":"","path":"/a/b"})).collect();
    assert_eq!(run(json!({"a":{}}), &json!(ops), &limits).unwrap_err().1, OpErrorKind::TooDeep);
    // `move` is checked too.
    let doc = json!({"x": nested(62), "a": {"b": {}}});
    let moved = run(doc, &json!([{"op":"move","from":"/x","path":"/a/b/c"}]), &limits);
    assert_eq!(moved, Err((0, OpErrorKind::TooDeep)));
    // Extreme depths end in an error, by value and by path, and no setting allows them.
    let all = CommandLimits { max_depth: usize::MAX, ..CommandLimits::default() };
    let value = nested(5_000);
    let mut state = SizedDocument::new(json!({})).unwrap();
    let path = PointerBuf::parse("/a").unwrap();
    let failed = apply_batch(&JsonReducer, &mut state, &[Op::Add { path, value }], &all);
    assert_eq!(failed.unwrap_err().kind, OpErrorKind::TooDeep);
    let op = Op::Add { path: PointerBuf::parse("/a".repeat(100_000)).unwrap(), value: json!(1) };
    assert!(apply_batch(&JsonReducer, &mut state, &[op], &all).is_err());
    assert_eq!(SizedDocument::new(nested(DEPTH_CEILING + 1)).unwrap_err().kind, OpErrorKind::TooDeep);
}

#[test]
fn the_document_size_is_limited() {
    let limits = CommandLimits { max_state_bytes: 100, ..CommandLimits::default() };
    let too_large = |index| Err((index, OpErrorKind::TooLarge));
    let text = "x".repeat(60);
    let add = json!({"op":"add","path":"/a","value":text});
    assert!(run(json!({}), &json!([add]), &limits).is_ok());
    let copy = json!({"op":"copy","from":"/a","path":"/b"});
    assert_eq!(run(json!({}), &json!([add, copy]), &limits), too_large(1));
    let insert = json!({"op":"insert_text","path":"/a","pos":0,"text":text});
    assert_eq!(run(json!({}), &json!([add, insert]), &limits), too_large(1));
    // Replacing or removing a value makes room.
    assert!(run(json!({}), &json!([add, add, {"op":"remove","path":"/a"}, add]), &limits).is_ok());
    // A document over a limit lowered since may shrink but not grow.
    let large = json!({"a": "x".repeat(500), "b": 1});
    let shorter = json!([{"op":"replace","path":"/a","value":"x".repeat(400)}]);
    assert!(run(large.clone(), &shorter, &limits).is_ok());
    assert!(run(large.clone(), &json!([{"op":"delete_range","path":"/a","pos":0,"len":1}]), &limits).is_ok());
    assert_eq!(run(large, &json!([{"op":"replace","path":"/b","value":22}]), &limits), too_large(0));
}

#[test]
fn the_bytes_a_batch_writes_are_limited() {
    // Copying over the same place does not grow the document, but each copy costs its size.
    let limits = CommandLimits { max_batch_bytes: 10_000, ..CommandLimits::default() };
    let doc = json!({"a": "x".repeat(1_000), "b": 0});
    let copies: Vec<Value> = (0..10).map(|_| json!({"op":"copy","from":"/a","path":"/b"})).collect();
    assert_eq!(run(doc, &json!(copies), &limits), Err((9, OpErrorKind::TooLarge)));
    // Doubling ends at the document's limit long before memory does.
    let doubling: Vec<Value> = (0..100).map(|n| json!({"op":"copy","from":"/a","path":format!("/a/{n}")})).collect();
    let failed = run(json!({"a": {"t": "x".repeat(100)}}), &json!(doubling), &CommandLimits::default());
    assert_eq!(failed.unwrap_err().1, OpErrorKind::TooLarge);
}

#[test]
fn the_bytes_a_batch_moves_are_limited() {
    let limits = CommandLimits { max_moved_bytes: 10_000, ..CommandLimits::default() };
    let ten = |op: Value| json!(vec![op; 10]);
    let eleven = |op: Value| json!(vec![op; 11]);
    // Each op on text goes over all of it.
    let doc = json!({"text": "x".repeat(990)});
    for op in [
        json!({"op":"insert_text","path":"/text","pos":0,"text":"y"}),
        json!({"op":"insert_text","path":"/text","pos":990,"text":"y"}),
        json!({"op":"delete_range","path":"/text","pos":0,"len":1}),
        json!({"op":"replace_text_range","path":"/text","pos":0,"len":1,"text":"z"}),
    ] {
        assert!(run(doc.clone(), &ten(op.clone()), &limits).is_ok(), "{op}");
        assert_eq!(run(doc.clone(), &eleven(op.clone()), &limits), Err((10, OpErrorKind::TooLarge)), "{op}");
    }
    // In arrays the elements behind the place count; at the end there are none.
    let elements = 900 / size_of::<Value>();
    let doc = json!({"list": vec![json!(7); elements], "from": [1]});
    for op in [
        json!({"op":"add","path":"/list/0","value":1}),
        json!({"op":"copy","from":"/from","path":"/list/0"}),
        json!({"op":"move","from":"/list/0","path":format!("/list/{}", elements - 1)}),
    ] {
        assert!(run(doc.clone(), &json!([op]), &limits).is_ok(), "{op}");
        let many = json!(vec![op.clone(); 13]);
        assert_eq!(
            run(doc.clone(), &many, &limits).map_err(|(_, kind)| kind).unwrap_err(),
            OpErrorKind::TooLarge,
            "{op}"
        );
    }
    let append = json!({"op":"add","path":"/list/-","value":1});
    assert!(run(doc.clone(), &json!(vec![append; 500]), &limits).is_ok());
    let remove = json!({"op":"remove","path":"/list/0"});
    assert!(run(doc, &json!(vec![remove; elements]), &CommandLimits { max_moved_bytes: 900, ..limits }).is_err());
    assert!(
        run(
            json!({"text": "x".repeat(990)}),
            &eleven(json!({"op":"insert_text","path":"/text","pos":0,"text":"y"})),
            &CommandLimits::for_replay()
        )
        .is_ok()
    );
}

#[test]
fn default_limits_match_the_wire_contract() {
    let limits = CommandLimits::default();
    assert_eq!((limits.max_ops, limits.max_depth, limits.max_state_bytes), (1_000, 64, 16 << 20));
    assert_eq!((limits.max_batch_bytes, limits.max_moved_bytes), (64 << 20, 1 << 30));
}

#[test]
fn the_number_of_ops_in_a_batch_is_limited() {
    let limits = CommandLimits { max_ops: 3, ..CommandLimits::default() };
    let test = json!({"op":"test","path":"","value":{}});
    assert!(run(json!({}), &json!([test, test, test]), &limits).is_ok());
    let four = json!([test, test, test, test]);
    assert_eq!(run(json!({}), &four, &limits), Err((3, OpErrorKind::TooManyOps)));
    assert!(run(json!({}), &json!([]), &limits).is_ok());
}

#[test]
fn replay_ignores_limits_that_were_lowered_later() {
    let add = json!({"op":"add","path":"/a","value":"x".repeat(100)});
    let limits =
        CommandLimits { max_ops: 1, max_depth: 0, max_state_bytes: 50, max_batch_bytes: 50, max_moved_bytes: 50 };
    assert!(run(json!({}), &json!([add, add]), &limits).is_err());
    assert!(run(json!({}), &json!([add]), &limits).is_err());
    assert!(run(json!({}), &json!([add, add]), &CommandLimits::for_replay()).is_ok());
}

#[test]
fn integers_beyond_2_pow_53_are_refused() {
    let limits = CommandLimits::default();
    let max = (1_i64 << 53) - 1;
    for number in [json!(max), json!(-max), json!(1e300), json!(0.1)] {
        let ops = json!([{"op":"add","path":"/n","value":[number]}]);
        assert!(run(json!({}), &ops, &limits).is_ok(), "{number}");
    }
    for number in [json!(max + 1), json!(-max - 1), json!(u64::MAX), json!(i64::MIN)] {
        for op in ["add", "set_token"] {
            let ops = json!([{"op":op,"path":"/n","value":{"deep":[number]}}]);
            assert_eq!(run(json!({}), &ops, &limits), Err((0, OpErrorKind::NumberOutOfRange)));
        }
        assert_eq!(SizedDocument::new(number).unwrap_err().kind, OpErrorKind::NumberOutOfRange);
    }
}

/// Edits in several steps, some of which fail on purpose.
struct Clumsy;

impl Reducer for Clumsy {
    fn initial(&self) -> Value {
        json!({"log": [], "n": 0})
    }

    fn apply(&self, draft: &mut Draft<'_>, op: &Op) -> Result<(), OpFault> {
        let note = Op::Add { path: PointerBuf::parse("/log/-").unwrap(), value: json!(op.name()) };
        draft.apply(&note)?;
        // An op that fails by itself changes nothing, and more ops may follow it.
        let nowhere = PointerBuf::parse("/no/where").unwrap();
        let log = PointerBuf::parse("/log").unwrap();
        assert!(draft.apply(&Op::Move { from: log, path: nowhere.clone() }).is_err());
        assert!(draft.apply(&Op::Remove { path: nowhere }).is_err());
        draft.apply(op)?;
        match draft.value()["n"].as_i64() {
            Some(n) if n < 0 => Err(OpFault::refused("n must not be negative")),
            Some(13) => panic!("a reducer with a bug"),
            _ => Ok(()),
        }
    }
}

#[test]
fn a_batch_with_a_custom_reducer_stays_atomic() {
    let limits = CommandLimits::default();
    let replace = |n: i64| Op::Replace { path: PointerBuf::parse("/n").unwrap(), value: json!(n) };
    let mut state = SizedDocument::new(Clumsy.initial()).unwrap();
    apply_batch(&Clumsy, &mut state, &[replace(1), replace(2)], &limits).unwrap();
    assert_eq!(state.value(), &json!({"log": ["replace", "replace"], "n": 2}));
    assert_eq!(state, SizedDocument::new(state.value().clone()).unwrap(), "the size too");
    let before = state.clone();
    // It works through a trait object, as a service holds it.
    let reducer: &dyn Reducer = &Clumsy;
    let error = apply_batch(reducer, &mut state, &[replace(3), replace(-1)], &limits).unwrap_err();
    assert_eq!((error.index, error.kind), (1, OpErrorKind::Refused));
    assert_eq!(state, before);
    // A reducer that panics changes nothing either.
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        apply_batch(reducer, &mut state, &[replace(4), replace(13)], &limits)
    }));
    assert!(panicked.is_err());
    assert_eq!(state, before);
    assert_eq!(JsonReducer.initial(), json!({}));
}
