"""A file system with one file, `disk`, kept in memory, whose writes fail while the file CONTROL exists: those from the byte on
that CONTROL names.

    fuse_disk.py MOUNT_POINT BYTES CONTROL

Speaks the kernel's FUSE protocol itself, so that nothing has to be installed. Needs root, or the right to mount.
"""

import ctypes
import errno
import os
import struct
import sys

LOOKUP, FORGET, GETATTR, SETATTR, OPEN, READ, WRITE, STATFS, RELEASE = 1, 2, 3, 4, 14, 15, 16, 17, 18
FSYNC, FLUSH, INIT, OPENDIR, RELEASEDIR, ACCESS, INTERRUPT, DESTROY, BATCH_FORGET = 20, 25, 26, 27, 29, 34, 36, 38, 42
ROOT, DISK = 1, 2
MAX_WRITE = 1 << 20
FOPEN_DIRECT_IO = 1
FUSE_BIG_WRITES, FUSE_MAX_PAGES = 1 << 5, 1 << 22


def attributes(node, size):
    mode, links, length = (0o040700, 2, 0) if node == ROOT else (0o100600, 1, size)
    return struct.pack("=6Q10I", node, length, (length + 511) // 512, 0, 0, 0, 0, 0, 0, mode, links, 0, 0, 0, 4096, 0)


def serve(device, size, control):
    content = bytearray(size)

    def fails(end):
        try:
            with open(control) as file:
                return end > int(file.read() or 0)
        except FileNotFoundError:
            return False

    while True:
        try:
            request = os.read(device, MAX_WRITE + 4096)
        except OSError as error:
            if error.errno in (errno.EINTR, errno.ENOENT, errno.EAGAIN):
                continue
            return  # unmounted
        _, operation, unique, node = struct.unpack_from("=IIQQ", request)
        body, failed, answer = request[40:], 0, b""
        if operation in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        if operation == INIT:
            major, minor, readahead, flags = struct.unpack_from("=4I", body)
            wanted = flags & (FUSE_BIG_WRITES | FUSE_MAX_PAGES)
            answer = struct.pack("=4I2H2I2H8I", 7, min(minor, 31), readahead, wanted, 12, 9, MAX_WRITE, 1,
                                 MAX_WRITE // 4096, 0, 0, 0, 0, 0, 0, 0, 0, 0)
        elif operation == LOOKUP:
            if body.rstrip(b"\0") == b"disk":
                answer = struct.pack("=4Q2I", DISK, 0, 3600, 3600, 0, 0) + attributes(DISK, size)
            else:
                failed = errno.ENOENT
        elif operation in (GETATTR, SETATTR):
            answer = struct.pack("=QII", 3600, 0, 0) + attributes(node, size)
        elif operation in (OPEN, OPENDIR):
            answer = struct.pack("=QII", 0, FOPEN_DIRECT_IO if operation == OPEN else 0, 0)
        elif operation == READ:
            _, at, count = struct.unpack_from("=QQI", body)
            answer = bytes(content[at : at + count])
        elif operation == WRITE:
            _, at, count = struct.unpack_from("=QQI", body)
            if fails(at + count):
                failed = errno.EIO
            else:
                content[at : at + count] = body[40 : 40 + count]
                answer = struct.pack("=II", count, 0)
        elif operation == STATFS:
            answer = struct.pack("=5Q4I24x", size // 4096, 0, 0, 2, 0, 4096, 255, 4096, 0)
        elif operation not in (FSYNC, FLUSH, RELEASE, RELEASEDIR, ACCESS, DESTROY):
            failed = errno.ENOSYS
        os.write(device, struct.pack("=IiQ", 16 + len(answer) * (not failed), -failed, unique) + (b"" if failed else answer))


def main():
    point, size, control = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    device = os.open("/dev/fuse", os.O_RDWR)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
    if libc.mount(b"engines-faults", point.encode(), b"fuse", 6, options):
        sys.exit(f"left out: no FUSE mount: {os.strerror(ctypes.get_errno())}")
    serve(device, size, control)


if __name__ == "__main__":
    main()
