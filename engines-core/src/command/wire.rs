//! Converts single ops to and from JSON objects.

use std::fmt;

use json_patch::jsonptr::PointerBuf;
use serde::de::{Error as _, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use super::error::{OpErrorKind, OpFault};
use super::op::{CustomOp, Op};

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("op", self.name())?;
        if let Some(from) = self.from() {
            map.serialize_entry("from", from.as_str())?;
        }
        map.serialize_entry("path", self.path().as_str())?;
        match self {
            Self::Add { value, .. }
            | Self::Replace { value, .. }
            | Self::Test { value, .. }
            | Self::SetToken { value, .. } => map.serialize_entry("value", value)?,
            Self::InsertText { pos, text, .. } => {
                map.serialize_entry("pos", pos)?;
                map.serialize_entry("text", text)?;
            }
            Self::DeleteRange { pos, len, .. } => {
                map.serialize_entry("pos", pos)?;
                map.serialize_entry("len", len)?;
            }
            Self::ReplaceTextRange { pos, len, text, .. } => {
                map.serialize_entry("pos", pos)?;
                map.serialize_entry("len", len)?;
                map.serialize_entry("text", text)?;
            }
            Self::Remove { .. } | Self::Move { .. } | Self::Copy { .. } => {}
            Self::Custom(op) => {
                for (key, value) in &op.fields {
                    map.serialize_entry(key, value)?;
                }
            }
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Op {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let members = OpMembers::deserialize(deserializer)?;
        members.into_op(&|_| true).map_err(D::Error::custom)
    }
}

/// The members of an op whose name is not yet interpreted.
pub(super) struct OpMembers {
    members: Map<String, Value>,
    has_duplicate: bool,
}

impl<'de> Deserialize<'de> for OpMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OpMembersVisitor)
    }
}

struct OpMembersVisitor;

impl<'de> Visitor<'de> for OpMembersVisitor {
    type Value = OpMembers;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an op: a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<OpMembers, A::Error> {
        let mut members = Map::new();
        let mut repeated = false;
        while let Some((key, value)) = access.next_entry::<String, Value>()? {
            repeated |= members.insert(key, value).is_some();
        }
        Ok(OpMembers { members, has_duplicate: repeated })
    }
}

impl From<Map<String, Value>> for OpMembers {
    fn from(members: Map<String, Value>) -> Self {
        Self { members, has_duplicate: false }
    }
}

impl OpMembers {
    /// Makes the op of these members; `custom` decides which non-standard names are accepted.
    pub(super) fn into_op(mut self, custom: &dyn Fn(&str) -> bool) -> Result<Op, OpFault> {
        if self.has_duplicate {
            return Err(OpFault::new(OpErrorKind::DuplicateField, "a member occurs twice"));
        }
        let name = self.take_text("op")?;
        Ok(match name.as_str() {
            "add" => Op::Add { path: self.take_pointer("path")?, value: self.take_member("value")? },
            "remove" => Op::Remove { path: self.take_pointer("path")? },
            "replace" => Op::Replace { path: self.take_pointer("path")?, value: self.take_member("value")? },
            "move" => Op::Move { from: self.take_pointer("from")?, path: self.take_pointer("path")? },
            "copy" => Op::Copy { from: self.take_pointer("from")?, path: self.take_pointer("path")? },
            "test" => Op::Test { path: self.take_pointer("path")?, value: self.take_member("value")? },
            "insert_text" => Op::InsertText {
                path: self.take_pointer("path")?,
                pos: self.take_count("pos")?,
                text: self.take_text("text")?,
            },
            "delete_range" => Op::DeleteRange {
                path: self.take_pointer("path")?,
                pos: self.take_count("pos")?,
                len: self.take_count("len")?,
            },
            "replace_text_range" => Op::ReplaceTextRange {
                path: self.take_pointer("path")?,
                pos: self.take_count("pos")?,
                len: self.take_count("len")?,
                text: self.take_text("text")?,
            },
            "set_token" => Op::SetToken { path: self.take_pointer("path")?, value: self.take_member("value")? },
            other if custom(other) => {
                let path = self.take_pointer("path")?;
                let has_from = self.members.contains_key("from");
                let from = if has_from { Some(self.take_pointer("from")?) } else { None };
                Op::Custom(CustomOp { name, path, from, fields: self.members })
            }
            _ => return Err(OpFault::new(OpErrorKind::UnknownOp, "no such op")),
        })
    }

    fn take_member(&mut self, field: &str) -> Result<Value, OpFault> {
        self.members
            .remove(field)
            .ok_or_else(|| OpFault::new(OpErrorKind::MissingField, format!("`{field}` is missing")))
    }

    fn take_text(&mut self, field: &str) -> Result<String, OpFault> {
        match self.take_member(field)? {
            Value::String(text) => Ok(text),
            _ => Err(wrong_type(field, "a string")),
        }
    }

    fn take_count(&mut self, field: &str) -> Result<usize, OpFault> {
        let count = self.take_member(field)?.as_u64().and_then(|n| usize::try_from(n).ok());
        count.ok_or_else(|| wrong_type(field, "a whole number, 0 or more"))
    }

    fn take_pointer(&mut self, field: &str) -> Result<PointerBuf, OpFault> {
        PointerBuf::parse(self.take_text(field)?).map_err(|_| {
            let detail = format!("`{field}` must be a JSON Pointer: empty, or `/` and tokens");
            OpFault::new(OpErrorKind::InvalidPointer, detail)
        })
    }
}

fn wrong_type(field: &str, expected: &str) -> OpFault {
    OpFault::new(OpErrorKind::WrongType, format!("`{field}` must be {expected}"))
}
