//! Parses a client's list of ops, so that an error names the op that is wrong.

use std::collections::BTreeMap;

use serde::Deserialize as _;
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::{OpError, OpErrorKind, OpFault};
use super::limits::DEPTH_CEILING;
use super::number_checks::{has_unsafe_integer, nesting_depth};
use super::op::Op;
use super::reducer::Reducer;
use super::size::UNSAFE_INTEGER_DETAIL;
use super::wire::OpMembers;

/// Parses a JSON array of ops. Unknown members of an op are ignored (RFC 6902 §4).
///
/// # Errors
/// The first op that cannot be parsed: [`OpErrorKind::UnknownOp`], [`OpErrorKind::MissingField`],
/// [`OpErrorKind::WrongType`], [`OpErrorKind::DuplicateField`], [`OpErrorKind::InvalidPointer`],
/// [`OpErrorKind::NumberOutOfRange`], [`OpErrorKind::TooDeep`], or [`OpErrorKind::Malformed`] (with index 0 if the list
/// itself is malformed).
pub fn parse_ops(raw: &RawValue) -> Result<Vec<Op>, OpError> {
    parse_ops_str(raw.get())
}

/// As [`parse_ops`], for JSON text.
///
/// # Errors
/// As [`parse_ops`].
pub fn parse_ops_str(json: &str) -> Result<Vec<Op>, OpError> {
    parse(json, &|_| false)
}

/// As [`parse_ops`], and also accepts the ops of a custom reducer, see [`Reducer::knows`].
///
/// # Errors
/// As [`parse_ops`].
pub fn parse_ops_for<R: Reducer + ?Sized>(reducer: &R, raw: &RawValue) -> Result<Vec<Op>, OpError> {
    parse(raw.get(), &|name| reducer.knows(name))
}

/// As [`parse_ops`], for a value that is already decoded. A repeated member can no longer be detected.
///
/// # Errors
/// As [`parse_ops`].
pub fn parse_ops_value(value: &Value) -> Result<Vec<Op>, OpError> {
    let Value::Array(items) = value else {
        return Err(ops_not_an_array().with_index(0));
    };
    let read = |(index, item): (usize, &Value)| match item {
        Value::Object(members) => {
            OpMembers::from(members.clone()).into_op(&|_| false).map_err(|fault| fault.with_index(index))
        }
        _ => Err(op_not_an_object().with_index(index)),
    };
    items.iter().enumerate().map(read).collect()
}

fn parse(json: &str, custom: &dyn Fn(&str) -> bool) -> Result<Vec<Op>, OpError> {
    let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else {
        return Err(ops_not_an_array().with_index(0));
    };
    let read =
        |(index, item): (usize, &&RawValue)| parse_op(item.get(), custom).map_err(|fault| fault.with_index(index));
    items.iter().enumerate().map(read).collect()
}

fn parse_op(json: &str, custom: &dyn Fn(&str) -> bool) -> Result<Op, OpFault> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let members = OpMembers::deserialize(&mut reader).map_err(|_| undecodable_op(json))?;
    let op = members.into_op(custom)?;
    if has_unsafe_integer(json) {
        // Outside of the value such a number is a position beyond any text, or belongs to a member that is ignored.
        let members: BTreeMap<String, &RawValue> = serde_json::from_str(json).map_err(|_| undecodable_op(json))?;
        if members.get("value").is_some_and(|value| has_unsafe_integer(value.get())) {
            return Err(OpFault::new(OpErrorKind::NumberOutOfRange, UNSAFE_INTEGER_DETAIL));
        }
    }
    Ok(op)
}

/// Why text that is valid JSON cannot be decoded as an op's members.
fn undecodable_op(json: &str) -> OpFault {
    if !json.trim_start().starts_with('{') {
        op_not_an_object()
    } else if nesting_depth(json) > DEPTH_CEILING {
        OpFault::new(OpErrorKind::TooDeep, "nested too deep")
    } else {
        let detail = "a number too large for a double, or text with half a surrogate pair";
        OpFault::new(OpErrorKind::Malformed, detail)
    }
}

fn ops_not_an_array() -> OpFault {
    OpFault::new(OpErrorKind::Malformed, "ops must be a JSON array")
}

fn op_not_an_object() -> OpFault {
    OpFault::new(OpErrorKind::Malformed, "an op must be a JSON object")
}
