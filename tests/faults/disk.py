"""The disk of the server under test: what it does wrong, and what a crash leaves of it.

`faults.c` applies the rules and keeps, in the state folder, what the disk durably holds. This module writes the rules and,
after the process was killed, turns the data folder into what would be found afterwards.
"""

import os
import random
import shutil
import struct

PAGE = 4096
SECTOR = 512
CLEAN, DIRTY, LOST = 0, 1, 2


class Disk:
    """A data folder and the state that the preloaded library keeps about it."""

    def __init__(self, folder):
        self.data = os.path.join(folder, "data")
        self.state = os.path.join(folder, "state")
        os.makedirs(self.data, mode=0o700)
        os.makedirs(self.state, mode=0o700)
        self.generation = 0

    def environment(self, library, seed):
        """Variables of a server process whose disk this is."""
        return {
            "LD_PRELOAD": library,
            "FAULTS_DATA": self.data,
            "FAULTS_STATE": self.state,
            "FAULTS_SEED": str(seed),
        }

    def rules(self, lines):
        """Replaces the rules, also of a process that runs."""
        draft = os.path.join(self.state, "rules.draft")
        with open(draft, "w") as file:
            file.write("".join(line + "\n" for line in lines))
        os.rename(draft, os.path.join(self.state, "rules"))
        self.generation += 1
        control = os.open(os.path.join(self.state, "control"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.pwrite(control, struct.pack("=I", self.generation), 0)
        finally:
            os.close(control)

    def injected(self):
        """What was injected since the last call, a line each."""
        path = os.path.join(self.state, "injected")
        try:
            with open(path) as file:
                lines = file.read().splitlines()
            os.remove(path)
            return lines
        except FileNotFoundError:
            return []

    def _in_state(self, kind, name):
        return os.path.join(self.state, kind, name)

    def _names(self, kind):
        folder = os.path.join(self.state, kind)
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def lost_pages(self):
        """How many pages reads may still see and the disk does not hold, by file."""
        lost = {}
        for name in self._names("pages"):
            with open(self._in_state("pages", name), "rb") as file:
                count = file.read().count(LOST)
            if count:
                lost[name] = count
        return lost

    def crash(self, kind, rng):
        """Leaves what is found after the process is gone.

        `kill`   the process alone died: the page cache is as it was, and the model goes on.
        `evict`  the file system was mounted anew: what is dirty was written, what is lost is gone.
        `power`  the power was cut: of what is dirty, any part was written, in units of sectors; a file that is new may be
                 missing, one that was unlinked may be back.
        """
        if kind == "kill":
            return
        for name in self._names("shadow"):
            path = os.path.join(self.data, name.replace("%", "/"))
            if not os.path.exists(path):
                continue
            if kind == "power" and name in self._names("fresh") and rng.random() < 0.5:
                os.remove(path)
                continue
            self._settle(name, path, rng if kind == "power" else None)
        if kind == "power":
            for name in self._names("gone"):
                path = os.path.join(self.data, name.replace("%", "/"))
                fresh = name in self._names("fresh")
                if (fresh or not os.path.exists(path)) and rng.random() < 0.5:
                    shutil.copyfile(self._in_state("gone", name), path)
        # The index of the log is made anew by whoever opens the log first.
        for name in os.listdir(self.data):
            if name.endswith("-shm"):
                os.remove(os.path.join(self.data, name))
        for kept in ("shadow", "pages", "fresh", "gone"):
            shutil.rmtree(os.path.join(self.state, kept), ignore_errors=True)

    def _settle(self, name, path, rng):
        """Makes one file what the disk holds; without `rng` every dirty page was written."""
        with open(self._in_state("shadow", name), "rb") as file:
            durable = file.read()
        with open(self._in_state("pages", name), "rb") as file:
            pages = file.read()
        with open(path, "rb") as file:
            seen = file.read()
        size = len(seen)
        if rng and len(seen) != len(durable):
            if len(seen) > len(durable):
                between = rng.randrange(len(durable), len(seen) + 1)
                size = rng.choice([len(durable), between, len(seen), len(seen)])
            else:
                size = rng.choice([len(durable), len(seen)])
        # How much of what is dirty was written: nothing, all, each sector by chance, or the first or last part of it.
        manner = rng.choice(["none", "all", "some", "some", "first", "last"]) if rng else "all"
        chance = rng.random() if rng else 1
        end = max(len(durable), len(seen))
        dirty = [at for at in range((end + PAGE - 1) // PAGE) if at < len(pages) and pages[at] == DIRTY]
        edge = dirty[rng.randrange(len(dirty))] if rng and dirty else 0
        left = bytearray(durable[:size].ljust(size, b"\0"))
        for page in dirty:
            for sector in range(page * PAGE, min((page + 1) * PAGE, size), SECTOR):
                written = {
                    "none": lambda: False,
                    "all": lambda: True,
                    "some": lambda: rng.random() < chance,
                    "first": lambda: page <= edge,
                    "last": lambda: page >= edge,
                }[manner]()
                if written:
                    part = seen[sector : min(sector + SECTOR, size)]
                    left[sector : sector + len(part)] = part
        with open(path, "wb") as file:
            file.write(left)


def _commits(log):
    """Where each whole transaction of a log ends, in bytes."""
    if len(log) < 32:
        return []
    words, page = ("<" if log[3] & 1 == 0 else ">"), struct.unpack(">I", log[8:12])[0]

    def checksum(part, one, two):
        numbers = struct.unpack(f"{words}{len(part) // 4}I", part)
        for first, second in zip(numbers[::2], numbers[1::2]):
            one = (one + first + two) & 0xFFFFFFFF
            two = (two + second + one) & 0xFFFFFFFF
        return one, two

    (one, two), ends, at = checksum(log[:24], 0, 0), [], 32
    while at + 24 + page <= len(log) and log[at + 8 : at + 16] == log[16:24]:
        one, two = checksum(log[at : at + 8], one, two)
        one, two = checksum(log[at + 24 : at + 24 + page], one, two)
        if struct.pack(">II", one, two) != log[at + 16 : at + 24]:
            break
        at += 24 + page
        if log[at - page - 20 : at - page - 16] != bytes(4):
            ends.append(at)
    return ends


def flip_log_byte(disk, rng):
    """Changes a bit of the write-ahead log in front of its last transaction, as a bad sector or a bad cable does; says where.

    Nobody can tell a damaged last transaction from one that was never acknowledged.
    """
    for name in sorted(os.listdir(disk.data)):
        path = os.path.join(disk.data, name)
        if name.endswith("-wal"):
            with open(path, "r+b") as file:
                ends = _commits(file.read())
                if len(ends) < 2:
                    return None
                at = rng.randrange(ends[-2])
                file.seek(at)
                old = file.read(1)[0]
                file.seek(at)
                file.write(bytes([old ^ (1 << rng.randrange(8))]))
            return f"{name} at {at}"
    return None
