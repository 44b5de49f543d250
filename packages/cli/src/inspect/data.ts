/** `unroll inspect --data` and `--report`: measures a model on one example. */
import { basename, dirname } from 'node:path';
import { ready } from '@unroll/core';
import { fromArtifact } from '@unroll/formats';
import { weightStatistics } from '@unroll/insight';
import { type Task, taskFormat, taskModelFromFiles } from '@unroll/tasks';
import { integerOption, type ParsedArgs, textOption, UsageError } from '../shared/args.js';
import { writeAtomically } from '../shared/files.js';
import { readData } from '../shared/predict-command.js';
import { alignColumns, Reporter } from '../shared/reporter.js';
import { type ModelMeasurements, measure } from './measure.js';
import { inspectionPage, memoryText, SATURATION_HEAD, saturationRows } from './page.js';

/**
 * Measures the model, and writes the page of `--report`.
 * @param text the description of the model
 * @returns what to print after the description
 */
export async function measureModel(
  args: ParsedArgs,
  {
    path,
    files,
    tasks,
    text,
  }: { path: string; files: ReadonlyMap<string, Uint8Array>; tasks: readonly Task[]; text: string },
): Promise<string> {
  const report = textOption(args, 'report');
  if (report !== undefined && !/\.html?$/i.test(report))
    throw new UsageError(`--report must be the name of an HTML file, such as out.html, got ${report}.`);
  const hasData = textOption(args, 'data') !== undefined || textOption(args, 'text') !== undefined;
  if (textOption(args, 'row') !== undefined && !hasData)
    throw new UsageError('--row needs --data or --text.');
  await ready();
  const measured = hasData ? await measureExample(args, files, tasks) : await measureWeights(files);
  const lines = [exampleText(measured)];
  if (report !== undefined) {
    writeAtomically(dirname(report), new Map([[basename(report), inspectionPage(path, text, measured)]]));
    lines.push(`written  ${report}`);
  }
  return lines.filter(Boolean).join('\n');
}

async function measureWeights(files: ReadonlyMap<string, Uint8Array>): Promise<ModelMeasurements> {
  if (!files.has('config.json'))
    throw new UsageError('The model has no network: there are no weights to report.');
  return { weights: await weightStatistics(fromArtifact(files).model), example: null };
}

async function measureExample(
  args: ParsedArgs,
  files: ReadonlyMap<string, Uint8Array>,
  tasks: readonly Task[],
): Promise<ModelMeasurements> {
  if (taskFormat(files) === null)
    throw new UsageError(
      '--data and --text need a model of a task, such as one written by unroll train or unroll forecast: this model does not store how to read its inputs.',
    );
  const model = taskModelFromFiles(files, tasks);
  if (model.example === undefined)
    throw new UsageError(`Models of the format ${model.format} cannot be inspected with --data.`);
  const reporter = new Reporter({ json: true, quiet: false });
  const { rows, file } = await readData(args, model, reporter);
  const text = textOption(args, 'text');
  const request = { rows, file, texts: text === undefined ? undefined : [text] };
  const row = integerOption(args, 'row');
  return measure(await model.example(request, row === undefined ? undefined : row - 1));
}

function exampleText({ example }: ModelMeasurements): string {
  if (example === null) return '';
  const { title, memory, saturation } = example;
  const rows = alignColumns([SATURATION_HEAD, ...saturationRows(saturation)]);
  return `\nOn the example "${shortened(title)}":\n${memoryText(memory)}\n\n${rows.join('\n')}\n`;
}

const shortened = (text: string): string => (text.length > 100 ? `${text.slice(0, 99)}…` : text);
