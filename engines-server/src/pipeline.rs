//! The steps of a request: trace, route, in-flight limit, deadline, admission, body, access rule, throttle, handler.
//! The response then gets its request id, security headers and metrics, and loses its body for `HEAD`.

use std::{
    borrow::Cow, error::Error as StdError, fmt, future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc,
    task::Poll, time::Duration,
};

use bytes::Bytes;
use engines::{
    Action, Code, Error, ErrorKind, Principal, RequestContext, Result, Trace,
    auth::{Admission, AuthInput, BodyClaims, FieldValues},
    core::{access::RateClass, gate::RateSubject, json::CheckedJson},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use hyper::{
    body::{Body as HttpBody, SizeHint},
    upgrade::OnUpgrade,
};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::{
    app::App,
    body::{self, Body},
    body_intake,
    body_stream::{self, BodyLimits},
    client_addr::{self, ConnectionInfo},
    handshake::BrowserHandshake,
    limits::RequestBudget,
    problem,
    query::{self, Query},
    rate_limit,
    request::{RequestParts, Upgrade},
    request_rules, response,
    routes::{BodyKind, Endpoint, HandlerFuture, Route, RouteMatch},
    security_headers,
};

/// Limits the rate of requests. It is called after admission and before the handler.
pub trait RequestThrottle: Send + Sync + fmt::Debug {
    /// Accepts the request, or refuses it.
    ///
    /// # Errors
    /// Returns `RATE_LIMITED`, with [`Error::retry_after`].
    fn check(&self, context: &RequestContext, class: RateClass) -> Result<()>;
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Responds to a request.
pub(crate) async fn respond<B>(app: &App, connection: Option<&ConnectionInfo>, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let begun = Instant::now();
    let (mut parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let trace = app.engine().admission().trace(&trace_input(&parts.headers));
    let found = app.router().find(&parts.method, parts.uri.path());
    let (number, route) = found.as_ref().ok().map(|found| (found.index, found.route)).unzip();
    let origin = app.cors().origin(&parts.headers);
    let preflight = origin.as_ref().and_then(|_| app.cors().preflight(app.router(), &parts));
    let browser = route.and_then(|route| BrowserHandshake::from_request(app, connection, route, &parts));
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
            with_limits(app, connection, found, &mut parts, body, &trace).instrument(span).await
        }
    };
    let answered = match (answered, browser) {
        (Err(error), Some(browser)) => browser.refuse(app, &error).map_err(|_| error),
        (answered, _) => answered,
    };
    let mut response = answered.unwrap_or_else(|error| {
        let ruled = error.kind() == ErrorKind::RateLimited && error.member("decision_id").is_none();
        let error = match ruled {
            true => error.with_member("decision_id", app.engine().guard().decision_id()),
            false => error,
        };
        problem::response(&error, &trace)
    });
    add_common_headers(&mut response, route, &trace);
    app.cors().apply(origin, number, response.headers_mut());
    if head {
        response = without_body(response);
    }
    app.metrics().record_response(number, response.status().as_u16(), begun.elapsed());
    response
}

/// Responds to a request with an error before any other step.
pub(crate) fn refuse(app: &App, headers: &HeaderMap, error: &Error) -> Response<Body> {
    let trace = app.engine().admission().trace(&trace_input(headers));
    finish_refusal(app, headers, &trace, problem::response(error, &trace))
}

/// As [`refuse`], with a status that belongs to no error code.
pub(crate) fn refuse_with_text(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    text: &'static str,
) -> Response<Body> {
    let trace = app.engine().admission().trace(&trace_input(headers));
    finish_refusal(app, headers, &trace, response::with_body(status, "text/plain; charset=utf-8", text))
}

fn finish_refusal(app: &App, headers: &HeaderMap, trace: &Trace, mut response: Response<Body>) -> Response<Body> {
    add_common_headers(&mut response, None, trace);
    app.cors().apply(app.cors().origin(headers), None, response.headers_mut());
    app.metrics().record_response(None, response.status().as_u16(), Duration::ZERO);
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

/// Applies the in-flight limit and the deadline, and catches panics.
async fn with_limits<B>(
    app: &App,
    connection: Option<&ConnectionInfo>,
    found: RouteMatch,
    parts: &mut Parts,
    body: B,
    trace: &Trace,
) -> Result<Response<Body>>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    request_rules::check_handshake(found.route, parts)?;
    let client = client_addr::resolve_client(connection, parts, app.settings());
    let places = RequestBudget::acquire(app, client, found.route)?;
    if !places.is_exempt() && app.shutdown().has_begun() {
        return Err(body_intake::shutting_down());
    }
    let time_limit = match found.route.body {
        BodyKind::Lines => app.settings().batch_timeout(),
        _ => app.settings().request_timeout(),
    };
    let safe = parts.method.is_safe();
    let mut guarded = pin!(AssertUnwindSafe(authorize(&places, connection, found, parts, body, trace)).catch_unwind());
    // A response that is ready at once needs no timer.
    let at_once = poll_fn(|cx| Poll::Ready(guarded.as_mut().poll(cx))).await;
    let ended = match at_once {
        Poll::Ready(ended) => Ok(ended),
        Poll::Pending => timeout(time_limit, guarded).await,
    };
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::internal("http.handler", "a handler panicked")),
        Err(_) if safe => {
            Err(Error::new(Code::BackendUnavailable, "http.deadline", "the response took too long; retry later"))
        }
        Err(_) => {
            let detail =
                "the response took too long, and the change may still be stored; retry with the same idempotency key";
            Err(Error::new(Code::OutcomeUnknown, "http.deadline", detail))
        }
    }
}

