//! Builds the identity service from the builder's settings.

use std::sync::Arc;

use engines_auth::{
    DerivedKey, Identity, JwtSettings, RootKey, SigningKeys, SigningSecret, TokenIssuer,
    identity::{AuthFailureLog, AuthFailureSettings, IdentitySettings, SystemKey},
    key_slot::{KeySlots, SealKeys},
    mail::{MailSettings, Mailer},
    root_key,
};
use engines_core::{Guard, Limits, Result, Store};

use crate::background_tasks::BackgroundTasks;

/// The id of the sealing key that is derived from the root key.
const ROOT_SEAL_KEY_ID: &str = "root";

/// The builder's settings of identity.
#[derive(Debug, Default)]
pub(crate) struct IdentityParts {
    pub(crate) settings: IdentitySettings,
    pub(crate) rejections: AuthFailureSettings,
    pub(crate) root_key: Option<RootKey>,
    pub(crate) index_secret: Option<SigningSecret>,
    pub(crate) seal_keys: Option<SealKeys>,
    pub(crate) system_key: Option<SystemKey>,
    pub(crate) mailer: Option<(Arc<dyn Mailer>, MailSettings)>,
}

/// The identity service, and the writer that records failed attempts.
pub(crate) struct IdentityAssembly {
    pub(crate) identity: Identity,
    pub(crate) rejections: AuthFailureLog,
}

impl IdentityParts {
    /// The keys that seal slots: the configured ones, then that of the root key, so that slots sealed before keys were
    /// configured still open.
    pub(crate) fn seal_keys(&mut self) -> Result<Option<SealKeys>> {
        let root = self.root_key.as_ref().map(|root| root.derive(root_key::SEAL)).transpose()?;
        Ok(match (self.seal_keys.take(), root) {
            (Some(keys), Some(root)) => Some(keys.previous(ROOT_SEAL_KEY_ID, root.expose())?),
            (Some(keys), None) => Some(keys),
            (None, Some(root)) => Some(SealKeys::new(ROOT_SEAL_KEY_ID, root.expose())?),
            (None, None) => None,
        })
    }

    /// The key from which the tenants' keys for pseudonyms are derived.
    pub(crate) fn pseudonym_key(&self) -> Result<Option<DerivedKey>> {
        self.root_key.as_ref().map(|root| root.derive(root_key::PSEUDONYM)).transpose()
    }

    /// The tenants' key slots, if there are keys to seal them with.
    pub(crate) fn key_slots(
        &mut self,
        store: &Arc<dyn Store>,
        guard: &Guard,
        limits: &Arc<Limits>,
    ) -> Result<Option<KeySlots>> {
        let keys = self.seal_keys()?;
        Ok(keys.map(|keys| KeySlots::new(Arc::clone(store), guard.clone(), Arc::clone(limits), keys)))
    }

    /// Makes the service and its tasks: with accounts if there are a signing secret and one for the index; without
    /// accounts if only users of other issuers are accepted.
    pub(crate) fn assemble(
        self,
        store: &Arc<dyn Store>,
        guard: &Guard,
        signing: Option<(&SigningKeys, &JwtSettings)>,
        issuers: bool,
        background: &BackgroundTasks,
    ) -> Result<Option<IdentityAssembly>> {
        let index = match (self.index_secret, &self.root_key) {
            (Some(index), _) => Some(index),
            (None, Some(root)) => Some(SigningSecret::new(root.derive(root_key::INDEX)?.expose())?),
            (None, None) => None,
        };
        let (clock, ids) = (guard.clock(), guard.ids());
        let builder = match (signing, index) {
            (Some((keys, jwt)), Some(index)) => {
                let tokens = TokenIssuer::with_keys(keys, jwt.clone(), Arc::clone(clock), ids.clone())?;
                Identity::builder(Arc::clone(store), guard.clone(), tokens, &index)
            }
            _ if issuers => Identity::without_accounts(Arc::clone(store), guard.clone()),
            _ => return Ok(None),
        };
        let (rejections, writer) =
            AuthFailureLog::new(Arc::clone(store), Arc::clone(clock), ids.clone(), self.rejections);
        let builder = builder.settings(self.settings).failure_sink(rejections.clone());
        let builder = match self.system_key {
            Some(key) => builder.system_key(key),
            None => builder,
        };
        let builder = match self.mailer {
            Some((mailer, settings)) => builder.mailer(mailer, settings),
            None => builder,
        };
        let identity = builder.build()?;
        if let Some(worker) = identity.mail_worker() {
            background.run_mailer(worker);
        }
        background.run_rejection_log(writer);
        background.run_sweeper(identity.clone());
        background.run_ticket_expiry(identity.clone());
        Ok(Some(IdentityAssembly { identity, rejections }))
    }
}
