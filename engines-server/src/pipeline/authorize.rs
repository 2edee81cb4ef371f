//! Admission, the access rule and the handler.

use std::{error::Error as StdError, sync::Arc};

use bytes::Bytes;
use engines::{
    Action, Error, ErrorKind, Principal, RequestContext, Result, Trace,
    auth::{AuthInput, BodyClaims},
    core::{gate::RateSubject, json::CheckedJson},
};
use http::{Response, request::Parts};
use hyper::{body::Body as HttpBody, upgrade::OnUpgrade};

use super::{
    auth_input::auth_input,
    body::{body_tenant, read_json_body, receive_body, stream_lines},
    pending_request::PendingRequest,
};
use crate::{
    body::Body,
    connection_info::ConnectionInfo,
    query::{self, Query},
    rate_limit,
    request::{RequestParts, Upgrade},
    response::HandlerFuture,
    route_info::{BodyKind, Route},
    routes::{Endpoint, RouteMatch},
};

/// Runs admission, reads the body, checks the access rule, and calls the handler.
pub(super) async fn authorize<B>(
    pending: &PendingRequest<'_>,
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
    let RouteMatch { entry, params, .. } = found;
    let route = &entry.route;
    let query = Query::parse(parts.uri.query())?;
    let state = pending.state;
    let address = pending.address.clone();
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
    let (authorized, body) = match entry.endpoint {
        Endpoint::Public(handler) => (Authorized::Public(handler), read_json_body(pending, route, parts, body).await?),
        Endpoint::Guest(handler) => {
            let input = input();
            let principal = match input.authorization.is_absent() {
                true => None,
                false => Some(authenticate(pending, &input).await?),
            };
            (Authorized::Guest(handler, principal), read_json_body(pending, route, parts, body).await?)
        }
        Endpoint::Token(handler) => {
            let principal = authenticate(pending, &input()).await?;
            rate_limit::charge(state, route, &RateSubject::of_principal(&principal))?;
            (Authorized::Token(handler, principal), read_json_body(pending, route, parts, body).await?)
        }
        Endpoint::Operator(handler) => {
            let input = input();
            let principal = verify_credential(pending, &input).await?;
            let context = pending.admission().admit_operator(&principal, &input).await?;
            (Authorized::Context(handler, context), read_json_body(pending, route, parts, body).await?)
        }
        Endpoint::Action(action, handler) => {
            let (json, rest) = match route.body {
                BodyKind::Lines => (None, Some(body)),
                _ => (Some(body), None),
            };
            lines = rest;
            let (context, body) = admit(pending, route, action, parts, &input(), json).await?;
            if let Some(throttle) = &state.throttle {
                throttle.check(&context, action.spec().rate)?;
            }
            (Authorized::Context(handler, context), body)
        }
    };
    drop(tenant);
    let upgrade = upgrade(pending.connection, parts);
    let (headers, trace) = (std::mem::take(&mut parts.headers), trace.clone());
    let request = RequestParts {
        state: Arc::clone(state),
        route,
        params,
        query,
        headers,
        body,
        trace,
        address,
        body_stream: None,
        upgrade,
    };
    match authorized {
        Authorized::Public(handler) => handler(request).await,
        Authorized::Guest(handler, principal) => handler(request, principal).await,
        Authorized::Token(handler, principal) => {
            let mut response = handler(request, Arc::clone(&principal)).await?;
            let left = rate_limit::status_of(state, route, &RateSubject::of_principal(&principal));
            rate_limit::add_headers(left, response.headers_mut());
            Ok(response)
        }
        Authorized::Context(handler, context) => {
            let counted = context.clone();
            let mut response = match lines {
                None => handler(request, context).await,
                // The future is boxed, because otherwise the future of every request would be large enough for it.
                Some(body) => {
                    pending.budget.switch_to_batch()?;
                    Box::pin(stream_lines(request, context, body, handler)).await
                }
            }?;
            rate_limit::add_headers(rate_limit::status(state, route, &counted), response.headers_mut());
            Ok(response)
        }
    }
}

/// Verifies the credential, and records on the connection that it was valid.
async fn verify_credential(pending: &PendingRequest<'_>, input: &AuthInput<'_>) -> Result<Arc<Principal>> {
    let principal = pending.admission().authenticate(input).await?;
    if let Some(info) = pending.connection {
        info.mark_authenticated();
    }
    Ok(principal)
}

/// Verifies the credential for routes without a tenant.
async fn authenticate(pending: &PendingRequest<'_>, input: &AuthInput<'_>) -> Result<Arc<Principal>> {
    let principal = verify_credential(pending, input).await?;
    pending.admission().check_user(&principal, input)?;
    Ok(principal)
}

/// Admits the request: the credential before the body is read, tenant and environment after it, then the least role.
async fn admit<B>(
    pending: &PendingRequest<'_>,
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
    let engine = &pending.state.engine;
    let principal = verify_credential(pending, input).await?;
    let admit_with = async |claims: &BodyClaims<'_>| {
        let context = engine.admission().admit(&principal, input, claims).await?;
        engine.guard().require_role(&context, action)?;
        Ok::<_, Error>(context)
    };
    let Some(body) = body.filter(|_| route.body != BodyKind::None) else {
        return Ok((admit_with(&BodyClaims::default()).await?, Bytes::new()));
    };
    let bytes = receive_body(pending, route, parts, body).await;
    let checked = bytes.as_ref().map_err(|_| None).and_then(|bytes| {
        let json = CheckedJson::check(bytes, engine.limits(), route.name()).and_then(CheckedJson::expect_object);
        let read = json.and_then(|json| Ok((body_tenant(&json, route)?, json.string_member("env")?)));
        read.map_err(Some)
    });
    match checked {
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

/// Returns how this connection can be upgraded, if it can.
fn upgrade(connection: Option<&ConnectionInfo>, parts: &mut Parts) -> Option<Upgrade> {
    let own = connection.filter(|info| info.own).map(|_| Upgrade::Own);
    own.or_else(|| parts.extensions.remove::<OnUpgrade>().map(Upgrade::Hyper))
}
