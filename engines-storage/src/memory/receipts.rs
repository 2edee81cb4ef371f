//! The receipts of one scope's idempotency keys, indexed by key and by order of writing.

use std::collections::{BTreeMap, HashMap};

use engines_core::{
    Timestamp,
    nexus::{CommitReceipt, EventOutcome, Idempotency, archive::StoredReceipt},
    stream::{Seq, StreamKey},
};

use super::sizes::ITEM_OVERHEAD_BYTES;

/// A receipt with the fingerprint of its request and its number in the order of writing.
struct ReceiptEntry {
    answer: (CommitReceipt, [u8; 32]),
    number: u64,
}

/// The order key of a receipt: the time at which it was written, its namespace and its key.
struct ReceiptOrder {
    at: Timestamp,
    realm: String,
    key: String,
}

/// The receipts of one scope.
#[derive(Default)]
pub(super) struct ReceiptIndex {
    by_key: HashMap<String, HashMap<String, ReceiptEntry>>,
    by_number: BTreeMap<u64, ReceiptOrder>,
    last: u64,
}

impl ReceiptIndex {
    pub(super) fn get(&self, once: &Idempotency) -> Option<&(CommitReceipt, [u8; 32])> {
        Some(&self.by_key.get(&once.namespace)?.get(&once.key)?.answer)
    }

    /// Returns the outcome for an event whose key was used before; `None` when the key is new.
    pub(super) fn replayed_outcome(&self, once: &Idempotency) -> Option<EventOutcome> {
        let (first, fingerprint) = self.get(once)?;
        Some(EventOutcome::from_first_receipt(first, fingerprint, &once.fingerprint))
    }

    /// Stores the receipt of a batch.
    pub(super) fn insert(&mut self, once: Idempotency, receipt: CommitReceipt, at: Timestamp) {
        let Idempotency { namespace: realm, key, fingerprint, .. } = once;
        self.last += 1;
        let written = ReceiptOrder { at, realm: realm.clone(), key: key.clone() };
        self.by_number.insert(self.last, written);
        let kept = ReceiptEntry { answer: (receipt, fingerprint), number: self.last };
        self.by_key.entry(realm).or_default().insert(key, kept);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// Returns all receipts in the order of writing, with their numbers.
    pub(super) fn iter_records(&self) -> impl Iterator<Item = (u64, StoredReceipt)> {
        self.by_number.iter().filter_map(|(number, ReceiptOrder { at, realm, key })| {
            let (receipt, fingerprint) = self.by_key.get(realm)?.get(key)?.answer.clone();
            let note = receipt.note.clone();
            let once = Idempotency { namespace: realm.clone(), key: key.clone(), fingerprint, note };
            Some((*number, StoredReceipt { idempotency: once, receipt, at: *at }))
        })
    }

    /// Stores the key of an event as if the event were a batch of its own.
    pub(super) fn insert_event(&mut self, once: Idempotency, seq: Seq, at: Timestamp) {
        let recorded = vec![EventOutcome::Kept(seq)];
        let receipt = CommitReceipt { recorded, note: once.note.clone(), ..CommitReceipt::default() };
        self.insert(once, receipt, at);
    }

    /// Returns all receipts in the order of writing: namespace, key, receipt and fingerprint, time.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &(CommitReceipt, [u8; 32]), Timestamp)> {
        self.by_number.values().filter_map(|ReceiptOrder { at, realm, key }| {
            let kept = self.by_key.get(realm)?.get(key)?;
            Some((realm.as_str(), key.as_str(), &kept.answer, *at))
        })
    }

    /// Removes up to `limit` of the oldest receipts. Stops at the first receipt that is not older than `before`;
    /// without `before`, removes receipts of any age. Returns the number removed, the bytes freed, and whether more
    /// can be removed.
    pub(super) fn remove(&mut self, before: Option<Timestamp>, limit: usize) -> (u64, usize, bool) {
        let (mut removed, mut freed) = (0, 0);
        while let Some(oldest) = self.by_number.first_entry() {
            if before.is_some_and(|before| oldest.get().at >= before) {
                break;
            }
            if removed == limit as u64 {
                return (removed, freed, true);
            }
            let ReceiptOrder { realm, key, .. } = oldest.remove();
            freed += self.remove_key(&realm, &key);
            removed += 1;
        }
        (removed, freed, false)
    }

    /// Removes the receipts of a deleted stream. Returns the number of bytes freed.
    pub(super) fn forget_stream(&mut self, key: &StreamKey) -> usize {
        let of_stream = |realm: &String| {
            realm.strip_prefix(key.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let realms: Vec<String> = self.by_key.keys().filter(|realm| of_stream(realm)).cloned().collect();
        let mut freed = 0;
        for realm in realms {
            for (key, kept) in self.by_key.remove(&realm).unwrap_or_default() {
                self.by_number.remove(&kept.number);
                freed += receipt_size(&realm, &key, &kept.answer.0.note);
            }
        }
        freed
    }

    fn remove_key(&mut self, realm: &str, key: &str) -> usize {
        let Some(keys) = self.by_key.get_mut(realm) else { return 0 };
        let kept = keys.remove(key);
        if keys.is_empty() {
            self.by_key.remove(realm);
        }
        kept.map_or(0, |kept| receipt_size(realm, key, &kept.answer.0.note))
    }
}

/// Returns the bytes counted for a receipt.
pub(super) fn receipt_size(realm: &str, key: &str, note: &str) -> usize {
    ITEM_OVERHEAD_BYTES + realm.len() + key.len() + note.len()
}
