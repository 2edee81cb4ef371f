//! Background tasks of an engine.

use std::{sync::Arc, time::Duration};

use engines_auth::{
    Identity,
    identity::{AuthFailureWriter, MailWorker},
};
use tokio::time::{Instant, sleep};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::retention::RetentionWorker;

/// Time from the start to the first removal of expired data, so that it also runs in a process that lives less than an
/// hour.
const FIRST_SWEEP_DELAY: Duration = Duration::from_secs(60);

/// Time between two removals of expired data.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// The wait before the next reclaim, as a multiple of the time that the last one took.
const RECLAIM_WAIT_FACTOR: u32 = 10;

/// Time between two removals of expired tickets.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(10);

/// Tasks on the current tokio runtime. Dropping it stops them.
#[derive(Debug)]
pub(crate) struct BackgroundTasks {
    stop: CancellationToken,
    tasks: TaskTracker,
    _stop_on_drop: DropGuard,
}

impl BackgroundTasks {
    pub(crate) fn new() -> Self {
        let stop = CancellationToken::new();
        Self { _stop_on_drop: stop.clone().drop_guard(), stop, tasks: TaskTracker::new() }
    }

    /// Starts recording failed authentication attempts.
    pub(crate) fn run_rejection_log(&self, writer: AuthFailureWriter) {
        let stopped = self.stop.clone().cancelled_owned();
        self.tasks.spawn(async move {
            if let Err(error) = writer.run_until(stopped).await {
                tracing::error!(%error, "failed attempts are no longer recorded");
            }
        });
    }

    /// Starts sending mails.
    pub(crate) fn run_mailer(&self, worker: MailWorker) {
        self.tasks.spawn(worker.run_until(self.stop.clone().cancelled_owned()));
    }

    /// Starts the hourly removal of expired sessions, invites and tickets.
    pub(crate) fn run_sweeper(&self, identity: Identity) {
        self.every(FIRST_SWEEP_DELAY, SWEEP_INTERVAL, move || {
            let identity = identity.clone();
            async move {
                match identity.delete_expired().await {
                    Ok(count) => tracing::debug!(count, "swept sessions, invites and tickets that have ended"),
                    Err(error) => tracing::warn!(%error, "sessions, invites and tickets could not be swept"),
                }
            }
        });
    }

    /// Starts the removal of expired tickets every few seconds.
    pub(crate) fn run_ticket_expiry(&self, identity: Identity) {
        self.every(EXPIRE_INTERVAL, EXPIRE_INTERVAL, move || {
            let identity = identity.clone();
            async move {
                if let Err(error) = identity.expire_tickets().await {
                    tracing::warn!(%error, "tickets that have ended could not be taken away");
                }
            }
        });
    }

    /// Starts applying retention and reclaiming space periodically.
    pub(crate) fn run_retention(&self, worker: &Arc<RetentionWorker>) {
        let settings = worker.settings().clone();
        if settings.every_s > 0 {
            let (worker, interval) = (Arc::clone(worker), Duration::from_secs(settings.every_s));
            self.every(FIRST_SWEEP_DELAY.min(interval), interval, move || {
                let worker = Arc::clone(&worker);
                async move {
                    match worker.run_pass().await {
                        Ok(pass) => tracing::debug!(?pass, "retention was applied"),
                        Err(error) => tracing::warn!(%error, "retention could not be applied"),
                    }
                }
            });
        }
        let (worker, interval) = (Arc::clone(worker), Duration::from_secs(settings.reclaim_every_s.max(1)));
        self.every(interval, interval, move || {
            let worker = Arc::clone(&worker);
            async move {
                let begun = Instant::now();
                if let Err(error) = worker.reclaim().await {
                    tracing::warn!(%error, "removed content may still be in the store's files; it is tried again");
                }
                // Reclaiming a large file takes long: at most about a tenth of the time is spent on it.
                sleep((begun.elapsed() * RECLAIM_WAIT_FACTOR).saturating_sub(interval)).await;
            }
        });
    }

    /// Runs `job` after `first`, and then again and again with a pause of `interval`. A stop drops a job that runs.
    fn every<F, Fut>(&self, first: Duration, interval: Duration, mut job: F)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = ()> + Send,
    {
        self.spawn_until_stopped(async move {
            let mut wait = first;
            loop {
                sleep(wait).await;
                wait = interval;
                job().await;
            }
        });
    }

    /// Spawns `work`, which runs until it ends or is stopped.
    pub(crate) fn spawn_until_stopped(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            // `None` if the work was stopped.
            let _ = stop.run_until_cancelled(work).await;
        });
    }

    /// Stops all tasks, and waits until each has finished its current work.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
