//! Documents: versioned JSON with an id, in a kind, found again by tag and time.

use std::borrow::Cow;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    code::Code,
    error::{Error, Result},
    id::DocId,
};

/// A family of documents: `canvas`, `thread`. Lower-case letters, digits and `_`, at most 48 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct DocumentKind(Cow<'static, str>);

impl DocumentKind {
    /// A kind known when the program is written.
    ///
    /// ```
    /// # use engines_core::nexus::Kind;
    /// const CANVAS: Kind = Kind::known("canvas");
    /// ```
    #[must_use]
    pub const fn from_static(name: &'static str) -> Self {
        assert!(is_kind(name.as_bytes()), "a kind is lower-case letters, digits and _, at most 48 bytes");
        Self(Cow::Borrowed(name))
    }

    /// A kind read from somewhere.
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

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
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

/// A label documents are found by, such as `canvas:c1`. At most 256 bytes; at most 32 on one document.
pub type Tag = String;

/// A document to be written.
#[derive(Debug, Clone)]
pub struct NewDocument {
    /// Its family.
    pub kind: DocumentKind,
    /// Its id in the family.
    pub id: DocId,
    /// Labels it is found by.
    pub tags: Vec<Tag>,
    /// JSON text.
    pub body: Box<RawValue>,
}

impl NewDocument {
    /// A document from anything that serialises.
    ///
    /// # Errors
    /// When `body` does not serialise.
    pub fn new(kind: DocumentKind, id: impl Into<DocId>, body: &impl Serialize) -> Result<Self> {
        let body = serde_json::value::to_raw_value(body).map_err(|error| Error::internal("nexus.document", error))?;
        Ok(Self { kind, id: id.into(), tags: Vec::new(), body })
    }

    /// Adds a label.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }
}

/// A stored document.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// Its family.
    pub kind: DocumentKind,
    /// Its id in the family.
    pub id: DocId,
    /// Rises by one with every write, from 1; a document that is deleted and written again starts over.
    pub version: u64,
    /// When it was first written.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
    /// Labels it is found by.
    pub tags: Vec<Tag>,
    /// JSON text.
    pub body: Box<RawValue>,
}

impl Document {
    /// Reads the body.
    ///
    /// # Errors
    /// `INTERNAL` when what is stored is not a `T`.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(self.body.get()).map_err(|error| Error::internal("nexus.decode", error))
    }
}

/// In which order documents are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueryOrder {
    /// By id, rising (byte order).
    #[default]
    IdAscending,
    /// By id, falling.
    IdDescending,
    /// Newest write first; ties by id, falling.
    UpdatedDescending,
}

/// Which documents to list: of one kind, with every given tag, in an id range.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DocumentQuery {
    /// The family.
    pub kind: DocumentKind,
    /// Labels they must all have; none for all documents.
    pub tags: Vec<Tag>,
    /// Only ids at or after this one.
    pub from_id: Option<DocId>,
    /// Only ids at or before this one.
    pub to_id: Option<DocId>,
    /// The order.
    pub order: QueryOrder,
}

impl DocumentQuery {
    /// All documents of a kind, by id.
    #[must_use]
    pub fn of_kind(kind: DocumentKind) -> Self {
        Self { kind, tags: Vec::new(), from_id: None, to_id: None, order: QueryOrder::default() }
    }

    /// Only those with this label too.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<Tag>) -> Self {
        self.tags.push(tag.into());
        self
    }

    /// Only ids from `first` to `last`, both included.
    #[must_use]
    pub fn id_range(mut self, first: Option<DocId>, last: Option<DocId>) -> Self {
        self.from_id = first;
        self.to_id = last;
        self
    }

    /// In this order.
    #[must_use]
    pub fn order(mut self, order: QueryOrder) -> Self {
        self.order = order;
        self
    }
}
