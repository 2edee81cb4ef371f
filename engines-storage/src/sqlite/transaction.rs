//! Runs one batch inside the running transaction: first it checks every precondition, then it writes.

use std::{collections::HashMap, sync::PoisonError};

use engines_core::{
    Error, Scope, Timestamp,
    nexus::{
        AppendReceipt, CommitError, CommitReceipt, EventOutcome, Expect, ExpectedHead, FailedPrecondition, Partition,
        StoreChange,
    },
    stream::{LogId, Seq, StreamKey},
};
use rusqlite::{CachedStatement, Connection, params};

use super::{
    archive, audit_rows,
    documents::{self, CachedDocument},
    error::{Refusal, SqliteFailure},
    health,
    idempotency::{HashedKey, TransactionIndex},
    job::{ArchiveWrite, AuditRow, BatchJob, EventRow, PreparedWrite},
    reclaim::reclaim,
    scopes::ScopeCache,
    state::StoreState,
    streams::{self, StreamRow},
};

/// A stream as the running transaction sees it.
struct StreamState {
    stream: StreamRow,
    changed: bool,
    appended: bool,
    deleted: bool,
}

/// The running transaction: the changes of its batches that are not published yet.
pub(super) struct BatchTransaction<'a> {
    pub(super) connection: &'a Connection,
    pub(super) shared: &'a StoreState,
    pub(super) scopes: &'a mut ScopeCache,
    streams: Vec<(streams::StreamName, StreamState)>,
    stream_index: HashMap<streams::StreamName, usize>,
    /// The index of the stream that was requested last; the next request is often for the same one.
    last_stream: usize,
    pub(super) documents: HashMap<documents::DocumentName, Option<CachedDocument>>,
    pub(super) idempotency: TransactionIndex,
    /// Whether rows of trimmed events are to be deleted.
    pub(super) has_trimmed: bool,
    /// Whether content was removed, which the files may still contain.
    pub(super) has_erased: bool,
    /// Whether scopes were published.
    published: bool,
    /// The log's new id.
    log: Option<LogId>,
    /// Whether all free pages were released, so that the log can be emptied.
    pub(super) reclaimed: bool,
    /// The statements that nearly every batch needs.
    insert_event: Option<CachedStatement<'a>>,
    insert_audit: Option<CachedStatement<'a>>,
}

impl<'a> BatchTransaction<'a> {
    pub(super) fn new(connection: &'a Connection, shared: &'a StoreState, scopes: &'a mut ScopeCache) -> Self {
        Self {
            connection,
            shared,
            scopes,
            streams: Vec::new(),
            stream_index: HashMap::new(),
            last_stream: 0,
            documents: HashMap::new(),
            idempotency: shared.idempotency.begin_transaction(),
            has_trimmed: false,
            has_erased: false,
            reclaimed: false,
            published: false,
            log: None,
            insert_event: None,
            insert_audit: None,
        }
    }

    /// Runs a batch.
    pub(super) fn run_batch(&mut self, job: &BatchJob) -> Result<CommitReceipt, Refusal> {
        if let Some(keyed) = &job.idempotency
            && let Some((receipt, fingerprint)) =
                self.idempotency.receipt(self.connection, &self.shared.idempotency, &job.scope, keyed)?
        {
            return match fingerprint == keyed.idempotency.fingerprint {
                true => Ok(CommitReceipt { replayed: true, ..receipt }),
                false => Err(Refusal::Rejected(CommitError::IdempotencyMismatch)),
            };
        }
        for (index, step) in job.writes.iter().enumerate() {
            self.check_write(&job.scope, index, step)?;
        }
        let mut receipt = CommitReceipt::default();
        for step in &job.writes {
            self.write(&job.scope, job.at, step, &mut receipt)?;
        }
        if let Some(keyed) = &job.idempotency {
            receipt.note.clone_from(&keyed.idempotency.note);
            let scope_id = self.scopes.get_or_create(self.connection, &job.scope)?.id;
            self.idempotency.insert_receipt(self.connection, scope_id, keyed, &receipt, job.at)?;
        }
        Ok(receipt)
    }

