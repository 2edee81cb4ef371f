//! The threads that compute hashes, and their queue.
//!
//! The queue is fair to networks ([`NetworkQueue`]): a client that floods it waits behind its own requests. Networks
//! from which a right password came are the proven ones.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use quick_cache::sync::Cache;
use tokio::{sync::oneshot, time::timeout};

use super::settings::HashSettings;
use crate::{
    client_network::ClientNetwork,
    network_queue::{NetworkQueue, QueueEntryId, QueueFull, QueueLimits},
};

/// Networks with a right password that are remembered. The one used longest ago is removed first.
const PROVEN_NETWORKS: usize = 16_384;

/// Threads for hashes, with a fair queue.
pub(super) struct HashQueue {
    threads: usize,
    wait: Duration,
    state: Mutex<QueueState>,
    /// Networks from which a right password came since the start of the process.
    proven: Cache<ClientNetwork, ()>,
}

#[derive(Debug)]
struct QueueState {
    running: usize,
    waiting: NetworkQueue<oneshot::Sender<HashThread>>,
}

/// The use of a thread. Dropping it passes the thread on to the next request.
#[derive(Debug)]
pub(super) struct HashThread(Option<Arc<HashQueue>>);

/// A place in the queue. Dropping it leaves the queue.
struct QueuePlace<'a> {
    queue: &'a HashQueue,
    entry: QueueEntryId,
}

impl HashQueue {
    pub(super) fn new(settings: &HashSettings) -> Arc<Self> {
        let waiting = NetworkQueue::new(QueueLimits::new(settings.queue, settings.queue_per_network));
        Arc::new(Self {
            threads: settings.threads().max(1),
            wait: Duration::from_millis(settings.wait_ms),
            state: Mutex::new(QueueState { running: 0, waiting }),
            proven: Cache::new(PROVEN_NETWORKS),
        })
    }

    /// Records that a right password came from this network. From now on its requests go first.
    pub(super) fn mark_proven(&self, client: ClientNetwork) {
        if client.is_known() {
            self.proven.insert(client, ());
        }
    }

    /// Waits for a thread.
    ///
    /// # Errors
    /// [`QueueFull`] at once when the network has used its share of the queue, or when the queue is full and no network
    /// has more requests than this one. [`QueueFull`] later when no thread was free in time, or when a network with
    /// fewer requests displaced this one.
    pub(super) async fn acquire(self: &Arc<Self>, client: ClientNetwork) -> Result<HashThread, QueueFull> {
        let (place, granted) = {
            let is_proven = self.proven.get(&client).is_some();
            let mut state = self.lock();
            if state.running < self.threads {
                state.running += 1;
                return Ok(HashThread(Some(Arc::clone(self))));
            }
            let (granted, receiver) = oneshot::channel();
            let (entry, displaced) = state.waiting.push(client, is_proven, granted)?;
            drop(state);
            // Dropping the sender refuses the displaced request.
            drop(displaced);
            (QueuePlace { queue: self, entry }, receiver)
        };
        let thread = timeout(self.wait, granted).await;
        drop(place);
        thread.map_err(|_| QueueFull)?.map_err(|_| QueueFull)
    }

