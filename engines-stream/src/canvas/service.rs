//! What can be done with canvases: making them, editing them, gesturing in them.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use engines_core::{
    Action, Batch, Code, Cursor, Error, Guard, Limits, RequestContext, ResourceId, Result, Store, StreamKey,
    command::{JsonReducer, OpError, Reducer, parse_ops_for},
    gate::Permit,
    nexus::{CommitError, Expect, Kind, NewDocument},
    stream::{Meta, NewEvent, Routing, Seq},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use ulid::Ulid;

use super::{
    busy::Busy,
    command::{Command, Intent, OnConflict},
    history::History,
    model::{Canvas, CanvasBody, CommandAnswer, NewCanvas, NewGesture, Status},
    settings::CanvasSettings,
    work::{Verdict, Work},
};
use crate::{LiveSink, deletion, known::Known, request};

/// The family of canvas documents. A canvas's stream exists if its document does.
pub const CANVAS: Kind = Kind::known("canvas");

/// The type of a gesture's event.
pub const GESTURE: &str = "gesture";

/// Canvases whose existence is remembered.
const KNOWN_CANVASES: usize = 16_384;
/// How often a command whose canvas other nodes edit too is handed to the writer.
const ROUNDS: usize = 8;
/// Bytes that a commit's event holds besides ops and intent, at the most.
const EVENT_FRAME_BYTES: usize = 512;

const COMMAND: &str = "canvas.command";
const CREATE: &str = "canvas.create";

/// Canvases. Cheap to clone.
#[derive(Clone)]
pub struct CanvasService {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) store: Arc<dyn Store>,
    pub(super) guard: Guard,
    pub(super) limits: Arc<Limits>,
    pub(super) settings: CanvasSettings,
    pub(super) canvases: Known,
    reducer: Arc<dyn Reducer>,
    live: Option<Arc<dyn LiveSink>>,
    busy: Arc<Busy>,
}

/// Makes a [`CanvasService`].
pub struct CanvasBuilder {
    store: Arc<dyn Store>,
    guard: Guard,
    limits: Arc<Limits>,
    settings: CanvasSettings,
    reducer: Arc<dyn Reducer>,
    live: Option<Arc<dyn LiveSink>>,
}

impl CanvasBuilder {
    /// With a reducer of one's own. All nodes must have the same, for ever: what was accepted is replayed with it.
    #[must_use]
    pub fn reducer(mut self, reducer: Arc<dyn Reducer>) -> Self {
        self.reducer = reducer;
        self
    }

    /// With somebody to show gestures to. Without, nobody sees them.
    #[must_use]
    pub fn live(mut self, live: Arc<dyn LiveSink>) -> Self {
        self.live = Some(live);
        self
    }

    /// With other settings.
    #[must_use]
    pub fn settings(mut self, settings: CanvasSettings) -> Self {
        self.settings = settings;
        self
    }

    /// The service.
    #[must_use]
    pub fn build(self) -> CanvasService {
        let Self { store, guard, limits, settings, reducer, live } = self;
        let busy = Arc::new(Busy::new(guard.clone(), &limits, settings.clone()));
        let canvases = Known::new(CANVAS, "canvas", KNOWN_CANVASES);
        CanvasService { inner: Arc::new(Inner { store, guard, limits, settings, canvases, reducer, live, busy }) }
    }
}

/// What was asked for: two requests with one idempotency key are the same if this is.
#[derive(Serialize)]
struct Asked<'a> {
    command_id: &'a Option<ResourceId>,
    base_rev: u64,
    on_conflict: OnConflict,
    intent: &'a Option<Intent>,
    ids: [Option<&'a str>; 3],
    routing: &'a Routing,
    ops: &'a RawValue,
}

