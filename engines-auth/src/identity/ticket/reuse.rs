//! Use, renewal and expiry of reusable tickets.

use std::time::Duration;

use engines_core::{
    Batch, Code, DocId, Error, Result, Timestamp,
    nexus::{DocumentQuery, Expect, PageRequest},
};
use ulid::Ulid;

use super::documents::{STREAM_TICKET, STREAM_TICKET_END, StreamTicketBody, StreamTicketEnd, last_ended, put_end};
use crate::{
    identity::{documents::TicketInfo, records::StoredDocument, state::IdentityState},
    jwt::invalid_token,
};

/// Attempts to renew a ticket that others renew at the same time.
const MAX_ATTEMPTS: usize = 4;
/// A ticket with an open stream is renewed at the latest when it expires in this time.
const RENEW_BEFORE: Duration = Duration::from_secs(3);
/// The time for which an expired ticket is kept, because a ticket with an open stream may be about to be renewed.
const RETENTION_AFTER_END: Duration = Duration::from_secs(10);
/// Index entries read in one batch.
const BATCH_SIZE: usize = 200;
/// Batches in one call.
const MAX_BATCHES: usize = 50;

impl IdentityState {
    /// Uses a reusable ticket, which renews its whole lifetime. `fits` returns whether it is the right ticket.
    pub(super) async fn use_stream_ticket(
        &self,
        id: Ulid,
        renew: bool,
        fits: impl Fn(&StreamTicketBody) -> bool,
    ) -> Result<StreamTicketBody> {
        let wrong = || invalid_token("the ticket is unknown, has ended, or is for another path; get a new one");
        for _ in 0..MAX_ATTEMPTS {
            let found = self.stream_ticket(id).await?.filter(|found| fits(&found.body)).ok_or_else(wrong)?;
            if found.body.log != self.records.log_id().to_bytes() {
                return Err(invalid_token("the ticket was made for another log; get a new one"));
            }
            let now = self.now();
            if now >= found.body.grant.expires_at {
                return Err(Error::new(Code::TokenExpired, "auth.ticket", "the ticket has expired; get a new one"));
            }
            if !renew || self.renew(&found, now).await? {
                return Ok(found.body);
            }
        }
        Err(Error::unavailable("auth.ticket", "concurrent uses of this ticket keep interfering; retry"))
    }

    /// Checks whether a stream that was opened with this ticket may stay open. Renews the ticket when it is about to
    /// expire.
    pub(crate) async fn check_stream_ticket(&self, ticket: &str) -> Result<()> {
        let ended = || invalid_token("the ticket has been ended; get a new one");
        let id = Ulid::from_string(ticket).map_err(|_| ended())?;
        let read = || async { Ok(self.stream_ticket(id).await?.map(|found| found.body.info())) };
        let TicketInfo { expires_at, ttl, renewable } = self.cache.tickets.get(&id, read).await?.ok_or_else(ended)?;
        let now = self.now();
        if !renewable || now.plus((ttl / 2).max(RENEW_BEFORE)) < expires_at {
            return Ok(());
        }
        self.cache.tickets.invalidate(&id);
        let found = self.stream_ticket(id).await?.ok_or_else(ended)?;
        // A concurrent renewal or end is seen by the next check.
        self.renew(&found, now).await.map(|_| ())
    }

    /// Removes expired tickets, in the order of their expiry. Returns their number.
    pub(crate) async fn expire_stream_tickets(&self) -> Result<usize> {
        let now = self.now();
        let kept = i64::try_from(RETENTION_AFTER_END.as_millis()).unwrap_or(i64::MAX);
        let ended_before = Timestamp::from_millis(now.as_millis().saturating_sub(kept));
        let due = DocumentQuery::of_kind(STREAM_TICKET_END).id_range(None, Some(last_ended(ended_before)?));
        let mut expired = 0;
        for _ in 0..MAX_BATCHES {
            let entries = self.records.page::<StreamTicketEnd>(&due, PageRequest::first(BATCH_SIZE)).await?.items;
            if entries.is_empty() {
                break;
            }
            let mut batch = Batch::spanning(now);
            for entry in entries {
                batch = batch.delete_system(STREAM_TICKET_END, entry.id, Expect::Any);
                let Some(found) = self.stream_ticket(entry.body.ticket).await? else { continue };
                let expires_at = found.body.grant.expires_at;
                if expires_at > ended_before {
                    batch = put_end(batch, entry.body.ticket, expires_at)?;
                } else {
                    expired += 1;
                    batch = batch.delete_system(STREAM_TICKET, found.id, Expect::Version(found.version));
                }
            }
            // False if a ticket was renewed in the meantime. The next call tries again.
            if !self.records.try_commit(self.records.system(), batch).await? {
                return Ok(0);
            }
        }
        Ok(expired)
    }

    async fn stream_ticket(&self, id: Ulid) -> Result<Option<StoredDocument<StreamTicketBody>>> {
        self.records.get(&STREAM_TICKET, &DocId::from(id)).await
    }

    /// Renews the whole lifetime of a ticket. Returns false when a concurrent change interfered.
    async fn renew(&self, found: &StoredDocument<StreamTicketBody>, now: Timestamp) -> Result<bool> {
        let mut body = found.body.clone();
        body.grant.expires_at = body.renewed(now);
        let batch = body.put(Batch::spanning(now), found.id.clone(), Expect::Version(found.version))?;
        let renewed = self.records.try_commit(self.records.system(), batch).await?;
        if let Ok(id) = Ulid::from_string(found.id.as_str()) {
            self.cache.tickets.invalidate(&id);
        }
        Ok(renewed)
    }
}
