//! One batch inside the running transaction: first everything is checked, then everything is written.

use std::{collections::HashMap, sync::PoisonError};

use engines_core::{
    Error, Scope, Timestamp,
    nexus::{Appended, Change, CommitError, EventOutcome, Expect, ExpectedHead, Failed, Realm, Receipt},
    stream::{LogId, Seq, StreamKey},
};
use rusqlite::{CachedStatement, Connection, params};

use super::{
    archive,
    documents::{self, Stored},
    error::Failure,
    health,
    job::{AuditRow, EventRow, Job, Step},
    once::{Fresh, Keyed},
    scopes::Scopes,
    store::Shared,
    streams::{self, Stream},
};

/// Why a batch did nothing.
pub(super) enum Refusal {
    /// This is its answer, and nothing of it was written.
    Answer(CommitError),
    /// Something of it may have been written: the transaction must be rolled back.
    Broken(Failure),
}

impl<E: Into<Failure>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Broken(error.into())
    }
}

/// A stream as the running transaction has it.
struct Touched {
    stream: Stream,
    changed: bool,
    appended: bool,
    deleted: bool,
}

/// The running transaction: what its batches have changed and is not yet what everybody sees.
pub(super) struct Group<'a> {
    pub(super) connection: &'a Connection,
    pub(super) shared: &'a Shared,
    pub(super) scopes: &'a mut Scopes,
    streams: Vec<(streams::Name, Touched)>,
    index: HashMap<streams::Name, usize>,
    /// The stream asked for last: the next is often the same.
    last: usize,
    pub(super) documents: HashMap<documents::Name, Option<Stored>>,
    pub(super) fresh: Fresh,
    /// There is something to clear.
    pub(super) trimmed: bool,
    /// Content was removed, which the files may still hold.
    pub(super) erased: bool,
    /// Scopes were published.
    published: bool,
    /// The log's new id.
    log: Option<LogId>,
    /// Freed space was given back as far as possible: the log can be emptied.
    pub(super) reclaimed: bool,
    /// The statements nearly every batch needs, kept at hand.
    insert_event: Option<CachedStatement<'a>>,
    insert_audit: Option<CachedStatement<'a>>,
}

impl<'a> Group<'a> {
    pub(super) fn new(connection: &'a Connection, shared: &'a Shared, scopes: &'a mut Scopes) -> Self {
        Self {
            connection,
            shared,
            scopes,
            streams: Vec::new(),
            index: HashMap::new(),
            last: 0,
            documents: HashMap::new(),
            fresh: shared.once.begin(),
            trimmed: false,
            erased: false,
            reclaimed: false,
            published: false,
            log: None,
            insert_event: None,
            insert_audit: None,
        }
    }

    /// Runs a batch.
    pub(super) fn run(&mut self, job: &Job) -> Result<Receipt, Refusal> {
        if let Some(keyed) = &job.once
            && let Some((receipt, fingerprint)) =
                self.fresh.receipt(self.connection, &self.shared.once, &job.scope, keyed)?
        {
            return match fingerprint == keyed.once.fingerprint {
                true => Ok(Receipt { replayed: true, ..receipt }),
                false => Err(Refusal::Answer(CommitError::IdempotencyMismatch)),
            };
        }
        for (index, step) in job.steps.iter().enumerate() {
            self.check(&job.scope, index, step)?;
        }
        let mut receipt = Receipt::default();
        for step in &job.steps {
            self.write(&job.scope, job.at, step, &mut receipt)?;
        }
        if let Some(keyed) = &job.once {
            receipt.note.clone_from(&keyed.once.note);
            let scope_id = self.scopes.enter(self.connection, &job.scope)?.id;
            self.fresh.keep(self.connection, scope_id, keyed, &receipt, job.at)?;
        }
        Ok(receipt)
    }

