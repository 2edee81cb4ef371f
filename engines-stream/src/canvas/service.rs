//! The canvas service: creates canvases, applies commands and sends gestures.

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use engines_core::{
    Action, Batch, Code, Cursor, Error, Guard, Limits, RequestContext, ResourceId, Result, Store, StreamKey,
    command::{JsonReducer, OpError, Reducer, parse_ops_for},
    gate::Permit,
    nexus::{CommitError, DocumentKind, Expect, NewDocument},
    stream::{EventMeta, NewEvent, Routing, Seq},
};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use ulid::Ulid;

use super::{
    command::{CanvasCommand, Intent, OnConflict},
    history::CanvasHistory,
    model::{Canvas, CanvasBody, CommandAnswer, CommandStatus, NewCanvas, NewGesture},
    pending_command::{CommandOutcome, PendingCommand, RebaseProgress},
    rebase::{MAX_REBASE_ATTEMPTS, RebaseDecision},
    settings::CanvasSettings,
    writer_pool::WriterPool,
};
use crate::{EphemeralSink, deletion, existence_cache::ExistenceCache, request_fields};

/// The kind of canvas documents. A canvas's stream exists if its document does.
pub const CANVAS: DocumentKind = DocumentKind::from_static("canvas");

/// The type of a gesture's event.
pub const GESTURE: &str = "gesture";

/// The most canvases whose existence is cached.
const MAX_CACHED_CANVASES: usize = 16_384;
/// The most bytes of a commit's event besides ops and intent.
const EVENT_OVERHEAD_BYTES: usize = 512;

const COMMAND_OPERATION: &str = "canvas.command";
const CREATE_OPERATION: &str = "canvas.create";

/// The service for canvases. Cheap to clone.
///
/// # Errors of all methods
/// Every method first asks the guard and fails with its rejection ([`Guard::admit`](engines_core::gate::Guard::admit)):
/// `ROLE_INSUFFICIENT`, `RATE_LIMITED`, or the denial of a gate. It fails with `BACKEND_UNAVAILABLE` when the store
/// does not answer, and with the other errors of [`CommitError`](engines_core::nexus::CommitError) when a write fails.
#[derive(Clone)]
pub struct CanvasService {
    pub(super) inner: Arc<CanvasInner>,
}

pub(super) struct CanvasInner {
    pub(super) store: Arc<dyn Store>,
    pub(super) guard: Guard,
    pub(super) limits: Arc<Limits>,
    pub(super) settings: CanvasSettings,
    pub(super) existing: ExistenceCache,
    reducer: Arc<dyn Reducer>,
    ephemeral: Option<Arc<dyn EphemeralSink>>,
    writers: Arc<WriterPool>,
}

/// Builds a [`CanvasService`].
pub struct CanvasBuilder {
    store: Arc<dyn Store>,
    guard: Guard,
    limits: Arc<Limits>,
    settings: CanvasSettings,
    reducer: Arc<dyn Reducer>,
    ephemeral: Option<Arc<dyn EphemeralSink>>,
}

impl CanvasBuilder {
    /// Sets a custom reducer. All nodes must have the same reducer for ever, because accepted commands are replayed
    /// with it.
    #[must_use]
    pub fn reducer(mut self, reducer: Arc<dyn Reducer>) -> Self {
        self.reducer = reducer;
        self
    }

    /// Sets where gestures are published. Without it gestures are discarded.
    #[must_use]
    pub fn ephemeral_sink(mut self, live: Arc<dyn EphemeralSink>) -> Self {
        self.ephemeral = Some(live);
        self
    }

    /// Sets other settings than the default ones.
    #[must_use]
    pub fn settings(mut self, settings: CanvasSettings) -> Self {
        self.settings = settings;
        self
    }

    /// Builds the service.
    #[must_use]
    pub fn build(self) -> CanvasService {
        let Self { store, guard, limits, settings, reducer, ephemeral } = self;
        let writers = Arc::new(WriterPool::new(guard.clone(), &limits, settings.clone()));
        let existing = ExistenceCache::new(CANVAS, "canvas", MAX_CACHED_CANVASES);
        CanvasService {
            inner: Arc::new(CanvasInner { store, guard, limits, settings, existing, reducer, ephemeral, writers }),
        }
    }
}

