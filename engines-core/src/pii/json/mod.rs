//! JSON: every string, key and number at any depth, each with its key as context.

mod place;
mod text;
mod tree;
