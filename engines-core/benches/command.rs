//! The cost of one command: `cargo bench -p engines-core --bench command`.

use divan::{Bencher, counter::ItemsCount};
use engines_core::command::{
    CommandLimits, JsonReducer, Op, PointerBuf, SizedDocument, apply_batch, parse_ops_str, state_hash,
};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

fn path(text: &str) -> PointerBuf {
    PointerBuf::parse(text).unwrap_or_default()
}

/// Makes a state from valid JSON; panics otherwise.
fn state(value: Value) -> SizedDocument {
    match SizedDocument::new(value) {
        Ok(state) => state,
        Err(fault) => panic!("{fault}"),
    }
}

fn run(state: &mut SizedDocument, ops: &[Op]) {
    let done = apply_batch(&JsonReducer, state, ops, &CommandLimits::default());
    assert!(done.is_ok(), "{done:?}");
}

/// A small linear congruential generator (Knuth): the same positions in every run.
fn next(seed: &mut u64) -> usize {
    *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*seed >> 33) as usize
}

/// Inserts one character at a random position of a text of about 20 KB, and removes it again.
#[divan::bench(args = ["ascii", "umlauts"])]
fn insert_and_delete_20_kb(bencher: Bencher<'_, '_>, alphabet: &str) {
    let word = if alphabet == "ascii" { "abcdefghi " } else { "ä" };
    let text = word.repeat(20_000 / word.len());
    let chars = text.chars().count();
    let mut state = state(json!({"nodes": {"n1": {"text": text}}}));
    let mut seed = 1;
    bencher.counter(ItemsCount::new(2_usize)).bench_local(|| {
        let path = path("/nodes/n1/text");
        let pos = next(&mut seed) % chars;
        let text = String::from("x");
        run(&mut state, &[Op::InsertText { path: path.clone(), pos, text }]);
        run(&mut state, &[Op::DeleteRange { path, pos, len: 1 }]);
    });
}

/// Adds (or replaces) a node in an object of 1,000 nodes.
#[divan::bench]
fn add_to_1000_nodes(bencher: Bencher<'_, '_>) {
    let node = json!({"text": "hi", "x": 10, "y": 20.5, "tags": ["a", "b"]});
    let nodes: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("n{n}"), node.clone())).collect();
    let mut state = state(json!({"nodes": nodes}));
    let mut seed = 1;
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| {
        let path = path(&format!("/nodes/n{}", next(&mut seed) % 2000));
        run(&mut state, &[Op::Add { path, value: node.clone() }]);
    });
}

/// Parses one op from its JSON text.
#[divan::bench]
fn parse_one_op(bencher: Bencher<'_, '_>) {
    let json = r#"[{"op":"insert_text","path":"/nodes/n1/text","pos":12,"text":"there"}]"#;
    bencher.counter(ItemsCount::new(1_usize)).bench(|| parse_ops_str(divan::black_box(json)));
}

/// The hash of a document of 1,000 nodes (about 60 KB).
#[divan::bench]
fn hash_1000_nodes(bencher: Bencher<'_, '_>) {
    let node = json!({"text": "hi", "x": 10, "y": 20.5, "tags": ["a", "b"]});
    let nodes: serde_json::Map<String, Value> = (0..1000).map(|n| (format!("n{n}"), node.clone())).collect();
    let state = json!({"nodes": nodes});
    bencher.bench(|| state_hash(divan::black_box(&state)));
}
