#!/usr/bin/env bash
# Attacks a server of its own on the loopback interface and reports what other clients notice.
#   tests/attacks/run.sh          short: what CI runs; fails on lost answers and on a 503 for others, not on times
#   tests/attacks/run.sh full     a minute with all sockets; fails as well if another client's p99 exceeds three times its p99 without
# SERVER names another binary than the debug build, for instance target/release/engines-server.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/server.sh
start_server

echo "== answers before a body is read"
python3 tests/attacks/early_answers.py "$url" "$token"

echo "== a stranger with sockets"
if [ "${1:-short}" = full ]; then
  python3 tests/attacks/stranger.py "$url" "$token" --seconds 60 --ratio 3
else
  python3 tests/attacks/stranger.py "$url" "$token" --seconds 5 --scale 0.1
fi
echo "warnings in the server's log: $(grep -c '"level":"WARN"' "$data/log" || true)"
# At most one warning a second for each kind of refusal.
grep -o '"what":"[^"]*"' "$data/log" | sort | uniq -c || true

echo "== stops in time with whatever is left open"
begun=$(date +%s)
kill -TERM "$server"
wait "$server" || { tail -5 "$data/log"; exit 1; }
echo "stopped after $(($(date +%s) - begun)) s"