impl CanvasService {
    /// Canvases kept in `store`, with the standard ops and default settings.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>) -> Self {
        Self::builder(store, guard, limits).build()
    }

    /// Canvases kept in `store`, with anything else one's own.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>) -> CanvasBuilder {
        let (settings, reducer) = (CanvasSettings::default(), Arc::new(JsonReducer));
        CanvasBuilder { store, guard, limits, settings, reducer, live: None }
    }

    /// Makes a canvas.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`, `CONTEXT_MISMATCH` for a routing key that disagrees; refusals and failures of the guard and the
    /// store, as everywhere.
    pub async fn create(&self, context: &RequestContext, new: NewCanvas) -> Result<Canvas> {
        let Inner { store, guard, canvases, .. } = &*self.inner;
        let now = guard.clock().now();
        let canvas_id = new.canvas_id.unwrap_or_else(|| guard.ids().ulid(now).into());
        let key = StreamKey::canvas(&canvas_id);
        let permit = guard.admit(context, Action::CanvasCreate, key.as_str()).await?;
        let routing = new.routing.checked(context, &key)?;
        let body = CanvasBody {
            workspace_id: new.workspace_id.or(routing.workspace_id),
            project_id: new.project_id.or(routing.project_id),
            meta: new.meta,
            created_by: context.actor().id.clone(),
        };
        let batch = Batch::new(now)
            .put(NewDocument::new(CANVAS, &canvas_id, &body)?, Expect::Absent)
            .audit(permit.audit(guard, context, key.as_str()));
        let batch = deletion::unless_deleted(&**store, batch, &key);
        store.commit(context.scope(), batch).await.map_err(|error| deletion::exists(CREATE, "canvas", error))?;
        canvases.note(context.scope(), &canvas_id);
        Ok(Canvas::from_body(canvas_id, 0, now, body))
    }

    /// Edits a canvas: applies all ops of the command, or none. Answers when the commit is durable. A caller that goes away
    /// leaves a command that is wholly applied or not at all.
    ///
    /// # Errors
    /// `REV_MISMATCH` with `base_rev`, `head_rev`, `ops_since_base` (if these are few enough) and `snapshot_ref`;
    /// `OP_INVALID` with `index`, `reason` and `fault`; `IDEMPOTENCY_MISMATCH`, `BODY_INVALID`, `BODY_TOO_LARGE`,
    /// `NOT_FOUND`, `CONTEXT_MISMATCH`; `BACKEND_UNAVAILABLE` when it is not known what came of it: with an idempotency
    /// key, trying again is safe. Else as everywhere.
    pub async fn command(&self, context: &RequestContext, id: &ResourceId, command: Command) -> Result<CommandAnswer> {
        let Inner { store, guard, limits, settings, canvases, busy, .. } = &*self.inner;
        let history = self.history(context, id);
        let permit = guard.admit(context, Action::CanvasCommand, history.key.as_str()).await?;
        let work = Arc::new(self.read(context, &history.key, permit, command)?);
        canvases.require(&**store, &history.scope, id, COMMAND).await?;
        let (mut clear_to, mut at_least) = (work.base_rev, 0);
        for _ in 0..ROUNDS {
            let refusal = match busy.decide(&history, &work, clear_to, at_least).await? {
                Verdict::Done { rev, event_id, status, replayed } => {
                    return Ok(self.answer(&history, rev, event_id, status, replayed));
                }
                Verdict::Failed(error) => return Err(error),
                Verdict::Invalid(error) => Some(error),
                Verdict::Behind => None,
            };
            // It may have been applied long ago, and this is its second try.
            if let Some(answer) = self.answered_before(&history, &work).await? {
                return Ok(answer);
            }
            if let Some(error) = refusal {
                return Err(op_invalid(&error));
            }
            let head = history.head().await?;
            if work.may_rebase(head)
                && head - work.base_rev <= settings.rebase_commits
                && history.untouched(&work, clear_to, head).await?
            {
                clear_to = head;
            } else if work.base_rev != head {
                return Err(history
                    .mismatch(work.base_rev, head, limits.mismatch_commits, limits.mismatch_bytes)
                    .await);
            }
            // Another node has moved the head to where this command wants it, or the writer remembers too little.
            at_least = head;
        }
        let detail = "too many others edit this canvas at the same time; try again";
        Err(Error::new(Code::BackendUnavailable, COMMAND, detail).retry_after(std::time::Duration::from_secs(1)))
    }

    /// Reads and checks a command.
    fn read(&self, context: &RequestContext, key: &StreamKey, permit: Permit, command: Command) -> Result<Work> {
        let Inner { guard, limits, reducer, .. } = &*self.inner;
        command.check(COMMAND)?;
        let ops = parse_ops_for(&**reducer, &command.ops).map_err(|error| op_invalid(&error))?;
        if ops.is_empty() {
            return Err(Error::body(COMMAND, "ops", "ops must hold at least one op"));
        }
        // Written anew: on one line, without what no op knows, and so exactly what a replay reads.
        let ops_json = to_raw_value(&ops).map_err(|error| Error::internal(COMMAND, error))?;
        let ids = command.work().of_request(&context.trace().request_id);
        let routing = command.routing.checked(context, key)?;
        let Command { command_id, idempotency_key, base_rev, intent, on_conflict, .. } = command;
        let intent_bytes = intent.as_ref().map_or(0, |intent| intent.bytes() * 6);
        let room = limits.event_bytes.saturating_sub(EVENT_FRAME_BYTES + intent_bytes);
        if ops_json.get().len() > room {
            let detail = format!("a command's ops have at most {room} bytes of JSON");
            return Err(Error::new(Code::BodyTooLarge, COMMAND, detail).with_member("limit", room));
        }
        let once = idempotency_key.map(|idempotency_key| {
            let ids = [&ids.correlation_id, &ids.run_id, &ids.step_id].map(Option::as_deref);
            let (command_id, intent, routing, ops) = (&command_id, &intent, &routing, &*ops_json);
            let asked = Asked { command_id, base_rev, on_conflict, intent, ids, routing, ops };
            request::once(context, key, idempotency_key, &asked, COMMAND)
        });
        Ok(Work {
            once: once.transpose()?,
            audit: permit.audit(guard, context, key.as_str()),
            context: context.clone(),
            command_id,
            base_rev,
            on_conflict,
            intent,
            ops,
            ops_json,
            ids,
            routing,
            touches: OnceLock::new(),
        })
    }

    async fn answered_before(&self, history: &History, work: &Work) -> Result<Option<CommandAnswer>> {
        let Some(once) = &work.once else { return Ok(None) };
        let Some((receipt, fingerprint)) = history.store.receipt(&history.scope, once).await? else { return Ok(None) };
        if fingerprint != once.fingerprint {
            return Err(CommitError::IdempotencyMismatch.into());
        }
        let appended = receipt.appended.first();
        let appended = appended.ok_or_else(|| Error::internal(COMMAND, "the store's receipt names no append"))?;
        let status = Status::from_note(&receipt.note);
        Ok(Some(self.answer(history, appended.last.0, appended.event_id, status, true)))
    }

    fn answer(&self, history: &History, rev: u64, event_id: Ulid, status: Status, replayed: bool) -> CommandAnswer {
        let cursor = Cursor::single(history.store.log_id(), &history.scope, &history.key, Seq(rev));
        CommandAnswer { status, rev, head_rev: rev, commit_id: event_id, event_id, cursor, replayed }
    }

    /// Shows something to those who are there now. Nothing of it is stored.
    ///
    /// # Errors
    /// `NOT_FOUND`, `BODY_INVALID`, `BODY_TOO_LARGE`, `CONTEXT_MISMATCH`; else as everywhere.
    pub async fn gesture(&self, context: &RequestContext, id: &ResourceId, new: NewGesture) -> Result<()> {
        const GESTURE_OPERATION: &str = "canvas.gesture";
        #[derive(Serialize)]
        struct Data<'a> {
            kind: &'a str,
            data: &'a serde_json::Value,
        }
        let Inner { store, guard, limits, canvases, live, .. } = &*self.inner;
        let key = StreamKey::canvas(id);
        let _permit = guard.admit(context, Action::CanvasGesture, key.as_str()).await?;
        context.check_claims(&new.claims)?;
        request::check_short(GESTURE_OPERATION, "kind", &new.kind)?;
        let routing = new.routing.checked(context, &key)?;
        let data = to_raw_value(&Data { kind: &new.kind, data: &new.data })
            .map_err(|error| Error::internal(GESTURE_OPERATION, error))?;
        if data.get().len() > limits.ephemeral_bytes {
            let detail = format!("a gesture has at most {} bytes of JSON", limits.ephemeral_bytes);
            let error = Error::new(Code::BodyTooLarge, GESTURE_OPERATION, detail);
            return Err(error.with_member("limit", limits.ephemeral_bytes));
        }
        canvases.require(&**store, context.scope(), id, GESTURE_OPERATION).await?;
        let Some(live) = live else { return Ok(()) };
        let now = guard.clock().now();
        let mut event = NewEvent::new(guard.ids().ulid(now), now, GESTURE, context, data);
        event.routing = routing;
        event.meta = Meta::ephemeral();
        live.publish(context.scope(), &key, event).await
    }

    pub(super) fn history(&self, context: &RequestContext, id: &ResourceId) -> History {
        let Inner { store, reducer, .. } = &*self.inner;
        History {
            store: Arc::clone(store),
            reducer: Arc::clone(reducer),
            scope: context.scope().clone(),
            id: id.clone(),
            key: StreamKey::canvas(id),
        }
    }
}

/// `OP_INVALID`. The sentence names the op by its place alone, because it reaches logs; what is wrong with it, which may name
/// a path, is a member for the caller.
fn op_invalid(error: &OpError) -> Error {
    Error::new(Code::OpInvalid, COMMAND, format!("op {} cannot be applied: {}", error.index, error.kind))
        .with_member("index", error.index)
        .with_member("reason", error.kind.as_str())
        .with_member("fault", error.detail.clone())
}

impl fmt::Debug for CanvasService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanvasService").field("store", &self.inner.store).finish_non_exhaustive()
    }
}

impl fmt::Debug for CanvasBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CanvasBuilder").field("store", &self.store).finish_non_exhaustive()
    }
}
