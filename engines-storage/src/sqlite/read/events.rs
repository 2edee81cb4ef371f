//! Dataset events of a scope, and those of all scopes for the outbox.

use engines_core::{
    Env, Result, Scope, TenantId,
    event::{EventFilter, StoredEvent},
    nexus::{FeedItem, Page, PageToken, Paged},
    stream::Seq,
};
use rusqlite::{Connection, Row, params};

use super::page::{Parameters, empty, one_more, page, resume, scope_id};
use crate::sqlite::{
    error::Failure,
    streams::{actor, bad, raw, timestamp, ulid, unsigned},
};

const LIST: &str = "events";
/// Bytes of one answer to the outbox, at the most, but always at least one event.
const FEED_BYTES: usize = 4 << 20;

/// The columns of [`event`], in its order.
macro_rules! columns {
    () => {
        "seq, event_id, ts, surface, agent_id, type, trace_id, actor_id, actor_type, train_ok, pii_flags, body"
    };
}

/// Reads a page of events; the page's token is checked at once, the rest is for a reader.
pub(in crate::sqlite) fn events(
    scope: Scope,
    filter: EventFilter,
    wanted: Page,
) -> Result<impl FnOnce(&Connection) -> Result<Paged<StoredEvent>, Failure>> {
    let after = resume(LIST, &wanted)?;
    Ok(move |connection: &Connection| {
        let Some(scope_id) = scope_id(connection, &scope)? else { return Ok(empty()) };
        let limit = wanted.limit.max(1);
        let mut parameters = Parameters::default();
        let mut sql = format!(
            concat!("SELECT ", columns!(), " FROM dataset_events WHERE scope_id = {} AND seq > {}"),
            parameters.add(scope_id),
            parameters.add(after)
        );
        let EventFilter { surface, agent_id, trace_id, event_type, from, until } = filter;
        let texts = [("surface", surface), ("agent_id", agent_id), ("trace_id", trace_id), ("type", event_type)];
        for (column, text) in texts {
            if let Some(text) = text {
                sql.push_str(&format!(" AND {column} = {}", parameters.add(text)));
            }
        }
        for (sign, at) in [(">=", from), ("<", until)] {
            if let Some(at) = at {
                sql.push_str(&format!(" AND ts {sign} {}", parameters.add(at.as_millis())));
            }
        }
        sql.push_str(&format!(" ORDER BY seq LIMIT {}", parameters.add(one_more(limit))));
        let token = |last: &StoredEvent| PageToken::new(LIST, [last.seq.to_string()]);
        page(connection, &sql, &parameters, limit, |row| event(row, 0), token)
    })
}

/// Up to `limit` events of all scopes after `position`.
pub(in crate::sqlite) fn feed(connection: &Connection, position: u64, limit: usize) -> Result<Vec<FeedItem>, Failure> {
    const SQL: &str = concat!(
        "SELECT position, tenant, env, ",
        columns!(),
        " FROM dataset_events JOIN scopes USING (scope_id) WHERE position > ?1 ORDER BY position LIMIT ?2"
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

fn feed_item(row: &Row<'_>) -> rusqlite::Result<(FeedItem, usize)> {
    let tenant = TenantId::new(row.get_ref(1)?.as_str()?).map_err(|_| bad(1))?;
    let env: Env = row.get_ref(2)?.as_str()?.parse().map_err(|_| bad(2))?;
    let (event, weight) = event(row, 3)?;
    Ok((FeedItem { position: unsigned(row, 0)?, scope: Scope::new(tenant, env), event }, weight))
}

/// An event whose columns begin at `at`, and about how many bytes it has.
fn event(row: &Row<'_>, at: usize) -> rusqlite::Result<(StoredEvent, usize)> {
    let body: String = row.get(at + 11)?;
    let pii_flags = row.get_ref(at + 10)?.as_str()?;
    let weight = body.len() + pii_flags.len();
    let event = StoredEvent {
        seq: Seq(unsigned(row, at)?),
        event_id: ulid(row, at + 1)?,
        ts: timestamp(row, at + 2)?,
        surface: row.get(at + 3)?,
        agent_id: row.get(at + 4)?,
        event_type: row.get(at + 5)?,
        trace_id: row.get(at + 6)?,
        actor: actor(row, at + 7)?,
        train_ok: row.get(at + 9)?,
        pii_flags: serde_json::from_str(pii_flags).map_err(|_| bad(at + 10))?,
        body: raw(body, at + 11)?,
    };
    Ok((event, weight))
}
