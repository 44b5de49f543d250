/**
 * The worker: trains the lanes (one per cell) in turn, one update each, and computes what the visible view shows. Messages are
 * processed between two rounds of updates.
 */
import { currentBackend, ready } from '@unroll/core';
import { problemOf } from '../problems/index.js';
import { errorData } from '../problems/input-error.js';
import type { Problem } from '../problems/problem.js';
import { answer } from './answers.js';
import { Lane } from './lane.js';
import { lookAt } from './look-at.js';
import type { FromWorker, ProblemInfo, ToWorker, Watch } from './protocol.js';

interface Port {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(message: FromWorker): void;
}
const port = globalThis as unknown as Port;

const PROGRESS_MS = 100;
const LOOK_MS = 250;
/** Upper limit of the share of time in which looks (the values for the visible view) are computed. */
const LOOK_SHARE = 0.35;

const queue: ToWorker[] = [];
let wake: (() => void) | null = null;
let generation = 0;
let problem: Problem | null = null;
let lanes: Lane[] = [];
let running = false;
let singleStep = false;
let watch: Watch = { looks: [], cells: [], example: 0, step: -1 };
/** Whether something has changed since the looks were computed. */
let changed = false;
let nextLook = 0;
let nextProgress = 0;

port.onmessage = ({ data }) => {
  queue.push(data);
  wake?.();
};

async function handle(message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'configure':
      return configure(message);
    case 'run':
      running = message.running;
      return;
    case 'step':
      singleStep = true;
      return;
    case 'learningRateAndClipping':
      for (const lane of lanes) lane.setLearningRateAndClipping(message.learningRate, message.clip);
      return;
    case 'watch':
      watch = message.watch;
      changed = true;
      nextLook = 0;
      return;
    case 'ask':
      return port.postMessage(await reply(message));
  }
}

function configure(message: ToWorker & { type: 'configure' }): void {
  generation = message.generation;
  lanes = [];
  problem = null;
  try {
    const newProblem = problemOf(message.settings, message.data);
    lanes = message.settings.cells.map((cell) => new Lane(newProblem, cell, message.settings));
    problem = newProblem;
    port.postMessage({
      type: 'built',
      generation,
      problem: infoOf(newProblem),
      lanes: lanes.map((lane) => lane.info()),
    });
  } catch (error) {
    lanes = [];
    port.postMessage({ type: 'failed', generation, error: errorData(error) });
  }
  changed = true;
  nextLook = 0;
}

async function reply({ id, question }: ToWorker & { type: 'ask' }): Promise<FromWorker> {
  try {
    return { type: 'reply', id, value: await answer(question, problem, lanes) };
  } catch (error) {
    return { type: 'reply', id, error: errorData(error) };
  }
}

function infoOf({ examples, batch: _, loss: __, ...rest }: Problem): ProblemInfo {
  const { count, x, y, mask, weights = null } = examples;
  const lengths = new Int32Array(count).fill(rest.steps);
  if (mask)
    for (let n = 0; n < count; n++)
      lengths[n] = mask.subarray(n * rest.steps, (n + 1) * rest.steps).lastIndexOf(1) + 1;
  return { ...rest, attention: rest.attention ?? false, count, x, y, lengths, weights };
}

/** Makes one update of every lane. */
async function updateLanes(): Promise<void> {
  for (const lane of lanes) {
    if (lane.stopped !== null) continue;
    await lane.step();
    if (lane.stopped !== null)
      port.postMessage({ type: 'stopped', generation, cell: lane.cell, error: lane.stopped });
  }
  changed = true;
}

function sendProgress(): void {
  nextProgress = performance.now() + PROGRESS_MS;
  const points = lanes.map((lane) => lane.takePoints()).filter(({ update }) => update.length > 0);
  if (points.length > 0) port.postMessage({ type: 'progress', generation, lanes: points });
}

async function sendLooks(): Promise<void> {
  changed = false;
  const start = performance.now();
  for (const lane of lanes) {
    if (problem === null || !watch.cells.includes(lane.cell) || watch.looks.length === 0) continue;
    try {
      const values = await lookAt(lane, problem, watch);
      const { cell, updates: update } = lane;
      port.postMessage({ type: 'look', generation, cell, update, example: watch.example, values });
    } catch (error) {
      port.postMessage({ type: 'lookFailed', generation, cell: lane.cell, error: errorData(error) });
    }
  }
  const now = performance.now();
  nextLook = now + Math.max(LOOK_MS, (now - start) / LOOK_SHARE);
}

async function serve(): Promise<never> {
  await ready();
  const { description } = currentBackend();
  port.postMessage({
    type: 'ready',
    threads: Number(/(\d+) thread/.exec(description)?.[1] ?? 1),
    backend: description,
  });
  for (;;) {
    for (let message = queue.shift(); message; message = queue.shift()) await handle(message);
    const active = (running || singleStep) && lanes.some(({ stopped }) => stopped === null);
    if (active) await updateLanes();
    if (!active || singleStep || performance.now() >= nextProgress) sendProgress();
    singleStep = false;
    if (changed && performance.now() >= nextLook) await sendLooks();
    else if (!active && changed && !running) await sendLooks();
    else if (!active && queue.length === 0) {
      await new Promise<void>((resolve) => (wake = resolve));
      wake = null;
    }
    // Training yields to the event loop by itself. A paused worker must also yield, so that messages arrive.
    if (!active) await new Promise((resolve) => setTimeout(resolve));
  }
}

await serve().catch((error: Error) =>
  port.postMessage({ type: 'failed', generation, error: errorData(error) }),
);
