//! Queries for the dataset events of one scope, and for those of all scopes, which the outbox reads.

use engines_core::{
    Env, Result, Scope, TenantId, Timestamp,
    event::{EventFilter, StoredEvent},
    nexus::{FeedItem, Page, PageRequest, PageToken},
    stream::Seq,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::page::{SqlParameters, empty_page, limit_plus_one, read_page, resume_number, scope_id};
use crate::sqlite::{
    error::SqliteFailure,
    staged_name::is_public,
    streams::{column_error, read_actor, read_json, read_timestamp, read_u64, read_ulid},
};

const LIST: &str = "events";
/// Maximum bytes of events in one answer to the outbox; it contains at least one event.
const FEED_BYTES: usize = 4 << 20;

/// The columns that [`event`] reads, in its order.
macro_rules! columns {
    () => {
        "seq, event_id, ts, surface, agent_id, type, trace_id, actor_id, actor_type, train_ok, pii_flags, body"
    };
}

/// Returns a query that reads a page of events. The token is checked now; the query runs on a reader.
pub(in crate::sqlite) fn events(
    scope: Scope,
    filter: EventFilter,
    wanted: PageRequest,
) -> Result<impl FnOnce(&Connection) -> Result<Page<StoredEvent>, SqliteFailure>> {
    let after = resume_number(LIST, &wanted)?;
    Ok(move |connection: &Connection| {
        let Some(scope_id) = scope_id(connection, &scope)? else { return Ok(empty_page()) };
        let limit = wanted.limit.max(1);
        let PageStatement { sql, parameters, scan_limit: bound } =
            page_statement(connection, scope_id, filter, after, limit, EventFilter::MAX_SCANNED)?;
        let token = |last: &StoredEvent| PageToken::new(LIST, [last.seq.to_string()]);
        let mut found = read_page(connection, &sql, &parameters, limit, |row| event(row, 0), token)?;
        if found.next.is_none() {
            found.next = bound.map(|bound| PageToken::new(LIST, [bound.to_string()]).encode());
        }
        Ok(found)
    })
}

/// Events that match a filter, and how far the search went.
pub(in crate::sqlite) struct RemovableEvents {
    /// The events' positions in the feed, which are their row ids.
    pub(in crate::sqlite) positions: Vec<i64>,
    /// The sequence of the last event that was examined.
    pub(in crate::sqlite) scanned_to: i64,
    /// Whether there are no more matching events.
    pub(in crate::sqlite) done: bool,
}

/// Finds up to `limit` matching events after the sequence `after` whose position is not greater than `delivered`.
/// Skips as many other events as a page does.
pub(in crate::sqlite) fn find_removable(
    connection: &Connection,
    scope_id: i64,
    filter: EventFilter,
    delivered: i64,
    after: i64,
    limit: usize,
) -> Result<RemovableEvents, SqliteFailure> {
    let PageStatement { sql, parameters, scan_limit: bound } =
        page_statement_for("seq, position", connection, scope_id, filter, after, limit, EventFilter::MAX_SCANNED)?;
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(parameters.values())?;
    let mut found = RemovableEvents { positions: Vec::new(), scanned_to: after, done: false };
    while let Some(row) = rows.next()? {
        let (seq, position): (i64, i64) = (row.get(0)?, row.get(1)?);
        // Positions rise with sequences, so the positions of all later events are greater too.
        if position > delivered {
            found.done = true;
            return Ok(found);
        }
        if found.positions.len() == limit {
            return Ok(found);
        }
        found.positions.push(position);
        found.scanned_to = seq;
    }
    match bound {
        Some(bound) => found.scanned_to = bound,
        None => found.done = true,
    }
    Ok(found)
}

/// The statement for one page.
struct PageStatement {
    sql: String,
    parameters: SqlParameters,
    /// The last sequence that the statement examines, when there are more events after it.
    scan_limit: Option<i64>,
}

/// Builds the statement for one page. It scans one index in the order of the result, from the start of the page to
/// the last event that can be early enough, but at most `walk` entries. The index is the one in which this number of
/// entries reaches furthest, among the indexes of the fields in the filter; without such a field, it is that of the
/// scope's events.
fn page_statement(
    connection: &Connection,
    scope_id: i64,
    filter: EventFilter,
    after: i64,
    limit: usize,
    walk: usize,
) -> Result<PageStatement, SqliteFailure> {
    page_statement_for(columns!(), connection, scope_id, filter, after, limit, walk)
}

/// Like [`page_statement`], for other columns.
fn page_statement_for(
    columns: &str,
    connection: &Connection,
    scope_id: i64,
    filter: EventFilter,
    after: i64,
    limit: usize,
    walk: usize,
) -> Result<PageStatement, SqliteFailure> {
    let EventFilter { surface, agent_id, trace_id, event_type, from, until } = filter;
    let after = match from {
        Some(from) => after.max(last_before_start(connection, scope_id, from)?),
        None => after,
    };
    let last = until.map(|until| last_before_end(connection, scope_id, until)).transpose()?.flatten();
    let events: Option<i64> = connection
        .prepare_cached("SELECT events FROM scopes WHERE scope_id = ?1")?
        .query_row([scope_id], |row| row.get(0))
        .optional()?;
    let fields = [
        ("trace_id", "dataset_events_by_trace", trace_id),
        ("agent_id", "dataset_events_by_agent", agent_id),
        ("type", "dataset_events_by_type", event_type),
        ("surface", "dataset_events_by_surface", surface),
    ];
    let named: Vec<_> = fields.into_iter().filter_map(|(column, index, text)| Some((column, index, text?))).collect();
    // A filter on one indexed field, or on none, skips no event.
    let passes_over = named.len() > 1 || from.is_some() || until.is_some();
    // With the limit added, a scan always covers at least a full page.
    let steps = walk.saturating_add(limit);
    let mut walked: Option<(&str, Option<i64>)> = None;
    for (column, index, text) in &named {
        let bound =
            if passes_over { nth_match(connection, (column, index), (scope_id, text), after, steps)? } else { None };
        let reaches = |bound: Option<i64>| bound.unwrap_or(i64::MAX);
        if walked.is_none_or(|(_, known)| reaches(bound) > reaches(known)) {
            walked = Some((index, bound));
        }
    }
    let bound = match walked {
        Some((_, bound)) => bound,
        None if passes_over => {
            let bound = after.saturating_add(i64::try_from(steps).unwrap_or(i64::MAX));
            Some(bound).filter(|bound| events.is_some_and(|events| *bound < events))
        }
        None => None,
    };
    let mut parameters = SqlParameters::default();
    let mut sql = format!(
        "SELECT {columns} FROM dataset_events{} WHERE scope_id = {} AND seq > {}",
        walked.map(|(index, _)| format!(" INDEXED BY {index}")).unwrap_or_default(),
        parameters.add(scope_id),
        parameters.add(after)
    );
    for (column, _, text) in named {
        sql.push_str(&format!(" AND {column} = {}", parameters.add(text)));
    }
    // A bound after the last possible event is the end of the scan.
    let bound = bound.filter(|bound| last.is_none_or(|last| *bound < last));
    if let Some(last) = bound.or(last) {
        sql.push_str(&format!(" AND seq <= {}", parameters.add(last)));
    }
    for (sign, at) in [(">=", from), ("<", until)] {
        if let Some(at) = at {
            sql.push_str(&format!(" AND ts {sign} {}", parameters.add(at.as_millis())));
        }
    }
    sql.push_str(&format!(" ORDER BY seq LIMIT {}", parameters.add(limit_plus_one(limit))));
    Ok(PageStatement { sql, parameters, scan_limit: bound })
}

/// Returns the sequence of the `steps`th event after `after` with this text; `None` when there are fewer.
fn nth_match(
    connection: &Connection,
    (column, index): (&str, &str),
    (scope_id, text): (i64, &str),
    after: i64,
    steps: usize,
) -> Result<Option<i64>, SqliteFailure> {
    let sql = format!(
        "SELECT seq FROM dataset_events INDEXED BY {index} WHERE scope_id = ?1 AND {column} = ?2 AND seq > ?3 \
         ORDER BY seq LIMIT 1 OFFSET ?4"
    );
    let skip = i64::try_from(steps.saturating_sub(1)).unwrap_or(i64::MAX);
    let found = connection.prepare_cached(&sql)?.query_row(params![scope_id, text, after, skip], |row| row.get(0));
    Ok(found.optional()?)
}

/// Returns a sequence up to which every event is earlier than `from`: the last mark whose latest time is before
/// `from`.
fn last_before_start(connection: &Connection, scope_id: i64, from: Timestamp) -> Result<i64, SqliteFailure> {
    const SQL: &str =
        "SELECT seq FROM event_marks WHERE scope_id = ?1 AND high < ?2 ORDER BY high DESC, seq DESC LIMIT 1";
    let found = connection.prepare_cached(SQL)?.query_row(params![scope_id, from.as_millis()], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

/// Returns a sequence after which no event is earlier than `until`; `None` when it is not known. An event is at most
/// `lag` earlier than the latest time at its sequence, and latest times never decrease.
fn last_before_end(connection: &Connection, scope_id: i64, until: Timestamp) -> Result<Option<i64>, SqliteFailure> {
    const SQL: &str = "SELECT seq FROM event_marks WHERE scope_id = ?1 AND high >= ?2 ORDER BY high, seq LIMIT 1";
    let mut lag = connection.prepare_cached("SELECT lag FROM scopes WHERE scope_id = ?1")?;
    let lag: i64 = lag.query_row([scope_id], |row| row.get(0))?;
    let latest = until.as_millis().saturating_add(lag);
    Ok(connection.prepare_cached(SQL)?.query_row(params![scope_id, latest], |row| row.get(0)).optional()?)
}

/// Returns up to `limit` events of all scopes after `position`.
pub(in crate::sqlite) fn read_feed(
    connection: &Connection,
    position: u64,
    limit: usize,
) -> Result<Vec<FeedItem>, SqliteFailure> {
    const SQL: &str = concat!(
        "SELECT position, tenant, env, ",
        columns!(),
        " FROM dataset_events CROSS JOIN scopes USING (scope_id) WHERE position > ?1 AND env NOT LIKE '%~staged' \
          ORDER BY position LIMIT ?2"
    );
    let Ok(position) = i64::try_from(position) else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query(params![position, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let (mut items, mut size) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (item, weight) = feed_item(row)?;
        size += weight;
        if size > FEED_BYTES && !items.is_empty() {
            break;
        }
        items.push(item);
    }
    Ok(items)
}

/// Returns up to `limit` published scopes after `after`, by name.
pub(in crate::sqlite) fn scopes_after(
    connection: &Connection,
    after: Option<&Scope>,
    limit: usize,
) -> Result<Vec<Scope>, SqliteFailure> {
    const SQL: &str = "SELECT tenant, env FROM scopes WHERE (tenant, env) > (?1, ?2) ORDER BY tenant, env";
    let (tenant, env) = after.map_or(("", ""), |after| (after.tenant().as_str(), after.env().as_str()));
    let mut statement = connection.prepare_cached(SQL)?;
    let mut rows = statement.query([tenant, env])?;
    let mut scopes = Vec::new();
    while scopes.len() < limit {
        let Some(row) = rows.next()? else { break };
        let env = row.get_ref(1)?.as_str().map_err(rusqlite::Error::from)?;
        if is_public(env) {
            let tenant = row.get_ref(0)?.as_str().map_err(rusqlite::Error::from)?;
            scopes.push(Scope::new(
                TenantId::new(tenant).map_err(|_| column_error(0))?,
                env.parse().map_err(|_| column_error(1))?,
            ));
        }
    }
    Ok(scopes)
}

fn feed_item(row: &Row<'_>) -> rusqlite::Result<(FeedItem, usize)> {
    let tenant = TenantId::new(row.get_ref(1)?.as_str()?).map_err(|_| column_error(1))?;
    let env: Env = row.get_ref(2)?.as_str()?.parse().map_err(|_| column_error(2))?;
    let (event, weight) = event(row, 3)?;
    Ok((FeedItem { position: read_u64(row, 0)?, scope: Scope::new(tenant, env), event }, weight))
}

/// Selects the events of a scope after a sequence, each with its position first.
pub(super) const WITH_POSITION: &str = concat!(
    "SELECT position, ",
    columns!(),
    " FROM dataset_events WHERE scope_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3"
);

/// Reads an event whose columns start at `at`, and its approximate size in bytes.
pub(super) fn event(row: &Row<'_>, at: usize) -> rusqlite::Result<(StoredEvent, usize)> {
    let body: String = row.get(at + 11)?;
    let pii_flags = row.get_ref(at + 10)?.as_str()?;
    let weight = body.len() + pii_flags.len();
    let event = StoredEvent {
        seq: Seq(read_u64(row, at)?),
        event_id: read_ulid(row, at + 1)?,
        ts: read_timestamp(row, at + 2)?,
        surface: row.get(at + 3)?,
        agent_id: row.get(at + 4)?,
        event_type: row.get(at + 5)?,
        trace_id: row.get(at + 6)?,
        actor: read_actor(row, at + 7)?,
        train_ok: row.get(at + 9)?,
        pii_flags: serde_json::from_str(pii_flags).map_err(|_| column_error(at + 10))?,
        body: read_json(body, at + 11)?,
    };
    Ok((event, weight))
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    /// Creates a log of `events` in one scope. Every 1000th event has its own surface, agent, trace and type; events
    /// are one second apart.
    fn log(events: i64) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../schema.sql")).unwrap();
        connection
            .execute("INSERT INTO scopes (tenant, env, events, high) VALUES ('t_acme', 'dev', ?1, ?1 * 1000)", [events])
            .unwrap();
        let fill = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < ?1) \
                    INSERT INTO dataset_events (scope_id, seq, event_id, ts, surface, agent_id, type, trace_id, actor_id, \
                    actor_type, train_ok, pii_flags, body) SELECT 1, n, '01ARZ3NDEKTSV4RRFFQ69G5FAV', n * 1000, \
                    iif(n % 1000, 'common', 'rare'), iif(n % 1000, 'common', 'rare'), iif(n % 1000, 'common', 'rare'), \
                    iif(n % 1000, 'common', 'rare'), 'ada', 'human', 1, '{\"policy\":\"\",\"counts\":{},\"paths\":[]}', '{}' FROM n";
        connection.execute(fill, [events]).unwrap();
        let marks = "INSERT INTO event_marks SELECT scope_id, ts, seq FROM dataset_events WHERE seq % 64 = 0";
        connection.execute(marks, []).unwrap();
        connection
    }

    fn filters() -> Vec<EventFilter> {
        let rare = || Some("rare".to_owned());
        let (from, until) = (Some(Timestamp::from_secs(400)), Some(Timestamp::from_secs(600)));
        let none = EventFilter::default;
        vec![
            none(),
            EventFilter { surface: rare(), ..none() },
            EventFilter { agent_id: rare(), ..none() },
            EventFilter { trace_id: rare(), ..none() },
            EventFilter { event_type: rare(), ..none() },
            EventFilter { from, ..none() },
            EventFilter { until, ..none() },
            EventFilter { from, until, ..none() },
            EventFilter { surface: rare(), from, until, ..none() },
            EventFilter { surface: rare(), agent_id: rare(), trace_id: rare(), event_type: rare(), from, until },
        ]
    }

    #[test]
    fn every_filter_walks_an_index_and_sorts_nothing() {
        let connection = log(2000);
        for filter in filters() {
            let PageStatement { sql, parameters, .. } =
                page_statement(&connection, 1, filter.clone(), 0, 50, EventFilter::MAX_SCANNED).unwrap();
            let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let steps = plan.query_map(parameters.values(), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert_eq!(steps.len(), 1, "{filter:?}: {steps:?}");
            assert!(steps[0].starts_with("SEARCH dataset_events USING INDEX"), "{filter:?}: {steps:?}");
            assert!(steps[0].contains("scope_id=?") && steps[0].contains("seq>?"), "{filter:?}: {steps:?}");
        }
    }

    /// The cost is counted in instructions of SQLite's virtual machine, which do not vary between runs.
    #[test]
    fn the_cost_of_a_page_does_not_depend_on_log_length() {
        let (short, long) = (log(2000), log(60_000));
        for filter in filters() {
            // Pages in the middle of the log, and the last page, which searches without a result.
            for (after, until) in [(500, None), (0, Some(Timestamp::from_secs(700)))] {
                let filter = EventFilter { until: filter.until.or(until), ..filter.clone() };
                let steps = |connection: &Connection| {
                    let PageStatement { sql, parameters, .. } =
                        page_statement(connection, 1, filter.clone(), after, 10, EventFilter::MAX_SCANNED).unwrap();
                    let mut statement = connection.prepare(&sql).unwrap();
                    let mut rows = statement.query(parameters.values()).unwrap();
                    let mut count = 0;
                    while rows.next().unwrap().is_some() {
                        count += 1;
                    }
                    drop(rows);
                    (count, statement.get_status(StatementStatus::VmStep))
                };
                let ((few, in_short), (many, in_long)) = (steps(&short), steps(&long));
                // With more events a page may be full that was partly filled before.
                assert!(many >= few && many <= 11, "{filter:?}: {few} and {many}");
                let most = in_short.max(1000) * 2;
                assert!(in_long <= most, "{filter:?} after {after}: {in_short} steps, then {in_long}");
            }
        }
    }
    /// Two values, each of half of all events, which few or no events have both; and a clock set far ahead, which
    /// makes events hard to find by time.
    #[test]
    fn the_number_of_skipped_events_per_page_is_bounded() {
        let logs = [log(4000), log(40_000)];
        for log in &logs {
            let halves = "UPDATE dataset_events SET surface = iif(seq % 2, 'odd', 'even'), agent_id = iif(seq % 2, 'odd', 'even'); \
                          UPDATE event_marks SET high = 99000000 WHERE seq > 100; UPDATE scopes SET high = 99000000, lag = 98900000";
            log.execute_batch(halves).unwrap();
        }
        let word = |text: &str| Some(text.to_owned());
        let never = EventFilter { surface: word("odd"), agent_id: word("even"), ..EventFilter::default() };
        let late = EventFilter { from: Some(Timestamp::from_secs(90_000)), ..EventFilter::default() };
        for filter in [never, late] {
            let [short, long] = logs.each_ref().map(|log| {
                let (mut after, mut pages, mut most) = (0, 0, 0);
                loop {
                    let PageStatement { sql, parameters, scan_limit: bound } =
                        page_statement(log, 1, filter.clone(), after, 10, 500).unwrap();
                    let mut statement = log.prepare(&sql).unwrap();
                    let mut rows = statement.query(parameters.values()).unwrap();
                    assert!(rows.next().unwrap().is_none());
                    drop(rows);
                    most = most.max(statement.get_status(StatementStatus::VmStep));
                    match bound {
                        Some(bound) => (after, pages) = (bound, pages + 1),
                        None => break (pages, most),
                    }
                }
            });
            assert!(short.0 > 2 && long.0 > 30, "{filter:?}: {short:?} {long:?}");
            assert!(long.1 <= short.1 * 2, "{filter:?}: {short:?} {long:?}");
        }
    }
}
