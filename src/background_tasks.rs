//! Work that goes on beside requests, and ends with the engine.

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

/// Time from the start to the first sweep: a process that never lives an hour sweeps too.
const FIRST_SWEEP_DELAY: Duration = Duration::from_secs(60);

/// Time between two sweeps.
const SWEEP_INTERVAL: Duration = Duration::from_secs(3600);

/// How many times as long as it took to give space back the next try waits.
const RECLAIM_WAIT_FACTOR: u32 = 10;

/// Time between two looks at which tickets have ended.
const EXPIRE_INTERVAL: Duration = Duration::from_secs(10);

/// Tasks on the current tokio runtime, and the switch that stops them.
#[derive(Debug)]
pub(crate) struct BackgroundTasks {
    stop: watch::Sender<bool>,
    tasks: std::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl BackgroundTasks {
    pub(crate) fn new() -> Self {
        Self { stop: watch::Sender::new(false), tasks: std::sync::Mutex::default() }
    }

    /// Writes refused attempts down.
    pub(crate) fn run_rejection_log(&self, writer: AuthFailureWriter) {
        let stopped = self.stopped();
        self.spawn(async move {
            if let Err(error) = writer.run_until(stopped).await {
                tracing::error!(%error, "refused attempts are not recorded any more");
            }
        });
    }

    /// Sends mails.
    pub(crate) fn run_mailer(&self, worker: MailWorker) {
        self.spawn(worker.run_until(self.stopped()));
    }

    /// Takes away, every hour, what has ended.
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

    /// Applies retention and gives space back, again and again.
    pub(crate) fn run_retention(&self, worker: &Arc<RetentionWorker>) {
        let settings = worker.retention.settings().clone();
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
                    // A large file takes long to be looked through: at most a tenth of the time is spent on it.
                    wait = every.max(begun.elapsed() * RECLAIM_WAIT_FACTOR);
                }
            };
            tokio::select! {
                () = looks => {}
                () = stopped => {}
            }
        });
    }

    /// Runs `work` until it ends or is stopped.
    pub(crate) fn spawn_until_stopped(&self, work: impl Future<Output = ()> + Send + 'static) {
        let stopped = self.stopped();
        self.spawn(async move {
            tokio::select! {
                () = work => {}
                () = stopped => {}
            }
        });
    }

    /// Takes away, every few seconds, the tickets that have ended.
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

    /// Ends when the switch is thrown, or gone.
    fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            let _ = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Stops all, and waits until what is in hand is done.
    pub(crate) async fn stop(&self) {
        self.stop.send_replace(true);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            // An error means that it panicked: it has stopped all the same.
            let _ = task.await;
        }
    }
}
