/**
 * `npm run bench`: compares Unroll with its peers, in alternating rounds of one run, and with the peak of the
 * machine. Every engine runs in its own process. This process makes the data, compares the results, schedules the
 * rounds and writes the tables. bench/README.md explains how to read them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { type CellResult, CHECK, FULL, measureRow, QUICK, type Running, type Speeds } from './cell.js';
import { closeChromium } from './chromium.js';
import { makeData } from './data.js';
import { writeData } from './data-node.js';
import { type EngineSpec, inPage, installed, peakLaunches } from './engines.js';
import { type Options, readOptions } from './options.js';
import { EngineProcess, type Launch } from './process.js';
import type { Peaks } from './protocol.js';
import { cellLines, jsonResult, type Machine, nameOf, ofPeak, peakLines, plural, report } from './report.js';
import { type Mode, modeFits, type Row, rowFor } from './rows.js';

/**
 * Measures the peak on the given number of threads as the sum over that many concurrent processes. Keeps the best
 * result.
 */
async function measurePeak(machine: Machine, threads: number, launch: Launch): Promise<void> {
  const processes = Array.from({ length: threads }, () => new EngineProcess(launch));
  await Promise.all(processes.map((one) => one.ask({ do: 'hello' })));
  const all = await Promise.all(processes.map((one) => one.ask({ do: 'peak' })));
  for (const one of processes) one.stop();
  const best = (machine.peakGflopsOnThreads[threads] ??= {});
  for (const width of Object.keys(all[0]) as (keyof Peaks)[]) {
    const sum = all.reduce((total, peaks) => total + (peaks[width] ?? 0), 0);
    best[width] = Math.max(best[width] ?? 0, sum);
  }
  if (threads === 1) machine.peakGflops = best;
}

/** The options and the results of one run. */
interface Run {
  readonly options: Options;
  readonly specs: EngineSpec[];
  readonly machine: Machine;
  readonly versions: Record<string, string>;
  /** Engines that are not installed or do not run on this machine. */
  readonly absent: Set<string>;
  /** Started engines by number of threads. */
  readonly running: Map<number, Running[]>;
}

/** Starts an engine; null if it does not run on this machine. */
async function start(spec: EngineSpec, threads: number, run: Run): Promise<Running | null> {
  const process = new EngineProcess(spec.launch(threads));
  try {
    const { version, description, browser } = await process.ask({ do: 'hello' }, 180);
    if (browser) run.machine.browser = browser;
    run.versions[spec.name] ??= `${version}, ${description}`;
    return { spec, process };
  } catch (error) {
    const reason = `${spec.name} (does not run here: ${(error as Error).message.trim()})`;
    if (!run.absent.has(reason)) console.log(reason);
    run.absent.add(reason);
    return null;
  }
}

/** Starts every engine with each number of threads, and prints the list of available ones. */
async function startAll(run: Run): Promise<void> {
  for (const threads of run.options.threads) {
    const started: Running[] = [];
    for (const spec of run.specs) {
      const engine = await start(spec, threads, run);
      if (engine) started.push(engine);
    }
    run.running.set(threads, started);
  }
  for (const [name, version] of Object.entries(run.versions)) console.log(`${name}: ${version}`);
}

function missingPeers({ engines, python }: Options): EngineSpec[] {
  const missing = engines.filter((spec) => !installed(spec, python));
  if (missing.length > 0) {
    console.log(`Not installed: ${missing.map(({ name }) => name).join(', ')}.`);
    console.log(
      '  `npm run bench:peers` installs them under bench/peers, and only there; for a PyTorch that you have,',
    );
    console.log('  pass --python PATH.');
    if (missing.some(inPage) && !findChromium()) console.log(`  For those in a page: ${NO_CHROMIUM}.`);
    console.log();
  }
  return missing;
}

/**
 * The cells of a row. A stream runs one step for any T and B of the row, so it runs once for each width.
 */
