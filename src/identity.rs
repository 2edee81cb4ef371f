//! What the builder is told about identity, and what becomes of it.

use std::sync::Arc;

use engines_auth::{
    DerivedKey, Identity, JwtSettings, RootKey, SigningKeys, SigningSecret, TokenIssuer,
    identity::{IdentitySettings, RejectionLog, RejectionSettings, SystemKey},
    key_slot::{KeySlots, SealKeys},
    mail::{MailSettings, Mailer},
    root_key,
};
use engines_core::{Guard, Limits, Result, Store};

use crate::background::Background;

/// Whose id the key for slots has that is made from the root key.
const ROOT_SEAL: &str = "root";

/// What was set.
#[derive(Debug, Default)]
pub(crate) struct IdentityParts {
    pub(crate) settings: IdentitySettings,
    pub(crate) rejections: RejectionSettings,
    pub(crate) root: Option<RootKey>,
    pub(crate) index: Option<SigningSecret>,
    pub(crate) seal: Option<SealKeys>,
    pub(crate) system: Option<SystemKey>,
    pub(crate) mailer: Option<(Arc<dyn Mailer>, MailSettings)>,
}

/// The service, and what records whom it refuses.
pub(crate) struct Assembled {
    pub(crate) identity: Identity,
    pub(crate) rejections: RejectionLog,
}

impl IdentityParts {
    /// The keys for slots: those that were set, and behind them the root key's, so that setting some later locks nobody out.
    pub(crate) fn seal_keys(&mut self) -> Result<Option<SealKeys>> {
        let root = self.root.as_ref().map(|root| root.derive(root_key::SEAL)).transpose()?;
        Ok(match (self.seal.take(), root) {
            (Some(keys), Some(root)) => Some(keys.previous(ROOT_SEAL, root.expose())?),
            (Some(keys), None) => Some(keys),
            (None, Some(root)) => Some(SealKeys::new(ROOT_SEAL, root.expose())?),
            (None, None) => None,
        })
    }

    /// What the tenants' keys for pseudonyms are made from.
    pub(crate) fn pseudonym_key(&self) -> Result<Option<DerivedKey>> {
        self.root.as_ref().map(|root| root.derive(root_key::PSEUDONYM)).transpose()
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

    /// The service and its tasks: with accounts if there are a signing secret and one for the index, without them if there are users of
    /// other issuers all the same.
    pub(crate) fn assemble(
        self,
        store: &Arc<dyn Store>,
        guard: &Guard,
        signing: Option<(&SigningKeys, &JwtSettings)>,
        issuers: bool,
        background: &Background,
    ) -> Result<Option<Assembled>> {
        let index = match (self.index, &self.root) {
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
            RejectionLog::new(Arc::clone(store), Arc::clone(clock), ids.clone(), self.rejections);
        let builder = builder.settings(self.settings).rejections(rejections.clone());
        let builder = match self.system {
            Some(key) => builder.system_key(key),
            None => builder,
        };
        let builder = match self.mailer {
            Some((mailer, settings)) => builder.mailer(mailer, settings),
            None => builder,
        };
        let identity = builder.build()?;
        if let Some(worker) = identity.mail_worker() {
            background.mail(worker);
        }
        background.record(writer);
        background.sweep(identity.clone());
        background.expire_tickets(identity.clone());
        Ok(Some(Assembled { identity, rejections }))
    }
}
