//! The quota of valid tickets of an actor.

use std::time::Duration;

use engines_core::{
    Batch, Code, Error, RequestContext, Result, Timestamp, UserId,
    context::ContextOrigin,
    nexus::{DocumentKind, DocumentQuery, PageRequest, QueryOrder},
};
use serde::Deserialize;

use super::{
    documents::STREAM_TICKET,
    service::{CREATE, Tickets},
};
use crate::identity::{
    actor::ISSUER,
    quota::QuotaTurn,
    records::{self, TICKET},
};

/// Attempts to commit a ticket while other nodes create tickets too.
const MAX_ATTEMPTS: usize = 16;

/// The part of a ticket that is needed to count it.
#[derive(Deserialize)]
struct TicketExpiry {
    expires_at: Timestamp,
}

impl Tickets {
    /// Commits a batch that creates a ticket, within the quota of the actor, whose turn it is.
    ///
    /// # Errors
    /// `RATE_LIMITED` when the actor has as many tickets as are allowed; `BACKEND_UNAVAILABLE` when other nodes keep
    /// creating tickets.
    pub(super) async fn commit_within_quota(
        &self,
        context: &RequestContext,
        turn: &QuotaTurn<'_>,
        batch: Batch,
    ) -> Result<()> {
        let records = &self.identity.state.records;
        for _ in 0..MAX_ATTEMPTS {
            // Read before the tickets are counted, because a ticket created after the count changes the version.
            let reservation = turn.reserve().await?;
            self.check_quota(context, batch.at()).await?;
            if records.try_commit(context.scope(), reservation.add_to(batch.clone())?).await? {
                return Ok(());
            }
        }
        Err(Error::unavailable(CREATE, "concurrent tickets keep interfering; retry"))
    }

    /// Checks that the caller may have one more ticket.
    async fn check_quota(&self, context: &RequestContext, now: Timestamp) -> Result<()> {
        let state = &*self.identity.state;
        let of_key = matches!(context.origin(), ContextOrigin::Credential { issuer } if **issuer == *ISSUER);
        let most = match of_key {
            true => state.settings.tickets_per_key,
            false => state.settings.tickets_per_user,
        };
        let mut ends = self.expiries(&TICKET, &context.actor().id, most, now).await?;
        if ends.len() < most {
            ends.extend(self.expiries(&STREAM_TICKET, &context.actor().id, most, now).await?);
        }
        if ends.len() < most {
            return Ok(());
        }
        let wait = ends.iter().min().map_or(Duration::from_secs(1), |end| end.since(now));
        let detail =
            "you have the largest number of valid tickets allowed; use them, end some, or wait until they expire";
        let error = Error::new(Code::RateLimited, CREATE, detail).with_member("limit", most).with_retry_after(wait);
        Err(state.with_decision_id(error))
    }

    /// Returns the expiries of an actor's valid tickets, the latest ticket first, about `most` of them.
    async fn expiries(
        &self,
        kind: &DocumentKind,
        actor: &UserId,
        most: usize,
        now: Timestamp,
    ) -> Result<Vec<Timestamp>> {
        let query = DocumentQuery::of_kind(kind.clone()).tag(records::user_tag(actor));
        let query = query.order(QueryOrder::IdDescending);
        let records = &self.identity.state.records;
        let mut ends = Vec::new();
        let mut page = PageRequest::first(most.saturating_add(1));
        // Expired tickets are removed every few seconds, so that two pages hold all valid ones.
        for _ in 0..2 {
            let found = records.page::<TicketExpiry>(&query, page).await?;
            ends.extend(found.items.iter().map(|found| found.body.expires_at).filter(|end| *end > now));
            match found.next {
                Some(next) if ends.len() < most => page = PageRequest::after(most.saturating_add(1), next),
                _ => break,
            }
        }
        Ok(ends)
    }
}
