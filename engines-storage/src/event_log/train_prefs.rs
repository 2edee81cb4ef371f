//! Training preferences of tenants and users.

use std::{fmt, sync::Arc};

use engines_core::{
    Action, Batch, Code, DocId, Error, Guard, RequestContext, Result, Scope, Store, StoreExt, Timestamp, UserId, hex,
    nexus::{DocumentKind, Expect, NewDocument},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const TRAIN_PREF_KIND: DocumentKind = DocumentKind::from_static("train_pref");
const TENANT_PREF_ID: &str = "tenant";

/// The training preferences of a tenant and of its users in one environment. Cheap to clone.
///
/// A user's preference overrides the tenant's; without either, training is allowed. The user of an event is the actor
/// that recorded it.
#[derive(Clone)]
pub struct TrainPrefs {
    store: Arc<dyn Store>,
    guard: Guard,
}

/// The stored form of a preference.
#[derive(Serialize, Deserialize)]
struct StoredTrainPref {
    opt_out: bool,
    user_id: Option<UserId>,
}

/// A preference as it was set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainPref {
    /// The user it belongs to; `None` for the tenant's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// `true` if training with these events is forbidden.
    pub opt_out: bool,
    /// The time at which it was set.
    pub updated_at: Timestamp,
}

/// The preferences that apply to the caller.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrainPrefsView {
    /// The tenant's preference, if it has one.
    pub tenant: Option<TrainPref>,
    /// The caller's own preference, if there is one.
    pub user: Option<TrainPref>,
    /// Whether training with the caller's events is allowed by both preferences. What is found in an event may still
    /// forbid it.
    pub train_ok: bool,
}

impl TrainPrefs {
    /// Makes the preferences that are stored in `store`.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, guard: Guard) -> Self {
        Self { store, guard }
    }

    /// Sets the tenant's preference.
    ///
    /// # Errors
    /// Rejections of the guard; `BACKEND_UNAVAILABLE`.
    pub async fn set_tenant(&self, context: &RequestContext, opt_out: bool) -> Result<TrainPref> {
        self.set(context, Action::TrainPrefsManage, None, opt_out).await
    }

    /// Sets the caller's own preference. A caller cannot set the preference of another user.
    ///
    /// # Errors
    /// `USER_MISMATCH` when `user` is not the caller; otherwise as [`TrainPrefs::set_tenant`].
    pub async fn set_user(&self, context: &RequestContext, user: &UserId, opt_out: bool) -> Result<TrainPref> {
        if *user != context.actor().id {
            // A caller whose role is too low gets that error first; the rest of the guard is checked below.
            self.guard.require_role(context, Action::TrainPrefsSet)?;
            let detail = "a training preference is set by the user it belongs to and by nobody else";
            let error = Error::new(Code::UserMismatch, "train_prefs.set", detail);
            return Err(error.with_member("field", "/user_id").with_member("decision_id", self.guard.decision_id()));
        }
        self.set(context, Action::TrainPrefsSet, Some(user.clone()), opt_out).await
    }

    /// Removes the tenant's preference. If there is none, nothing happens.
    ///
    /// # Errors
    /// As [`TrainPrefs::set_tenant`].
    pub async fn unset_tenant(&self, context: &RequestContext) -> Result<()> {
        self.unset(context, Action::TrainPrefsManage, None).await
    }

    /// Removes the caller's own preference, so that the tenant's applies. If there is none, nothing happens.
    ///
    /// # Errors
    /// As [`TrainPrefs::set_tenant`].
    pub async fn unset_user(&self, context: &RequestContext) -> Result<()> {
        self.unset(context, Action::TrainPrefsSet, Some(&context.actor().id)).await
    }

    /// Returns the preferences that apply to the caller: the tenant's and the caller's own.
    ///
    /// # Errors
    /// As [`TrainPrefs::set_tenant`].
    pub async fn get(&self, context: &RequestContext) -> Result<TrainPrefsView> {
        let _permit = self.guard.admit(context, Action::TrainPrefsRead, "train_prefs").await?;
        let tenant = self.load(context.scope(), None).await?;
        let user = self.load(context.scope(), Some(&context.actor().id)).await?;
        let train_ok = !user.as_ref().or(tenant.as_ref()).is_some_and(|pref| pref.opt_out);
        Ok(TrainPrefsView { tenant, user, train_ok })
    }

    /// As [`training_allowed`], for the store of these preferences.
    pub(super) async fn allows_training(&self, scope: &Scope, user: &UserId) -> Result<bool> {
        training_allowed(&*self.store, scope, user).await
    }

    async fn load(&self, scope: &Scope, user: Option<&UserId>) -> Result<Option<TrainPref>> {
        let Some(document) = self.store.get(scope, &TRAIN_PREF_KIND, &document_id(user)?).await? else {
            return Ok(None);
        };
        let StoredTrainPref { opt_out, user_id } = document.decode()?;
        Ok(Some(TrainPref { user_id, opt_out, updated_at: document.updated_at }))
    }

    async fn set(
        &self,
        context: &RequestContext,
        action: Action,
        user_id: Option<UserId>,
        opt_out: bool,
    ) -> Result<TrainPref> {
        let resource = if user_id.is_some() { "train_prefs/user" } else { "train_prefs/tenant" };
        let permit = self.guard.admit(context, action, resource).await?;
        let updated_at = self.guard.clock().now();
        let document = NewDocument::new(
            TRAIN_PREF_KIND,
            document_id(user_id.as_ref())?,
            &StoredTrainPref { opt_out, user_id: user_id.clone() },
        )?;
        let batch = Batch::new(updated_at).put(document, Expect::Any);
        self.store.commit(context.scope(), batch.audit(permit.audit_entry(&self.guard, context, resource))).await?;
        Ok(TrainPref { user_id, opt_out, updated_at })
    }

    async fn unset(&self, context: &RequestContext, action: Action, user: Option<&UserId>) -> Result<()> {
        let resource = if user.is_some() { "train_prefs/user" } else { "train_prefs/tenant" };
        let permit = self.guard.admit(context, action, resource).await?;
        let batch = Batch::new(self.guard.clock().now()).delete(TRAIN_PREF_KIND, document_id(user)?, Expect::Any);
        self.store.commit(context.scope(), batch.audit(permit.audit_entry(&self.guard, context, resource))).await?;
        Ok(())
    }
}

/// Whether the tenant and the user allow training with the user's events now. Call it before events are handed to
/// training.
///
/// # Errors
/// `BACKEND_UNAVAILABLE`; `INTERNAL` for a preference that cannot be read.
pub async fn training_allowed<S: Store + ?Sized>(store: &S, scope: &Scope, user: &UserId) -> Result<bool> {
    if let Some(own) = store.load::<StoredTrainPref>(scope, &TRAIN_PREF_KIND, &document_id(Some(user))?).await? {
        return Ok(!own.opt_out);
    }
    Ok(!store
        .load::<StoredTrainPref>(scope, &TRAIN_PREF_KIND, &document_id(None)?)
        .await?
        .is_some_and(|tenant| tenant.opt_out))
}

/// The id of a preference's document. It is encoded, because a user's id may contain characters that a document's id
/// may not.
fn document_id(user: Option<&UserId>) -> Result<DocId> {
    let Some(user) = user else { return DocId::new(TENANT_PREF_ID) };
    DocId::new(format!("user:{}", hex::encode(&Sha256::digest(user.as_str()))))
}

impl fmt::Debug for TrainPrefs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainPrefs").field("store", &self.store).finish_non_exhaustive()
    }
}
