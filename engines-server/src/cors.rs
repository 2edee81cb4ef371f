//! Cross-origin requests of browsers (the Fetch standard, section 3.3): the headers of responses, and the response to a
//! preflight.

use engines::{Error, Result};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header, request::Parts};

use crate::{
    body::Body,
    origin,
    route_info::Route,
    routes::{self, Router},
    settings::Origins,
};

/// Request headers that pages may send on every route.
const ALLOWED_HEADERS: [&str; 12] = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "X-Tenant-Id",
    "X-Env",
    "X-User-Id",
    "X-Membership-Role",
    "X-Request-Id",
    "traceparent",
];

/// Response headers that pages may read on every route.
const EXPOSED_HEADERS: [&str; 7] =
    ["X-Request-Id", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "ETag", "Location"];

/// Seconds for which a browser may cache the result of a preflight.
const PREFLIGHT_MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// The headers of responses to listed origins. Without listed origins, responses have none.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Origins,
    /// The headers by the number of the route. The last ones are for requests that match no route.
    routes: Vec<RouteHeaders>,
}

/// The headers of one route, formatted once.
#[derive(Debug)]
struct RouteHeaders {
    allowed: HeaderValue,
    exposed: HeaderValue,
}

impl RouteHeaders {
    fn new(request: &[&str], answer: &[&str]) -> Result<Self> {
        let list = |all: &[&str], own: &[&str]| {
            let text = [all, own].concat().join(", ");
            HeaderValue::from_str(&text).map_err(|error| Error::internal("http.cors", error))
        };
        Ok(Self { allowed: list(&ALLOWED_HEADERS, request)?, exposed: list(&EXPOSED_HEADERS, answer)? })
    }
}

impl Cors {
    /// Creates the headers for a list of origins.
    ///
    /// # Errors
    /// Returns `INTERNAL` when the table of routes contains an invalid name of a header.
    pub(crate) fn new(origins: Origins) -> Result<Self> {
        let own = |route: &Route| RouteHeaders::new(route.doc.headers.request, route.doc.headers.answer);
        let mut routes = routes::all().map(own).collect::<Result<Vec<_>>>()?;
        routes.push(RouteHeaders::new(&[], &[])?);
        Ok(Self { origins, routes })
    }

    /// Returns the origin of the request, if it is listed.
    pub(crate) fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        origin::find_listed(&self.origins, headers).cloned()
    }

    /// Responds to a preflight of a listed origin for a path that exists. It needs no credential. It contains only what
    /// the public table of routes contains.
    pub(crate) fn preflight(&self, router: &Router, parts: &Parts) -> Option<Response<Body>> {
        if parts.method != Method::OPTIONS {
            return None;
        }
        let wanted = parts.headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
        let routes = router.lookup(parts.uri.path())?;
        let mut methods: Vec<_> = routes.iter().map(|(_, entry)| entry.route.method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        let route = routes.iter().find(|(_, entry)| wanted == entry.route.method.as_str());
        let lists = route.and_then(|(number, _)| self.routes.get(*number)).or(self.routes.last())?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_str(&methods.join(", ")).ok()?);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, lists.allowed.clone());
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE);
        Some(response)
    }

    /// Adds the headers that a page of `origin` needs to read the response. `route` is the number of the request's
    /// route. If origins are listed, every response varies by the origin, so that no cache serves a response to another
    /// origin.
    pub(crate) fn apply(&self, origin: Option<HeaderValue>, route: Option<usize>, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        headers.append(header::VARY, VARY_ORIGIN);
        let Some(origin) = origin else { return };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let preflight = headers.contains_key(header::ACCESS_CONTROL_ALLOW_METHODS);
        let lists = route.and_then(|number| self.routes.get(number)).or(self.routes.last());
        if let Some(lists) = lists.filter(|_| !preflight) {
            headers.insert(EXPOSE, lists.exposed.clone());
        }
    }
}

const VARY_ORIGIN: HeaderValue = HeaderValue::from_static("Origin");
const EXPOSE: HeaderName = header::ACCESS_CONTROL_EXPOSE_HEADERS;
