#!/usr/bin/env bash
# The tests that need real clients and stand-ins: a WebSocket client and an HTTP fuzzer that are not ours, a stand-in for Cognito,
# and the JOSE vectors of Wycheproof if WYCHEPROOF_DIR says where they are. Installs what it needs below target/services.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
venv="$target/services/clients"

echo "== a server"
. tests/server.sh
start_server

echo "== foreign clients"
if [ ! -x "$venv/bin/schemathesis" ]; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --constraint tests/services/clients.txt websockets schemathesis
fi
"$venv/bin/python" tests/services/rails.py "$url" "$token"

echo "== the example of accounts, with curl"
bash examples/identity.sh "$url" | tee "$data/identity"
# The agent's message came by the ticket, which then was used up.
grep -q '"text":"Hello from an agent"' "$data/identity"
grep -qx TOKEN_INVALID "$data/identity"

# One worker, because its own code fails in several threads now and then. It has no way to write lines of JSON; our own tests do.
echo "== every operation of the OpenAPI document, with data made up by a fuzzer"
"$venv/bin/schemathesis" run "$url/openapi.json" \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance \
  --exclude-path-regex '^/(sse|ws|events/batch)' --max-examples 25 --seed 7 --workers 1 --generation-database none \
  -H "Authorization: Bearer $token" -H "X-Tenant-Id: t_acme" -H "X-Env: dev" >"$data/schemathesis" 2>&1 ||
  { tail -150 "$data/schemathesis" | cut -c1-400; exit 1; }
tail -4 "$data/schemathesis"
curl -fsS "$url/healthz" >/dev/null

echo "== a page on another origin, in Chromium"
bash tests/browser/run.sh

echo "== the JOSE vectors of Wycheproof"
if [ -n "${WYCHEPROOF_DIR:-}" ]; then
  cargo test -q -p engines-auth --all-features wycheproof
else
  echo "left out: WYCHEPROOF_DIR is not set"
fi

echo "== a stand-in for Cognito"
bash tests/cognito.sh

echo "== backups in a stand-in for S3"
bash tests/backup_s3.sh

echo "== schedules of disk faults"
bash tests/faults/run.sh 50 1 --keep-failed
