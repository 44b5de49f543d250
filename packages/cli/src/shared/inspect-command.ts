/**
 * `unroll inspect`: describes a saved model (task, layers, weights, training record). inspect/data.ts measures the model on
 * an example.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ready } from '@unroll/core';
import { decodeUtf8, type Json, parseStrictJson } from '@unroll/core/internal';
import { fromArtifact, readSafetensors } from '@unroll/formats';
import { type Task, type TaskFact, taskFormat, taskModelFromFiles } from '@unroll/tasks';
import { openModelFile } from '../convert/open.js';
import { descriptionText } from '../convert/report.js';
import { checkDataOptions, DATA_HELP, DATA_OPTIONS, requestsMeasurement } from '../inspect/options.js';
import { type OptionSpecs, parseOptions, UsageError } from './args.js';
import type { Command } from './command.js';
import { readModelFiles } from './model-files.js';
import { alignColumns } from './reporter.js';

const OPTIONS = {
  json: { type: 'boolean' },
  help: { type: 'boolean' },
  ...DATA_OPTIONS,
} as const satisfies OptionSpecs;
const [CONFIG, WEIGHTS, TRAINING] = ['config.json', 'model.safetensors', 'training.json'];

const HELP = `Usage: unroll inspect <model> [options]

Describes a model that unroll train or unroll forecast has written (a folder or a zip): task, layers
with output shapes and numbers of parameters, weights, and the training run. <model> may also be a
model that a program saved with model.save(), or a file of another tool (Keras, PyTorch, ONNX,
safetensors). For a file of another tool, the command prints the layers or nodes, and the names,
shapes and types of the tensors, without loading the weights.

  --json                print one JSON object to stdout
${DATA_HELP}`;

interface NetworkInfo {
  /** The table of model.summary(). */
  summary: string;
  layers: { name: string; type: string; shapes: number[][] | null; parameters: number; from: string[] }[];
  parameters: { total: number; trainable: number };
  weights: { file: string; bytes: number; types: string[] };
}

/** The object that `--json` prints, without the path of the model. */
interface Inspection {
  /** Null for a model without a task. `known`: whether this version of Unroll supports the task. */
  task: { name: string; version: number; known: boolean } | null;
  /** What the model says about itself, by name, such as its target column and horizon (`TaskModel.describe`). */
  facts: TaskFact[];
  /** Null for a model without a network. */
  network: NetworkInfo | null;
  /** The content of training.json; null if there is none. */
  training: Json;
}

export const inspect: Command = {
  about: 'describe a saved model',
  help: () => HELP,
  async run(args, { tasks }) {
    const parsed = parseOptions(args, OPTIONS);
    const [path, ...extra] = parsed.positionals;
    if (path === undefined || extra.length > 0)
      throw new UsageError('Exactly one model is required: unroll inspect <model folder>');
    checkDataOptions(parsed);
    if (isOtherFile(path)) return inspectOther(path, parsed.values.json === true);
    const files = await readModelFiles(path);
    if (!files.has(CONFIG) && !files.has('pipeline.json')) {
      if (existsSync(join(path, 'model.json')) || path.endsWith('.zip'))
        return inspectOther(path, parsed.values.json === true);
      throw new UsageError(`${path}: no model found, because config.json and pipeline.json are missing.`);
    }
    await ready();
    const inspection = inspectFiles(files, tasks);
    const text = inspectionText(path, inspection);
    if (requestsMeasurement(parsed)) {
      if (parsed.values.json === true)
        throw new UsageError(
          '--json describes the model only: leave out --data, --text, --row and --report.',
        );
      const { measureModel } = await import('../inspect/data.js');
      const found = await measureModel(parsed, { path, files, tasks, text });
      return void process.stdout.write(`${text}${found}\n`);
    }
    if (parsed.values.json !== true) return void process.stdout.write(text);
    const { network, ...others } = inspection;
    const { summary: _, ...networkData } = network ?? {};
    process.stdout.write(`${JSON.stringify({ model: path, ...others, network: network && networkData })}\n`);
  },
};

