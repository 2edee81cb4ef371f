//! Stages records and discards staged records.

use engines_core::{
    Code, Error, Scope,
    nexus::{
        CommitError,
        archive::{ArchiveRecord, ScopeCounters, StoredReceipt},
    },
    stream::{Seq, StreamKey},
};
use rusqlite::{Connection, OptionalExtension, params};

use crate::sqlite::{
    audit_rows,
    error::{Refusal, SqliteFailure},
    idempotency::{self, HashedKey, TransactionIndex},
    scopes::{AUDIT_BITS, MARK_EVERY},
    staged_name,
    streams::{self, StreamRow},
};

const STAGE: &str = "sqlite.stage";
/// Number of rows that one discard deletes.
const ROWS_PER_DISCARD: usize = 5000;

/// Runs a step in a savepoint, so that it leaves nothing behind when it is rejected.
pub(in crate::sqlite) fn run_write(
    connection: &Connection,
    step: impl FnOnce() -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    connection.prepare_cached("SAVEPOINT archive_step")?.execute([])?;
    let done = step();
    if matches!(done, Err(Refusal::Rejected(_))) {
        connection.prepare_cached("ROLLBACK TO archive_step")?.execute([])?;
    }
    if !matches!(done, Err(Refusal::MustRollBack(_))) {
        connection.prepare_cached("RELEASE archive_step")?.execute([])?;
    }
    done
}

/// The state of staging: what the next record must follow.
struct Stager<'a> {
    connection: &'a Connection,
    fresh: &'a mut TransactionIndex,
    scope: &'a Scope,
    id: i64,
    counters: ScopeRow,
    /// The last sequence of a dataset event and the last number of an audit record.
    event: i64,
    audit: i64,
    /// The lowest position of all dataset events. Restored events without a position get positions below zero.
    position: i64,
    /// The stream whose events are being staged, and the sequence of the next one.
    stream: Option<(StreamKey, StreamRow, Seq)>,
}

/// The columns of a scope's row that dataset events change.
#[derive(Clone, Copy)]
struct ScopeRow {
    events: i64,
    high: i64,
    lag: i64,
}

/// Stages records after those staged before.
pub(in crate::sqlite) fn stage(
    connection: &Connection,
    fresh: &mut TransactionIndex,
    scope: &Scope,
    records: &[ArchiveRecord],
    progress: &str,
) -> Result<(), Refusal> {
    let env = staged_name::staged_env(scope);
    let id = match staged_name::scope_number(connection, scope.tenant(), &env)? {
        Some(id) => id,
        None => {
            let insert = "INSERT INTO scopes (tenant, env) VALUES (?1, ?2)";
            connection.prepare_cached(insert)?.execute(params![scope.tenant().as_str(), env])?;
            connection.last_insert_rowid()
        }
    };
    let mut stager = Stager::new(connection, fresh, scope, id)?;
    for record in records {
        stager.add_record(record)?;
    }
    let ScopeRow { events, high, lag } = stager.counters;
    connection
        .prepare_cached("UPDATE scopes SET events = ?2, high = ?3, lag = ?4 WHERE scope_id = ?1")?
        .execute(params![id, events, high, lag])?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute(params![staged_name::progress_name(scope), progress])?;
    Ok(())
}

