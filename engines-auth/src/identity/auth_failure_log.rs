//! Refused attempts into the audit log, at a bounded rate.

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

use super::rate_limiter::{Rate, RateLimiter};
use crate::auth_failure::{AuthFailure, AuthFailureSink};

/// How many refusals are written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct AuthFailureSettings {
    /// In all. Default: 500 at once, and ten more every second. What is over is counted, and the next record says how many.
    pub rate: Rate,
    /// From one address, or by one account, so that one flood does not hide the rest. Default: 50 at once, one more every second.
    pub rate_each: Rate,
    /// Records waiting to be written. Default: 1,024.
    pub queue: usize,
}

impl Default for AuthFailureSettings {
    fn default() -> Self {
        Self { rate: Rate { burst: 500, every_ms: 100 }, rate_each: Rate { burst: 50, every_ms: 1000 }, queue: 1024 }
    }
}

/// The longest text of a path or an address that is kept, in characters.
const MAX_TEXT_CHARS: usize = 200;

/// Records in one batch.
const WRITE_BATCH: usize = 64;

/// Takes refusals in, without waiting. Cheap to clone. Its [`AuthFailureWriter`] must run for them to be written.
///
/// They go to the control plane's audit log: an unverified caller names whatever tenant it likes, and must not fill that tenant's log.
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

/// Writes what a [`AuthFailureLog`] took in.
#[derive(Debug)]
pub struct AuthFailureWriter {
    receiver: mpsc::Receiver<AuditEntry>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

impl AuthFailureLog {
    /// A log, and what writes it into `store`: give its [`AuthFailureWriter::run`] a task.
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
            // What the attempt claims to be is not known; a person is the default of every token.
            actor: Actor { id, kind: ActorType::Human },
            request_id: trace.request_id,
            trace_id: trace.trace_id,
            span_id: trace.span_id,
            reason: Some(reason.into()),
        });
    }
}

impl AuthFailureWriter {
    /// Writes until every [`AuthFailureLog`] is gone and the last record is written. Records that the store does not take are lost, and logged
    /// as such: refusing goes on whether it is recorded or not. Cancel-safe but for the batch being written.
    ///
    /// # Errors
    /// Never in practice.
    pub async fn run(self) -> Result<()> {
        self.run_until(std::future::pending()).await
    }

    /// As [`AuthFailureWriter::run`], until `stop`: then what was taken in is written, and nothing more is.
    ///
    /// # Errors
    /// Never in practice.
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
                tracing::warn!(count, %error, "refused attempts could not be recorded");
            }
        }
    }
}

/// Visible ASCII alone, cut to a bounded length: what is given by somebody who may mean harm must not break whatever shows it.
fn sanitize(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(MAX_TEXT_CHARS).collect()
}
