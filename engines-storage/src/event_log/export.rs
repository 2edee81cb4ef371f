//! Export of the events that may be used for training.

use std::{collections::HashMap, fmt};

use engines_core::{
    Action, Batch, RequestContext, Result, UserId,
    event::{EventFilter, StoredEvent, rescrub},
    nexus::PageRequest,
    pii::Scrubber,
};

use super::{EventLog, service::RESOURCE};

/// The number of events that are read at a time.
const PAGE_EVENTS: usize = 100;
/// A chunk is returned once it has this many bytes.
const CHUNK_BYTES: usize = 64 << 10;
/// The action for which a policy can set the operators that are applied to exported events.
const POLICY_ACTION: &str = "export";

/// An export in progress: JSON lines, one event each, in the order in which they were recorded.
///
/// It holds one page of events at a time, and loads the preferences and the policy again for each page, so that
/// training with every returned event is allowed at the time of its return. Every event is scrubbed again, with the
/// operators that the policy has for the action `export`.
pub struct EventExport {
    log: EventLog,
    context: RequestContext,
    filter: EventFilter,
    scrubber: Option<Scrubber>,
    /// Where the next page begins; `None` when there is none.
    next_page: Option<PageRequest>,
    page: std::vec::IntoIter<StoredEvent>,
    train_allowed: HashMap<UserId, bool>,
}

impl EventLog {
    /// Starts an export of the events that may be used for training now. The start is audited before anything is read.
    ///
    /// An event is exported if training with it was allowed when it was recorded, its tenant and user allow training
    /// now, and the current policy does not forbid it because of what is found in it.
    ///
    /// # Errors
    /// Rejections of the guard; `BACKEND_UNAVAILABLE`.
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
    /// Returns the next lines, each with its line feed; `None` at the end. An error ends the export, and the returned
    /// lines are then incomplete.
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
            // Events that were excluded when they were recorded need not be scrubbed.
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
