//! The examples of RFC 6902, appendix A, and edge cases of json-patch-tests.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use engines_core::command::{CommandLimits, JsonReducer, OpErrorKind, SizedDocument, apply_batch, parse_ops_value};
use serde_json::{Value, json};

/// The patched document, or the error; a failure must leave the document unchanged.
fn patch(doc: Value, ops: Value) -> Result<Value, OpErrorKind> {
    let ops = parse_ops_value(&ops).map_err(|error| error.kind)?;
    let mut state = SizedDocument::new(doc.clone()).unwrap();
    match apply_batch(&JsonReducer, &mut state, &ops, &CommandLimits::default()) {
        Ok(_) => {
            let size = SizedDocument::new(state.value().clone()).unwrap().size();
            assert_eq!(state.size(), size, "the size is kept exact");
            Ok(state.into_value())
        }
        Err(error) => {
            assert_eq!(state, SizedDocument::new(doc).unwrap(), "a failed batch leaves nothing behind");
            Err(error.kind)
        }
    }
}

#[test]
fn the_examples_of_rfc_6902_appendix_a_hold() {
    let table = json!([
        // A.1 to A.2: adding a member, an element
        [{"foo":"bar"}, [{"op":"add","path":"/baz","value":"qux"}], {"baz":"qux","foo":"bar"}],
        [{"foo":["bar","baz"]}, [{"op":"add","path":"/foo/1","value":"qux"}], {"foo":["bar","qux","baz"]}],
        // A.3 to A.4: removing a member, an element
        [{"baz":"qux","foo":"bar"}, [{"op":"remove","path":"/baz"}], {"foo":"bar"}],
        [{"foo":["bar","qux","baz"]}, [{"op":"remove","path":"/foo/1"}], {"foo":["bar","baz"]}],
        // A.5: replacing
        [{"baz":"qux","foo":"bar"}, [{"op":"replace","path":"/baz","value":"boo"}], {"baz":"boo","foo":"bar"}],
        // A.6 to A.7: moving a value, an element
        [{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}},
         [{"op":"move","from":"/foo/waldo","path":"/qux/thud"}],
         {"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}],
        [{"foo":["all","grass","cows","eat"]}, [{"op":"move","from":"/foo/1","path":"/foo/3"}],
         {"foo":["all","cows","eat","grass"]}],
        // A.8: a test that succeeds
        [{"baz":"qux","foo":["a",2,"c"]},
         [{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}],
         {"baz":"qux","foo":["a",2,"c"]}],
        // A.10: adding a nested object
        [{"foo":"bar"}, [{"op":"add","path":"/child","value":{"grandchild":{}}}],
         {"foo":"bar","child":{"grandchild":{}}}],
        // A.11: unknown members are ignored
        [{"foo":"bar"}, [{"op":"add","path":"/baz","value":"qux","xyz":123}], {"foo":"bar","baz":"qux"}],
        // A.14: escaping
        [{"/":9,"~1":10}, [{"op":"test","path":"/~01","value":10}], {"/":9,"~1":10}],
        // A.16: appending
        [{"foo":["bar"]}, [{"op":"add","path":"/foo/-","value":["abc","def"]}], {"foo":["bar",["abc","def"]]}],
    ]);
    for case in table.as_array().unwrap() {
        assert_eq!(patch(case[0].clone(), case[1].clone()), Ok(case[2].clone()), "{case}");
    }
    // A.9: a test that fails; A.12: no parent; A.15: strings are not numbers
    let failed = patch(json!({"baz":"qux"}), json!([{"op":"test","path":"/baz","value":"bar"}]));
    assert_eq!(failed, Err(OpErrorKind::TestFailed));
    let failed = patch(json!({"foo":"bar"}), json!([{"op":"add","path":"/baz/bat","value":"qux"}]));
    assert_eq!(failed, Err(OpErrorKind::PathNotFound));
    let failed = patch(json!({"/":9,"~1":10}), json!([{"op":"test","path":"/~01","value":"10"}]));
    assert_eq!(failed, Err(OpErrorKind::TestFailed));
}

#[test]
fn roots_nulls_and_equal_numbers_are_handled() {
    let ok = [
        (json!({"a":1}), json!([{"op":"add","path":"","value":[1]}]), json!([1])),
        (json!({"a":1}), json!([{"op":"replace","path":"","value":null}]), json!(null)),
        (json!(1), json!([{"op":"set_token","path":"","value":{}}]), json!({})),
        (json!({"a":1}), json!([{"op":"add","path":"/","value":2}]), json!({"a":1,"":2})),
        (json!({"a":1}), json!([{"op":"add","path":"/a","value":null}]), json!({"a":null})),
        (json!({"a":null}), json!([{"op":"test","path":"/a","value":null}]), json!({"a":null})),
        (json!({"a":{"b":1}}), json!([{"op":"copy","from":"","path":"/c"}]), json!({"a":{"b":1},"c":{"a":{"b":1}}})),
        (json!({"a":{"b":1}}), json!([{"op":"copy","from":"/a/b","path":"/a"}]), json!({"a":1})),
        (json!({"a":{"b":{"c":1},"d":2}}), json!([{"op":"move","from":"/a/b","path":"/a"}]), json!({"a":{"c":1}})),
        (json!({"a":{"b":1}}), json!([{"op":"move","from":"/a/b","path":""}]), json!(1)),
        (json!({"a":1}), json!([{"op":"move","from":"/a","path":"/a"}]), json!({"a":1})),
        (json!([1, [2]]), json!([{"op":"move","from":"/0","path":"/0/-"}]), json!([[2, 1]])),
        (json!({"a":[1,2]}), json!([{"op":"add","path":"/a/2","value":3}]), json!({"a":[1,2,3]})),
    ];
    for (doc, ops, expected) in ok {
        // Moving `/0` to `/0/-` is a move into itself, whatever is there afterwards.
        if ops[0]["path"] == "/0/-" {
            assert_eq!(patch(doc, ops), Err(OpErrorKind::MoveIntoSelf));
        } else {
            assert_eq!(patch(doc, ops.clone()), Ok(expected), "{ops}");
        }
    }
    // RFC 6902 section 4.6: numerically equal, at any depth; members in any order.
    for (there, sent) in [
        (json!(1), json!(1.0)),
        (json!(-0.0), json!(0)),
        (json!({"a":[1.5, 100], "b":0}), json!({"b":0.0, "a":[1.5, 1e2]})),
    ] {
        let ops = json!([{"op":"test","path":"/v","value":sent}]);
        assert!(patch(json!({"v": there}), ops).is_ok(), "{there} {sent}");
    }
    for (there, sent) in [
        (json!(1), json!(1.5)),
        (json!(1), json!(true)),
        (json!([1]), json!([1, 2])),
        (json!({"a":1}), json!({"b":1})),
        (json!(null), json!(false)),
    ] {
        let ops = json!([{"op":"test","path":"/v","value":sent}]);
        assert_eq!(patch(json!({"v": there}), ops), Err(OpErrorKind::TestFailed));
    }
}

#[test]
fn ops_on_missing_paths_fail() {
    use OpErrorKind::{MoveIntoSelf, PathNotFound};
    let doc = json!({"a":[1,2],"o":{"k":{"x":1}},"s":"text"});
    let table = [
        (json!({"op":"remove","path":""}), PathNotFound),
        (json!({"op":"move","from":"","path":"/z"}), PathNotFound),
        (json!({"op":"move","from":"","path":""}), PathNotFound),
        (json!({"op":"remove","path":"/nope"}), PathNotFound),
        (json!({"op":"remove","path":"/a/2"}), PathNotFound),
        (json!({"op":"remove","path":"/a/-"}), PathNotFound),
        (json!({"op":"replace","path":"/nope","value":1}), PathNotFound),
        (json!({"op":"replace","path":"/a/-","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/3","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/01","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/+1","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/1e0","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/-1","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/ 1","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/99999999999999999999","value":1}), PathNotFound),
        (json!({"op":"add","path":"/a/","value":1}), PathNotFound),
        (json!({"op":"add","path":"/s/0","value":1}), PathNotFound),
        (json!({"op":"test","path":"/a/00","value":1}), PathNotFound),
        (json!({"op":"copy","from":"/nope","path":"/z"}), PathNotFound),
        (json!({"op":"copy","from":"/a","path":"/nope/z"}), PathNotFound),
        (json!({"op":"move","from":"/nope","path":"/z"}), PathNotFound),
        // json-patch alone would lose `/o/k` here.
        (json!({"op":"move","from":"/o/k","path":"/nope/z"}), PathNotFound),
        (json!({"op":"move","from":"/a/0","path":"/a/2"}), PathNotFound),
        (json!({"op":"move","from":"/o","path":"/o/k/x"}), MoveIntoSelf),
    ];
    for (op, kind) in table {
        assert_eq!(patch(doc.clone(), json!([op])), Err(kind), "{op}");
        // Also as the last of several, after edits of all kinds.
        let ops = json!([
            {"op":"add","path":"/a/1","value":9}, {"op":"remove","path":"/a/1"},
            {"op":"insert_text","path":"/s","pos":4,"text":"s"},
            {"op":"add","path":"/new","value":{}}, {"op":"remove","path":"/new"},
            op,
        ]);
        assert_eq!(patch(doc.clone(), ops), Err(kind), "{op}");
    }
}

#[test]
fn set_token_creates_or_replaces_a_value() {
    let doc = json!({"tokens": {"color": "red"}, "list": [1, 2]});
    let set = |path: &str| patch(doc.clone(), json!([{"op":"set_token","path":path,"value":9}]));
    assert_eq!(set("/tokens/color").unwrap()["tokens"], json!({"color": 9}));
    assert_eq!(set("/tokens/size").unwrap()["tokens"], json!({"color": "red", "size": 9}));
    assert_eq!(set("/list/0").unwrap()["list"], json!([9, 2]));
    assert_eq!(set("/list/2").unwrap()["list"], json!([1, 2, 9]));
    assert_eq!(set("/list/-").unwrap()["list"], json!([1, 2, 9]));
    assert_eq!(set("/list/3"), Err(OpErrorKind::PathNotFound));
    assert_eq!(set("/nope/color"), Err(OpErrorKind::PathNotFound));
}
