#!/usr/bin/env bash
# Dataset events over HTTP: a batch of them on SQLite, how fast, how many bytes each takes on disk, and how fast they come out again.
# Needs curl and awk. Prints one JSON line a run; each run has a server and a file of its own.
#
#   benches/events.sh [ROUNDS] [EVENTS]
set -euo pipefail
# One user is all the load there is.
export ENGINES_RATES__ENABLED=false
cd "$(dirname "$0")/.."
rounds=${1:-3} events=${2:-100000}
target=${CARGO_TARGET_DIR:-target}
[ -n "${NO_BUILD:-}" ] || cargo build --release -q -p engines-server
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT
export AUTH_JWT_SIGNING="a secret for measurements, long enough"
token() { "$target/release/engines-server" token --tenant t_acme --role "$1" --user load; }

# Agents' events of about 330 bytes; one in five names somebody.
awk -v count="$events" 'BEGIN {
  for (n = 1; n <= count; n++) {
    who = n % 5 == 0 ? sprintf(" Write to user%d@example.com.", n) : ""
    printf "{\"surface\":\"checkout\",\"agent_id\":\"agent-%d\",\"analytics_event_type\":\"answer\",\"episode_id\":\"episode-%d\",", n % 20, n / 10
    printf "\"input\":{\"question\":\"What does the large one cost, and when is number %d sent?%s\"},", n, who
    printf "\"output\":{\"answer\":\"Twelve euros. It leaves the house tomorrow.\",\"tokens\":%d},\"metadata\":{\"model\":\"small-1\",\"latency_ms\":%d}}\n", n % 900, n % 400
  }
}' >"$work/events.jsonl"
sent=$(stat -c %s "$work/events.jsonl")

for round in $(seq "$rounds"); do
  for what in plain keyed; do
    data="$work/data-$round-$what"
    "$target/release/engines-server" serve --listen 127.0.0.1:8911 --data "$data" >"$work/server.log" 2>&1 &
    server=$!
    until curl -sf http://127.0.0.1:8911/readyz >/dev/null; do sleep 0.05; done
    key=(); [ "$what" = plain ] || key=(-H "Idempotency-Key: upload-$round")
    auth=(-H "X-Tenant-Id: t_acme" -H "X-Env: dev")
    took=$(curl -sS -o "$work/results" -w '%{time_total}' "${auth[@]}" -H "Authorization: Bearer $(token member)" "${key[@]}" \
      -H 'Content-Type: application/x-ndjson' -H 'Expect:' --data-binary "@$work/events.jsonl" http://127.0.0.1:8911/events/batch)
    accepted=$(grep -c '"accepted"' "$work/results") || { head -c 1000 "$work/results"; exit 1; }
    cpu=$(awk '{ print ($14 + $15) / 100 }' "/proc/$server/stat")
    peak=$(awk '/VmHWM/ { print $2 }' "/proc/$server/status")
    out=$(curl -sS -o "$work/export" -w '%{time_total}' "${auth[@]}" -H "Authorization: Bearer $(token admin)" http://127.0.0.1:8911/events/export)
    exported=$(wc -l <"$work/export")
    kill "$server"; wait "$server" 2>/dev/null || true; server=
    disk=$(du -sb "$data" | cut -f1)
    awk -v what="$what" -v took="$took" -v n="$accepted" -v cpu="$cpu" -v peak="$peak" -v out="$out" -v exported="$exported" -v disk="$disk" -v sent="$sent" 'BEGIN {
      printf "{\"run\":\"%s\",\"accepted\":%d,\"seconds\":%.3f,\"per_second\":%d,\"cpu_us\":%.1f,\"sent_bytes\":%d,\"disk_bytes\":%d,\"peak_mib\":%d,\"exported\":%d,\"exported_per_second\":%d}\n",
        what, n, took, n / took, cpu * 1e6 / n, sent / n, disk / n, peak / 1024, exported, exported / out }'
  done
done
