//! A context cannot be written down, defaulted or deserialised: it comes from the door, from `system`, or from the test kit.
use engines_core::RequestContext;

fn main() {
    let _: RequestContext = Default::default();
    let _: RequestContext = serde_json::from_str("{}").unwrap();
    let _ = RequestContext { inner: std::sync::Arc::new(()) };
}
