//! What the store counts for an item.

/// Bytes counted for each stored item besides its content.
pub(super) const ITEM_OVERHEAD_BYTES: usize = 256;
