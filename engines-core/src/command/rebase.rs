//! Decides whether a batch written against an older revision may be applied at the head.
//!
//! It may, if no commit since has touched what it touches: the same place, one above or one below it.

use json_patch::jsonptr::Pointer;

use super::op::Op;

/// The places a batch reads or writes.
///
/// * `add`, `remove`, `move` and `copy` into or out of an array (a path that ends in a number or `-`) touch the whole
///   array, because they shift its other elements. An object's member whose key is a number is treated as an array
///   element too, because the document is not known here.
/// * `test` and the source of a `copy` touch what they read.
/// * A text op touches its whole string.
///
/// The set holds no place that lies below another one of it. Building costs O(n log n), a comparison O(n log m) with n
/// the size of the smaller set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TouchSet {
    /// Pointers with a `/` appended, sorted, none a prefix of another. The `/` makes "is above"
    /// the same as "is a prefix", and all places below one follow it directly.
    places: Vec<String>,
}

/// The places these ops touch.
///
/// ```
/// use engines_core::command::{parse_ops_str, rebase::touched_places};
/// let mine = touched_places(&parse_ops_str(r#"[{"op":"remove","path":"/nodes/n1"}]"#)?);
/// let theirs =
/// touched_places(&parse_ops_str(r#"[{"op":"insert_text","path":"/nodes/n1/text","pos":0,"text":"a"}]"#)?);
/// let others = touched_places(&parse_ops_str(r#"[{"op":"remove","path":"/nodes/n11"}]"#)?);
/// assert!(mine.overlaps(&theirs));
/// assert!(!mine.overlaps(&others));
/// # Ok::<(), engines_core::command::OpError>(())
/// ```
pub fn touched_places<'a>(ops: impl IntoIterator<Item = &'a Op>) -> TouchSet {
    let mut places = Vec::new();
    for op in ops {
        match op {
            Op::Add { path, .. } | Op::Remove { path } => places.push(shifted_place(path)),
            Op::Move { from, path } => places.extend([shifted_place(from), shifted_place(path)]),
            Op::Copy { from, path } => places.extend([place_prefix(from), shifted_place(path)]),
            Op::SetToken { path, .. } if path.last().is_some_and(|last| last.encoded() == "-") => {
                places.push(shifted_place(path));
            }
            _ => places.extend(op.paths().map(place_prefix)),
        }
    }
    TouchSet::from_places(places)
}

impl TouchSet {
    fn from_places(mut places: Vec<String>) -> Self {
        places.sort_unstable();
        // A place that follows another and starts with it lies below it.
        places.dedup_by(|next, kept| next.starts_with(kept.as_str()));
        Self { places }
    }

    /// Adds all places of another set.
    pub fn merge(&mut self, other: Self) {
        let mut places = std::mem::take(&mut self.places);
        places.extend(other.places);
        *self = Self::from_places(places);
    }

    /// Whether a place of one set is a place of the other, or lies above or below one. Symmetric.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        let (few, many) = if self.places.len() < other.places.len() { (self, other) } else { (other, self) };
        few.places.iter().any(|place| many.touches_place(place))
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn touches_place(&self, place: &str) -> bool {
        let at = self.places.partition_point(|mine| mine.as_str() < place);
        // Below or equal: the first place not before it. Above: no place of this set lies below another, so nothing can
        // sort between one that is above `place` and `place`.
        self.places.get(at).is_some_and(|mine| mine.starts_with(place))
            || at
                .checked_sub(1)
                .and_then(|before| self.places.get(before))
                .is_some_and(|mine| place.starts_with(mine.as_str()))
    }
}

fn place_prefix(path: &Pointer) -> String {
    let mut place = String::with_capacity(path.as_str().len() + 1);
    place.push_str(path.as_str());
    place.push('/');
    place
}

/// The place whose content shifts when a value is inserted or removed at `path`.
fn shifted_place(path: &Pointer) -> String {
    match path.split_back() {
        Some((parent, last)) if last.to_index().is_ok() => place_prefix(parent),
        _ => place_prefix(path),
    }
}
