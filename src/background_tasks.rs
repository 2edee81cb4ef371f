//! Background tasks of an engine.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use engines_auth::{
    Identity,
    identity::{AuthFailureWriter, MailWorker},
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
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

/// Tasks on the current tokio runtime, and the signal that stops them.
#[derive(Debug)]
pub(crate) struct BackgroundTasks {
    stop: watch::Sender<bool>,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl BackgroundTasks {
    pub(crate) fn new() -> Self {
        Self { stop: watch::Sender::new(false), tasks: std::sync::Mutex::default() }
    }

    /// Starts recording failed authentication attempts.
    pub(crate) fn run_rejection_log(&self, writer: AuthFailureWriter) {
        let stopped = self.stopped();
        self.spawn(async move {
            if let Err(error) = writer.run_until(stopped).await {
                tracing::error!(%error, "failed attempts are no longer recorded");
            }
        });
    }

    /// Starts sending mails.
    pub(crate) fn run_mailer(&self, worker: MailWorker) {
        self.spawn(worker.run_until(self.stopped()));
    }

    /// Starts the hourly removal of expired sessions, invites and tickets.
    pub(crate) fn run_sweeper(&self, identity: Identity) {
        let stopped = self.stopped();
        self.spawn(async move {
            let sweeping = async {
                let mut wait = FIRST_SWEEP_DELAY;
                loop {
                    sleep(wait).await;
                    wait = SWEEP_INTERVAL;
                    match identity.delete_expired().await {
                        Ok(count) => tracing::debug!(count, "swept sessions, invites and tickets that have ended"),
                        Err(error) => tracing::warn!(%error, "sessions, invites and tickets could not be swept"),
                    }
                }
            };
            tokio::select! {
                () = sweeping => {}
                () = stopped => {}
            }
        });
    }

    /// Starts applying retention and reclaiming space periodically.
    pub(crate) fn run_retention(&self, worker: &Arc<RetentionWorker>) {
        let settings = worker.settings().clone();
        if settings.every_s > 0 {
            let (passing, stopped) = (Arc::clone(worker), self.stopped());
            self.spawn(async move {
                let every = Duration::from_secs(settings.every_s);
                let passes = async {
                    let mut wait = FIRST_SWEEP_DELAY.min(every);
                    loop {
                        sleep(wait).await;
                        wait = every;
                        match passing.run_pass().await {
                            Ok(pass) => tracing::debug!(?pass, "retention was applied"),
                            Err(error) => tracing::warn!(%error, "retention could not be applied"),
                        }
                    }
                };
                tokio::select! {
                    () = passes => {}
                    () = stopped => {}
                }
            });
        }
        let (reclaiming, stopped) = (Arc::clone(worker), self.stopped());
        self.spawn(async move {
            let looks = async {
                let every = Duration::from_secs(settings.reclaim_every_s.max(1));
                let mut wait = every;
                loop {
                    sleep(wait).await;
                    let begun = Instant::now();
                    if let Err(error) = reclaiming.reclaim().await {
                        tracing::warn!(%error, "removed content may still be in the store's files; it is tried again");
                    }
                    // Reclaiming a large file takes long: at most about a tenth of the time is spent on it.
                    wait = every.max(begun.elapsed() * RECLAIM_WAIT_FACTOR);
                }
            };
            tokio::select! {
                () = looks => {}
                () = stopped => {}
            }
        });
    }

    /// Spawns `work`, which runs until it ends or is stopped.
    pub(crate) fn spawn_until_stopped(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped();
        self.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stopped => {}
            }
        });
    }

    /// Starts the removal of expired tickets every few seconds.
    pub(crate) fn run_ticket_expiry(&self, identity: Identity) {
        let stopped = self.stopped();
        self.spawn(async move {
            let expiring = async {
                loop {
                    sleep(EXPIRE_INTERVAL).await;
                    if let Err(error) = identity.expire_tickets().await {
                        tracing::warn!(%error, "tickets that have ended could not be taken away");
                    }
                }
            };
            tokio::select! {
                () = expiring => {}
                () = stopped => {}
            }
        });
    }

    fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(tokio::spawn(work));
    }

    /// Completes when the stop signal was sent or its sender is gone.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Stops all tasks, and waits until each has finished its current work.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // An error means that the task panicked: it has stopped too.
            let _ = task.await;
        }
    }
}
