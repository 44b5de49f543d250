/**
 * A run that is killed with SIGKILL at random moments and resumed each time must end like an uninterrupted one: with
 * bit-identical weights, the same metrics, and logs without duplicate lines. The run has dropout, batch statistics, gradient
 * accumulation, early stopping and `reduceOnPlateau`, and writes checkpoints so often that many kills happen during a write.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { interruptSignal } from '@unroll/train/node';

const CHILD = fileURLToPath(new URL('./kill-child.js', import.meta.url));
/** Number of kills, by the mode of the child. */
const KILLS = { plain: 20, truncate: 8 };
type Mode = keyof typeof KILLS;

interface Result {
  history: { epochs: number; reason: string };
  weights: number[];
}

/** Waits for the end of a process, and returns its signal or exit code. */
const exitOf = (child: ChildProcess): Promise<NodeJS.Signals | number | null> =>
  new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));

/**
 * Runs the child, and kills it `killAfter` ms after its first step if it is still running. The result `ms` is the time from the
 * first step of the child to its end.
 * @param interruptAt the step at which the child interrupts itself with SIGINT
 */
async function run(
  folder: string,
  { killAfter, mode = 'plain', interruptAt }: { killAfter?: number; mode?: Mode; interruptAt?: number } = {},
): Promise<{ killed: boolean; ms: number; code: number | null }> {
  const args = [CHILD, folder, mode, ...(interruptAt === undefined ? [] : [String(interruptAt)])];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (text: Buffer) => void (errors += text));
  let began = 0;
  child.stdout.once('data', () => {
    began = performance.now();
    if (killAfter !== undefined) setTimeout(() => child.kill('SIGKILL'), killAfter);
  });
  const exit = await exitOf(child);
  if (exit !== 0 && exit !== 130 && exit !== 'SIGKILL')
    assert.fail(`the child ended with ${exit}: ${errors}`);
  const code = typeof exit === 'number' ? exit : null;
  return { killed: exit !== 0, ms: performance.now() - began, code };
}

const files = (folder: string) => ({
  result: JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) as Result,
  csv: readFileSync(join(folder, 'log.csv'), 'utf8'),
  // Records differ only in their wall time, which has a fixed size.
  board: ['train', 'validation'].map(
    (part) => readFileSync(join(folder, 'board', part, 'events.out.tfevents.unroll')).length,
  ),
});

for (const mode of ['plain', 'truncate'] as const) {
  test(`killed ${KILLS[mode]} times and resumed, a run ends like an uninterrupted one: ${mode}`, (t) =>
    killAndCompare(t, mode));
}

async function killAndCompare(t: TestContext, mode: Mode): Promise<void> {
  const folderFor = (name: string): string => {
    const folder = mkdtempSync(join(tmpdir(), `unroll-kill-${name}-`));
    t.after(() => rmSync(folder, { recursive: true }));
    return folder;
  };
  const uninterrupted = folderFor('uninterrupted');
  const { ms } = await run(uninterrupted, { mode });
  const expected = files(uninterrupted);
  assert.equal(expected.result.history.reason, 'stopped', 'early stopping must end the run');

  const moments: string[] = [];
  for (let kills = 0; kills < KILLS[mode]; ) {
    // This run is killed and resumed until it ends. While kills are left, another run starts.
    const folder = folderFor('killed');
    for (let killed = true; killed; ) {
      const moment = kills < KILLS[mode] ? (Math.random() * 3 * ms) / KILLS[mode] : undefined;
      ({ killed } = await run(folder, { mode, ...(moment !== undefined && { killAfter: moment }) }));
      if (killed) kills++;
      moments.push(killed ? moment!.toFixed(1) : 'end');
    }
    const where = `killed after ms: ${moments.join(', ')}; without kills, the run takes ${ms.toFixed(0)}`;
    assert.deepEqual(files(folder), expected, where);
    assert.ok(!existsSync(join(folder, 'last.safetensors.tmp')), where);
    t.diagnostic(where);
  }
}

test('Ctrl-C writes a checkpoint and exits with 130, and the run can be resumed', async (t) => {
  const [uninterrupted, interrupted] = ['uninterrupted', 'interrupted'].map((name) => {
    const folder = mkdtempSync(join(tmpdir(), `unroll-${name}-`));
    t.after(() => rmSync(folder, { recursive: true }));
    return folder;
  }) as [string, string];
  await run(uninterrupted);
  const { code } = await run(interrupted, { interruptAt: 20 });
  assert.equal(code, 130);
  assert.ok(existsSync(join(interrupted, 'last.safetensors')));
  assert.ok(!existsSync(join(interrupted, 'result.json')), 'the run must be interrupted before its end');
  assert.equal((await run(interrupted)).code, 0);
  assert.deepEqual(files(interrupted), files(uninterrupted));
});

test('a second Ctrl-C is ignored within half a second, and ends the process later', async () => {
  const otherListeners = process.listenerCount('SIGINT');
  const signal = interruptSignal();
  let fired = 0;
  signal.addEventListener('abort', () => fired++);
  process.emit('SIGINT');
  process.emit('SIGINT');
  assert.equal(fired, 1);
  assert.equal(process.exitCode, 130);
  process.exitCode = 0;
  assert.equal(process.listenerCount('SIGINT'), otherListeners + 1, 'Node must not end the process yet');
  await new Promise((resolve) => setTimeout(resolve, 600));
  assert.equal(process.listenerCount('SIGINT'), otherListeners, 'Node must end the process');
});
