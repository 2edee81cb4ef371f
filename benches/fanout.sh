#!/usr/bin/env bash
# Fan-out of one thread to many followers, against nchan, and a small authorized GET against bare hyper.
# Needs Debian's nginx, libnginx-mod-nchan and wrk, and two cores. Prints one JSON line a run; the ratios are yours to read off.
#
#   benches/fanout.sh [ROUNDS]
set -euo pipefail
# One user is all the load there is.
export ENGINES_RATES__ENABLED=false
cd "$(dirname "$0")/.."
rounds=${1:-5}
target=${CARGO_TARGET_DIR:-target}
cargo build --release -q -p engines-server
cargo build --release -q -p engines-sdk --example stream_load --example hello_hyper
work=$(mktemp -d)
jobs_=()
stop() { kill "${jobs_[@]}" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$work"; }
trap stop EXIT
ulimit -n 20000

export AUTH_JWT_SIGNING="a secret for measurements, long enough"
taskset -c 0 "$target/release/engines-server" serve --listen 127.0.0.1:8901 --data "$work/data" >"$work/server.log" 2>&1 &
server=$!; jobs_+=("$server")
taskset -c 0 "$target/release/examples/hello_hyper" 127.0.0.1:8902 >/dev/null & jobs_+=($!)
mkdir -p "$work/nchan"
taskset -c 0 nginx -p "$work/nchan" -c "$PWD/benches/peers/nchan.conf" & jobs_+=($!)
sleep 2
nchan=$(pgrep -P "${jobs_[2]}" | head -1)
token=$("$target/release/engines-server" token --tenant t_acme --role member --user load)
auth=(-H "Authorization: Bearer $token" -H "X-Tenant-Id: t_acme" -H "X-Env: dev")
post() { curl -sS "${auth[@]}" -H 'Content-Type: application/json' -d "$2" "http://127.0.0.1:8901$1" >/dev/null; }
load() { taskset -c 1 "$target/release/examples/stream_load" "$@"; }

for round in $(seq "$rounds"); do
  thread="t$round"
  post /chat/threads "{\"thread_id\":\"$thread\"}"
  post /chat/threads "{\"thread_id\":\"ws$round\"}"
  for what in $(shuf -e engines nchan engines_ws); do
    case $what in
      engines) run=$(load --addr 127.0.0.1:8901 --subscribe "/sse/chat/$thread" --publish "/chat/threads/$thread/messages" "${auth[@]}" --pid "$server") ;;
      engines_ws) run=$(load --addr 127.0.0.1:8901 --ws --subscribe "/ws/chat/ws$round" --publish "/chat/threads/ws$round/messages" "${auth[@]}" --pid "$server") ;;
      nchan) run=$(load --addr 127.0.0.1:8900 --subscribe "/sub/$thread" --publish "/pub/$thread" --body '{"t":"@@","p":"{pad}"}' --pid "$nchan") ;;
    esac
    echo "$what $run"
    sleep 2
  done
done

post /canvas '{"canvas_id":"c"}'
for round in $(seq "$rounds"); do
  for what in $(shuf -e hello engines); do
    case $what in
      hello) url=http://127.0.0.1:8902/ ;;
      engines) url=http://127.0.0.1:8901/canvas/c ;;
    esac
    echo "get $what $(taskset -c 1 wrk -t1 -c64 -d4 "${auth[@]}" "$url" | awk '/Requests\/sec/{print $2}') requests per second"
  done
done
