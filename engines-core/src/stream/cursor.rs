//! Cursors: opaque positions of a reader in one or more streams, bound to the log they were made from.
//!
//! A cursor holds the log's id, for each stream a short hash of scope and key with the last sequence number that was
//! read, and a checksum of all of it. It is not a secret and grants no access: admission decides what a caller may
//! read. A cursor of another log leads to `REPLAY_MISS`; a damaged one, or one of other streams, is `CURSOR_INVALID`.
//! No cursor is read as another one.

use std::{fmt, str::FromStr};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{Seq, StreamKey};
use crate::{
    code::Code,
    error::{Error, Result},
    scope::Scope,
};

const VERSION: u8 = 1;
const HASH_BYTES: usize = 8;
const CHECKSUM_BYTES: usize = 4;
/// The most streams one cursor can hold.
const MAX_STREAMS: usize = 16;

/// The id of a store's log. Each new database gets a new id, so that a cursor of an older database is never misread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LogId([u8; 8]);

impl LogId {
    /// Makes an id from bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The id as bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 8] {
        self.0
    }
}

/// The last sequence number that a reader has of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPosition {
    /// The stream.
    pub key: StreamKey,
    /// The last sequence number that was read; 0 for none.
    pub seq: Seq,
}

/// A reader's position in one or more streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    log_id: LogId,
    positions: Vec<([u8; HASH_BYTES], Seq)>,
}

/// Where to resume the streams a cursor is presented to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResumePoint {
    /// Continue after these positions.
    From(Vec<StreamPosition>),
    /// The cursor was made from another log: the events after it are not in this one.
    OtherLog,
}

impl Cursor {
    /// Makes a cursor for one stream.
    #[must_use]
    pub fn single(log: LogId, scope: &Scope, key: &StreamKey, seq: Seq) -> Self {
        Self { log_id: log, positions: vec![(hash(scope, key), seq)] }
    }

    /// Makes a cursor for several streams of one scope.
    #[must_use]
    pub fn multiple(log: LogId, scope: &Scope, positions: &[StreamPosition]) -> Self {
        Self { log_id: log, positions: positions.iter().map(|at| (hash(scope, &at.key), at.seq)).collect() }
    }

    /// Makes a template for cursors of `keys`, which hashes each key once. Use it to make many cursors.
    #[must_use]
    pub fn template(log: LogId, scope: &Scope, keys: &[StreamKey]) -> CursorTemplate {
        CursorTemplate { log, hashes: keys.iter().map(|key| hash(scope, key)).collect() }
    }

    /// Reads this cursor for a subscription to `keys` in a store whose log is `log`. A stream that the cursor does not
    /// mention (it was made by a subscription to fewer) is read from its start, so that no event is skipped.
    ///
    /// # Errors
    /// `CURSOR_INVALID` when the cursor mentions a stream that is not among `keys`.
    pub fn resume(&self, log: LogId, scope: &Scope, keys: &[StreamKey]) -> Result<ResumePoint> {
        let hashes: Vec<_> = keys.iter().map(|key| hash(scope, key)).collect();
        if self.positions.iter().any(|(place, _)| !hashes.contains(place)) {
            return Err(invalid("the cursor belongs to another stream"));
        }
        if self.log_id != log {
            return Ok(ResumePoint::OtherLog);
        }
        let seq = |hash| self.positions.iter().find(|(place, _)| place == hash).map_or(Seq::ZERO, |(_, seq)| *seq);
        Ok(ResumePoint::From(
            keys.iter().zip(&hashes).map(|(key, hash)| StreamPosition { key: key.clone(), seq: seq(hash) }).collect(),
        ))
    }
}

/// Makes cursors of a fixed set of streams without hashing their keys again.
#[derive(Debug, Clone)]
pub struct CursorTemplate {
    log: LogId,
    hashes: Vec<[u8; HASH_BYTES]>,
}

impl CursorTemplate {
    /// The cursor at these sequence numbers, one for each stream in the template's order.
    #[must_use]
    pub fn at(&self, seqs: &[Seq]) -> Cursor {
        Cursor { log_id: self.log, positions: self.hashes.iter().copied().zip(seqs.iter().copied()).collect() }
    }
}

fn hash(scope: &Scope, key: &StreamKey) -> [u8; HASH_BYTES] {
    let digest = Sha256::new()
        .chain_update(scope.tenant().as_str())
        .chain_update([0])
        .chain_update(scope.env().as_str())
        .chain_update([0])
        .chain_update(key.as_str())
        .finalize();
    let mut short = [0; HASH_BYTES];
    short.copy_from_slice(&digest[..HASH_BYTES]);
    short
}

/// FNV-1a. It detects damage; it need not resist an attacker, because a cursor grants no access.
fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    bytes.iter().fold(0x811c_9dc5_u32, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193)).to_be_bytes()
}

fn invalid(detail: &'static str) -> Error {
    Error::new(Code::CursorInvalid, "stream.cursor", detail)
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = Vec::with_capacity(1 + 8 + self.positions.len() * (HASH_BYTES + 8) + CHECKSUM_BYTES);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.log_id.0);
        for (hash, seq) in &self.positions {
            bytes.extend_from_slice(hash);
            bytes.extend_from_slice(&seq.0.to_be_bytes());
        }
        let check = checksum(&bytes);
        bytes.extend_from_slice(&check);
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || invalid("the cursor is malformed; use one that this API has given, unchanged");
        if text.len() > 24 + MAX_STREAMS * 22 {
            return Err(malformed());
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed())?;
        let (body, check) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or_else(malformed)?;
        if checksum(body) != *check {
            return Err(malformed());
        }
        let (version, rest) = body.split_first().ok_or_else(malformed)?;
        let (log, places) = rest.split_first_chunk::<8>().ok_or_else(malformed)?;
        let (places, odd) = places.as_chunks::<{ HASH_BYTES + 8 }>();
        if *version != VERSION || !odd.is_empty() || places.is_empty() || places.len() > MAX_STREAMS {
            return Err(malformed());
        }
        let places = places
            .iter()
            .map(|place| {
                let (hash, seq) = place.split_first_chunk::<HASH_BYTES>().ok_or_else(malformed)?;
                Ok((*hash, Seq(u64::from_be_bytes(seq.try_into().map_err(|_| malformed())?))))
            })
            .collect::<Result<_>>()?;
        Ok(Self { log_id: LogId(*log), positions: places })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
