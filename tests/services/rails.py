"""Both rails through clients that are not ours: `websockets`, and server-sent events as any HTTP client reads them.

usage: rails.py URL TOKEN
"""

import asyncio
import json
import sys
import urllib.request

import websockets

URL, TOKEN = sys.argv[1:]
HEADERS = {"Authorization": f"Bearer {TOKEN}", "X-Tenant-Id": "t_acme", "X-Env": "dev"}
COUNT = 300


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    headers = HEADERS | ({"Content-Type": "application/json"} if data else {})
    with urllib.request.urlopen(urllib.request.Request(URL + path, data, headers, method=method)) as answer:
        return json.load(answer)


def read_sse(path, count):
    """Envelopes of a stream, and the id each came with."""
    events, event_id = [], None
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=HEADERS)) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream", answer.headers
        for line in answer:
            line = line.decode().rstrip("\n")
            if line.startswith("id: "):
                event_id = line[4:]
            elif line.startswith("data: "):
                events.append((event_id, json.loads(line[6:])))
                if len(events) == count:
                    return events
    raise SystemExit(f"the stream ended after {len(events)} events")


async def talk(thread):
    url = URL.replace("http", "ws", 1) + f"/ws/chat/{thread}"
    async with websockets.connect(url, additional_headers=HEADERS, subprotocols=["engines.v1"]) as socket:
        assert socket.subprotocol == "engines.v1", socket.subprotocol
        hello = json.loads(await socket.recv())
        assert hello["type"] == "hello" and hello["heartbeat_s"] == 20, hello
        for n in range(COUNT):
            await socket.send(json.dumps({"type": "message", "text": str(n), "ref": n}))
        acks, events = [], []
        while len(acks) < COUNT or len(events) < COUNT:
            message = json.loads(await asyncio.wait_for(socket.recv(), 20))
            (acks if message["type"] == "ack" else events).append(message)
        assert [ack["ref"] for ack in acks] == list(range(COUNT))
        assert [event["data"]["text"] for event in events] == [str(n) for n in range(COUNT)]
        assert [event["seq"] for event in events] == list(range(1, COUNT + 1))
        pong = await socket.ping()
        await asyncio.wait_for(pong, 5)
    return [event["cursor"] for event in events]


async def too_large(thread):
    url = URL.replace("http", "ws", 1) + f"/ws/chat/{thread}"
    async with websockets.connect(url, additional_headers=HEADERS) as socket:
        await socket.recv()
        try:
            await socket.send("x" * (10 << 20))
            await asyncio.wait_for(socket.recv(), 20)
        except websockets.ConnectionClosed as closed:
            assert closed.rcvd and closed.rcvd.code == 4413, closed
            return
    raise SystemExit("a frame of 10 MiB was not refused")


def main():
    thread = call("POST", "/chat/threads", {})["thread_id"]
    cursors = asyncio.run(talk(thread))
    by_sse = read_sse(f"/sse/chat/{thread}?from=start", COUNT)
    assert [event_id for event_id, _ in by_sse] == cursors, "the rails disagree about cursors"
    assert all(event["cursor"] == event_id for event_id, event in by_sse)
    rest = read_sse(f"/sse/chat/{thread}?cursor={cursors[COUNT // 2]}", COUNT - COUNT // 2 - 1)
    assert [event_id for event_id, _ in rest] == cursors[COUNT // 2 + 1 :]
    asyncio.run(too_large(thread))
    print(f"{COUNT} messages over WebSocket, read again over SSE, resumed in the middle; a frame of 10 MiB closed with 4413")


main()
