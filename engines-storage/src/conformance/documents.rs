//! Documents: versions, times, expectations and queries.

use engines_core::{
    DocId, Timestamp,
    nexus::{CommitError, Document, DocumentKind, DocumentQuery, Expect, FailedPrecondition, QueryOrder},
};
use serde_json::{Value, json};

use super::{
    CaseFailure, CaseOutcome, CaseResult, Fixture,
    assertions::{parse_value, require_found},
    case::Case,
    fixture::{NOTE, json_of_size, note, raw_json},
    report::{ensure, ensure_equal},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("documents::written_is_read", |fixture| Box::pin(written_is_read(fixture))),
        Case::store("documents::deleted_is_gone", |fixture| Box::pin(deleted_is_gone(fixture))),
        Case::store("documents::expectations", |fixture| Box::pin(expectations(fixture))),
        Case::store("documents::bodies_of_any_size", |fixture| Box::pin(bodies_of_any_size(fixture))),
        Case::store("documents::queries", |fixture| Box::pin(queries(fixture))),
        Case::store("documents::newest_first", |fixture| Box::pin(newest_first(fixture))),
    ]
}

/// A document is read as it was written: body, tags, version 1 and both times. A second write replaces everything but
/// the creation time.
pub async fn written_is_read(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    ensure(fixture.get(&scope, "d1").await?.is_none(), || "a document is there before it was written".into())?;
    let first =
        fixture.new_batch().put(note("d1", json!({"a": [1, null, "x"]}))?.tag("red").tag("big"), Expect::Absent);
    let first_at = first.at();
    let receipt = fixture.commit(&scope, first).await?;
    ensure_equal("the versions of the receipt", &receipt.versions, &vec![1])?;
    ensure(!receipt.replayed && receipt.note.is_empty(), || format!("a receipt of a first write: {receipt:?}"))?;
    let document = require_found(fixture.get(&scope, "d1").await?)?;
    check_document(&document, 1, (first_at, first_at), &["big", "red"], &json!({"a": [1, null, "x"]}))?;
    let second = fixture.new_batch().put(note("d1", "other")?.tag("blue"), Expect::Version(1));
    let second_at = second.at();
    ensure_equal("the versions of the second receipt", &fixture.commit(&scope, second).await?.versions, &vec![2])?;
    let document = require_found(fixture.get(&scope, "d1").await?)?;
    check_document(&document, 2, (first_at, second_at), &["blue"], &json!("other"))?;
    let other_kind = fixture.store.get(&scope, &DocumentKind::new("conformance_other")?, &DocId::new("d1")?).await?;
    ensure(other_kind.is_none(), || "a document shows in another kind".into())?;
    let old = fixture.list_all(&scope, &DocumentQuery::of_kind(NOTE).tag("red"), 10).await?;
    ensure_equal("documents with a tag that was replaced", &old.len(), &0)?;
    Ok(CaseOutcome::Passed)
}

/// A deleted document is not found, and starts at version 1 when it is written again.
pub async fn deleted_is_gone(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    for _ in 0..2 {
        fixture.commit(&scope, fixture.new_batch().put(note("d1", 1)?.tag("t"), Expect::Any)).await?;
    }
    let deleted =
        fixture.commit(&scope, fixture.new_batch().delete(NOTE, DocId::new("d1")?, Expect::Version(2))).await?;
    ensure_equal("the versions of a deletion", &deleted.versions, &vec![0])?;
    ensure(fixture.get(&scope, "d1").await?.is_none(), || "a deleted document is still there".into())?;
    let tagged = fixture.list_all(&scope, &DocumentQuery::of_kind(NOTE).tag("t"), 10).await?;
    ensure_equal("deleted documents in a query", &tagged.len(), &0)?;
    let nothing = fixture.commit(&scope, fixture.new_batch().delete(NOTE, DocId::new("d1")?, Expect::Any)).await?;
    ensure_equal("the versions of deleting nothing", &nothing.versions, &vec![0])?;
    let again = fixture.new_batch().put(note("d1", 2)?, Expect::Absent);
    let at = again.at();
    ensure_equal("the version after a deletion", &fixture.commit(&scope, again).await?.versions, &vec![1])?;
    check_document(&require_found(fixture.get(&scope, "d1").await?)?, 1, (at, at), &[], &json!(2))?;
    Ok(CaseOutcome::Passed)
}

