/**
 * `npm run bench:start`: measures the time from process start to the first prediction, and the peak memory of a
 * training run. Every run starts a new process, and the engines alternate. Prints the medians as Markdown tables.
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
import { parseRow } from './rows.js';
import { SMALL } from './start/task.js';

const HELP = `npm run bench:start -- [options]

  --rounds N       number of processes per engine and task, default 15 (memory: a fifth of that)
  --python PATH    a Python that has PyTorch, default bench/peers/.venv
`;

interface Engine {
  name: string;
  command: string;
  args: readonly string[];
  env?: Readonly<Record<string, string>>;
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** Writes the model of the first prediction in the formats of Unroll and ONNX Runtime. */
async function writeModels(folder: string): Promise<{ artifact: string; onnx: string }> {
  const { H, I, T } = SMALL;
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
  /** From the start of the process to the end of its task. */
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
    return stderr.trim().split('\n').at(-1) || `ended with code ${status}`;
  const { doneAt, kilobytes } = JSON.parse(line) as { doneAt: number; kilobytes: number };
  return { ms: doneAt - started, megabytes: kilobytes / 1024 };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

/** Medians over the rounds of alternating engines. Each round starts with a different engine. */
function measure(list: readonly Engine[], task: string, rounds: number): Map<string, Outcome | string> {
  const all = new Map<string, Outcome[] | string>(list.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < list.length; turn++) {
      const engine = list[(turn + round) % list.length];
      const outcomes = all.get(engine.name)!;
      if (typeof outcomes === 'string') continue;
      const outcome = runTask(engine, task);
      if (typeof outcome === 'string') all.set(engine.name, outcome);
      else outcomes.push(outcome);
    }
  }
  const medians = new Map<string, Outcome | string>();
  for (const [name, found] of all) {
    if (typeof found === 'string') medians.set(name, found);
    else {
      const [ms, megabytes] = (['ms', 'megabytes'] as const).map((key) =>
        median(found.map((one) => one[key])),
      );
      medians.set(name, { ms, megabytes });
    }
  }
  return medians;
}

function table(
  title: string,
  unit: string,
  found: ReadonlyMap<string, Outcome | string>,
  result: keyof Outcome,
): void {
  const [first] = found.values();
  const base = typeof first === 'object' ? first[result] : Number.NaN;
  console.log(`\n| ${title} | ${unit} | native Unroll / engine |\n| --- | ---: | ---: |`);
  for (const [name, one] of found) {
    if (typeof one === 'string') console.log(`| ${name} | – | ${one} |`);
    else console.log(`| ${name} | ${one[result].toFixed(0)} | ${(base / one[result]).toFixed(2)} |`);
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    python: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) console.log(HELP);
else {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-start-'));
  const list = engines(pythonPath(values.python), await writeModels(folder));
  const rounds = Number(values.rounds);
  console.log(
    `${cpus()[0]?.model}, ${availableParallelism()} threads, Node ${process.version}, one thread each`,
  );
  const first = measure(list, 'predict', rounds);
  table('time from process start to first prediction', 'ms', first, 'ms');
  const training = list.filter(({ name }) => name !== 'onnxruntime-node');
  const runs = measure(training, 'train', Math.ceil(rounds / 5));
  table('peak memory, 50 training steps of LSTM 128-128-32-100', 'MB', runs, 'megabytes');
  rmSync(folder, { recursive: true });
}
