#!/usr/bin/env bash
# A page on another origin in a real Chromium: fetch, EventSource with a reusable ticket over a cut and a restart, WebSocket origins.
# Installs Chromium with apt and playwright-core below target/services if they are not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
target=$(realpath "${CARGO_TARGET_DIR:-target}")
tools="$target/services/browser"
chromium=$(command -v chromium || command -v chromium-browser || true)
if [ -z "$chromium" ]; then
  apt-get update -qq >/dev/null 2>&1 || true
  apt-get install -y -qq chromium >/dev/null
  chromium=$(command -v chromium)
fi
mkdir -p "$tools"
if [ ! -d "$tools/node_modules/playwright-core" ]; then
  npm install --silent --no-save --no-audit --no-fund --prefix "$tools" playwright-core@1.55.0
fi
cp tests/browser/browser.mjs "$tools/browser.mjs"
SERVER="$target/debug/engines-server" CHROMIUM="$chromium" node "$tools/browser.mjs"