impl<'a> Stager<'a> {
    fn new(
        connection: &'a Connection,
        fresh: &'a mut TransactionIndex,
        scope: &'a Scope,
        id: i64,
    ) -> Result<Self, Refusal> {
        let counters = connection
            .prepare_cached("SELECT events, high, lag FROM scopes WHERE scope_id = ?1")?
            .query_row([id], |row| Ok(ScopeRow { events: row.get(0)?, high: row.get(1)?, lag: row.get(2)? }))?;
        let last = |sql: &str, range: [i64; 2]| -> Result<Option<i64>, SqliteFailure> {
            Ok(connection.prepare_cached(sql)?.query_row(range, |row| row.get(0))?)
        };
        let base = id << AUDIT_BITS;
        let audit =
            last("SELECT max(rowkey) FROM audit WHERE rowkey > ?1 AND rowkey < ?2", [base, base + (1 << AUDIT_BITS)])?;
        let event: Option<i64> = connection
            .prepare_cached("SELECT max(seq) FROM dataset_events WHERE scope_id = ?1")?
            .query_row([id], |row| row.get(0))?;
        let position: Option<i64> =
            connection.prepare_cached("SELECT min(position) FROM dataset_events")?.query_row([], |row| row.get(0))?;
        Ok(Self {
            connection,
            fresh,
            scope,
            id,
            counters,
            event: event.unwrap_or(0),
            audit: audit.map_or(0, |rowkey| rowkey - base),
            position: position.unwrap_or(0).min(0),
            stream: None,
        })
    }

    fn add_record(&mut self, record: &ArchiveRecord) -> Result<(), Refusal> {
        match record {
            ArchiveRecord::Counters(ScopeCounters { events, .. }) => {
                self.counters.events = self.counters.events.max(to_i64(events.0)?);
                Ok(())
            }
            ArchiveRecord::Document(document) => self.add_document(document),
            ArchiveRecord::Stream(key, head) => {
                const SQL: &str = "INSERT OR IGNORE INTO streams (scope_id, key, head, first, kept, deleted) \
                                   VALUES (?1, ?2, ?3, ?4, ?4, ?5)";
                let row = params![self.id, key.as_str(), to_i64(head.seq.0)?, to_i64(head.first.0)?, head.deleted];
                self.ensure_inserted(self.connection.prepare_cached(SQL)?.execute(row)?, "a stream is repeated")
            }
            ArchiveRecord::StreamEvent(key, event) => self.add_stream_event(key, event),
            ArchiveRecord::Event(position, event) => self.add_event(*position, event),
            ArchiveRecord::Audit(number, entry) => self.add_audit(*number, entry),
            ArchiveRecord::Receipt(StoredReceipt { idempotency: once, receipt, at }) => {
                let keyed = HashedKey::new(self.scope, once.clone());
                self.fresh.insert_receipt(self.connection, self.id, &keyed, receipt, *at)?;
                Ok(())
            }
        }
    }

    /// Fails when no row was inserted, because the row existed already.
    fn ensure_inserted(&self, written: usize, detail: &'static str) -> Result<(), Refusal> {
        if written == 1 { Ok(()) } else { Err(refuse(detail)) }
    }

    fn add_document(&self, document: &engines_core::nexus::Document) -> Result<(), Refusal> {
        const INSERT: &str = "INSERT OR IGNORE INTO documents (scope_id, kind, id, version, created_at, updated_at, tags, body) \
                              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        const TAG: &str =
            "INSERT OR IGNORE INTO document_tags (scope_id, kind, tag, id, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)";
        let tags = serde_json::to_string(&document.tags).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let (kind, id, updated) = (document.kind.as_str(), document.id.as_str(), document.updated_at.as_millis());
        let written = self.connection.prepare_cached(INSERT)?.execute(params![
            self.id,
            kind,
            id,
            to_i64(document.version)?,
            document.created_at.as_millis(),
            updated,
            tags,
            document.body.get(),
        ])?;
        self.ensure_inserted(written, "a document is repeated")?;
        for tag in &document.tags {
            self.connection.prepare_cached(TAG)?.execute(params![self.id, kind, tag, id, updated])?;
        }
        Ok(())
    }