/** True if the path is a file of another tool: a model of Unroll is a folder or a .zip file. */
const isOtherFile = (path: string): boolean =>
  !path.endsWith('.zip') && statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** Describes a file of another tool. */
async function inspectOther(path: string, json: boolean): Promise<void> {
  const { source, format } = await openModelFile(path);
  const description = await format.describe(source);
  process.stdout.write(
    json ? `${JSON.stringify({ model: path, ...description })}\n` : descriptionText(path, description),
  );
}

function inspectFiles(files: ReadonlyMap<string, Uint8Array>, tasks: readonly Task[]): Inspection {
  const format = taskFormat(files);
  const task = tasks.find(({ name }) => name === format?.task);
  const known = format !== null && task !== undefined && format.version <= task.version;
  const bytes = files.get(TRAINING);
  return {
    task: format && { name: format.task, version: format.version, known },
    facts: known ? taskModelFromFiles(files, tasks).describe() : [],
    network: files.has(CONFIG) ? networkInfo(files) : null,
    training: bytes === undefined ? null : parseStrictJson(decodeUtf8(bytes, TRAINING), TRAINING),
  };
}

function networkInfo(files: ReadonlyMap<string, Uint8Array>): NetworkInfo {
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

function inspectionText(path: string, { task, facts, network, training }: Inspection): string {
  const unsupported = task?.known === false ? ', not supported by this version' : '';
  const taskText = task === null ? 'none' : `${task.name}, format version ${task.version}${unsupported}`;
  const parts = [
    alignTexts([
      ['model', path],
      ['task', taskText],
      ...facts.map(({ name, value }): Line => [name, formatValue(value)]),
    ]),
  ];
  if (network !== null) {
    const { file, bytes, types } = network.weights;
    const weights = `${file}, ${bytes.toLocaleString('en-US')} bytes, ${types.map(typeName).join(', ') || 'empty'}`;
    parts.push(network.summary, alignTexts([['weights', weights]]));
  }
  parts.push(training === null ? 'No training record.' : trainingText(training));
  return `${parts.join('\n\n')}\n`;
}

type Line = [name: string, text: string];

/** Aligns the texts in a column to the right of the names. */
function alignTexts(rows: readonly Line[]): string {
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

function formatValue(value: Json): string {
  if (value === null) return '-';
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  if (Array.isArray(value)) return value.map(formatValue).join(', ') || 'none';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

const isObject = (value: Json): value is { [key: string]: Json } =>
  value !== null && typeof value === 'object' && !Array.isArray(value);

/** Formats the training record: one value per line, then each list of objects as a table. */
function trainingText(training: Json): string {
  const fields = flatten(training, '');
  const tables = fields.filter(({ value }) => isTable(value));
  const lines = fields
    .filter(({ value }) => !isTable(value))
    .map(({ name, value }): Line => [name, formatValue(value)]);
  return [
    `Trained:\n${lines.length === 0 ? '' : alignTexts(lines)}`,
    ...tables.map(({ name, value }) => `${name}:\n${tableText(value)}`),
  ].join('\n\n');
}

/** Returns the values of nested objects under names such as `data.rows`. */
function flatten(value: Json, name: string): TaskFact[] {
  if (!isObject(value)) return [{ name: name || 'record', value }];
  return Object.entries(value).flatMap(([key, member]) =>
    flatten(member, name === '' ? key : `${name}.${key}`),
  );
}

const isTable = (value: Json): value is { [key: string]: Json }[] =>
  Array.isArray(value) && value.length > 0 && value.every(isObject);

function tableText(value: Json): string {
  const rows = (value as Json[]).map((record) => flatten(record, ''));
  const names = [...new Set(rows.flat().map(({ name }) => name))];
  const cells = rows.map((row) =>
    names.map((name) => formatValue(row.find((field) => field.name === name)?.value ?? null)),
  );
  return alignColumns([names, ...cells]).join('\n');
}