/// Runs admission, reads the body, checks the access rule, and calls the handler.
async fn authorize<B>(
    budget: &RequestBudget<'_>,
    connection: Option<&ConnectionInfo>,
    found: RouteMatch,
    parts: &mut Parts,
    body: B,
    trace: &Trace,
) -> Result<Response<Body>>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let RouteMatch { route, params, .. } = found;
    let query = Query::parse(parts.uri.query())?;
    let app = budget.app;
    let address = budget.client.as_ref().map(|client| Arc::clone(&client.text));
    let admission = app.engine().admission();
    // The tenant in the path, if the route has one.
    let tenant = match params.first() {
        Some((_, raw)) if route.tenant_in_path() => Some(query::decode_segment("t", raw)?),
        _ => None,
    };
    let input = || AuthInput {
        address: address.as_deref(),
        tenant_queries: query.values("tenant_id").chain(tenant.as_deref()).collect(),
        ..auth_input(route, parts, &query, trace)
    };
    enum Authorized {
        Public(fn(RequestParts) -> HandlerFuture),
        Guest(fn(RequestParts, Option<Arc<Principal>>) -> HandlerFuture, Option<Arc<Principal>>),
        Token(fn(RequestParts, Arc<Principal>) -> HandlerFuture, Arc<Principal>),
        Context(fn(RequestParts, RequestContext) -> HandlerFuture, RequestContext),
    }
    let mut lines = None;
    let (entered, body) = match route.endpoint {
        Endpoint::Public(handler) => (Authorized::Public(handler), read_json_body(budget, route, parts, body).await?),
        Endpoint::Guest(handler) => {
            let input = input();
            let principal = match input.authorization.is_absent() {
                true => None,
                false => Some(authenticate(admission, connection, &input).await?),
            };
            (Authorized::Guest(handler, principal), read_json_body(budget, route, parts, body).await?)
        }
        Endpoint::Token(handler) => {
            let principal = authenticate(admission, connection, &input()).await?;
            rate_limit::charge(app, route, &RateSubject::of_principal(&principal))?;
            (Authorized::Token(handler, principal), read_json_body(budget, route, parts, body).await?)
        }
        Endpoint::Operator(handler) => {
            let input = input();
            let principal = verify_credential(admission, connection, &input).await?;
            let context = admission.admit_operator(&principal, &input).await?;
            (Authorized::Context(handler, context), read_json_body(budget, route, parts, body).await?)
        }
        Endpoint::Action(action, handler) => {
            let (json, rest) = match route.body {
                BodyKind::Lines => (None, Some(body)),
                _ => (Some(body), None),
            };
            lines = rest;
            let (context, body) = admit((budget, connection), route, action, parts, &input(), json).await?;
            if let Some(throttle) = app.throttle() {
                throttle.check(&context, action.spec().rate)?;
            }
            (Authorized::Context(handler, context), body)
        }
    };
    drop(tenant);
    let upgrade = upgrade(connection, parts);
    let (app, headers, trace) = (app.clone(), std::mem::take(&mut parts.headers), trace.clone());
    let request = RequestParts { app, route, params, query, headers, body, trace, address, body_stream: None, upgrade };
    match entered {
        Authorized::Public(handler) => handler(request).await,
        Authorized::Guest(handler, principal) => handler(request, principal).await,
        Authorized::Token(handler, principal) => {
            let app = request.app.clone();
            let mut response = handler(request, Arc::clone(&principal)).await?;
            let left = rate_limit::status_of(&app, route, &RateSubject::of_principal(&principal));
            rate_limit::add_headers(left, response.headers_mut());
            Ok(response)
        }
        Authorized::Context(handler, context) => {
            let (app, counted) = (request.app.clone(), context.clone());
            let mut response = match lines {
                None => handler(request, context).await,
                // The future is boxed, because otherwise the future of every request would be large enough for it.
                Some(body) => {
                    budget.switch_to_batch()?;
                    Box::pin(stream_lines(request, context, body, handler)).await
                }
            }?;
            rate_limit::add_headers(rate_limit::status(&app, route, &counted), response.headers_mut());
            Ok(response)
        }
    }
}

