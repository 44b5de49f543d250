/** The actions of a visitor. They change the state and send messages to the worker. */
import { batch, effect } from '@preact/signals';
import type { FromWorker, LanePoints, Look, Question, ToWorker } from '../engine/protocol.js';
import { lang } from '../i18n/index.js';
import { ReceivedError } from '../problems/input-error.js';
import { failureOf } from './failure.js';
import { emptyHistory } from './history.js';
import {
  CELLS,
  type CellKind,
  DEFAULTS,
  LIVE_SETTINGS,
  type PresetName,
  type Settings,
  toFragment,
  type ViewName,
} from './settings.js';
import * as store from './store.js';

let worker: Worker | null = null;
let generation = 0;
let questions = 0;
let addressTimer: ReturnType<typeof setTimeout> | undefined;
const openQuestions = new Map<number, { resolve(value: unknown): void; reject(reason: Error): void }>();

const send = (message: ToWorker): void => worker?.postMessage(message);

/** Starts the worker, and updates worker and address whenever the state changes. */
export function start(): void {
  worker = new Worker(new URL('../engine/worker.ts', import.meta.url), { type: 'module' });
  worker.onmessage = ({ data }: MessageEvent<FromWorker>) => batch(() => receive(data));
  worker.onerror = (event) => {
    store.failure.value = failureOf('advice_worker', event.message || 'The worker did not start.');
  };
  reset();
  effect(() => send({ type: 'watch', watch: currentWatch() }));
  effect(() => {
    const { cells } = store.settings.value;
    const defaultCell = cells.includes('lstm') ? 'lstm' : cells[0];
    const extra = {
      view: store.view.value === 'train' ? '' : store.view.value,
      cell: store.cell.value === defaultCell ? '' : store.cell.value,
      example: store.example.value > 0 ? String(store.example.value + 1) : '',
      layer: store.layer.value > 0 ? String(store.layer.value + 1) : '',
      open: store.opensFiles ? '1' : '',
      lang: lang.value,
    };
    const fragment = toFragment(store.settings.value, extra);
    // Safari refuses more than 100 changes of the address in 30 seconds.
    clearTimeout(addressTimer);
    addressTimer = setTimeout(() => history.replaceState(null, '', fragment), 300);
  });
}

function receive(message: FromWorker): void {
  if ('generation' in message && message.generation !== generation) return;
  switch (message.type) {
    case 'ready':
      store.engine.value = message;
      performance.mark('engine ready');
      return;
    case 'built':
      store.problem.value = message.problem;
      store.lanes.value = message.lanes;
      store.example.value = Math.min(store.example.value, message.problem.count - 1);
      if (store.step.value < 0 || store.step.value >= message.problem.steps)
        store.step.value = message.problem.lengths[store.example.value] - 1;
      return;
    case 'progress':
      for (const points of message.lanes) addPoints(points);
      store.ticks.value++;
      return;
    case 'look':
      receiveLook(message);
      return;
    case 'stopped':
      store.stopped.value = { ...store.stopped.value, [message.cell]: message.error };
      return;
    case 'lookFailed':
      store.failure.value = { advice: 'advice_look', values: { cell: message.cell }, error: message.error };
      return;
    case 'failed':
      store.failure.value = { advice: 'advice_build', values: {}, error: message.error };
      store.running.value = false;
      return;
    case 'reply':
      receiveReply(message);
      return;
  }
}

function receiveLook({ cell, update, example, values }: FromWorker & { type: 'look' }): void {
  if (store.failure.value?.advice === 'advice_look') store.failure.value = null;
  const before = store.snapshots.value[cell];
  // Views that are no longer visible keep their last values.
  const merged = before?.example === example ? { ...before.values, ...values } : values;
  store.snapshots.value = { ...store.snapshots.value, [cell]: { update, example, values: merged } };
  const { predictions } = values;
  if (predictions && update > 0) {
    const { validation, accuracy } = store.histories[cell];
    if (validation.x.at(-1) !== update) {
      validation.push(update, predictions.loss);
      if (predictions.accuracy !== null) accuracy.push(update, predictions.accuracy);
    }
  }
}