    /// Writes the heads, once for each stream.
    pub(super) fn write_heads(&mut self) -> Result<(), SqliteFailure> {
        const SQL: &str = "UPDATE streams SET head = ?2, first = ?3 WHERE stream_id = ?1";
        let mut update = self.connection.prepare_cached(SQL)?;
        for (_, StreamState { stream, deleted, .. }) in self.streams.iter().filter(|(_, touched)| touched.changed) {
            update.execute(params![stream.id, seq_to_i64(stream.head.seq)?, seq_to_i64(stream.head.first)?])?;
            if *deleted {
                const DELETED: &str = "UPDATE streams SET deleted = 1 WHERE stream_id = ?1 AND deleted = 0";
                self.connection.prepare_cached(DELETED)?.execute([stream.id])?;
            }
        }
        if self.has_erased {
            self.shared.erasure.mark_pending(self.connection)?;
        }
        self.scopes.write_changes(self.connection)
    }

    /// Publishes the changes after the commit. Returns the change notifications to send.
    pub(super) fn publish(self) -> Vec<StoreChange> {
        self.shared.idempotency.publish(self.idempotency);
        self.shared.erasure.note_commit(self.has_erased, self.reclaimed);
        for (name, document) in self.documents {
            self.shared.documents.insert(name, document);
        }
        let (mut grown, mut gone) = (Vec::new(), Vec::new());
        for (name, StreamState { stream, changed, appended, deleted }) in self.streams {
            if appended {
                grown.push((name.0.clone(), name.1.clone(), stream.head.seq));
            }
            if deleted {
                gone.push(name.clone());
            }
            if changed {
                self.shared.heads.insert(name, stream);
            }
        }
        let grown = (!grown.is_empty()).then(|| StoreChange::Appended(grown.into()));
        let gone = (!gone.is_empty()).then(|| StoreChange::Deleted(gone.into()));
        if self.published {
            // The cache contains the absence of documents under the names of published scopes.
            self.shared.documents.clear();
            self.shared.heads.clear();
        }
        if let Some(log) = self.log {
            self.shared.set_log_id(log);
        }
        let published = self.published.then_some(StoreChange::Lagged);
        grown.into_iter().chain(gone).chain(published).collect()
    }

    /// Reads a stream's row again, because it was changed outside of this transaction's state.
    pub(super) fn reload_stream(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), SqliteFailure> {
        let stream = streams::load(self.connection, &(scope.clone(), key.clone()))?;
        let touched = self.stream_state(scope, key)?;
        (touched.stream, touched.changed) = (stream, true);
        Ok(())
    }

    /// Drops the state of a stream whose row was deleted with its scope.
    pub(super) fn forget_stream(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), SqliteFailure> {
        *self.stream_state(scope, key)? =
            StreamState { stream: StreamRow::NONE, changed: true, appended: false, deleted: false };
        Ok(())
    }

    fn scope_for<'s>(&'s self, scope: &'s Scope, realm: Partition) -> &'s Scope {
        match realm {
            Partition::Own => scope,
            Partition::System => &self.shared.system,
        }
    }

