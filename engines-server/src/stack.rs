//! The request's way, top to bottom: trace, route, in-flight limit, deadline, door, body, policy, throttle, handler; and the
//! answer's way back: request id, security headers, `HEAD`, metrics.

use std::{
    borrow::Cow, error::Error as StdError, fmt, future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc,
    task::Poll, time::Duration,
};

use bytes::Bytes;
use engines::{
    Action, Code, Error, ErrorKind, Principal, RequestContext, Result, Role, Scope, Trace,
    auth::{BodyClaims, Door, Given, Presented},
    core::{access::RateClass, gate::RateSubject, json::Json},
};
use futures_util::FutureExt;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header, request::Parts};
use hyper::{
    body::{Body as HttpBody, SizeHint},
    upgrade::OnUpgrade,
};
use tokio::time::{Instant, timeout};
use tracing::Instrument;

use crate::{
    address::{self, Line},
    app::App,
    ask::{Ask, Upgrade},
    body::{self, Body},
    body_intake,
    handshake::BrowserHandshake,
    limits::RequestPlaces,
    pieces::{self, Bounds},
    problem,
    query::{self, Query},
    rate_limit, request_rules,
    routes::{Answer, BodyKind, Endpoint, Found, Route},
    security_headers,
};

/// Limits how often something may be asked. Called after the door and before the handler.
pub trait Throttle: Send + Sync + fmt::Debug {
    /// Lets the request pass or not.
    ///
    /// # Errors
    /// `RATE_LIMITED`, with [`Error::retry_after`].
    fn check(&self, context: &RequestContext, class: RateClass) -> Result<()>;
}

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Answers a request.
pub(crate) async fn respond<B>(app: &App, line: Option<&Line>, request: Request<B>) -> Response<Body>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let begun = Instant::now();
    let (mut parts, body) = request.into_parts();
    let head = parts.method == Method::HEAD;
    let trace = app.engine().door().trace(&about_trace(app, &parts.headers));
    let found = app.router().find(&parts.method, parts.uri.path());
    let (number, route) = found.as_ref().ok().map(|found| (found.number, found.route)).unzip();
    let origin = app.cors().origin(&parts.headers);
    let preflight = origin.as_ref().and_then(|_| app.cors().preflight(app.router(), &parts));
    let browser = route.and_then(|route| BrowserHandshake::of(app, line, route, &parts));
    let span = tracing::debug_span!(
        "request",
        request_id = %trace.request_id,
        trace_id = %trace.trace_id,
        method = parts.method.as_str(),
        route = route.map_or("unmatched", |route| route.path),
    );
    let forbidden = browser.as_ref().map_or(Ok(()), BrowserHandshake::check_origin);
    let checked = match line.is_some_and(Line::is_listeners) {
        true => request_rules::check_host(&parts).and(forbidden),
        false => forbidden,
    };
    let answered = match (checked, preflight, found) {
        (Err(error), ..) | (Ok(()), None, Err(error)) => Err(error),
        (Ok(()), Some(response), _) => Ok(response),
        (Ok(()), None, Ok(found)) => bounded(app, line, found, &mut parts, body, &trace).instrument(span).await,
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
    complete(&mut response, route, &trace);
    app.cors().apply(origin, number, response.headers_mut());
    if head {
        response = without_body(response);
    }
    app.metrics().answered(number, response.status().as_u16(), begun.elapsed());
    response
}

/// Answers a request with an error before anything else looks at it.
pub(crate) fn refuse(app: &App, headers: &HeaderMap, error: &Error) -> Response<Body> {
    let trace = app.engine().door().trace(&about_trace(app, headers));
    let mut response = problem::response(error, &trace);
    complete(&mut response, None, &trace);
    app.cors().apply(app.cors().origin(headers), None, response.headers_mut());
    app.metrics().answered(None, response.status().as_u16(), Duration::ZERO);
    response
}

/// Adds what every answer carries.
fn complete(response: &mut Response<Body>, route: Option<&Route>, trace: &Trace) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&trace.request_id) {
        headers.insert(&X_REQUEST_ID, id);
    }
    security_headers::apply(headers, route);
}

