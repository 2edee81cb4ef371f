//! Every store method takes a scope.
use engines_core::{DocId, Store, nexus::DocumentKind};

async fn peek(store: &dyn Store, kind: &DocumentKind, id: &DocId) {
    let _ = store.get(kind, id).await;
}

fn main() {}
