//! Names of streams within a scope.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    code::Code,
    error::{Error, Result},
    id::ResourceId,
};

/// The kind of a stream. It decides who may read the stream and what its ids mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StreamKind {
    /// `chat/{thread_id}`: the messages of a thread.
    Chat,
    /// `canvas/{canvas_id}`: the commits of a canvas and nothing else, so that `seq` is the revision.
    Canvas,
    /// `artifacts/{canvas_id}`: the artifacts made from a canvas.
    Artifacts,
}

impl StreamKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Canvas, Self::Artifacts];

    /// The kind's name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Canvas => "canvas",
            Self::Artifacts => "artifacts",
        }
    }
}

/// A stream's key within its scope, such as `canvas/c1`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    kind: StreamKind,
    text: Arc<str>,
}

impl StreamKey {
    /// The stream of `kind` with this id.
    #[must_use]
    pub fn new(kind: StreamKind, id: &ResourceId) -> Self {
        Self { kind, text: [kind.as_str(), "/", id.as_str()].concat().into() }
    }

    /// A thread's stream.
    #[must_use]
    pub fn chat(id: &ResourceId) -> Self {
        Self::new(StreamKind::Chat, id)
    }

    /// A canvas's stream of commits.
    #[must_use]
    pub fn canvas(id: &ResourceId) -> Self {
        Self::new(StreamKind::Canvas, id)
    }

    /// A canvas's stream of artifacts.
    #[must_use]
    pub fn artifacts(id: &ResourceId) -> Self {
        Self::new(StreamKind::Artifacts, id)
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        self.kind
    }

    /// The id: what follows the first `/`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.text.get(self.kind.as_str().len() + 1..).unwrap_or_default()
    }

    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for StreamKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (kind, id) =
            text.split_once('/').ok_or_else(|| invalid("a stream is called kind/id, such as canvas/c1"))?;
        let kind = StreamKind::ALL
            .into_iter()
            .find(|known| known.as_str() == kind)
            .ok_or_else(|| invalid("the stream kinds are chat, canvas and artifacts"))?;
        Ok(Self::new(kind, &ResourceId::new(id)?))
    }
}

fn invalid(detail: &'static str) -> Error {
    Error::new(Code::IdInvalid, "stream.key", detail)
}

impl fmt::Display for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StreamKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamKey({})", self.text)
    }
}

impl Serialize for StreamKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for StreamKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
