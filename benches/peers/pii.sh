#!/usr/bin/env bash
# The PII engine, serde_json (parse and serialize) and Presidio's pattern recognizers, side by side on the same documents, one core each.
# Needs Python 3.10 or later and, the first time, its package index. Prints a table and one JSON line.
#
#   benches/peers/pii.sh [CORPUS.jsonl [ROUNDS]]
#
# CORPUS has lines {text, spans: [{bstart, bend, label}]}, spans optional, in bytes of UTF-8; without it a small one is made up.
set -euo pipefail
corpus=${1:+$(realpath "$1")}
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
peers=$target/peers
mkdir -p "$peers"
if ! "$peers/presidio/bin/python" -c 'import presidio_analyzer' 2>/dev/null; then
  python3 -m venv "$peers/presidio"
  "$peers/presidio/bin/pip" install -q presidio-analyzer==2.2.366
fi
cargo build --release -q -p engines-pii --example peers --example report
if [ -z "$corpus" ]; then
  corpus=$peers/pii.jsonl
  python3 benches/peers/pii_corpus.py >"$corpus"
fi
"$peers/presidio/bin/python" benches/peers/pii.py "$target/release/examples" "$corpus" "$peers" "${2:-3}"