/// Every expectation of a write and of a deletion, with and without an existing document. The error of a failed
/// expectation states what exists.
pub async fn expectations(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let table = [
        (Expect::Absent, true, false),
        (Expect::Present, false, true),
        (Expect::Any, true, true),
        (Expect::Version(2), false, true),
        (Expect::Version(1), false, false),
        (Expect::Version(3), false, false),
        (Expect::Version(0), false, false),
        (Expect::Version(u64::MAX), false, false),
    ];
    for (row, (expect, on_nothing, on_two)) in table.into_iter().enumerate() {
        for (there, holds) in [(false, on_nothing), (true, on_two)] {
            for delete in [false, true] {
                let id = format!("d-{row}-{there}-{delete}");
                for _ in 0..if there { 2 } else { 0 } {
                    fixture.commit(&scope, fixture.new_batch().put(note(&id, "before")?, Expect::Any)).await?;
                }
                let batch = match delete {
                    true => fixture.new_batch().delete(NOTE, DocId::new(&id)?, expect),
                    false => fixture.new_batch().put(note(&id, "after")?, expect),
                };
                let answer = fixture.commit(&scope, batch).await;
                let version = fixture.get(&scope, &id).await?.map(|document| document.version);
                let what = format!("{expect:?} on {}, delete: {delete}", if there { "version 2" } else { "nothing" });
                let before = there.then_some(2);
                match answer {
                    Ok(_) => {
                        ensure(holds, || format!("{what}: committed, although it does not hold"))?;
                        ensure_equal(&what, &version, &if delete { None } else { Some(before.unwrap_or(0) + 1) })?;
                    }
                    Err(CommitError::Precondition { index: 0, failed }) if !holds => {
                        let wanted = FailedPrecondition::Document { kind: NOTE, id: DocId::new(&id)?, version: before };
                        ensure_equal(&what, &failed, &wanted)?;
                        ensure_equal(&what, &version, &before)?;
                    }
                    Err(error) => return Err(CaseFailure::new(format!("{what}: {error:?}"))),
                }
            }
        }
    }
    Ok(CaseOutcome::Passed)
}

/// The shortest JSON texts, and texts of up to 4 MiB.
pub async fn bodies_of_any_size(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let limits = fixture.store.capabilities();
    let limit = limits.max_document_bytes.min(limits.max_batch_bytes);
    let mut bodies = vec![
        raw_json("null")?,
        raw_json("0")?,
        raw_json("\"\"")?,
        raw_json("{}")?,
        raw_json("[]")?,
        raw_json("-1.5e-7")?,
    ];
    for bytes in [4095, 4096, 4097, 1 << 16, 1 << 20, 4 << 20] {
        if bytes <= limit {
            bodies.push(json_of_size(bytes)?);
        }
    }
    for (n, body) in bodies.into_iter().enumerate() {
        let id = format!("d{n}");
        let mut document = note(&id, Value::Null)?;
        document.body = body.clone();
        fixture.commit(&scope, fixture.new_batch().put(document, Expect::Absent)).await?;
        let read = require_found(fixture.get(&scope, &id).await?)?;
        ensure_equal(
            &format!("a body of {} bytes", body.get().len()),
            &read.decode::<Value>()?,
            &parse_value(body.get())?,
        )?;
    }
    Ok(CaseOutcome::Passed)
}