    fn check_write(&mut self, scope: &Scope, index: usize, step: &PreparedWrite) -> Result<(), Refusal> {
        let (realm, kind, id, expect) = match step {
            PreparedWrite::Put { realm, document, expect, .. } => (*realm, &document.kind, &document.id, *expect),
            PreparedWrite::Delete { realm, kind, id, expect } => (*realm, kind, id, *expect),
            PreparedWrite::Append { key, expected, events } => {
                let stream = self.stream_state(scope, key)?.stream;
                if stream.head.deleted {
                    return Err(deleted_error(index, key));
                }
                let head = stream.head.seq;
                if stream.rowkey(head.plus(events.len() as u64)).is_none() {
                    return Err(refuse("the stream is full; start another one"));
                }
                return match expected {
                    ExpectedHead::Seq(wanted) if *wanted != head => {
                        let failed = FailedPrecondition::Stream { key: key.clone(), head };
                        Err(Refusal::Rejected(CommitError::Precondition { index, failed }))
                    }
                    _ => Ok(()),
                };
            }
            PreparedWrite::Trim { key, first } => {
                return match *first > self.stream_state(scope, key)?.stream.head.seq.next() {
                    true => Err(refuse("a trim may go at most one past the head")),
                    false => Ok(()),
                };
            }
            PreparedWrite::DeleteStream { key } | PreparedWrite::ExpectStream { key } => {
                return match self.stream_state(scope, key)?.stream.head.deleted {
                    true => Err(deleted_error(index, key)),
                    false => Ok(()),
                };
            }
            PreparedWrite::Archive(step) => {
                return match &**step {
                    ArchiveWrite::Publish { scopes, .. } => archive::check_publish(self.connection, scopes),
                    _ => Ok(()),
                };
            }
            PreparedWrite::Record { .. }
            | PreparedWrite::Audit(_)
            | PreparedWrite::Remove(_)
            | PreparedWrite::Reclaim
            | PreparedWrite::Probe => return Ok(()),
        };
        let name = (self.scope_for(scope, realm).clone(), kind.clone(), id.clone());
        let version = self.document(&name)?.map(|stored| stored.version);
        let holds = match expect {
            Expect::Absent => version.is_none(),
            Expect::Version(wanted) => version == Some(wanted),
            Expect::Present => version.is_some(),
            Expect::Any => true,
        };
        if holds {
            return Ok(());
        }
        let (_, kind, id) = name;
        Err(Refusal::Rejected(CommitError::Precondition {
            index,
            failed: FailedPrecondition::Document { kind, id, version },
        }))
    }

    fn write(
        &mut self,
        scope: &Scope,
        at: Timestamp,
        step: &PreparedWrite,
        receipt: &mut CommitReceipt,
    ) -> Result<(), Refusal> {
        match step {
            PreparedWrite::Put { realm, document, tags, .. } => {
                let home = self.scope_for(scope, *realm).clone();
                let scope_id = self.scopes.get_or_create(self.connection, &home)?.id;
                let name = (home, document.kind.clone(), document.id.clone());
                let old = self.document(&name)?;
                let stored = documents::put(self.connection, scope_id, old.as_ref(), document, tags, at)?;
                receipt.versions.push(stored.version);
                self.documents.insert(name, Some(stored));
            }
            PreparedWrite::Delete { realm, kind, id, .. } => {
                let name = (self.scope_for(scope, *realm).clone(), kind.clone(), id.clone());
                if let Some(old) = self.document(&name)? {
                    let scope_id = self.scopes.get_or_create(self.connection, &name.0)?.id;
                    documents::delete(self.connection, scope_id, &old)?;
                    self.documents.insert(name, None);
                    self.has_erased = true;
                }
                receipt.versions.push(0);
            }
            PreparedWrite::Append { key, events, .. } => receipt.appended.push(self.append(scope, key, events)?),
            PreparedWrite::Trim { key, first } => self.trim(scope, key, *first)?,
            PreparedWrite::DeleteStream { key } => self.delete_stream(scope, key)?,
            PreparedWrite::ExpectStream { .. } => {}
            PreparedWrite::Remove(step) => {
                let removed = self.remove_step(scope, step)?;
                *step.outcome.lock().unwrap_or_else(PoisonError::into_inner) = removed;
            }
            PreparedWrite::Reclaim => {
                let walking = self.shared.erasure.is_walking();
                self.reclaimed = walking || reclaim(self.connection)?;
            }
            PreparedWrite::Record { event, pii_flags, once } => {
                const SQL: &str = "INSERT INTO dataset_events (scope_id, seq, event_id, ts, surface, agent_id, type, \
                                   trace_id, actor_id, actor_type, train_ok, pii_flags, body) \
                                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
                let known = self.scopes.get_or_create(self.connection, scope)?;
                let (scope_id, seq) = (known.id, known.last_event + 1);
                if let Some(keyed) = once
                    && let Some(again) = self.keep_event_key(scope, (scope_id, seq), keyed, at)?
                {
                    receipt.recorded.push(again);
                    return Ok(());
                }
                let actor = event.actor();
                self.connection.prepare_cached(SQL)?.execute(params![
                    scope_id,
                    seq,
                    &*event.event_id().array_to_str(&mut [0; ulid::ULID_LEN]),
                    event.ts().as_millis(),
                    event.surface(),
                    event.agent_id(),
                    event.event_type(),
                    event.trace_id(),
                    actor.id.as_str(),
                    actor.kind.as_str(),
                    event.train_ok(),
                    pii_flags,
                    event.body().get(),
                ])?;
                self.scopes.note_event(self.connection, scope, event.ts().as_millis())?;
                receipt.recorded.push(EventOutcome::Kept(Seq(seq.unsigned_abs())));
            }
            PreparedWrite::Audit(row) => self.append_audit(scope, row)?,
            PreparedWrite::Probe => health::write_probe(self.connection)?,
            PreparedWrite::Archive(step) => self.run_archive_write(step)?,
        }
        Ok(())
    }

