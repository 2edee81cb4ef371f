#!/usr/bin/env bash
# Backups in a bucket of a stand-in for S3 (moto, from PyPI): uploaded in parts, verified, restored, pruned. Needs Python 3 with venv.
# Keeps what it installs in target/services/moto; exits with 77 and says so when it cannot.
set -euo pipefail
cd "$(dirname "$0")/.."
venv="${CARGO_TARGET_DIR:-target}/services/moto"
if [ ! -x "$venv/bin/moto_server" ]; then
  if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --constraint tests/services/moto.txt 'moto[server]'; }; then
    echo "left out: moto could not be installed" >&2
    exit 77
  fi
fi
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$venv/bin/moto_server" -H 127.0.0.1 -p "$port" >/dev/null 2>&1 &
standin=$!
trap 'kill "$standin" 2>/dev/null || true; wait "$standin" 2>/dev/null || true' EXIT
for _ in $(seq 150); do
  curl -fsS -X PUT "http://127.0.0.1:$port/backups" >/dev/null 2>&1 && break
  sleep 0.2
done
AWS_ACCESS_KEY_ID=key AWS_SECRET_ACCESS_KEY=secret AWS_REGION=us-east-1 \
  AWS_ENDPOINT="http://127.0.0.1:$port" AWS_ALLOW_HTTP=true BACKUP_TEST_S3="s3://backups/some/prefix" \
  cargo test -q -p engines-storage --features aws --test sqlite -- --ignored an_s3_bucket
