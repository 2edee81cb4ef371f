//! Receives the whole body of a request within the budgets, at the rate that the deadlines demand.

use std::{error::Error as StdError, future::poll_fn, pin::pin};

use bytes::{Buf, Bytes, BytesMut};
use engines::{Code, Error, Result};
use http::HeaderMap;
use hyper::body::Body as HttpBody;
use tokio::time::{Instant, sleep_until};

use crate::{body, limits::RequestBudget, settings::HttpSettings, shutdown::Shutdown};

/// Receives a whole body of at most `limit` bytes. A body that announces more is refused before it is read.
///
/// # Errors
/// - `BODY_TOO_LARGE` for a body of more than `limit` bytes.
/// - `REQUEST_TIMEOUT` when the body arrives too slowly.
/// - `BACKEND_UNAVAILABLE` when a budget is used up.
/// - `BODY_INVALID` when the body breaks off.
/// - `SHUTTING_DOWN` when the body does not arrive soon after the server began to stop.
pub(crate) async fn collect_body<B>(
    body: B,
    headers: &HeaderMap,
    limit: usize,
    budget: &RequestBudget<'_>,
    (settings, shutdown): (&HttpSettings, &Shutdown),
) -> Result<Bytes>
where
    B: HttpBody,
    B::Error: Into<Box<dyn StdError + Send + Sync>>,
{
    let too_large = || {
        Error::new(Code::BodyTooLarge, "http.body", format!("the body is larger than {limit} bytes"))
            .with_member("limit", limit)
    };
    if body::announced_length(headers, &body) > limit as u64 {
        return Err(too_large());
    }
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let begun = Instant::now();
    let mut arriving = budget.receive_body()?;
    let mut stopped = pin!(shutdown.begun_for(settings.deadlines.stop_stalled()));
    let mut body = pin!(body);
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let received = first.len() + rest.len();
        let due = settings.deadlines.body_due(begun, settings.body_timeout(), received);
        let frame = tokio::select! {
            biased;
            frame = poll_fn(|cx| body.as_mut().poll_frame(cx)) => frame,
            () = arriving.evicted.wait() => return Err(arriving.unit.eviction_error()),
            () = stopped.as_mut() => return Err(shutting_down()),
            () = sleep_until(due) => {
                let detail = "the body took too long to arrive; send it faster or in parts";
                return Err(Error::new(Code::RequestTimeout, "http.body", detail));
            }
        };
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| {
            Error::invalid_body("http.body", "", "the body broke off before its end").with_source(error)
        })?;
        let Ok(mut data) = frame.into_data() else { continue };
        let more = data.remaining();
        if received + more > limit {
            return Err(too_large());
        }
        arriving.bytes.grow(more)?;
        // Most bodies arrive in one frame, which is not copied.
        let data = data.copy_to_bytes(more);
        if received == 0 {
            first = data;
        } else {
            rest.extend_from_slice(&std::mem::take(&mut first));
            rest.extend_from_slice(&data);
        }
    }
    budget.received_body(arriving)?;
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Returns the error for a request whose body does not arrive while the server is stopping.
pub(crate) fn shutting_down() -> Error {
    Error::new(Code::ShuttingDown, "http.shutdown", "the server is shutting down; connect again")
}
