//! Page tokens that hold a number of items.

use engines_core::{
    Code, Error, Result,
    nexus::{PageRequest, PageToken},
};

/// Returns the number of items before the page.
pub(super) fn resume_index(list: &'static str, page: &PageRequest) -> Result<usize> {
    let Some(text) = &page.after else { return Ok(0) };
    let [place] = PageToken::decode(list, text)?;
    place
        .parse()
        .map_err(|_| Error::new(Code::CursorInvalid, "memory.page", "the cursor is malformed; use `next` unchanged"))
}
