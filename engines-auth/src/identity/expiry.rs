//! Removal of expired documents, so that the store does not grow with every login.

use std::time::Duration;

use engines_core::{
    Batch, DocId, Result, Timestamp,
    nexus::{DocumentKind, DocumentQuery, Expect, PageRequest},
};
use ulid::Ulid;

use super::{
    records::{INVITE, IgnoredBody, MAIL_TOKEN, SESSION, TICKET},
    service::Identity,
    ticket::MAX_TTL,
};
use crate::mail::MailSettings;

/// Documents removed in one batch.
const BATCH_SIZE: usize = 200;

/// Batches for each kind in one call.
const MAX_BATCHES: usize = 50;

impl Identity {
    /// Removes sessions, invites, mailed tokens and tickets that have certainly expired, judged by the time in their
    /// ids: at most 10,000 of each kind. Returns the number of removed documents. Call it from time to time; it frees
    /// space and has no other effect.
    ///
    /// # Errors
    /// Errors of the store. Documents that were removed before the error stay removed.
    pub async fn delete_expired(&self) -> Result<usize> {
        let settings = &self.state.settings;
        let mut removed = self.expire_tickets().await?;
        for (kind, lives) in [
            (SESSION, Duration::from_secs(settings.session_max_s)),
            (INVITE, Duration::from_secs(settings.invite_max_s)),
            (MAIL_TOKEN, Duration::from_secs(MailSettings::MAX_TOKEN_TTL_S)),
        ] {
            let before =
                self.state.now().as_millis().saturating_sub(i64::try_from(lives.as_millis()).unwrap_or(i64::MAX));
            removed += self.delete_before(&kind, Timestamp::from_millis(before)).await?;
        }
        Ok(removed)
    }

    /// Removes expired tickets, at most 10,000 of each kind. Returns the number of removed tickets. It reads expired
    /// tickets only, so call it every few seconds.
    ///
    /// # Errors
    /// Errors of the store. Tickets that were removed before the error stay removed.
    pub async fn expire_tickets(&self) -> Result<usize> {
        let most = i64::try_from(MAX_TTL.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(self.state.now().as_millis().saturating_sub(most));
        Ok(self.delete_before(&TICKET, before).await? + self.state.expire_stream_tickets().await?)
    }

    async fn delete_before(&self, kind: &DocumentKind, before: Timestamp) -> Result<usize> {
        let records = &self.state.records;
        let millis = u64::try_from(before.as_millis()).unwrap_or(0);
        // Ids sort by the time of their creation.
        let last = DocId::from(Ulid::from_parts(millis, 0));
        let query = DocumentQuery::of_kind(kind.clone()).id_range(None, Some(last));
        let mut removed = 0;
        for _ in 0..MAX_BATCHES {
            let found = records.page::<IgnoredBody>(&query, PageRequest::first(BATCH_SIZE)).await?.items;
            if found.is_empty() {
                break;
            }
            removed += found.len();
            let batch = found.into_iter().fold(Batch::spanning(self.state.now()), |batch, found| {
                batch.delete_system(kind.clone(), found.id, Expect::Any)
            });
            records.commit(records.system(), batch).await?;
        }
        Ok(removed)
    }
}
