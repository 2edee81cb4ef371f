//! Decoding of JSON from outside: a check of the text, then decoding into a type.
//!
//! `serde_json` alone is too lenient: it takes the last of two equal keys, rounds integers it cannot represent, and
//! skips numbers that no field asks for. A scanner therefore reads the text first, without recursion, and rejects text
//! that is nested deeper than [`Limits::json_depth`](crate::Limits::json_depth), repeats a key (RFC 8259 section 4, RFC
//! 7493 section 2.3) or has a number that overflows. Errors are `BODY_INVALID` with the member `field`, a JSON Pointer,
//! and repeat no values.
//!
//! ```
//! use engines_core::{Code, Limits, json};
//! #[derive(Debug, serde::Deserialize)]
//! struct Message { text: String }
//!
//! let limits = Limits::default();
//! let message: Message = json::decode(br#"{"text":"hi"}"#, &limits, "chat.post")?;
//! assert_eq!(message.text, "hi");
//!
//! let error = json::decode::<Message>(br#"{"text":7}"#, &limits, "chat.post").unwrap_err();
//! assert_eq!(error.code(), Code::BodyInvalid);
//! assert_eq!(error.member("field"), Some(&"/text".into()));
//! # Ok::<(), engines_core::Error>(())
//! ```

mod decode;
mod decode_error;
mod scan;

pub use self::decode::{CheckedJson, decode};