    /// Passes a thread on to the next request.
    fn pass_on(self: &Arc<Self>) {
        loop {
            let next = {
                let mut state = self.lock();
                let next = state.waiting.pop();
                if next.is_none() {
                    state.running -= 1;
                }
                next
            };
            let Some(next) = next else { return };
            match next.send(HashThread(Some(Arc::clone(self)))) {
                Ok(()) => return,
                // The request has just ended, so the thread goes to the next one.
                Err(thread) => thread.forget(),
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for HashQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HashQueue").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl HashThread {
    /// Drops this without passing the thread on.
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for HashThread {
    fn drop(&mut self) {
        if let Some(queue) = self.0.take() {
            queue.pass_on();
        }
    }
}

impl Drop for QueuePlace<'_> {
    fn drop(&mut self) {
        let removed = self.queue.lock().waiting.remove(self.entry);
        drop(removed);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use futures_util::{FutureExt, future::BoxFuture};

    use super::*;

    type Waiting = BoxFuture<'static, Result<HashThread, QueueFull>>;

    fn queue(queue: usize, queue_per_network: usize) -> Arc<HashQueue> {
        HashQueue::new(&HashSettings { threads: 1, queue, queue_per_network, ..HashSettings::default() })
    }

    fn client(address: &str) -> ClientNetwork {
        ClientNetwork::of(Some(address))
    }

    /// Starts to wait, and returns without the outcome.
    fn wait(queue: &Arc<HashQueue>, address: &str) -> Waiting {
        let (queue, client) = (Arc::clone(queue), client(address));
        let mut waiting: Waiting = Box::pin(async move { queue.acquire(client).await });
        assert!(waiting.as_mut().now_or_never().is_none_or(|done| done.is_err()), "no thread is free");
        waiting
    }

    fn outcome(waiting: &mut Waiting) -> Option<Result<HashThread, QueueFull>> {
        Pin::new(waiting).now_or_never()
    }

    fn refused_at_once(queue: &Arc<HashQueue>, address: &str) -> bool {
        matches!(queue.acquire(client(address)).now_or_never(), Some(Err(QueueFull)))
    }

    /// Returns the order in which waiting requests get the thread, by their index.
    fn order(thread: HashThread, mut waiting: Vec<Waiting>) -> Vec<usize> {
        let (mut thread, mut order, mut done) = (Some(thread), Vec::new(), vec![false; waiting.len()]);
        while order.len() < waiting.len() {
            drop(thread.take());
            let next = (0..waiting.len()).filter(|&index| !done[index]);
            let (index, granted) =
                next.map(|index| (index, outcome(&mut waiting[index]))).find(|(_, granted)| granted.is_some()).unwrap();
            thread = Some(granted.unwrap().unwrap());
            done[index] = true;
            order.push(index);
        }
        order
    }

    #[tokio::test]
    async fn networks_take_turns_however_many_requests_one_of_them_has() {
        let queue = queue(100, 50);
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let mut waiting: Vec<_> = (0..20).map(|_| wait(&queue, "192.0.2.1")).collect();
        waiting.push(wait(&queue, "198.51.100.1"));
        let order = order(thread, waiting);
        assert_eq!(order[..3], [0, 20, 1], "{order:?}");
        assert!(queue.acquire(client("192.0.2.1")).now_or_never().unwrap().is_ok(), "the thread is free again");
    }

    #[tokio::test]
    async fn the_networks_of_an_ipv6_site_have_one_turn_together_and_take_turns_among_themselves() {
        let queue = queue(100, 50);
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let addresses = ["2001:db8:1:1::1", "2001:db8:1:1::2", "2001:db8:1:2::1", "2001:db8:2::1"];
        let waiting = addresses.map(|address| wait(&queue, address)).into();
        assert_eq!(order(thread, waiting), [0, 3, 2, 1]);
    }

    #[tokio::test]
    async fn a_network_and_a_site_that_have_their_part_are_refused_at_once() {
        let queue = queue(100, 3);
        let _thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let _waiting: Vec<_> = (0..3).map(|_| wait(&queue, "192.0.2.1")).collect();
        assert!(refused_at_once(&queue, "192.0.2.1"));
        assert!(!refused_at_once(&queue, "192.0.2.2"));
        let _of_site: Vec<_> = (0..6).map(|index| wait(&queue, &format!("2001:db8:1:{index}::1"))).collect();
        assert!(refused_at_once(&queue, "2001:db8:1:7::1"));
        assert!(!refused_at_once(&queue, "2001:db8:2:7::1"));
    }

    #[tokio::test]
    async fn a_full_queue_takes_the_place_of_the_network_that_waits_for_most() {
        let queue = queue(4, 4);
        let _thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let mut waiting: Vec<_> = (0..4).map(|_| wait(&queue, "192.0.2.1")).collect();
        let mut others: Vec<_> = ["192.0.2.2", "192.0.2.3"].map(|address| wait(&queue, address)).into();
        let refused: Vec<_> = waiting.iter_mut().map(|waiting| outcome(waiting).is_some()).collect();
        assert_eq!(refused, [false, false, true, true], "the newest ones go");
        assert!(others.iter_mut().all(|waiting| outcome(waiting).is_none()));
        // No network has more requests than the new one would have, so none is displaced.
        others.extend([wait(&queue, "192.0.2.4")]);
        assert!(refused_at_once(&queue, "192.0.2.5"));
        // Unproven networks cannot shut out a network with a right password.
        queue.mark_proven(client("192.0.2.6"));
        assert!(!refused_at_once(&queue, "192.0.2.6"));
    }

    #[tokio::test]
    async fn proven_networks_go_first_and_strangers_get_every_fourth_turn() {
        let queue = queue(100, 50);
        queue.mark_proven(client("192.0.2.9"));
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let mut waiting: Vec<_> = (0..2).map(|_| wait(&queue, "192.0.2.1")).collect();
        waiting.extend((0..6).map(|_| wait(&queue, "192.0.2.9")));
        assert_eq!(order(thread, waiting), [2, 3, 4, 0, 5, 6, 7, 1]);
    }

    #[tokio::test]
    async fn whoever_gives_up_leaves_neither_a_place_nor_a_thread_taken() {
        let queue = queue(2, 2);
        let thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        for _ in 0..5 {
            drop(wait(&queue, "192.0.2.1"));
        }
        let granted = wait(&queue, "192.0.2.1");
        drop(thread);
        // The request got the thread but is not polled any more.
        drop(granted);
        let state = queue.lock();
        assert_eq!(state.running, 0);
        assert!(state.waiting.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_longer_than_the_settings_say() {
        let settings = HashSettings { threads: 1, wait_ms: 700, ..HashSettings::default() };
        let queue = HashQueue::new(&settings);
        let _thread = queue.acquire(client("192.0.2.1")).await.unwrap();
        let begun = tokio::time::Instant::now();
        assert!(queue.acquire(client("192.0.2.2")).await.is_err());
        assert_eq!(begun.elapsed(), Duration::from_millis(700));
    }
}
