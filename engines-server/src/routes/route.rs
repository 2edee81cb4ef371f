//! What a row of the table says.

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use engines::{Action, Principal, RequestContext, Result};
use http::{Method, Response};

use crate::{body::Body, request::RequestParts};

/// What a handler gives back.
pub(crate) type HandlerFuture = Pin<Box<dyn Future<Output = Result<Response<Body>>> + Send>>;

/// One route.
pub struct Route {
    /// The method. `GET` also answers `HEAD`.
    pub method: Method,
    /// The path; `{name}` is one segment, `{*name}` all that follow.
    pub path: &'static str,
    pub(crate) endpoint: Endpoint,
    /// What its body is.
    pub body: BodyKind,
    /// What its requests are counted as while they are handled.
    pub(crate) work: WorkClass,
    /// Whether it opens a stream: a ticket is taken instead of a token, and it stays open.
    pub stream: bool,
    /// What OpenAPI says of it.
    pub doc: RouteDoc,
}

/// A handler with the policy it stands behind; the types see to it that nobody gets a context without the door.
pub(crate) enum Endpoint {
    /// For everybody.
    Public(fn(RequestParts) -> HandlerFuture),
    /// For everybody; a credential that is sent must be good.
    Guest(fn(RequestParts, Option<Arc<Principal>>) -> HandlerFuture),
    /// For whoever has a good credential, whatever the tenant.
    Token(fn(RequestParts, Arc<Principal>) -> HandlerFuture),
    /// For admins of the control plane's tenant.
    Operator(fn(RequestParts, RequestContext) -> HandlerFuture),
    /// For whoever the door admits and the action's least role allows.
    Action(Action, fn(RequestParts, RequestContext) -> HandlerFuture),
}

/// Which budget of requests without a credential a route's requests take their places from. Each has its own, so that none
/// of these kinds of work keeps clients from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WorkClass {
    /// The one of all other requests.
    General,
    /// A password is hashed, for which requests wait.
    PasswordHash,
    /// A session goes on with its refresh token.
    Refresh,
}

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Everybody.
    Public,
    /// Everybody; a token may be sent, and must be good then.
    Guest,
    /// Whoever has a good token; no tenant is needed.
    Token,
    /// Admins of `t_system`, the control plane.
    Operator,
    /// Members of the named tenant whose role allows this action.
    Action(Action),
}

/// What a request's body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// Not read.
    None,
    /// A JSON object.
    Json,
    /// A JSON object, or nothing, which is as if it were empty.
    OptionalJson,
    /// A JSON object on each line, taken as it arrives.
    Lines,
}

/// What OpenAPI says of a route beyond its path, method and policy.
#[derive(Debug, Clone, Copy)]
pub struct RouteDoc {
    /// One line.
    pub summary: &'static str,
    /// Query parameters.
    pub query: &'static [QueryParam],
    /// The schema of the body, by name.
    pub request: Option<&'static str>,
    /// The status of a success.
    pub status: u16,
    /// The schema of its answer, by name; none where it is no JSON.
    pub response: Option<&'static str>,
    /// The media type of the answer where it is no JSON.
    pub media_type: Option<&'static str>,
    /// Headers of its own, besides those that every route has.
    pub headers: ExtraHeaders,
}

/// Headers that a route alone has, so that pages of other origins may send and read them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExtraHeaders {
    /// What a request may send.
    pub request: &'static [&'static str],
    /// What an answer may say.
    pub answer: &'static [&'static str],
}

impl ExtraHeaders {
    /// None.
    pub const NONE: Self = Self { request: &[], answer: &[] };
}

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub struct QueryParam {
    /// Its name.
    pub name: &'static str,
    /// Whether it is a number.
    pub number: bool,
    /// One line.
    pub text: &'static str,
}

impl Route {
    /// The same route with headers of its own.
    #[must_use]
    pub const fn with_headers(mut self, request: &'static [&'static str], answer: &'static [&'static str]) -> Self {
        self.doc.headers = ExtraHeaders { request, answer };
        self
    }

    /// The same route, whose requests are counted as `work`.
    pub(crate) const fn with_work(mut self, work: WorkClass) -> Self {
        self.work = work;
        self
    }

    /// Who may use it.
    #[must_use]
    pub fn policy(&self) -> Policy {
        match self.endpoint {
            Endpoint::Public(_) => Policy::Public,
            Endpoint::Guest(_) => Policy::Guest,
            Endpoint::Token(_) => Policy::Token,
            Endpoint::Operator(_) => Policy::Operator,
            Endpoint::Action(action, _) => Policy::Action(action),
        }
    }

    /// What errors and OpenAPI call it: the action's name where it has one.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.endpoint {
            Endpoint::Action(action, _) => action.spec().name,
            Endpoint::Public(_) | Endpoint::Guest(_) | Endpoint::Token(_) | Endpoint::Operator(_) => self.path,
        }
    }

    /// Whether the path names the tenant that is meant, which the request's other words about it must then agree with.
    #[must_use]
    pub fn tenant_in_path(&self) -> bool {
        matches!(self.endpoint, Endpoint::Action(..)) && self.path.starts_with("/tenants/{t}")
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({:?})", self.method, self.path, self.policy())
    }
}
