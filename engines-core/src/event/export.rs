//! What may be learned from, taken out of the log.

use std::{collections::HashMap, fmt};

use super::{EventFilter, EventLog, StoredEvent, event_log::RESOURCE, rescrub};
use crate::{
    access::Action,
    context::RequestContext,
    error::Result,
    id::UserId,
    nexus::{Batch, PageRequest},
    pii::Scrubber,
};

/// Events read at a time.
const PAGE_EVENTS: usize = 100;
/// Bytes from which on what was gathered is handed out.
const CHUNK_BYTES: usize = 64 << 10;
/// The name under which a policy has operators for what is exported.
const POLICY_ACTION: &str = "export";

/// A dataset pack on its way out: JSON lines, one event each, in the order they were recorded.
///
/// It holds one page of events at a time, and asks for the preferences and the policy anew with each: what is handed out may be learned from at
/// that moment. Every event goes through the PII engine once more, with the operators the policy has for the action `export`.
pub struct EventExport {
    log: EventLog,
    context: RequestContext,
    filter: EventFilter,
    scrubber: Option<Scrubber>,
    /// Where the next page begins; none when there is none.
    next_page: Option<PageRequest>,
    page: std::vec::IntoIter<StoredEvent>,
    train_allowed: HashMap<UserId, bool>,
}

impl EventLog {
    /// Begins to take out what may be learned from at this moment. The beginning is audited before anything is read.
    ///
    /// An event is in it if it was fit when it was recorded, its tenant and user let it be learned from now, and today's policy does
    /// not forbid it for what is found in it.
    ///
    /// # Errors
    /// What the guard refuses; `BACKEND_UNAVAILABLE`.
    pub async fn export(&self, context: &RequestContext, filter: EventFilter) -> Result<EventExport> {
        let resource = format!("{RESOURCE}/export");
        let permit = self.guard.admit(context, Action::EventExport, &resource).await?;
        let batch = Batch::new(self.guard.clock().now()).audit(permit.audit_entry(&self.guard, context, resource));
        self.store.commit(context.scope(), batch).await?;
        Ok(EventExport {
            log: self.clone(),
            context: context.clone(),
            filter,
            scrubber: None,
            next_page: Some(PageRequest::first(PAGE_EVENTS)),
            page: Vec::new().into_iter(),
            train_allowed: HashMap::new(),
        })
    }
}

impl EventExport {
    /// The next lines, each with its line feed; none at the end. After an error it is over, and what was handed out is not all.
    ///
    /// # Errors
    /// `BACKEND_UNAVAILABLE`; `INTERNAL` when an event cannot be scrubbed again.
    pub async fn next_chunk(&mut self) -> Result<Option<Vec<u8>>> {
        let mut lines = Vec::new();
        loop {
            for event in self.page.by_ref() {
                let Some(scrubber) = &self.scrubber else { break };
                let seq = event.seq;
                if !self.train_allowed.get(&event.actor.id).copied().unwrap_or(false) {
                    continue;
                }
                let event = rescrub(scrubber, event)?;
                if !event.train_ok() {
                    continue;
                }
                event.into_stored(seq).write_line(self.context.scope(), &mut lines)?;
                lines.push(b'\n');
                if lines.len() >= CHUNK_BYTES {
                    return Ok(Some(lines));
                }
            }
            if !lines.is_empty() {
                return Ok(Some(lines));
            }
            let Some(page) = self.next_page.take() else { return Ok(None) };
            let paged = self.log.store.events(self.context.scope(), &self.filter, page).await?;
            self.scrubber = Some(self.log.policies.scrubber(self.context.scope()).await?.for_action(POLICY_ACTION));
            self.train_allowed.clear();
            for event in paged.items.iter().filter(|event| event.train_ok) {
                let user = &event.actor.id;
                if !self.train_allowed.contains_key(user) {
                    let allowed = self.log.prefs.allows_training(self.context.scope(), user).await?;
                    self.train_allowed.insert(user.clone(), allowed);
                }
            }
            self.next_page = paged.next.map(|next| PageRequest::after(PAGE_EVENTS, next));
            // What was unfit when it was recorded need not be scrubbed.
            let fit: Vec<_> = paged.items.into_iter().filter(|event| event.train_ok).collect();
            self.page = fit.into_iter();
        }
    }
}

impl fmt::Debug for EventExport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventExport").field("context", &self.context).finish_non_exhaustive()
    }
}
