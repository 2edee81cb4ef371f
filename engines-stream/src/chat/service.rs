//! The chat service: creates threads, posts messages and reads them.

use std::{borrow::Cow, fmt, sync::Arc};

use engines_core::{
    Action, Batch, Code, Cursor, DocId, Error, Guard, Limits, RequestContext, ResourceId, Result, Store, StreamEvent,
    StreamKey, Timestamp,
    nexus::{Document, DocumentKind, DocumentQuery, Expect, ExpectedHead, NewDocument, Page, PageRequest, QueryOrder},
    stream::{NewEvent, Seq},
};
use serde::Serialize;
use serde_json::value::to_raw_value;

use super::{
    events::EventPage,
    message::{ChatMessage, USER_MESSAGE},
    model::{NewMessage, NewThread, PostedMessage, Thread, ThreadBody},
};
use crate::{deletion, existence_cache::ExistenceCache, request_fields, retention};

/// The kind of thread documents. A thread's stream exists if its document does.
pub const THREAD: DocumentKind = DocumentKind::from_static("thread");

/// The most threads whose existence is cached.
const MAX_CACHED_THREADS: usize = 16_384;

const POST_OPERATION: &str = "chat.message.post";
const CREATE_OPERATION: &str = "chat.thread.create";

/// The service for threads and messages. Cheap to clone.
///
/// # Errors of all methods
/// Every method first asks the guard and fails with its rejection ([`Guard::admit`](engines_core::gate::Guard::admit)):
/// `ROLE_INSUFFICIENT`, `RATE_LIMITED`, or the denial of a gate. It fails with `BACKEND_UNAVAILABLE` when the store
/// does not answer, and with the other errors of [`CommitError`](engines_core::nexus::CommitError) when a write fails.
#[derive(Clone)]
pub struct ChatService {
    inner: Arc<ChatInner>,
}

struct ChatInner {
    store: Arc<dyn Store>,
    guard: Guard,
    limits: Arc<Limits>,
    existing: ExistenceCache,
}

/// The part of a request that its fingerprint covers: two requests with one idempotency key are the same if this part
/// is.
#[derive(Serialize)]
struct MessageFingerprintInput<'a> {
    text: &'a str,
    role: &'a str,
    scope: Option<&'a serde_json::Value>,
    ids: [Option<&'a str>; 3],
    routing: &'a engines_core::stream::Routing,
}

