//! HTTP/2 on one connection.

use std::{net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use http::{Request, StatusCode, request::Parts};
use hyper::{body::Incoming, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::sleep;

use super::{
    activity::ConnectionActivity, error::ServeResult, own_answer, stream_executor::StreamExecutor,
    watched_body::WatchedBody,
};
use crate::{
    App,
    connection_info::{ConnectionInfo, ConnectionState},
    deadline_io::{DeadlineIo, WriteDeadline},
    limits::Resource,
    unread_body::track,
};

/// Bytes of each stream that are buffered until the connection takes them.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// How many times `http.head_bytes` the library lets through. Up to there the server refuses a head with an answer of its
/// own. Beyond, the library answers with a bare status, which nothing can change.
const LIBRARY_HEAD_FACTOR: usize = 4;

/// What HTTP/2 counts for a field of a head beside its name and value (RFC 9113 section 6.5.2).
const FIELD_OVERHEAD: usize = 32;

/// How long the other streams of a connection may continue, after one of them could not be ended and the connection
/// must close.
const CLOSE_GRACE: Duration = Duration::from_secs(1);

/// Serves a connection until it ends.
pub(super) async fn serve(app: &App, io: DeadlineIo, peer: SocketAddr, state: &Arc<ConnectionState>) -> ServeResult {
    let settings = app.settings();
    let info = ConnectionInfo::with_state(peer, Arc::clone(state));
    let activity = ConnectionActivity::new();
    let executor = StreamExecutor::new(WriteDeadline::new(settings, app.shutdown()), activity.clone());
    let (streams, ends) = (executor.clone(), executor.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let share = state.usage.as_ref().map(|usage| app.budgets().acquire(Resource::Http2Streams, Some(usage), 1));
        let (share, refused) = match share {
            Some(Ok(share)) => (Some(share), None),
            Some(Err(refused)) => (None, Some(refused)),
            None => (None, None),
        };
        let flow = streams.begin(share);
        let (app, info) = (app.clone(), info.clone());
        async move {
            let (request, rest) = track(request);
            let (head, body) = request.into_parts();
            let response = match refused {
                Some(refused) => app.refuse(&head.headers, &refused.into()),
                None if head_bytes(&head) >= app.settings().head_bytes => {
                    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                    app.refuse_with_text(&head.headers, status, own_answer::about_head(status))
                }
                None => app.handle_on(&info, Request::from_parts(head, body)).await,
            };
            let drain = rest
                .filter(|rest| !rest.is_read())
                .map(|rest| tokio::spawn(rest.drain(app.settings().deadlines.clone(), app.shutdown().clone())));
            // An error stops a client that is still sending. After a success it may continue: some clients (curl before
            // 8) wait forever if the response arrives before they have sent the body.
            let drain = match drain {
                Some(drain) if response.status().is_success() => {
                    let _over = drain.await;
                    None
                }
                drain => drain,
            };
            Ok::<_, std::convert::Infallible>(response.map(|body| WatchedBody::with_flow(body, flow, drain)))
        }
    });
    let connection = http2::Builder::new(executor)
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.h2_streams)
        .max_header_list_size(library_head_bytes(settings.head_bytes))
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .keep_alive_interval(settings.head_timeout())
        .serve_connection(TokioIo::new(io), service);
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = app.shutdown().begun() => {}
        () = activity.idle_for(settings.deadlines.idle()) => {}
        () = ends.undelivered_end() => {}
    }
    connection.as_mut().graceful_shutdown();
    // The requests that have arrived get their responses. After that, a client that does not read has a short time to
    // take them.
    let moment = settings.deadlines.stop_stalled();
    let abandoned = async {
        sleep(moment).await;
        activity.idle_for(moment).await;
    };
    let cut = async {
        ends.undelivered_end().await;
        sleep(CLOSE_GRACE).await;
    };
    tokio::select! {
        ended = connection.as_mut() => Ok(ended?),
        () = abandoned => Ok(()),
        () = cut => Ok(()),
    }
}

/// The limit of the library for a head, where `head_bytes` is the server's.
fn library_head_bytes(head_bytes: usize) -> u32 {
    u32::try_from(head_bytes.saturating_mul(LIBRARY_HEAD_FACTOR)).unwrap_or(u32::MAX)
}

/// The size of a head as HTTP/2 counts it.
fn head_bytes(head: &Parts) -> usize {
    let uri = &head.uri;
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let pseudo = [
        (":method", Some(head.method.as_str())),
        (":scheme", uri.scheme_str()),
        (":authority", uri.authority().map(|authority| authority.as_str())),
        (":path", Some(path)),
    ];
    let pseudo = pseudo.iter().filter_map(|(name, value)| Some((name.len(), (*value)?.len())));
    let fields = head.headers.iter().map(|(name, value)| (name.as_str().len(), value.len()));
    pseudo.chain(fields).map(|(name, value)| name + value + FIELD_OVERHEAD).sum()
}
