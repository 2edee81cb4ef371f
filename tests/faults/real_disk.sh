#!/usr/bin/env bash
# The faults of a real disk: ext4 on a loop device over a file that FUSE serves and whose writes fail with EIO for a while.
# Needs root, /dev/fuse and loop devices; where they are missing it says so and ends with 0. Arguments go to real_disk.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
leave_out() { echo "left out: $*"; exit 0; }
[ "$(id -u)" = 0 ] || leave_out "this needs root"
[ -c /dev/fuse ] || leave_out "there is no /dev/fuse"
for tool in losetup mkfs.ext4 dumpe2fs mount umount; do
  command -v "$tool" >/dev/null || leave_out "$tool is not installed"
done

target=${CARGO_TARGET_DIR:-target}
server=${ENGINES_SERVER:-}
if [ -z "$server" ]; then
  cargo build -q -p engines-server
  server="$PWD/$target/debug/engines-server"
fi
work=$(mktemp -d)
mkdir "$work/fuse" "$work/disk"
loop=
disk=
clean_up() {
  rm -f "$work/fail"
  umount -l "$work/disk" 2>/dev/null || true
  [ -z "$loop" ] || losetup -d "$loop" 2>/dev/null || true
  umount -l "$work/fuse" 2>/dev/null || true
  [ -z "$disk" ] || kill "$disk" 2>/dev/null || true
  rm -rf "$work/log" "$work/fuse.log"
  rmdir "$work/disk" "$work/fuse" "$work" 2>/dev/null || true
}
trap clean_up EXIT

python3 tests/faults/fuse_disk.py "$work/fuse" $((256 << 20)) "$work/fail" >"$work/fuse.log" 2>&1 &
disk=$!
for _ in $(seq 100); do
  [ -e "$work/fuse/disk" ] && break
  kill -0 "$disk" 2>/dev/null || { cat "$work/fuse.log"; exit 0; }
  sleep 0.05
done
loop=$(losetup --find --show "$work/fuse/disk") || leave_out "no loop device can be made"
# The file system's own blocks and its journal lie in front and never fail: else the first error stops the file system as a whole,
# or ruins it, and no program could do anything about that.
mkfs.ext4 -q -N 1024 -J size=8 -E lazy_itable_init=0,lazy_journal_init=0,packed_meta_blocks=1 "$loop" 2>>"$work/log"
first=$(dumpe2fs "$loop" 2>/dev/null | sed -n 's/^  Free blocks: \([0-9][0-9]*\).*/\1/p' | head -1)
size=$(dumpe2fs -h "$loop" 2>/dev/null | sed -n 's/^Block size: *//p')
mount "$loop" "$work/disk"
python3 tests/faults/real_disk.py --server "$server" --mount "$work/disk" --device "$loop" --control "$work/fail" --protected $((first * size)) --log "$work/log" "$@"