/// Runs a handler that receives its body as it arrives.
async fn stream_lines<B>(
    request: RequestParts,
    context: RequestContext,
    body: B,
    handler: fn(RequestParts, RequestContext) -> HandlerFuture,
) -> Result<Response<Body>>
where
    B: HttpBody + Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    check_media_type(&request.headers, IS_NDJSON, "application/x-ndjson")?;
    let announced = body::announced_length(&request.headers, &body);
    let settings = request.app.settings();
    let bounds = BodyLimits {
        bytes: request.engine().limits().batch_body_bytes,
        max_pause: settings.body_timeout(),
        stopping: (request.app.shutdown().clone(), settings.deadlines.stop_stalled()),
    };
    let handle = |pieces| handler(RequestParts { body_stream: Some(pieces), ..request }, context);
    body_stream::stream_body(body, announced, bounds, handle).await
}

/// Verifies the credential, and records on the connection that it was valid.
async fn verify_credential(
    admission: &Admission,
    connection: Option<&ConnectionInfo>,
    input: &AuthInput<'_>,
) -> Result<Arc<Principal>> {
    let principal = admission.authenticate(input).await?;
    if let Some(line) = connection {
        line.mark_authenticated();
    }
    Ok(principal)
}

/// Verifies the credential for routes without a tenant.
async fn authenticate(
    admission: &Admission,
    connection: Option<&ConnectionInfo>,
    input: &AuthInput<'_>,
) -> Result<Arc<Principal>> {
    let principal = verify_credential(admission, connection, input).await?;
    admission.check_user(&principal, input)?;
    Ok(principal)
}

/// Admits the request: the credential before the body is read, tenant and environment after it, then the least role.
async fn admit<B>(
    (places, line): (&RequestBudget<'_>, Option<&ConnectionInfo>),
    route: &'static Route,
    action: Action,
    parts: &Parts,
    input: &AuthInput<'_>,
    body: Option<B>,
) -> Result<(RequestContext, Bytes)>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let app = places.app;
    let admission = app.engine().admission();
    let principal = verify_credential(admission, line, input).await?;
    let admit_with = async |claims: &BodyClaims<'_>| {
        let context = admission.admit(&principal, input, claims).await?;
        app.engine().guard().require_role(&context, action)?;
        Ok::<_, Error>(context)
    };
    let Some(body) = body.filter(|_| route.body != BodyKind::None) else {
        return Ok((admit_with(&BodyClaims::default()).await?, Bytes::new()));
    };
    let bytes = receive_body(places, route, parts, body).await;
    let looked = bytes.as_ref().map_err(|_| None).and_then(|bytes| {
        let json = CheckedJson::check(bytes, app.engine().limits(), route.name()).and_then(CheckedJson::expect_object);
        let read = json.and_then(|json| Ok((body_tenant(&json, route)?, json.string_member("env")?)));
        read.map_err(Some)
    });
    match looked {
        Ok((tenant_id, env)) => {
            let context = admit_with(&BodyClaims { tenant_id: tenant_id.as_deref(), env: env.as_deref() }).await?;
            drop((tenant_id, env));
            Ok((context, bytes?))
        }
        // A caller without the right gets that error first. The tenant in a body that cannot be read is not known.
        Err(fault) => match admit_with(&BodyClaims::default()).await {
            Err(refusal) if refusal.kind() == ErrorKind::Forbidden => Err(refusal),
            _ => Err(match (fault, bytes) {
                (Some(fault), _) | (None, Err(fault)) => fault,
                (None, Ok(_)) => Error::internal("http.body", "a body failed without a reason"),
            }),
        },
    }
}

