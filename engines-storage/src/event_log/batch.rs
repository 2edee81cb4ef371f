//! Batches of events: newline-delimited JSON with one result for each line.

use std::{fmt, future::poll_fn, pin::Pin, task::Poll};

use engines_core::{
    Action, Batch, Code, DatasetEvent, Env, Error, RequestContext, Result, Timestamp,
    gate::Permit,
    json::CheckedJson,
    nexus::{CommitError, CommitReceipt, EventOutcome},
};
use futures_util::{Stream, StreamExt, stream::FuturesOrdered};

use super::{
    EventLog, LineResult, RecordedEvent,
    line_splitter::{LineSplitter, SplitLine},
    service::{EventKey, PreparedEvent, RESOURCE, RecordingRules, check_key},
};

const OPERATION: &str = "event.record_batch";
/// The suffix of the namespace of keys that are derived from a batch's key.
const BATCH_NAMESPACE: &str = "/batch";
/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// A group of lines is written once it has this many bytes, even if it has few lines. Scrubbing this much takes some
/// milliseconds at most.
const GROUP_BYTES: usize = 256 << 10;
/// The most groups that are committed at once; the store keeps their order.
const MAX_IN_FLIGHT_GROUPS: usize = 16;

/// Receives lines as they arrive and records their events in groups, each with one commit, one audit record and one
/// wait. Memory does not grow with the batch: it holds the beginning of a line and a few groups.
///
/// Recorded events stay recorded, whatever happens to later lines; an invalid line is rejected by itself. If the batch
/// is dropped halfway, each group is written completely or not at all.
pub struct EventBatch {
    log: EventLog,
    context: RequestContext,
    permit: Permit,
    /// The idempotency key of the batch as a whole.
    batch_key: Option<String>,
    splitter: LineSplitter,
    /// The number of the last line that was read.
    line_number: u64,
    /// The number of lines that were not blank.
    nonblank_lines: usize,
    group: LineGroup,
    /// Events and bytes of a full group, within the store's limits.
    group_limits: (usize, usize),
    max_in_flight: usize,
    pending_commits: FuturesOrdered<Pin<Box<dyn Future<Output = LineGroupCommit> + Send>>>,
    results: Vec<LineResult>,
    summary: BatchSummary,
    /// No more lines are read; the result of the last line gives the reason.
    closed: bool,
}

/// The result of a batch.
#[derive(Debug, Default)]
pub struct BatchSummary {
    /// The number of lines whose event is durable.
    pub accepted: u64,
    /// The number of lines whose event is not.
    pub rejected: u64,
    /// The store failed: the lines from there on were not recorded, and their results say so.
    pub store_error: Option<Error>,
}

/// Lines that are written together.
#[derive(Default)]
struct LineGroup {
    /// The caller's rules, loaded once for each group.
    rules: Option<RecordingRules>,
    lines: Vec<(u64, Result<RecordedEvent>)>,
    batch: Option<Batch>,
    events: usize,
    bytes: usize,
}

/// The results of a group's lines, and the store's result for its commit.
type LineGroupCommit = (Vec<(u64, Result<RecordedEvent>)>, Result<CommitReceipt, CommitError>);

impl EventLog {
    /// Starts a batch. If `key` is given, each line without an idempotency key gets one made of `key` and its line
    /// number.
    ///
    /// # Errors
    /// Rejections of the guard; `BODY_INVALID` for a key that is empty or has more than 255 bytes.
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
            batch_key: key,
            splitter: LineSplitter::new(self.limits.body_bytes),
            line_number: 0,
            nonblank_lines: 0,
            group: LineGroup::default(),
            group_limits: (events, GROUP_BYTES.min(store.max_batch_bytes / 4)),
            max_in_flight: if store.pipelined { MAX_IN_FLIGHT_GROUPS } else { 1 },
            pending_commits: FuturesOrdered::new(),
            results: Vec::new(),
            summary: BatchSummary::default(),
            closed: false,
        })
    }
}

impl EventBatch {
    /// Takes the next bytes. Returns whether more are wanted: `false` once the batch has more lines than the limit.
    ///
    /// # Errors
    /// `INTERNAL` when the store returns an inconsistent receipt.
    pub async fn push(&mut self, chunk: &[u8]) -> Result<bool> {
        let mut lines = std::mem::replace(&mut self.splitter, LineSplitter::new(0));
        let mut at = 0;
        while !self.closed
            && let Some(line) = lines.next_line(chunk, &mut at)
        {
            self.add_line(line).await?;
        }
        self.splitter = lines;
        Ok(!self.closed)
    }

