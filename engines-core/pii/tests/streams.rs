//! Streams of chunks and readers, cut at any position, compared with the whole text.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use engines_pii::{ChunkError, Scrubber};
use futures_executor::block_on;
use futures_util::{AsyncRead, AsyncReadExt as _, StreamExt as _, TryStreamExt as _, stream};
use proptest::prelude::*;

/// A reader that returns one piece at a time, and sometimes is not ready.
struct Pieces {
    left: Vec<Vec<u8>>,
    ready: bool,
}

impl AsyncRead for Pieces {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.ready = !self.ready;
        if !self.ready {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let piece = self.left.remove(0);
        assert!(piece.len() <= buffer.len() && !piece.is_empty());
        buffer[..piece.len()].copy_from_slice(&piece);
        Poll::Ready(Ok(piece.len()))
    }
}

fn read(pieces: Vec<Vec<u8>>) -> (String, u64) {
    let mut reader = Scrubber::default().scrub_async_read(Pieces { left: pieces, ready: false }).unwrap();
    let mut out = String::new();
    block_on(reader.read_to_string(&mut out)).unwrap();
    (out, reader.receipt().unwrap().total())
}

fn text() -> String {
    let line = "aZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0fGhJaZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0\n".repeat(30);
    let key = format!("-----BEGIN {kind}-----\n{line}-----END {kind}-----", kind = "RSA PRIVATE KEY");
    format!(
        "d\u{e9}j\u{e0} ana@example.org, card 4111 1111 1111 1111\n{key}\n{} the end, bob@example.com",
        "prose ".repeat(300)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn chunks_and_readers_scrub_as_the_whole_text(cuts in prop::collection::vec(1_usize..400, 1..60)) {
        let text = text();
        let whole = Scrubber::default().scrub_text(&text).unwrap();
        let (mut bytes, mut chars) = (Vec::new(), Vec::new());
        let (mut rest, mut letters) = (text.as_bytes(), text.chars());
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            bytes.push(piece.to_vec());
            rest = after;
        }
        for cut in cuts.iter().cycle() {
            let piece: String = letters.by_ref().take(*cut).collect();
            if piece.is_empty() {
                break;
            }
            chars.push(piece);
        }
        let (out, total) = read(bytes);
        prop_assert_eq!(&out, &*whole.value);
        prop_assert_eq!(total, whole.receipt.total());
        let mut chunks = Scrubber::default().scrub_chunks(stream::iter(chars.into_iter().map(Ok::<_, Infallible>))).unwrap();
        let out: String = block_on(chunks.by_ref().try_collect()).unwrap();
        prop_assert_eq!(&out, &*whole.value);
        prop_assert_eq!(chunks.receipt().unwrap().total(), whole.receipt.total());
    }
}

#[test]
fn output_lags_input_by_a_bounded_number_of_bytes() {
    // A stream that never ends: the output keeps up with the input.
    let tokens = stream::repeat_with(|| Ok::<_, Infallible>("token ")).take(10_000);
    let mut chunks = Scrubber::default().scrub_chunks(tokens).unwrap();
    let first = block_on(chunks.next()).unwrap().unwrap();
    assert!(first.starts_with("token "));
    let mut stream = Scrubber::default().stream().unwrap();
    let mut out = 0;
    for round in 1..5_000 {
        out += stream.push("token ").unwrap().len();
        assert!(round * 6 - out <= 1024, "{} bytes are held back", round * 6 - out);
    }
}

#[test]
fn source_errors_are_passed_on_and_scrub_errors_end_the_stream() {
    let pieces = [Ok("mail ana@exam"), Err("reset"), Ok("ple.org ")];
    let mut chunks = Scrubber::default().scrub_chunks(stream::iter(pieces)).unwrap();
    let all: Vec<_> = block_on(chunks.by_ref().collect());
    assert!(
        matches!(all[..], [Err(ChunkError::Source("reset")), Ok(ref text)] if text == "mail [EMAIL_ADDRESS] "),
        "{all:?}"
    );

    let small = Scrubber::builder().max_bytes(8).build().unwrap();
    let pieces = ["ana@example.org", "bob@example.org"].map(Ok::<_, Infallible>);
    let all: Vec<_> = block_on(small.scrub_chunks(stream::iter(pieces)).unwrap().collect());
    assert!(matches!(all[..], [Err(ChunkError::Scrub(_))]), "{all:?}");
    let mut reader =
        small.scrub_async_read(Pieces { left: vec![b"ana@example.org".to_vec(); 2], ready: false }).unwrap();
    let mut buffer = [0; 64];
    for _ in 0..3 {
        let error = block_on(reader.read(&mut buffer)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(!error.to_string().contains("ana"), "{error}");
    }
    assert_eq!(buffer, [0; 64]);
}

#[test]
fn a_private_key_is_found_wherever_chunks_split_it() {
    let key = format!(
        "-----BEGIN {kind}-----\naZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0\n-----END {kind}-----\nprose ",
        kind = "RSA PRIVATE KEY"
    );
    let text = format!("{key}{}", "prose ".repeat(200));
    for cut in 1..key.len() {
        let (out, _) = read([&text[..cut], &text[cut..]].map(|piece| piece.as_bytes().to_vec()).into());
        assert!(out.starts_with("[SECRET_PRIVATE_KEY]\nprose prose"), "cut at {cut}: {}", &out[..60]);
    }
}