/// In-flight limit, deadline, panics.
async fn bounded<B>(
    app: &App,
    line: Option<&Line>,
    found: Found,
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
    let client = address::of(line, parts, app.settings());
    let places = RequestPlaces::open(app, client, found.route)?;
    if !places.is_exempt() && app.shutdown().has_begun() {
        return Err(body_intake::stopping());
    }
    let patience = match found.route.body {
        BodyKind::Lines => app.settings().batch_timeout(),
        _ => app.settings().request_timeout(),
    };
    let safe = parts.method.is_safe();
    let mut guarded = pin!(AssertUnwindSafe(guarded(&places, line, found, parts, body, trace)).catch_unwind());
    // What is answered at once needs no timer.
    let at_once = poll_fn(|cx| Poll::Ready(guarded.as_mut().poll(cx))).await;
    let ended = match at_once {
        Poll::Ready(ended) => Ok(ended),
        Poll::Pending => timeout(patience, guarded).await,
    };
    match ended {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(Error::internal("http.handler", "a handler panicked")),
        Err(_) if safe => {
            Err(Error::new(Code::BackendUnavailable, "http.deadline", "the answer took too long; retry later"))
        }
        Err(_) => {
            let detail =
                "the answer took too long, and what was asked may still be stored; retry with the same idempotency key";
            Err(Error::new(Code::OutcomeUnknown, "http.deadline", detail))
        }
    }
}

/// The door, the body, the policy, and then the handler.
async fn guarded<B>(
    places: &RequestPlaces<'_>,
    line: Option<&Line>,
    found: Found,
    parts: &mut Parts,
    body: B,
    trace: &Trace,
) -> Result<Response<Body>>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let Found { route, params, .. } = found;
    let query = Query::parse(parts.uri.query())?;
    let app = places.app;
    let address = places.client.as_ref().map(|client| Arc::clone(&client.text));
    let door = app.engine().door();
    // The path's own word about the tenant, where it has one.
    let tenant = match params.first() {
        Some((_, raw)) if route.tenant_in_path() => Some(query::segment("t", raw)?),
        _ => None,
    };
    let presented = || Presented {
        address: address.as_deref(),
        tenant_queries: query.all("tenant_id").chain(tenant.as_deref()).collect(),
        ..presented(route, parts, &query, trace)
    };
    enum Entered {
        Guest(fn(Ask) -> Answer),
        Known(fn(Ask, Option<Arc<Principal>>) -> Answer, Option<Arc<Principal>>),
        Token(fn(Ask, Arc<Principal>) -> Answer, Arc<Principal>),
        Inside(fn(Ask, RequestContext) -> Answer, RequestContext),
    }
    let mut lines = None;
    let (entered, body) = match route.endpoint {
        Endpoint::Public(handler) => (Entered::Guest(handler), read(places, route, parts, body).await?),
        Endpoint::Guest(handler) => {
            let presented = presented();
            let principal = match presented.authorization.is_absent() {
                true => None,
                false => Some(known(door, line, &presented).await?),
            };
            (Entered::Known(handler, principal), read(places, route, parts, body).await?)
        }
        Endpoint::Token(handler) => {
            let principal = known(door, line, &presented()).await?;
            rate_limit::count(app, route, &RateSubject::of_principal(&principal))?;
            (Entered::Token(handler, principal), read(places, route, parts, body).await?)
        }
        Endpoint::Operator(handler) => {
            let context = operator(app, line, presented()).await?;
            (Entered::Inside(handler, context), read(places, route, parts, body).await?)
        }
        Endpoint::Action(action, handler) => {
            let (json, rest) = match route.body {
                BodyKind::Lines => (None, Some(body)),
                _ => (Some(body), None),
            };
            lines = rest;
            let (context, body) = enter((places, line), route, action, parts, &presented(), json).await?;
            if let Some(throttle) = app.throttle() {
                throttle.check(&context, action.spec().rate)?;
            }
            (Entered::Inside(handler, context), body)
        }
    };
    drop(tenant);
    let upgrade = upgrade(line, parts);
    let (app, headers, trace) = (app.clone(), std::mem::take(&mut parts.headers), trace.clone());
    let ask = Ask { app, route, params, query, headers, body, trace, address, pieces: None, upgrade };
    match entered {
        Entered::Guest(handler) => handler(ask).await,
        Entered::Known(handler, principal) => handler(ask, principal).await,
        Entered::Token(handler, principal) => {
            let app = ask.app.clone();
            let mut response = handler(ask, Arc::clone(&principal)).await?;
            let left = rate_limit::left_of(&app, route, &RateSubject::of_principal(&principal));
            rate_limit::tell(left, response.headers_mut());
            Ok(response)
        }
        Entered::Inside(handler, context) => {
            let (app, counted) = (ask.app.clone(), context.clone());
            let mut response = match lines {
                None => handler(ask, context).await,
                // Boxed, because its room would be part of every request's.
                Some(body) => {
                    places.become_batch()?;
                    Box::pin(by_lines(ask, context, body, handler)).await
                }
            }?;
            rate_limit::tell(rate_limit::left(&app, route, &counted), response.headers_mut());
            Ok(response)
        }
    }
}

