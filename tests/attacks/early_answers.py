"""Answers that are given before a body of 3 MB is read must reach Python's http.client and curl.

    early_answers.py http://127.0.0.1:8080 TOKEN

TOKEN is a member's of t_acme. Each case is asked 12 times with http.client, which sends everything before it reads, and
three times with curl over HTTP/1.1 and HTTP/2. Exits with 1 if one answer is lost.
"""

import http.client
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

BODY = b"x" * 3_000_000
TIMES_PYTHON = 12
TIMES_CURL = 3


def cases(token):
    own = {"Authorization": f"Bearer {token}", "X-Tenant-Id": "t_acme", "X-Env": "dev"}
    json = {"Content-Type": "application/json"}
    return [
        ("POST", "/chat/threads", json, 401),
        ("POST", "/chat/threads", {**own, **json, "X-Tenant-Id": "t_northstar"}, 403),
        ("POST", "/nothing", {**own, **json}, 404),
        ("PUT", "/healthz", json, 405),
        ("POST", "/chat/threads", {**own, **json}, 413),
        ("POST", "/chat/threads", {**own, "Content-Type": "text/plain"}, 415),
        ("POST", "/auth/login", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ("GET", "/chat/threads", {**own, "X-Env": "nowhere"}, 400),
        ("GET", "/chat/threads", own, 200),
        ("GET", "/healthz", {}, 200),
    ]


def ask_python(host, port, method, path, headers):
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request(method, path, body=BODY, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()


def ask_curl(url, method, path, headers, version, file):
    command = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--max-time", "30", version, "-X", method]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    if "Content-Type" not in headers:
        command += ["-H", "Content-Type: application/octet-stream"]
    ran = subprocess.run(command + ["--data-binary", f"@{file}", url + path], capture_output=True, text=True)
    if ran.returncode != 0:
        return f"curl {ran.returncode}: {ran.stderr.strip()}"
    return int(ran.stdout)


def main():
    url, token = sys.argv[1], sys.argv[2]
    place = urllib.parse.urlsplit(url)
    lost = 0
    with tempfile.NamedTemporaryFile() as file:
        file.write(BODY)
        file.flush()
        ways = {"http.client": (TIMES_PYTHON, lambda *case: ask_python(place.hostname, place.port, *case))}
        if shutil.which("curl"):
            for version in ("--http1.1", "--http2-prior-knowledge"):
                ways[f"curl {version}"] = (
                    TIMES_CURL,
                    lambda *case, version=version: ask_curl(url, *case, version, file.name),
                )
        for way, (times, ask) in ways.items():
            for method, path, headers, expected in cases(token):
                seen = [ask(method, path, headers) for _ in range(times)]
                wrong = [answer for answer in seen if answer != expected]
                lost += len(wrong)
                print(f"{way}: {method} {path} {expected}: {times - len(wrong)} of {times}", *wrong[:1])
    sys.exit(1 if lost else 0)


main()
