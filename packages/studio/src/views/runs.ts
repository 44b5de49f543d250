/** Reads loss curves and scores from the files of a run: CSV logs, events as NDJSON, and training records (JSON). */
import type { DroppedRun } from './compare.js';

interface Point {
  x: number;
  y: number;
}

const LOSSES = ['validationLoss', 'val_loss', 'loss'];

/** Returns the loss curves in a file; empty if it has none. */
export function curvesOf(path: string, text: string): DroppedRun[] {
  if (/\.(ndjson|jsonl|log)$/.test(path)) return curvesFrom(path, text.split('\n').flatMap(parsed));
  if (path.endsWith('.json')) return parsed(text).flatMap((value) => recordsIn(value, path));
  return /\.(csv|tsv)$/.test(path) ? curvesFrom(path, csvRecords(text)) : [];
}

/** Returns the parsed JSON as the only element; empty for an empty or invalid text. */
function parsed(text: string): unknown[] {
  try {
    return text.trim() === '' ? [] : [JSON.parse(text)];
  } catch {
    return [];
  }
}

/** Returns the loss curves of all lists of epochs in a training record. */
function recordsIn(value: unknown, path: string): DroppedRun[] {
  if (Array.isArray(value)) {
    const found = curvesFrom(path, value);
    return found.length > 0 ? found : value.flatMap((each, n) => recordsIn(each, `${path} ${n + 1}`));
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => recordsIn(member, `${path} ${name}`));
}

function curvesFrom(name: string, records: readonly unknown[]): DroppedRun[] {
  return LOSSES.flatMap((key) => {
    const points = records.flatMap((record, n) => pointOf(record, key, n));
    return points.length < 2
      ? []
      : [{ name: `${name} ${key}`, x: points.map(({ x }) => x), y: points.map(({ y }) => y) }];
  });
}

function pointOf(record: unknown, key: string, index: number): Point[] {
  if (record === null || typeof record !== 'object') return [];
  const { [key]: loss, updates, step, epoch } = record as Readonly<Record<string, unknown>>;
  const y = loss === '' ? Number.NaN : Number(loss ?? Number.NaN);
  const x = [updates, step, epoch].find((each) => each !== undefined && Number.isFinite(Number(each)));
  return Number.isFinite(y) ? [{ x: x === undefined ? index + 1 : Number(x), y }] : [];
}

function csvRecords(text: string): Record<string, string>[] {
  const [header = '', ...lines] = text.trim().split(/\r?\n/);
  const names = header.split(/[,\t;]/);
  if (!names.some((name) => LOSSES.includes(name))) return [];
  return lines.map((line) => {
    const cells = line.split(/[,\t;]/);
    return Object.fromEntries(names.map((name, n) => [name, cells[n] ?? '']));
  });
}

/** The numbers of a training record. */
export interface RunScores {
  run: string;
  values: Readonly<Record<string, number>>;
}

const MAX_SCORES = 60;

/**
 * Returns the first 60 numbers of a training.json by path, such as `leaderboard.lstm.mase`; null if there are none, and for
 * another file.
 */
export function scoresOf(path: string, text: string): RunScores | null {
  if (!/(^|\/)training\.json$/.test(path)) return null;
  const entries = parsed(text).flatMap((value) => numbersIn(value, ''));
  if (entries.length === 0) return null;
  return {
    run: path.replace(/\/?training\.json$/, '') || path,
    values: Object.fromEntries(entries.slice(0, MAX_SCORES)),
  };
}

function numbersIn(value: unknown, name: string): [string, number][] {
  if (typeof value === 'number') return [[name, value]];
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const title = Array.isArray(value) ? titleOf(member, key) : key;
    return numbersIn(member, name === '' ? title : `${name}.${title}`);
  });
}

/** Returns the model, name or label of an entry of a list, otherwise its index. */
function titleOf(member: unknown, key: string): string {
  const { model, name, label } = (member ?? {}) as Readonly<Record<string, unknown>>;
  return [model, name, label].find((each): each is string => typeof each === 'string') ?? key;
}
