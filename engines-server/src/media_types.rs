//! The media types of bodies: their names, and which one a request has or accepts.

use engines::{Code, Error, Result};
use http::{HeaderMap, header};

/// JSON.
pub(crate) const JSON: &str = "application/json";
/// JSON lines.
pub(crate) const NDJSON: &str = "application/x-ndjson";
/// Problem documents (RFC 9457).
pub(crate) const PROBLEM: &str = "application/problem+json";
/// HTML.
pub(crate) const HTML: &str = "text/html; charset=utf-8";
/// Plain text.
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
/// The text format of metrics.
pub(crate) const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Checks that the body of a request is JSON, as its headers say.
///
/// # Errors
/// Returns `MEDIA_TYPE_UNSUPPORTED`.
pub(crate) fn check_json(headers: &HeaderMap) -> Result<()> {
    check(headers, is_json, JSON)
}

/// Checks that the body of a request is JSON lines, as its headers say.
///
/// # Errors
/// Returns `MEDIA_TYPE_UNSUPPORTED`.
pub(crate) fn check_ndjson(headers: &HeaderMap) -> Result<()> {
    check(headers, is_ndjson, NDJSON)
}

fn is_json(kind: &str) -> bool {
    kind == JSON || kind.starts_with("application/") && kind.ends_with("+json")
}

fn is_ndjson(kind: &str) -> bool {
    matches!(kind, NDJSON | "application/ndjson" | "application/jsonl")
}

/// Checks that the media type `fits`, and that the body is UTF-8 and not compressed. A body without a media type is
/// refused as well: a page of another site can send one without a preflight (Fetch standard, section 2.2.2).
fn check(headers: &HeaderMap, fits: fn(&str) -> bool, usual: &str) -> Result<()> {
    let refuse = |detail: &'static str| Err(Error::new(Code::MediaTypeUnsupported, "http.body", detail));
    let encodings = headers.get_all(header::CONTENT_ENCODING);
    if encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return refuse("send the body uncompressed");
    }
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (first, others) = (types.next(), types.next());
    let text = first.and_then(|kind| kind.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
    let mut parts = text.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    if others.is_some() || !fits(kind) {
        let detail = format!("send the body as Content-Type: {usual}");
        return Err(Error::new(Code::MediaTypeUnsupported, "http.body", detail));
    }
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).map(|charset| charset.trim_matches('"'));
    if charset.is_some_and(|charset| charset != "utf-8" && charset != "utf8") {
        return refuse("send the body in UTF-8");
    }
    Ok(())
}

/// Returns whether a client prefers one JSON document to lines: it lists JSON, and lines with a lower weight or not at
/// all.
pub(crate) fn prefers_json(headers: &HeaderMap) -> bool {
    accept_weight(headers, |kind| kind == JSON) > accept_weight(headers, is_ndjson)
}

/// Returns whether a client prefers HTML to JSON. JSON is the default: the client must list HTML, and JSON with no
/// higher weight.
pub(crate) fn prefers_html(headers: &HeaderMap) -> bool {
    let html = accept_weight(headers, |kind| matches!(kind, "text/html" | "application/xhtml+xml"));
    html > 0.0 && html >= accept_weight(headers, |kind| kind == JSON)
}

/// Returns the highest weight, from 0 to 1, of the media types in the header `Accept` that `matches` (RFC 9110, section
/// 12.5.1). Wildcards count for no type. A weight that is no number between 0 and 1 counts as 0.
fn accept_weight(headers: &HeaderMap, matches: fn(&str) -> bool) -> f32 {
    let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let weights = values.flat_map(|value| value.split(',')).filter_map(|range| {
        let range = range.to_ascii_lowercase();
        let mut parts = range.split(';').map(str::trim);
        let kind = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q="));
        matches(kind).then(|| weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
    });
    weights.filter(|weight| (0.0..=1.0).contains(weight)).fold(0.0, f32::max)
}
