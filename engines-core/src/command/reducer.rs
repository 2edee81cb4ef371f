//! Reducers, which define what ops do.

use serde_json::{Map, Value};

use super::draft::Draft;
use super::error::OpFault;
use super::op::Op;

/// Defines a document's initial state and what each op does to it.
///
/// [`JsonReducer`] has the semantics this module documents. A custom reducer can narrow them (allow only certain paths,
/// check a schema after each op) or add ops with other names. It edits only through the [`Draft`], in steps of standard
/// ops, so that a batch stays atomic and within its limits whatever a reducer does, even if it fails or panics
/// half-way.
///
/// A reducer must be deterministic: replaying the same ops gives the same state on every node, now and later. What an
/// op changes should lie at or below its `path` and `from`, because [`rebase`](super::rebase) considers only these.
///
/// ```
/// use engines_core::command::{
///     CommandLimits, Draft, Op, OpErrorKind, OpFault, Reducer, SizedDocument, apply_batch, parse_ops_for,
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
/// let mut state = SizedDocument::new(Counters.initial())?;
/// apply_batch(&Counters, &mut state, &ops, &CommandLimits::default())?;
/// assert_eq!(state.value()["likes"], 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Reducer: Send + Sync + 'static {
    /// The document at revision 0. Default: `{}`.
    fn initial(&self) -> Value {
        Value::Object(Map::new())
    }

    /// Whether the reducer supports a non-standard op of this name. Default: no.
    fn knows(&self, name: &str) -> bool {
        let _ = name;
        false
    }

    /// Applies the op. Default: [`Draft::apply`].
    ///
    /// # Errors
    /// An error reverts the whole batch.
    fn apply(&self, draft: &mut Draft<'_>, op: &Op) -> Result<(), OpFault> {
        draft.apply(op)
    }
}

/// The reducer of the standard ops.
#[derive(Debug, Clone, Copy, Default)]
pub struct JsonReducer;

impl Reducer for JsonReducer {}