/// The part of a request that its fingerprint covers: two requests with one idempotency key are the same if this part
/// is.
#[derive(Serialize)]
struct CommandFingerprintInput<'a> {
    command_id: &'a Option<ResourceId>,
    base_rev: u64,
    on_conflict: OnConflict,
    intent: &'a Option<Intent>,
    ids: [Option<&'a str>; 3],
    routing: &'a Routing,
    ops: &'a RawValue,
}

impl CanvasService {
    /// Makes a service for canvases in `store`, with the standard ops and default settings.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>) -> Self {
        Self::builder(store, guard, limits).build()
    }

    /// Makes a builder of a service for canvases in `store`.
    #[must_use]
    pub fn builder(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>) -> CanvasBuilder {
        let (settings, reducer) = (CanvasSettings::default(), Arc::new(JsonReducer));
        CanvasBuilder { store, guard, limits, settings, reducer, ephemeral: None }
    }

    /// Creates a canvas.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`, `CONTEXT_MISMATCH` for a routing key that disagrees; the errors of all methods, see
    /// [`CanvasService`].
    pub async fn create(&self, context: &RequestContext, new: NewCanvas) -> Result<Canvas> {
        let CanvasInner { store, guard, existing: canvases, .. } = &*self.inner;
        let now = guard.clock().now();
        let canvas_id = new.canvas_id.unwrap_or_else(|| guard.ids().ulid(now).into());
        let key = StreamKey::canvas(&canvas_id);
        let permit = guard.admit(context, Action::CanvasCreate, key.as_str()).await?;
        let routing = new.routing.validate(context, &key)?;
        let body = CanvasBody {
            workspace_id: new.workspace_id.or(routing.workspace_id),
            project_id: new.project_id.or(routing.project_id),
            meta: new.meta,
            created_by: context.actor().id.clone(),
        };
        let batch = Batch::new(now)
            .put(NewDocument::new(CANVAS, &canvas_id, &body)?, Expect::Absent)
            .audit(permit.audit_entry(guard, context, key.as_str()));
        let batch = deletion::require_name_unused(&**store, batch, &key);
        store
            .commit(context.scope(), batch)
            .await
            .map_err(|error| deletion::already_exists(CREATE_OPERATION, "canvas", error))?;
        canvases.insert(context.scope(), &canvas_id);
        Ok(Canvas::from_body(canvas_id, 0, now, body))
    }

    /// Creates a canvas unless its id is taken. Returns `None` if a canvas with this id exists or was deleted.
    ///
    /// # Errors
    /// As [`CanvasService::create`], except `ALREADY_EXISTS`.
    pub async fn create_if_absent(&self, context: &RequestContext, new: NewCanvas) -> Result<Option<Canvas>> {
        deletion::none_if_exists(self.create(context, new).await)
    }

    /// Edits a canvas: applies all ops of the command, or none. Returns when the commit is durable. If the caller goes
    /// away, the command is applied completely or not at all.
    ///
    /// # Errors
    /// `REV_MISMATCH` with `base_rev`, `head_rev`, `ops_since_base` (if these are few enough) and `snapshot_ref`;
    /// `OP_INVALID` with `index`, `reason` and `fault`; `IDEMPOTENCY_MISMATCH`, `BODY_INVALID`, `BODY_TOO_LARGE`,
    /// `NOT_FOUND`, `CONTEXT_MISMATCH`; `BACKEND_UNAVAILABLE` or `OUTCOME_UNKNOWN` when the store failed: with an
    /// idempotency key, a retry is safe. Otherwise the errors of all methods, see [`CanvasService`].
    pub async fn command(
        &self,
        context: &RequestContext,
        id: &ResourceId,
        command: CanvasCommand,
    ) -> Result<CommandAnswer> {
        let CanvasInner { store, guard, limits, settings, existing: canvases, writers, .. } = &*self.inner;
        let history = self.history(context, id);
        let permit = guard.admit(context, Action::CanvasCommand, history.key.as_str()).await?;
        let command = Arc::new(self.prepare(context, &history.key, permit, command)?);
        canvases.require_exists(&**store, &history.scope, id, COMMAND_OPERATION).await?;
        let mut progress = RebaseProgress { untouched_to: command.base_rev, min_head: 0, attempts: 0 };
        while progress.attempts < MAX_REBASE_ATTEMPTS {
            let (invalid_op, log_decides) = match writers.submit(&history, &command, progress).await? {
                CommandOutcome::Committed { rev, event_id, status, replayed } => {
                    return Ok(self.answer(&history, rev, event_id, status, replayed));
                }
                CommandOutcome::Failed(error) => return Err(error),
                CommandOutcome::InvalidOp(error) => (Some(error), false),
                CommandOutcome::StaleBase { log_decides, progress: known } => {
                    progress = known;
                    (None, log_decides)
                }
            };
            // The command may have been applied before, and this is a retry.
            if let Some(answer) = self.replayed_answer(&history, &command).await? {
                return Ok(answer);
            }
            if let Some(error) = invalid_op {
                return Err(op_invalid(&error));
            }
            let (decision, head) = if log_decides {
                history.decide_by_log(&command, progress.untouched_to, settings.rebase_commits).await?
            } else {
                (RebaseDecision::Reject, history.head().await?)
            };
            match decision {
                // Another node has moved the head to the command's base.
                RebaseDecision::Apply => {}
                RebaseDecision::Rebase => progress.untouched_to = head,
                RebaseDecision::ReadLog { .. } | RebaseDecision::Reject => {
                    return Err(history
                        .rev_mismatch_error(command.base_rev, head, limits.mismatch_commits, limits.mismatch_bytes)
                        .await);
                }
            }
            progress.min_head = head;
            progress.attempts = progress.attempts.saturating_add(1);
        }
        let detail = "too many concurrent edits of this canvas; retry";
        Err(Error::new(Code::BackendUnavailable, COMMAND_OPERATION, detail)
            .with_retry_after(std::time::Duration::from_secs(1)))
    }

    /// Decodes and checks a command.
    fn prepare(
        &self,
        context: &RequestContext,
        key: &StreamKey,
        permit: Permit,
        command: CanvasCommand,
    ) -> Result<PendingCommand> {
        let CanvasInner { guard, limits, reducer, .. } = &*self.inner;
        command.check(COMMAND_OPERATION)?;
        let ops = parse_ops_for(&**reducer, &command.ops).map_err(|error| op_invalid(&error))?;
        if ops.is_empty() {
            return Err(Error::invalid_body(COMMAND_OPERATION, "ops", "ops must hold at least one op"));
        }
        // The ops are serialised again: on one line and without unknown members, exactly as a replay reads them.
        let ops_json = to_raw_value(&ops).map_err(|error| Error::internal(COMMAND_OPERATION, error))?;
        let ids = command.client_ids().into_correlation_ids(&context.trace().request_id);
        let routing = command.routing.validate(context, key)?;
        let CanvasCommand { command_id, idempotency_key, base_rev, intent, on_conflict, .. } = command;
        let intent_bytes = intent.as_ref().map_or(0, |intent| intent.bytes() * 6);
        let room = limits.event_bytes.saturating_sub(EVENT_OVERHEAD_BYTES + intent_bytes);
        if ops_json.get().len() > room {
            let detail = format!("a command's ops have at most {room} bytes of JSON");
            return Err(Error::new(Code::BodyTooLarge, COMMAND_OPERATION, detail).with_member("limit", room));
        }
        let idempotency = idempotency_key.map(|idempotency_key| {
            let ids = [&ids.correlation_id, &ids.run_id, &ids.step_id].map(Option::as_deref);
            let (command_id, intent, routing, ops) = (&command_id, &intent, &routing, &*ops_json);
            let input = CommandFingerprintInput { command_id, base_rev, on_conflict, intent, ids, routing, ops };
            request_fields::idempotency(context, key, idempotency_key, &input, COMMAND_OPERATION)
        });
        Ok(PendingCommand {
            idempotency: idempotency.transpose()?,
            audit: permit.audit_entry(guard, context, key.as_str()),
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

    async fn replayed_answer(
        &self,
        history: &CanvasHistory,
        command: &PendingCommand,
    ) -> Result<Option<CommandAnswer>> {
        let Some(idempotency) = &command.idempotency else { return Ok(None) };
        let Some((receipt, fingerprint)) = history.store.receipt(&history.scope, idempotency).await? else {
            return Ok(None);
        };
        if fingerprint != idempotency.fingerprint {
            return Err(CommitError::IdempotencyMismatch.into());
        }
        let appended = receipt.appended.first();
        let appended =
            appended.ok_or_else(|| Error::internal(COMMAND_OPERATION, "the store's receipt names no append"))?;
        let status = CommandStatus::from_note(&receipt.note);
        Ok(Some(self.answer(history, appended.last.0, appended.event_id, status, true)))
    }

    fn answer(
        &self,
        history: &CanvasHistory,
        rev: u64,
        event_id: Ulid,
        status: CommandStatus,
        replayed: bool,
    ) -> CommandAnswer {
        let cursor = Cursor::single(history.store.log_id(), &history.scope, &history.key, Seq(rev));
        CommandAnswer { status, rev, head_rev: rev, commit_id: event_id, event_id, cursor, replayed }
    }

    /// Sends an ephemeral event to the current subscribers. Nothing of it is stored.
    ///
    /// # Errors
    /// `NOT_FOUND`, `BODY_INVALID`, `BODY_TOO_LARGE`, `CONTEXT_MISMATCH`; the errors of all methods, see
    /// [`CanvasService`].
    pub async fn gesture(&self, context: &RequestContext, id: &ResourceId, new: NewGesture) -> Result<()> {
        const GESTURE_OPERATION: &str = "canvas.gesture";
        #[derive(Serialize)]
        struct Data<'a> {
            kind: &'a str,
            data: &'a serde_json::Value,
        }
        let CanvasInner { store, guard, limits, existing: canvases, ephemeral: live, .. } = &*self.inner;
        let key = StreamKey::canvas(id);
        let _permit = guard.admit(context, Action::CanvasGesture, key.as_str()).await?;
        context.check_claims(&new.claims)?;
        request_fields::check_short_text(GESTURE_OPERATION, "kind", &new.kind)?;
        let routing = new.routing.validate(context, &key)?;
        let data = to_raw_value(&Data { kind: &new.kind, data: &new.data })
            .map_err(|error| Error::internal(GESTURE_OPERATION, error))?;
        if data.get().len() > limits.ephemeral_bytes {
            let detail = format!("a gesture has at most {} bytes of JSON", limits.ephemeral_bytes);
            let error = Error::new(Code::BodyTooLarge, GESTURE_OPERATION, detail);
            return Err(error.with_member("limit", limits.ephemeral_bytes));
        }
        canvases.require_exists(&**store, context.scope(), id, GESTURE_OPERATION).await?;
        let Some(live) = live else { return Ok(()) };
        let now = guard.clock().now();
        let mut event = NewEvent::new(guard.ids().ulid(now), now, GESTURE, context, data);
        event.routing = routing;
        event.meta = EventMeta::ephemeral();
        live.publish(context.scope(), &key, event).await
    }

    pub(super) fn history(&self, context: &RequestContext, id: &ResourceId) -> CanvasHistory {
        let CanvasInner { store, reducer, .. } = &*self.inner;
        CanvasHistory {
            store: Arc::clone(store),
            reducer: Arc::clone(reducer),
            scope: context.scope().clone(),
            id: id.clone(),
            key: StreamKey::canvas(id),
        }
    }
}

/// Makes `OP_INVALID`. The detail names the op only by its index, because it is written to logs. The fault, which may
/// name a path, is a member for the caller.
fn op_invalid(error: &OpError) -> Error {
    Error::new(Code::OpInvalid, COMMAND_OPERATION, format!("op {} cannot be applied: {}", error.index, error.kind))
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
