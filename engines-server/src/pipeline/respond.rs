//! The first and the last steps of a request: its ids, route and origin, and the headers of its response.

use std::{error::Error as StdError, sync::Arc, time::Duration};

use engines::{Error, ErrorKind, Trace};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::body::{Body as HttpBody, SizeHint};
use tokio::time::Instant;
use tracing::Instrument;

use super::{
    auth_input::{X_REQUEST_ID, trace_input},
    limits::with_limits,
    routing::Routing,
};
use crate::{
    body::Body, connection_info::ConnectionInfo, handshake::BrowserHandshake, media_types, problem, request_rules,
    response, route_info::Route, security_headers, state::AppState,
};

/// Responds to a request.
pub(crate) async fn respond<B>(
    state: &Arc<AppState>,
    routing: &Routing,
    connection: Option<&ConnectionInfo>,
    request: Request<B>,
) -> Response<Body>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let begun = Instant::now();
    let (mut parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let trace = state.engine.admission().trace(&trace_input(&parts.headers));
    let found = routing.router.find(&parts.method, parts.uri.path());
    let (number, route) = found.as_ref().ok().map(|found| (found.index, &found.entry.route)).unzip();
    let origin = routing.cors.origin(&parts.headers);
    let preflight = origin.as_ref().and_then(|_| routing.cors.preflight(&routing.router, &parts));
    let browser = route.and_then(|route| BrowserHandshake::from_request(&state.settings, connection, route, &parts));
    let span = tracing::debug_span!(
        "request",
        request_id = %trace.request_id,
        trace_id = %trace.trace_id,
        method = parts.method.as_str(),
        route = route.map_or("unmatched", |route| route.path),
    );
    let forbidden = browser.as_ref().map_or(Ok(()), BrowserHandshake::check_origin);
    let checked = match connection.is_some_and(ConnectionInfo::is_from_listener) {
        true => request_rules::check_host(&parts).and(forbidden),
        false => forbidden,
    };
    let answered = match (checked, preflight, found) {
        (Err(error), ..) | (Ok(()), None, Err(error)) => Err(error),
        (Ok(()), Some(response), _) => Ok(response),
        (Ok(()), None, Ok(found)) => {
            with_limits(state, connection, found, &mut parts, body, &trace).instrument(span).await
        }
    };
    let answered = match (answered, browser) {
        (Err(error), Some(browser)) => browser.refuse(&state.shutdown, &error).map_err(|_| error),
        (answered, _) => answered,
    };
    let mut response = answered.unwrap_or_else(|error| {
        let ruled = error.kind() == ErrorKind::RateLimited && error.member("decision_id").is_none();
        let error = match ruled {
            true => error.with_member("decision_id", state.engine.guard().decision_id()),
            false => error,
        };
        problem::response(&error, &trace)
    });
    add_common_headers(&mut response, route, &trace);
    routing.cors.apply(origin, number, response.headers_mut());
    if head {
        response = without_body(response);
    }
    state.metrics.record_response(number, response.status().as_u16(), begun.elapsed());
    response
}

/// Responds to a request with an error before any other step.
pub(crate) fn refuse(state: &AppState, routing: &Routing, headers: &HeaderMap, error: &Error) -> Response<Body> {
    let trace = state.engine.admission().trace(&trace_input(headers));
    finish_refusal(state, routing, headers, &trace, problem::response(error, &trace))
}

/// Responds like [`refuse`], with a status that belongs to no error code.
pub(crate) fn refuse_with_text(
    state: &AppState,
    routing: &Routing,
    headers: &HeaderMap,
    status: StatusCode,
    text: &'static str,
) -> Response<Body> {
    let trace = state.engine.admission().trace(&trace_input(headers));
    finish_refusal(state, routing, headers, &trace, response::with_body(status, media_types::TEXT, text))
}

fn finish_refusal(
    state: &AppState,
    routing: &Routing,
    headers: &HeaderMap,
    trace: &Trace,
    mut response: Response<Body>,
) -> Response<Body> {
    add_common_headers(&mut response, None, trace);
    routing.cors.apply(routing.cors.origin(headers), None, response.headers_mut());
    state.metrics.record_response(None, response.status().as_u16(), Duration::ZERO);
    response
}

/// Adds the headers that every response has.
fn add_common_headers(response: &mut Response<Body>, route: Option<&Route>, trace: &Trace) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&trace.request_id) {
        headers.insert(&X_REQUEST_ID, id);
    }
    security_headers::apply(headers, route);
}

/// Removes the body of a response to `HEAD`. The header with the length of the body stays (RFC 9110 section 9.3.2).
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = SizeHint::exact(&body.size_hint()) {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