/// Ids in byte order in both directions, ranges of ids (also empty and inverted ones), and queries by tags.
pub async fn queries(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut ids = ["a", "B", "a.b", "a-b", "a:b", "a_b", "Z", "z", "0", "10", "9", "aa", "ab"];
    for (n, id) in ids.iter().enumerate() {
        let mut document = note(id, n)?.tag("all");
        if n % 2 == 0 {
            document = document.tag("even");
        }
        if n % 3 == 0 {
            document = document.tag("third");
        }
        fixture.commit(&scope, fixture.new_batch().put(document, Expect::Absent)).await?;
    }
    let both: Vec<_> = ids.iter().enumerate().filter(|(n, _)| n % 6 == 0).map(|(_, id)| (*id).to_owned()).collect();
    ids.sort_unstable();
    let all = DocumentQuery::of_kind(NOTE);
    let listed = |documents: Vec<Document>| documents.into_iter().map(|d| d.id.to_string()).collect::<Vec<_>>();
    let rising = listed(fixture.list_all(&scope, &all, 100).await?);
    ensure_equal("ids rising in byte order", &rising, &ids.to_vec())?;
    let falling = listed(fixture.list_all(&scope, &all.clone().order(QueryOrder::IdDescending), 100).await?);
    ensure_equal("ids falling", &falling, &ids.iter().rev().copied().collect::<Vec<_>>())?;
    let mut sorted = both;
    sorted.sort_unstable();
    let tagged = listed(fixture.list_all(&scope, &all.clone().tag("third").tag("even"), 100).await?);
    ensure_equal("documents with both tags", &tagged, &sorted)?;
    let unknown = fixture.list_all(&scope, &all.clone().tag("even").tag("nowhere"), 100).await?;
    ensure_equal("documents with an unknown tag", &unknown.len(), &0)?;
    let ranges = [
        (Some("a"), Some("a:b")),
        (Some("Y"), None),
        (None, Some("Z")),
        (Some("b"), Some("a")),
        (Some("a"), Some("a")),
    ];
    for order in [QueryOrder::IdAscending, QueryOrder::IdDescending, QueryOrder::UpdatedDescending] {
        for (from, to) in ranges {
            let wanted: Vec<_> = ids
                .iter()
                .copied()
                .filter(|id| from.is_none_or(|from| *id >= from) && to.is_none_or(|to| *id <= to))
                .collect();
            let query =
                all.clone().id_range(from.map(DocId::new).transpose()?, to.map(DocId::new).transpose()?).order(order);
            for limit in [1, 100] {
                let mut found = listed(fixture.list_all(&scope, &query, limit).await?);
                found.sort_unstable();
                ensure_equal(&format!("ids from {from:?} to {to:?}, {order:?}, pages of {limit}"), &found, &wanted)?;
            }
        }
    }
    Ok(CaseOutcome::Passed)
}

/// The latest write comes first; writes of the same time are ordered by descending id; a write moves a document to
/// the front.
pub async fn newest_first(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let at = Timestamp::from_millis(1_800_000_000_000);
    let later = Timestamp::from_millis(1_800_000_000_001);
    for (id, at) in [("b", at), ("c", later), ("a", at), ("d", at), ("e", later)] {
        let batch = engines_core::Batch::new(at).put(note(id, 0)?.tag("t"), Expect::Absent);
        fixture.commit(&scope, batch).await?;
    }
    let query = DocumentQuery::of_kind(NOTE).tag("t").order(QueryOrder::UpdatedDescending);
    for limit in [1, 2, 3, 100] {
        let found = fixture.list_all(&scope, &query, limit).await?;
        let ids: Vec<_> = found.iter().map(|document| document.id.as_str()).collect();
        ensure_equal(&format!("newest first, pages of {limit}"), &ids, &vec!["e", "c", "d", "b", "a"])?;
    }
    let touch = engines_core::Batch::new(later.plus(std::time::Duration::from_millis(1)));
    fixture.commit(&scope, touch.put(note("a", 1)?.tag("t"), Expect::Present)).await?;
    let found = fixture.list_all(&scope, &query, 100).await?;
    let ids: Vec<_> = found.iter().map(|document| document.id.as_str()).collect();
    ensure_equal("newest first after a write", &ids, &vec!["a", "e", "c", "d", "b"])?;
    Ok(CaseOutcome::Passed)
}

fn check_document(
    document: &Document,
    version: u64,
    (created, updated): (Timestamp, Timestamp),
    tags: &[&str],
    body: &Value,
) -> Result<(), CaseFailure> {
    ensure_equal("the kind", &document.kind, &NOTE)?;
    ensure_equal("the version", &document.version, &version)?;
    ensure_equal("created_at", &document.created_at, &created)?;
    ensure_equal("updated_at", &document.updated_at, &updated)?;
    let mut found = document.tags.clone();
    found.sort_unstable();
    ensure_equal("the tags", &found, &tags.to_vec())?;
    ensure_equal("the body", &document.decode::<Value>()?, body)
}
