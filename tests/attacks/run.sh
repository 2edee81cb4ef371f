#!/usr/bin/env bash
# Attacks a server of its own on the loopback interface and reports what other clients notice.
#   tests/attacks/run.sh          short: what CI runs; fails on lost answers and on a 503 for others, not on times
#   tests/attacks/run.sh full     a minute with all sockets; fails as well if another client's p99 exceeds three times its p99 without
# SERVER names another binary than the debug build, for instance target/release/engines-server.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=${CARGO_TARGET_DIR:-target}
server_binary=${SERVER:-$target/debug/engines-server}
[ -x "$server_binary" ] || cargo build -q -p engines-server
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
data=$(mktemp -d)
export AUTH_JWT_SIGNING="4fJ2-attacks-on-loopback-alone-q9Xw7ZtR1mKe"
"$server_binary" dev --listen "127.0.0.1:$port" --data "$data" >"$data/said" 2>"$data/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$data"' EXIT
for _ in $(seq 100); do
  curl -fsS "http://127.0.0.1:$port/readyz" >/dev/null 2>&1 && break
  sleep 0.1
done
token=$("$server_binary" token --tenant t_acme --role owner --user tester)
url="http://127.0.0.1:$port"

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
