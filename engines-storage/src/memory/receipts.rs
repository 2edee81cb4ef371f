//! Receipts of idempotency keys of one scope: by key, and in the order they were written.

use std::collections::{BTreeMap, HashMap};

use engines_core::{
    Timestamp,
    nexus::{EventOutcome, Once, Receipt, archive::KeptReceipt},
    stream::{Seq, StreamKey},
};

use super::space::OVERHEAD;

/// One receipt: what was answered and for which fingerprint, and its number in the order of writing.
struct Kept {
    answer: (Receipt, [u8; 32]),
    number: u64,
}

/// When a receipt was written, and its realm and key.
struct Written {
    at: Timestamp,
    realm: String,
    key: String,
}

/// Receipts of one scope.
#[derive(Default)]
pub(super) struct Receipts {
    by_key: HashMap<String, HashMap<String, Kept>>,
    by_number: BTreeMap<u64, Written>,
    last: u64,
}

impl Receipts {
    pub(super) fn get(&self, once: &Once) -> Option<&(Receipt, [u8; 32])> {
        Some(&self.by_key.get(&once.realm)?.get(&once.key)?.answer)
    }

    /// What the second of two events with one key is told; none when the key is new.
    pub(super) fn again(&self, once: &Once) -> Option<EventOutcome> {
        let (first, fingerprint) = self.get(once)?;
        Some(EventOutcome::again(first, fingerprint, &once.fingerprint))
    }

    /// Keeps a batch's receipt.
    pub(super) fn keep(&mut self, once: Once, receipt: Receipt, at: Timestamp) {
        let Once { realm, key, fingerprint, .. } = once;
        self.last += 1;
        let written = Written { at, realm: realm.clone(), key: key.clone() };
        self.by_number.insert(self.last, written);
        let kept = Kept { answer: (receipt, fingerprint), number: self.last };
        self.by_key.entry(realm).or_default().insert(key, kept);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    /// All of them in the order of writing, with their numbers in it.
    pub(super) fn all(&self) -> impl Iterator<Item = (u64, KeptReceipt)> {
        self.by_number.iter().filter_map(|(number, Written { at, realm, key })| {
            let (receipt, fingerprint) = self.by_key.get(realm)?.get(key)?.answer.clone();
            let note = receipt.note.clone();
            let once = Once { realm: realm.clone(), key: key.clone(), fingerprint, note };
            Some((*number, KeptReceipt { once, receipt, at: *at }))
        })
    }

    /// Keeps the key of an event as that of a batch of its own would be.
    pub(super) fn keep_event(&mut self, once: Once, seq: Seq, at: Timestamp) {
        let recorded = vec![EventOutcome::Kept(seq)];
        let receipt = Receipt { recorded, note: once.note.clone(), ..Receipt::default() };
        self.keep(once, receipt, at);
    }

    /// All in the order they were written: realm, key, what was answered, and when.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str, &(Receipt, [u8; 32]), Timestamp)> {
        self.by_number.values().filter_map(|Written { at, realm, key }| {
            let kept = self.by_key.get(realm)?.get(key)?;
            Some((realm.as_str(), key.as_str(), &kept.answer, *at))
        })
    }

    /// Removes the oldest receipts, `limit` at the most and none from the first on that is not older than `before`; all if there is no
    /// such time. Returns how many, the bytes freed, and whether there are more to remove.
    pub(super) fn remove(&mut self, before: Option<Timestamp>, limit: usize) -> (u64, usize, bool) {
        let (mut removed, mut freed) = (0, 0);
        while let Some(oldest) = self.by_number.first_entry() {
            if before.is_some_and(|before| oldest.get().at >= before) {
                break;
            }
            if removed == limit as u64 {
                return (removed, freed, true);
            }
            let Written { realm, key, .. } = oldest.remove();
            freed += self.drop_key(&realm, &key);
            removed += 1;
        }
        (removed, freed, false)
    }

    /// Removes the receipts of a stream that is deleted; returns the bytes freed.
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

    fn drop_key(&mut self, realm: &str, key: &str) -> usize {
        let Some(keys) = self.by_key.get_mut(realm) else { return 0 };
        let kept = keys.remove(key);
        if keys.is_empty() {
            self.by_key.remove(realm);
        }
        kept.map_or(0, |kept| receipt_size(realm, key, &kept.answer.0.note))
    }
}

/// Bytes counted for a receipt.
pub(super) fn receipt_size(realm: &str, key: &str, note: &str) -> usize {
    OVERHEAD + realm.len() + key.len() + note.len()
}
