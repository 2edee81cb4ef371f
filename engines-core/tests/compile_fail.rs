//! Invariants of the types: code that must not compile.

#[test]
fn code_that_breaks_an_invariant_does_not_compile() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
