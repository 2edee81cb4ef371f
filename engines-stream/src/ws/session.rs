//! The session of one socket: its subscriptions, and one request at a time.

use std::{
    collections::VecDeque,
    future::poll_fn,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use engines_core::{
    Code, Error, ErrorKind, Limits, RequestContext, ResourceId, Result, StreamKey,
    stream::{Routing, StreamKind},
};
use serde_json::{Value, json};
use ulid::Ulid;

use super::message::{ClientMessage, ClientRequest, CloseCode, ServerMessage, encode, encode_error, to_raw_json};
use crate::{
    canvas::{CanvasService, NewGesture},
    chat::{ChatService, NewMessage},
    follow::{Channels, FollowService},
    hub::{FrameKind, StartPosition, Subscription},
    presence::{PresenceGuard, PresenceService},
};

/// The most answers that wait for the client to read them.
const MAX_QUEUED_REPLIES: usize = 64;

/// The services a session uses.
#[derive(Debug, Clone)]
pub struct SessionServices {
    /// The service that opens subscriptions.
    pub follow: FollowService,
    /// The service that posts messages.
    pub chat: ChatService,
    /// The service that sends gestures.
    pub canvas: CanvasService,
    /// The service that keeps presence entries.
    pub presence: PresenceService,
    /// The limits.
    pub limits: Arc<Limits>,
}

/// What the owner of the socket must do next.
#[derive(Debug, PartialEq, Eq)]
pub enum SocketAction {
    /// Send this text.
    Text(Bytes),
    /// Close the socket with this code.
    Close(CloseCode),
}

/// The session of one socket. The owner of the socket passes received messages to [`SocketSession::receive`] while
/// [`SocketSession::is_ready`], and sends what [`SocketSession::next`] returns.
pub struct SocketSession {
    services: SessionServices,
    context: RequestContext,
    session_id: Ulid,
    fixed: Option<StreamKey>,
    subscriptions: Vec<OpenSubscription>,
    /// The subscription at which the next round begins, so that a busy one does not starve the others.
    next_turn: usize,
    replies: VecDeque<Bytes>,
    running: Option<Pin<Box<dyn Future<Output = CompletedRequest> + Send>>>,
    closing: Option<CloseCode>,
}

struct OpenSubscription {
    key: StreamKey,
    subscription: Subscription,
    presence: Arc<PresenceGuard>,
}

/// The result of a request.
struct CompletedRequest {
    reference: Option<Value>,
    result: Result<RequestEffect>,
}

enum RequestEffect {
    Ack(Value),
    Subscribed(StreamKey, Box<Subscription>),
}

impl SocketSession {
    /// Opens a session that may follow any stream, or one of the stream `fixed` alone (which it follows at once).
    ///
    /// # Errors
    /// As [`FollowService::open`], for a fixed stream.
    pub async fn open(
        services: SessionServices,
        context: RequestContext,
        session_id: Ulid,
        fixed: Option<(StreamKey, Channels, StartPosition)>,
    ) -> Result<Self> {
        let mut session = Self {
            context,
            session_id,
            fixed: fixed.as_ref().map(|(key, ..)| key.clone()),
            subscriptions: Vec::new(),
            next_turn: 0,
            replies: VecDeque::new(),
            running: None,
            closing: None,
            services,
        };
        let heartbeat_s = session.services.limits.ws_ping_s;
        session.replies.push_back(encode(&ServerMessage::Hello { session_id: session_id.to_string(), heartbeat_s }));
        if let Some((key, channels, start)) = fixed {
            let subscription = session.services.follow.open(&session.context, &key, channels, start).await?;
            session.add_subscription(key, subscription);
        }
        Ok(session)
    }

    /// The context of the client.
    #[must_use]
    pub fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Whether the session accepts another message now. It executes one request at a time, so that a client's messages
    /// keep their order, and a client that does not read its answers is not read either.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.running.is_none() && self.closing.is_none() && self.replies.len() < MAX_QUEUED_REPLIES
    }

    /// Starts the request in a client's message.
    pub fn receive(&mut self, text: &[u8]) {
        let mut message = match ClientMessage::parse(text, &self.services.limits) {
            Ok(message) => message,
            Err(error) => return self.queue_error(&ClientMessage::find_reference(text), &error),
        };
        let reference = message.reference.take();
        if let Err(error) = self.start_request(reference.clone(), message) {
            self.queue_error(&reference, &error);
        }
    }

    /// Queues an error for the client. A client that exceeds a limit is disconnected after it.
    fn queue_error(&mut self, reference: &Option<Value>, error: &Error) {
        self.replies.push_back(encode_error(reference, error));
        if error.kind() == ErrorKind::RateLimited {
            self.closing = Some(CloseCode::for_error(error));
        }
    }

    /// The next action. Cancel-safe.
    pub async fn next(&mut self) -> SocketAction {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`SocketSession::next`], for manually written futures.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<SocketAction> {
        loop {
            if let Some(reply) = self.replies.pop_front() {
                return Poll::Ready(SocketAction::Text(reply));
            }
            if let Some(code) = self.closing {
                return Poll::Ready(SocketAction::Close(code));
            }
            if let Some(work) = &mut self.running
                && let Poll::Ready(done) = work.as_mut().poll(cx)
            {
                self.running = None;
                self.finish_request(done);
                continue;
            }
            let count = self.subscriptions.len();
            for step in 0..count {
                let at = (self.next_turn + step) % count;
                let Some(following) = self.subscriptions.get_mut(at) else { continue };
                match following.subscription.poll_next(cx) {
                    Poll::Pending => {}
                    Poll::Ready(Some(Ok(frame))) => {
                        self.next_turn = at + 1;
                        if frame.kind() == FrameKind::Deleted {
                            let gone = self.subscriptions.remove(at);
                            // A socket of one stream ends with that stream; one of many continues with the others.
                            if self.fixed.as_ref() == Some(&gone.key) {
                                let deleted = Error::not_found("ws.stream", "stream");
                                self.closing = Some(CloseCode::for_error(&deleted));
                            }
                        }
                        return Poll::Ready(SocketAction::Text(frame.json()));
                    }
                    Poll::Ready(Some(Err(error))) => {
                        self.closing = Some(CloseCode::for_error(&error));
                        return Poll::Ready(SocketAction::Text(encode_error(&None, &error)));
                    }
                    Poll::Ready(None) => {
                        self.closing = Some(CloseCode::GoingAway);
                        return Poll::Ready(SocketAction::Close(CloseCode::GoingAway));
                    }
                }
            }
            return Poll::Pending;
        }
    }

    fn start_request(&mut self, reference: Option<Value>, mut message: ClientMessage) -> Result<()> {
        let (claims, routing) = (message.claims(), message.routing);
        self.context.check_claims(&claims)?;
        if !matches!(message.request, ClientRequest::Message { .. } | ClientRequest::Gesture { .. }) {
            // Nothing is stored, but an invalid routing key is rejected in every request.
            self.check_routing(&message.request, routing.clone())?;
        }
        match message.request {
            ClientRequest::Ping => self.replies.push_back(encode(&ServerMessage::Pong { reference: &reference })),
            ClientRequest::Subscribe { stream, after, from, channels } => {
                let key = self.resolve_stream(stream, None)?;
                if self.subscriptions.iter().any(|following| following.key == key) {
                    return Err(Error::new(Code::AlreadyExists, "ws.subscribe", "this socket already follows it"));
                }
                if self.subscriptions.len() >= self.services.limits.subscriptions_per_socket {
                    let detail = "this socket follows the maximum number of streams; open another";
                    return Err(Error::new(Code::RateLimited, "ws.subscribe", detail));
                }
                // A stream that is requested by its own name is that log alone; artifacts have their own stream name.
                let channels = match channels {
                    Some(list) => Channels::parse(&list)?,
                    None => Channels { log: true, artifacts: key.kind() == StreamKind::Artifacts, ephemeral: false },
                };
                let start = StartPosition::parse(after.as_deref(), from.as_deref())?;
                let (follow, context) = (self.services.follow.clone(), self.context.clone());
                self.running = Some(Box::pin(async move {
                    let opened = follow.open(&context, &key, channels, start).await;
                    CompletedRequest {
                        reference,
                        result: opened.map(|opened| RequestEffect::Subscribed(key, Box::new(opened))),
                    }
                }));
            }
            ClientRequest::Unsubscribe { stream } => {
                let key = self.resolve_stream(stream, None)?;
                let before = self.subscriptions.len();
                self.subscriptions.retain(|following| following.key != key);
                if self.subscriptions.len() == before {
                    return Err(Error::not_found("ws.unsubscribe", "subscription"));
                }
                self.queue_ack(&reference, json!({ "stream": key }));
            }
            ClientRequest::Message { stream, text, role, scope, idempotency_key, correlation_id, run_id, step_id } => {
                let key = self.resolve_stream(stream, Some(StreamKind::Chat))?;
                let thread = ResourceId::new(key.id())?;
                let message =
                    NewMessage { text, role, scope, idempotency_key, correlation_id, run_id, step_id, routing, claims };
                let (chat, context) = (self.services.chat.clone(), self.context.clone());
                self.running = Some(Box::pin(async move {
                    let posted = chat.post(&context, &thread, message).await;
                    let ack = posted.map(|posted| {
                        RequestEffect::Ack(json!({
                            "seq": posted.event.seq, "event_id": posted.event.event.event_id.to_string(),
                            "cursor": posted.cursor, "replayed": posted.replayed,
                        }))
                    });
                    CompletedRequest { reference, result: ack }
                }));
            }
            ClientRequest::Gesture { stream, kind, data } => {
                let key = self.resolve_stream(stream, Some(StreamKind::Canvas))?;
                let id = ResourceId::new(key.id())?;
                let gesture = NewGesture { kind, data, routing, claims };
                let (canvas, context) = (self.services.canvas.clone(), self.context.clone());
                self.running = Some(Box::pin(async move {
                    let shown = canvas.gesture(&context, &id, gesture).await;
                    CompletedRequest { reference, result: shown.map(|()| RequestEffect::Ack(json!({}))) }
                }));
            }
            ClientRequest::Presence { stream, data } => {
                let key = self.resolve_stream(stream, None)?;
                let here = self.subscriptions.iter().find(|following| following.key == key).ok_or_else(|| {
                    Error::new(
                        Code::NotFound,
                        "ws.presence",
                        "subscribe to the stream first; presence needs a subscription",
                    )
                })?;
                let (attendance, data) = (Arc::clone(&here.presence), to_raw_json(&data)?);
                self.running = Some(Box::pin(async move {
                    let told = attendance.announce(data).await;
                    CompletedRequest { reference, result: told.map(|()| RequestEffect::Ack(json!({}))) }
                }));
            }
        }
        Ok(())
    }

    fn finish_request(&mut self, done: CompletedRequest) {
        match done.result {
            Ok(RequestEffect::Ack(extra)) => self.queue_ack(&done.reference, extra),
            Ok(RequestEffect::Subscribed(key, subscription)) => {
                self.queue_ack(&done.reference, json!({ "stream": key }));
                self.add_subscription(key, *subscription);
            }
            Err(error) => self.queue_error(&done.reference, &error),
        }
    }

    fn add_subscription(&mut self, key: StreamKey, subscription: Subscription) {
        let attendance = Arc::new(self.services.presence.join(&self.context, &key, self.session_id));
        self.subscriptions.push(OpenSubscription { key, subscription, presence: attendance });
    }

    fn queue_ack(&mut self, reference: &Option<Value>, extra: Value) {
        self.replies.push_back(encode(&ServerMessage::Ack { reference, extra }));
    }

    /// Checks the routing keys of a request about a stream, or about none.
    fn check_routing(&self, request: &ClientRequest, routing: Routing) -> Result<()> {
        if routing.is_empty() {
            return Ok(());
        }
        let named = match request {
            ClientRequest::Subscribe { stream, .. }
            | ClientRequest::Unsubscribe { stream }
            | ClientRequest::Presence { stream, .. } => stream.clone(),
            ClientRequest::Message { .. } | ClientRequest::Gesture { .. } | ClientRequest::Ping => None,
        };
        match self.resolve_stream(named, None) {
            Ok(key) => routing.validate(&self.context, &key).map(|_| ()),
            // A missing stream is reported where the stream is needed.
            Err(_) => routing.validate_context(&self.context).map(|_| ()),
        }
    }

    /// The stream of a request: the named one, or the socket's own; of `kind` if the request needs that.
    fn resolve_stream(&self, named: Option<String>, kind: Option<StreamKind>) -> Result<StreamKey> {
        let key = match (named, &self.fixed) {
            (Some(named), fixed) => {
                let key: StreamKey = named.parse()?;
                if fixed.as_ref().is_some_and(|fixed| *fixed != key) {
                    let detail = "this socket is about another stream; use /ws for many";
                    return Err(Error::new(Code::ContextMismatch, "ws.stream", detail));
                }
                key
            }
            (None, Some(fixed)) => fixed.clone(),
            (None, None) => {
                return Err(Error::invalid_body("ws.stream", "stream", "name the stream, such as canvas/c1"));
            }
        };
        match kind {
            Some(kind) if key.kind() != kind => {
                Err(Error::invalid_body("ws.stream", "stream", format!("this needs a {} stream", kind.as_str())))
            }
            _ => Ok(key),
        }
    }
}

impl std::fmt::Debug for SocketSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("session_id", &self.session_id).finish_non_exhaustive()
    }
}
