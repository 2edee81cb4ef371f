//! Splits chunks of bytes into lines of limited length.

use std::ops::Range;

/// A line of the input.
pub(super) enum SplitLine<'a> {
    /// The line's bytes, without the line feed.
    Whole(&'a [u8]),
    /// The line has more bytes than the limit; they were skipped.
    TooLong,
}

/// Splits lines that arrive in chunks. It buffers at most the beginning of one line.
#[derive(Debug)]
pub(super) struct LineSplitter {
    partial_line: Vec<u8>,
    /// The buffered line was returned and must be cleared.
    partial_returned: bool,
    /// The current line is too long, and its rest is skipped.
    skipping: bool,
    max_line_bytes: usize,
}

impl LineSplitter {
    pub(super) fn new(limit: usize) -> Self {
        Self { partial_line: Vec::new(), partial_returned: false, skipping: false, max_line_bytes: limit }
    }

    /// Returns the next line that ends in `chunk`, from `at` on, and moves `at` behind it. Returns `None` when the rest
    /// of the chunk is only the beginning of a line, which is buffered.
    pub(super) fn next_line<'a>(&'a mut self, chunk: &'a [u8], at: &mut usize) -> Option<SplitLine<'a>> {
        self.clear_returned();
        let rest = chunk.get(*at..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            *at = chunk.len();
            self.keep_partial(rest);
            return None;
        };
        let piece: Range<usize> = *at..*at + end;
        *at = piece.end + 1;
        let piece = chunk.get(piece).unwrap_or_default();
        if std::mem::take(&mut self.skipping) || self.partial_line.len() + piece.len() > self.max_line_bytes {
            self.partial_line.clear();
            return Some(SplitLine::TooLong);
        }
        if self.partial_line.is_empty() {
            return Some(SplitLine::Whole(piece));
        }
        self.partial_line.extend_from_slice(piece);
        self.partial_returned = true;
        Some(SplitLine::Whole(&self.partial_line))
    }

    /// Returns the text after the last line feed at the end of the input, if there is any.
    pub(super) fn last_line(&mut self) -> Option<SplitLine<'_>> {
        self.clear_returned();
        if std::mem::take(&mut self.skipping) {
            return Some(SplitLine::TooLong);
        }
        self.partial_returned = true;
        (!self.partial_line.is_empty()).then_some(SplitLine::Whole(&self.partial_line))
    }

    fn clear_returned(&mut self) {
        if std::mem::take(&mut self.partial_returned) {
            self.partial_line.clear();
        }
    }

    fn keep_partial(&mut self, piece: &[u8]) {
        if self.skipping || self.partial_line.len() + piece.len() > self.max_line_bytes {
            self.skipping = true;
            self.partial_line = Vec::new();
        } else {
            self.partial_line.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of `pieces`; `None` for a line that is too long.
    fn lines(pieces: &[&[u8]], limit: usize) -> Vec<Option<Vec<u8>>> {
        let (mut lines, mut out) = (LineSplitter::new(limit), Vec::new());
        let owned = |line: SplitLine<'_>| match line {
            SplitLine::Whole(bytes) => Some(bytes.to_vec()),
            SplitLine::TooLong => None,
        };
        for piece in pieces {
            let mut at = 0;
            while let Some(line) = lines.next_line(piece, &mut at) {
                out.push(owned(line));
            }
            assert!(lines.partial_line.len() <= limit);
        }
        out.extend(lines.last_line().map(owned));
        out
    }

    #[test]
    fn lines_end_at_line_feeds_and_at_the_end() {
        let whole = |text: &str| Some(text.as_bytes().to_vec());
        assert_eq!(lines(&[], 9), []);
        assert_eq!(lines(&[b"\n"], 9), [whole("")]);
        assert_eq!(lines(&[b"a\nb"], 9), [whole("a"), whole("b")]);
        assert_eq!(lines(&[b"a", b"b\n\nc\r", b"\n"], 9), [whole("ab"), whole(""), whole("c\r")]);
        assert_eq!(lines(&[b"123456789\n1234567890\n1"], 9), [whole("123456789"), None, whole("1")]);
        assert_eq!(lines(&[b"12345", b"67890", b"12345\nx\n", b"1234567890"], 9), [None, whole("x"), None]);
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_the_input_is_chunked(text in "[ab\n]{0,200}", cuts in proptest::collection::vec(0_usize..200, 0..8), limit in 0_usize..12) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let mut wanted: Vec<_> = text.split('\n').map(|line| (line.len() <= limit).then(|| line.as_bytes().to_vec())).collect();
            // An empty text after the last line feed is not a line.
            if text.is_empty() || text.ends_with('\n') {
                wanted.pop();
            }
            prop_assert_eq!(lines(&pieces, limit), wanted);
        }
    }
}
