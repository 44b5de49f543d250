/** Reads loss curves and scores from the files of a run: CSV logs, events as NDJSON, and training records (JSON). */
import type { ComparedRun } from './compare.js';

interface Point {
  x: number;
  y: number;
}

const LOSSES = ['validationLoss', 'val_loss', 'loss'];

/** Returns the loss curves in a file; empty if it has none. */
export function curvesOf(path: string, text: string): ComparedRun[] {
  if (/\.(ndjson|jsonl|log)$/.test(path)) return curvesFromList(path, text.split('\n').flatMap(parseJson));
  if (path.endsWith('.json')) return parseJson(text).flatMap((value) => curvesInRecord(value, path));
  return /\.(csv|tsv)$/.test(path) ? curvesFromList(path, csvRecords(text)) : [];
}

/** Returns an array with the parsed JSON; the array is empty if the text is empty or invalid. */
function parseJson(text: string): unknown[] {
  try {
    return text.trim() === '' ? [] : [JSON.parse(text)];
  } catch {
    return [];
  }
}

/** Returns the loss curves of all lists of epochs in a part of a training record. */
function curvesInRecord(value: unknown, path: string): ComparedRun[] {
  if (Array.isArray(value)) {
    const found = curvesFromList(path, value);
    return found.length > 0 ? found : value.flatMap((entry, n) => curvesInRecord(entry, `${path} ${n + 1}`));
  }
  if (value === null || typeof value !== 'object') return [];
  return Object.entries(value).flatMap(([name, member]) => curvesInRecord(member, `${path} ${name}`));
}

function curvesFromList(name: string, records: readonly unknown[]): ComparedRun[] {
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
  const x = [updates, step, epoch].find(
    (position) => position !== undefined && Number.isFinite(Number(position)),
  );
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
 * Returns the first 60 numbers of a training.json, each with its path in the JSON, such as `leaderboard.lstm.mase`; null if
 * there are no numbers or the file is not a training.json.
 */
export function scoresOf(path: string, text: string): RunScores | null {
  if (!/(^|\/)training\.json$/.test(path)) return null;
  const entries = parseJson(text).flatMap((value) => numbersIn(value, ''));
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
  return [model, name, label].find((title): title is string => typeof title === 'string') ?? key;
}
