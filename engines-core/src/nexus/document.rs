//! Documents: versioned JSON with a kind and an id, listed by tag, id and time.

use std::borrow::Cow;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    code::Code,
    error::{Error, Result},
    id::DocId,
};

/// A kind of documents, such as `canvas` or `thread`: 1 to 48 bytes of lower-case letters, digits and `_`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DocumentKind(Cow<'static, str>);

impl DocumentKind {
    /// Makes a kind from a literal. A malformed name fails the build if it is evaluated in a constant, and panics
    /// otherwise.
    ///
    /// ```
    /// # use engines_core::nexus::DocumentKind;
    /// const CANVAS: DocumentKind = DocumentKind::from_static("canvas");
    /// # assert_eq!(CANVAS.as_str(), "canvas");
    /// ```
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_kind(name.as_bytes()), "a kind is lower-case letters, digits and _, at most 48 bytes");
        Self(Cow::Borrowed(name))
    }

    /// Makes a kind from text that is only known at run time.
    ///
    /// # Errors
    /// `ID_INVALID` when it is not lower-case letters, digits and `_`, at most 48 bytes.
    pub fn new(name: &str) -> Result<Self> {
        if is_kind(name.as_bytes()) {
            Ok(Self(Cow::Owned(name.to_owned())))
        } else {
            Err(Error::new(
                Code::IdInvalid,
                "nexus.kind",
                "a kind is lower-case letters, digits and _, at most 48 bytes",
            ))
        }
    }

    /// The kind's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for DocumentKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&Cow::<str>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

const fn is_kind(name: &[u8]) -> bool {
    let mut at = 0;
    while at < name.len() {
        if !matches!(name[at], b'a'..=b'z' | b'0'..=b'9' | b'_') {
            return false;
        }
        at += 1;
    }
    matches!(name.len(), 1..=48)
}

/// A label by which documents are listed, such as `canvas:c1`. At most 256 bytes; at most 32 on one document.
pub type Tag = String;

/// A document to be written. Its serialized form is meant for backends.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NewDocument {
    /// The document's kind.
    pub kind: DocumentKind,
    /// The document's id, unique within its kind.
    pub id: DocId,
    /// The tags by which the document can be listed.
    pub tags: Vec<Tag>,
    /// The document's body: JSON text.
    pub body: Box<RawValue>,
}

impl NewDocument {
    /// Makes a document whose body is `body`, serialised as JSON.
    ///
    /// # Errors
    /// `INTERNAL` when `body` cannot be serialised.
    pub fn new(kind: DocumentKind, id: impl Into<DocId>, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::value::to_raw_value(body).map_err(|error| Error::internal("nexus.document", error))?;
        Ok(Self { kind, id: id.into(), tags: Vec::new(), body })
    }

    /// Adds a tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// A stored document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// The document's kind.
    pub kind: DocumentKind,
    /// The document's id, unique within its kind.
    pub id: DocId,
    /// The version: 1 for a new document, one more with every write. A document that is deleted and written again
    /// starts at 1.
    pub version: u64,
    /// The time of the first write.
    pub created_at: Timestamp,
    /// The time of the last write.
    pub updated_at: Timestamp,
    /// The tags by which the document can be listed.
    pub tags: Vec<Tag>,
    /// The document's body: JSON text.
    pub body: Box<RawValue>,
}

impl Document {
    /// Deserialises the body.
    ///
    /// # Errors
    /// `INTERNAL` when the stored body is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.body.get()).map_err(|error| Error::internal("nexus.decode", error))
    }
}

/// The order in which documents are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryOrder {
    /// Ascending id, in byte order.
    #[default]
    IdAscending,
    /// Descending id, in byte order.
    IdDescending,
    /// Most recent write first; equal times by descending id.
    UpdatedDescending,
}

/// Selects documents to list: those of one kind that have all given tags and an id in the given range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// The kind to list.
    pub kind: DocumentKind,
    /// Tags that every listed document has; empty for no such condition.
    pub tags: Vec<Tag>,
    /// The lowest id to list, included.
    pub from_id: Option<DocId>,
    /// The highest id to list, included.
    pub to_id: Option<DocId>,
    /// The order of the list.
    pub order: QueryOrder,
}

impl DocumentQuery {
    /// Selects all documents of a kind, by ascending id.
    #[must_use]
    pub fn of_kind(kind: DocumentKind) -> Self {
        Self { kind, tags: Vec::new(), from_id: None, to_id: None, order: QueryOrder::default() }
    }

    /// Restricts the selection to documents that have this tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Restricts the selection to ids from `first` to `last`, both included.
    #[must_use]
    pub fn id_range(mut self, first: Option<DocId>, last: Option<DocId>) -> Self {
        self.from_id = first;
        self.to_id = last;
        self
    }

    /// Sets the order of the list.
    #[must_use]
    pub fn order(mut self, order: QueryOrder) -> Self {
        self.order = order;
        self
    }
}
