//! What ops mean: ours, or a user's own.

use serde_json::{Map, Value};

use super::apply::Draft;
use super::error::OpFault;
use super::op::Op;

/// What a document starts as and what each op does to it.
///
/// [`JsonReducer`] is the meaning this module documents. A reducer of one's own can narrow it
/// (allow only certain paths, check a schema after each op) or widen it by ops with other names.
/// It edits through the [`Draft`] alone, in steps of standard ops; so a batch stays atomic and
/// within its limits whatever a reducer does, also when it fails or panics half-way.
///
/// It must be deterministic: replaying the same ops gives the same state on every node, now and
/// later. What an op changes should lie at or below its `path` and `from`, since
/// [`rebase`](super::rebase) goes by these alone.
///
/// ```
/// use engines_core::command::{
///     CommandLimits, Draft, Op, OpErrorKind, OpFault, Reducer, State, apply_batch, parse_ops_for,
/// };
/// use serde_json::{Value, json, value::RawValue};
///
/// /// Counters: `{"op":"increment","path":"/likes","by":2}`; nobody touches `/owner`.
/// struct Counters;
///
/// impl Reducer for Counters {
///     fn initial(&self) -> Value {
///         json!({"likes": 0, "owner": "u1"})
///     }
///     fn knows(&self, name: &str) -> bool {
///         name == "increment"
///     }
///     fn apply(&self, draft: &mut Draft<'_>, op: &Op) -> Result<(), OpFault> {
///         if op.paths().any(|path| path.as_str().starts_with("/owner") || path.is_root()) {
///             return Err(OpFault::refused("/owner is not for commands"));
///         }
///         match op {
///             Op::Custom(custom) => {
///                 let by = custom.fields.get("by").and_then(Value::as_i64).unwrap_or(1);
///                 let now = draft.value().pointer(custom.path.as_str()).and_then(Value::as_i64);
///                 let now = now.ok_or_else(|| OpFault::refused("not a counter"))?;
///                 let value = Value::from(now.saturating_add(by));
///                 draft.apply(&Op::Replace { path: custom.path.clone(), value })
///             }
///             _ => draft.apply(op),
///         }
///     }
/// }
///
/// let raw = RawValue::from_string(r#"[{"op":"increment","path":"/likes","by":2}]"#.into())?;
/// let ops = parse_ops_for(&Counters, &raw)?;
/// let mut state = State::new(Counters.initial())?;
/// apply_batch(&Counters, &mut state, &ops, &CommandLimits::default())?;
/// assert_eq!(state.value()["likes"], 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Reducer: Send + Sync + 'static {
    /// The document at revision 0. Default: `{}`.
    fn initial(&self) -> Value {
        Value::Object(Map::new())
    }

    /// Whether ops of this name, which is none of the standard ones, are understood. Default: no.
    fn knows(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Does what the op says. Default: [`Draft::apply`].
    ///
    /// # Errors
    /// An error undoes the whole batch.
    fn apply(&self, draft: &mut Draft<'_>, op: &Op) -> Result<(), OpFault> {
        draft.apply(op)
    }
}

/// The standard ops, and no other.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonReducer;

impl Reducer for JsonReducer {}
