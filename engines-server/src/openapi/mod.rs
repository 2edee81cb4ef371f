//! The OpenAPI 3.1 description, made from the table of routes.

mod document;

pub use self::document::document;
pub(crate) use self::document::to_bytes;
