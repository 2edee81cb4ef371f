//! Property test of [`decide`] against the complete list of commits.

use std::sync::{Arc, OnceLock};

use engines_core::{Role, stream::CorrelationIds, testing};
use proptest::prelude::*;
use serde_json::{json, value::to_raw_value};

use super::*;

const MAX_DISTANCE: u64 = 12;

/// A command that sets the members `fields` of the root object.
fn command(base_rev: u64, on_conflict: OnConflict, fields: &[u8]) -> PendingCommand {
    let ops = json!(
        fields.iter().map(|field| json!({"op": "add", "path": format!("/f{field}"), "value": 1})).collect::<Vec<_>>()
    );
    PendingCommand {
        context: testing::context("t_acme", "ada", Role::Member).unwrap(),
        command_id: None,
        base_rev,
        on_conflict,
        intent: None,
        ops: serde_json::from_value(ops.clone()).unwrap(),
        ops_json: to_raw_value(&ops).unwrap(),
        ids: CorrelationIds::default(),
        routing: engines_core::stream::Routing::default(),
        idempotency: None,
        audit: None,
        touches: OnceLock::new(),
    }
}

proptest! {
    /// `commits` are the fields that each commit of a log sets; the writer remembers only the newest ones. A rebase
    /// over a commit that sets the same field would be a lost update.
    #[test]
    fn a_command_is_rebased_only_if_no_commit_since_its_base_overlaps(
        commits in proptest::collection::vec(proptest::collection::vec(0_u8..6, 1..3), 0..20),
        remembered in 0_usize..24,
        base_rev in 0_u64..22,
        cleared in 0_u64..22,
        fields in proptest::collection::vec(0_u8..6, 1..3),
        rebase in any::<bool>(),
    ) {
        let head = commits.len() as u64;
        let on_conflict = if rebase { OnConflict::Rebase } else { OnConflict::Reject };
        let overlaps = |after: u64| {
            commits.iter().zip(1..).any(|(set, rev)| rev > after && set.iter().any(|field| fields.contains(field)))
        };
        // The caller passes only revisions up to which nothing overlaps.
        let untouched_to = (base_rev..=cleared.min(head)).rev().find(|to| {
            commits.iter().zip(1..).all(|(set, rev)| {
                rev <= base_rev || rev > *to || set.iter().all(|field| !fields.contains(field))
            })
        }).unwrap_or(base_rev);
        let mut recent = RecentCommits::new(remembered, usize::MAX);
        for (set, rev) in commits.iter().zip(1..) {
            recent.push(rev, Arc::new(command(rev - 1, OnConflict::Reject, set)));
        }
        let oldest_remembered = head + 1 - (remembered as u64).min(head);
        match decide(&command(base_rev, on_conflict, &fields), head, untouched_to, &recent, MAX_DISTANCE) {
            RebaseDecision::Apply => prop_assert_eq!(base_rev, head),
            RebaseDecision::Rebase => {
                prop_assert!(rebase && base_rev < head && head - base_rev <= MAX_DISTANCE);
                prop_assert!(!overlaps(base_rev), "a commit since the base touches the same field");
                prop_assert!(
                    untouched_to == head || (remembered > 0 && oldest_remembered <= untouched_to + 1),
                    "not all commits since {} were known", untouched_to,
                );
            }
            RebaseDecision::ReadLog { from } if base_rev > head => prop_assert_eq!(from, head),
            RebaseDecision::ReadLog { from } => {
                prop_assert_eq!(from, untouched_to);
                prop_assert!(rebase && (remembered == 0 || oldest_remembered > untouched_to + 1));
            }
            RebaseDecision::Reject => {
                prop_assert!(base_rev < head);
                prop_assert!(!rebase || head - base_rev > MAX_DISTANCE || overlaps(untouched_to));
            }
        }
    }
}
