/** `unroll studio`: the server sends the page with its security headers, the opened files, and no other files. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { useTempFolder } from '../shared/helpers.js';

const bin = fileURLToPath(new URL('../../bin/unroll.js', import.meta.url));

interface Server {
  url: URL;
  child: ChildProcess;
}

function start(...args: string[]): Promise<Server> {
  const child = spawn(process.execPath, [bin, 'studio', '--port', '0', ...args]);
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
      const url = /http:\S+/.exec(output)?.[0];
      if (url) resolve({ url: new URL(url), child });
    });
    child.on('exit', (code) => reject(new Error(`exit code ${code}: ${output}`)));
  });
}

interface Answer {
  status: number | undefined;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
}

/** Sends a request whose path is not normalised. */
function get(url: URL, path: string, options: { method?: string; host?: string } = {}): Promise<Answer> {
  const { method = 'GET', host = url.host } = options;
  return new Promise((resolve, reject) => {
    request({ port: url.port, hostname: url.hostname, path, method, headers: { Host: host } }, (response) => {
      let body = '';
      response.on('data', (data) => (body += data));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }));
    })
      .on('error', reject)
      .end();
  });
}

describe('the server of unroll studio', () => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-studio-'));
  let server: Server;
  before(async () => {
    mkdirSync(join(folder, 'run/model'), { recursive: true });
    writeFileSync(join(folder, 'run/model/config.json'), '{}');
    writeFileSync(join(folder, 'run/ä b.csv'), 'x\n1\n');
    writeFileSync(join(folder, 'secret'), 'secret');
    server = await start(join(folder, 'run'));
  });
  after(() => {
    server.child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  });

  test('sends the page with a strict policy and the isolation headers', async () => {
    const { status, headers, body } = await get(server.url, '/');
    assert.equal(status, 200);
    assert.match(body, /Unroll Studio/);
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.equal(headers['cross-origin-embedder-policy'], 'require-corp');
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self' 'wasm-unsafe-eval';/);
    assert.ok(!/unsafe-inline|'unsafe-eval'|https?:|\*/.test(policy), policy);
  });

  test('sends the opened files, and only those', async () => {
    const list = await get(server.url, '/opened/index.json');
    assert.deepEqual(JSON.parse(list.body).sort(), ['run/model/config.json', 'run/ä b.csv']);
    assert.equal((await get(server.url, `/opened/run/${encodeURIComponent('ä b.csv')}`)).body, 'x\n1\n');
    assert.equal((await get(server.url, '/opened/secret')).status, 404);
  });

  test('refuses paths that leave the folder', async () => {
    const paths = [
      ...['/../package.json', '/assets/../../package.json', '/%2e%2e/package.json', '/..%2fpackage.json'],
      ...['/%2e%2e%2fpackage.json', '/..\\package.json', '/%5c..%5cpackage.json', '/assets/%00.js', '/%'],
      ...['/.stamp', '/opened/../secret', '/opened/%2e%2e/secret', '//etc/passwd', '/%2fetc%2fpasswd'],
    ];
    for (const path of paths) {
      const { status, body } = await get(server.url, path);
      assert.ok(status === 400 || status === 404, `${path}: ${status}`);
      assert.ok(!/secret|"name"|root:/.test(body), path);
    }
  });

  test('refuses methods other than GET and HEAD, and host names of other machines', async () => {
    for (const method of ['POST', 'PUT', 'DELETE'])
      assert.equal((await get(server.url, '/', { method })).status, 405);
    const { port } = server.url;
    for (const host of [
      'evil.example',
      `evil.example:${port}`,
      `127.0.0.1.evil.example:${port}`,
      'localhost.evil',
    ])
      assert.equal((await get(server.url, '/', { host })).status, 403, host);
    assert.equal((await get(server.url, '/', { host: `localhost:${port}` })).status, 200);
  });

  test('listens on the loopback interface, and survives a malformed request', async () => {
    assert.equal(server.url.hostname, '127.0.0.1');
    await new Promise<void>((resolve) => {
      const socket = connect(Number(server.url.port), '127.0.0.1', () => socket.write('GET\r\n\r\n\r\n'));
      socket.on('close', () => resolve());
      socket.on('data', () => {});
    });
    assert.equal((await get(server.url, '/')).status, 200);
  });

  test('exits with code 0 on Ctrl-C', { skip: process.platform === 'win32' }, async () => {
    const { child, url } = await start();
    await get(url, '/');
    const ended = new Promise((resolve) => child.on('exit', resolve));
    child.kill('SIGINT');
    assert.equal(await ended, 0);
  });
});

describe('invalid arguments', () => {
  const temp = useTempFolder();
  const cases: [name: string, args: string[], message: RegExp][] = [
    ['a missing file', ['missing.csv'], /^unroll: missing\.csv: file or folder not found\./],
    ['two files', ['a', 'b'], /^unroll: At most one run, model or file can be opened, got 2\./],
    ['a port that is too large', ['--port', '99999'], /^unroll: --port must be at most 65535, got 99999\./],
    ['an unknown option', ['--prot', '1'], /^unroll: Unknown option --prot\. Did you mean --port\?/],
  ];
  for (const [name, args, message] of cases) {
    test(`rejects ${name}`, async () => {
      const { code, stderr } = await temp.unroll(['studio', ...args]);
      assert.match(stderr, message);
      assert.equal(code, 2);
    });
  }
  test('rejects a port that is in use', async () => {
    const { url, child } = await start();
    const { code, stderr } = await temp.unroll(['studio', '--port', url.port]);
    assert.match(stderr, new RegExp(`^unroll: Port ${url.port} is in use\\.`));
    assert.equal(code, 2);
    child.kill('SIGKILL');
  });
});
