//! The engines server.
fn main() {}
