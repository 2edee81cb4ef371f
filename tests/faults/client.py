"""Clients that write, write down what was acknowledged, and send again what was not."""

import base64
import hashlib
import hmac
import http.client
import json
import random
import threading
import time

SECRET = "a secret of the fault harness, long enough"
TENANT = "t_acme"
THREAD = "t"
CANVAS = "c"
# A request that takes longer counts as unanswered and is sent again under its key.
TIMEOUT_S = 8


def token(user, role="member"):
    """An access token that the server accepts: its claims alone are enough."""
    encode = lambda value: base64.urlsafe_b64encode(value).rstrip(b"=")
    now = int(time.time())
    claims = {
        "sub": user, "iss": "engines", "iat": now, "exp": now + 3600, "jti": user, "actor_type": "human",
        "tenant_ids": [TENANT], "default_tenant_id": TENANT, "role_map": {TENANT: role},
    }
    parts = [encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    signed = b".".join(parts)
    return (signed + b"." + encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest())).decode()


class Unanswered(Exception):
    """Whether the request took effect is not known."""


class Client:
    """One user's connection; made anew when it breaks."""

    def __init__(self, port, user, role="member"):
        self.port = port
        self.headers = {
            "Authorization": "Bearer " + token(user, role),
            "X-Tenant-Id": TENANT,
            "X-Env": "dev",
            "Content-Type": "application/json",
        }
        self.connection = None

    def send(self, method, path, body=None):
        try:
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=TIMEOUT_S)
            self.connection.request(method, path, None if body is None else json.dumps(body), self.headers)
            answer = self.connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
        except (OSError, http.client.HTTPException, ValueError) as error:
            if self.connection is not None:
                self.connection.close()
            self.connection = None
            raise Unanswered(str(error)) from error

    def insist(self, method, path, body=None, for_s=20):
        """Sends until there is an answer that is not "try later"."""
        end = time.monotonic() + for_s
        last = None
        while time.monotonic() < end:
            try:
                last = self.send(method, path, body)
                if last[0] not in (429, 503, 507):
                    return last
            except Unanswered as error:
                last = error
            time.sleep(0.03)
        raise Unanswered(f"{method} {path}: {last}")


class Writer(threading.Thread):
    """Writes one thing after another until it is stopped. Its own subclass says what, and what the answer means."""

    role = "member"

    def __init__(self, port, number, seed, wrong):
        super().__init__(daemon=True)
        self.client = Client(port, f"user{number}", self.role)
        self.number = number
        self.rng = random.Random(seed * 16 + number)
        self.acknowledged = []
        self.refused = {}
        self.wrong = wrong
        self.stopping = threading.Event()
        self.pausing = threading.Event()

    def run(self):
        count = 0
        while not self.stopping.is_set():
            count += 1
            key = f"w{self.number}-{count}"
            text = key + " " + "x" * self.rng.choice([10, 200, 3000, 9000])
            while not self.stopping.is_set():
                if self.pausing.is_set():
                    time.sleep(0.01)
                    continue
                method, path, body = self.request(key, text)
                try:
                    status, answer = self.client.send(method, path, body)
                except Unanswered:
                    time.sleep(0.03)
                    continue
                if status in (429, 503, 507):
                    code = answer.get("code", "?")
                    self.refused[code] = self.refused.get(code, 0) + 1
                    if not answer.get("detail"):
                        self.wrong.append(f"{method} {path}: {status} without a message")
                    time.sleep(0.03)
                elif self.answered(key, status, answer):
                    break

    def unexpected(self, status, answer):
        self.wrong.append(f"writer {self.number}: {status} {json.dumps(answer)[:300]}")
        self.stopping.set()
        return False


class Talker(Writer):
    """Posts messages to the thread."""

    def request(self, key, text):
        return "POST", f"/chat/threads/{THREAD}/messages", {"text": text, "idempotency_key": key}

    def answered(self, key, status, answer):
        if status != 201:
            return self.unexpected(status, answer)
        self.acknowledged.append((key, answer["seq"], answer["event_id"]))
        return True


class Editor(Writer):
    """Sends commands to the canvas."""

    head = 0

    def request(self, key, text):
        ops = [{"op": "add", "path": f"/{self.number}-{int(key.split('-')[1]) % 8}", "value": text}]
        # Another base is another body, so it is another key.
        once = f"{key}-{self.head}"
        body = {"v": 1, "command_id": key, "idempotency_key": once, "base_rev": self.head, "ops": ops}
        return "POST", f"/canvas/{CANVAS}/commands", body

    def answered(self, key, status, answer):
        if status == 409 and "head_rev" in answer:
            self.head = answer["head_rev"]
            return False
        if status != 200:
            return self.unexpected(status, answer)
        self.head = answer["head_rev"]
        self.acknowledged.append((key, answer["rev"], answer["event_id"]))
        return True


