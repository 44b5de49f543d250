/**
 * `npm run bench:start`: measures the time from process start to the first prediction, and the peak memory of a
 * training run; then the start, latency and throughput of text classifiers. Every run starts a new process, and the engines
 * alternate. Prints the medians as Markdown tables.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { lstm, sequential } from 'unrolljs';
import { makeData } from './data.js';
import { pythonPath } from './engines.js';
import { onnxModel } from './onnx/model.js';
import { parsedOrExit, positiveInteger } from './options.js';
import { parseRow } from './rows.js';
import { printClassifiers } from './start/classifier.js';
import { PREDICT_SIZES } from './start/task.js';

const HELP = `npm run bench:start -- [options]

  --rounds N       number of processes per engine, default 15; for the peak memory, a fifth of them
  --python PATH    a Python that has PyTorch, default bench/peers/.venv
`;

/** An engine and the command that runs a task with it. */
interface Engine {
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Writes the model of the prediction task in the formats of Unroll and ONNX. @returns the paths */
async function writeModels(folder: string): Promise<{ artifact: string; onnx: string }> {
  const { H, I, T } = PREDICT_SIZES;
  const row = parseRow(`lstm-${I}-${H}-1-${T}`);
  const files = { artifact: join(folder, 'lstm'), onnx: join(folder, 'lstm.onnx') };
  writeFileSync(files.onnx, onnxModel(row, makeData(row, 'infer'), false));
  const model = sequential([lstm({ units: H })]);
  model.build([[-1, T, I]]);
  await model.save(files.artifact);
  return files;
}

function engines(python: string, { artifact, onnx }: { artifact: string; onnx: string }): Engine[] {
  const node = (script: string, name: string, backend: string): Engine => ({
    name,
    command: process.execPath,
    args: [here(`start/${script}.js`), artifact],
    env: { UNROLL_BACKEND: backend, UNROLL_THREADS: '1' },
  });
  return [
    node('unroll', 'Unroll, native', 'native'),
    node('unroll', 'Unroll, WebAssembly', 'wasm:single'),
    { name: 'onnxruntime-node', command: process.execPath, args: [here('start/ort.js'), onnx] },
    node('tfjs', 'TensorFlow.js, WebAssembly', ''),
    { name: 'PyTorch', command: python, args: [here('../peers/start.py')] },
  ];
}

interface Outcome {
  /** Milliseconds from the start of the process to the end of its task. */
  ms: number;
  /** Peak memory of the process, in MB. */
  megabytes: number;
}

/** Runs a task in a new process. @returns the outcome, or the reason why the task failed */
function runTask({ command, args, env }: Engine, task: string): Outcome | string {
  const started = Date.now();
  const { stdout, stderr, error, status } = spawnSync(command, [...args, task], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 300_000,
  });
  if (error) return error.message;
  const line = stdout.trim().split('\n').at(-1) ?? '';
  if (status !== 0 || !line.startsWith('{'))
    return stderr.trim().split('\n').at(-1) || `exited with code ${status}`;
  const { doneAt, kilobytes } = JSON.parse(line) as { doneAt: number; kilobytes: number };
  return { ms: doneAt - started, megabytes: kilobytes / 1024 };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/**
 * Runs a task in every engine, once per round; each round starts with another engine.
 * @returns by engine: the medians, or the reason why the task failed
 */
function measure(list: readonly Engine[], task: string, rounds: number): Map<string, Outcome | string> {
  const results = new Map<string, Outcome[] | string>(list.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < list.length; turn++) {
      const engine = list[(turn + round) % list.length];
      const outcomes = results.get(engine.name)!;
      if (typeof outcomes === 'string') continue;
      const outcome = runTask(engine, task);
      if (typeof outcome === 'string') results.set(engine.name, outcome);
      else outcomes.push(outcome);
    }
  }
  const medians = new Map<string, Outcome | string>();
  for (const [name, result] of results) {
    if (typeof result === 'string') medians.set(name, result);
    else {
      const [ms, megabytes] = (['ms', 'megabytes'] as const).map((key) =>
        median(result.map((outcome) => outcome[key])),
      );
      medians.set(name, { ms, megabytes });
    }
  }
  return medians;
}

/** Prints a Markdown table of one quantity. The last column divides the value of the first engine by that of each engine. */
function printTable(
  title: string,
  unit: string,
  outcomes: ReadonlyMap<string, Outcome | string>,
  key: keyof Outcome,
): void {
  const [first] = outcomes.values();
  const base = typeof first === 'object' ? first[key] : Number.NaN;
  console.log(`\n| ${title} | ${unit} | native Unroll / engine |\n| --- | ---: | ---: |`);
  for (const [name, outcome] of outcomes) {
    if (typeof outcome === 'string') console.log(`| ${name} | – | ${outcome} |`);
    else console.log(`| ${name} | ${outcome[key].toFixed(0)} | ${(base / outcome[key]).toFixed(2)} |`);
  }
}

const { rounds, ...values } = parsedOrExit(() => {
  const options = {
    rounds: { type: 'string', default: '15' },
    python: { type: 'string' },
    help: { type: 'boolean', default: false },
  } as const;
  const { values } = parseArgs({ options });
  return { ...values, rounds: positiveInteger('rounds', values.rounds) };
}, HELP);
if (values.help) console.log(HELP);
else {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-start-'));
  const list = engines(pythonPath(values.python), await writeModels(folder));
  console.log(
    `${cpus()[0]?.model}, ${availableParallelism()} hardware threads, Node ${process.version}; one thread per engine`,
  );
  const predictions = measure(list, 'predict', rounds);
  printTable('time from process start to first prediction', 'ms', predictions, 'ms');
  const trainers = list.filter(({ name }) => name !== 'onnxruntime-node');
  const training = measure(trainers, 'train', Math.ceil(rounds / 5));
  printTable(
    'peak memory, 50 training steps of an LSTM (128 inputs, 128 units, batch size 32, 100 time steps)',
    'MB',
    training,
    'megabytes',
  );
  await printClassifiers(folder, rounds);
  rmSync(folder, { recursive: true });
}
