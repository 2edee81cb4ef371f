//! Lists come a page at a time.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::{
    code::Code,
    error::{Error, Result},
};

/// Which page: how many items, after which one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// Items at the most; at least 1.
    pub limit: usize,
    /// The `next` of the page before.
    pub after: Option<String>,
}

impl PageRequest {
    /// The first `limit` items.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { limit: limit.max(1), after: None }
    }

    /// The `limit` items after a page's `next`.
    #[must_use]
    pub fn after(limit: usize, next: impl Into<String>) -> Self {
        Self { limit: limit.max(1), after: Some(next.into()) }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; none when this is the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Cuts a list that was read one item longer than `limit`, and makes the token from the last item kept.
    #[must_use]
    pub fn from_lookahead(mut items: Vec<T>, limit: usize, token: impl FnOnce(&T) -> PageToken) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| token(last).encode());
        Self { items, next }
    }

    /// The same page of other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// The opaque text of a page's place: which list it belongs to, and the sort keys of the last item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    list: &'static str,
    keys: Vec<String>,
}

impl PageToken {
    /// A place in `list` after the item with these sort keys.
    #[must_use]
    pub fn new(list: &'static str, keys: impl IntoIterator<Item = String>) -> Self {
        Self { list, keys: keys.into_iter().collect() }
    }

    /// The text.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = self.list.to_owned();
        for key in &self.keys {
            text.push('\0');
            text.push_str(key);
        }
        BASE64_URL_SAFE_NO_PAD.encode(text)
    }

    /// Reads the text of a token made for `list` with exactly `N` keys.
    ///
    /// # Errors
    /// `CURSOR_INVALID` when it is anything else.
    pub fn decode<const N: usize>(list: &'static str, text: &str) -> Result<[String; N]> {
        let invalid = || {
            Error::new(
                Code::CursorInvalid,
                "nexus.page",
                "the cursor is malformed or of another list; use `next` unchanged",
            )
        };
        if text.len() > 2048 {
            return Err(invalid());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid())?;
        let text = String::from_utf8(bytes).map_err(|_| invalid())?;
        let mut parts = text.split('\0');
        if parts.next() != Some(list) {
            return Err(invalid());
        }
        parts.map(str::to_owned).collect::<Vec<_>>().try_into().map_err(|_| invalid())
    }
}
