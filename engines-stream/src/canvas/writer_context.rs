//! What a writer gets from the pool that starts it.

use std::sync::atomic::AtomicUsize;

use engines_core::{Guard, command::CommandLimits};

use super::settings::CanvasSettings;

/// The state that all writers share.
pub(super) struct WriterContext {
    pub(super) guard: Guard,
    pub(super) settings: CanvasSettings,
    pub(super) command_limits: CommandLimits,
    /// Bytes of all writers' states.
    pub(super) held_bytes: AtomicUsize,
}

/// A writer's entry in the pool.
pub(super) struct WriterRegistration {
    remove: Box<dyn Fn() + Send + Sync>,
}

impl WriterRegistration {
    /// Makes the registration of an entry that `remove` removes.
    pub(super) fn new(remove: impl Fn() + Send + Sync + 'static) -> Self {
        Self { remove: Box::new(remove) }
    }

    /// Removes the entry: no new command reaches this writer.
    pub(super) fn unregister(&self) {
        (self.remove)();
    }
}