impl ChatService {
    /// Makes a service for threads in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>) -> Self {
        let threads = ExistenceCache::new(THREAD, "thread", MAX_CACHED_THREADS);
        Self { inner: Arc::new(ChatInner { store, guard, limits, existing: threads }) }
    }

    /// Creates a thread.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`, `BODY_INVALID`, `CONTEXT_MISMATCH` for a routing key that disagrees; the errors of all
    /// methods, see [`ChatService`].
    pub async fn create_thread(&self, context: &RequestContext, new: NewThread) -> Result<Thread> {
        let ChatInner { store, guard, existing: threads, .. } = &*self.inner;
        let now = guard.clock().now();
        let thread_id = new.thread_id.clone().unwrap_or_else(|| guard.ids().ulid(now).into());
        let key = StreamKey::chat(&thread_id);
        let permit = guard.admit(context, Action::ChatThreadCreate, key.as_str()).await?;
        new.check(CREATE_OPERATION)?;
        let body = ThreadBody {
            title: new.title,
            participants: new.participants,
            created_by: context.actor().id.clone(),
            routing: new.routing.validate(context, &key)?,
        };
        let batch = Batch::new(now)
            .put(NewDocument::new(THREAD, &thread_id, &body)?, Expect::Absent)
            .audit(permit.audit_entry(guard, context, key.as_str()));
        let batch = deletion::require_name_unused(&**store, batch, &key);
        store
            .commit(context.scope(), batch)
            .await
            .map_err(|error| deletion::already_exists(CREATE_OPERATION, "thread", error))?;
        threads.insert(context.scope(), &thread_id);
        Ok(thread_from(thread_id, now, body))
    }

    /// Creates a thread unless its id is taken. Returns `None` if a thread with this id exists or was deleted.
    ///
    /// # Errors
    /// As [`ChatService::create_thread`], except `ALREADY_EXISTS`.
    pub async fn create_thread_if_absent(&self, context: &RequestContext, new: NewThread) -> Result<Option<Thread>> {
        deletion::none_if_exists(self.create_thread(context, new).await)
    }

    /// Lists threads, newest first. Posting to a thread does not change the order.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed `after`; the errors of all methods, see [`ChatService`].
    pub async fn threads(&self, context: &RequestContext, page: PageRequest) -> Result<Page<Thread>> {
        let ChatInner { store, guard, limits, .. } = &*self.inner;
        let _permit = guard.admit(context, Action::ChatThreadRead, "").await?;
        let page = PageRequest { limit: page.limit.clamp(1, limits.page_max), after: page.after };
        let query = DocumentQuery::of_kind(THREAD).order(QueryOrder::UpdatedDescending);
        let found = store.query(context.scope(), &query, page).await?;
        let items = found.items.iter().map(decode_thread).collect::<Result<_>>()?;
        Ok(Page { items, next: found.next })
    }

    /// Returns one thread.
    ///
    /// # Errors
    /// `NOT_FOUND`; the errors of all methods, see [`ChatService`].
    pub async fn thread(&self, context: &RequestContext, id: &ResourceId) -> Result<Thread> {
        let ChatInner { store, guard, .. } = &*self.inner;
        let _permit = guard.admit(context, Action::ChatThreadRead, StreamKey::chat(id).as_str()).await?;
        let found = store.get(context.scope(), &THREAD, &DocId::from(id)).await?;
        decode_thread(&found.ok_or_else(|| Error::not_found("chat.thread.read", "thread"))?)
    }

    /// Deletes a thread permanently, with all its messages. Only its creator and admins may do this. Its followers get
    /// a final in-band error, and its id is not reused. A message that is posted concurrently is either acknowledged
    /// before the deletion, and deleted too, or gets `NOT_FOUND`.
    ///
    /// # Errors
    /// `NOT_FOUND`; `ROLE_INSUFFICIENT` for other callers; the errors of all methods, see [`ChatService`].
    pub async fn delete(&self, context: &RequestContext, id: &ResourceId) -> Result<()> {
        const DELETE_OPERATION: &str = "chat.thread.delete";
        let ChatInner { store, guard, existing: threads, .. } = &*self.inner;
        let (key, scope) = (StreamKey::chat(id), context.scope());
        let permit = guard.admit(context, Action::ChatThreadDelete, key.as_str()).await?;
        let found = store.get(scope, &THREAD, &DocId::from(id)).await?;
        let thread = decode_thread(&found.ok_or_else(|| Error::not_found(DELETE_OPERATION, "thread"))?)?;
        deletion::require_creator_or_admin(guard, context, Action::ChatThreadDelete, &thread.created_by)?;
        let batch = Batch::new(guard.clock().now())
            .delete(THREAD, id, Expect::Present)
            .delete_stream(key.clone())
            .audit(permit.audit_entry(guard, context, key.as_str()));
        store.commit(scope, batch).await?;
        threads.remove(scope, id);
        Ok(())
    }

    /// Removes the messages of a thread that are older than `before`, oldest first. The retention worker calls it.
    /// Returns the number of messages.
    ///
    /// # Errors
    /// `ROLE_INSUFFICIENT` except for trusted work in process; the errors of all methods, see [`ChatService`].
    pub async fn retain(&self, context: &RequestContext, id: &ResourceId, before: Timestamp) -> Result<u64> {
        let ChatInner { store, guard, .. } = &*self.inner;
        let key = StreamKey::chat(id);
        let _permit = guard.admit(context, Action::RetentionApply, key.as_str()).await?;
        let head = store.head(context.scope(), &key).await?;
        let first = retention::first_kept_seq(&**store, context.scope(), &key, head, before).await?;
        retention::trim_stream(&**store, guard, context.scope(), &key, head, first).await
    }

    /// Posts a message to a thread. Returns when it is durable. With an idempotency key, repeated calls post it once.
    ///
    /// # Errors
    /// `NOT_FOUND`, `BODY_INVALID`, `BODY_TOO_LARGE`, `CONTEXT_MISMATCH`, `IDEMPOTENCY_MISMATCH`; the errors of all
    /// methods, see [`ChatService`].
    pub async fn post(&self, context: &RequestContext, id: &ResourceId, mut new: NewMessage) -> Result<PostedMessage> {
        let ChatInner { store, guard, limits, existing: threads } = &*self.inner;
        let key = StreamKey::chat(id);
        let permit = guard.admit(context, Action::ChatMessagePost, key.as_str()).await?;
        context.check_claims(&new.claims)?;
        new.check(POST_OPERATION)?;
        new.routing = new.routing.validate(context, &key)?;
        let scope = context.scope();
        threads.require_exists(&**store, scope, id, POST_OPERATION).await?;

        let now = guard.clock().now();
        let event_id = guard.ids().ulid(now);
        let (text, role, about) = (new.text.as_str(), new.role.as_deref().unwrap_or("user"), new.scope.as_ref());
        let data = ChatMessage {
            message_id: event_id,
            thread_id: Cow::Borrowed(id),
            text: text.into(),
            role: role.into(),
            scope: about.map(Cow::Borrowed),
        };
        let data = to_raw_value(&data).map_err(|error| Error::internal(POST_OPERATION, error))?;
        if data.get().len() > limits.event_bytes {
            let detail = format!("a message has at most {} bytes of JSON", limits.event_bytes);
            return Err(Error::new(Code::BodyTooLarge, POST_OPERATION, detail).with_member("limit", limits.event_bytes));
        }
        let mut batch = Batch::new(now);
        if let Some(idempotency) = &new.idempotency_key {
            let ids = [&new.correlation_id, &new.run_id, &new.step_id].map(Option::as_deref);
            let asked = MessageFingerprintInput { text, role, scope: about, ids, routing: &new.routing };
            batch = batch.with_idempotency(request_fields::idempotency(
                context,
                &key,
                idempotency.clone(),
                &asked,
                POST_OPERATION,
            )?);
        }
        let mut event = NewEvent::new(event_id, now, USER_MESSAGE, context, data);
        event.ids = new.client_ids().into_correlation_ids(&context.trace().request_id);
        event.routing = new.routing;
        let batch = batch.append(key.clone(), ExpectedHead::Any, vec![event.clone()]).audit(permit.audit_entry(
            guard,
            context,
            key.as_str(),
        ));
        let receipt = store.commit(scope, batch).await?;
        let appended = receipt.appended.first();
        let seq = appended.ok_or_else(|| Error::internal(POST_OPERATION, "the store's receipt names no append"))?.last;
        let event = match receipt.replayed {
            true => self.replayed_event(context, &key, seq).await?,
            false => StreamEvent { seq, event },
        };
        let cursor = Cursor::single(store.log_id(), scope, &key, seq);
        Ok(PostedMessage { scope: scope.clone(), key, event, cursor, replayed: receipt.replayed })
    }

    async fn replayed_event(&self, context: &RequestContext, key: &StreamKey, seq: Seq) -> Result<StreamEvent> {
        let before = Seq(seq.0.saturating_sub(1));
        let found = self.inner.store.read(context.scope(), key, before, 1).await?;
        found.into_iter().next().filter(|event| event.seq == seq).ok_or_else(|| {
            Error::new(Code::NotFound, POST_OPERATION, "this message was posted, and retention has removed it since")
        })
    }

    /// Reads a thread's log one page at a time: up to `limit` events after a cursor of any reader of this thread's
    /// stream.
    ///
    /// # Errors
    /// `NOT_FOUND`, `CURSOR_INVALID`; `REPLAY_MISS` (with `head_seq`) when the events after the cursor were removed;
    /// the errors of all methods, see [`ChatService`].
    pub async fn events(
        &self,
        context: &RequestContext,
        id: &ResourceId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<EventPage> {
        let ChatInner { store, guard, limits, existing: threads } = &*self.inner;
        let key = StreamKey::chat(id);
        let _permit = guard.admit(context, Action::ChatFollow, key.as_str()).await?;
        threads.require_exists(&**store, context.scope(), id, "chat.events").await?;
        let page = EventPage::read(&**store, context.scope(), &key, after, limit.clamp(1, limits.page_max)).await;
        // Checked last: an empty page of a thread that was deleted meanwhile must not look like the end of its log.
        if store.head(context.scope(), &key).await?.deleted {
            return Err(Error::not_found("chat.events", "thread"));
        }
        page
    }
}

fn decode_thread(document: &Document) -> Result<Thread> {
    Ok(thread_from(ResourceId::new(document.id.as_str())?, document.created_at, document.decode()?))
}

fn thread_from(thread_id: ResourceId, created_at: Timestamp, body: ThreadBody) -> Thread {
    let ThreadBody { title, participants, created_by, routing } = body;
    Thread { thread_id, title, participants, created_by, created_at, routing }
}

impl fmt::Debug for ChatService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatService").field("store", &self.inner.store).finish_non_exhaustive()
    }
}