    fn append(&mut self, scope: &Scope, key: &StreamKey, events: &[EventRow]) -> Result<AppendReceipt, Refusal> {
        const SQL: &str = "INSERT INTO stream_events (rowkey, event_id, type, ts, actor_id, actor_type, attributes, data) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        if self.stream_state(scope, key)?.stream.id == 0 {
            self.create_stream(scope, key)?;
        }
        let touched = self.stream_state(scope, key)?;
        (touched.changed, touched.appended) = (true, true);
        let mut stream = touched.stream;
        let first = stream.head.seq.next();
        let insert = cached_statement(&mut self.insert_event, self.connection, SQL)?;
        for EventRow { event, attributes } in events {
            stream.head.seq = stream.head.seq.next();
            let rowkey =
                stream.rowkey(stream.head.seq).ok_or_else(|| refuse("the stream is full; start another one"))?;
            insert.execute(params![
                rowkey,
                &*event.event_id.array_to_str(&mut [0; ulid::ULID_LEN]),
                event.event_type,
                event.ts.as_millis(),
                event.actor.id.as_str(),
                event.actor.kind.as_str(),
                attributes,
                event.data.get(),
            ])?;
        }
        self.stream_state(scope, key)?.stream = stream;
        let event_id = events.last().map(|row| row.event.event_id).unwrap_or_default();
        Ok(AppendReceipt { key: key.clone(), first, last: stream.head.seq, event_id })
    }

    /// Inserts the stream's row, which gives it a number.
    fn create_stream(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), Refusal> {
        const SQL: &str = "INSERT INTO streams (scope_id, key, head) VALUES (?1, ?2, 0)";
        let scope_id = self.scopes.get_or_create(self.connection, scope)?.id;
        self.connection.prepare_cached(SQL)?.execute(params![scope_id, key.as_str()])?;
        let id = self.connection.last_insert_rowid();
        self.stream_state(scope, key)?.stream.id = id;
        Ok(())
    }

    /// Trims a stream. It takes effect with the commit; the rows are deleted later: see [`super::stream_cleanup`].
    fn trim(&mut self, scope: &Scope, key: &StreamKey, first: Seq) -> Result<(), Refusal> {
        let touched = self.stream_state(scope, key)?;
        if touched.stream.id != 0 && first > touched.stream.head.first {
            touched.stream.head.first = first;
            touched.changed = true;
            (self.has_trimmed, self.has_erased) = (true, true);
        }
        Ok(())
    }

    /// Deletes a stream. It takes effect with the commit; rows and receipts are deleted later: see
    /// [`super::stream_cleanup`].
    fn delete_stream(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), Refusal> {
        if self.stream_state(scope, key)?.stream.id == 0 {
            self.create_stream(scope, key)?;
        }
        let touched = self.stream_state(scope, key)?;
        let head = &mut touched.stream.head;
        (head.first, head.deleted) = (head.seq.next(), true);
        (touched.changed, touched.deleted) = (true, true);
        (self.has_trimmed, self.has_erased) = (true, true);
        Ok(())
    }

    fn append_audit(&mut self, scope: &Scope, row: &AuditRow) -> Result<(), Refusal> {
        let AuditRow { entry, trace_id, span_id } = row;
        let known = self.scopes.get_or_create(self.connection, scope)?;
        known.last_audit += 1;
        let rowkey = known.last_audit;
        let insert = cached_statement(&mut self.insert_audit, self.connection, audit_rows::INSERT)?;
        audit_rows::insert(insert, rowkey, entry, trace_id, span_id)?;
        Ok(())
    }

    fn run_archive_write(&mut self, step: &ArchiveWrite) -> Result<(), Refusal> {
        let connection = self.connection;
        match step {
            ArchiveWrite::Stage { scope, records, progress } => archive::run_write(connection, || {
                archive::stage(connection, &mut self.idempotency, scope, records, progress)
            }),
            ArchiveWrite::Publish { scopes, mark } => {
                // Cached scopes are written to the file now, and are read again under their new names.
                self.scopes.write_changes(connection)?;
                self.scopes.clear();
                archive::publish(connection, scopes, *mark)?;
                (self.published, self.has_trimmed) = (true, true);
                self.log = mark.map(|mark| mark.log_id).or(self.log);
                Ok(())
            }
            ArchiveWrite::Discard { scope } => {
                self.has_erased = true;
                archive::run_write(connection, || archive::discard_rows(connection, &mut self.idempotency, scope))
            }
        }
    }

    /// Stores the key of an event as if the event were a batch of its own. Returns the event's outcome when the key
    /// was used before.
    fn keep_event_key(
        &mut self,
        scope: &Scope,
        (scope_id, seq): (i64, i64),
        keyed: &HashedKey,
        at: Timestamp,
    ) -> Result<Option<EventOutcome>, Refusal> {
        let known = self.idempotency.receipt(self.connection, &self.shared.idempotency, scope, keyed)?;
        if let Some((first, fingerprint)) = known {
            return Ok(Some(EventOutcome::from_first_receipt(&first, &fingerprint, &keyed.idempotency.fingerprint)));
        }
        let recorded = vec![EventOutcome::Kept(Seq(seq.unsigned_abs()))];
        let receipt = CommitReceipt { recorded, note: keyed.idempotency.note.clone(), ..CommitReceipt::default() };
        self.idempotency.insert_receipt(self.connection, scope_id, keyed, &receipt, at)?;
        Ok(None)
    }

    /// Returns the stream as this transaction sees it.
    fn stream_state(&mut self, scope: &Scope, key: &StreamKey) -> Result<&mut StreamState, SqliteFailure> {
        if self.streams.get(self.last_stream).is_none_or(|(name, _)| name.1 != *key || name.0 != *scope) {
            let name = (scope.clone(), key.clone());
            self.last_stream = match self.stream_index.get(&name) {
                Some(at) => *at,
                None => {
                    let stream = match self.shared.heads.get(&name) {
                        Ok(stream) => stream,
                        Err(_) => streams::load(self.connection, &name)?,
                    };
                    self.stream_index.insert(name.clone(), self.streams.len());
                    self.streams.push((name, StreamState { stream, changed: false, appended: false, deleted: false }));
                    self.streams.len() - 1
                }
            };
        }
        let found = self.streams.get_mut(self.last_stream).map(|(_, touched)| touched);
        found.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Returns the document as this transaction sees it.
    fn document(&self, name: &documents::DocumentName) -> Result<Option<CachedDocument>, SqliteFailure> {
        if let Some(document) = self.documents.get(name) {
            return Ok(document.clone());
        }
        match self.shared.documents.get(name) {
            Ok(document) => Ok(document),
            Err(_) => documents::load(self.connection, name),
        }
    }
}

/// Returns a statement, which is prepared on its first use.
fn cached_statement<'s, 'c>(
    slot: &'s mut Option<CachedStatement<'c>>,
    connection: &'c Connection,
    sql: &str,
) -> Result<&'s mut CachedStatement<'c>, SqliteFailure> {
    Ok(match slot {
        Some(statement) => statement,
        None => slot.insert(connection.prepare_cached(sql)?),
    })
}

fn deleted_error(index: usize, key: &StreamKey) -> Refusal {
    Refusal::Rejected(CommitError::Precondition { index, failed: FailedPrecondition::Deleted { key: key.clone() } })
}

fn refuse(detail: &'static str) -> Refusal {
    Refusal::Rejected(CommitError::Refused(Error::internal("store.commit", detail)))
}

fn seq_to_i64(seq: Seq) -> Result<i64, SqliteFailure> {
    i64::try_from(seq.0).map_err(|_| rusqlite::Error::InvalidQuery.into())
}
