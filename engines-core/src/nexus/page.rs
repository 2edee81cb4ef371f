//! Pagination of lists.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::{
    code::Code,
    error::{Error, Result},
    stream::LogId,
};

/// Selects a page: the number of items, and where the page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest {
    /// The most items on the page. Every list takes 0 as 1.
    pub limit: usize,
    /// The `next` of the previous page; `None` for the first page.
    pub after: Option<String>,
}

impl PageRequest {
    /// Selects the first `limit` items.
    #[must_use]
    pub fn first(limit: usize) -> Self {
        Self { limit: limit.max(1), after: None }
    }

    /// Selects the `limit` items after the previous page's `next`.
    #[must_use]
    pub fn after(limit: usize, next: impl Into<String>) -> Self {
        Self { limit: limit.max(1), after: Some(next.into()) }
    }

    /// Checks that the token is bound to this log (see [`Page::bind_to_log`]), and restores the token that the store
    /// made.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a token that is bound to another log, or to none.
    pub fn unbind_from_log(self, log: LogId) -> Result<Self> {
        let Some(text) = self.after else { return Ok(self) };
        let Some(after) = text.strip_prefix(&log_prefix(log)) else {
            let detail = "the cursor is malformed or belongs to another store's data; start again from the first page";
            return Err(Error::new(Code::CursorInvalid, "nexus.page", detail));
        };
        Ok(Self { limit: self.limit, after: Some(after.to_owned()) })
    }
}

/// Returns the prefix of the tokens that are bound to a log.
fn log_prefix(log: LogId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(log.to_bytes()) + "."
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// The items of this page.
    pub items: Vec<T>,
    /// The token of the next page; `None` when this is the last page.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page from a list that was read with one item more than `limit`: drops the extra item and makes `next`
    /// from the last item that is left.
    #[must_use]
    pub fn from_lookahead(mut items: Vec<T>, limit: usize, token: impl FnOnce(&T) -> PageToken) -> Self {
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|last| token(last).encode());
        Self { items, next }
    }

    /// Binds the token of the next page to this log. The sort keys of events and audit records are numbers, under which
    /// another log, such as that of a restored backup, has other items.
    #[must_use]
    pub fn bind_to_log(self, log: LogId) -> Self {
        Self { items: self.items, next: self.next.map(|next| log_prefix(log) + &next) }
    }

    /// Converts the items of the page.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next }
    }
}

/// The opaque text of a page's position: the list it belongs to, and the sort keys of the last item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageToken {
    list: &'static str,
    keys: Vec<String>,
}

impl PageToken {
    /// A position in `list` after the item with these sort keys.
    #[must_use]
    pub fn new(list: &'static str, keys: impl IntoIterator<Item = String>) -> Self {
        Self { list, keys: keys.into_iter().collect() }
    }

    /// The token as text.
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
    /// `CURSOR_INVALID` when the text is not such a token.
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
