//! Lines out of chunks, each within its limit.

use std::ops::Range;

/// A line of a chunk.
pub(super) enum Line<'a> {
    /// Its bytes, without the line feed.
    Whole(&'a [u8]),
    /// It has more bytes than it may; they were passed over.
    TooLong,
}

/// Takes lines apart that arrive in pieces. It holds on to the beginning of one line at the most.
#[derive(Debug)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// What `begun` held is a line that was handed out.
    taken: bool,
    /// The line that runs is too long, and its rest is passed over.
    over: bool,
    limit: usize,
}

impl Lines {
    pub(super) fn new(limit: usize) -> Self {
        Self { begun: Vec::new(), taken: false, over: false, limit }
    }

    /// The next line that ends in `chunk`, from `at` on; `at` then is behind it. None when the rest of the chunk is only the beginning of a
    /// line, which is kept.
    pub(super) fn next<'a>(&'a mut self, chunk: &'a [u8], at: &mut usize) -> Option<Line<'a>> {
        self.forget_taken();
        let rest = chunk.get(*at..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            *at = chunk.len();
            self.begin(rest);
            return None;
        };
        let piece: Range<usize> = *at..*at + end;
        *at = piece.end + 1;
        let piece = chunk.get(piece).unwrap_or_default();
        if std::mem::take(&mut self.over) || self.begun.len() + piece.len() > self.limit {
            self.begun.clear();
            return Some(Line::TooLong);
        }
        if self.begun.is_empty() {
            return Some(Line::Whole(piece));
        }
        self.begun.extend_from_slice(piece);
        self.taken = true;
        Some(Line::Whole(&self.begun))
    }

    /// What stands behind the last line feed, once nothing more comes; none when nothing does.
    pub(super) fn last(&mut self) -> Option<Line<'_>> {
        self.forget_taken();
        if std::mem::take(&mut self.over) {
            return Some(Line::TooLong);
        }
        self.taken = true;
        (!self.begun.is_empty()).then_some(Line::Whole(&self.begun))
    }

    fn forget_taken(&mut self) {
        if std::mem::take(&mut self.taken) {
            self.begun.clear();
        }
    }

    fn begin(&mut self, piece: &[u8]) {
        if self.over || self.begun.len() + piece.len() > self.limit {
            self.over = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The lines of `pieces`; none for one that is too long.
    fn lines(pieces: &[&[u8]], limit: usize) -> Vec<Option<Vec<u8>>> {
        let (mut lines, mut out) = (Lines::new(limit), Vec::new());
        let owned = |line: Line<'_>| match line {
            Line::Whole(bytes) => Some(bytes.to_vec()),
            Line::TooLong => None,
        };
        for piece in pieces {
            let mut at = 0;
            while let Some(line) = lines.next(piece, &mut at) {
                out.push(owned(line));
            }
            assert!(lines.begun.len() <= limit);
        }
        out.extend(lines.last().map(owned));
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
        fn pieces_do_not_matter(text in "[ab\n]{0,200}", cuts in proptest::collection::vec(0_usize..200, 0..8), limit in 0_usize..12) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            let mut wanted: Vec<_> = text.split('\n').map(|line| (line.len() <= limit).then(|| line.as_bytes().to_vec())).collect();
            // Nothing behind the last line feed is no line.
            if text.is_empty() || text.ends_with('\n') {
                wanted.pop();
            }
            prop_assert_eq!(lines(&pieces, limit), wanted);
        }
    }
}
