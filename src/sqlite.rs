//! The builder's methods for the embedded store.

use std::{path::PathBuf, sync::Arc};

use engines_core::{Error, nexus::Backend};
use engines_storage::{SqliteOptions, SqliteStore};

use crate::{builder::EngineBuilder, store_handle::CloseFn};

impl EngineBuilder {
    /// Stores all data in one SQLite file; its folder must exist. See [`SqliteStore::open`].
    pub fn sqlite(self, path: impl Into<PathBuf>) -> Self {
        self.sqlite_with(path, SqliteOptions::default())
    }

    /// As [`EngineBuilder::sqlite`], with other settings.
    pub fn sqlite_with(self, path: impl Into<PathBuf>, options: SqliteOptions) -> Self {
        let path = path.into();
        self.open_with(|ids| async move {
            let mut options = options;
            options.ids.get_or_insert(ids);
            let opened = tokio::task::spawn_blocking(move || SqliteStore::open(path, options)).await;
            let store = Arc::new(opened.map_err(|error| Error::internal("engine.build", error))??);
            let closing = Arc::clone(&store);
            let close: CloseFn = Box::new(move || {
                let store = Arc::clone(&closing);
                Box::pin(async move { store.close().await })
            });
            Ok((store as Arc<dyn Backend>, Some(close)))
        })
    }
}
