#!/usr/bin/env bash
# A thousand schedules of disk faults, from a seed that is another one each day (or SEED). Takes about an hour on two cores.
set -euo pipefail
seed=${SEED:-$(($(date +%s) / 86400 * 1000))}
echo "seeds from $seed on"
exec "$(dirname "$0")/run.sh" "${SCHEDULES:-1000}" "$seed" "$@"
