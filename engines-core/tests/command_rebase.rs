//! Which batches conflict, compared with a literal implementation of the definition.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use engines_core::command::rebase::{TouchSet, touched_places};
use engines_core::command::{Op, PointerBuf, parse_ops_value};
use proptest::prelude::*;
use serde_json::{Value, json};

fn set(ops: &Value) -> TouchSet {
    touched_places(&parse_ops_value(ops).unwrap())
}

fn meet(left: Value, right: Value) -> bool {
    let (left, right) = (set(&json!([left])), set(&json!([right])));
    assert_eq!(left.overlaps(&right), right.overlaps(&left));
    left.overlaps(&right)
}

#[test]
fn paths_overlap_with_ancestors_and_descendants_but_not_siblings() {
    let replace = |path: &str| json!({"op":"replace","path":path,"value":1});
    for (left, right, expected) in [
        ("/a", "/a", true),
        ("/a", "/a/b", true),
        ("/a/b/c", "/a", true),
        ("", "/a", true),
        ("", "", true),
        ("/a", "/b", false),
        ("/a", "/ab", false),
        ("/a/b", "/a!", false),
        ("/a/b", "/a/c", false),
        ("/a~1b", "/a", false),
        ("/a~1b", "/a~1b/c", true),
        ("/", "/a", false),
        ("/", "//x", true),
        ("/list/0", "/list/1", false),
    ] {
        assert_eq!(meet(replace(left), replace(right)), expected, "{left} {right}");
    }
}

#[test]
fn array_inserts_and_removals_touch_the_whole_array() {
    let replace = json!({"op":"replace","path":"/list/7","value":1});
    let elsewhere = json!({"op":"replace","path":"/other","value":1});
    for shifting in [
        json!({"op":"add","path":"/list/0","value":1}),
        json!({"op":"add","path":"/list/-","value":1}),
        json!({"op":"remove","path":"/list/1"}),
        json!({"op":"move","from":"/list/1","path":"/x"}),
        json!({"op":"move","from":"/x","path":"/list/1"}),
        json!({"op":"copy","from":"/x","path":"/list/1"}),
        json!({"op":"set_token","path":"/list/-","value":1}),
    ] {
        assert!(meet(shifting.clone(), replace.clone()), "{shifting}");
        assert!(!meet(shifting.clone(), elsewhere.clone()), "{shifting}");
    }
    for still in [
        json!({"op":"set_token","path":"/list/1","value":1}),
        json!({"op":"test","path":"/list/1","value":1}),
        json!({"op":"copy","from":"/list/1","path":"/x"}),
        json!({"op":"insert_text","path":"/list/1","pos":0,"text":"x"}),
    ] {
        assert!(!meet(still.clone(), replace.clone()), "{still}");
        assert!(meet(still.clone(), json!({"op":"remove","path":"/list/0"})), "{still}");
        assert!(meet(still, json!({"op":"replace","path":"/list/1","value":2})));
    }
    // In the root, and where a member's name is a number.
    assert!(meet(json!({"op":"remove","path":"/0"}), elsewhere));
    let other = json!({"op":"replace","path":"/o/k","value":1});
    assert!(meet(json!({"op":"remove","path":"/o/12"}), other.clone()));
    assert!(!meet(json!({"op":"remove","path":"/o/012"}), other));
}

#[test]
fn merging_many_large_touch_sets_stays_correct() {
    let ops = |commit: usize| -> Vec<Op> {
        let path = |n: usize| PointerBuf::parse(format!("/nodes/c{commit}/n{n}/text")).unwrap();
        (0..1000).map(|n| Op::InsertText { path: path(n), pos: 0, text: "x".into() }).collect()
    };
    let mine = touched_places(&ops(500));
    let mut since = TouchSet::default();
    assert!(since.is_empty() && !since.overlaps(&mine));
    for commit in 0..200 {
        let theirs = touched_places(&ops(commit));
        assert!(!mine.overlaps(&theirs));
        if commit % 50 == 0 {
            since.merge(theirs);
        }
    }
    assert!(!since.overlaps(&mine));
    since.merge(touched_places(&ops(500)[999..]));
    assert!(since.overlaps(&mine) && mine.overlaps(&since));
}

fn paths() -> impl Strategy<Value = PointerBuf> {
    let token = prop::sample::select(vec!["a", "b", "aa", "", "/", "~", "!", "\u{0}", "é"]);
    prop::collection::vec(token, 0..4).prop_map(PointerBuf::from_tokens)
}

fn tests(paths: &[PointerBuf]) -> Vec<Op> {
    paths.iter().map(|path| Op::Test { path: path.clone(), value: Value::Null }).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn overlaps_matches_a_naive_implementation(
        left in prop::collection::vec(paths(), 0..6),
        right in prop::collection::vec(paths(), 0..6),
        split in 0_usize..6,
    ) {
        let tokens = |path: &PointerBuf| -> Vec<String> {
            path.tokens().map(|token| token.decoded().into_owned()).collect()
        };
        let naive = left.iter().any(|l| right.iter().any(|r| {
            let (l, r) = (tokens(l), tokens(r));
            l.starts_with(&r) || r.starts_with(&l)
        }));
        let (one, other) = (touched_places(&tests(&left)), touched_places(&tests(&right)));
        prop_assert_eq!(one.overlaps(&other), naive);
        prop_assert_eq!(other.overlaps(&one), naive);
        // A set that was merged from parts gives the same result.
        let (head, tail) = left.split_at(split.min(left.len()));
        let mut merged = touched_places(&tests(tail));
        merged.merge(touched_places(&tests(head)));
        prop_assert_eq!(merged, one);
    }
}
