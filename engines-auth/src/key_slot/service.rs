//! The service for key slots.

use std::{fmt, sync::Arc};

use engines_core::{
    Action, Batch, DocId, Error, Guard, Limits, RequestContext, ResourceId, Result, Store, Timestamp, UserId,
    nexus::{
        CommitError, Document, DocumentKind, DocumentQuery, Expect, FailedPrecondition, NewDocument, Page, PageRequest,
    },
};
use serde::{Deserialize, Serialize};

use super::{
    seal::{SealKeys, SealedSecret},
    secret::SlotSecret,
};

/// The document kind of slots.
pub const KEY_SLOT: DocumentKind = DocumentKind::from_static("key_slot");

const MANAGE: &str = "key_slots.manage";

/// The service for key slots. Cheap to clone.
#[derive(Clone)]
pub struct KeySlots(Arc<KeySlotState>);

struct KeySlotState {
    store: Arc<dyn Store>,
    guard: Guard,
    limits: Arc<Limits>,
    keys: SealKeys,
}

/// The visible part of a slot: everything but the secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotInfo {
    /// The name of the slot.
    pub slot: ResourceId,
    /// The version, which increases by one each time a secret is stored.
    pub version: u64,
    /// The time at which the slot was first filled.
    pub created_at: Timestamp,
    /// The time at which the slot was last filled or resealed.
    pub updated_at: Timestamp,
    /// The user who last filled the slot.
    pub updated_by: UserId,
    /// The id of the key that seals the slot.
    pub key_id: String,
}

#[derive(Serialize, Deserialize)]
struct KeySlotBody {
    #[serde(flatten)]
    sealed: SealedSecret,
    updated_by: UserId,
}

