//! Text ops compared with text as a vector of characters.

#![expect(clippy::unwrap_used, reason = "a failure here fails the test")]

use engines_core::command::{CommandLimits, JsonReducer, Op, OpErrorKind, PointerBuf, SizedDocument, apply_batch};
use proptest::prelude::*;
use serde_json::json;

fn at() -> PointerBuf {
    PointerBuf::parse("/t").unwrap()
}

fn edit(text: &str, op: Op) -> Result<String, OpErrorKind> {
    let mut state = SizedDocument::new(json!({"t": text})).unwrap();
    match apply_batch(&JsonReducer, &mut state, &[op], &CommandLimits::default()) {
        Ok(_) => Ok(state.value()["t"].as_str().unwrap().to_owned()),
        Err(error) => {
            assert_eq!(state.value(), &json!({"t": text}));
            Err(error.kind)
        }
    }
}

fn insert(text: &str, pos: usize, new: &str) -> Result<String, OpErrorKind> {
    edit(text, Op::InsertText { path: at(), pos, text: new.into() })
}

fn delete(text: &str, pos: usize, len: usize) -> Result<String, OpErrorKind> {
    edit(text, Op::DeleteRange { path: at(), pos, len })
}

#[test]
fn text_positions_count_unicode_scalar_values() {
    assert_eq!(insert("hi", 2, " there").unwrap(), "hi there");
    assert_eq!(insert("", 0, "x").unwrap(), "x");
    assert_eq!(insert("ab", 1, "").unwrap(), "ab");
    // 1, 2, 3 and 4 bytes of UTF-8, each one position.
    assert_eq!(insert("aä漢🦀", 3, "|").unwrap(), "aä漢|🦀");
    assert_eq!(insert("aä漢🦀", 4, "|").unwrap(), "aä漢🦀|");
    // Not graphemes: a family is several scalar values, an accent may stand alone.
    assert_eq!(insert("👩\u{200d}👧", 1, "|").unwrap(), "👩|\u{200d}👧");
    assert_eq!(delete("e\u{301}", 1, 1).unwrap(), "e");
    assert_eq!(delete("aä漢🦀", 1, 2).unwrap(), "a🦀");
    assert_eq!(delete("abc", 3, 0).unwrap(), "abc");
    let replaced = Op::ReplaceTextRange { path: at(), pos: 1, len: 2, text: "ß".into() };
    assert_eq!(edit("aä漢🦀", replaced).unwrap(), "aß🦀");
}

#[test]
fn positions_beyond_the_end_are_errors() {
    let beyond = Err(OpErrorKind::PositionOutOfRange);
    assert_eq!(insert("ä", 2, "x"), beyond);
    assert_eq!(insert("ä", 3, "x"), beyond);
    assert_eq!(insert("", 1, ""), beyond);
    assert_eq!(insert("a", usize::MAX, "x"), beyond);
    assert_eq!(delete("abc", 1, 3), beyond);
    assert_eq!(delete("abc", 4, 0), beyond);
    assert_eq!(delete("abc", 1, usize::MAX), beyond);
    assert_eq!(delete("äöü", 2, 2), beyond);
}

#[test]
fn text_ops_on_other_values_are_errors() {
    for value in [json!(null), json!(5), json!(["a"]), json!({"a": "b"})] {
        let mut state = SizedDocument::new(json!({"t": value})).unwrap();
        let op = Op::InsertText { path: at(), pos: 0, text: "x".into() };
        let error = apply_batch(&JsonReducer, &mut state, &[op], &CommandLimits::default());
        assert_eq!(error.unwrap_err().kind, OpErrorKind::NotText);
    }
    let mut state = SizedDocument::new(json!({})).unwrap();
    let op = Op::DeleteRange { path: at(), pos: 0, len: 0 };
    let error = apply_batch(&JsonReducer, &mut state, &[op], &CommandLimits::default());
    assert_eq!(error.unwrap_err().kind, OpErrorKind::PathNotFound);
}

proptest! {
    /// Text ops equal splices of a vector of characters, also for texts longer than the chunks in which `command::text`
    /// counts characters.
    #[test]
    fn text_ops_equal_splices_of_a_vector_of_characters(
        head in "[a-z]{0,300}",
        tail in "[a-zäß漢🦀]{0,300}",
        new in "[a-zä漢🦀]{0,5}",
        pos in 0_usize..620,
        len in 0_usize..300,
    ) {
        let text = format!("{head}{tail}");
        let chars: Vec<char> = text.chars().collect();
        let splice = |len: usize, new: &str| {
            let mut chars = chars.clone();
            (pos + len <= chars.len()).then(|| {
                chars.splice(pos..pos + len, new.chars());
                chars.into_iter().collect::<String>()
            }).ok_or(OpErrorKind::PositionOutOfRange)
        };
        prop_assert_eq!(insert(&text, pos, &new), splice(0, &new));
        prop_assert_eq!(delete(&text, pos, len), splice(len, ""));
        let op = Op::ReplaceTextRange { path: at(), pos, len, text: new.clone() };
        prop_assert_eq!(edit(&text, op), splice(len, &new));
    }
}