    fn add_stream_event(&mut self, key: &StreamKey, event: &engines_core::StreamEvent) -> Result<(), Refusal> {
        const SQL: &str = "INSERT INTO stream_events (rowkey, event_id, type, ts, actor_id, actor_type, attributes, data) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        if self.stream.as_ref().is_none_or(|(last, ..)| last != key) {
            let (stream, next) = self.resume_stream(key)?;
            self.stream = Some((key.clone(), stream, next));
        }
        let Some((_, stream, next)) = &mut self.stream else { return Err(refuse("an event precedes its stream")) };
        if event.seq != *next || event.seq > stream.head.seq {
            return Err(refuse("an event of a stream is missing, repeated, or after the stream's head"));
        }
        let rowkey = stream.rowkey(event.seq).ok_or_else(|| refuse("a sequence is too large for this backend"))?;
        *next = event.seq.next();
        let event = &event.event;
        let attributes = streams::encode_attributes(event).map_err(|_| rusqlite::Error::InvalidQuery)?;
        self.connection.prepare_cached(SQL)?.execute(params![
            rowkey,
            &*event.event_id.array_to_str(&mut [0; ulid::ULID_LEN]),
            event.event_type,
            event.ts.as_millis(),
            event.actor.id.as_str(),
            event.actor.kind.as_str(),
            attributes,
            event.data.get(),
        ])?;
        Ok(())
    }

    /// Returns a staged stream, and the sequence of its next event.
    fn resume_stream(&self, key: &StreamKey) -> Result<(StreamRow, Seq), Refusal> {
        const STREAM: &str =
            "SELECT stream_id, head, first, deleted <> 0 FROM streams WHERE scope_id = ?1 AND key = ?2";
        const LAST: &str = "SELECT max(rowkey) FROM stream_events WHERE rowkey > ?1 AND rowkey <= ?2";
        let found = self
            .connection
            .prepare_cached(STREAM)?
            .query_row(params![self.id, key.as_str()], |row| streams::read_row(row, 0))
            .optional()?;
        let stream = found.ok_or_else(|| refuse("an event precedes its stream"))?;
        let base = StreamRow::rowkey_base(stream.id);
        let until = stream.rowkey(stream.head.seq).unwrap_or(base);
        let last: Option<i64> = self.connection.prepare_cached(LAST)?.query_row([base, until], |row| row.get(0))?;
        Ok((stream, last.map_or(stream.head.first, |rowkey| Seq((rowkey - base).unsigned_abs()).next())))
    }

    fn add_event(&mut self, position: Option<u64>, event: &engines_core::event::StoredEvent) -> Result<(), Refusal> {
        const SQL: &str = "INSERT OR IGNORE INTO dataset_events (position, scope_id, seq, event_id, ts, surface, agent_id, type, \
                           trace_id, actor_id, actor_type, train_ok, pii_flags, body) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        const MARK: &str = "INSERT OR IGNORE INTO event_marks (scope_id, high, seq) VALUES (?1, ?2, ?3)";
        let seq = to_i64(event.seq.0)?;
        if seq <= self.event {
            return Err(refuse("dataset events are not ordered by sequence"));
        }
        self.event = seq;
        let position = match position {
            Some(position) => to_i64(position)?,
            None => {
                self.position -= 1;
                self.position
            }
        };
        let pii_flags = serde_json::to_string(&event.pii_flags).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let ts = event.ts.as_millis();
        let written = self.connection.prepare_cached(SQL)?.execute(params![
            position,
            self.id,
            seq,
            &*event.event_id.array_to_str(&mut [0; ulid::ULID_LEN]),
            ts,
            event.surface,
            event.agent_id,
            event.event_type,
            event.trace_id,
            event.actor.id.as_str(),
            event.actor.kind.as_str(),
            event.train_ok,
            pii_flags,
            event.body.get(),
        ])?;
        self.ensure_inserted(written, "a position of the feed is in use; restore without positions")?;
        let ScopeRow { events, high, lag } = &mut self.counters;
        *events = (*events).max(seq);
        *high = (*high).max(ts);
        *lag = (*lag).max(high.saturating_sub(ts));
        if seq % MARK_EVERY == 0 {
            self.connection.prepare_cached(MARK)?.execute(params![self.id, *high, seq])?;
        }
        Ok(())
    }

    fn add_audit(&mut self, number: u64, entry: &engines_core::audit::AuditEntry) -> Result<(), Refusal> {
        let number = to_i64(number)?;
        let follows = if self.audit == 0 { number > 0 } else { number == self.audit + 1 };
        if !follows || number >= 1 << AUDIT_BITS {
            return Err(refuse("audit records are not numbered consecutively"));
        }
        self.audit = number;
        let rowkey = (self.id << AUDIT_BITS) + number;
        let (trace_id, span_id) = (entry.trace_id.to_string(), entry.span_id.to_string());
        let mut insert = self.connection.prepare_cached(audit_rows::INSERT)?;
        audit_rows::insert(&mut insert, rowkey, entry, &trace_id, &span_id)?;
        Ok(())
    }
}