impl KeySlots {
    /// Creates the service on `store`, with keys that seal the slots.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard, limits: Arc<Limits>, keys: SealKeys) -> Self {
        Self(Arc::new(KeySlotState { store, guard, limits, keys }))
    }

    /// Stores a secret in a slot, and replaces the one that was there.
    ///
    /// # Errors
    /// Refusals of the guard; errors of the store.
    pub async fn put(&self, context: &RequestContext, slot: &ResourceId, secret: &SlotSecret) -> Result<SlotInfo> {
        let KeySlotState { store, guard, keys, .. } = &*self.0;
        let permit = guard.admit(context, Action::KeySlotsManage, &resource(slot)).await?;
        let now = guard.clock().now();
        let known = store.get(context.scope(), &KEY_SLOT, &slot.into()).await?;
        let sealed = keys.seal(context.scope(), slot.as_str(), secret, guard.ids())?;
        let key_id = sealed.key_id.clone();
        let body = KeySlotBody { sealed, updated_by: context.actor().id.clone() };
        let batch = Batch::new(now)
            .put(NewDocument::new(KEY_SLOT, slot, &body)?, Expect::Any)
            .audit(permit.audit_entry(guard, context, resource(slot)));
        let receipt = store.commit(context.scope(), batch).await?;
        Ok(SlotInfo {
            slot: slot.clone(),
            version: receipt.versions.first().copied().unwrap_or(1),
            created_at: known.map_or(now, |known| known.created_at),
            updated_at: now,
            updated_by: body.updated_by,
            key_id,
        })
    }

    /// Returns the visible part of a slot.
    ///
    /// # Errors
    /// `NOT_FOUND`; refusals of the guard; errors of the store.
    pub async fn get(&self, context: &RequestContext, slot: &ResourceId) -> Result<SlotInfo> {
        let _permit = self.0.guard.admit(context, Action::KeySlotsList, &resource(slot)).await?;
        slot_info(&self.find_document(context, slot).await?)
    }

    /// Lists the slots, ordered by name.
    ///
    /// # Errors
    /// `CURSOR_INVALID` for a malformed `after`; refusals of the guard; errors of the store.
    pub async fn list(&self, context: &RequestContext, page: PageRequest) -> Result<Page<SlotInfo>> {
        let KeySlotState { store, guard, limits, .. } = &*self.0;
        let _permit = guard.admit(context, Action::KeySlotsList, "").await?;
        let page = PageRequest { limit: page.limit.clamp(1, limits.page_max), after: page.after };
        let found = store.query(context.scope(), &DocumentQuery::of_kind(KEY_SLOT), page).await?;
        let items = found.items.iter().map(slot_info).collect::<Result<_>>()?;
        Ok(Page { items, next: found.next })
    }

    /// Deletes a slot with its secret.
    ///
    /// # Errors
    /// `NOT_FOUND`; refusals of the guard; errors of the store.
    pub async fn delete(&self, context: &RequestContext, slot: &ResourceId) -> Result<()> {
        let KeySlotState { store, guard, .. } = &*self.0;
        let permit = guard.admit(context, Action::KeySlotsManage, &resource(slot)).await?;
        let batch = Batch::new(guard.clock().now()).delete(KEY_SLOT, slot, Expect::Present).audit(permit.audit_entry(
            guard,
            context,
            resource(slot),
        ));
        match store.commit(context.scope(), batch).await {
            Ok(_) => Ok(()),
            Err(CommitError::Precondition { failed: FailedPrecondition::Document { version: None, .. }, .. }) => {
                Err(slot_not_found())
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Returns the secret of a slot, for a call to the third party on behalf of the tenant. It must never be part of a
    /// response.
    ///
    /// # Errors
    /// `NOT_FOUND`; `INTERNAL` when none of the keys opens it; refusals of the guard; errors of the store.
    pub async fn open(&self, context: &RequestContext, slot: &ResourceId) -> Result<SlotSecret> {
        let _permit = self.0.guard.admit(context, Action::KeySlotsOpen, &resource(slot)).await?;
        let body: KeySlotBody = self.find_document(context, slot).await?.decode()?;
        self.0.keys.open(context.scope(), slot.as_str(), &body.sealed)
    }

    /// Seals all slots of the context's tenant and environment again that another key than the current one has sealed.
    /// Returns their number. A slot that is filled in the meantime is skipped. The call can be repeated after an error.
    ///
    /// # Errors
    /// `INTERNAL` when none of the keys opens a slot; refusals of the guard; errors of the store.
    pub async fn reseal(&self, context: &RequestContext) -> Result<usize> {
        let KeySlotState { store, guard, limits, keys } = &*self.0;
        let permit = guard.admit(context, Action::KeySlotsManage, "").await?;
        let (mut done, mut page) = (0, PageRequest::first(limits.page_max));
        loop {
            let found = store.query(context.scope(), &DocumentQuery::of_kind(KEY_SLOT), page).await?;
            for document in &found.items {
                let mut body: KeySlotBody = document.decode()?;
                if body.sealed.key_id == keys.current_id() {
                    continue;
                }
                let slot = ResourceId::new(document.id.as_str())?;
                let secret = keys.open(context.scope(), slot.as_str(), &body.sealed)?;
                body.sealed = keys.seal(context.scope(), slot.as_str(), &secret, guard.ids())?;
                let batch = Batch::new(guard.clock().now())
                    .put(NewDocument::new(KEY_SLOT, &slot, &body)?, Expect::Version(document.version))
                    .audit(permit.audit_entry(guard, context, resource(&slot)));
                match store.commit(context.scope(), batch).await {
                    Ok(_) => done += 1,
                    Err(CommitError::Precondition { .. }) => {}
                    Err(other) => return Err(other.into()),
                }
            }
            match found.next {
                Some(next) => page = PageRequest::after(limits.page_max, next),
                None => return Ok(done),
            }
        }
    }

    async fn find_document(&self, context: &RequestContext, slot: &ResourceId) -> Result<Document> {
        let found = self.0.store.get(context.scope(), &KEY_SLOT, &DocId::from(slot)).await?;
        found.ok_or_else(slot_not_found)
    }
}

fn slot_info(document: &Document) -> Result<SlotInfo> {
    let body: KeySlotBody = document.decode()?;
    Ok(SlotInfo {
        slot: ResourceId::new(document.id.as_str())?,
        version: document.version,
        created_at: document.created_at,
        updated_at: document.updated_at,
        updated_by: body.updated_by,
        key_id: body.sealed.key_id,
    })
}

fn resource(slot: &ResourceId) -> String {
    format!("key_slot/{slot}")
}

fn slot_not_found() -> Error {
    Error::not_found(MANAGE, "key slot")
}

impl fmt::Debug for KeySlots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySlots").field("keys", &self.0.keys).finish_non_exhaustive()
    }
}
