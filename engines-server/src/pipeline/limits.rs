//! The in-flight limit and the deadline of a request.

use std::{error::Error as StdError, future::poll_fn, panic::AssertUnwindSafe, pin::pin, sync::Arc, task::Poll};

use engines::{Code, Error, Result, Trace};
use futures_util::FutureExt;
use http::{Response, request::Parts};
use hyper::body::Body as HttpBody;
use tokio::time::timeout;

use super::{authorize::authorize, pending_request::PendingRequest};
use crate::{
    body::Body,
    body_intake, client_addr,
    connection_info::ConnectionInfo,
    gauge_guard::GaugeGuard,
    limits::{ClientClass, RequestBudget},
    request_rules,
    route_info::BodyKind,
    routes::RouteMatch,
    state::AppState,
};

/// Applies the in-flight limit and the deadline, and catches panics.
pub(super) async fn with_limits<B>(
    state: &Arc<AppState>,
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
    let route = &found.entry.route;
    request_rules::check_handshake(route, parts)?;
    let class = ClientClass::of(route);
    let client = client_addr::resolve_client(connection, parts, &state.settings);
    let usage = match (&client, class) {
        (None, _) | (_, ClientClass::Exempt) => None,
        (Some(client), _) => Some(client.usage(&state.budgets)),
    };
    let gauge = GaugeGuard::new(&state.metrics.in_flight);
    let budget = RequestBudget::acquire(&state.budgets, usage, gauge, class)?;
    if class != ClientClass::Exempt && state.shutdown.has_begun() {
        return Err(body_intake::shutting_down());
    }
    let time_limit = match route.body {
        BodyKind::Lines => state.settings.batch_timeout(),
        _ => state.settings.request_timeout(),
    };
    let pending = PendingRequest { state, connection, budget, address: client.map(|client| client.text) };
    let safe = parts.method.is_safe();
    let mut guarded = pin!(AssertUnwindSafe(authorize(&pending, found, parts, body, trace)).catch_unwind());
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
