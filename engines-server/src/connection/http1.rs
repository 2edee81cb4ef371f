//! HTTP/1 on one connection.

use std::{
    future::{pending, poll_fn},
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::Poll,
    time::UNIX_EPOCH,
};

use bytes::Bytes;
use engines::Clock;
use http::{HeaderValue, Request, StatusCode, Version, header, response::Parts};
use hyper::{
    body::{Body as HttpBody, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::time::{Duration, sleep};

use super::{
    activity::ConnectionActivity,
    cut_off::CutOff,
    error::ServeResult,
    http1_io::{Answering, Http1Io},
    own_answer,
    watched_body::WatchedBody,
};
use crate::{
    App,
    body::StreamingBody,
    connection_info::{ConnectionInfo, ConnectionState},
    deadline_io::{DeadlineIo, WriteDeadline},
    head_timer::{HeadTimer, PendingSleep},
    streaming::{CredentialEnd, EventSender, run_socket},
    unread_body::{track, wait_for_close},
};

/// A connection that continues without HTTP.
pub(super) struct DetachedConnection {
    io: DeadlineIo,
    head: Bytes,
    live: StreamingBody,
}

impl DetachedConnection {
    /// Runs the stream in a task of its own, because this task has the size of a whole HTTP connection. Each kind of
    /// stream gets a task of its own size. `permit` is released at the end.
    pub(super) fn run(self, permit: impl Send + Unpin + 'static) {
        let Self { mut io, head, live } = self;
        match live {
            StreamingBody::Events(body) => {
                // A client that reads events sends nothing more. Bytes after its request are discarded.
                let (_, stream) = io.into_parts();
                drop(tokio::spawn(EventSender::new(stream, head, body, permit)));
            }
            StreamingBody::Socket(socket) => drop(tokio::spawn(async move {
                if tokio::io::AsyncWriteExt::write_all(&mut io, &head).await.is_ok() {
                    drop(head);
                    run_socket(io, socket).await;
                }
                drop(permit);
            })),
        }
    }
}

/// Serves a connection until it ends or continues without HTTP.
pub(super) async fn serve(
    app: &App,
    io: DeadlineIo,
    peer: SocketAddr,
    state: &Arc<ConnectionState>,
) -> ServeResult<Option<DetachedConnection>> {
    let settings = app.settings();
    // The place of a response that takes over the connection. The request's future then never ends.
    let answer: Arc<Mutex<Option<(Parts, StreamingBody)>>> = Arc::default();
    // Whether the client may be sending a body that is not read.
    let unread_body = Arc::new(AtomicBool::new(false));
    // The end of the credential of a stream that hyper sends: to HTTP/1.0, or as the response to a request with a body.
    let credential_end: Arc<Mutex<Weak<CredentialEnd>>> = Arc::default();
    let (activity, blocked) = (ConnectionActivity::new(), Arc::new(AtomicBool::new(false)));
    let answering = Answering::default();
    let info = ConnectionInfo::with_state(peer, Arc::clone(state));
    let service = service_fn(|request: Request<Incoming>| {
        let (app, answer, unread_body) = (app.clone(), Arc::clone(&answer), Arc::clone(&unread_body));
        let own = request.version() == Version::HTTP_11 && request.body().is_end_stream();
        let info = info.for_streams(own);
        let credential_end = Arc::clone(&credential_end);
        let exchange = activity.begin();
        answering.begin();
        async move {
            let (request, rest) = track(request);
            let mut response = app.handle_on(&info, request).await;
            if let Some(live) = own.then(|| response.body_mut().take_streaming()).flatten() {
                let (parts, _) = response.into_parts();
                *lock(&answer) = Some((parts, live));
                return pending().await;
            }
            *lock(&credential_end) = response.body_mut().share_credential_end();
            if let Some(rest) = rest
                && !rest.is_settled().await
            {
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                unread_body.store(true, Ordering::Relaxed);
            }
            Ok::<_, std::convert::Infallible>(response.map(|body| WatchedBody::new(body, exchange)))
        }
    });
    let (timer, mut pending_sleep) = (HeadTimer::default(), PendingSleep::None);
    let io = Http1Io::new(io.with_blocked_flag(Arc::clone(&blocked)), answering.clone(), activity.clone());
    let mut connection = http1::Builder::new()
        .timer(timer.clone())
        .header_read_timeout(settings.head_timeout())
        .max_header_size(settings.head_bytes)
        .serve_connection(TokioIo::new(io), service);
    let mut begun = pin!(app.shutdown().begun());
    // After the server began to stop: when to check whether the client is still active.
    let mut patience = None;
    let mut cut_off = CutOff::default();
    let ended = poll_fn(|cx| {
        let cut = cut_off.poll(&lock(&credential_end), cx).is_ready();
        if patience.is_none() && begun.as_mut().poll(cx).is_ready() {
            patience = Some(Box::pin(sleep(settings.deadlines.stop_stalled())));
            Pin::new(&mut connection).graceful_shutdown();
        }
        let mut ended = Pin::new(&mut connection).poll(cx);
        if ended.is_pending() && timer.poll(&mut pending_sleep, cx) {
            ended = Pin::new(&mut connection).poll(cx);
        }
        if let Some(taken) = lock(&answer).take() {
            return Poll::Ready(Ok(Some(taken)));
        }
        // Polled again: the poll of `connection` above may have started a stream, and so set `credential_end`.
        if ended.is_pending() && (cut || cut_off.poll(&lock(&credential_end), cx).is_ready()) {
            return Poll::Ready(Ok(None));
        }
        if let Some(patience) = &mut patience
            && ended.is_pending()
        {
            while patience.as_mut().poll(cx).is_ready() {
                // A request that is being handled has the whole grace period, and a blocked write has its own deadline.
                // The rest are clients that have sent a part of a request's head.
                if activity.is_idle() && !blocked.load(Ordering::Relaxed) {
                    return Poll::Ready(Ok(None));
                }
                let next =
                    tokio::time::Instant::now() + settings.deadlines.stop_stalled().max(Duration::from_millis(50));
                patience.as_mut().reset(next);
            }
        }
        ended.map_ok(|()| None)
    })
    .await;
    let taken = match ended {
        Ok(taken) => taken,
        Err(error) => {
            // The request was refused while the client was sending.
            if error.is_parse() {
                let (mut io, refused) = connection.into_parts().io.into_inner().into_parts();
                if let Some(status) = refused {
                    app.metrics().record_response(None, status.as_u16(), Duration::ZERO);
                    own_answer::write(&mut io, status, "", own_answer::about_head(status)).await?;
                }
                let (_, stream) = io.into_parts();
                wait_for_close(stream, &settings.deadlines, app.shutdown()).await;
            }
            return Err(error.into());
        }
    };
    let parts = connection.into_parts();
    let (io, _) = parts.io.into_inner().into_parts();
    let (prefix, stream) = io.into_parts();
    let Some((head, live)) = taken else {
        if unread_body.load(Ordering::Relaxed) {
            wait_for_close(stream, &settings.deadlines, app.shutdown()).await;
        }
        return Ok(None);
    };
    let head = response_head(&head, app.engine().guard().clock().as_ref());
    // An empty remainder would keep the whole buffer of hyper.
    let rest = if parts.read_buf.is_empty() { prefix } else { parts.read_buf };
    Ok(Some(DetachedConnection {
        io: DeadlineIo::new(rest, stream, WriteDeadline::new(settings, app.shutdown())),
        head,
        live,
    }))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Encodes the head of a response that is sent without hyper (RFC 9112 section 4).
fn response_head(parts: &Parts, clock: &dyn Clock) -> Bytes {
    let mut text = format!("HTTP/1.1 {}\r\n", parts.status).into_bytes();
    let mut line = |name: &[u8], value: &[u8]| {
        for part in [name, b": ", value, b"\r\n"] {
            text.extend_from_slice(part);
        }
    };
    for (name, value) in &parts.headers {
        line(name.as_str().as_bytes(), value.as_bytes());
    }
    let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(clock.now().as_millis()).unwrap_or(0));
    line(b"date", httpdate::fmt_http_date(now).as_bytes());
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        // The end of the connection marks the end of the response.
        line(b"connection", b"close");
    }
    text.extend_from_slice(b"\r\n");
    text.into()
}
