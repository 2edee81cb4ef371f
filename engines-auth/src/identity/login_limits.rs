//! The counters behind the limits on logins: tries that are being checked, and callers that wait for a try.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::oneshot, time::timeout};

use super::settings::IdentitySettings;
use crate::{
    client_network::ClientNetwork,
    network_queue::{NetworkQueue, QueueEntryId, QueueFull, QueueLimits},
};

/// Tries whose password is being checked, and callers that wait for a try.
#[derive(Debug)]
pub(super) struct LoginLimits {
    /// The number of such tries by key. At zero, no try can be returned, so a caller does not wait.
    pending: Mutex<HashMap<String, usize>>,
    /// The callers that wait. Networks from which their account has logged in before are the proven ones.
    waiting: Mutex<NetworkQueue<oneshot::Sender<Infallible>>>,
}

/// The place of a caller that waits for a try. Dropping it leaves the queue.
#[derive(Debug)]
pub(super) struct WaitingPlace<'a> {
    limits: &'a LoginLimits,
    entry: QueueEntryId,
    /// Closed when another network takes the place.
    displaced: oneshot::Receiver<Infallible>,
}

impl LoginLimits {
    pub(super) fn new(settings: &IdentitySettings) -> Self {
        let limits = QueueLimits::new(settings.login_waiting, settings.login_waiting_per_network);
        Self { pending: Mutex::default(), waiting: Mutex::new(NetworkQueue::new(limits)) }
    }

    /// Takes a place to wait.
    ///
    /// # Errors
    /// [`QueueFull`] when the network has used its share of the places, or when all are taken and no network has more
    /// than this one.
    pub(super) fn wait(&self, client: ClientNetwork, is_known: bool) -> Result<WaitingPlace<'_>, QueueFull> {
        let (sender, displaced) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (entry, loser) = waiting.push(client, is_known, sender)?;
        drop(waiting);
        drop(loser);
        Ok(WaitingPlace { limits: self, entry, displaced })
    }

    pub(super) fn is_pending(&self, key: &str) -> bool {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner).contains_key(key)
    }

    pub(super) fn add_pending(&self, key: &str) {
        *self.pending.lock().unwrap_or_else(PoisonError::into_inner).entry(key.to_owned()).or_default() += 1;
    }

    pub(super) fn remove_pending(&self, key: &str) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pending.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                pending.remove(key);
            }
        }
    }
}

impl WaitingPlace<'_> {
    /// Waits for `time`.
    ///
    /// # Errors
    /// [`QueueFull`] when another network has taken the place.
    pub(super) async fn wait_for(&mut self, time: Duration) -> Result<(), QueueFull> {
        // Nothing is ever sent. The receiver completes when the sender, and with it the place, is gone.
        if timeout(time, &mut self.displaced).await.is_ok() { Err(QueueFull) } else { Ok(()) }
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        let removed = self.limits.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(self.entry);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_network_has_its_part_of_the_places_and_gives_way_when_all_are_taken() {
        let settings = IdentitySettings { login_waiting: 3, login_waiting_per_network: 2, ..Default::default() };
        let limits = LoginLimits::new(&settings);
        let network = |address| ClientNetwork::of(Some(address));
        let wait = |address, is_known| limits.wait(network(address), is_known);
        let mut flood = [wait("198.51.100.7", false).unwrap(), wait("198.51.100.7", false).unwrap()];
        assert_eq!(wait("198.51.100.7", false).unwrap_err(), QueueFull);
        let mut third = wait("192.0.2.3", false).unwrap();
        // All places are taken now. The newest of the network that has most goes.
        let _fourth = wait("192.0.2.4", false).unwrap();
        let still_waits = async |place: &mut WaitingPlace<'_>| place.wait_for(Duration::from_millis(1)).await.is_ok();
        assert_eq!([still_waits(&mut flood[0]).await, still_waits(&mut flood[1]).await], [true, false]);
        assert!(still_waits(&mut third).await);
        // No network has more than one. Only a network that the account knows takes a place.
        assert_eq!(wait("192.0.2.5", false).unwrap_err(), QueueFull);
        let known = wait("192.0.2.5", true).unwrap();
        // A place that is given up is free.
        drop(known);
        assert!(wait("192.0.2.6", false).is_ok());
    }
}
