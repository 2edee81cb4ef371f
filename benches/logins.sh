#!/usr/bin/env bash
# What 200 wrong logins a second against one account cost other requests: with the limits as they are, and with none, so that every one of
# them asks for a password hash. Prints one JSON line for each; the ratios of p99 are the point.
#
#   benches/logins.sh [TURNS] [SECONDS]
set -euo pipefail
# One user is all the load there is.
export ENGINES_RATES__ENABLED=false
cd "$(dirname "$0")/.."
turns=${1:-5} seconds=${2:-5}
target=${CARGO_TARGET_DIR:-target}
if [ -z "${BUILT:-}" ]; then
  cargo build --release -q -p engines-server
  cargo build --release -q -p engines-sdk --example login_load
fi
work=$(mktemp -d)
server=
stop() { [ -z "$server" ] || kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; }
trap 'stop; rm -rf "$work"' EXIT
export AUTH_JWT_SIGNING="a secret for measurements, long enough"
url=http://127.0.0.1:8911
post() { curl -sS --fail-with-body -H 'Content-Type: application/json' "${@:3}" -d "$2" "$url$1" >/dev/null; }

for limits in limited unlimited; do
  if [ $limits = unlimited ]; then
    for rate in LOGIN_PER_ACCOUNT PER_ADDRESS; do
      export "ENGINES_IDENTITY__${rate}__BURST=1000000" "ENGINES_IDENTITY__${rate}__EVERY_MS=0"
    done
  fi
  "$target/release/engines-server" serve --listen 127.0.0.1:8911 --data "$work/$limits" >"$work/log" 2>&1 &
  server=$!
  for _ in $(seq 100); do curl -fsS "$url/readyz" >/dev/null 2>&1 && break; sleep 0.1; done
  token=$("$target/release/engines-server" token --tenant t_acme --role member --user load)
  auth=(-H "Authorization: Bearer $token" -H "X-Tenant-Id: t_acme" -H "X-Env: dev")
  post /auth/signup '{"email":"ada@example.org","password":"plum-Lantern-77 quiet"}'
  post /chat/threads '{"thread_id":"t"}' "${auth[@]}"
  run=$("$target/release/examples/login_load" --addr 127.0.0.1:8911 --email ada@example.org --get /chat/threads/t \
    --post /chat/threads/t/messages "${auth[@]}" --turns "$turns" --seconds "$seconds")
  echo "{\"limits\":\"$limits\",\"run\":$run}"
  stop
  server=
done