/// Deletes some of a scope's staged records; deletes its row with the last of them.
pub(in crate::sqlite) fn discard_rows(
    connection: &Connection,
    fresh: &mut TransactionIndex,
    scope: &Scope,
) -> Result<(), Refusal> {
    let Some(id) = staged_name::scope_number(connection, scope.tenant(), &staged_name::staged_env(scope))? else {
        connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([staged_name::progress_name(scope)])?;
        return Ok(());
    };
    const EVENTS: &str = "DELETE FROM stream_events WHERE rowkey IN (SELECT rowkey FROM stream_events \
                          WHERE rowkey > ?1 AND rowkey < ?2 LIMIT ?3)";
    let audit = id << AUDIT_BITS;
    let mut left = ROWS_PER_DISCARD;
    let mut remove = |sql: &str, range: [i64; 2]| -> Result<usize, Refusal> {
        if left == 0 {
            return Ok(0);
        }
        let limit = i64::try_from(left).unwrap_or(i64::MAX);
        let removed = connection.prepare_cached(sql)?.execute(params![range[0], range[1], limit])?;
        left -= removed.min(left);
        Ok(removed)
    };
    let mut streams = connection.prepare_cached("SELECT stream_id FROM streams WHERE scope_id = ?1 LIMIT ?2")?;
    let limit = i64::try_from(ROWS_PER_DISCARD).unwrap_or(i64::MAX);
    for stream in streams.query_map([id, limit], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()? {
        remove(EVENTS, [StreamRow::rowkey_base(stream), StreamRow::rowkey_base(stream + 1)])?;
        // Events of the last stream may be left; the next call deletes them first.
        if remove("DELETE FROM streams WHERE stream_id >= ?1 AND stream_id <= ?2 AND ?3 > 0", [stream, stream])? == 0 {
            return Ok(());
        }
    }
    remove(
        "DELETE FROM audit WHERE rowkey IN (SELECT rowkey FROM audit WHERE rowkey > ?1 AND rowkey < ?2 LIMIT ?3)",
        [audit, audit + (1 << AUDIT_BITS)],
    )?;
    for (table, key) in [("documents", "document_id"), ("dataset_events", "position")] {
        let sql = format!(
            "DELETE FROM {table} WHERE {key} IN (SELECT {key} FROM {table} WHERE scope_id >= ?1 AND scope_id <= ?2 LIMIT ?3)"
        );
        remove(&sql, [id, id])?;
    }
    if left > 0 {
        let records = idempotency::receipts_of_scope(connection, id, 0, left)?;
        fresh.remove(connection, scope, &records)?;
        left -= records.len();
    }
    if left > 0 {
        for table in ["document_tags", "event_marks", "scopes"] {
            connection.prepare_cached(&format!("DELETE FROM {table} WHERE scope_id = ?1"))?.execute([id])?;
        }
        connection.prepare_cached("DELETE FROM meta WHERE name = ?1")?.execute([staged_name::progress_name(scope)])?;
    }
    Ok(())
}

pub(super) fn refuse(detail: &'static str) -> Refusal {
    Refusal::Rejected(CommitError::Refused(Error::new(Code::BodyInvalid, STAGE, detail)))
}

fn to_i64(number: u64) -> Result<i64, Refusal> {
    i64::try_from(number).map_err(|_| refuse("a number is too large for this backend"))
}