/// Reads and checks the body of a route that has one.
async fn read_json_body<B>(budget: &RequestBudget<'_>, route: &'static Route, parts: &Parts, body: B) -> Result<Bytes>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if route.body == BodyKind::None {
        return Ok(Bytes::new());
    }
    let bytes = receive_body(budget, route, parts, body).await?;
    CheckedJson::check(&bytes, budget.app.engine().limits(), route.name()).and_then(CheckedJson::expect_object)?;
    Ok(bytes)
}

/// Receives all bytes of a body within the deadline and the limit. An optional body that is absent is an empty object.
async fn receive_body<B>(budget: &RequestBudget<'_>, route: &'static Route, parts: &Parts, body: B) -> Result<Bytes>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let limit = budget.app.engine().limits().body_bytes;
    // An absent body needs no media type.
    let optional = route.body == BodyKind::OptionalJson;
    if !optional {
        check_json_type(&parts.headers)?;
    }
    let bytes = body_intake::collect_body(body, &parts.headers, limit, budget).await?;
    if optional && bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if optional {
        check_json_type(&parts.headers)?;
    }
    Ok(bytes)
}

/// Returns the tenant that a body names, also under the name that older producers of events use.
fn body_tenant<'a>(json: &CheckedJson<'a>, route: &Route) -> Result<Option<Cow<'a, str>>> {
    match (json.string_member("tenant_id")?, json.string_member("tenantId")?) {
        (Some(one), Some(other)) if one != other => {
            let detail = "the body names two tenants, as tenant_id and as tenantId";
            Err(Error::new(Code::ContextMismatch, route.name(), detail).with_member("field", "/tenantId"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// Returns how this connection can be upgraded, if it can.
fn upgrade(connection: Option<&ConnectionInfo>, parts: &mut Parts) -> Option<Upgrade> {
    let own = connection.filter(|line| line.own).map(|_| Upgrade::Own);
    own.or_else(|| parts.extensions.remove::<OnUpgrade>().map(Upgrade::Hyper))
}

/// The headers that the trace of a request continues.
fn trace_input(headers: &HeaderMap) -> AuthInput<'_> {
    AuthInput {
        request_id: headers.get_all(&X_REQUEST_ID).iter().collect(),
        traceparent: headers.get_all(&TRACEPARENT).iter().collect(),
        ..AuthInput::default()
    }
}

/// Collects the values that admission needs. It walks over the headers once, because there are few, and each look-up
/// would hash a name.
fn auth_input<'a>(route: &Route, parts: &'a Parts, query: &'a Query, trace: &Trace) -> AuthInput<'a> {
    let mut presented = AuthInput {
        ticket: match request_rules::accepts_ticket(route, &parts.method) {
            true => query.values("ticket").collect(),
            false => FieldValues::default(),
        },
        streams: if route.stream { query.values("streams").collect() } else { FieldValues::default() },
        head: parts.method == Method::HEAD,
        path: parts.uri.path(),
        env_queries: query.values("env").collect(),
        trace: Some(trace.clone()),
        ..AuthInput::default()
    };
    for (name, value) in &parts.headers {
        match name.as_str() {
            "authorization" => presented.authorization.push(value),
            "x-tenant-id" => presented.tenant_headers.push(value),
            "x-env" => presented.env_headers.push(value),
            "x-user-id" => presented.user_ids.push(value),
            "x-membership-role" => presented.roles.push(value),
            _ => {}
        }
    }
    presented
}

/// Matches JSON documents.
const IS_JSON: fn(&str) -> bool =
    |kind| kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json");
/// Matches JSON lines.
const IS_NDJSON: fn(&str) -> bool =
    |kind| matches!(kind, "application/x-ndjson" | "application/ndjson" | "application/jsonl");

/// Checks that the media type is JSON.
fn check_json_type(headers: &HeaderMap) -> Result<()> {
    check_media_type(headers, IS_JSON, "application/json")
}

/// Checks that the media type `fits`, and that the body is UTF-8 and not compressed. A body without a media type is
/// refused as well: a page of another site can send one without a preflight (Fetch standard, section 2.2.2).
fn check_media_type(headers: &HeaderMap, fits: fn(&str) -> bool, usual: &str) -> Result<()> {
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

/// Removes the body of a response to `HEAD`. The header with the length of the body stays (RFC 9110 section 9.3.2).
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = SizeHint::exact(&body.size_hint()) {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
