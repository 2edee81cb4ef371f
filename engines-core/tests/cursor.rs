//! Cursors: round trips, damage, and cursors of other streams and logs.
#![expect(clippy::unwrap_used, reason = "tests")]

use engines_core::{
    Code, Cursor, Env, Scope, StreamKey,
    nexus::{Page, PageRequest, PageToken},
    stream::{LogId, ResumePoint, Seq, StreamPosition},
    testing,
};
use proptest::prelude::*;

fn key(text: &str) -> StreamKey {
    text.parse().unwrap()
}

fn scope() -> Scope {
    testing::scope("t_acme", Env::Dev).unwrap()
}

const LOG: LogId = LogId::from_bytes([7; 8]);

#[test]
fn a_cursor_resumes_at_its_position() {
    let keys = [key("canvas/c"), key("artifacts/c")];
    let places = vec![
        StreamPosition { key: keys[0].clone(), seq: Seq(41) },
        StreamPosition { key: keys[1].clone(), seq: Seq(u64::MAX) },
    ];
    let cursor: Cursor = Cursor::multiple(LOG, &scope(), &places).to_string().parse().unwrap();
    assert_eq!(cursor.resume(LOG, &scope(), &keys).unwrap(), ResumePoint::From(places));
    let template = Cursor::template(LOG, &scope(), &keys);
    assert_eq!(template.at(&[Seq(41), Seq(u64::MAX)]), cursor);
}

#[test]
fn a_stream_missing_from_the_cursor_is_read_from_its_start() {
    let cursor = Cursor::single(LOG, &scope(), &key("canvas/c"), Seq(5));
    let keys = [key("canvas/c"), key("artifacts/c")];
    let ResumePoint::From(places) = cursor.resume(LOG, &scope(), &keys).unwrap() else { panic!("same log") };
    assert_eq!(places.iter().map(|place| place.seq.0).collect::<Vec<_>>(), [5, 0]);
}

#[test]
fn a_cursor_of_another_stream_scope_or_log_is_refused() {
    let cursor = Cursor::single(LOG, &scope(), &key("chat/a"), Seq(5));
    let elsewhere = [
        (scope(), key("chat/b")),
        (scope(), key("canvas/a")),
        (testing::scope("t_other", Env::Dev).unwrap(), key("chat/a")),
        (testing::scope("t_acme", Env::Prod).unwrap(), key("chat/a")),
    ];
    for (scope, key) in elsewhere {
        assert_eq!(cursor.resume(LOG, &scope, &[key]).unwrap_err().code(), Code::CursorInvalid);
    }
    let other = LogId::from_bytes([8; 8]);
    assert_eq!(cursor.resume(other, &scope(), &[key("chat/a")]).unwrap(), ResumePoint::OtherLog);
}

#[test]
fn a_page_token_of_another_list_is_refused() {
    let page = Page::from_lookahead(vec![1, 2, 3], 2, |last| PageToken::new("things", [last.to_string()]));
    assert_eq!(page.items, [1, 2]);
    let next = page.next.unwrap();
    assert_eq!(PageToken::decode::<1>("things", &next).unwrap(), ["2"]);
    assert_eq!(PageToken::decode::<1>("others", &next).unwrap_err().code(), Code::CursorInvalid);
    assert_eq!(PageToken::decode::<2>("things", &next).unwrap_err().code(), Code::CursorInvalid);
    assert_eq!(Page::from_lookahead(vec![1, 2], 2, |_| PageToken::new("things", [])).next, None);
    assert_eq!(PageRequest::first(0).limit, 1);
}

proptest! {
    #[test]
    fn arbitrary_text_is_never_a_valid_cursor_and_never_panics(text in "\\PC{0,80}") {
        prop_assert!(text.parse::<Cursor>().is_err());
        prop_assert!(PageToken::decode::<1>("things", &text).is_err());
    }

    #[test]
    fn every_single_byte_change_is_detected(seq in any::<u64>(), at in 0_usize..30, to in "[A-Za-z0-9_-]") {
        let whole = Cursor::single(LOG, &scope(), &key("chat/a"), Seq(seq)).to_string();
        let mut damaged = whole.clone();
        damaged.replace_range(at..=at, &to);
        prop_assume!(damaged != whole);
        prop_assert_eq!(damaged.parse::<Cursor>().unwrap_err().code(), Code::CursorInvalid);
        prop_assert!(whole[..whole.len() - 1].parse::<Cursor>().is_err());
    }
}
