//! Many events in one request: newline-delimited JSON, a result for each line.

use std::{fmt, future::poll_fn, pin::Pin, task::Poll};

use futures_util::{Stream, StreamExt, stream::FuturesOrdered};

use super::{
    DatasetEvent, EventLog, LineResult, Recorded,
    lines::{Line, Lines},
    log::{Key, Prepared, RESOURCE, Rules, check_key},
};
use crate::{
    access::Action,
    code::Code,
    context::RequestContext,
    error::{Error, Result},
    gate::Permit,
    json::Json,
    nexus::{Batch, CommitError, EventOutcome, Receipt},
    scope::Env,
};

const OPERATION: &str = "event.record_batch";
/// The realm of keys made from a batch's own.
const OF_BATCH: &str = "/batch";
/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// Bytes of lines from which on a group is written, however few they are: scrubbing them takes some milliseconds at the most.
const GROUP_BYTES: usize = 256 << 10;
/// Groups on their way to the store at once, where it keeps their order.
const IN_FLIGHT: usize = 16;

/// Takes lines as they arrive, and records their events in groups: one commit, one audit record and one wait for each. Memory does not
/// grow with the batch: it holds the beginning of a line, and a few groups.
///
/// What is recorded stays recorded, whatever becomes of the lines after it; a line that is wrong is refused alone. Dropped halfway, it
/// leaves groups that are wholly written or not at all.
pub struct EventBatch {
    log: EventLog,
    context: RequestContext,
    permit: Permit,
    /// The key of the batch as a whole.
    key: Option<String>,
    lines: Lines,
    /// The last line that was seen.
    line: u64,
    /// How many lines had something on them.
    seen: usize,
    group: Group,
    /// Events and bytes of a full group, as far as the store takes them.
    most: (usize, usize),
    in_flight: usize,
    waiting: FuturesOrdered<Pin<Box<dyn Future<Output = Settled> + Send>>>,
    results: Vec<LineResult>,
    end: BatchEnd,
    /// Nothing more is read: the result of the last line says why.
    over: bool,
}

/// How a batch ended.
#[derive(Debug, Default)]
pub struct BatchEnd {
    /// Lines whose event is durable.
    pub accepted: u64,
    /// Lines whose event is not.
    pub rejected: u64,
    /// The store failed: lines from there on were not recorded, and each says so.
    pub failed: Option<Error>,
}

/// Lines that are written together.
#[derive(Default)]
struct Group {
    /// Asked for once for each group.
    rules: Option<Rules>,
    lines: Vec<(u64, Result<Recorded>)>,
    batch: Option<Batch>,
    events: usize,
    bytes: usize,
}

/// A group, and what the store said.
type Settled = (Vec<(u64, Result<Recorded>)>, Result<Receipt, CommitError>);

impl EventLog {
    /// Begins a batch. With a `key`, each line without a key of its own has that key and its number.
    ///
    /// # Errors
    /// What the guard refuses; `BODY_INVALID` for a key that is empty or has more than 255 bytes.
    pub async fn batch(&self, context: &RequestContext, key: Option<String>) -> Result<EventBatch> {
        let permit = self.guard.admit(context, Action::EventRecordBatch, RESOURCE).await?;
        key.as_deref().map_or(Ok(()), check_key)?;
        let store = self.store.capabilities();
        // The audit record is a write too.
        let events = self.limits.batch_group.min(store.max_writes.saturating_sub(1)).max(1);
        Ok(EventBatch {
            log: self.clone(),
            context: context.clone(),
            permit,
            key,
            lines: Lines::new(self.limits.body_bytes),
            line: 0,
            seen: 0,
            group: Group::default(),
            most: (events, GROUP_BYTES.min(store.max_batch_bytes / 4)),
            in_flight: if store.pipelined { IN_FLIGHT } else { 1 },
            waiting: FuturesOrdered::new(),
            results: Vec::new(),
            end: BatchEnd::default(),
            over: false,
        })
    }
}

