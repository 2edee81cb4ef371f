//! Writes refused attempts into the audit log, at a bounded rate.

use std::{
    borrow::Cow,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use engines_core::{
    Actor, ActorType, Batch, Clock, IdGenerator, Result, Scope, Store, Trace, UserId,
    audit::{AuditEntry, AuditOutcome},
};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::{
    auth_failure::{AuthFailure, AuthFailureSink},
    rate_limiter::{Rate, RateLimiter},
};

/// Limits on the number of refusals that are recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AuthFailureSettings {
    /// The limit of all records together. Refusals beyond it are counted, and the next record has their number.
    /// Default: 500 at once, and ten more every second.
    pub rate: Rate,
    /// The limit of one address, or of one account if no address is known, so that one flood does not hide other
    /// attempts. Default: 50 at once, and one more every second.
    pub rate_each: Rate,
    /// The number of records that may wait to be written. Default: 1,024.
    pub queue: usize,
}

impl Default for AuthFailureSettings {
    fn default() -> Self {
        Self { rate: Rate { burst: 500, every_ms: 100 }, rate_each: Rate { burst: 50, every_ms: 1000 }, queue: 1024 }
    }
}

/// The longest path or address that is recorded, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// Records in one batch.
const WRITE_BATCH: usize = 64;

/// Takes refusals in without waiting. Cheap to clone. Run its [`AuthFailureWriter`] to have them written.
///
/// All refusals go to the audit log of the control plane. An unverified caller can name any tenant, and must not be
/// able to fill the log of that tenant.
#[derive(Debug, Clone)]
pub struct AuthFailureLog(Arc<FailureLogState>);

#[derive(Debug)]
struct FailureLogState {
    sender: mpsc::Sender<AuditEntry>,
    throttle: RateLimiter,
    settings: AuthFailureSettings,
    dropped: AtomicU64,
    clock: Arc<dyn Clock>,
    ids: IdGenerator,
}

/// Writes the refusals that an [`AuthFailureLog`] took in.
#[derive(Debug)]
pub struct AuthFailureWriter {
    receiver: mpsc::Receiver<AuditEntry>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl AuthFailureLog {
    /// Creates a log and the writer that stores its records. Run [`AuthFailureWriter::run`] in a task.
    #[must_use]
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        ids: IdGenerator,
        settings: AuthFailureSettings,
    ) -> (Self, AuthFailureWriter) {
        let (sender, receiver) = mpsc::channel(settings.queue.max(1));
        let writer = AuthFailureWriter { receiver, store, clock: Arc::clone(&clock) };
        let (throttle, left_out) = (RateLimiter::new(), AtomicU64::new(0));
        (Self(Arc::new(FailureLogState { sender, throttle, settings, dropped: left_out, clock, ids })), writer)
    }
}

impl AuthFailureSink for AuthFailureLog {
    fn record(&self, attempt: &AuthFailure<'_>) {
        let FailureLogState { sender, throttle, settings, dropped: left_out, clock, ids } = &*self.0;
        let now = clock.now();
        let each = attempt.address.or(attempt.actor).unwrap_or_default();
        let counted = throttle.take("each", each, settings.rate_each, now).is_ok()
            && throttle.take("all", "", settings.rate, now).is_ok();
        if !counted {
            left_out.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let Ok(place) = sender.try_reserve() else {
            left_out.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let known = attempt.actor.map(sanitize).filter(|who| !who.is_empty());
        let Ok(id) = UserId::new(known.as_deref().unwrap_or("nobody")) else { return };
        let trace = attempt.trace.cloned().unwrap_or_else(|| Trace::begin(&**clock, ids));
        let mut reason = format!("{}: {}", attempt.code, attempt.detail);
        if let Some(address) = attempt.address {
            reason.push_str("; from ");
            reason.push_str(&sanitize(address));
        }
        let missing = left_out.swap(0, Ordering::Relaxed);
        if missing > 0 {
            reason.push_str(&format!("; {missing} more before it were not recorded"));
        }
        place.send(AuditEntry {
            audit_id: ids.ulid(now),
            ts: now,
            action: Cow::Borrowed(attempt.action),
            resource: sanitize(attempt.path),
            outcome: AuditOutcome::Refused,
            // The claimed kind of actor is not verified. `Human` is the default of every token.
            actor: Actor { id, kind: ActorType::Human },
            request_id: trace.request_id,
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            reason: Some(reason.into()),
        });
    }
}

impl AuthFailureWriter {
    /// Writes until every [`AuthFailureLog`] is dropped and the last record is written.
    ///
    /// Records that the store rejects are lost and reported in the log, because the refusals themselves do not depend
    /// on them. Cancel-safe except for the batch that is being written.
    ///
    /// # Errors
    /// None at present.
    pub async fn run(self) -> Result<()> {
        self.run_until(std::future::pending()).await
    }

    /// Like [`AuthFailureWriter::run`], until `stop` completes. Then it writes the records that were taken in, and
    /// accepts no more.
    ///
    /// # Errors
    /// None at present.
    pub async fn run_until(mut self, stop: impl Future<Output = ()>) -> Result<()> {
        let scope = Scope::system()?;
        let mut waiting = Vec::with_capacity(WRITE_BATCH);
        let mut stop = std::pin::pin!(stop);
        let mut stopped = false;
        loop {
            tokio::select! {
                biased;
                count = self.receiver.recv_many(&mut waiting, WRITE_BATCH) => {
                    if count == 0 {
                        return Ok(());
                    }
                }
                () = &mut stop, if !stopped => {
                    stopped = true;
                    self.receiver.close();
                    continue;
                }
            }
            let count = waiting.len();
            let batch = waiting.drain(..).fold(Batch::new(self.clock.now()), |batch, entry| batch.audit(entry));
            if let Err(error) = self.store.commit(&scope, batch).await {
                tracing::warn!(count, %error, "refused attempts could not be written to the audit log");
            }
        }
    }
}

/// Keeps visible ASCII only, up to a bounded length, because an attacker chooses the text and it must not break what
/// displays it.
fn sanitize(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(MAX_TEXT_CHARS).collect()
}
