"""What clients and operators see of disk faults, one case after the other.

    cases.py --server BINARY --library faults.so

Exits with 1 when a case fails.
"""

import argparse
import json
import os
import random
import shutil
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

from client import Client, Unanswered
from disk import Disk
from drive import GRACE_S, Server

WAIT_S = 30


class Case:
    """A server, and what is asked of it."""

    def __init__(self, options, name):
        base = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.folder = tempfile.mkdtemp(prefix=f"engines-case-{name}-", dir=base)
        self.disk = Disk(self.folder)
        self.server = Server(options.server, options.library, self.disk, 1, os.path.join(self.folder, "log"))
        self.disk.rules([])
        assert self.server.start(), self.server.last_words()
        self.client = Client(self.server.port, "maker")
        self.client.insist("POST", "/chat/threads", {"thread_id": "t"})
        self.sent = 0

    def post(self, key=None, text=""):
        """Posts a message; gives the status, the code and the answer."""
        self.sent += 1
        body = {"text": text or f"message {key or self.sent}"}
        if key:
            body["idempotency_key"] = key
        status, answer = self.client.send("POST", "/chat/threads/t/messages", body)[:2]
        return status, (answer or {}).get("code"), answer

    def unanswered(self):
        """Posts a message that nobody answers."""
        try:
            self.post()
        except Unanswered:
            pass

    def readiness(self):
        """The status of /readyz and the part that the store has in it."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.server.port}/readyz", timeout=10) as answer:
                status, body = answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            status, body = error.code, json.load(error)
        store = next(part for part in body["parts"] if part["name"] == "store")
        return status, store

    def until(self, what, holds):
        end = time.monotonic() + WAIT_S
        while not holds():
            assert time.monotonic() < end, f"never: {what}"
            time.sleep(0.05)

    def close(self):
        self.server.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


def a_full_disk_is_507_and_readiness_comes_back_by_itself(case):
    case.disk.rules([f"write {kind} fail error=28" for kind in ("wal", "db", "shm", "journal")])
    status, code, answer = case.post()
    assert (status, code) == (507, "STORAGE_FULL"), answer
    assert "nothing was stored" in answer["detail"], answer
    status, store = case.readiness()
    assert status == 503 and not store["ok"] and store["code"] == "STORAGE_FULL", store
    assert case.client.send("GET", "/chat/threads/t")[0] == 200, "reads go on"
    case.disk.rules([])
    case.until("ready", lambda: case.readiness()[0] == 200)
    assert case.post()[0] == 201


def a_failed_sync_of_the_log_is_an_unknown_outcome_that_the_key_resolves(case):
    case.disk.rules(["sync wal fail error=5 count=1"])
    status, code, answer = case.post("k1")
    assert (status, code) == (503, "OUTCOME_UNKNOWN"), answer
    assert "idempotency key" in answer["detail"], answer
    case.until("ready", lambda: case.readiness()[0] == 200)
    # The same again, twice: it is stored once, and the next message has the next place.
    places = []
    for _ in range(2):
        case.sent = 0
        status, code, answer = case.post("k1")
        assert status == 201, answer
        places.append(answer["seq"])
    places.append(case.post()[2]["seq"])
    assert places == [places[0], places[0], places[0] + 1], places


def a_disk_that_stays_broken_is_not_ready(case):
    case.disk.rules(["sync any fail error=5", "write any fail error=5"])
    case.post()
    status, store = case.readiness()
    assert status == 503 and not store["ok"] and store["reason"], store
    time.sleep(1.5)
    assert case.readiness()[0] == 503
    assert case.post()[0] == 503
    case.disk.rules([])
    case.until("ready", lambda: case.readiness()[0] == 200)
    assert case.post()[0] == 201


def a_removed_data_file_is_noticed(case):
    path = os.path.join(case.disk.data, "engines.db")
    os.rename(path, path + ".away")
    status, code, answer = case.post()
    assert (status, code) == (503, "BACKEND_UNAVAILABLE") and "removed or replaced" in answer["detail"], answer
    assert case.readiness()[0] == 503
    os.rename(path + ".away", path)
    case.until("ready", lambda: case.readiness()[0] == 200)
    assert case.post()[0] == 201


def a_disk_that_does_not_answer_does_not_keep_the_server(case):
    case.disk.rules(["sync wal delay ms=120000"])
    threading.Thread(target=case.unanswered, daemon=True).start()
    case.until("the sync hangs", case.disk.injected)
    begun = time.monotonic()
    assert case.server.stop(), "SIGTERM did not end the server"
    took = time.monotonic() - begun
    assert took < GRACE_S + 8, f"it took {took:.1f} s"


def a_power_cut_in_the_middle_of_a_recovery_does_no_harm(case):
    """A failed sync loses frames of the log, and the power is cut while the recovery copies them into the data file."""
    rng = random.Random(7)
    for number in range(8):
        case.disk.rules(["sync wal drop error=5 count=1", "sync db delay ms=20000"])
        case.sent = number * 100
        # One commit of many pages, so that some of them are lost.
        status, code, answer = case.post(f"long{number}", "x" * 60_000)
        assert (status, code) == (503, "OUTCOME_UNKNOWN"), answer
        case.until("the recovery syncs the data file", lambda: any("db" in line for line in case.disk.injected()))
        case.server.kill()
        case.disk.rules([])
        case.disk.crash("power", rng)
        assert case.server.start(), case.server.last_words()
        case.client = Client(case.server.port, "maker")
        assert case.post(f"short{number}")[0] == 201
        case.server.kill()
        case.disk.crash("evict", rng)
        tool = sqlite3.connect(os.path.join(case.disk.data, "engines.db"))
        verdict = [row[0] for row in tool.execute("PRAGMA integrity_check(5)")]
        tool.close()
        assert verdict == ["ok"], f"power cut {number}: {verdict}"
        assert case.server.start(), case.server.last_words()
        case.client = Client(case.server.port, "maker")
        # Acknowledged, so it is there: the same again is answered with its place.
        assert case.post(f"short{number}")[0] == 201


CASES = [
    a_power_cut_in_the_middle_of_a_recovery_does_no_harm,
    a_full_disk_is_507_and_readiness_comes_back_by_itself,
    a_failed_sync_of_the_log_is_an_unknown_outcome_that_the_key_resolves,
    a_disk_that_stays_broken_is_not_ready,
    a_removed_data_file_is_noticed,
    a_disk_that_does_not_answer_does_not_keep_the_server,
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the server's binary")
    parser.add_argument("--library", required=True, help="the preloaded library")
    parser.add_argument("--only", default="", help="a part of the name of the cases to run")
    options = parser.parse_args()
    failed = 0
    for number, run in enumerate(case for case in CASES if options.only in case.__name__):
        case = Case(options, str(number))
        try:
            run(case)
            print(f"ok    {run.__name__}", flush=True)
        except Exception as error:
            failed += 1
            print(f"WRONG {run.__name__}: {type(error).__name__} {error}\n{case.server.last_words()[-3000:]}", flush=True)
        finally:
            case.close()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