    /// Writes the heads, once for each stream.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        const SQL: &str = "UPDATE streams SET head = ?2, first = ?3 WHERE stream_id = ?1";
        let mut update = self.connection.prepare_cached(SQL)?;
        for (_, Touched { stream, deleted, .. }) in self.streams.iter().filter(|(_, touched)| touched.changed) {
            update.execute(params![stream.id, signed(stream.head.seq)?, signed(stream.head.first)?])?;
            if *deleted {
                const DELETED: &str = "UPDATE streams SET deleted = 1 WHERE stream_id = ?1 AND deleted = 0";
                self.connection.prepare_cached(DELETED)?.execute([stream.id])?;
            }
        }
        if self.erased {
            self.shared.erasure.note(self.connection)?;
        }
        self.scopes.flush(self.connection)
    }

    /// After the commit: shows everybody what was changed. Returns what to tell those who wait for changes.
    pub(super) fn publish(self) -> Vec<Change> {
        self.shared.once.publish(self.fresh);
        self.shared.erasure.committed(self.erased, self.reclaimed);
        for (name, document) in self.documents {
            self.shared.documents.put(name, document);
        }
        let (mut grown, mut gone) = (Vec::new(), Vec::new());
        for (name, Touched { stream, changed, appended, deleted }) in self.streams {
            if appended {
                grown.push((name.0.clone(), name.1.clone(), stream.head.seq));
            }
            if deleted {
                gone.push(name.clone());
            }
            if changed {
                self.shared.heads.put(name, stream);
            }
        }
        let grown = (!grown.is_empty()).then(|| Change::Appended(grown.into()));
        let gone = (!gone.is_empty()).then(|| Change::Deleted(gone.into()));
        if self.published {
            // What was looked for under the names of published scopes, and not found, is there now.
            self.shared.documents.clear();
            self.shared.heads.clear();
        }
        if let Some(log) = self.log {
            self.shared.set_log(log);
        }
        let published = self.published.then_some(Change::Missed);
        grown.into_iter().chain(gone).chain(published).collect()
    }

    /// A stream's row was changed behind this transaction's back: it is read again.
    pub(super) fn stream_reloaded(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), Failure> {
        let stream = streams::load(self.connection, &(scope.clone(), key.clone()))?;
        let touched = self.stream(scope, key)?;
        (touched.stream, touched.changed) = (stream, true);
        Ok(())
    }

    /// A stream's row was removed together with its scope.
    pub(super) fn stream_removed(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), Failure> {
        *self.stream(scope, key)? = Touched { stream: Stream::NONE, changed: true, appended: false, deleted: false };
        Ok(())
    }

    fn home<'s>(&'s self, scope: &'s Scope, realm: Realm) -> &'s Scope {
        match realm {
            Realm::Own => scope,
            Realm::System => &self.shared.system,
        }
    }

    fn check(&mut self, scope: &Scope, index: usize, step: &Step) -> Result<(), Refusal> {
        let (realm, kind, id, expect) = match step {
            Step::Put { realm, document, expect, .. } => (*realm, &document.kind, &document.id, *expect),
            Step::Delete { realm, kind, id, expect } => (*realm, kind, id, *expect),
            Step::Append { key, expected, events } => {
                let stream = self.stream(scope, key)?.stream;
                if stream.head.deleted {
                    return Err(deleted(index, key));
                }
                let head = stream.head.seq;
                if stream.place(head.plus(events.len() as u64)).is_none() {
                    return Err(refused("the stream is full; begin another"));
                }
                return match expected {
                    ExpectedHead::Seq(wanted) if *wanted != head => {
                        let failed = Failed::Stream { key: key.clone(), head };
                        Err(Refusal::Answer(CommitError::Precondition { index, failed }))
                    }
                    _ => Ok(()),
                };
            }
            Step::Trim { key, first } => {
                return match *first > self.stream(scope, key)?.stream.head.seq.next() {
                    true => Err(refused("a trim may go one past the head and no further")),
                    false => Ok(()),
                };
            }
            Step::DeleteStream { key } | Step::ExpectStream { key } => {
                return match self.stream(scope, key)?.stream.head.deleted {
                    true => Err(deleted(index, key)),
                    false => Ok(()),
                };
            }
            Step::Archive(step) => {
                return match &**step {
                    archive::Step::Publish { scopes, .. } => archive::check_publish(self.connection, scopes),
                    _ => Ok(()),
                };
            }
            Step::Record { .. } | Step::Audit(_) | Step::Remove(_) | Step::Reclaim | Step::Probe => return Ok(()),
        };
        let name = (self.home(scope, realm).clone(), kind.clone(), id.clone());
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
        Err(Refusal::Answer(CommitError::Precondition { index, failed: Failed::Document { kind, id, version } }))
    }

    fn write(&mut self, scope: &Scope, at: Timestamp, step: &Step, receipt: &mut Receipt) -> Result<(), Refusal> {
        match step {
            Step::Put { realm, document, tags, .. } => {
                let home = self.home(scope, *realm).clone();
                let scope_id = self.scopes.enter(self.connection, &home)?.id;
                let name = (home, document.kind.clone(), document.id.clone());
                let old = self.document(&name)?;
                let stored = documents::put(self.connection, scope_id, old.as_ref(), document, tags, at)?;
                receipt.versions.push(stored.version);
                self.documents.insert(name, Some(stored));
            }
            Step::Delete { realm, kind, id, .. } => {
                let name = (self.home(scope, *realm).clone(), kind.clone(), id.clone());
                if let Some(old) = self.document(&name)? {
                    let scope_id = self.scopes.enter(self.connection, &name.0)?.id;
                    documents::delete(self.connection, scope_id, &old)?;
                    self.documents.insert(name, None);
                    self.erased = true;
                }
                receipt.versions.push(0);
            }
            Step::Append { key, events, .. } => receipt.appended.push(self.append(scope, key, events)?),
            Step::Trim { key, first } => self.trim(scope, key, *first)?,
            Step::DeleteStream { key } => self.delete_stream(scope, key)?,
            Step::ExpectStream { .. } => {}
            Step::Remove(step) => {
                let removed = self.remove(scope, step)?;
                *step.outcome.lock().unwrap_or_else(PoisonError::into_inner) = removed;
            }
            Step::Reclaim => {
                let walking = self.shared.erasure.is_walking();
                self.reclaimed = walking || super::remove::reclaim(self.connection)?;
            }
            Step::Record { event, pii_flags, once } => {
                const SQL: &str = "INSERT INTO dataset_events (scope_id, seq, event_id, ts, surface, agent_id, type, \
                                   trace_id, actor_id, actor_type, train_ok, pii_flags, body) \
                                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
                let known = self.scopes.enter(self.connection, scope)?;
                let (scope_id, seq) = (known.id, known.events + 1);
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
                self.scopes.recorded(self.connection, scope, event.ts().as_millis())?;
                receipt.recorded.push(EventOutcome::Kept(Seq(seq.unsigned_abs())));
            }
            Step::Audit(row) => self.audit(scope, row)?,
            Step::Probe => health::probe(self.connection)?,
            Step::Archive(step) => self.archive(step)?,
        }
        Ok(())
    }

    fn append(&mut self, scope: &Scope, key: &StreamKey, events: &[EventRow]) -> Result<Appended, Refusal> {
        const SQL: &str = "INSERT INTO stream_events (place, event_id, type, ts, actor_id, actor_type, attributes, data) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        if self.stream(scope, key)?.stream.id == 0 {
            self.begin(scope, key)?;
        }
        let touched = self.stream(scope, key)?;
        (touched.changed, touched.appended) = (true, true);
        let mut stream = touched.stream;
        let first = stream.head.seq.next();
        let insert = at_hand(&mut self.insert_event, self.connection, SQL)?;
        for EventRow { event, attributes } in events {
            stream.head.seq = stream.head.seq.next();
            let place = stream.place(stream.head.seq).ok_or_else(|| refused("the stream is full; begin another"))?;
            insert.execute(params![
                place,
                &*event.event_id.array_to_str(&mut [0; ulid::ULID_LEN]),
                event.event_type,
                event.ts.as_millis(),
                event.actor.id.as_str(),
                event.actor.kind.as_str(),
                attributes,
                event.data.get(),
            ])?;
        }
        self.stream(scope, key)?.stream = stream;
        let event_id = events.last().map(|row| row.event.event_id).unwrap_or_default();
        Ok(Appended { key: key.clone(), first, last: stream.head.seq, event_id })
    }

    /// Gives a stream its number.
    fn begin(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), Refusal> {
        const SQL: &str = "INSERT INTO streams (scope_id, key, head) VALUES (?1, ?2, 0)";
        let scope_id = self.scopes.enter(self.connection, scope)?.id;
        self.connection.prepare_cached(SQL)?.execute(params![scope_id, key.as_str()])?;
        let id = self.connection.last_insert_rowid();
        self.stream(scope, key)?.stream.id = id;
        Ok(())
    }

    /// Takes effect at once; the rows go later: see [`super::clear`].
    fn trim(&mut self, scope: &Scope, key: &StreamKey, first: Seq) -> Result<(), Refusal> {
        let touched = self.stream(scope, key)?;
        if touched.stream.id != 0 && first > touched.stream.head.first {
            touched.stream.head.first = first;
            touched.changed = true;
            (self.trimmed, self.erased) = (true, true);
        }
        Ok(())
    }

    /// Takes effect at once; rows and receipts go later: see [`super::clear`].
    fn delete_stream(&mut self, scope: &Scope, key: &StreamKey) -> Result<(), Refusal> {
        if self.stream(scope, key)?.stream.id == 0 {
            self.begin(scope, key)?;
        }
        let touched = self.stream(scope, key)?;
        let head = &mut touched.stream.head;
        (head.first, head.deleted) = (head.seq.next(), true);
        (touched.changed, touched.deleted) = (true, true);
        (self.trimmed, self.erased) = (true, true);
        Ok(())
    }

    fn audit(&mut self, scope: &Scope, row: &AuditRow) -> Result<(), Refusal> {
        const SQL: &str = "INSERT INTO audit (place, audit_id, ts, action, resource, outcome, actor_id, actor_type, \
                           request_id, trace_id, span_id, reason) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        let AuditRow { entry, trace_id, span_id } = row;
        let known = self.scopes.enter(self.connection, scope)?;
        known.audit += 1;
        let place = known.audit;
        at_hand(&mut self.insert_audit, self.connection, SQL)?.execute(params![
            place,
            &*entry.audit_id.array_to_str(&mut [0; ulid::ULID_LEN]),
            entry.ts.as_millis(),
            entry.action,
            entry.resource,
            outcome_text(entry.outcome),
            entry.actor.id.as_str(),
            entry.actor.kind.as_str(),
            &*entry.request_id,
            trace_id,
            span_id,
            entry.reason.as_deref(),
        ])?;
        Ok(())
    }

    fn archive(&mut self, step: &archive::Step) -> Result<(), Refusal> {
        let connection = self.connection;
        match step {
            archive::Step::Stage { scope, records, progress } => {
                archive::run(connection, || archive::stage(connection, &mut self.fresh, scope, records, progress))
            }
            archive::Step::Publish { scopes, mark } => {
                // What is in mind of scopes goes into the file, and is read again from there under the new names.
                self.scopes.flush(connection)?;
                self.scopes.forget();
                archive::publish(connection, scopes, *mark)?;
                (self.published, self.trimmed) = (true, true);
                self.log = mark.map(|mark| mark.log).or(self.log);
                Ok(())
            }
            archive::Step::Discard { scope } => {
                self.erased = true;
                archive::run(connection, || archive::discard(connection, &mut self.fresh, scope))
            }
        }
    }

    /// Keeps the key of an event as that of a batch of its own would be; when it was used before, says what its event is told.
    fn keep_event_key(
        &mut self,
        scope: &Scope,
        (scope_id, seq): (i64, i64),
        keyed: &Keyed,
        at: Timestamp,
    ) -> Result<Option<EventOutcome>, Refusal> {
        let known = self.fresh.receipt(self.connection, &self.shared.once, scope, keyed)?;
        if let Some((first, fingerprint)) = known {
            return Ok(Some(EventOutcome::again(&first, &fingerprint, &keyed.once.fingerprint)));
        }
        let recorded = vec![EventOutcome::Kept(Seq(seq.unsigned_abs()))];
        let receipt = Receipt { recorded, note: keyed.once.note.clone(), ..Receipt::default() };
        self.fresh.keep(self.connection, scope_id, keyed, &receipt, at)?;
        Ok(None)
    }

    /// The stream as this transaction has it.
    fn stream(&mut self, scope: &Scope, key: &StreamKey) -> Result<&mut Touched, Failure> {
        if self.streams.get(self.last).is_none_or(|(name, _)| name.1 != *key || name.0 != *scope) {
            let name = (scope.clone(), key.clone());
            self.last = match self.index.get(&name) {
                Some(at) => *at,
                None => {
                    let stream = match self.shared.heads.get(&name) {
                        Ok(stream) => stream,
                        Err(_) => streams::load(self.connection, &name)?,
                    };
                    self.index.insert(name.clone(), self.streams.len());
                    self.streams.push((name, Touched { stream, changed: false, appended: false, deleted: false }));
                    self.streams.len() - 1
                }
            };
        }
        let found = self.streams.get_mut(self.last).map(|(_, touched)| touched);
        found.ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// The document as this transaction has it.
    fn document(&self, name: &documents::Name) -> Result<Option<Stored>, Failure> {
        if let Some(document) = self.documents.get(name) {
            return Ok(document.clone());
        }
        match self.shared.documents.get(name) {
            Ok(document) => Ok(document),
            Err(_) => documents::load(self.connection, name),
        }
    }
}

/// A statement, prepared when it is first needed.
fn at_hand<'s, 'c>(
    slot: &'s mut Option<CachedStatement<'c>>,
    connection: &'c Connection,
    sql: &str,
) -> Result<&'s mut CachedStatement<'c>, Failure> {
    Ok(match slot {
        Some(statement) => statement,
        None => slot.insert(connection.prepare_cached(sql)?),
    })
}

pub(super) fn outcome_text(outcome: engines_core::audit::Outcome) -> &'static str {
    match outcome {
        engines_core::audit::Outcome::Done => "done",
        engines_core::audit::Outcome::Refused => "refused",
    }
}

fn deleted(index: usize, key: &StreamKey) -> Refusal {
    Refusal::Answer(CommitError::Precondition { index, failed: Failed::Deleted { key: key.clone() } })
}

fn refused(detail: &'static str) -> Refusal {
    Refusal::Answer(CommitError::Refused(Error::internal("store.commit", detail)))
}

fn signed(seq: Seq) -> Result<i64, Failure> {
    i64::try_from(seq.0).map_err(|_| rusqlite::Error::InvalidQuery.into())
}
