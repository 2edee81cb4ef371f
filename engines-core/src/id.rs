//! Identifiers. Each is validated once, when it is made, and cheap to clone.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ulid::Ulid;

use crate::{
    code::Code,
    error::{Error, Result},
};

/// Defines a validated, shared string type; the types differ in their rule and error code.
macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $check:path, $code:expr, $rule:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            #[doc = concat!("Checks `text`: `", $rule, "`.")]
            ///
            /// # Errors
            /// The type's code when `text` does not match the rule.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                let text = text.as_ref();
                if $check(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(Error::new($code, "id.check", concat!(stringify!($name), " must match ", $rule)))
                }
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::new(&*text).map_err(serde::de::Error::custom)
            }
        }
    };
}

fn is_tenant(text: &str) -> bool {
    text.strip_prefix("t_").is_some_and(|rest| {
        (1..=62).contains(&rest.len())
            && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    })
}

fn is_id_of_at_most(text: &str, max: usize) -> bool {
    text.len() <= max
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

fn is_resource(text: &str) -> bool {
    is_id_of_at_most(text, 128)
}

fn is_document(text: &str) -> bool {
    is_id_of_at_most(text, 256)
}

fn is_user(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

text_id! {
    /// The id of a tenant: one customer of the product, isolated from all others.
    TenantId, is_tenant, Code::TenantInvalid, "^t_[a-z0-9_-]{1,62}$"
}
text_id! {
    /// An id that a client may choose: a thread, a canvas, an artifact, a command.
    ResourceId, is_resource, Code::IdInvalid, "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$"
}
text_id! {
    /// The id of a document, unique within its kind. It may be longer than a client's id, because ids of documents are
    /// composed.
    DocId, is_document, Code::IdInvalid, "^[A-Za-z0-9][A-Za-z0-9_.:-]{0,255}$"
}
text_id! {
    /// The id of an actor: a token's `sub` (RFC 7519 section 4.1.2), whoever issued it.
    UserId, is_user, Code::IdInvalid, "1 to 255 visible ASCII characters"
}

impl From<ResourceId> for DocId {
    fn from(id: ResourceId) -> Self {
        Self(id.0)
    }
}

impl From<&ResourceId> for DocId {
    fn from(id: &ResourceId) -> Self {
        Self(Arc::clone(&id.0))
    }
}

impl From<Ulid> for ResourceId {
    fn from(id: Ulid) -> Self {
        let mut buffer = [0; ulid::ULID_LEN];
        Self((&*id.array_to_str(&mut buffer)).into())
    }
}

impl From<Ulid> for DocId {
    fn from(id: Ulid) -> Self {
        ResourceId::from(id).into()
    }
}

impl From<&TenantId> for ResourceId {
    /// Converts the id; every tenant id is a valid resource id.
    fn from(id: &TenantId) -> Self {
        Self(Arc::clone(&id.0))
    }
}
