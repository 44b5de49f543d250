/** `unroll inspect`: describes a saved model without running it: task, layers, weights and training record. */
import { ready } from '@unroll/core';
import { decodeUtf8, type Json, parseStrictJson } from '@unroll/core/internal';
import { fromArtifact, readSafetensors } from '@unroll/formats';
import { type Task, type TaskFact, taskFormat, taskModelFromFiles } from '@unroll/tasks';
import { type OptionSpecs, parseOptions, UsageError } from './args.js';
import { readModelFiles } from './model-files.js';
import { alignColumns } from './reporter.js';
import type { Verb } from './verb.js';

const OPTIONS = { json: { type: 'boolean' }, help: { type: 'boolean' } } as const satisfies OptionSpecs;
const [CONFIG, WEIGHTS, TRAINING] = ['config.json', 'model.safetensors', 'training.json'];

const HELP = `Usage: unroll inspect <model> [--json]

Describes a saved model (a folder or a zip): task, layers with output shapes and numbers of parameters, weights, and the
training run. <model> may also be a model saved with model.save().

  --json                print one JSON object to stdout
`;

interface Layers {
  /** The table of model.summary(). */
  summary: string;
  layers: { name: string; type: string; shapes: number[][] | null; parameters: number; from: string[] }[];
  parameters: { total: number; trainable: number };
  weights: { file: string; bytes: number; types: string[] };
}

interface Inspection {
  /** Null for a model without a task; `known`: whether this version supports it. */
  task: { name: string; version: number; known: boolean } | null;
  facts: TaskFact[];
  /** Null for a model without a network. */
  network: Layers | null;
  /** The content of training.json; null if there is none. */
  training: Json;
}

export const inspect: Verb = {
  about: 'describe a saved model',
  help: () => HELP,
  async run(args, { tasks }) {
    const parsed = parseOptions(args, OPTIONS);
    const [path, ...extra] = parsed.positionals;
    if (path === undefined || extra.length > 0)
      throw new UsageError('Exactly one model is required: unroll inspect <model folder>');
    const files = await readModelFiles(path);
    await ready();
    const found = inspection(files, tasks);
    if (parsed.values.json !== true) return void process.stdout.write(asText(path, found));
    const { network, ...rest } = found;
    const { summary: _, ...numbers } = network ?? {};
    process.stdout.write(`${JSON.stringify({ model: path, ...rest, network: network && numbers })}\n`);
  },
};

function inspection(files: ReadonlyMap<string, Uint8Array>, tasks: readonly Task[]): Inspection {
  if (!files.has(CONFIG) && !files.has('pipeline.json')) {
    throw new UsageError('No model found: config.json and pipeline.json are missing.');
  }
  const format = taskFormat(files);
  const task = tasks.find(({ name }) => name === format?.task);
  const known = format !== null && task !== undefined && format.version <= task.version;
  const bytes = files.get(TRAINING);
  return {
    task: format && { name: format.task, version: format.version, known },
    facts: known ? taskModelFromFiles(files, tasks).describe() : [],
    network: files.has(CONFIG) ? layersOf(files) : null,
    training: bytes === undefined ? null : parseStrictJson(decodeUtf8(bytes, TRAINING), TRAINING),
  };
}

function layersOf(files: ReadonlyMap<string, Uint8Array>): Layers {
  const { model } = fromArtifact(files);
  const bytes = files.get(WEIGHTS) ?? new Uint8Array();
  const types = [...readSafetensors(bytes).tensors.values()].map(({ dtype }) => dtype);
  const trainable = model.parameters.filter((parameter) => parameter.trainable);
  return {
    summary: model.summary(),
    layers: model.summaryRows().map(({ layer, shapes, from }) => ({
      name: layer.name,
      type: layer.className,
      shapes: shapes?.map((shape) => [...shape]) ?? null,
      parameters: layer.countParams(),
      from: [...from],
    })),
    parameters: {
      total: model.countParams(),
      trainable: trainable.reduce((sum, { size }) => sum + size, 0),
    },
    weights: { file: WEIGHTS, bytes: bytes.length, types: [...new Set(types)] },
  };
}

function asText(path: string, { task, facts, network, training }: Inspection): string {
  const unknown = task?.known === false ? ', not supported by this version' : '';
  const named = task === null ? 'none' : `${task.name}, format version ${task.version}${unknown}`;
  const parts = [
    lines([['model', path], ['task', named], ...facts.map(({ name, value }): Line => [name, shown(value)])]),
  ];
  if (network !== null) {
    const { file, bytes, types } = network.weights;
    const weights = `${file}, ${bytes.toLocaleString('en-US')} bytes, ${types.map(typeName).join(', ') || 'empty'}`;
    parts.push(network.summary, lines([['weights', weights]]));
  }
  parts.push(training === null ? 'No training record.' : trainingText(training));
  return `${parts.join('\n\n')}\n`;
}

type Line = [name: string, text: string];

function lines(rows: readonly Line[]): string {
  const width = Math.max(...rows.map(([name]) => name.length)) + 2;
  return rows.map(([name, text]) => `${name.padEnd(width)}${text}`).join('\n');
}

const TYPES: Readonly<Record<string, string>> = {
  F16: 'float16',
  BF16: 'bfloat16',
  F32: 'float32',
  F64: 'float64',
};
const typeName = (dtype: string): string => TYPES[dtype] ?? dtype;

function shown(value: Json): string {
  if (value === null) return '-';
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  if (Array.isArray(value)) return value.map(shown).join(', ') || 'none';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** The training record: names and values, and lists of records as tables. */
function trainingText(training: Json): string {
  const flat = flattened(training, '');
  const tables = flat.filter(({ value }) => isTable(value));
  const rest = flat
    .filter(({ value }) => !isTable(value))
    .map(({ name, value }): Line => [name, shown(value)]);
  return [
    `Trained:\n${rest.length === 0 ? '' : lines(rest)}`,
    ...tables.map(({ name, value }) => `${name}:\n${tableText(value)}`),
  ].join('\n\n');
}

/** Members of objects as `data.rows`. */
function flattened(value: Json, name: string): TaskFact[] {
  if (!isObject(value)) return [{ name: name || 'record', value }];
  return Object.entries(value).flatMap(([key, member]) =>
    flattened(member, name === '' ? key : `${name}.${key}`),
  );
}

const isTable = (value: Json): value is { [key: string]: Json }[] =>
  Array.isArray(value) && value.length > 0 && value.every(isObject);

function tableText(value: Json): string {
  const rows = (value as Json[]).map((each) => flattened(each, ''));
  const names = [...new Set(rows.flat().map(({ name }) => name))];
  const cells = rows.map((row) =>
    names.map((name) => shown(row.find((each) => each.name === name)?.value ?? null)),
  );
  return alignColumns([names, ...cells]).join('\n');
}
