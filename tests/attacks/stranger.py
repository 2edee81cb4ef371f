"""A stranger with many sockets, and what other clients notice of it.

    stranger.py http://127.0.0.1:8080 TOKEN [--seconds 60] [--scale 1.0] [--ratio 3]

TOKEN is a member's of t_acme. Other clients are measured for --seconds without the attack and for --seconds with it: a known
client that keeps its connection, one that makes a new connection for each request, and one that asks /readyz. Then the attack:

* half_bodies: 4,150 connections that send a head and half a body to POST /auth/login, opened again when they are closed;
* half_streams: 17 HTTP/2 connections with 256 streams each that do the same;
* one_byte: 2,000 connections that send the letter P;
* never_read: 200 connections that ask for /openapi.json 60 times and read nothing;
* pings_only: 50 HTTP/2 connections that answer pings;
* stopped_readers: 50 readers of server-sent events that read nothing.

--scale multiplies these numbers. The run fails when another client gets a 503 or loses its connection, and with --ratio when
the 99th percentile of its times exceeds that multiple of the one without the attack. Needs as many file descriptors as there
are connections. Loopback only.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import resource
import select
import socket
import struct
import sys
import threading
import time
import urllib.parse

LOGIN_HEAD = (
    b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n"
    b'{"email":"somebody@example.org",'
)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
REOPENED_A_SECOND = 2000


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def fields(pairs):
    block = b""
    for name, value in pairs:
        block += b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
    return block


def raise_descriptors():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Crowd:
    """Connections that are kept open and opened again when the server closes them."""

    def __init__(self, place, count, opening, small_buffer=False, answers_pings=False):
        self.place, self.count, self.opening = place, count, opening
        self.small_buffer, self.answers_pings = small_buffer, answers_pings
        self.sockets, self.poll, self.opened, self.failed = {}, select.epoll(), 0, 0

    def open(self):
        sock = socket.socket()
        if self.small_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        try:
            sock.settimeout(2)
            sock.connect(self.place)
            sock.setblocking(False)
            for piece in self.opening:
                sock.send(piece)
        except OSError:
            self.failed += 1
            sock.close()
            return
        self.opened += 1
        self.sockets[sock.fileno()] = sock
        # Who never reads notices only that the connection is gone.
        events = select.EPOLLHUP | select.EPOLLERR | select.EPOLLRDHUP
        self.poll.register(sock.fileno(), events if self.small_buffer else events | select.EPOLLIN)

    def close(self, number):
        self.poll.unregister(number)
        self.sockets.pop(number).close()

    def serve(self, number):
        """Reads what the server says; answers pings."""
        try:
            data = self.sockets[number].recv(1 << 16)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close(number)
            return
        while self.answers_pings and len(data) >= 9:
            length, kind, flags = int.from_bytes(data[:3], "big"), data[3], data[4]
            if kind == 6 and not flags & 1:
                self.sockets[number].send(frame(6, 1, 0, data[9 : 9 + length]))
            if kind == 4 and not flags & 1:
                self.sockets[number].send(frame(4, 1, 0))
            data = data[9 + length :]

    def run(self, until):
        while time.monotonic() < until:
            begun = time.monotonic()
            for _ in range(min(self.count - len(self.sockets), REOPENED_A_SECOND // 10)):
                self.open()
            for number, events in self.poll.poll(0.05):
                if events & select.EPOLLIN:
                    self.serve(number)
                elif number in self.sockets:
                    self.close(number)
            time.sleep(max(0.0, 0.1 - (time.monotonic() - begun)))


def attack(kind, place, count, token, until, results):
    raise_descriptors()
    own = f"Authorization: Bearer {token}\r\nX-Tenant-Id: t_acme\r\nX-Env: dev\r\n".encode()
    if kind == "half_bodies":
        crowd = Crowd(place, count, [LOGIN_HEAD])
    elif kind == "half_streams":
        block = fields([
            (b":method", b"POST"), (b":path", b"/auth/login"), (b":scheme", b"http"), (b":authority", b"x"),
            (b"content-type", b"application/json"), (b"content-length", b"200"),
        ])
        streams = b"".join(
            frame(1, 4, number * 2 + 1, block) + frame(0, 0, number * 2 + 1, b'{"email":') for number in range(256)
        )
        crowd = Crowd(place, count, [PREFACE + frame(4, 0, 0), streams], answers_pings=True)
    elif kind == "one_byte":
        crowd = Crowd(place, count, [b"P"])
    elif kind == "never_read":
        crowd = Crowd(place, count, [b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 60], small_buffer=True)
    elif kind == "pings_only":
        crowd = Crowd(place, count, [PREFACE + frame(4, 0, 0)], answers_pings=True)
    else:
        head = b"GET /sse/chat/attacked?from=start HTTP/1.1\r\nHost: x\r\n" + own + b"\r\n"
        crowd = Crowd(place, count, [head], small_buffer=True)
    crowd.run(until)
    results.put((kind, crowd.opened, len(crowd.sockets)))


class Client(threading.Thread):
    """A client that asks again and again and notes how long each answer takes."""

    def __init__(self, name, place, method, path, headers, body, keeps, until):
        super().__init__()
        self.label, self.place, self.keeps, self.until = name, place, keeps, until
        self.request = (method, path, body, headers)
        self.times, self.statuses, self.lost = [], {}, []

    def run(self):
        connection = None
        while time.monotonic() < self.until:
            begun = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(*self.place, timeout=30)
                connection.request(*self.request)
                answer = connection.getresponse()
                answer.read()
                self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                self.times.append(time.monotonic() - begun)
                closes = answer.will_close
            except (OSError, http.client.HTTPException) as error:
                self.lost.append(f"{type(error).__name__}: {error}")
                closes = True
            if closes or not self.keeps:
                connection.close()
                connection = None
            time.sleep(0.01)


def measure(place, token, seconds, results):
    raise_descriptors()
    own = {"Authorization": f"Bearer {token}", "X-Tenant-Id": "t_acme", "X-Env": "dev"}
    write = {**own, "Content-Type": "application/json"}
    until = time.monotonic() + seconds
    clients = [
        Client("reads, connection kept", place, "GET", "/chat/threads?limit=5", own, None, True, until),
        Client("reads, new connections", place, "GET", "/chat/threads?limit=5", own, None, False, until),
        Client("writes, connection kept", place, "POST", "/chat/threads/measured/messages", write, b'{"text":"x"}', True, until),
        Client("/readyz, new connections", place, "GET", "/readyz", {}, None, False, until),
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    results.put([(client.label, sorted(client.times), client.statuses, client.lost) for client in clients])


def measured(place, token, seconds):
    results = multiprocessing.Queue()
    process = multiprocessing.Process(target=measure, args=(place, token, seconds, results))
    process.start()
    seen = results.get()
    process.join()
    return seen


def make_threads(place, token, text):
    own = {"Authorization": f"Bearer {token}", "X-Tenant-Id": "t_acme", "X-Env": "dev", "Content-Type": "application/json"}
    connection = http.client.HTTPConnection(*place, timeout=30)
    for thread in ("measured", "attacked"):
        connection.request("POST", "/chat/threads", json.dumps({"thread_id": thread}), own)
        connection.getresponse().read()
    for _ in range(40):
        connection.request("POST", "/chat/threads/attacked/messages", json.dumps({"text": text}), own)
        connection.getresponse().read()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("token")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--ratio", type=float)
    options = parser.parse_args()
    url = urllib.parse.urlsplit(options.url)
    if url.hostname not in ("127.0.0.1", "::1", "localhost"):
        sys.exit("this attacks servers on the loopback interface alone")
    place = (url.hostname, url.port)
    raise_descriptors()
    make_threads(place, options.token, "x" * 200_000)
    calm = measured(place, options.token, options.seconds)
    counts = {
        "half_bodies": 4150, "half_streams": 17, "one_byte": 2000, "never_read": 200, "pings_only": 50,
        "stopped_readers": 50,
    }
    results, lead = multiprocessing.Queue(), 3
    until = time.monotonic() + options.seconds + lead
    attackers = [
        multiprocessing.Process(
            target=attack, args=(kind, place, max(1, int(count * options.scale)), options.token, until, results)
        )
        for kind, count in counts.items()
    ]
    for attacker in attackers:
        attacker.start()
    # The attack stands before the others are measured.
    time.sleep(lead)
    attacked = measured(place, options.token, options.seconds)
    for _ in attackers:
        kind, opened, held = results.get()
        print(f"attack {kind}: {opened} connections opened, {held} open at the end")
    for attacker in attackers:
        attacker.join()
    failed = False
    for (label, before, _, _), (_, after, statuses, lost) in zip(calm, attacked):
        percentile = lambda times, share: times[min(len(times) - 1, int(len(times) * share))] * 1000
        p99 = percentile(before, 0.99), percentile(after, 0.99)
        print(
            f"{label}: p50 {percentile(before, 0.5):.1f} -> {percentile(after, 0.5):.1f} ms, "
            f"p99 {p99[0]:.1f} -> {p99[1]:.1f} ms ({p99[1] / p99[0]:.1f} x), "
            f"{len(after)} answers {statuses}, lost {len(lost)} {lost[:1]}"
        )
        refused = sum(count for status, count in statuses.items() if status >= 500)
        failed |= bool(refused or lost) or bool(options.ratio and p99[1] > options.ratio * p99[0])
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
