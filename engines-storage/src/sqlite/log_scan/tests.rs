//! Logs built frame by frame, with every kind of damage and every kind of incomplete end.

use std::io::Cursor;

use proptest::prelude::*;

use super::*;

const PAGE: usize = 512;
const FRAME: usize = FRAME_HEADER_BYTES + PAGE;

/// A log in the format that SQLite writes.
struct Log {
    bytes: Vec<u8>,
    format: WalFormat,
    sum: FrameChecksum,
    /// The index of the next frame. A failed transaction does not advance it, so that the next one overwrites its
    /// frames.
    next: usize,
    content: u32,
}

impl Log {
    fn new(salt: u32, big_endian: bool) -> Self {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(&(MAGIC | u32::from(big_endian)).to_be_bytes());
        header[4..8].copy_from_slice(&VERSION.to_be_bytes());
        header[8..12].copy_from_slice(&u32::try_from(PAGE).unwrap().to_be_bytes());
        header[16..20].copy_from_slice(&salt.to_be_bytes());
        header[20..24].copy_from_slice(&salt.wrapping_mul(0x9e37_79b9).to_be_bytes());
        let format = WalFormat { page_size: PAGE, big_endian, salt: read_bytes(&header, 16) };
        let sum = format.checksum(&header[..24], (0, 0));
        header[24..28].copy_from_slice(&sum.0.to_be_bytes());
        header[28..].copy_from_slice(&sum.1.to_be_bytes());
        Self { bytes: header.to_vec(), format, sum, next: 0, content: salt }
    }

    /// Writes a transaction. If it is not `kept`, it failed, and the next one starts at its first frame.
    fn transaction(&mut self, frames: usize, committed: bool, kept: bool) {
        let (sum, next) = (self.sum, self.next);
        for n in 0..frames {
            self.content = self.content.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut frame = [0; FRAME];
            frame[..4].copy_from_slice(&(self.content % 50 + 1).to_be_bytes());
            let commit = if committed && n + 1 == frames { 50_u32 } else { 0 };
            frame[4..8].copy_from_slice(&commit.to_be_bytes());
            frame[8..16].copy_from_slice(&self.format.salt);
            for (at, byte) in frame[FRAME_HEADER_BYTES..].iter_mut().enumerate() {
                *byte = self.content.to_be_bytes()[at % 4] ^ u8::try_from(at % 251).unwrap();
            }
            self.sum = self.format.checksum(&frame[..8], self.sum);
            self.sum = self.format.checksum(&frame[FRAME_HEADER_BYTES..], self.sum);
            frame[16..20].copy_from_slice(&self.sum.0.to_be_bytes());
            frame[20..24].copy_from_slice(&self.sum.1.to_be_bytes());
            let at = HEADER_BYTES + self.next * FRAME;
            if self.bytes.len() < at + FRAME {
                self.bytes.resize(at + FRAME, 0);
            }
            self.bytes[at..at + FRAME].copy_from_slice(&frame);
            self.next += 1;
        }
        if !kept {
            (self.sum, self.next) = (sum, next);
        }
    }

    fn of(salt: u32, big_endian: bool, transactions: &[usize]) -> Self {
        let mut log = Self::new(salt, big_endian);
        for frames in transactions {
            log.transaction(*frames, true, true);
        }
        log
    }

    /// Writes the next generation of the log over this one, as after a checkpoint of the whole log.
    fn begin_anew(&mut self, transactions: &[usize]) {
        let mut log = Self::of(self.content | 1, self.format.big_endian, transactions);
        if let Some(rest) = self.bytes.get(log.bytes.len()..) {
            log.bytes.extend_from_slice(rest);
        }
        *self = log;
    }
}

fn look(bytes: &[u8]) -> LogScan {
    scan(Cursor::new(bytes), 50 * PAGE as u64).unwrap()
}

/// Returns the index of the transaction that the byte at `at` belongs to; `None` for the log's header.
fn transaction_at(transactions: &[usize], at: usize) -> Option<usize> {
    let frame = at.checked_sub(HEADER_BYTES)? / FRAME;
    let ends = transactions.iter().scan(0, |end, frames| {
        *end += frames;
        Some(*end)
    });
    ends.into_iter().position(|end| frame < end)
}

