//! A context cannot be constructed or defaulted: admission, `system` or the test kit makes it.
use engines_core::RequestContext;

fn main() {
    let _: RequestContext = Default::default();
    let _ = RequestContext {};
}
