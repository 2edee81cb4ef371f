//! The query and path parameters of a request, decoded strictly.

use std::borrow::Cow;

use engines::{Code, Error, Result};
use percent_encoding::percent_decode;

/// The pairs of a query, in the order in which they were sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses `name=value&…` (URL standard section 5.1). Text that is not UTF-8 is refused, not replaced.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self> {
        let Some(query) = query else { return Ok(Self::default()) };
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name)?, decode(value)?))
        });
        pairs.collect::<Result<_>>().map(Self)
    }

    /// Returns every value of `name`.
    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns the value of `name`, if there is one.
    ///
    /// # Errors
    /// Returns `BODY_INVALID` when there are several, because it is not clear which one is meant.
    pub(crate) fn single(&self, name: &str) -> Result<Option<&str>> {
        let mut all = self.values(name);
        let first = all.next();
        if all.next().is_some() {
            return Err(Error::invalid_body("http.query", name, "the parameter is given twice"));
        }
        Ok(first)
    }

    /// Returns the value of `name` as a number.
    ///
    /// # Errors
    /// Returns `BODY_INVALID` when it is not a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>> {
        self.single(name)?.map(|text| parse_number(name, text)).transpose()
    }
}

fn parse_number(name: &str, text: &str) -> Result<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or_else(|| Error::invalid_body("http.query", name, "the parameter must be a whole number, 0 or more"))
}

fn decode(text: &str) -> Result<String> {
    let spaced = if text.contains('+') { Cow::Owned(text.replace('+', " ")) } else { Cow::Borrowed(text) };
    percent_decode(spaced.as_bytes())
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| Error::invalid_body("http.query", "query", "the query is not UTF-8 after percent-decoding"))
}

/// Decodes a path parameter.
pub(crate) fn decode_segment<'a>(name: &'static str, text: &'a str) -> Result<Cow<'a, str>> {
    percent_decode(text.as_bytes()).decode_utf8().map_err(|_| {
        let detail = "the path is not UTF-8 after percent-decoding";
        Error::new(Code::IdInvalid, "http.path", detail).with_member("field", name)
    })
}
