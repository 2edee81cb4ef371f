//! The backup service of an engine.

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use engines_auth::{Passphrase, RootKey};
use engines_core::{
    Action, Batch, Code, Error, Guard, RequestContext, Result, Scope, Store, Timestamp,
    gate::Permit,
    nexus::{Backend, BackupSource},
};
use engines_storage::backup::{BackupId, BackupManifest, Backups, NewBackup};

use super::BackupSettings;

/// The control plane's tenant. Backups belong to it, because a backup holds all tenants' data.
const CONTROL_PLANE_TENANT: &str = "t_system";

/// Makes backups of all data of an engine, one at a time. Cheap to clone.
#[derive(Clone)]
pub struct BackupService(Arc<BackupInner>);

pub(super) struct BackupInner {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) guard: Guard,
    pub(super) sources: Vec<Arc<dyn BackupSource>>,
    pub(super) root_key: Option<RootKey>,
    pub(super) passphrase: Option<Passphrase>,
    pub(super) backups: Option<Backups>,
    pub(super) settings: BackupSettings,
    pub(super) work_folder: PathBuf,
    pub(super) is_running: AtomicBool,
    pub(super) status: Mutex<BackupStatus>,
}

/// Counters and times of the backups that this process has made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupStatus {
    /// Whether a backup is being made now.
    pub running: bool,
    /// The number of successful backups.
    pub succeeded: u64,
    /// The number of failed backups.
    pub failed: u64,
    /// The start of the last good backup, of those this process has made or found in its destination.
    pub last_success: Option<Timestamp>,
    /// The time of the last failure.
    pub last_failure: Option<Timestamp>,
    /// The bytes of the last good backup.
    pub last_bytes: u64,
    /// The duration of the last good backup.
    pub last_duration: Duration,
}

/// Allows the next backup when the current one ends, however it ends.
struct RunningGuard<'a>(&'a BackupInner);

impl Drop for RunningGuard<'_> {
    fn drop(&mut self) {
        self.0.is_running.store(false, Ordering::Release);
    }
}

impl BackupService {
    pub(super) fn new(inner: BackupInner) -> Self {
        Self(Arc::new(inner))
    }