/// A handler that is given its body as it arrives.
async fn by_lines<B>(
    ask: Ask,
    context: RequestContext,
    body: B,
    handler: fn(Ask, RequestContext) -> Answer,
) -> Result<Response<Body>>
where
    B: HttpBody + Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    media_type(&ask.headers, LINES, "application/x-ndjson")?;
    let announced = body::announced(&ask.headers, &body);
    let settings = ask.app.settings();
    let bounds = Bounds {
        bytes: ask.engine().limits().batch_body_bytes,
        pause: settings.body_timeout(),
        stopping: (ask.app.shutdown().clone(), settings.deadlines.stop_stalled()),
    };
    let handle = |pieces| handler(Ask { pieces: Some(pieces), ..ask }, context);
    pieces::feed(body, announced, bounds, handle).await
}

/// Checks the credential, and notes on the connection that there is a good one.
async fn authenticate(door: &Door, line: Option<&Line>, presented: &Presented<'_>) -> Result<Arc<Principal>> {
    let principal = door.authenticate(presented).await?;
    if let Some(line) = line {
        line.authenticated();
    }
    Ok(principal)
}

/// Whoever has a good credential, for routes without a tenant.
async fn known(door: &Door, line: Option<&Line>, presented: &Presented<'_>) -> Result<Arc<Principal>> {
    let principal = authenticate(door, line, presented).await?;
    door.check_user(&principal, presented)?;
    Ok(principal)
}

/// Through the door: the credential before the body is read, tenant and environment after it, then the least role.
async fn enter<B>(
    (places, line): (&RequestPlaces<'_>, Option<&Line>),
    route: &'static Route,
    action: Action,
    parts: &Parts,
    presented: &Presented<'_>,
    body: Option<B>,
) -> Result<(RequestContext, Bytes)>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let app = places.app;
    let door = app.engine().door();
    let principal = authenticate(door, line, presented).await?;
    let admit = async |claims: &BodyClaims<'_>| {
        let context = door.admit(&principal, presented, claims).await?;
        app.engine().guard().require(&context, action)?;
        Ok::<_, Error>(context)
    };
    let Some(body) = body.filter(|_| route.body != BodyKind::None) else {
        return Ok((admit(&BodyClaims::default()).await?, Bytes::new()));
    };
    let bytes = receive(places, route, parts, body).await;
    let looked = bytes.as_ref().map_err(|_| None).and_then(|bytes| {
        let json = Json::check(bytes, app.engine().limits(), route.name()).and_then(Json::object);
        let read = json.and_then(|json| Ok((tenant(&json, route)?, json.text("env")?)));
        read.map_err(Some)
    });
    match looked {
        Ok((tenant_id, env)) => {
            let context = admit(&BodyClaims { tenant_id: tenant_id.as_deref(), env: env.as_deref() }).await?;
            drop((tenant_id, env));
            Ok((context, bytes?))
        }
        // Whoever may not do this at all is told so first; what a body that cannot be read says of the tenant is not known.
        Err(fault) => match admit(&BodyClaims::default()).await {
            Err(refusal) if refusal.kind() == ErrorKind::Forbidden => Err(refusal),
            _ => Err(match (fault, bytes) {
                (Some(fault), _) | (None, Err(fault)) => fault,
                (None, Ok(_)) => Error::internal("http.body", "a body failed without a reason"),
            }),
        },
    }
}

/// The body of a route that has one, looked over.
async fn read<B>(places: &RequestPlaces<'_>, route: &'static Route, parts: &Parts, body: B) -> Result<Bytes>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    if route.body == BodyKind::None {
        return Ok(Bytes::new());
    }
    let bytes = receive(places, route, parts, body).await?;
    Json::check(&bytes, places.app.engine().limits(), route.name()).and_then(Json::object)?;
    Ok(bytes)
}

/// All bytes of a body, in time and within its limit; what may be left out and is, is an empty object.
async fn receive<B>(places: &RequestPlaces<'_>, route: &'static Route, parts: &Parts, body: B) -> Result<Bytes>
where
    B: HttpBody + Send,
    B::Data: Send,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let limit = places.app.engine().limits().body_bytes;
    // What is not there needs no type.
    let optional = route.body == BodyKind::OptionalJson;
    if !optional {
        json_type(&parts.headers)?;
    }
    let bytes = body_intake::receive(body, &parts.headers, limit, places).await?;
    if optional && bytes.is_empty() {
        return Ok(Bytes::from_static(b"{}"));
    }
    if optional {
        json_type(&parts.headers)?;
    }
    Ok(bytes)
}

