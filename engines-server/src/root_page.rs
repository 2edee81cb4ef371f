//! The page that `GET /` gives a browser: first commands, and the routes as a list.

use std::{fmt::Write as _, net::Ipv6Addr};

use http::{
    HeaderMap,
    header::{self, HeaderValue},
    uri::Authority,
};

use crate::{
    quick_start,
    route_info::{Route, RouteAccess},
};

/// The style of the page. [`CONTENT_SECURITY_POLICY`] has its hash.
const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}\
pre{background:#f4f4f4;padding:1rem;overflow-x:auto}table{border-collapse:collapse}\
td,th{text-align:left;padding:.2rem 1rem .2rem 0;border-bottom:1px solid #ddd}\
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}pre{background:#222}a{color:#8bf}}";

/// Allows the page its style and nothing else: no script, no request, no frame.
pub(crate) const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'sha256-9KL+o13YmGiOMKBy6Bho+28OmL4M5tXlr5JYIo9PQyw='; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Returns the page. Its links are relative, so that they work behind any prefix that ends in a slash.
/// `route_rows` is the result of [`route_rows`].
pub(crate) fn page(headers: &HeaderMap, route_rows: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let commands = escape(&quick_start::commands("$URL", 0));
    let url = escape(&url_from_host(headers));
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>engines {version}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <h1>engines {version}</h1>\n\
         <p>A multi-tenant backend for people and AI agents. <a href=\"openapi.json\">OpenAPI document</a> · \
         <a href=\"healthz\">health</a> · <a href=\"readyz\">readiness</a></p>\n\
         <h2>First commands</h2>\n\
         <p><code>engines-server dev</code> prints a token and creates the thread and the canvas <code>demo</code>. \
         With your own server, <code>POST /auth/login</code> answers with a token.</p>\n\
         <pre># the address of this page, without the slash at its end\nURL={url}\nTOKEN=…\n\n{commands}</pre>\n\
         <h2>Routes</h2>\n<table>\n<tr><th>Method</th><th>Path</th><th>Purpose</th><th>Access</th></tr>\n{route_rows}</table>\n\
         </body>\n</html>\n"
    )
}

/// Returns the rows of the page's table of routes. They are the same for every request.
pub(crate) fn route_rows(routes: impl Iterator<Item = &'static Route>) -> String {
    let mut rows = String::new();
    for route in routes {
        let (method, path) = (route.method.as_str(), escape(route.path));
        let (summary, access) = (escape(route.doc.summary), escape(&access_text(route.access)));
        // Writing to a string cannot fail.
        let _ =
            writeln!(rows, "<tr><td>{method}</td><td><code>{path}</code></td><td>{summary}</td><td>{access}</td></tr>");
    }
    rows
}

/// Returns the address for the commands: `http` for this machine, `https` for every other host.
fn url_from_host(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok()?.parse::<Authority>().ok());
    let Some(host) = host else { return "https://your-server".to_owned() };
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    let local = name == "localhost"
        || name.ends_with(".localhost")
        || name.starts_with("127.")
        || address.parse::<Ipv6Addr>().is_ok_and(|address| address.is_loopback());
    format!("{}://{host}", if local { "http" } else { "https" })
}

fn access_text(access: RouteAccess) -> String {
    match access {
        RouteAccess::Public => "everybody".to_owned(),
        RouteAccess::Guest => "everybody, with or without a token".to_owned(),
        RouteAccess::Token => "every token".to_owned(),
        RouteAccess::Operator => "admin of t_system".to_owned(),
        RouteAccess::Action(action) => format!("{} of the tenant", action.spec().min_role.as_str()),
    }
}

/// Replaces the characters that HTML gives a meaning, in text and in quoted attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}
