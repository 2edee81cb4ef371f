//! Headers that every answer carries, whatever it is: a page of ours, JSON, a problem or a stream.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::routes::{Policy, Route};

/// JSON and streams load nothing and are framed by nobody. Handlers of pages set a policy of their own.
static EMPTY_CSP: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
static NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// Adds the headers to an answer; what a handler has set stays. `route` is `None` where the request met none.
pub(crate) fn apply(headers: &mut HeaderMap, route: Option<&Route>) {
    set(headers, &header::X_CONTENT_TYPE_OPTIONS, &HeaderValue::from_static("nosniff"));
    set(headers, &header::REFERRER_POLICY, &HeaderValue::from_static("no-referrer"));
    set(headers, &header::CONTENT_SECURITY_POLICY, &EMPTY_CSP);
    // Everything but what is the same for everybody is personal.
    let is_public = route.is_some_and(|route| route.policy() == Policy::Public && !route.path.starts_with("/auth"));
    if !is_public {
        set(headers, &header::CACHE_CONTROL, &NO_STORE);
    }
}

fn set(headers: &mut HeaderMap, name: &HeaderName, value: &HeaderValue) {
    headers.entry(name).or_insert_with(|| value.clone());
}
