# Starts a server for a test script, which sources this file: `. tests/server.sh` in the project's folder, then `start_server`.
# Gives `url` and `token` (an owner of t_acme) and `data`, a folder that goes away with the server when the script ends.
# SERVER names another binary than the debug build, for instance target/release/engines-server.

start_server() {
  local target=${CARGO_TARGET_DIR:-target} port
  server_binary=${SERVER:-$target/debug/engines-server}
  [ -n "${SERVER:-}" ] || cargo build -q -p engines-server
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  url="http://127.0.0.1:$port"
  data=$(mktemp -d)
  export AUTH_JWT_SIGNING="4fJ2-scripts-on-loopback-alone-q9Xw7ZtR1mKe"
  "$server_binary" dev --listen "127.0.0.1:$port" --data "$data" >"$data/said" 2>"$data/log" &
  server=$!
  trap 'kill "$server" 2>/dev/null || true; wait 2>/dev/null || true; rm -rf "$data"' EXIT
  for _ in $(seq 100); do
    if curl -fsS "$url/readyz" >/dev/null 2>&1; then
      token=$("$server_binary" token --tenant t_acme --role owner --user tester)
      return
    fi
    kill -0 "$server" 2>/dev/null || break
    sleep 0.1
  done
  echo "the server does not start:" >&2
  tail -5 "$data/log" >&2
  return 1
}
