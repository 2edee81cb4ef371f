//! Errors as `application/problem+json` (RFC 9457).

use bytes::Bytes;
use engines::{Error, ErrorKind, Trace};
use http::{HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::{body::Body, limits::is_budget_refusal, media_types};

/// The names that members of an error must not take.
const RESERVED_MEMBERS: [&str; 6] = ["type", "title", "status", "code", "detail", "request_id"];

/// The status of errors of `kind` (RFC 9110 section 15, RFC 4918 section 11.5).
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::Invalid => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        ErrorKind::TimedOut => StatusCode::REQUEST_TIMEOUT,
        ErrorKind::Conflict => StatusCode::CONFLICT,
        ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        ErrorKind::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ErrorKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        ErrorKind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        ErrorKind::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        // `ErrorKind` is non-exhaustive; a test checks that each of its kinds has an arm.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Returns the problem document of `error`.
pub(crate) fn document(error: &Error, trace: &Trace) -> Map<String, Value> {
    let code = error.code();
    let mut document = Map::new();
    document.insert("title".into(), code.title().into());
    document.insert("status".into(), status(error.kind()).as_u16().into());
    document.insert("code".into(), code.as_str().into());
    document.insert("detail".into(), error.detail().into());
    document.insert("request_id".into(), (*trace.request_id).into());
    for (name, value) in error.members() {
        if !RESERVED_MEMBERS.contains(&name.as_str()) {
            document.insert(name.clone(), value.clone());
        }
    }
    document
}

/// Returns the response for `error`. An error of the server or a backend is logged.
pub(crate) fn response(error: &Error, trace: &Trace) -> Response<Body> {
    match error.kind() {
        ErrorKind::Internal => {
            tracing::error!(request_id = %trace.request_id, trace_id = %trace.trace_id, ?error, "a request failed");
        }
        // Refusals by a budget are logged in sum, at most once a second.
        ErrorKind::Unavailable if !is_budget_refusal(error) => {
            tracing::warn!(request_id = %trace.request_id, trace_id = %trace.trace_id, ?error, "a backend did not respond");
        }
        _ => {
            tracing::debug!(request_id = %trace.request_id, operation = error.operation(), code = %error.code(), "refused");
        }
    }
    // A map of strings can always be serialized.
    let text = serde_json::to_vec(&document(error, trace)).unwrap_or_default();
    let mut response = Response::new(Body::from(Bytes::from(text)));
    *response.status_mut() = status(error.kind());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_types::PROBLEM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if error.kind() == ErrorKind::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    let wait = error
        .retry_after()
        .map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
        .map(|seconds| seconds.max(1));
    let wait = wait.or(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::RateLimited).then_some(1));
    if let Some(seconds) = wait {
        headers.insert(header::RETRY_AFTER, seconds.into());
    }
    if error.kind() == ErrorKind::RateLimited {
        // Most services use these headers (draft-ietf-httpapi-ratelimit-headers up to its version 7). They are in
        // seconds, like `Retry-After`.
        if let Some(limit) = error.member("limit").and_then(Value::as_u64) {
            headers.insert("ratelimit-limit", limit.into());
        }
        headers.insert("ratelimit-remaining", HeaderValue::from_static("0"));
        headers.insert("ratelimit-reset", wait.unwrap_or(1).into());
    }
    if let Some(allow) = error.member("allow").and_then(Value::as_str).and_then(|allow| allow.parse().ok()) {
        headers.insert(header::ALLOW, allow);
    }
    response
}

#[cfg(test)]
mod tests {
    use engines::Code;

    use super::*;

    #[test]
    fn every_kind_of_error_but_a_defect_has_its_own_status() {
        let mut kinds: Vec<(ErrorKind, StatusCode)> = Vec::new();
        for kind in Code::ALL.iter().map(|code| code.kind()) {
            if kinds.iter().all(|(known, _)| *known != kind) {
                kinds.push((kind, status(kind)));
            }
        }
        for (kind, status) in &kinds {
            assert_eq!(*status == StatusCode::INTERNAL_SERVER_ERROR, *kind == ErrorKind::Internal, "{kind:?}");
            assert_eq!(status.is_client_error(), kind.is_caller_error(), "{kind:?}");
            assert!(kinds.iter().filter(|(_, other)| other == status).count() == 1, "{kind:?} shares {status}");
        }
    }
}
