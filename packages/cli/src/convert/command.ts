/** `unroll convert`: converts a model from one format to another. */
import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { ready, UnrollError } from '@unroll/core';
import { decodeUtf8, parseStrictJson } from '@unroll/core/internal';
import { ARTIFACT_FILES, toZip } from '@unroll/formats';
import type { ByteSource, ExportOptions, ImportedModel, ModelFormat } from '@unroll/formats/convert';
import {
  integerOption,
  numberOption,
  type OptionSpecs,
  type ParsedArgs,
  parseOptions,
  textOption,
  UsageError,
} from '../shared/args.js';
import type { Command } from '../shared/command.js';
import { reasonOf, writeAtomically } from '../shared/files.js';
import { Reporter } from '../shared/reporter.js';
import { openModelFile } from './open.js';
import { reportLines } from './report.js';
import {
  type ComparedFile,
  type Comparison,
  compareWithData,
  compareWithFile,
  comparisonLine,
} from './verify.js';

const OPTIONS = {
  to: { type: 'string' },
  from: { type: 'string' },
  opset: { type: 'string' },
  streaming: { type: 'boolean' },
  float16: { type: 'boolean' },
  'weights-beside': { type: 'boolean' },
  map: { type: 'string' },
  verify: { type: 'string' },
  tolerance: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean' },
} as const satisfies OptionSpecs;

const HELP = `Usage: unroll convert <in> <out> [options]

Converts a model between Unroll, Keras, PyTorch and ONNX. The input format is detected from the
content of <in>, the output format from the extension of <out>; --from and --to override them.
Prints how each layer or tensor was converted.

  unroll convert model.keras model.onnx
  unroll convert weights.pt model            to a model folder, for load() in a program
  unroll convert model app.js                to one ES module that exports predict()

Options
  --from <format>       format of <in>: FORMATS
  --to <format>         format of <out>: WRITABLE
  --opset <n>           ONNX: version of the operator set to write (default: 17)
  --streaming           ONNX: write the states of recurrent layers as inputs and outputs
  --float16             Unroll and app.js: store the weights in 16 bits
  --weights-beside      app.js: store the weights in a separate file next to the module
  --map <file>          PyTorch and safetensors: JSON file with settings that a state dict lacks,
                        such as activations
  --map template        write such a map to <out>, a .json file, instead of a model
  --verify <data.npz>   compare the outputs for recorded inputs (array x, or one array per input
                        name) with recorded outputs (array y, or one array per output name)
  --verify random       compare the outputs of the model and of the written file for random inputs;
                        an ONNX file is run by ONNX Runtime, other files are read back by Unroll
  --tolerance <t>       --verify fails, with exit code 1, if an error exceeds t · max(1, |y|)
                        (default: 1e-4)
  --json                print the result to stdout as JSON, and text to stderr
`;

export const convert: Command = {
  about: 'convert a model between Unroll, Keras, PyTorch and ONNX',
  async help() {
    const { formatNames, formatNamed } = await import('@unroll/formats/convert');
    const formats = await Promise.all(formatNames().map(formatNamed));
    const writable = formats.filter(({ write }) => write !== undefined).map(({ name }) => name);
    const names = formatNames().filter((name) => name !== 'app');
    return HELP.replace('FORMATS', names.join(', ')).replace('WRITABLE', writable.join(', '));
  },
  async run(args) {
    const parsed = parseOptions(args, OPTIONS);
    const [input, output, ...extra] = parsed.positionals;
    if (input === undefined || output === undefined || extra.length > 0)
      throw new UsageError('Exactly one input and one output are required: unroll convert <in> <out>');
    if (resolve(input) === resolve(output)) throw new UsageError(`<in> and <out> are the same: ${input}.`);
    const reporter = new Reporter({ json: parsed.values.json === true, quiet: false });
    if (parsed.values.map === 'template') return writeTemplate(input, output, parsed, reporter);
    const target = await targetFormat(parsed, output);
    const options = exportOptions(parsed, output);
    const map = mapOf(parsed);
    const { source, format } = await openModelFile(input, textOption(parsed, 'from'));
    await ready();
    const imported = await format.read(source, { map });
    for (const line of reportLines({ input, format, imported })) reporter.print(line);
    const files = await filesOf(imported, target, options);
    const conversion = { input, output, source, format, target, imported, files };
    const comparisons = await verify(conversion, parsed);
    for (const comparison of comparisons) reporter.print(comparisonLine(comparison));
    if (comparisons.some(({ passes }) => !passes))
      throw new UnrollError('state', 'The outputs differ by more than the tolerance. No files were written.');
    const written = writeFiles(files, output, target);
    reporter.print(`written  ${output}: ${target.title}, ${written.bytes.toLocaleString('en-US')} bytes`);
    reporter.report({
      event: 'result',
      ...resultOf(conversion),
      ...written,
      verify: comparisons.map((comparison) => ({ ...comparison })),
    });
  },
};

