"""Schedules: what goes wrong with which file, when, and how the process ends. The same seed gives the same schedule."""

import random
from dataclasses import dataclass, field

EIO, ENOSPC, ENOMEM, EROFS = 5, 28, 12, 30


@dataclass
class Round:
    """From one start of the server to its end."""

    at_start: list = field(default_factory=list)  # rules from the start on
    before_s: float = 0.2  # load before the rules below
    live: list = field(default_factory=list)  # rules from then on
    during_s: float = 0.5  # load with these rules
    after_s: float = 0.2  # load after the rules were removed; 0 leaves them
    end: str = "kill"  # kill, power, evict, or term, term-power, term-evict: SIGTERM, and then the same
    flip: bool = False  # a byte of the log changes afterwards


@dataclass
class Schedule:
    seed: int
    kind: str
    rounds: list


def _window(rng):
    """How long a rule lasts: one call, a few, or for a while."""
    return rng.choice(["count=1", "count=3", f"for_ms={rng.randrange(100, 500)}", f"for_ms={rng.randrange(50, 200)}"])


def _late(rng, most):
    return f"after={rng.randrange(most)}"


def _evict(rng):
    return f"evict={rng.randrange(2)}"


def checkpoint_sync(rng):
    """The data file's pages are dropped by a failed writeback while the log is moved to it."""
    action = rng.choice(["drop", "writeback"])
    return [f"sync db {action} {_evict(rng)} {_late(rng, 3)} {_window(rng)}"]


def checkpoint_writeback(rng):
    """The writeback fails between the writes of a checkpoint, and nobody syncs for a while."""
    return [f"write db writeback {_evict(rng)} {_late(rng, 60)} count={rng.choice([1, 2, 5])}"]


def checkpoint_write(rng):
    action = rng.choice([f"fail error={EIO}", f"fail error={ENOSPC}", "short"])
    return [f"write db {action} {_late(rng, 40)} {_window(rng)}"]


def log_sync(rng):
    action = rng.choice(["drop", "writeback", f"fail error={EIO}"])
    return [f"sync wal {action} {_evict(rng)} {_late(rng, 8)} {_window(rng)}"]


def log_writeback(rng):
    return [f"write wal writeback {_evict(rng)} {_late(rng, 60)} count={rng.choice([1, 2, 5])}"]


def log_write(rng):
    action = rng.choice([f"fail error={EIO}", f"fail error={ENOSPC}", "short"])
    return [f"write wal {action} {_late(rng, 80)} {_window(rng)}"]


def disk_full(rng):
    """Every file that would grow is refused, first after a part of a write."""
    ms = rng.randrange(200, 500)
    return [f"write {kind} {action} for_ms={ms}" for kind in ("wal", "db", "shm", "journal") for action in
            ("short count=1", f"fail error={ENOSPC}")] + [f"open journal fail error={ENOSPC} for_ms={ms}"]


def read_errors(rng):
    kind = rng.choice(["db", "wal", "any"])
    return [f"read {kind} fail {_late(rng, 50)} {_window(rng)}"]


def index_errors(rng):
    operation, error = rng.choice([("mmap", ENOMEM), ("mmap", EIO), ("trunc", ENOSPC), ("write", ENOSPC), ("open", EIO)])
    return [f"{operation} shm fail error={error} {_late(rng, 2)} {_window(rng)}"]


def open_errors(rng):
    kind = rng.choice(["db", "wal", "shm", "lock", "dir", "any"])
    return [f"open {kind} fail error={rng.choice([EIO, ENOSPC, EROFS])} {_late(rng, 4)} {_window(rng)}"]


def truncate_errors(rng):
    return [f"trunc {rng.choice(['wal', 'db', 'any'])} fail error={EIO} {_window(rng)}"]


def unlink_errors(rng):
    return [f"unlink any fail error={EIO} {_window(rng)}", f"sync dir {rng.choice(['fail', 'drop'])} {_window(rng)}"]


def delays(rng):
    kind, operation = rng.choice(["db", "wal"]), rng.choice(["sync", "write"])
    ms = rng.randrange(100, 400) if operation == "sync" else rng.randrange(5, 40)
    return [f"{operation} {kind} delay ms={ms} for_ms=600"]


def mixture(rng):
    """Everything now and then."""
    rules = []
    for _ in range(rng.randrange(2, 6)):
        operation = rng.choice(["read", "write", "sync", "trunc", "open"])
        action = {"sync": ["drop", "writeback", "fail", "delay ms=50"], "write": ["fail", "short", "writeback", "delay ms=5"]}
        chosen = rng.choice(action.get(operation, ["fail"]))
        rules.append(f"{operation} {rng.choice(['db', 'wal', 'any'])} {chosen} error={rng.choice([EIO, ENOSPC])} "
                     f"{_evict(rng)} probability={rng.choice([0.01, 0.05, 0.3])} {_late(rng, 100)}")
    return rules


RUNNING = [checkpoint_sync, checkpoint_writeback, checkpoint_write, log_sync, log_writeback, log_write, disk_full,
           read_errors, index_errors, delays, truncate_errors, mixture]
STARTING = [open_errors, read_errors, log_write, log_sync, checkpoint_sync, index_errors, disk_full, truncate_errors]
CLOSING = [checkpoint_sync, checkpoint_write, log_sync, truncate_errors, unlink_errors, delays]
# What is known to be hard comes up more often.
KINDS = ["checkpoint", "checkpoint", "log", "log", "running", "running", "start", "recovery", "close", "flip"]


def _load(rng, low=0.15, high=0.6):
    return round(rng.uniform(low, high), 2)


def make(seed):
    """The schedule of a seed."""
    rng = random.Random(seed)
    kind = KINDS[seed % len(KINDS)]
    end = lambda: rng.choice(["kill", "power", "power", "evict", "term", "term-power"])
    rounds = []
    for _ in range(rng.choice([1, 2, 2])):
        if kind == "flip":
            rounds.append(Round(during_s=_load(rng), end=rng.choice(["kill", "power"]), flip=True))
        elif kind == "start":
            rounds.append(Round(at_start=rng.choice(STARTING)(rng), during_s=_load(rng), after_s=_load(rng), end=end()))
        elif kind == "recovery":
            rounds.append(Round(during_s=_load(rng), after_s=0, end=rng.choice(["kill", "power"])))
            rounds.append(Round(at_start=rng.choice(STARTING)(rng), during_s=_load(rng), after_s=_load(rng, 0, 0.3), end=end()))
        elif kind == "close":
            rounds.append(Round(live=rng.choice(CLOSING)(rng), during_s=0.05, after_s=0,
                                end=rng.choice(["term", "term-power", "term-evict"])))
        else:
            choices = {"checkpoint": RUNNING[:3], "log": RUNNING[3:6]}.get(kind, RUNNING)
            rules = rng.choice(choices)(rng)
            after_s, ending = rng.choice([0, _load(rng)]), end()
            if kind == "checkpoint":
                # Slow enough that commits fall into a checkpoint: what it has written then counts as moved without a sync.
                # Only a disk that loses the pages afterwards shows whether that was right.
                rules = [f"write db delay ms={rng.choice([1, 3])} probability=0.3"] + rules
                after_s, ending = _load(rng, 0.3, 0.9), rng.choice(["power", "evict", "evict", "kill", "term-evict"])
            rounds.append(Round(live=rules, before_s=_load(rng, 0.1, 0.3), during_s=_load(rng, 0.3, 0.7), after_s=after_s,
                                end=ending))
    return Schedule(seed, kind, rounds)