function cellsOf(options: Options): { row: Row; mode: Mode }[] {
  const seen = new Set<string>();
  return options.rows.flatMap((row) =>
    options.modes
      .filter((mode) => modeFits(row, mode))
      .map((mode) => ({ row: rowFor(row, mode), mode }))
      .filter((cell) => {
        const key = `${nameOf(cell)} ${cell.mode}`;
        return !seen.has(key) && seen.add(key);
      }),
  );
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const missing = missingPeers(options);
  const run: Run = {
    options,
    specs: options.engines.filter((spec) => !missing.includes(spec)),
    machine: {
      cpu: cpus()[0]?.model ?? 'unknown processor',
      cores: cpus().length,
      os: `${platform()} ${release()}`,
      node: process.versions.node,
      peakGflops: {},
      peakGflopsOnThreads: {},
    },
    versions: {},
    absent: new Set(missing.map(({ name }) => name)),
    running: new Map(),
  };
  try {
    if (!options.check) await measurePeaks(run);
    for (const line of [run.machine.cpu, ...peakLines(run.machine)]) console.log(line);
    await startAll(run);
    const results = await measureCells(run);
    if (!options.check) {
      await measurePeaks(run);
      await writeReport(run, results);
    }
    complain(results, run.specs, run.machine);
  } finally {
    for (const engine of [...run.running.values()].flat()) engine.process.stop();
    closeChromium();
  }
}

async function measurePeaks({ options, specs, machine }: Run): Promise<void> {
  const peaksOf = new Set([1, ...options.threads]);
  for (const launch of peakLaunches(specs)) {
    for (const threads of peaksOf) await measurePeak(machine, threads, launch);
  }
}

/** Measures every cell and prints its results. */
async function measureCells({ options, specs, machine, running }: Run): Promise<CellResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const results: CellResult[] = [];
  const speeds: Speeds = new Map();
  const standard = options.check ? CHECK : options.quick ? QUICK : FULL;
  const pace = { ...standard, ...(options.limit && { limit: options.limit }) };
  for (const { row, mode } of cellsOf(options)) {
    const data = makeData(row, mode, options.weights);
    const file = writeData(join(folder, 'row.bin'), data);
    const found = await measureRow({ row, mode }, running, data, file, pace, speeds);
    results.push(...found);
    for (const [i, threads] of [...running.keys()].entries()) {
      console.log(`\n${nameOf({ row, mode })}, ${mode}, ${plural(threads, 'thread')}`);
      for (const line of cellLines(found[i], specs, machine)) console.log(line);
    }
  }
  return results;
}

async function writeReport(
  { options, specs, machine, versions, absent, running }: Run,
  cells: CellResult[],
): Promise<void> {
  const { quick, weights } = options;
  const javascriptShare = options.modes.includes('train')
    ? await shares(running.values().next().value ?? [])
    : {};
  const result = { machine, quick, weights, versions, missing: [...absent], cells, javascriptShare };
  const text = report(result, specs);
  console.log(`\n${text}`);
  if (options.markdown) writeFileSync(options.markdown, text);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(jsonResult(result, specs), null, 2)}\n`);
}

/** The share of JavaScript in a training step, for each of Unroll's engines. */
async function shares(engines: readonly Running[]): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { spec, process } of engines) {
    if (spec.peer === null) found[spec.name] = (await process.ask({ do: 'share' })).share;
  }
  return found;
}

/** Prints warnings about the results. The run fails if an engine computed different results. */
function complain(results: readonly CellResult[], specs: EngineSpec[], machine: Machine): void {
  const above = results
    .flatMap(({ measured }) => measured)
    .filter((one) => (ofPeak(one, specs, machine) ?? 0) > 1);
  for (const one of above) {
    console.log(`${one.engine} at ${nameOf(one)} exceeded the measured peak: the machine was disturbed.`);
  }
  for (const one of results.flatMap(({ absent }) => absent).filter(({ wrong }) => wrong)) {
    console.log(`${one.engine} at ${nameOf(one)}, ${one.mode}: ${one.reason}`);
    process.exitCode = 1;
  }
}

await main();
