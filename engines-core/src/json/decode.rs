//! From text to a type.

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

/// JSON text that has been looked over, and not yet decoded.
#[derive(Debug)]
pub struct CheckedJson<'a> {
    text: &'a str,
    /// Of the outermost object.
    keys: Vec<MemberKey>,
    operation: &'static str,
}

impl<'a> CheckedJson<'a> {
    /// Looks `bytes` over; `operation` is what errors name.
    ///
    /// # Errors
    /// `BODY_INVALID` when it is empty or not UTF-8, nested too deep, says a key twice or has a number that overflows.
    /// Whether it is JSON at all shows in [`Json::decode`].
    pub fn check(bytes: &'a [u8], limits: &Limits, operation: &'static str) -> Result<Self> {
        let text = decode_error::check_utf8(bytes, operation)?;
        let keys = scan::scan(text, limits.json_depth)
            .map_err(|fault| decode_error::from_scan_error(fault, limits, operation))?;
        Ok(Self { text, keys, operation })
    }

    /// Insists on an object. A type with named fields would otherwise be read from an array too, which no client means.
    ///
    /// # Errors
    /// `BODY_INVALID` when it is something else.
    pub fn expect_object(self) -> Result<Self> {
        if self.text.trim_ascii_start().starts_with('{') {
            Ok(self)
        } else {
            Err(Error::invalid_body(self.operation, "", "expected an object"))
        }
    }

    /// A string member of the outermost object, without decoding the rest; none if it is absent or null.
    ///
    /// # Errors
    /// `BODY_INVALID` when it is something else.
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

    /// Decodes it.
    ///
    /// # Errors
    /// `BODY_INVALID` naming the `field`, or the code of the type of ours that did not accept it (`ID_INVALID`).
    pub fn decode<T: Deserialize<'a>>(&self) -> Result<T> {
        // The path is tracked only once it is known that it will be needed.
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

/// Looks `bytes` over and decodes them.
///
/// # Errors
/// As [`Json::check`] and [`Json::decode`].
pub fn decode<T: DeserializeOwned>(bytes: &[u8], limits: &Limits, operation: &'static str) -> Result<T> {
    CheckedJson::check(bytes, limits, operation)?.decode()
}
