/**
 * `npm run bench:sequences`: compares Unroll with PyTorch on one thread, for projected, layer-normalised and minimal recurrent
 * layers, CTC, CRFs, a decoder with attention, and beam search. Each engine runs in a separate process; this process generates
 * the data, compares the results and schedules the rounds. bench/README.md describes the rows.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { decodeFloat32, relativeDifference, TOLERANCE } from './agree.js';
import { writeData } from './data-node.js';
import { engineSpec, pythonPath } from './engines.js';
import { EngineProcess, spawned } from './process.js';
import type { LoadSequenceReply } from './protocol.js';
import { makeSequenceData } from './sequences/data.js';
import { type SequenceResult, type SequenceRun, sequenceJson, sequenceReport } from './sequences/report.js';
import { chooseSequenceRows, SEQUENCE_ROWS, type SequenceMode, type SequenceRow } from './sequences/rows.js';

const HELP = `npm run bench:sequences -- [options]

  --rows LIST      row names or prefixes of them, such as ctc,beam-search; default all
  --rounds N       timed rounds per engine and row, default 9
  --seconds S      duration of a round, default 1; the warm-up takes three times as long
  --check          compares the results of the engines, without timing
  --python PATH    a Python that has PyTorch and pytorch-crf, default bench/peers/.venv
  --json FILE      writes the result as JSON
  --markdown FILE  writes the result as Markdown
  --list           lists all rows and exits
`;

interface Options {
  rows: readonly SequenceRow[];
  rounds: number;
  seconds: number;
  check: boolean;
  python: string;
  json?: string;
  markdown?: string;
}

function parse(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string' },
      rounds: { type: 'string', default: '9' },
      seconds: { type: 'string', default: '1' },
      check: { type: 'boolean', default: false },
      python: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      list: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help || values.list) {
    const names = SEQUENCE_ROWS.map(({ name, modes }) => `${name} (${modes.join(', ')})`);
    console.log(values.help ? HELP : names.join('\n'));
    process.exit(0);
  }
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds must be a positive integer, got "${values.rounds}".`);
  const seconds = Number(values.seconds);
  if (!(seconds > 0 && seconds < Number.POSITIVE_INFINITY))
    throw new Error(`--seconds must be greater than 0, got "${values.seconds}".`);
  const { check, json, markdown } = values;
  const rows = chooseSequenceRows(values.rows);
  return { rows, rounds, seconds, check, python: pythonPath(values.python), json, markdown };
}

/** Parses the command line. Exits the process after an invalid option, `--help` or `--list`. */
function readOptions(): Options {
  try {
    return parse(process.argv.slice(2));
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${HELP}`);
    process.exit(2);
  }
}

interface Engines {
  unroll: EngineProcess;
  pytorch: EngineProcess;
}

/** Loading a row compiles several implementations in PyTorch, each within a time limit (see peers/sequences.py). */
const LOAD_SECONDS = 900;

function makeEngines(python: string): Engines {
  const script = fileURLToPath(new URL('../peers/sequences.py', import.meta.url));
  return {
    unroll: new EngineProcess(engineSpec('unroll-native', python).launch(1)),
    pytorch: new EngineProcess(
      spawned(python, [script, '1'], { OMP_NUM_THREADS: '1', MKL_NUM_THREADS: '1' }),
    ),
  };
}

const messageOf = (error: unknown): string => (error as Error).message;

/** Returns the relative difference of the results. For a search: 0 if all tokens are equal, otherwise infinity. */
function differenceOf(mode: SequenceMode, a: LoadSequenceReply, b: LoadSequenceReply): number {
  const values = ({ losses, outputs }: LoadSequenceReply): ArrayLike<number> =>
    losses ?? decodeFloat32(outputs ?? '');
  const [left, right] = [values(a), values(b)];
  if (left.length === 0) return Number.POSITIVE_INFINITY;
  if (mode !== 'search') return relativeDifference(left, right);
  const areEqual = left.length === right.length && Array.from(left).every((token, i) => token === right[i]);
  return areEqual ? 0 : Number.POSITIVE_INFINITY;
}

/**
 * Returns the tolerance for the results of a row. Losses after updates of a layer-normalised cell may differ more, because
 * normalisation and Adam amplify the rounding of small values: implementations in PyTorch differ by up to 4e-4 from each other.
 */
const toleranceOf = ({ name }: SequenceRow, mode: SequenceMode): number =>
  name === 'layer-norm-lstm' && mode === 'train' ? 2e-3 : TOLERANCE;

/** Loads the row in both engines and compares their results. */
async function compare(
  { unroll, pytorch }: Engines,
  row: SequenceRow,
  mode: SequenceMode,
  path: string,
): Promise<SequenceResult> {
  const result: SequenceResult = { row, mode, unroll: [], pytorch: [], difference: null };
  const command = {
    do: 'loadSequence',
    row,
    mode,
    data: writeData(path, makeSequenceData(row.tensors)),
  } as const;
  const ours = await unroll.ask(command, LOAD_SECONDS);
  let theirs: LoadSequenceReply;
  try {
    theirs = await pytorch.ask(command, LOAD_SECONDS);
  } catch (error) {
    return { ...result, problem: `PyTorch: ${messageOf(error)}` };
  }
  result.difference = differenceOf(mode, ours, theirs);
  if (theirs.excluded && Object.keys(theirs.excluded).length > 0) result.excluded = theirs.excluded;
  if (!(result.difference <= toleranceOf(row, mode))) {
    const amount = mode === 'search' ? 'different tokens' : result.difference.toExponential(1);
    result.problem = `not timed: the results of the engines differ (${amount})`;
  }
  return result;
}

/** Times the loaded row in alternating rounds. The engines take turns in going first. */
async function time(engines: Engines, result: SequenceResult, { rounds, seconds }: Options): Promise<void> {
  const names = ['unroll', 'pytorch'] as const;
  const calls = { unroll: 1, pytorch: 1 };
  for (const name of names) {
    const { milliseconds, note } = await engines[name].ask({ do: 'warm', milliseconds: seconds * 3000 });
    calls[name] = Math.max(1, Math.round((seconds * 1000) / milliseconds));
    if (name === 'pytorch' && note) result.variant = note;
  }
  for (let round = 0; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const { milliseconds } = await engines[name].ask({ do: 'round', calls: calls[name] });
      result[name].push(milliseconds);
    }
  }
}

function printComparison({ row, mode, difference, excluded = {}, problem }: SequenceResult): void {
  const agreement =
    mode === 'search' ? 'same tokens' : `relative difference ${(difference ?? Number.NaN).toExponential(1)}`;
  console.log(`${row.name}, ${mode}: ${problem ?? agreement}`);
  for (const [name, reason] of Object.entries(excluded)) console.log(`  ${name} not timed: ${reason}`);
}

/** Compares every row, and times the rows whose results agree. */
async function measure(engines: Engines, options: Options): Promise<SequenceResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-sequences-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const results: SequenceResult[] = [];
  for (const row of options.rows) {
    for (const mode of row.modes) {
      const result = await compare(engines, row, mode, join(folder, 'row.bin'));
      printComparison(result);
      results.push(result);
      if (result.problem) process.exitCode = 1;
      else if (!options.check) await time(engines, result, options);
      for (const engine of [engines.unroll, engines.pytorch]) await engine.ask({ do: 'drop' });
    }
  }
  return results;
}

async function main(): Promise<void> {
  const options = readOptions();
  const engines = makeEngines(options.python);
  const before = loadavg()[0];
  const versions: Record<string, string> = {};
  try {
    for (const name of ['unroll', 'pytorch'] as const) {
      const { version, description } = await engines[name].ask({ do: 'hello' }, 180);
      versions[name] = `${version}, ${description}`;
      console.log(`${name}: ${versions[name]}`);
    }
    const results = await measure(engines, options);
    if (options.check) return;
    const run: SequenceRun = {
      cpu: cpus()[0]?.model ?? 'unknown processor',
      node: process.versions.node,
      versions,
      rounds: options.rounds,
      seconds: options.seconds,
      load: [before, loadavg()[0]],
      results,
    };
    const text = sequenceReport(run);
    console.log(`\n${text}`);
    if (options.markdown) writeFileSync(options.markdown, text);
    if (options.json) writeFileSync(options.json, `${JSON.stringify(sequenceJson(run), null, 2)}\n`);
  } catch (error) {
    console.error(messageOf(error));
    process.exitCode = 1;
  } finally {
    engines.unroll.stop();
    engines.pytorch.stop();
  }
}

await main();
