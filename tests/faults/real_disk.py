"""Writes to a server on a real file system over a device that answers EIO for a while, mounts it anew and looks at everything.

    real_disk.py --server BINARY --mount POINT --device DEVICE --control FILE --protected BYTES --log FILE [--rounds N] [--seed N]

`real_disk.sh` makes the device and the file system.
"""

import argparse
import os
import random
import subprocess
import sys
import time

from client import Client, Editor, Recorder, Talker, Unanswered, verify
from drive import Server


class Folder:
    """A data folder without a preloaded library."""

    def __init__(self, data):
        self.data = data

    def environment(self, library, seed):
        return {}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("--server", "--mount", "--device", "--control", "--log"):
        parser.add_argument(name, required=True)
    parser.add_argument("--protected", type=int, required=True, help="bytes at the device's begin that never fail")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    rng, wrong, writers, failures = random.Random(options.seed), [], [], 0
    folder = Folder(os.path.join(options.mount, "data"))
    os.makedirs(folder.data, mode=0o700, exist_ok=True)
    server = Server(options.server, "", folder, options.seed, options.log)
    if not server.start():
        sys.exit("the first start failed: " + server.last_words())
    client = Client(server.port, "maker")
    client.insist("POST", "/chat/threads", {"thread_id": "t"})
    client.insist("POST", "/canvas", {"canvas_id": "c"})
    writers = [kind(server.port, n, options.seed, wrong) for n, kind in enumerate([Talker, Talker, Editor, Recorder])]
    for writer in writers:
        writer.start()
    for _ in range(options.rounds):
        time.sleep(rng.uniform(0.5, 1.5))
        draft = options.control + ".draft"
        with open(draft, "w") as file:
            file.write(str(options.protected))
        os.rename(draft, options.control)
        # The kernel writes dirty pages back by itself only after some seconds; so that it meets the fault, it is asked to.
        subprocess.run(["sync", "--file-system", options.mount], stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0.1, 0.5))
        os.remove(options.control)
        failures += 1
        if server.ended() is not None and not server.start():
            wrong.append("does not start although the disk works again: " + server.last_words()[-300:])
            break
    time.sleep(1)
    for writer in writers:
        writer.pausing.set()
    rng.choice([server.stop, server.kill])()
    # Whatever the kernel holds and the device does not is gone now.
    subprocess.run(["umount", options.mount], check=True)
    subprocess.run(["mount", options.device, options.mount], check=True)
    if not server.start():
        wrong.append("refuses to start: " + server.last_words()[-400:])
    else:
        for writer in writers:
            writer.pausing.clear()
        time.sleep(0.3)
        for writer in writers:
            writer.stopping.set()
        for writer in writers:
            writer.join()
        try:
            wrong += verify(server.port, writers)[1]
        except Unanswered as error:
            wrong.append(f"no answer: {error}")
        server.stop()
    for writer in writers:
        writer.stopping.set()
    server.kill()
    count = sum(len(writer.acknowledged) for writer in writers)
    print(f"{failures} times EIO, {count} writes acknowledged: {len(wrong)} things are wrong")
    for text in wrong:
        print("  wrong:", text)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
