//! Commands: edits of a JSON document and their meaning.
//!
//! A command is a batch of [`Op`]s against one revision of a document. The ops are RFC 6902 JSON Patch (applied by the
//! `json-patch` crate) and four additional ones: `insert_text`, `delete_range`, `replace_text_range` and `set_token`.
//! [`apply_batch`] applies a batch all-or-nothing; [`rebase`] decides whether a batch written against an older revision
//! may still be applied at the head; [`state_hash`] lets any client check that its replay gave the same state.
//!
//! Everything here is pure: no I/O, no clock, no randomness.
//!
//! ```
//! use engines_core::command::{CommandLimits, JsonReducer, SizedDocument, apply_batch, parse_ops_str};
//! use serde_json::json;
//!
//! let ops = parse_ops_str(r#"[
//!     {"op":"add","path":"/nodes/n1","value":{"text":"hi"}},
//!     {"op":"insert_text","path":"/nodes/n1/text","pos":2,"text":" there"}
//! ]"#)?;
//! let limits = CommandLimits::default();
//! let mut state = SizedDocument::new(json!({"nodes": {}}))?;
//! apply_batch(&JsonReducer, &mut state, &ops, &limits)?;
//! assert_eq!(state.value(), &json!({"nodes": {"n1": {"text": "hi there"}}}));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Rules where the standards leave room
//!
//! * **Root.** `add` and `replace` at the path `""` replace the whole document. It cannot be removed or moved, because
//!   a document always exists.
//! * **Positions** in text count Unicode scalar values, not bytes, UTF-16 units or graphemes. A
//!   position equal to the length is the end; one beyond it is an error, also for an empty range.
//! * **`test`** compares numbers by value (RFC 6902 §4.6): `1` equals `1.0`.
//! * **`set_token`** creates or replaces a value. In an array an existing index is replaced (`add` would insert there);
//!   `-` or the length appends. The parent must exist, as for `add`.
//! * **Numbers** are IEEE doubles (RFC 8785 §3.2.2.3, RFC 7493 §2.2). An integer beyond
//!   ±(2⁵³ − 1) is refused: clients in other languages would read another number than was sent.
//!   Numbers with a fraction or an exponent, such as `1e20`, are the nearest double.
//! * **Unknown members** of an op are ignored (RFC 6902 §4); a repeated member is an error. Inside a value the last of
//!   repeated keys counts, and the log stores that one.

mod apply;
mod draft;
mod error;
mod hash;
mod limits;
mod number_checks;
mod op;
mod parse;
mod patch;
pub mod rebase;
mod reducer;
mod size;
mod text;
mod undo;
mod wire;

pub use apply::{ApplySummary, apply_batch};
pub use draft::Draft;
pub use error::{OpError, OpErrorKind, OpFault};
pub use hash::{canonical_json, state_hash};
pub use limits::{CommandLimits, DEPTH_CEILING};
pub use op::{CustomOp, Op};
pub use parse::{parse_ops, parse_ops_for, parse_ops_str, parse_ops_value};
pub use reducer::{JsonReducer, Reducer};
pub use size::SizedDocument;

/// JSON Pointer (RFC 6901), borrowed and owned, as used by the ops.
pub use json_patch::jsonptr::{Pointer, PointerBuf};
