//! Request and trace ids, which identify a call and the larger operation it is part of.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    clock::{Clock, IdGenerator},
    code::Code,
    error::{Error, Result},
    hex,
};

/// Defines an id of `N` bytes, written as lower-case hex, never all zero (W3C Trace Context section 3.2.2).
macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// Makes an id from bytes; `None` if all are zero.
            #[must_use]
            pub fn from_bytes(bytes: [u8; $bytes]) -> Option<Self> {
                (bytes != [0; $bytes]).then_some(Self(bytes))
            }

            /// The bytes.
            #[must_use]
            pub fn to_bytes(self) -> [u8; $bytes] {
                self.0
            }

            /// Makes a random id.
            #[must_use]
            pub fn random(ids: &IdGenerator) -> Self {
                Self::from_random(ids.bytes())
            }

            /// Makes an id from random bytes.
            fn from_random(mut bytes: [u8; $bytes]) -> Self {
                bytes[0] |= 1;
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", stringify!($bytes), "x}"), HexBytes(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                hex::decode(text)
                    .and_then(Self::from_bytes)
                    .ok_or_else(|| Error::new(Code::BodyInvalid, "trace.parse", "a trace or span id is lower-case hex and not all zero"))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

/// Prints bytes as lower-case hex, without allocating.
struct HexBytes<'a>(&'a [u8]);

impl fmt::LowerHex for HexBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        for (pair, byte) in text.chunks_exact_mut(2).zip(self.0) {
            pair.copy_from_slice(&hex::digits(*byte));
        }
        let used = text.get(..self.0.len() * 2).unwrap_or_default();
        f.write_str(std::str::from_utf8(used).map_err(|_| fmt::Error)?)
    }
}

hex_id! {
    /// The id of a whole trace (W3C Trace Context): 16 bytes.
    TraceId, 16
}
hex_id! {
    /// The id of one span in a trace: 8 bytes.
    SpanId, 8
}

/// The ids of a request and its position in a trace. Events, audit records, logs and spans carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The caller's `X-Request-Id`, or a generated one.
    pub request_id: Arc<str>,
    /// The trace.
    pub trace_id: TraceId,
    /// The span of this request.
    pub span_id: SpanId,
    /// Whether the caller samples this trace (flag 01 of `traceparent`).
    pub sampled: bool,
}

impl Trace {
    /// Starts a new trace, for work that continues no other trace.
    #[must_use]
    pub fn begin(clock: &dyn Clock, ids: &IdGenerator) -> Self {
        Self::continue_from(None, None, clock, ids)
    }

    /// Continues the caller's trace: `request_id` is kept if it has 1 to 128 visible ASCII characters, `traceparent` if
    /// it is well-formed (W3C Trace Context section 3.2); otherwise it is replaced by a new one.
    #[must_use]
    pub fn continue_from(
        request_id: Option<&str>,
        traceparent: Option<&str>,
        clock: &dyn Clock,
        ids: &IdGenerator,
    ) -> Self {
        let parent = traceparent.and_then(parse_traceparent);
        let kept = request_id.filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()));
        let made = || Arc::from(&*ids.ulid(clock.now()).array_to_str(&mut [0; ulid::ULID_LEN]));
        // One call for both ids, because the generator is shared and locked.
        let (trace, span) = split_ids(ids.bytes());
        Self {
            request_id: kept.map_or_else(made, Into::into),
            trace_id: parent.map_or_else(|| TraceId::from_random(trace), |(id, _)| id),
            span_id: SpanId::from_random(span),
            sampled: parent.is_some_and(|(_, sampled)| sampled),
        }
    }

    /// The `traceparent` header for outgoing calls on behalf of this request.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// Splits random bytes into those of a trace id and of a span id.
fn split_ids(random: [u8; 24]) -> ([u8; 16], [u8; 8]) {
    (std::array::from_fn(|at| random[at]), std::array::from_fn(|at| random[16 + at]))
}

/// Parses `version-traceid-parentid-flags`; versions after 00 may append fields, ff is invalid.
fn parse_traceparent(text: &str) -> Option<(TraceId, bool)> {
    let mut parts = text.trim().split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex2 = |part: &str| (part.len() == 2).then(|| u8::from_str_radix(part, 16).ok()).flatten();
    let version = hex2(version)?;
    if version == 0xff || (version == 0 && parts.next().is_some()) {
        return None;
    }
    parent.parse::<SpanId>().ok()?;
    Some((trace.parse().ok()?, hex2(flags)? & 1 == 1))
}
