//! A reader of JSON objects that refuses names that occur twice (RFC 7515 section 4, RFC 7519 section 4).

use std::{borrow::Cow, collections::BTreeSet, fmt, marker::PhantomData};

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// Reads the members of an object. Names arrive with their escapes resolved.
pub(crate) trait ObjectMembers<'de>: Default {
    /// Returns the index of a known name, below 32. [`ObjectMembers::read_member`] reads its value.
    fn member_index(name: &str) -> Option<u32>;

    /// Reads the value of the member with this index.
    fn read_member<A: MapAccess<'de>>(&mut self, place: u32, map: &mut A) -> Result<(), A::Error>;
}

/// Reads an object that is followed by nothing. All of it must be UTF-8, skipped members included (RFC 8725 section
/// 3.7).
pub(crate) fn parse_object<'de, T: ObjectMembers<'de>>(json: &'de [u8]) -> Result<T, serde_json::Error> {
    let json = std::str::from_utf8(json).map_err(serde_json::Error::custom)?;
    let mut deserializer = serde_json::Deserializer::from_str(json);
    let object = deserializer.deserialize_map(ObjectVisitor(PhantomData))?;
    deserializer.end()?;
    Ok(object)
}

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: ObjectMembers<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
        let (mut object, mut known, mut others) = (T::default(), 0_u32, BTreeSet::new());
        while let Some(name) = map.next_key_seed(TextSeed)? {
            let fresh = match T::member_index(&name) {
                Some(place) => {
                    let fresh = known & (1 << place) == 0;
                    known |= 1 << place;
                    if fresh {
                        object.read_member(place, &mut map)?;
                    }
                    fresh
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                    others.insert(name)
                }
            };
            if !fresh {
                return Err(A::Error::custom("a name occurs twice"));
            }
        }
        Ok(object)
    }
}

/// Reads text, borrowed if it has no escapes.
#[derive(Clone, Copy)]
pub(crate) struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}
