//! Who is asking, through the public API alone.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

mod bound;
mod claims;
mod control;
mod door;
mod forge;
mod header;
mod issuing;
mod matrix;
mod random;
mod rotation;
mod wycheproof;