function receiveReply({ id, value, error }: FromWorker & { type: 'reply' }): void {
  const question = openQuestions.get(id);
  openQuestions.delete(id);
  if (error === undefined) question?.resolve(value);
  else question?.reject(new ReceivedError(error));
}

function addPoints({ cell, update, loss, norm, clipped, rate, ms }: LanePoints): void {
  const history = store.histories[cell];
  update.forEach((n, i) => {
    history.loss.push(n, loss[i]);
    history.norm.push(n, norm[i]);
    history.clipped.push(n, clipped[i]);
    history.rate.push(n, rate[i]);
    history.perSecond.push(n, (1000 / ms[i]) * store.settings.peek().batch);
  });
}

/** Returns the worker's answer to a question. Rejects with the worker's error. */
export function ask<T>(question: Question): Promise<T> {
  const id = ++questions;
  return new Promise((resolve, reject) => {
    openQuestions.set(id, { resolve: resolve as (value: unknown) => void, reject });
    send({ type: 'ask', id, question });
  });
}

/** Returns what the worker must compute for the visible view. */
function currentWatch() {
  const [view, cell, cells] = [store.view.value, store.cell.value, store.settings.value.cells];
  const gradients: readonly Look[] = store.flowIsRelative.value ? ['flow'] : ['flow', 'lossFlow'];
  const looks: Record<ViewName, readonly Look[]> = {
    train: ['predictions', ...gradients, 'trace'],
    network: ['trace', 'predictions'],
    gates: ['trace', 'predictions'],
    gradients: [...gradients, 'predictions'],
    influence: ['influence', 'predictions', 'trace'],
    predictions: ['predictions'],
    states: ['projection', 'saturation', 'predictions'],
    files: ['predictions'],
  };
  // Views with the curves of all cells in one chart need all cells. The other views show only the selected cell.
  const showsAllCells =
    view === 'train' || view === 'gradients' || view === 'predictions' || view === 'influence';
  return {
    looks: looks[view],
    cells: showsAllCells ? cells : [cell],
    example: store.example.value,
    step: store.step.value,
  };
}

/** Builds the networks again, with the same seed. */
export function reset(): void {
  generation++;
  batch(() => {
    for (const cell of CELLS) store.histories[cell] = emptyHistory();
    store.failure.value = null;
    store.stopped.value = {};
    store.snapshots.value = {};
    store.unit.value = null;
    store.ticks.value++;
    const { cells } = store.settings.value;
    if (!cells.includes(store.cell.value)) store.cell.value = cells[0];
  });
  send({
    type: 'configure',
    generation,
    settings: store.settings.value,
    data: store.userData.value,
  });
}

export function setRunning(running: boolean): void {
  store.running.value = running;
  send({ type: 'run', running });
}

export function singleStep(): void {
  setRunning(false);
  send({ type: 'step' });
}

let timer: ReturnType<typeof setTimeout> | undefined;

/** Changes settings. If only the learning rate or clipping changes, training continues; otherwise it starts again. */
export function change(changes: Partial<Settings>): void {
  const names = (Object.keys(changes) as (keyof Settings)[]).filter(
    (name) => String(changes[name]) !== String(store.settings.value[name]),
  );
  if (names.length === 0) return;
  store.settings.value = { ...store.settings.value, ...changes };
  const { learningRate, clip } = store.settings.value;
  if (names.every((name) => LIVE_SETTINGS.has(name))) {
    send({ type: 'learningRateAndClipping', learningRate, clip });
    return;
  }
  clearTimeout(timer);
  timer = setTimeout(reset, 120);
}

/** Sets all settings, and immediately builds the networks again. */
export function configure(settings: Settings): void {
  clearTimeout(timer);
  store.settings.value = settings;
  reset();
}

export function choosePreset(preset: PresetName): void {
  const { cells } = store.settings.value;
  store.settings.value = { ...DEFAULTS[preset], cells };
  store.step.value = -1;
  store.example.value = 0;
  reset();
}

export function toggleCell(cell: CellKind): void {
  const { cells } = store.settings.value;
  const next = CELLS.filter((kind) => (kind === cell ? !cells.includes(cell) : cells.includes(kind)));
  if (next.length > 0) change({ cells: next });
}
