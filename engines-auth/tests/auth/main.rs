//! Tests of authentication and admission through the public API.

#![expect(clippy::unwrap_used, reason = "a test may fail loudly, also in its helpers")]

mod admission;
mod claims;
mod control;
mod forge;
mod fuzzed_tokens;
mod header;
mod issuing;
mod rotation;
mod scope_agreement;
mod scope_restriction;
mod wycheproof;
