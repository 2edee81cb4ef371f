//! The builder's methods about backups.

use std::{path::PathBuf, sync::Arc};

use engines_auth::{Passphrase, RootKey};
use engines_core::{
    Guard, Result,
    nexus::{Backend, BackupSource},
};
use engines_storage::backup::Backups;

use super::{BackupService, BackupSettings, service::BackupInner};
use crate::{background_tasks::BackgroundTasks, builder::EngineBuilder};

/// The settings and parts of backups.
#[derive(Debug, Default)]
pub(crate) struct BackupParts {
    settings: BackupSettings,
    passphrase: Option<Passphrase>,
    sources: Vec<Arc<dyn BackupSource>>,
    work_folder: Option<PathBuf>,
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
        let Self { settings, passphrase, sources, work_folder: work } = self;
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
            work_folder: work.unwrap_or_else(std::env::temp_dir),
            is_running: false.into(),
            status: Default::default(),
        });
        if let Some(schedule) = scheduled {
            background.spawn_until_stopped(service.clone().run_schedule(schedule));
        }
        Ok(service)
    }
}

impl EngineBuilder {
    /// Sets where backups go, when they are made and how long they are kept. Without a schedule they are made only by
    /// [`BackupService::create`](crate::backup::BackupService::create).
    pub fn backups(mut self, settings: BackupSettings) -> Self {
        self.backup.settings = settings;
        self
    }

    /// Seals the root key into each backup under this passphrase. Without one, backups do not contain the root key, and
    /// it must be kept separately.
    pub fn backup_passphrase(mut self, passphrase: Passphrase) -> Self {
        self.backup.passphrase = Some(passphrase);
        self
    }

    /// Adds data that is kept beside the store to each backup; may be called for several sources.
    pub fn backup_source(mut self, source: Arc<dyn BackupSource>) -> Self {
        self.backup.sources.push(source);
        self
    }

    /// Sets a local folder with room for a copy of the store, for copies on their way to a bucket. The default is the
    /// system's folder for temporary files. No other process may use the folder for the same purpose.
    pub fn backup_work_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.backup.work_folder = Some(folder.into());
        self
    }
}