impl EventBatch {
    /// Takes the next bytes. Says whether more are wanted: `false` once there are more lines than a batch may have.
    ///
    /// # Errors
    /// `INTERNAL` when the store contradicts itself.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<bool> {
        let mut lines = std::mem::replace(&mut self.lines, Lines::new(0));
        let mut at = 0;
        while !self.over
            && let Some(line) = lines.next(chunk, &mut at)
        {
            self.line(line).await?;
        }
        self.lines = lines;
        Ok(!self.over)
    }

    /// Sends what has arrived to the store, without waiting for a full group: for when nothing more arrives for now.
    ///
    /// # Errors
    /// As [`EventBatch::push`].
    pub async fn flush(&mut self) -> Result<()> {
        let Group { lines, batch, .. } = std::mem::take(&mut self.group);
        let Some(batch) = batch else {
            // Nothing but refused lines. They wait for those before them.
            if !lines.is_empty() {
                self.waiting.push_back(Box::pin(std::future::ready((lines, Ok(Receipt::default())))));
            }
            return self.settle(self.in_flight).await;
        };
        let ids = lines.iter().filter_map(|(_, line)| line.as_ref().ok().map(|recorded| recorded.event_id));
        let (first, last) = ids.fold((None, None), |(first, _), id| (first.or(Some(id)), Some(id)));
        let resource = format!("{RESOURCE}/{}..{}", first.unwrap_or_default(), last.unwrap_or_default());
        let batch = batch.audit(self.permit.audit(&self.log.guard, &self.context, resource));
        let (store, scope) = (self.log.store.clone(), self.context.scope().clone());
        self.waiting.push_back(Box::pin(async move { (lines, store.commit(&scope, batch).await) }));
        self.settle(self.in_flight).await?;
        // Scrubbing a group takes a while: others may want the thread.
        yield_now().await;
        Ok(())
    }

    /// The results that are known, in the order of their lines, each once.
    pub fn results(&mut self) -> impl Iterator<Item = LineResult> + '_ {
        self.results.drain(..)
    }

    /// Ends the batch and waits until everything is durable. With a `fault`, what came last broke off, and the line that it broke
    /// in is told so.
    ///
    /// # Errors
    /// `BODY_INVALID` when there was no line at all; the fault when no line was accepted; `BACKEND_UNAVAILABLE` when the
    /// store failed and no line was accepted; else as [`EventBatch::push`].
    pub async fn finish(mut self, fault: Option<Error>) -> Result<(Vec<LineResult>, BatchEnd)> {
        let mut lines = std::mem::replace(&mut self.lines, Lines::new(0));
        let mut fault = fault;
        if !self.over {
            match fault.take() {
                // The line is not all there: its beginning must not be taken for all of it.
                Some(error) => {
                    self.line += 1;
                    fault = Some(Error::new(error.code(), OPERATION, error.detail().to_owned()));
                    self.group.lines.push((self.line, Err(error)));
                }
                None => {
                    if let Some(line) = lines.last() {
                        self.line(line).await?;
                    }
                }
            }
        }
        self.flush().await?;
        self.settle(0).await?;
        if self.end.accepted == 0 {
            if let Some(error) = self.end.failed.take().or(fault) {
                return Err(error);
            }
            if self.seen == 0 {
                return Err(Error::body(OPERATION, "", "the batch has no lines; send a JSON object on each"));
            }
        }
        Ok((self.results, self.end))
    }

    async fn line(&mut self, line: Line<'_>) -> Result<()> {
        self.line += 1;
        let text = match line {
            Line::Whole(text) => {
                // Editors and spreadsheets put it in front of a file (RFC 8259 section 8.1 lets a reader pass over it).
                let text = if self.line == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
                if text.trim_ascii().is_empty() {
                    return Ok(());
                }
                Ok(text)
            }
            Line::TooLong => {
                Err(self.too_large("the line has more bytes than one may have", self.log.limits.body_bytes))
            }
        };
        self.seen += 1;
        let outcome = if self.seen > self.log.limits.batch_lines {
            self.over = true;
            Err(self.too_large(
                "the batch has too many lines; this one and those after it were not read",
                self.log.limits.batch_lines,
            ))
        } else if self.end.failed.is_some() {
            Err(after_failure())
        } else {
            match text {
                Ok(text) => self.prepare(text).await,
                Err(error) => Err(error),
            }
        };
        let outcome = outcome.map(|prepared| self.group.add(prepared, self.log.guard.clock().now()));
        self.group.lines.push((self.line, outcome));
        let (events, bytes) = self.most;
        if self.group.events >= events || self.group.bytes >= bytes || self.group.lines.len() >= 2 * events {
            self.flush().await?;
        }
        Ok(())
    }

    async fn prepare(&mut self, text: &[u8]) -> Result<Prepared> {
        let limits = &self.log.limits;
        let json = Json::check(text, limits, OPERATION)?.object()?;
        self.agrees(&json)?;
        let mut event: DatasetEvent = json.decode()?;
        let own = event.idempotency_key.take().map(|text| Key { of: "", text, line: None });
        let of_batch = || self.key.as_ref().map(|key| Key { of: OF_BATCH, text: key.clone(), line: Some(self.line) });
        let key = own.or_else(of_batch);
        self.group.bytes += text.len();
        let rules = match self.group.rules.take() {
            Some(rules) => rules,
            None => self.log.rules(&self.context).await.map_err(|error| self.failed(error))?,
        };
        let prepared = self.log.prepare(&self.context, event, key, &rules, self.log.guard.clock().now());
        self.group.rules = Some(rules);
        prepared
    }

    /// A line may name the tenant and environment it is sent to, and no others.
    fn agrees(&self, json: &Json<'_>) -> Result<()> {
        let scope = self.context.scope();
        for name in ["tenant_id", "tenantId"] {
            if json.text(name)?.is_some_and(|tenant| tenant != scope.tenant().as_str()) {
                return Err(mismatch(name, "the line names another tenant than the request"));
            }
        }
        if json.text("env")?.is_some_and(|env| env.parse::<Env>().ok() != Some(scope.env())) {
            return Err(mismatch("env", "the line names another environment than the request"));
        }
        Ok(())
    }

    fn too_large(&self, what: &'static str, limit: usize) -> Error {
        Error::new(Code::BodyTooLarge, OPERATION, what).with_member("limit", limit)
    }

    /// Waits until at most `most` groups are on their way, and takes what else is there.
    async fn settle(&mut self, most: usize) -> Result<()> {
        loop {
            let next = if self.waiting.len() > most {
                self.waiting.next().await
            } else {
                // One look, which also sends a group that was just put there on its way.
                poll_fn(|cx| {
                    Poll::Ready(match Pin::new(&mut self.waiting).poll_next(cx) {
                        Poll::Ready(next) => next,
                        Poll::Pending => None,
                    })
                })
                .await
            };
            let Some((lines, answer)) = next else { return Ok(()) };
            self.take(lines, answer)?;
        }
    }

    /// Turns a group and its answer into results.
    fn take(&mut self, lines: Vec<(u64, Result<Recorded>)>, answer: Result<Receipt, CommitError>) -> Result<()> {
        let mut failure = None;
        let mut outcomes = match answer {
            Ok(receipt) => receipt.recorded.into_iter(),
            Err(CommitError::Refused(error)) => {
                failure = Some(error);
                Vec::new().into_iter()
            }
            Err(error) => {
                failure = Some(self.failed(error.into()));
                Vec::new().into_iter()
            }
        };
        let mut new = false;
        for (line, prepared) in lines {
            let outcome = match (prepared, &failure) {
                (Err(error), _) => Err(error),
                (Ok(_), Some(error)) => Err(Error::new(error.code(), OPERATION, error.detail().to_owned())),
                (Ok(recorded), None) => match outcomes.next() {
                    Some(EventOutcome::Kept(seq)) => {
                        new = true;
                        Ok(Recorded { seq, ..recorded })
                    }
                    Some(EventOutcome::Replayed { seq, note }) => Ok(recorded.again(seq, &note)?),
                    Some(EventOutcome::Mismatch) => Err(CommitError::IdempotencyMismatch.into()),
                    None => return Err(Error::internal(OPERATION, "the store gave no place to an event it took")),
                },
            };
            match &outcome {
                Ok(_) => self.end.accepted += 1,
                Err(_) => self.end.rejected += 1,
            }
            self.results.push(LineResult { line, outcome });
        }
        if new {
            self.log.told();
        }
        Ok(())
    }

    /// Notes that the store failed; gives what the lines concerned are told.
    fn failed(&mut self, error: Error) -> Error {
        let code = error.code();
        if matches!(code, Code::BackendUnavailable | Code::OutcomeUnknown | Code::StorageFull | Code::Internal) {
            tracing::warn!(%code, %error, "a batch of events could not be recorded to its end");
        }
        self.end.failed.get_or_insert(error);
        match code {
            Code::OutcomeUnknown => outcome_unknown(),
            Code::StorageFull => storage_full(),
            _ => after_failure(),
        }
    }
}

