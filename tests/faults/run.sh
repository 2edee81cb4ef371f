#!/usr/bin/env bash
# Runs SCHEDULES schedules of disk faults (50 if not said) from SEED on (1 if not said) against the server.
# Runs the fixed cases first. Needs a C compiler and Python 3.9; no root. Further arguments go to drive.py: see docs/faults.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
schedules=${1:-50} seed=${2:-1}
shift $(($# < 2 ? $# : 2))
target=${CARGO_TARGET_DIR:-target}
mkdir -p "$target/faults"
# The server starts in another folder, so the path of the preloaded library must be absolute.
library=$(cd "$target/faults" && pwd)/faults.so
server=${ENGINES_SERVER:-}
if [ -z "$server" ]; then
  cargo build -q -p engines-server
  server="$target/debug/engines-server"
fi
cc -O1 -g -Wall -Wextra -Werror -Wno-format-truncation -shared -fPIC -o "$library" tests/faults/faults.c -lpthread
python3 tests/faults/cases.py --server "$server" --library "$library"
exec python3 tests/faults/drive.py --server "$server" --library "$library" --schedules "$schedules" --seed "$seed" "$@"
