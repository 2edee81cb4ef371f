//! Audit records: stored in order, and found by filters.

use engines_core::audit::{AuditEntry, AuditFilter, AuditOutcome as Ended};

use super::{
    CaseOutcome, CaseResult, Fixture,
    case::Case,
    fixture::{note, read_pages},
    report::ensure_equal,
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::store("audit::written_is_read", |fixture| Box::pin(written_is_read(fixture))),
        Case::store("audit::filters", |fixture| Box::pin(filters(fixture))),
    ]
}

/// Every field is read back, in the order of writing, also for several records in one batch.
pub async fn written_is_read(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut refused = fixture.audit_entry(&scope, "conformance.refused", "canvas/c1")?;
    refused.outcome = Ended::Refused;
    refused.reason = Some("a \"reason\"".into());
    let wrote = vec![
        fixture.audit_entry(&scope, "conformance.one", "")?,
        refused,
        fixture.audit_entry(&scope, "conformance.two", "thread/t1")?,
    ];
    let [one, two, three] = [wrote[0].clone(), wrote[1].clone(), wrote[2].clone()];
    fixture
        .commit(&scope, fixture.new_batch().audit(one).put(note("d", 1)?, engines_core::nexus::Expect::Any).audit(two))
        .await?;
    fixture.commit(&scope, fixture.new_batch().audit(three).audit(None)).await?;
    ensure_equal("audit records", &fixture.list_audit(&scope, &AuditFilter::default()).await?, &wrote)?;
    Ok(CaseOutcome::Passed)
}

/// Every filter, alone and combined; `from` is inclusive, `until` is exclusive.
pub async fn filters(fixture: &Fixture) -> CaseResult {
    let scope = fixture.new_scope()?;
    let mut all: Vec<AuditEntry> = Vec::new();
    for n in 0..24 {
        let action = ["conformance.read", "conformance.write"][n % 2];
        let mut entry = fixture.audit_entry(&scope, action, ["canvas/c1", "canvas/c10"][n / 2 % 2])?;
        entry.actor.id = engines_core::UserId::new(["ada", "bob"][n / 4 % 2])?;
        fixture.commit(&scope, fixture.new_batch().audit(entry.clone())).await?;
        all.push(entry);
    }
    let text = |text: &str| Some(text.to_owned());
    let none = AuditFilter::default;
    let at = |n: usize| Some(all[n].ts);
    let filters = [
        none(),
        AuditFilter { action: text("conformance.write"), ..none() },
        AuditFilter { action: text("conformance"), ..none() },
        AuditFilter { actor_id: text("bob"), ..none() },
        AuditFilter { actor_id: text("BOB"), ..none() },
        AuditFilter { resource: text("canvas/c1"), ..none() },
        AuditFilter { from: at(3), until: at(9), ..none() },
        AuditFilter { from: at(9), until: at(3), ..none() },
        AuditFilter {
            action: text("conformance.read"),
            actor_id: text("ada"),
            resource: text("canvas/c10"),
            from: at(1),
            until: at(20),
        },
    ];
    for filter in filters {
        let wanted: Vec<_> = all.iter().filter(|entry| filter.matches(entry)).cloned().collect();
        for limit in [1, 3, 500] {
            let found = read_pages(limit, |page| fixture.store.audit(&scope, &filter, page)).await?;
            ensure_equal(&format!("records of {filter:?}, pages of {limit}"), &found, &wanted)?;
        }
    }
    Ok(CaseOutcome::Passed)
}
