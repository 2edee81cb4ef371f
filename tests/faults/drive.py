"""Runs schedules of disk faults against the server and checks that what it acknowledged is kept.

    drive.py --server BINARY --library faults.so [--schedules N] [--seed N] [--jobs N] [--keep]

Exits with 1 when a schedule breaks the invariant; prints its seed, which repeats it with `--schedules 1 --seed SEED`.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time

import schedule as schedules
from client import SECRET, Client, Editor, Recorder, Remover, Talker, Unanswered, verify
from disk import Disk, flip_log_byte

# A server that neither starts nor ends in this time hangs; a loaded machine is much faster.
START_S = 30
# The grace that the server gives to requests, and what closing may take on top of it.
GRACE_S = 2
STOP_S = 25
# Time for several passes of the retention worker, which overwrite removed content. A loaded machine needs seconds.
ERASED_S = 30
# Ends by itself that are a refusal: an orderly exit with a message.
REFUSED = 1


class Server:
    """A server process on a disk that fails."""

    def __init__(self, binary, library, disk, seed, log):
        self.binary, self.library, self.disk, self.seed = binary, library, disk, seed
        self.log = log
        self.process = None
        self.port = None

    def start(self):
        """Starts it; says whether it serves. One that ended by itself has refused to start."""
        with socket.socket() as probe:
            if self.port is None:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "AUTH_JWT_SIGNING": SECRET,
            "ENGINES_LOG__FORMAT": "json",
            "ENGINES_HTTP__SHUTDOWN_GRACE_S": str(GRACE_S),
            # Small, so that many checkpoints fall into a second of load.
            "ENGINES_SQLITE__CHECKPOINT_PAGES": "48",
            # Each pass overwrites the content that was removed since the last pass.
            "ENGINES_RETENTION__EVERY_S": "1",
            **self.disk.environment(self.library, self.seed),
        }
        self.output = open(self.log, "ab")
        self.begin = self.output.tell()
        self.process = subprocess.Popen(
            [self.binary, "serve", "--listen", f"127.0.0.1:{self.port}", "--data", self.disk.data],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
        )
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                # It binds its address before it opens its data, so that a connection alone says nothing.
                if Client(self.port, "probe").send("GET", "/healthz")[0] == 200:
                    return True
            except Unanswered:
                time.sleep(0.01)
        raise Unanswered("the server neither serves nor ends")

    def ready(self, for_s=START_S):
        """Waits until it says that it is ready."""
        client, end = Client(self.port, "probe"), time.monotonic() + for_s
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if client.send("GET", "/readyz")[0] == 200:
                    return True
            except Unanswered:
                pass
            time.sleep(0.02)
        return False

    def ended(self):
        """How it ended by itself, or none while it runs."""
        return None if self.process is None else self.process.poll()

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """SIGTERM; says whether it ended in time."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_S)
            return True
        except subprocess.TimeoutExpired:
            self.kill()
            return False

    def last_words(self):
        """What it said since it was started last."""
        with open(self.log, "rb") as file:
            file.seek(self.begin)
            return file.read().decode(errors="replace")


