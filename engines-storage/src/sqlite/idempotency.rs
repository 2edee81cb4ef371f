//! Idempotency records in the order in which they were written, and the index that finds them by key.
//!
//! Keys arrive in no order. An index that is updated with each key would change a page for nearly every key, and each
//! changed page is written twice: to the write-ahead log and to the data file. The newest records are therefore found
//! through a list in memory. When the list is long enough it is merged into the index, in the index's order, so that
//! each changed page receives many keys. `meta` stores the last record up to which the index is complete. Records
//! after that one are read into the list when the file is opened.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use engines_core::{
    Scope, Timestamp,
    nexus::{CommitReceipt, Idempotency},
};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};

use super::{error::SqliteFailure, staged_name::public_env, streams};

/// Number of records merged into the index in one transaction; more when records arrive faster.
const INDEX_BATCH: usize = 2048;
/// Maximum number of trailing digits that count as the key's number.
const NUMBER_DIGITS: usize = 4;

/// A key and its hash.
#[derive(Debug)]
pub(super) struct HashedKey {
    pub(super) idempotency: Idempotency,
    hash: i64,
}

/// The records that are not in the index yet: hashes and row keys.
#[derive(Debug, Default)]
pub(super) struct PendingIndex(Mutex<PendingState>);

#[derive(Debug, Default)]
struct PendingState {
    entries: BTreeSet<(i64, i64)>,
    /// The row key of the last record. Row keys are not reused, also when every record was removed.
    last: i64,
    /// Number of records added since the last batch was merged.
    added_since_batch: usize,
    round: Option<IndexRun>,
}

/// The state of a merge of the list into the index.
#[derive(Debug, Clone, Copy)]
struct IndexRun {
    /// The last record to merge in this run.
    last_rowkey: i64,
    /// The entry at which the merge continues.
    next_entry: (i64, i64),
}

/// The records of the running transaction.
#[derive(Debug)]
pub(super) struct TransactionIndex {
    entries: BTreeSet<(i64, i64)>,
    last: i64,
    removed: Vec<(i64, i64)>,
}

impl HashedKey {
    pub(super) fn new(scope: &Scope, once: Idempotency) -> Self {
        Self {
            hash: hash_key(scope.tenant().as_str(), scope.env().as_str(), &once.namespace, &once.key),
            idempotency: once,
        }
    }
}

/// Returns a hash: 48 bits of a hash of the key without its trailing number, followed by that number, so that
/// consecutive keys are adjacent in the index. Different keys may have the same hash; the stored key decides.
fn hash_key(tenant: &str, env: &str, realm: &str, key: &str) -> i64 {
    let digits = key.bytes().rev().take(NUMBER_DIGITS).take_while(u8::is_ascii_digit).count();
    let (stem, number) = key.split_at(key.len() - digits);
    let mut hasher = Sha256::new();
    for part in [tenant, env, realm, stem] {
        hasher.update(part);
        hasher.update([0]);
    }
    hasher.update([u8::try_from(digits).unwrap_or(0)]);
    let [a, b, c, d, e, f, ..]: [u8; 32] = hasher.finalize().into();
    let [y, z] = number.parse::<u16>().unwrap_or(0).to_be_bytes();
    i64::from_be_bytes([a, b, c, d, e, f, y, z])
}

/// Returns the receipt stored for a key, and its fingerprint.
pub(super) fn receipt(
    connection: &Connection,
    recent: &PendingIndex,
    scope: &Scope,
    keyed: &HashedKey,
) -> Result<Option<(CommitReceipt, [u8; 32])>, SqliteFailure> {
    // The list is searched first: an entry that was removed from the list is in the index by then.
    let listed = rowkeys(&recent.state().entries, keyed.hash);
    find_receipt(connection, listed, scope, keyed)
}

/// A record found by its scope.
pub(super) struct ReceiptRow {
    pub(super) rowkey: i64,
    pub(super) realm: String,
    pub(super) key: String,
    pub(super) at: i64,
}