#[test]
fn an_intact_log_is_scanned_to_its_end() {
    for big_endian in [false, true] {
        let log = Log::of(7, big_endian, &[1, 3, 2]);
        let end = log.bytes.len() as u64;
        assert_eq!(look(&log.bytes), LogScan { frames: 6, transactions: 3, bytes: end, damage: None });
    }
    for short in [0, 5, HEADER_BYTES] {
        assert_eq!(look(&vec![0; short]).damage, None);
    }
}

/// Changes eight bytes, at each offset of a small log.
#[test]
fn damage_before_the_last_transaction_is_found_at_every_offset() {
    for (seed, transactions) in
        [(1_u32, &[1, 1, 1][..]), (2, &[3, 1, 2]), (3, &[2, 4]), (4, &[1, 2]), (5, &[1]), (6, &[2])]
    {
        for big_endian in [false, true] {
            let log = Log::of(seed, big_endian, transactions);
            for at in 0..log.bytes.len() - 8 {
                let mut bytes = log.bytes.clone();
                for (n, byte) in bytes[at..at + 8].iter_mut().enumerate() {
                    *byte ^= u8::try_from((at * 7 + n * 31) % 255 + 1).unwrap();
                }
                let found = look(&bytes);
                let context = format!("{transactions:?} at {at}, {big_endian}: {found:?}");
                let Some(damaged) = transaction_at(transactions, at) else {
                    // The header's checksum and the bytes around it are damaged, and a single frame has no neighbour
                    // that would prove anything.
                    if at > 20 && transactions == [1] {
                        continue;
                    }
                    assert!(found.damage.is_some_and(|damage| damage.offset == 0), "{context}");
                    assert_eq!((found.frames, found.bytes), (0, 0), "{context}");
                    continue;
                };
                let (frame, offset) = ((at - HEADER_BYTES) / FRAME, (at - HEADER_BYTES) % FRAME);
                assert_eq!(found.transactions, damaged as u64, "{context}");
                // Both words of a commit frame's checksum and a part of its page are damaged: the frame cannot be
                // linked to the next one.
                if (17..20).contains(&offset) && transaction_at(transactions, at + FRAME) != Some(damaged) {
                    continue;
                }
                assert_eq!(found.damage.is_some(), damaged + 1 < transactions.len(), "{context}");
                if let Some(damage) = found.damage {
                    assert_eq!(damage.offset, (HEADER_BYTES + frame * FRAME) as u64, "{context}");
                    // Damage that spans two transactions damages the first frame of the second.
                    let last = transaction_at(transactions, at + 7).unwrap();
                    let behind = (transactions.len() - 1 - damaged) as u64;
                    assert!(
                        damage.transactions_after == behind
                            || (last > damaged && damage.transactions_after + 1 == behind),
                        "{context}"
                    );
                }
            }
        }
    }
}

#[test]
fn any_flipped_bit_in_an_acknowledged_transaction_is_damage() {
    let log = Log::of(9, false, &[2, 1, 1]);
    for at in 0..HEADER_BYTES + 3 * FRAME {
        for bit in 0..8 {
            let mut bytes = log.bytes.clone();
            bytes[at] ^= 1 << bit;
            assert!(look(&bytes).damage.is_some(), "byte {at}, bit {bit}");
        }
    }
}

#[test]
fn frames_of_an_earlier_log_generation_are_not_damage() {
    let mut log = Log::of(11, false, &[4, 3, 5, 2]);
    log.begin_anew(&[2, 1]);
    let end = (HEADER_BYTES + 3 * FRAME) as u64;
    assert_eq!(look(&log.bytes), LogScan { frames: 3, transactions: 2, bytes: end, damage: None });
    let mut bytes = log.bytes.clone();
    bytes[HEADER_BYTES + 100] ^= 1;
    assert_eq!(look(&bytes).damage, Some(LogDamage { offset: HEADER_BYTES as u64, transactions_after: 1 }));
}

#[test]
fn an_unwritten_header_is_not_damage() {
    let mut bytes = Log::of(13, false, &[3]).bytes;
    bytes[..HEADER_BYTES].fill(0);
    assert_eq!(look(&bytes).damage, None);
    // The transaction is followed by another, so it was acknowledged, and the header was on disk.
    let mut bytes = Log::of(13, false, &[3, 1]).bytes;
    bytes[..HEADER_BYTES].fill(0);
    assert_eq!(look(&bytes).damage, Some(LogDamage { offset: 0, transactions_after: 1 }));
}

