//! Scrubs JSON: every string, key and number at any depth, each with its key as context.

mod json_path;
mod text;
mod tree;
