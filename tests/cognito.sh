#!/usr/bin/env bash
# A stand-in for AWS Cognito (moto, from PyPI) issues real RS256 tokens, and they get in through our door.
# Needs Python 3 with venv. Keeps what it installs in target/services/moto; prints that it left itself out when it cannot.
#
#   COGNITO_STANDIN_URL=http://127.0.0.1:5000 tests/cognito.sh    uses one that runs already
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -z "${COGNITO_STANDIN_URL:-}" ]; then
    venv="${CARGO_TARGET_DIR:-target}/services/moto"
    if [ ! -x "$venv/bin/moto_server" ]; then
        if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'moto[server]>=5.2,<6'; }; then
            echo "left out: moto could not be installed" >&2
            exit 77
        fi
    fi
    port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    "$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >"$venv/log" 2>&1 &
    server=$!
    trap 'kill "$server" 2>/dev/null || true' EXIT
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then break; fi
        kill -0 "$server" 2>/dev/null || { cat "$venv/log" >&2; exit 1; }
        sleep 0.2
    done
    export COGNITO_STANDIN_URL="http://127.0.0.1:$port"
fi

cargo test -p engines-auth --features oidc-http --test oidc -- --nocapture cognito::