impl Group {
    /// Adds an event; gives what its line is told if it is new.
    fn add(&mut self, prepared: Prepared, now: crate::clock::Timestamp) -> Recorded {
        let Prepared { event, once, recorded } = prepared;
        let batch = self.batch.take().unwrap_or_else(|| Batch::new(now));
        self.batch = Some(match once {
            Some(once) => batch.record_once(event, once),
            None => batch.record(event),
        });
        self.events += 1;
        recorded
    }
}

fn mismatch(field: &str, detail: &'static str) -> Error {
    Error::new(Code::ContextMismatch, OPERATION, detail).with_member("field", format!("/{field}"))
}

fn after_failure() -> Error {
    let detail = "the store failed before this line was durable; send it again, best with an idempotency key";
    Error::new(Code::BackendUnavailable, OPERATION, detail)
}

fn outcome_unknown() -> Error {
    let detail = "the store failed while it wrote this line, so whether it is recorded is not known; send it again with the \
                  same idempotency key";
    Error::new(Code::OutcomeUnknown, OPERATION, detail)
}

fn storage_full() -> Error {
    Error::new(
        Code::StorageFull,
        OPERATION,
        "the storage is full; this line was not recorded, free space and send it again",
    )
}

/// Lets others have the thread once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl fmt::Debug for EventBatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventBatch").field("context", &self.context).field("line", &self.line).finish_non_exhaustive()
    }
}