/** `--map template`: writes a map with all entries that can be read from the file, for the user to complete. */
async function writeTemplate(
  input: string,
  output: string,
  args: ParsedArgs,
  reporter: Reporter,
): Promise<void> {
  const { source, format } = await openModelFile(input, textOption(args, 'from'));
  if (!format.template) throw new UsageError(`${input} is ${format.title}, which needs no map.`);
  if (!output.endsWith('.json'))
    throw new UsageError(`--map template writes a JSON file: <out> must end in .json, got ${output}.`);
  const text = `${JSON.stringify(await format.template(source), null, 2)}\n`;
  writeAtomically(dirname(output), new Map([[basename(output), text]]));
  reporter.print(`written  ${output}: complete it, then pass --map ${output}`);
  reporter.report({ event: 'result', in: input, map: output });
}

/** Returns the format to write. @throws UsageError if the format is unknown or cannot be written */
async function targetFormat(args: ParsedArgs, output: string): Promise<ModelFormat> {
  const { formatNamed, formatOfExtension } = await import('@unroll/formats/convert');
  const name = textOption(args, 'to') ?? (/\.\w+$/.test(basename(output)) ? undefined : 'unroll');
  const format = name === undefined ? await formatOfExtension(output) : await formatNamed(name);
  if (format === null)
    throw new UsageError(
      `The format of ${output} is unknown. Name it with --to <format>; unroll convert --help lists the formats.`,
    );
  if (format.write === undefined)
    throw new UsageError(`Unroll reads the format ${format.name}, but does not write it.`);
  return format;
}

function exportOptions(args: ParsedArgs, output: string): ExportOptions {
  const opset = integerOption(args, 'opset');
  const { values } = args;
  return {
    name: stemOf(output),
    ...(opset !== undefined && { opset }),
    ...(values.streaming === true && { streaming: true }),
    ...(values.float16 === true && { weights: 'float16' }),
    ...(values['weights-beside'] === true && { weightsBeside: true }),
  };
}

/** Returns the name of a file without its extension. */
const stemOf = (path: string): string => basename(path).replace(/\.\w+$/, '');

/** Returns the content of the file of `--map`; undefined if it is not given. */
function mapOf(args: ParsedArgs): unknown {
  const path = textOption(args, 'map');
  if (path === undefined) return undefined;
  try {
    return parseStrictJson(decodeUtf8(readFileSync(path), path), path);
  } catch (error) {
    if (error instanceof UnrollError) throw error;
    throw new UsageError(`--map ${path}: ${reasonOf(error, 'cannot be read')}.`);
  }
}

interface WrittenFiles {
  files: string[];
  bytes: number;
}

/**
 * Returns the files of a model by name. The name '' is the path of the output; a name that begins with a dot, such as `.d.ts`, is
 * this path with another extension.
 */
async function filesOf(
  { model, optimizer }: ImportedModel,
  target: ModelFormat,
  options: ExportOptions,
): Promise<Map<string, Uint8Array>> {
  return (await target.write?.(model, { ...options, ...(optimizer && { optimizer }) })) ?? new Map();
}

/** Writes a model to a file or a folder. No file is ever incomplete. */
function writeFiles(
  files: ReadonlyMap<string, Uint8Array>,
  output: string,
  target: ModelFormat,
): WrittenFiles {
  const isZip = target.name === 'unroll' && output.endsWith('.zip');
  const content = isZip ? new Map([['', toZip(files)]]) : files;
  const bytes = [...content.values()].reduce((sum, { length }) => sum + length, 0);
  if (!content.has('')) {
    writeAtomically(output, content, target.name === 'unroll' ? ARTIFACT_FILES : []);
    return { files: [...content.keys()], bytes };
  }
  const nameOf = (name: string): string =>
    name === '' ? basename(output) : name.startsWith('.') ? `${stemOf(output)}${name}` : name;
  const named = new Map([...content].map(([name, bytesOfFile]) => [nameOf(name), bytesOfFile]));
  writeAtomically(dirname(output), named);
  return { files: [...named.keys()], bytes };
}

/** Compares the outputs as `--verify` requests. Returns an empty list without this option. */
async function verify(
  { imported, output, source, format, target, files }: Conversion,
  args: ParsedArgs,
): Promise<Comparison[]> {
  const reference = textOption(args, 'verify');
  const tolerance = numberOption(args, 'tolerance', 'above 0', (x) => x > 0) ?? 1e-4;
  if (reference === undefined) return [];
  if (reference !== 'random') return compareWithData(imported.model, reference, tolerance);
  const { bytesSource } = await import('@unroll/formats/convert');
  const bytes = files.get('') ?? toZip(files);
  const written = { source: bytesSource(bytes, basename(output)), format: target };
  const comparedFiles: ComparedFile[] = [written];
  // If the input format has a runtime, the input file is also compared.
  if (format.run) comparedFiles.push({ source, format, comparesLayers: true });
  const compared = await Promise.all(
    comparedFiles.map((file) => compareWithFile(imported.model, file, tolerance)),
  );
  return compared.flat();
}

interface Conversion {
  input: string;
  output: string;
  source: ByteSource;
  format: ModelFormat;
  target: ModelFormat;
  imported: ImportedModel;
  files: ReadonlyMap<string, Uint8Array>;
}

const resultOf = ({ input, output, format, target, imported: { model, report } }: Conversion) => ({
  ...{ in: input, out: output, from: format.name, to: target.name },
  parameters: model.countParams(),
  layers: model.layers.length,
  report: { mapped: report.mapped, defaulted: report.defaulted, dropped: report.dropped },
});