class Recorder(Writer):
    """Records dataset events."""

    def request(self, key, text):
        return "POST", "/events", {
            "surface": "faults", "agent_id": f"agent{self.number}", "input": {"text": text[:400]}, "output": {},
            "request_id": key, "idempotency_key": key,
        }

    def answered(self, key, status, answer):
        if status not in (200, 201):
            return self.unexpected(status, answer)
        self.acknowledged.append((key, answer["seq"], answer["event_id"]))
        return True


class Remover(Writer):
    """Creates a thread, posts a message to it and deletes the thread, so that content is removed during disk faults."""

    role = "owner"
    # The start of every removed message. No id contains it, so no file may contain it at the end.
    MARKER = "removed-content-"
    step = 0
    thread = None

    def request(self, key, text):
        self.thread = key
        path = f"/chat/threads/{key}"
        return [
            ("POST", "/chat/threads", {"thread_id": key}),
            ("POST", path + "/messages", {"text": self.MARKER + text, "idempotency_key": key}),
            ("DELETE", path, None),
        ][self.step]

    def answered(self, key, status, answer):
        # A repeated request whose first answer was lost finds the result of the first one.
        done = [(201, 200, 409), (201,), (204, 404, 410)][self.step]
        if status not in done:
            return self.unexpected(status, answer)
        self.step = (self.step + 1) % 3
        if self.step == 0:
            self.acknowledged.append((key, 0, None))
        return self.step == 0

    def finish(self):
        """Deletes the thread that was in use when the writer was stopped. Returns what went wrong, or None."""
        if self.thread is None:
            return None
        status, answer = self.client.insist("DELETE", f"/chat/threads/{self.thread}")
        return None if status in (204, 404, 410) else f"the last thread could not be deleted: {status} {json.dumps(answer)[:200]}"


def verify(port, writers):
    """Everything that was acknowledged is kept, once and in order; returns what is not so."""
    client, wrong = Client(port, "verifier"), []

    def pages(path):
        items, after = [], ""
        while True:
            status, page = client.insist("GET", f"{path}?limit=500{after}")
            if status != 200:
                wrong.append(f"GET {path}: {status} {json.dumps(page)[:200]}")
                return items
            items += page["items"]
            if not page.get("next"):
                return items
            after = "&after=" + page["next"]

    def check(what, items, place, key_of, mine):
        by_place = {}
        keys = {}
        for item in items:
            by_place[item[place]] = item
            keys.setdefault(key_of(item), []).append(item[place])
        twice = {key: places for key, places in keys.items() if len(places) > 1}
        if twice:
            wrong.append(f"{what}: kept twice: {dict(list(twice.items())[:3])}")
        numbers = [item[place] for item in items]
        if numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"{what}: holes or disorder in {len(numbers)} places")
        missing = []
        for writer in mine:
            places = [at for _, at, _ in writer.acknowledged]
            if places != sorted(places):
                wrong.append(f"{what}: the places of writer {writer.number} are not in the order they were acknowledged")
            for key, at, event_id in writer.acknowledged:
                item = by_place.get(at)
                if item is None or item["event_id"] != event_id or key_of(item) != key:
                    missing.append((key, at))
        count = sum(len(writer.acknowledged) for writer in mine)
        if missing:
            wrong.append(f"{what}: {len(missing)} of {count} acknowledged are not kept, the first {missing[0]}")
        return count

    of = lambda kind: [writer for writer in writers if isinstance(writer, kind)]
    count = check("messages", pages(f"/chat/threads/{THREAD}/events"), "seq", lambda item: item["data"]["text"].split()[0], of(Talker))
    removed = of(Remover)
    for key in [key for writer in removed for key, _, _ in writer.acknowledged]:
        status, answer = client.insist("GET", f"/chat/threads/{key}/events")
        if status not in (404, 410):
            wrong.append(f"the removed thread {key} is back: {status} {json.dumps(answer)[:200]}")
        count += 1
    count += check("events", pages("/events"), "seq", lambda item: item["input"]["text"].split()[0], of(Recorder))
    commits = []
    while True:
        status, page = client.insist("GET", f"/canvas/{CANVAS}/commits?after_rev={len(commits)}&limit=500")
        if status != 200:
            wrong.append(f"commits: {status} {json.dumps(page)[:200]}")
            break
        if not page["items"]:
            break
        commits += page["items"]
    count += check("commits", commits, "rev", lambda item: item["command_id"], of(Editor))
    status, snapshot = client.insist("GET", f"/canvas/{CANVAS}/snapshot")
    if status != 200 or snapshot["rev"] != len(commits):
        wrong.append(f"snapshot: {status} {json.dumps(snapshot)[:200]} after {len(commits)} commits")
    return count, wrong