    /// The destination in the settings; `None` if none is set.
    #[must_use]
    pub fn destination(&self) -> Option<&Backups> {
        self.0.backups.as_ref()
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &BackupSettings {
        &self.0.settings
    }

    /// Counters and times of the backups that this process has made.
    #[must_use]
    pub fn status(&self) -> BackupStatus {
        let running = self.0.is_running.load(Ordering::Acquire);
        BackupStatus { running, ..*self.0.status.lock().unwrap_or_else(PoisonError::into_inner) }
    }

    /// Makes a backup in the destination of the settings while the engine is in use. It is for owners of the control
    /// plane and for trusted work in process. Its audit record is written before the copy begins, so the backup
    /// contains it.
    ///
    /// Dropping the future stops it; an incomplete copy does not count as a backup.
    ///
    /// # Errors
    /// `ALREADY_EXISTS` when another backup is being made; `OP_INVALID` when no destination is set or the store cannot
    /// be copied; `TENANT_FORBIDDEN` outside `t_system`, `ROLE_INSUFFICIENT` below owner; `BACKEND_UNAVAILABLE` when a
    /// part fails.
    pub async fn create(&self, context: &RequestContext) -> Result<BackupManifest> {
        let backups = self.require_destination()?.clone();
        self.create_in(context, &backups).await
    }

    /// As [`BackupService::create`], in another destination.
    ///
    /// # Errors
    /// As [`BackupService::create`].
    pub async fn create_in(&self, context: &RequestContext, backups: &Backups) -> Result<BackupManifest> {
        let inner = &*self.0;
        let (clock, ids) = (inner.guard.clock(), inner.guard.ids());
        let begun = clock.now();
        let id = BackupId::new(begun, ids);
        let resource = format!("backup/{id}");
        let permit = self.admit_control_plane(context, Action::BackupCreate, &resource).await?;
        if inner.is_running.swap(true, Ordering::AcqRel) {
            let detail = "a backup is being made; wait until it has ended";
            return Err(Error::new(Code::AlreadyExists, "backup.create", detail));
        }
        let _running = RunningGuard(inner);
        let made = async {
            let audit = Batch::new(begun).audit(permit.audit_entry(&inner.guard, context, resource));
            inner.backend.commit(&Scope::system()?, audit).await?;
            let store: &dyn Store = &*inner.backend;
            let new = NewBackup::new(store, &**clock, ids)
                .id(id)
                .limits(inner.settings.limits())
                .work_folder(&inner.work_folder);
            let new = inner.sources.iter().fold(new, |new, source| new.source(&**source));
            backups.create(self.with_root_key(new).await?).await
        };
        let made = made.await;
        let mut status = inner.status.lock().unwrap_or_else(PoisonError::into_inner);
        match &made {
            Ok(manifest) => {
                status.succeeded += 1;
                status.last_success = Some(begun);
                status.last_bytes = manifest.total_bytes();
                status.last_duration = manifest.finished_at.since(begun);
            }
            Err(_) => {
                status.failed += 1;
                status.last_failure = Some(clock.now());
            }
        }
        made
    }

    async fn with_root_key<'a>(&self, new: NewBackup<'a>) -> Result<NewBackup<'a>> {
        let Some(root) = self.0.root_key.clone() else { return Ok(new) };
        let fingerprint = root.fingerprint()?;
        let Some(passphrase) = self.0.passphrase.clone() else { return Ok(new.root_key(fingerprint, None)) };
        let ids = self.0.guard.ids().clone();
        let sealed = tokio::task::spawn_blocking(move || passphrase.seal(&root, &ids)).await;
        Ok(new.root_key(fingerprint, Some(sealed.map_err(|error| Error::internal("backup.root_key", error))??)))
    }

    /// Lists the backups in the destination of the settings, oldest first, each with its manifest or the error of
    /// reading it. It is for admins of the control plane.
    ///
    /// # Errors
    /// `OP_INVALID` when no destination is set; `TENANT_FORBIDDEN`, `ROLE_INSUFFICIENT`, `BACKEND_UNAVAILABLE`.
    pub async fn list(&self, context: &RequestContext) -> Result<Vec<(BackupId, Result<BackupManifest>)>> {
        let _permit = self.admit_control_plane(context, Action::BackupRead, "backup").await?;
        self.require_destination()?.list().await
    }

    /// Removes the backups that the retention settings do not keep; returns their names. The same callers as for
    /// [`BackupService::create`] may do this.
    ///
    /// # Errors
    /// As [`BackupService::create`].
    pub async fn prune(&self, context: &RequestContext) -> Result<Vec<BackupId>> {
        let inner = &*self.0;
        let permit = self.admit_control_plane(context, Action::BackupCreate, "backup/expired").await?;
        let now = inner.guard.clock().now();
        let removed = self.require_destination()?.prune(inner.settings.retention(), now).await?;
        if !removed.is_empty() {
            let audit = Batch::new(now).audit(permit.audit_entry(&inner.guard, context, "backup/expired"));
            inner.backend.commit(&Scope::system()?, audit).await?;
        }
        Ok(removed)
    }

    pub(super) fn inner(&self) -> &BackupInner {
        &self.0
    }

    fn require_destination(&self) -> Result<&Backups> {
        self.0.backups.as_ref().ok_or_else(|| {
            let detail = "no destination for backups is set; set backup.destination, or name one";
            Error::new(Code::OpInvalid, "backup.destination", detail)
        })
    }

    async fn admit_control_plane(&self, context: &RequestContext, action: Action, resource: &str) -> Result<Permit> {
        if context.scope().tenant().as_str() != CONTROL_PLANE_TENANT {
            let detail = "only the control plane, t_system, may do this: a backup holds all tenants' data";
            return Err(Error::new(Code::TenantForbidden, action.spec().name, detail));
        }
        self.0.guard.admit(context, action, resource).await
    }
}

impl fmt::Debug for BackupService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupService").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}