class Run:
    """One schedule."""

    def __init__(self, schedule, options):
        self.schedule = schedule
        self.rng = random.Random(schedule.seed * 7919 + 1)
        self.wrong, self.notes, self.injected = [], [], 0
        base = "/dev/shm" if os.path.isdir("/dev/shm") else None
        self.folder = tempfile.mkdtemp(prefix="engines-faults-", dir=options.folder or base)
        self.disk = Disk(self.folder)
        log = os.path.join(self.folder, "log")
        self.server = Server(options.server, options.library, self.disk, schedule.seed, log)
        self.writers = []
        self.damaged = False
        self.given_up = False

    def note(self, text):
        self.notes.append(text)

    def refusal(self, when):
        """The server ended by itself: an orderly end with a message is a refusal, everything else is wrong."""
        code = self.server.ended()
        words = self.server.last_words().strip().splitlines()
        message = next((line for line in reversed(words) if line.startswith("error: ")), None)
        if code != REFUSED or message is None:
            self.wrong.append(f"{when}: ended with {code}, {words[-1:]}")
        self.note(f"{when}: refused: {message}")

    def start(self, when, tries=1):
        """Starts the server, as a supervisor would that tries a few times."""
        for attempt in range(tries):
            if self.server.start():
                return True
            self.refusal(f"{when}, start {attempt + 1}")
            time.sleep(0.1)
        return False

    def begin(self):
        """A server on a disk that works, with what the clients write to."""
        if not self.start("the first start"):
            return False
        client = Client(self.server.port, "maker")
        client.insist("POST", "/chat/threads", {"thread_id": "t"})
        client.insist("POST", "/canvas", {"canvas_id": "c"})
        kinds = [Talker, Talker, Editor, Recorder, Remover]
        self.writers = [kind(self.server.port, n, self.schedule.seed, self.wrong) for n, kind in enumerate(kinds)]
        for writer in self.writers:
            writer.pausing.set()
            writer.start()
        return True

    def load(self, seconds, when, restart=True):
        """Lets the clients write for a while; a server that ends meanwhile is started again."""
        for writer in self.writers:
            writer.pausing.clear()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.server.ended() is not None:
                self.refusal(when)
                if not restart or not self.start(when):
                    break
            time.sleep(0.01)

    def end(self, manner):
        """The process ends, and the disk is what a crash of this kind leaves."""
        if self.server.ended() is None:
            if manner.startswith("term"):
                if not self.server.stop():
                    self.wrong.append(f"SIGTERM did not end the server in {STOP_S} s")
            else:
                self.server.kill()
        self.disk.rules([])
        lost = self.disk.lost_pages()
        if lost:
            self.note(f"lost pages: {lost}")
        after = {"term": "kill", "term-power": "power", "term-evict": "evict"}.get(manner, manner)
        self.disk.crash(after, self.rng)

    def round(self, number, step):
        when = f"round {number}"
        self.disk.rules(step.at_start)
        running = self.server.ended() is None
        if not running and not self.start(when, tries=2):
            # What refuses to start on a disk that fails has kept the promise; the disk is repaired now.
            self.disk.rules([])
            if not self.start(f"{when}, without faults"):
                self.given_up = True
                return
        if step.live:
            self.load(step.before_s, when)
            self.disk.rules(step.live)
        self.load(step.during_s, when)
        if step.after_s:
            self.disk.rules([])
            self.load(step.after_s, when)
        self.end(step.end)
        if step.flip:
            where = flip_log_byte(self.disk, self.rng)
            if where:
                self.damaged = True
                self.note(f"a byte changed: {where}")

    def run(self):
        started = time.monotonic()
        try:
            if self.begin():
                for number, step in enumerate(self.schedule.rounds, 1):
                    self.round(number, step)
                    if self.given_up:
                        break
                self.finish()
        except Unanswered as error:
            self.wrong.append(f"no answer: {error}")
        finally:
            for writer in self.writers:
                writer.stopping.set()
            self.server.kill()
            for writer in self.writers:
                writer.join()
        self.took = time.monotonic() - started
        return self

    def finish(self):
        """Starts on a disk that works, and looks at everything."""
        for writer in self.writers:
            writer.pausing.set()
        self.disk.rules([])
        if not self.start("the last start"):
            # Only damage that no server can undo is a reason to refuse.
            if not self.damaged:
                self.wrong.append("refuses to start although nothing is damaged")
            return
        if not self.server.ready():
            self.wrong.append("never ready again")
        # Whoever waits for an answer gets it now: what is sent again under its key must not be written twice.
        for writer in self.writers:
            writer.pausing.clear()
        time.sleep(0.2)
        for writer in self.writers:
            writer.stopping.set()
        for writer in self.writers:
            writer.join()
        count, wrong = verify(self.server.port, self.writers)
        self.note(f"{count} acknowledged")
        self.wrong += wrong
        try:
            status, answer = Client(self.server.port, "maker").insist("POST", "/chat/threads/t/messages", {"text": "end"})
            if status != 201:
                self.wrong.append(f"the last write: {status} {json.dumps(answer)[:200]}")
        except Unanswered as error:
            self.wrong.append(f"the last write: {error}")
        self.check_erased()
        if not self.server.stop():
            self.wrong.append(f"SIGTERM did not end the server in {STOP_S} s")
        self.whole()

    def check_erased(self):
        """No file of the store contains removed messages after the worker had time to overwrite them."""
        for remover in [writer for writer in self.writers if isinstance(writer, Remover)]:
            try:
                failure = remover.finish()
            except Unanswered as error:
                failure = f"the last thread could not be deleted: {error}"
            if failure:
                self.wrong.append(failure)
                return
        marker, end = Remover.MARKER.encode(), time.monotonic() + ERASED_S
        while True:
            held = {}
            for name in os.listdir(self.disk.data):
                if name.startswith("engines.db"):
                    with open(os.path.join(self.disk.data, name), "rb") as file:
                        held[name] = file.read().count(marker)
            if not any(held.values()):
                return
            if time.monotonic() > end:
                self.wrong.append(f"removed messages are still in the files after {ERASED_S} s: {held}")
                return
            time.sleep(0.2)

    def whole(self):
        """SQLite's own check of the whole file."""
        path = os.path.join(self.disk.data, "engines.db")
        try:
            tool = sqlite3.connect(f"file:{path}?mode=rw", uri=True)
            verdict = [row[0] for row in tool.execute("PRAGMA integrity_check(5)")]
            tool.close()
        except sqlite3.Error as error:
            verdict = [str(error)]
        if verdict != ["ok"]:
            self.wrong.append(f"integrity_check: {verdict}")