    /// Sends the lines received so far to the store without waiting for a full group. Call it when no more input is
    /// available for now.
    ///
    /// # Errors
    /// As [`EventBatch::push`].
    pub async fn flush(&mut self) -> Result<()> {
        let LineGroup { lines, batch, .. } = std::mem::take(&mut self.group);
        let Some(batch) = batch else {
            // The group has only rejected lines. Their results wait for those of the earlier lines.
            if !lines.is_empty() {
                self.pending_commits.push_back(Box::pin(std::future::ready((lines, Ok(CommitReceipt::default())))));
            }
            return self.collect_commits(self.max_in_flight).await;
        };
        let ids = lines.iter().filter_map(|(_, line)| line.as_ref().ok().map(|recorded| recorded.event_id));
        let (first, last) = ids.fold((None, None), |(first, _), id| (first.or(Some(id)), Some(id)));
        let resource = format!("{RESOURCE}/{}..{}", first.unwrap_or_default(), last.unwrap_or_default());
        let batch = batch.audit(self.permit.audit_entry(&self.log.guard, &self.context, resource));
        let (store, scope) = (self.log.store.clone(), self.context.scope().clone());
        self.pending_commits.push_back(Box::pin(async move { (lines, store.commit(&scope, batch).await) }));
        self.collect_commits(self.max_in_flight).await?;
        // Scrubbing a group takes some milliseconds, so other tasks get to run first.
        yield_now().await;
        Ok(())
    }

    /// The results that are known, in the order of the lines. Each result is returned once.
    pub fn results(&mut self) -> impl Iterator<Item = LineResult> + '_ {
        self.results.drain(..)
    }

    /// Ends the batch and waits until all of its events are durable. `fault` says that the input broke off; the line in
    /// which it broke off is then rejected with this error.
    ///
    /// # Errors
    /// `BODY_INVALID` when there was no line; `fault` when no line was accepted; `BACKEND_UNAVAILABLE` when the store
    /// failed and no line was accepted; otherwise as [`EventBatch::push`].
    pub async fn finish(mut self, fault: Option<Error>) -> Result<(Vec<LineResult>, BatchSummary)> {
        let mut lines = std::mem::replace(&mut self.splitter, LineSplitter::new(0));
        let mut fault = fault;
        if !self.closed {
            match fault.take() {
                // The last line is incomplete, so its beginning must not be read as the whole line.
                Some(error) => {
                    self.line_number += 1;
                    fault = Some(Error::new(error.code(), OPERATION, error.detail().to_owned()));
                    self.group.lines.push((self.line_number, Err(error)));
                }
                None => {
                    if let Some(line) = lines.last_line() {
                        self.add_line(line).await?;
                    }
                }
            }
        }
        self.flush().await?;
        self.collect_commits(0).await?;
        if self.summary.accepted == 0 {
            if let Some(error) = self.summary.store_error.take().or(fault) {
                return Err(error);
            }
            if self.nonblank_lines == 0 {
                return Err(Error::invalid_body(OPERATION, "", "the batch has no lines; send a JSON object on each"));
            }
        }
        Ok((self.results, self.summary))
    }

    async fn add_line(&mut self, line: SplitLine<'_>) -> Result<()> {
        self.line_number += 1;
        let text = match line {
            SplitLine::Whole(text) => {
                // Editors and spreadsheets write a byte order mark at the start of a file (RFC 8259 section 8.1 allows
                // a reader to ignore it).
                let text =
                    if self.line_number == 1 { text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text) } else { text };
                if text.trim_ascii().is_empty() {
                    return Ok(());
                }
                Ok(text)
            }
            SplitLine::TooLong => {
                Err(self.too_large_error("the line has more bytes than one may have", self.log.limits.body_bytes))
            }
        };
        self.nonblank_lines += 1;
        let outcome = if self.nonblank_lines > self.log.limits.batch_lines {
            self.closed = true;
            Err(self.too_large_error(
                "the batch has too many lines; this one and those after it were not read",
                self.log.limits.batch_lines,
            ))
        } else if self.summary.store_error.is_some() {
            Err(store_failed_error())
        } else {
            match text {
                Ok(text) => self.prepare_line(text).await,
                Err(error) => Err(error),
            }
        };
        let outcome = outcome.map(|prepared| self.group.add_event(prepared, self.log.guard.clock().now()));
        self.group.lines.push((self.line_number, outcome));
        let (events, bytes) = self.group_limits;
        if self.group.events >= events || self.group.bytes >= bytes || self.group.lines.len() >= 2 * events {
            self.flush().await?;
        }
        Ok(())
    }

    async fn prepare_line(&mut self, text: &[u8]) -> Result<PreparedEvent> {
        let limits = &self.log.limits;
        let json = CheckedJson::check(text, limits, OPERATION)?.expect_object()?;
        self.check_scope(&json)?;
        let mut event: DatasetEvent = json.decode()?;
        let own = event.idempotency_key.take().map(|text| EventKey { namespace_suffix: "", text, line_number: None });
        let of_batch = || {
            self.batch_key.as_ref().map(|key| EventKey {
                namespace_suffix: BATCH_NAMESPACE,
                text: key.clone(),
                line_number: Some(self.line_number),
            })
        };
        let key = own.or_else(of_batch);
        self.group.bytes += text.len();
        let rules = match self.group.rules.take() {
            Some(rules) => rules,
            None => self.log.load_rules(&self.context).await.map_err(|error| self.note_store_error(error))?,
        };
        let prepared = self.log.prepare(&self.context, event, key, &rules, self.log.guard.clock().now());
        self.group.rules = Some(rules);
        prepared
    }

    /// A line may name the tenant and environment of the request, and no others.
    fn check_scope(&self, json: &CheckedJson<'_>) -> Result<()> {
        let scope = self.context.scope();
        for name in ["tenant_id", "tenantId"] {
            if json.string_member(name)?.is_some_and(|tenant| tenant != scope.tenant().as_str()) {
                return Err(scope_mismatch(name, "the line names another tenant than the request"));
            }
        }
        if json.string_member("env")?.is_some_and(|env| env.parse::<Env>().ok() != Some(scope.env())) {
            return Err(scope_mismatch("env", "the line names another environment than the request"));
        }
        Ok(())
    }

    fn too_large_error(&self, what: &'static str, limit: usize) -> Error {
        Error::new(Code::BodyTooLarge, OPERATION, what).with_member("limit", limit)
    }

    /// Waits until at most `most` groups are being committed, and takes the results of all groups that are done.
    async fn collect_commits(&mut self, most: usize) -> Result<()> {
        loop {
            let next = if self.pending_commits.len() > most {
                self.pending_commits.next().await
            } else {
                // Polling once also starts the commit of a group that was just added.
                poll_fn(|cx| {
                    Poll::Ready(match Pin::new(&mut self.pending_commits).poll_next(cx) {
                        Poll::Ready(next) => next,
                        Poll::Pending => None,
                    })
                })
                .await
            };
            let Some((lines, answer)) = next else { return Ok(()) };
            self.add_results(lines, answer)?;
        }
    }

    /// Turns a group and its commit's result into line results.
    fn add_results(
        &mut self,
        lines: Vec<(u64, Result<RecordedEvent>)>,
        answer: Result<CommitReceipt, CommitError>,
    ) -> Result<()> {
        let mut failure = None;
        let mut outcomes = match answer {
            Ok(receipt) => receipt.recorded.into_iter(),
            Err(CommitError::Refused(error)) => {
                failure = Some(error);
                Vec::new().into_iter()
            }
            Err(error) => {
                failure = Some(self.note_store_error(error.into()));
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
                        Ok(RecordedEvent { seq, ..recorded })
                    }
                    Some(EventOutcome::Replayed { seq, note }) => Ok(recorded.into_replayed(seq, &note)?),
                    Some(EventOutcome::Mismatch) => Err(CommitError::IdempotencyMismatch.into()),
                    None => {
                        return Err(Error::internal(
                            OPERATION,
                            "the store returned no sequence number for an event it accepted",
                        ));
                    }
                },
            };
            match &outcome {
                Ok(_) => self.summary.accepted += 1,
                Err(_) => self.summary.rejected += 1,
            }
            self.results.push(LineResult { line, outcome });
        }
        if new {
            self.log.notify();
        }
        Ok(())
    }

    /// Records the store's failure; returns the error for the lines concerned.
    fn note_store_error(&mut self, error: Error) -> Error {
        let code = error.code();
        if matches!(code, Code::BackendUnavailable | Code::OutcomeUnknown | Code::StorageFull | Code::Internal) {
            tracing::warn!(%code, %error, "a batch of events could not be recorded to its end");
        }
        self.summary.store_error.get_or_insert(error);
        match code {
            Code::OutcomeUnknown => outcome_unknown_error(),
            Code::StorageFull => storage_full_error(),
            _ => store_failed_error(),
        }
    }
}

