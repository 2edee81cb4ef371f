//! What is known of a route without its handler: its path, who may use it, its body and its description.

use std::fmt;

use engines::Action;
use http::Method;

/// The parameters of a path, by name. They are not decoded.
pub(crate) type Params = Vec<(&'static str, Box<str>)>;

/// A route.
pub struct Route {
    /// The method. A route of `GET` also handles `HEAD`.
    pub method: Method,
    /// The path. `{name}` is one segment, and `{*name}` all that follow.
    pub path: &'static str,
    /// Who may use it.
    pub access: RouteAccess,
    /// The kind of its body.
    pub body: BodyKind,
    /// The budget of its requests while they are handled.
    pub(crate) work: WorkClass,
    /// Whether it opens a stream. It then accepts a ticket instead of a token.
    pub stream: bool,
    /// Whether it ends sessions. Its requests then count in a rate limit that no other traffic uses up.
    pub(crate) ends_sessions: bool,
    /// Its description for OpenAPI.
    pub doc: RouteDoc,
}

/// The budget of requests without a credential. Each kind of work has its own, so that none of them blocks clients of
/// the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkClass {
    /// The budget of all other requests.
    General,
    /// The budget of routes that hash a password, for which requests wait.
    PasswordHash,
    /// The budget of the refresh of sessions.
    Refresh,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RouteAccess {
    /// Everybody.
    Public,
    /// Everybody. A token is optional, and must be valid if it is sent.
    Guest,
    /// Callers with a valid token, whatever the tenant.
    Token,
    /// Admins of `t_system`, the control plane.
    Operator,
    /// Members of the named tenant whose role allows this action.
    Action(Action),
}

/// The kind of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// The body is not read.
    None,
    /// A JSON object.
    Json,
    /// A JSON object. An absent body is an empty object.
    OptionalJson,
    /// A JSON object on each line, handled as it arrives.
    Lines,
}

/// The description of a route for OpenAPI, beyond its path, method and access rule.
#[derive(Debug, Clone, Copy)]
pub struct RouteDoc {
    /// A summary of one line.
    pub summary: &'static str,
    /// The query parameters.
    pub query: &'static [QueryParam],
    /// The name of the schema of the body.
    pub request: Option<&'static str>,
    /// The status of a success.
    pub status: u16,
    /// The name of the schema of its response. `None` if the response is not JSON.
    pub response: Option<&'static str>,
    /// The media type of its response, if it is not JSON.
    pub media_type: Option<&'static str>,
    /// Headers that only this route has.
    pub headers: ExtraHeaders,
}

/// Headers that only some routes have. Pages of other origins may send and read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtraHeaders {
    /// Headers of requests.
    pub request: &'static [&'static str],
    /// Headers of responses.
    pub answer: &'static [&'static str],
}

impl ExtraHeaders {
    /// No headers.
    pub const NONE: Self = Self { request: &[], answer: &[] };
}

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub struct QueryParam {
    /// The name.
    pub name: &'static str,
    /// Whether the value is a number.
    pub number: bool,
    /// A description of one line.
    pub text: &'static str,
}

impl Route {
    /// Returns its name in errors and OpenAPI: the name of its action, if it has one.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.access {
            RouteAccess::Action(action) => action.spec().name,
            RouteAccess::Public | RouteAccess::Guest | RouteAccess::Token | RouteAccess::Operator => self.path,
        }
    }

    /// Returns whether the path names the tenant. Other values in the request that name a tenant must then be equal.
    #[must_use]
    pub fn tenant_in_path(&self) -> bool {
        matches!(self.access, RouteAccess::Action(_)) && self.path.starts_with("/tenants/{t}")
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path, self.access)
    }
}
