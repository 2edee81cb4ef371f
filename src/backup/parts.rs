//! Makes the backup service from the builder's settings.

use std::{path::PathBuf, sync::Arc};

use engines_auth::{Passphrase, RootKey};
use engines_core::{
    Guard, Result,
    nexus::{Backend, BackupSource},
};
use engines_storage::backup::Backups;

use super::{BackupService, BackupSettings, service::BackupInner};
use crate::background_tasks::BackgroundTasks;

/// The settings and parts of backups.
#[derive(Debug, Default)]
pub(crate) struct BackupParts {
    pub(crate) settings: BackupSettings,
    pub(crate) passphrase: Option<Passphrase>,
    pub(crate) sources: Vec<Arc<dyn BackupSource>>,
    pub(crate) work_folder: Option<PathBuf>,
}

impl BackupParts {
    /// Makes the backup service; its schedule runs in `background`.
    pub(crate) fn assemble(
        self,
        backend: Arc<dyn Backend>,
        guard: Guard,
        root: Option<RootKey>,
        background: &BackgroundTasks,
    ) -> Result<BackupService> {
        let Self { settings, passphrase, sources, work_folder } = self;
        let schedule = settings.schedule()?;
        let backups = match settings.destination.as_str() {
            "" => None,
            place => Some(Backups::open(place)?),
        };
        let scheduled = schedule.filter(|_| backups.is_some());
        let service = BackupService::new(BackupInner {
            backend,
            guard,
            sources,
            root_key: root,
            passphrase,
            backups,
            settings,
            work_folder: work_folder.unwrap_or_else(std::env::temp_dir),
            is_running: false.into(),
            status: Default::default(),
        });
        if let Some(schedule) = scheduled {
            background.spawn_until_stopped(service.clone().run_schedule(schedule));
        }
        Ok(service)
    }
}