impl LineGroup {
    /// Adds an event; returns the result of its line for the case that it is new.
    fn add_event(&mut self, prepared: PreparedEvent, now: Timestamp) -> RecordedEvent {
        let PreparedEvent { event, idempotency: once, recorded } = prepared;
        let batch = self.batch.take().unwrap_or_else(|| Batch::new(now));
        self.batch = Some(match once {
            Some(once) => batch.record_idempotent(event, once),
            None => batch.record(event),
        });
        self.events += 1;
        recorded
    }
}

fn scope_mismatch(field: &str, detail: &'static str) -> Error {
    Error::new(Code::ContextMismatch, OPERATION, detail).with_member("field", format!("/{field}"))
}

fn store_failed_error() -> Error {
    let detail = "the store failed before this line was durable; send it again, best with an idempotency key";
    Error::new(Code::BackendUnavailable, OPERATION, detail)
}

fn outcome_unknown_error() -> Error {
    let detail = "the store failed while it wrote this line, so whether it is recorded is not known; send it again with the \
                  same idempotency key";
    Error::new(Code::OutcomeUnknown, OPERATION, detail)
}

fn storage_full_error() -> Error {
    Error::new(
        Code::StorageFull,
        OPERATION,
        "the storage is full; this line was not recorded, free space and send it again",
    )
}

/// Lets other tasks run once.
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
        f.debug_struct("EventBatch")
            .field("context", &self.context)
            .field("line", &self.line_number)
            .finish_non_exhaustive()
    }
}