/// The tenant that a body names, also under the name that older producers of events give it.
fn tenant<'a>(json: &Json<'a>, route: &Route) -> Result<Option<Cow<'a, str>>> {
    match (json.text("tenant_id")?, json.text("tenantId")?) {
        (Some(one), Some(other)) if one != other => {
            let detail = "the body names two tenants, as tenant_id and as tenantId";
            Err(Error::new(Code::ContextMismatch, route.name(), detail).with_member("field", "/tenantId"))
        }
        (one, other) => Ok(one.or(other)),
    }
}

/// How this connection can leave HTTP, if it can.
fn upgrade(line: Option<&Line>, parts: &mut Parts) -> Option<Upgrade> {
    let own = line.filter(|line| line.own).map(|_| Upgrade::Own);
    own.or_else(|| parts.extensions.remove::<OnUpgrade>().map(Upgrade::Hyper))
}

/// The control plane's admins, and nobody else: whatever tenant the request names, the control plane's is meant.
async fn operator(app: &App, line: Option<&Line>, mut presented: Presented<'_>) -> Result<RequestContext> {
    let (engine, scope) = (app.engine(), Scope::system()?);
    let principal = authenticate(engine.door(), line, &presented).await?;
    presented.tenant_headers = Given::one(scope.tenant().as_str());
    presented.env_headers = Given::one(scope.env().as_str());
    presented.tenant_queries = Given::default();
    presented.env_queries = Given::default();
    let context = engine.door().admit(&principal, &presented, &BodyClaims::default()).await?;
    if context.role() >= Role::Admin {
        return Ok(context);
    }
    let refusal = Error::new(Code::RoleInsufficient, "http.operator", "this needs the role admin in t_system");
    Err(refusal.with_member("least_role", "admin").with_member("decision_id", engine.guard().decision_id()))
}

/// An id with personal data in it is none: it would be in every log and audit record of the request.
fn about_trace<'a>(app: &App, headers: &'a HeaderMap) -> Presented<'a> {
    let harmless = |id: &&HeaderValue| {
        let found = id.to_str().ok().map(|id| app.scrubber().findings(id));
        matches!(found, Some(Ok(found)) if found.is_empty())
    };
    Presented {
        request_id: headers.get_all(&X_REQUEST_ID).iter().filter(harmless).collect(),
        traceparent: headers.get_all(&TRACEPARENT).iter().collect(),
        ..Presented::default()
    }
}

/// What the request says about itself, unread. One walk over its headers: it has few, and each look-up would hash a name.
fn presented<'a>(route: &Route, parts: &'a Parts, query: &'a Query, trace: &Trace) -> Presented<'a> {
    let mut presented = Presented {
        ticket: match request_rules::takes_ticket(route, &parts.method) {
            true => query.all("ticket").collect(),
            false => Given::default(),
        },
        streams: if route.stream { query.all("streams").collect() } else { Given::default() },
        head: parts.method == Method::HEAD,
        path: parts.uri.path(),
        env_queries: query.all("env").collect(),
        trace: Some(trace.clone()),
        ..Presented::default()
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

/// A JSON document.
const JSON: fn(&str) -> bool =
    |kind| kind == "application/json" || kind.starts_with("application/") && kind.ends_with("+json");
/// JSON documents, one on each line.
const LINES: fn(&str) -> bool =
    |kind| matches!(kind, "application/x-ndjson" | "application/ndjson" | "application/jsonl");

/// A body of JSON that says it is one.
fn json_type(headers: &HeaderMap) -> Result<()> {
    media_type(headers, JSON, "application/json")
}

/// One of the types that `fits`, in UTF-8, uncompressed. A body without a type is refused as well: a page of another site can
/// send one without asking first (Fetch standard, section 2.2.2).
fn media_type(headers: &HeaderMap, fits: fn(&str) -> bool, usual: &str) -> Result<()> {
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

/// The answer to `HEAD`: as to `GET`, with the length its body would have (RFC 9110 section 9.3.2).
fn without_body(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = SizeHint::exact(&body.size_hint()) {
        parts.headers.insert(header::CONTENT_LENGTH, length.into());
    }
    Response::from_parts(parts, Body::empty())
}