#[test]
fn zeros_in_pages_do_not_hide_the_page_size() {
    // The smallest page size is tried first. Its frames fall into the zeros of larger pages.
    let page_size = 4096;
    let mut log = Log::new(19, false);
    log.bytes[8..12].copy_from_slice(&4096_u32.to_be_bytes());
    let format = WalFormat { page_size, ..log.format };
    let mut sum = format.checksum(&log.bytes[..24], (0, 0));
    for page in 1_u32..4 {
        let mut frame = vec![0; FRAME_HEADER_BYTES + page_size];
        frame[..4].copy_from_slice(&page.to_be_bytes());
        frame[4..8].copy_from_slice(&3_u32.to_be_bytes());
        frame[8..16].copy_from_slice(&format.salt);
        sum = format.checksum(&frame[FRAME_HEADER_BYTES..], format.checksum(&frame[..8], sum));
        frame[16..20].copy_from_slice(&sum.0.to_be_bytes());
        frame[20..24].copy_from_slice(&sum.1.to_be_bytes());
        log.bytes.extend_from_slice(&frame);
    }
    // The header's checksum is not set, so it is invalid.
    assert_eq!(look(&log.bytes).damage, Some(LogDamage { offset: 0, transactions_after: 2 }));
}

/// Zeroes a whole sector that is followed by enough frames.
#[test]
fn a_lost_sector_is_detected() {
    let transactions = [2, 3, 1, 2, 2];
    let log = Log::of(17, false, &transactions);
    let last = HEADER_BYTES + 6 * FRAME;
    for sector in (0..last).step_by(512) {
        let mut bytes = log.bytes.clone();
        bytes[sector..sector + 512].fill(0);
        assert!(look(&bytes).damage.is_some(), "sector at {sector}");
    }
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..6, 1..8)
}

proptest! {
    #[test]
    fn a_truncated_log_is_not_damage(transactions in sizes(), cut in 0.0..1.0_f64, salt in any::<u32>()) {
        let log = Log::of(salt, salt % 2 == 0, &transactions);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a fraction of a length")]
        let end = (log.bytes.len() as f64 * cut) as usize;
        prop_assert_eq!(look(&log.bytes[..end]).damage, None);
    }

    /// What a power cut leaves of the last transaction: any of its sectors, over zeros or over an older generation.
    #[test]
    fn a_torn_last_transaction_is_not_damage(
        former in sizes(), before in sizes(), last in 1_usize..12, written in prop::collection::vec(any::<bool>(), 40), salt in 1_u32..,
    ) {
        let mut log = Log::of(salt, false, &former);
        log.begin_anew(&before);
        let old = log.bytes.clone();
        let end = HEADER_BYTES + log.next * FRAME;
        log.transaction(last, true, true);
        let mut bytes = log.bytes.clone();
        for (n, written) in written.iter().enumerate() {
            let sector = (end / 512 + n) * 512;
            let (from, to) = (sector.max(end), (sector + 512).min(bytes.len()));
            if !written && from < to {
                for (at, byte) in bytes.iter_mut().enumerate().take(to).skip(from) {
                    *byte = old.get(at).copied().unwrap_or(0);
                }
            }
        }
        let found = look(&bytes);
        prop_assert_eq!(found.damage, None);
        prop_assert!(found.transactions >= before.len() as u64);
    }

    /// A failed commit leaves frames, which the next commit overwrites from the same offset on.
    #[test]
    fn leftovers_of_failed_commits_are_not_damage(
        before in sizes(), failed in prop::collection::vec((1_usize..12, any::<bool>()), 0..6), last in 1_usize..4, salt in any::<u32>(),
    ) {
        let mut log = Log::of(salt, false, &before);
        for (frames, committed) in failed {
            log.transaction(frames, committed, false);
        }
        log.transaction(last, true, true);
        let found = look(&log.bytes);
        prop_assert_eq!(found.damage, None);
        prop_assert_eq!(found.transactions, before.len() as u64 + 1);
    }

    #[test]
    fn random_bytes_are_scanned_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..4000), data in any::<u64>()) {
        let found = scan(Cursor::new(&bytes), data).unwrap();
        prop_assert!(found.bytes <= bytes.len() as u64);
    }
}
