//! Decodes checked JSON text into types.

use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeOwned};

use super::{
    decode_error,
    scan::{self, MemberKey},
};
use crate::{
    error::{Error, Result},
    limits::Limits,
};

/// JSON text that was checked and is not yet decoded.
#[derive(Debug)]
pub struct CheckedJson<'a> {
    text: &'a str,
    /// The keys of the outermost object.
    keys: Vec<MemberKey>,
    operation: &'static str,
}

impl<'a> CheckedJson<'a> {
    /// Checks `bytes`; errors name `operation`.
    ///
    /// # Errors
    /// `BODY_INVALID` when the text is empty, is not UTF-8, is nested too deeply, repeats a key or has a number that
    /// overflows. Whether it is JSON at all is checked by [`CheckedJson::decode`].
    pub fn check(bytes: &'a [u8], limits: &Limits, operation: &'static str) -> Result<Self> {
        let text = decode_error::check_utf8(bytes, operation)?;
        let keys = scan::scan(text, limits.json_depth)
            .map_err(|fault| decode_error::from_scan_error(fault, limits, operation))?;
        Ok(Self { text, keys, operation })
    }

    /// Requires an object. Otherwise serde would also decode a type with named fields from an array, which no client
    /// intends.
    ///
    /// # Errors
    /// `BODY_INVALID` when the text is not an object.
    pub fn expect_object(self) -> Result<Self> {
        if self.text.trim_ascii_start().starts_with('{') {
            Ok(self)
        } else {
            Err(Error::invalid_body(self.operation, "", "expected an object"))
        }
    }

    /// A string member of the outermost object, without decoding the rest; `None` if it is absent or null.
    ///
    /// # Errors
    /// `BODY_INVALID` when the member is not a string.
    pub fn string_member(&self, name: &str) -> Result<Option<Cow<'a, str>>> {
        let Some(key) = self.keys.iter().find(|key| key.name(self.text) == name) else { return Ok(None) };
        let rest = self.text.get(key.value_start..).unwrap_or_default().trim_ascii_start();
        if rest.starts_with("null") {
            return Ok(None);
        }
        let value = if rest.starts_with('"') {
            serde_json::Deserializer::from_str(rest).into_iter::<BorrowedText<'a>>().next().and_then(Result::ok)
        } else {
            None
        };
        match value {
            Some(BorrowedText(text)) => Ok(Some(text)),
            None => Err(Error::invalid_body(self.operation, &format!("/{name}"), "expected a string")),
        }
    }

    /// Decodes the text.
    ///
    /// # Errors
    /// `BODY_INVALID` naming the `field`, or the code of the type that rejected its value, such as `ID_INVALID`.
    pub fn decode<T: Deserialize<'a>>(&self) -> Result<T> {
        // Tracking the path is slow, so it is done only after decoding failed.
        if let Ok(value) = serde_json::from_str(self.text) {
            return Ok(value);
        }
        let mut deserializer = serde_json::Deserializer::from_str(self.text);
        let value = serde_path_to_error::deserialize(&mut deserializer)
            .map_err(|error| decode_error::from_serde_error(&error, self.operation))?;
        match deserializer.end() {
            Ok(()) => Ok(value),
            Err(_) => Err(Error::invalid_body(self.operation, "", "something follows the JSON; send one value")),
        }
    }
}

#[derive(serde::Deserialize)]
struct BorrowedText<'a>(#[serde(borrow)] Cow<'a, str>);

/// Checks and decodes `bytes`.
///
/// # Errors
/// As [`CheckedJson::check`] and [`CheckedJson::decode`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: &Limits, operation: &'static str) -> Result<T> {
    CheckedJson::check(bytes, limits, operation)?.decode()
}