/// Returns up to `limit` records of a scope with row keys of at least `from`, in the order of writing.
pub(super) fn receipts_of_scope(
    connection: &Connection,
    scope_id: i64,
    from: i64,
    limit: usize,
) -> Result<Vec<ReceiptRow>, SqliteFailure> {
    const SQL: &str = "SELECT rowkey, realm, key, at FROM once INDEXED BY once_by_scope \
                       WHERE scope_id = ?1 AND rowkey >= ?2 ORDER BY rowkey LIMIT ?3";
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = connection.prepare_cached(SQL)?;
    let rows = statement.query_map(params![scope_id, from, limit], |row| {
        Ok(ReceiptRow { rowkey: row.get(0)?, realm: row.get(1)?, key: row.get(2)?, at: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Deletes records and their entries in the index. Returns the entries, for [`PendingIndex::remove_entries`].
pub(super) fn delete<'r>(
    connection: &Connection,
    (tenant, env): (&str, &str),
    records: impl IntoIterator<Item = &'r ReceiptRow>,
) -> Result<Vec<(i64, i64)>, SqliteFailure> {
    let mut record = connection.prepare_cached("DELETE FROM once WHERE rowkey = ?1")?;
    let mut index = connection.prepare_cached("DELETE FROM once_index WHERE hash = ?1 AND rowkey = ?2")?;
    let mut removed = Vec::new();
    for ReceiptRow { rowkey, realm, key, .. } in records {
        let filed = (hash_key(tenant, env, realm, key), *rowkey);
        record.execute([rowkey])?;
        index.execute([filed.0, filed.1])?;
        removed.push(filed);
    }
    Ok(removed)
}

/// Returns the receipt of a key among the row keys `listed` and those in the index.
fn find_receipt(
    connection: &Connection,
    listed: Vec<i64>,
    scope: &Scope,
    keyed: &HashedKey,
) -> Result<Option<(CommitReceipt, [u8; 32])>, SqliteFailure> {
    const SQL: &str = "SELECT receipt, fingerprint FROM once JOIN scopes USING (scope_id) \
                       WHERE rowkey = ?1 AND realm = ?2 AND key = ?3 AND tenant = ?4 AND env = ?5";
    let mut indexed = connection.prepare_cached("SELECT rowkey FROM once_index WHERE hash = ?1")?;
    let indexed = indexed.query_map([keyed.hash], |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
    let HashedKey { idempotency: once, .. } = keyed;
    for rowkey in listed.into_iter().chain(indexed) {
        let asked = params![rowkey, once.namespace, once.key, scope.tenant().as_str(), scope.env().as_str()];
        let found = connection.prepare_cached(SQL)?.query_row(asked, |row| {
            let receipt = serde_json::from_str(row.get_ref(0)?.as_str()?).map_err(|_| streams::column_error(0))?;
            Ok((receipt, row.get(1)?))
        });
        if let Some(found) = found.optional()? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn rowkeys(filed: &BTreeSet<(i64, i64)>, hash: i64) -> Vec<i64> {
    filed.range((hash, i64::MIN)..=(hash, i64::MAX)).map(|(_, rowkey)| *rowkey).collect()
}

impl TransactionIndex {
    /// Deletes records in the running transaction.
    pub(super) fn remove(
        &mut self,
        connection: &Connection,
        scope: &Scope,
        records: &[ReceiptRow],
    ) -> Result<(), SqliteFailure> {
        let removed = delete(connection, (scope.tenant().as_str(), scope.env().as_str()), records)?;
        for filed in &removed {
            self.entries.remove(filed);
        }
        self.removed.extend(removed);
        Ok(())
    }

    /// Like [`receipt`], and also finds the records of earlier batches in this transaction.
    pub(super) fn receipt(
        &self,
        connection: &Connection,
        recent: &PendingIndex,
        scope: &Scope,
        keyed: &HashedKey,
    ) -> Result<Option<(CommitReceipt, [u8; 32])>, SqliteFailure> {
        let mut listed = rowkeys(&self.entries, keyed.hash);
        listed.extend(rowkeys(&recent.state().entries, keyed.hash));
        find_receipt(connection, listed, scope, keyed)
    }

    /// Stores a receipt.
    pub(super) fn insert_receipt(
        &mut self,
        connection: &Connection,
        scope_id: i64,
        keyed: &HashedKey,
        receipt: &CommitReceipt,
        at: Timestamp,
    ) -> Result<(), SqliteFailure> {
        const SQL: &str = "INSERT INTO once (rowkey, scope_id, realm, key, fingerprint, receipt, at) \
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let HashedKey { idempotency: once, hash } = keyed;
        let text = serde_json::to_string(receipt).map_err(|_| rusqlite::Error::InvalidQuery)?;
        let rowkey = self.last + 1;
        let row = params![rowkey, scope_id, once.namespace, once.key, once.fingerprint, text, at.as_millis()];
        connection.prepare_cached(SQL)?.execute(row)?;
        self.last = rowkey;
        self.entries.insert((*hash, rowkey));
        Ok(())
    }
}

impl PendingIndex {
    /// Reads the records that are not in the index into the list.
    pub(super) fn load(&self, connection: &Connection) -> Result<(), SqliteFailure> {
        const SQL: &str =
            "SELECT rowkey, tenant, env, realm, key FROM once JOIN scopes USING (scope_id) WHERE rowkey > ?1";
        let (indexed, last): (i64, i64) = connection.query_row(
            "SELECT (SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'once_indexed'), (SELECT max(rowkey) FROM once)",
            [],
            |row| Ok((row.get::<_, Option<i64>>(0)?.unwrap_or(0), row.get::<_, Option<i64>>(1)?.unwrap_or(0))),
        )?;
        let mut filed = BTreeSet::new();
        let mut statement = connection.prepare(SQL)?;
        let mut rows = statement.query([indexed])?;
        while let Some(row) = rows.next()? {
            let text = |at: usize| row.get_ref(at)?.as_str().map_err(|_| streams::column_error(at));
            // A record of a staged scope is hashed with the environment that the scope gets when it is published.
            let env = public_env(text(2)?);
            filed.insert((hash_key(text(1)?, env, text(3)?, text(4)?), row.get(0)?));
        }
        *self.state() = PendingState { entries: filed, last: last.max(indexed), added_since_batch: 0, round: None };
        Ok(())
    }

    /// Starts a transaction.
    pub(super) fn begin_transaction(&self) -> TransactionIndex {
        TransactionIndex { entries: BTreeSet::new(), last: self.state().last, removed: Vec::new() }
    }

    /// Adds the records of a committed transaction to the list.
    pub(super) fn publish(&self, fresh: TransactionIndex) {
        self.remove_entries(&fresh.removed);
        if fresh.entries.is_empty() {
            return;
        }
        let mut state = self.state();
        state.added_since_batch += fresh.entries.len();
        state.entries.extend(fresh.entries);
        state.last = fresh.last;
    }

    /// Removes the entries `(key hash, rowkey)` of deleted records from the list of records that are not in the index yet.
    pub(super) fn remove_entries(&self, removed: &[(i64, i64)]) {
        if removed.is_empty() {
            return;
        }
        let mut state = self.state();
        for filed in removed {
            state.entries.remove(filed);
        }
    }

    /// Merges one batch of the list into the index, if the list has at least `least` records. Returns whether more is
    /// to be merged.
    pub(super) fn index_batch(&self, connection: &Connection, least: usize) -> Result<bool, SqliteFailure> {
        const FILE: &str = "INSERT OR IGNORE INTO once_index (hash, rowkey) VALUES (?1, ?2)";
        const WHOLE: &str = "INSERT OR REPLACE INTO meta (name, value) VALUES ('once_indexed', CAST(?1 AS TEXT))";
        let (slice, until, ends) = {
            let mut state = self.state();
            if state.round.is_none() && state.entries.len() < least.max(1) {
                return Ok(false);
            }
            let first = IndexRun { last_rowkey: state.last, next_entry: (i64::MIN, i64::MIN) };
            let IndexRun { last_rowkey: until, next_entry: next } = *state.round.get_or_insert(first);
            let count = INDEX_BATCH.max(2 * std::mem::take(&mut state.added_since_batch));
            let slice: Vec<_> =
                state.entries.range(next..).filter(|(_, rowkey)| *rowkey <= until).take(count).copied().collect();
            let ends = slice.len() < count;
            (slice, until, ends)
        };
        let step = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        {
            let mut file = step.prepare_cached(FILE)?;
            for (hash, rowkey) in &slice {
                file.execute([hash, rowkey])?;
            }
        }
        if ends {
            step.prepare_cached(WHOLE)?.execute([until])?;
        }
        step.commit()?;
        let mut state = self.state();
        for filed in &slice {
            state.entries.remove(filed);
        }
        state.round = slice.last().filter(|_| !ends).map(|last| IndexRun { last_rowkey: until, next_entry: *last });
        Ok(!ends)
    }

    /// Merges the whole list into the index, so that the next start has nothing to read.
    pub(super) fn index_all(&self, connection: &Connection) -> Result<(), SqliteFailure> {
        while self.index_batch(connection, 1)? || !self.state().entries.is_empty() {}
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, PendingState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_numbered_keys_are_adjacent_and_distinct() {
        let of = |key: &str| hash_key("t_a", "dev", "canvas/c/ada", key);
        assert_eq!(of("cmd-1234") - of("cmd-1233"), 1);
        assert_eq!(of("7") - of("6"), 1);
        let keys = ["", "7", "07", "007", "0007", "00007", "cmd-7", "cmd-07", "cmd7", "17", "10007"];
        let all: BTreeSet<_> = keys.iter().map(|key| of(key)).collect();
        assert_eq!(all.len(), keys.len());
        assert_ne!(of("7"), hash_key("t_a", "prod", "canvas/c/ada", "7"));
        assert_ne!(hash_key("t_a", "dev", "ab", "c"), hash_key("t_a", "dev", "a", "bc"));
    }
}