def one(arguments):
    """Runs the schedule of a seed and returns what a report needs."""
    seed, options = arguments
    schedule = schedules.make(seed)
    run = Run(schedule, options).run()
    injected = run.disk.injected()
    kept = options.keep or run.wrong and options.keep_failed
    if not kept:
        shutil.rmtree(run.folder, ignore_errors=True)
    return {
        "seed": seed,
        "kind": schedule.kind,
        "rounds": [vars(step) for step in schedule.rounds],
        "wrong": run.wrong,
        "notes": run.notes,
        "acknowledged": sum(len(writer.acknowledged) for writer in run.writers),
        "refused": {code: sum(w.refused.get(code, 0) for w in run.writers) for w in run.writers for code in w.refused},
        "injected": injected,
        "took_s": round(run.took, 1),
        "folder": run.folder if kept else None,
    }


def describe(result):
    lines = [f"seed {result['seed']} ({result['kind']}, {result['took_s']} s) breaks the invariant:"]
    lines += [f"  wrong: {text}" for text in result["wrong"]]
    for step in result["rounds"]:
        lines.append("  round: " + ", ".join(f"{key}={value}" for key, value in step.items() if value))
    lines += [f"  note: {text}" for text in result["notes"]]
    lines += [f"  injected: {text}" for text in result["injected"][:12]]
    if result["folder"]:
        lines.append(f"  kept: {result['folder']}")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True, help="the server's binary")
    parser.add_argument("--library", required=True, help="the preloaded library")
    parser.add_argument("--schedules", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=3, help="schedules at once")
    parser.add_argument("--folder", help="where data folders are made; memory by default, since no real sync is needed")
    parser.add_argument("--keep", action="store_true", help="keep all folders")
    parser.add_argument("--keep-failed", action="store_true", help="keep the folders of schedules that fail")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    begun = time.monotonic()
    results = []
    seeds = [(seed, options) for seed in range(options.seed, options.seed + options.schedules)]
    with multiprocessing.get_context("fork").Pool(options.jobs) as pool:
        for result in pool.imap_unordered(one, seeds):
            results.append(result)
            if result["wrong"]:
                print(describe(result), flush=True)
            elif options.verbose:
                print(json.dumps({**result, "rounds": None, "injected": len(result["injected"])}), flush=True)
    failed = sorted(result["seed"] for result in results if result["wrong"])
    injected = sum(len(result["injected"]) for result in results)
    quiet = sum(not result["injected"] for result in results)
    acknowledged = sum(result["acknowledged"] for result in results)
    print(f"{len(results)} schedules, {injected} faults injected ({quiet} schedules met none), {acknowledged} writes "
          f"acknowledged, {time.monotonic() - begun:.0f} s: {len(failed)} break the invariant {failed or ''}")
    if options.schedules >= 10 and (injected < options.schedules or acknowledged < options.schedules * 20):
        print("too little was injected or written: the harness does not test anything")
        return 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
