// See run.sh. Starts a server, serves two pages on other origins, one of them listed, and looks at what a browser makes of it.
import { strict as assert } from 'node:assert';
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect, createServer as createProxy } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const { SERVER, CHROMIUM } = process.env;
const data = mkdtempSync(join(tmpdir(), 'engines-browser-'));
const secret = 'a secret of the browser tests, long enough';

const listening = (server) => new Promise((done) => server.listen(0, '127.0.0.1', () => done(server.address().port)));
const freePort = async () => {
  const server = createServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
};
const until = async (what, condition, seconds = 30) => {
  for (let at = 0; at < seconds * 20; at += 1) {
    if (await condition()) return;
    await new Promise((done) => setTimeout(done, 50));
  }
  assert.fail(`never: ${what}`);
};

// Pages whose origins differ in their ports.
const page = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>x</title>'));
const stranger = createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>y</title>'));
const [listed, unlisted] = [`http://127.0.0.1:${await listening(page)}`, `http://127.0.0.1:${await listening(stranger)}`];

const port = await freePort();
let server;
const start = async () => {
  server = spawn(SERVER, ['dev', '--listen', `127.0.0.1:${port}`, '--data', data], {
    env: { ...process.env, AUTH_JWT_SIGNING: secret, ENGINES_HTTP__CORS_ORIGINS: listed },
    stdio: 'ignore',
  });
  await until('the server is ready', () => fetch(`http://127.0.0.1:${port}/readyz`).then((answer) => answer.ok, () => false));
};
const stop = () => new Promise((done) => { server.once('exit', done); server.kill('SIGTERM'); });

// A proxy that can cut every connection, as a network does.
const cuttable = new Set();
const proxy = createProxy((client) => {
  const upstream = connect(port, '127.0.0.1');
  for (const socket of [client, upstream]) {
    cuttable.add(socket);
    socket.on('error', () => {}).on('close', () => { cuttable.delete(socket); client.destroy(); upstream.destroy(); });
  }
  client.pipe(upstream).pipe(client);
});
const api = `http://127.0.0.1:${await listening(proxy)}`;
const cut = () => cuttable.forEach((socket) => socket.destroy());

let browser;
try {
  await start();
  const token = execFileSync(SERVER, ['token', '--tenant', 't_acme', '--role', 'owner', '--user', 'tester'], {
    env: { ...process.env, AUTH_JWT_SIGNING: secret },
  }).toString().trim();
  const headers = { authorization: `Bearer ${token}`, 'x-tenant-id': 't_acme', 'x-env': 'dev', 'content-type': 'application/json' };
  const post = async (path, body) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    assert.equal(answer.status, 201, await answer.clone().text());
    return answer.json();
  };
  await post('/chat/threads', { thread_id: 't' });

  browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync'],
  });
  const tab = await browser.newPage();
  await tab.goto(listed);

  // A call with headers of ours, which needs a preflight; and what may be read of its answer, also of an error.
  const called = await tab.evaluate(async ([api, headers]) => {
    const good = await fetch(`${api}/chat/threads/t`, { headers });
    const bad = await fetch(`${api}/chat/threads/none`, { headers });
    return {
      good: good.status, thread: (await good.json()).thread_id, id: good.headers.get('x-request-id'),
      left: good.headers.get('ratelimit-remaining'), bad: bad.status, code: (await bad.json()).code,
    };
  }, [api, headers]);
  assert.equal(called.good, 200);
  assert.equal(called.thread, 't');
  assert.ok(called.id && called.left, 'exposed headers');
  assert.deepEqual([called.bad, called.code], [404, 'NOT_FOUND']);

  // An EventSource, which connects again by itself.
  const opened = await tab.evaluate(async ([api, headers]) => {
    const made = await fetch(`${api}/auth/tickets`, {
      method: 'POST', headers, body: JSON.stringify({ path: '/sse/chat/t', reuse: 'stream' }),
    });
    const { ticket, ticket_id: id } = await made.json();
    window.seen = [];
    window.opens = 0;
    window.source = new EventSource(`${api}/sse/chat/t?ticket=${ticket}&from=start`);
    window.source.onopen = () => { window.opens += 1; };
    window.source.addEventListener('user_message', (event) => window.seen.push(JSON.parse(event.data).data.text));
    return id;
  }, [api, headers]);
  const state = () => tab.evaluate(() => ({ seen: window.seen, opens: window.opens, ready: window.source.readyState }));
  const saw = async (text) => until(`${text} arrives`, async () => (await state()).seen.includes(text));
  await until('it is open', async () => (await state()).opens === 1);
  await post('/chat/threads/t/messages', { text: 'one' });
  await saw('one');
  cut();
  await post('/chat/threads/t/messages', { text: 'two, while it is cut' });
  await saw('two, while it is cut');
  await stop();
  await start();
  await post('/chat/threads/t/messages', { text: 'three, after a restart' });
  await saw('three, after a restart');
  const after = await state();
  assert.deepEqual(after.seen, ['one', 'two, while it is cut', 'three, after a restart'], 'each once, in order');
  assert.ok(after.opens >= 3, `${after.opens} connections`);
  // Once the ticket is ended, so is the stream, and the browser gives up.
  const ended = await fetch(`http://127.0.0.1:${port}/auth/tickets/${opened}`, { method: 'DELETE', headers });
  assert.equal(ended.status, 204);
  await until('the browser gives up', async () => (await state()).ready === 2);

  // WebSockets from a listed page, and from one that is not.
  const socket = (from, ticket) => from.evaluate(([api, ticket]) => new Promise((done) => {
    const socket = new WebSocket(`${api.replace('http', 'ws')}/ws/chat/t?ticket=${ticket}`, 'engines.v1');
    let first = null;
    socket.onmessage = (event) => { first = JSON.parse(event.data).type; socket.close(); };
    socket.onclose = (event) => done({ first, code: event.code, reason: event.reason });
  }), [api, ticket]);
  const { ticket } = await post('/auth/tickets', { path: '/ws/chat/t' });
  const other = await browser.newPage();
  await other.goto(unlisted);
  assert.deepEqual(await socket(other, ticket), { first: null, code: 4403, reason: 'ORIGIN_FORBIDDEN' });
  assert.equal((await socket(tab, ticket)).first, 'hello');
  assert.deepEqual(await socket(tab, ticket), { first: null, code: 4401, reason: 'TOKEN_INVALID' });
  const blocked = await other.evaluate(([api, headers]) => fetch(`${api}/chat/threads/t`, { headers }).then(() => 'read', () => 'blocked'), [api, headers]);
  assert.equal(blocked, 'blocked');
  console.log('a page on another origin: fetch, EventSource over a cut and a restart, WebSocket origins: as they should be');
} finally {
  await browser?.close();
  if (server?.exitCode === null) await stop();
  for (const open of [proxy, page, stranger]) open.close();
  cut();
}
