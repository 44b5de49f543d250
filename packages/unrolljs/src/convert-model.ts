/** Reads and writes models of any format, and describes files. */
import { ready, valueError } from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import {
  type AxisOrder,
  type ByteSource,
  blobSource,
  bytesSource,
  type ExportOptions,
  type FileDescription,
  type FormatName,
  formatNamed,
  formatOfFile,
  type ImportOptions,
  type ImportReport,
  type ModelFormat,
  type OptimizerRecord,
} from '@unroll/formats/convert';
import { Network } from '@unroll/nn';
import type { OptimizerName } from '@unroll/train';
import { sourceAt } from '#sources';
import { type CompileOptions, continueTraining, type Trainable, trainable } from './trainable.js';

/** A path (in Node), a URL, the bytes of a file, or a File such as one that was dropped on a page. */
export type ModelSource = string | Uint8Array | Blob;

export interface ImportModelOptions extends ImportOptions {
  /** The format of the file. Default: recognised by the content and the extension of the file. */
  format?: FormatName;
}

export interface Imported {
  /**
   * The model, which can be trained, streamed and saved like any other. If the file has a loss and an optimizer that Unroll has,
   * the model is compiled, and training continues with the optimizer's state.
   */
  model: Network & Trainable;
  /** What was mapped, set to a default, or dropped. */
  report: ImportReport;
  /** The optimizer and its state, for {@link resumeTraining}; null if the file has none. */
  optimizer: OptimizerRecord | null;
  /** ONNX only: the order of the axes of inputs and outputs in the file, where the batch may not be the first axis. */
  axes?: { inputs: readonly AxisOrder[]; outputs: readonly AxisOrder[] };
}

/**
 * Reads a model of any format. Nothing in the file is executed.
 * @throws UnrollError `format` for a damaged file, `value` with the name of a layer or an op that Unroll does not have
 */
export async function importModel(source: ModelSource, options: ImportModelOptions = {}): Promise<Imported> {
  checkOptions('importModel', options, { format: 'string', map: true, model: true, files: true });
  const { format: name, ...importOptions } = options;
  const file = await openSource(source);
  return importFrom(
    file,
    name === undefined ? await formatOfFile(file) : await formatNamed(name),
    importOptions,
  );
}

/** Describes a file without reading its weights. @throws UnrollError `format` for a damaged file */
export async function describeModel(source: ModelSource): Promise<FileDescription> {
  const file = await openSource(source);
  return (await formatOfFile(file)).describe(file);
}

/** Reads a file that must have one of the given formats. @throws UnrollError `value` for a file of another format */
export async function importOneOf(
  source: ModelSource,
  names: readonly FormatName[],
  options: ImportOptions = {},
): Promise<Imported> {
  const file = await openSource(source);
  const format = await formatOfFile(file);
  if (names.includes(format.name)) return importFrom(file, format, options);
  const expected = (await Promise.all(names.map(formatNamed))).map(({ title }) => title).join(' or ');
  throw valueError(`${file.name} is ${format.title}, expected ${expected}.`, { format: format.name });
}

/**
 * Converts a model to a format. Returns the contents of the files: under the key '' the model itself, under an extension such
 * as `.py` a file beside it.
 */
export async function exportTo(
  model: Network,
  name: FormatName,
  options?: ExportOptions,
): Promise<ReadonlyMap<string, Uint8Array>> {
  if (!(model instanceof Network)) throw valueError('Only sequential and functional models can be exported.');
  await ready();
  const { write } = await formatNamed(name);
  return (await write?.(model, options)) ?? new Map();
}

async function importFrom(file: ByteSource, format: ModelFormat, options: ImportOptions): Promise<Imported> {
  await ready();
  const { model: network, report, optimizer, compile, axes } = await format.read(file, options);
  const model = 'compile' in network ? (network as Network & Trainable) : trainable(network);
  if (compile?.loss !== undefined && optimizer) resumeTraining(model, optimizer, compile as ResumeOptions);
  return { model, report, optimizer, ...(axes && { axes }) };
}

export type ResumeOptions = Omit<CompileOptions, 'optimizer'>;

/**
 * Compiles an imported model with the optimizer of its file and restores the optimizer's state; `fit` then continues training.
 * Not needed for files that also contain a loss, such as Keras files: importing them returns a compiled model.
 * @param options the loss, the metrics and other options of `compile`
 */
export function resumeTraining<M extends Network & Trainable>(
  model: M,
  optimizer: OptimizerRecord,
  options: ResumeOptions,
): M {
  const { name, options: settings, iterations, slots } = optimizer;
  model.compile({ ...options, optimizer: { name: name as OptimizerName, ...settings } });
  if (iterations > 0) continueTraining(model, { updates: iterations, slots });
  return model;
}

async function openSource(source: ModelSource): Promise<ByteSource> {
  if (typeof source === 'string') return sourceAt(source);
  if (source instanceof Uint8Array) return bytesSource(source);
  if (source instanceof Blob) return blobSource(source);
  throw valueError(`A model must be a path, a URL, bytes or a File, got ${formatValue(source)}.`);
}
