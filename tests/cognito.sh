#!/usr/bin/env bash
# A stand-in for AWS Cognito (moto, from PyPI) issues real RS256 tokens, and they get in: through our admission, then through a running server.
# Needs Python 3 with venv. Keeps what it installs in target/services/moto; exits with 77 and says so when it cannot.
#
#   COGNITO_STANDIN_URL=http://127.0.0.1:5000 tests/cognito.sh    uses one that runs already
set -euo pipefail
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-target}"
log="$(mktemp -d)"
running=()
stop() {
    for process in "${running[@]:-}"; do kill "$process" 2>/dev/null || true; done
    rm -rf "$log"
}
trap stop EXIT

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
# Waits until somebody listens on a port; fails when the process has ended.
wait_for() {
    for _ in $(seq 150); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return; fi
        kill -0 "$2" 2>/dev/null || break
        sleep 0.2
    done
    cat "$3" >&2
    return 1
}

if [ -z "${COGNITO_STANDIN_URL:-}" ]; then
    venv="$target/services/moto"
    if [ ! -x "$venv/bin/moto_server" ]; then
        if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --constraint tests/services/moto.txt 'moto[server]'; }; then
            echo "left out: moto could not be installed" >&2
            exit 77
        fi
    fi
    port=$(free_port)
    "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$log/moto" 2>&1 &
    running+=($!)
    wait_for "$port" $! "$log/moto"
    export COGNITO_STANDIN_URL="http://127.0.0.1:$port"
fi

cargo test -p engines-auth --features oidc-http --test oidc -- --nocapture cognito::

cargo build -p engines-server
export SERVER_PORT
SERVER_PORT=$(free_port)
# The pool, its client and a login; prints what the server is to be told, then the tokens.
read -r pool client access id < <(python3 tests/cognito.py login)
AUTH_JWT_SIGNING=$(python3 -c 'import secrets; print(secrets.token_urlsafe(48))')
export AUTH_JWT_SIGNING
operator=$("$target/debug/engines-server" token --tenant t_system --role admin --user ops)
COGNITO_REGION=us-east-1 COGNITO_USER_POOL_ID="$pool" COGNITO_APP_CLIENT_ID="$client" \
    COGNITO_JWKS_URL="$COGNITO_STANDIN_URL/$pool/.well-known/jwks.json" \
    ENGINES_STORE=memory "$target/debug/engines-server" serve --listen "127.0.0.1:$SERVER_PORT" >"$log/server" 2>&1 &
running+=($!)
wait_for "$SERVER_PORT" $! "$log/server"
python3 tests/cognito.py ask "$access" "$id" "$operator"
