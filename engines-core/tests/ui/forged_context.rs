//! A context cannot be written down or defaulted: it comes from the door, from `system`, or from the test kit.
use engines_core::RequestContext;

fn main() {
    let _: RequestContext = Default::default();
    let _ = RequestContext {};
}
