//! What must not compile: the invariants that the types carry.

#[test]
fn the_types_hold() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
