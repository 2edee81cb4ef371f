//! Errors of JSON decoding. They do not repeat the caller's input.

use std::sync::LazyLock;

use serde_json::error::Category;

use super::scan::{ScanError, push_token};
use crate::{
    code::Code,
    error::{Error, Result},
    limits::Limits,
    pii::Scrubber,
};

/// The most bytes of a pointer that an error repeats.
const MAX_POINTER_BYTES: usize = 128;
/// The longest name in a pointer that an error repeats, in bytes.
const MAX_NAME_BYTES: usize = 48;
/// Finds personal data in names.
static NAME_SCRUBBER: LazyLock<Scrubber> = LazyLock::new(Scrubber::default);

pub(super) fn from_scan_error(fault: ScanError, limits: &Limits, operation: &'static str) -> Error {
    match fault {
        ScanError::TooDeep => {
            let detail = format!("the body is nested deeper than {} levels (limit json_depth)", limits.json_depth);
            Error::invalid_body(operation, "", detail).with_member("limit", limits.json_depth)
        }
        ScanError::Duplicate(place) => {
            Error::invalid_body(operation, &redacted_pointer(&place), "a key occurs twice in one object")
        }
        ScanError::Number(place) => {
            Error::invalid_body(operation, &redacted_pointer(&place), "a number is too large to be kept as it was sent")
        }
        ScanError::Surrogate(place) => Error::invalid_body(
            operation,
            &redacted_pointer(&place),
            "a string has half of a surrogate pair, which is not a character",
        ),
    }
}

pub(super) fn from_serde_error(
    error: &serde_path_to_error::Error<serde_json::Error>,
    operation: &'static str,
) -> Error {
    let mut field = String::new();
    for segment in error.path() {
        use serde_path_to_error::Segment;
        match segment {
            Segment::Seq { index } => push_token(&mut field, &index.to_string()),
            Segment::Map { key } => push_token(&mut field, key),
            // A variant is not a position in the document.
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    let cause = error.inner();
    let text = cause.to_string();
    if cause.classify() != Category::Data {
        let detail = if text.starts_with("EOF while") { "the JSON ends too early".to_owned() } else { text };
        return Error::invalid_body(operation, &redacted_pointer(&field), format!("the body is not JSON: {detail}"));
    }
    // serde_json appends line and column; `field` is more precise.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if let Some((code, detail)) = parse_own_error(text) {
        return Error::new(code, operation, detail.to_owned()).with_member("field", redacted_pointer(&field));
    }
    let named = |prefix: &str| text.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('`'));
    if let Some(name) = named("missing field `") {
        push_token(&mut field, name);
        return Error::invalid_body(operation, &redacted_pointer(&field), "a required member is missing");
    }
    if let Some(name) = named("duplicate field `") {
        push_token(&mut field, name);
        return Error::invalid_body(
            operation,
            &redacted_pointer(&field),
            "the same member is given twice, under two names",
        );
    }
    let detail = match text.split_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None if repeats_input(text) => "the value is not valid for this field".to_owned(),
        None => text.to_owned(),
    };
    Error::invalid_body(operation, &redacted_pointer(&field), detail)
}

/// Whether serde put the caller's input into its message.
fn repeats_input(text: &str) -> bool {
    ["invalid type", "invalid value", "invalid length", "unknown variant", "unknown field"]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Parses an error of one of our own types, which serde passes on as text: `operation: detail (CODE)`.
fn parse_own_error(text: &str) -> Option<(Code, &str)> {
    let (text, code) = text.strip_suffix(')')?.rsplit_once(" (")?;
    let code = Code::ALL.iter().copied().find(|known| known.as_str() == code)?;
    Some((code, text.split_once(": ").map_or(text, |(_, detail)| detail)))
}

/// The pointer as an error may repeat it. A segment that is not a plain name may be personal data and is replaced by a
/// star.
fn redacted_pointer(pointer: &str) -> String {
    let mut shown = String::new();
    for token in pointer.split('/').skip(1) {
        let plain = token.len() <= MAX_NAME_BYTES
            && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'~'))
            && NAME_SCRUBBER.findings(token).is_ok_and(|found| found.is_empty());
        shown.push('/');
        shown.push_str(if plain { token } else { "*" });
        if shown.len() > MAX_POINTER_BYTES {
            break;
        }
    }
    shown
}

pub(super) fn check_utf8<'a>(bytes: &'a [u8], operation: &'static str) -> Result<&'a str> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Error::invalid_body(operation, "", "the body is empty; send JSON"));
    }
    std::str::from_utf8(bytes).map_err(|error| {
        Error::invalid_body(operation, "", format!("the body is not UTF-8: byte {} is wrong", error.valid_up_to()))
    })
}
