//! Every store method takes a scope.
use engines_core::{DocId, Store, nexus::Kind};

async fn peek(store: &dyn Store, kind: &Kind, id: &DocId) {
    let _ = store.get(kind, id).await;
}

fn main() {}
