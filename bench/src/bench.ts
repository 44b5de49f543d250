/**
 * `npm run bench`: compares the speed of Unroll with other libraries ("peers") and with the highest speed of the machine
 * (its peak, in GFLOP/s). An engine is Unroll or a peer on one backend; each runs in a separate process. This process generates
 * the data, compares the results, schedules the rounds and writes the tables. bench/README.md explains how to read them.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, platform, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { findChromium, NO_CHROMIUM } from '@unroll/testkit/chromium';
import { type CaseResult, CHECK, FULL, measureRow, QUICK, type RunningEngine, type Speeds } from './case.js';
import { closeChromium } from './chromium.js';
import { makeData } from './data.js';
import { writeData } from './data-node.js';
import { type EngineSpec, isInPage, isInstalled, peakLaunches } from './engines.js';
import { type Options, readOptions } from './options.js';
import { EngineProcess, type Launch } from './process.js';
import type { Peaks } from './protocol.js';
import {
  caseLines,
  fractionOfPeak,
  jsonResult,
  type Machine,
  nameOf,
  peakLines,
  plural,
  report,
} from './report.js';
import { type Mode, modeFits, type Row, rowFor } from './rows.js';

/**
 * Measures the peak in GFLOP/s of the given number of threads: the sum of the peaks of that many single-threaded processes,
 * which run at the same time. Stores the result in `machine` if it is higher than an earlier result.
 */
async function measurePeak(machine: Machine, threads: number, launch: Launch): Promise<void> {
  const processes = Array.from({ length: threads }, () => new EngineProcess(launch));
  await Promise.all(processes.map((process) => process.ask({ do: 'hello' })));
  const peaksOfProcesses = await Promise.all(processes.map((process) => process.ask({ do: 'peak' })));
  for (const process of processes) process.stop();
  const best = (machine.peakGflopsOnThreads[threads] ??= {});
  for (const width of Object.keys(peaksOfProcesses[0]) as (keyof Peaks)[]) {
    const sum = peaksOfProcesses.reduce((total, peaks) => total + (peaks[width] ?? 0), 0);
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
  /** Engines that are not installed or do not start on this machine. */
  readonly unavailable: Set<string>;
  /** Started engines by number of threads. */
  readonly running: Map<number, RunningEngine[]>;
}

/** Starts an engine. @returns null if the engine does not start on this machine */
async function start(spec: EngineSpec, threads: number, run: Run): Promise<RunningEngine | null> {
  const process = new EngineProcess(spec.launch(threads));
  try {
    const { version, description, browser } = await process.ask({ do: 'hello' }, 180);
    if (browser) run.machine.browser = browser;
    run.versions[spec.name] ??= `${version}, ${description}`;
    return { spec, process };
  } catch (error) {
    const reason = `${spec.name} (does not start: ${(error as Error).message.trim()})`;
    if (!run.unavailable.has(reason)) console.log(reason);
    run.unavailable.add(reason);
    return null;
  }
}

/** Starts every engine with each number of threads, and prints the versions of those that started. */
async function startAll(run: Run): Promise<void> {
  for (const threads of run.options.threads) {
    const started: RunningEngine[] = [];
    for (const spec of run.specs) {
      const engine = await start(spec, threads, run);
      if (engine) started.push(engine);
    }
    run.running.set(threads, started);
  }
  for (const [name, version] of Object.entries(run.versions)) console.log(`${name}: ${version}`);
}

/** Returns the engines that are not installed, and prints how to install them. */
function reportMissing({ engines, python }: Options): EngineSpec[] {
  const missing = engines.filter((spec) => !isInstalled(spec, python));
  if (missing.length > 0) {
    console.log(`Not installed: ${missing.map(({ name }) => name).join(', ')}.`);
    console.log('  To install them under bench/peers, run `npm run bench:peers`.');
    console.log('  To use a PyTorch that is already installed, pass --python PATH.');
    if (missing.some(isInPage) && !findChromium()) console.log(`  Engines in Chromium: ${NO_CHROMIUM}.`);
    console.log();
  }
  return missing;
}

/**
 * Returns the cases to measure. A stream does not depend on T and B, so rows that differ only in T and B have one common case.
 */
function casesOf(options: Options): { row: Row; mode: Mode }[] {
  const seen = new Set<string>();
  return options.rows.flatMap((row) =>
    options.modes
      .filter((mode) => modeFits(row, mode))
      .map((mode) => ({ row: rowFor(row, mode), mode }))
      .filter((benchCase) => {
        const key = `${nameOf(benchCase)} ${benchCase.mode}`;
        return !seen.has(key) && seen.add(key);
      }),
  );
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const missing = reportMissing(options);
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
    unavailable: new Set(missing.map(({ name }) => name)),
    running: new Map(),
  };
  try {
    if (!options.check) await measurePeaks(run);
    for (const line of [run.machine.cpu, ...peakLines(run.machine)]) console.log(line);
    await startAll(run);
    const results = await measureCases(run);
    if (!options.check) {
      await measurePeaks(run);
      await writeReport(run, results);
    }
    printWarnings(results, run.specs, run.machine);
  } finally {
    for (const engine of [...run.running.values()].flat()) engine.process.stop();
    closeChromium();
  }
}

async function measurePeaks({ options, specs, machine }: Run): Promise<void> {
  const threadCounts = new Set([1, ...options.threads]);
  for (const launch of peakLaunches(specs)) {
    for (const threads of threadCounts) await measurePeak(machine, threads, launch);
  }
}

/** Measures every case and prints its results. */
async function measureCases({ options, specs, machine, running }: Run): Promise<CaseResult[]> {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-bench-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const results: CaseResult[] = [];
  const speeds: Speeds = new Map();
  const preset = options.check ? CHECK : options.quick ? QUICK : FULL;
  const pace = { ...preset, ...(options.limit && { limitSeconds: options.limit }) };
  for (const { row, mode } of casesOf(options)) {
    const data = makeData(row, mode, options.weights);
    const file = writeData(join(folder, 'row.bin'), data);
    const rowResults = await measureRow({ row, mode }, running, data, file, pace, speeds);
    results.push(...rowResults);
    for (const [i, threads] of [...running.keys()].entries()) {
      console.log(`\n${nameOf({ row, mode })}, ${mode}, ${plural(threads, 'thread')}`);
      for (const line of caseLines(rowResults[i], specs, machine)) console.log(line);
    }
  }
  return results;
}

/** Prints the report and writes it to the files named by the options. */
async function writeReport(
  { options, specs, machine, versions, unavailable, running }: Run,
  cases: CaseResult[],
): Promise<void> {
  const { quick, weights } = options;
  const javascriptShare = options.modes.includes('train')
    ? await javascriptShares(running.values().next().value ?? [])
    : {};
  const result = { machine, quick, weights, versions, missing: [...unavailable], cases, javascriptShare };
  const text = report(result, specs);
  console.log(`\n${text}`);
  if (options.markdown) writeFileSync(options.markdown, text);
  if (options.json) writeFileSync(options.json, `${JSON.stringify(jsonResult(result, specs), null, 2)}\n`);
}

/** Measures the share of a training step that is spent in JavaScript, for each engine of Unroll. */
async function javascriptShares(engines: readonly RunningEngine[]): Promise<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const { spec, process } of engines) {
    if (spec.peer === null) shares[spec.name] = (await process.ask({ do: 'javascriptShare' })).share;
  }
  return shares;
}

/** Prints warnings about the results. Sets exit code 1 if the results of an engine were wrong. */
function printWarnings(results: readonly CaseResult[], specs: EngineSpec[], machine: Machine): void {
  const abovePeak = results
    .flatMap(({ measured }) => measured)
    .filter((measured) => (fractionOfPeak(measured, specs, machine) ?? 0) > 1);
  for (const measured of abovePeak) {
    console.log(
      `${measured.engine} at ${nameOf(measured)} exceeded the measured peak: other processes probably slowed down the peak ` +
        'measurement. Repeat the run.',
    );
  }
  for (const absent of results.flatMap((result) => result.absent).filter(({ wrong }) => wrong)) {
    console.log(`${absent.engine} at ${nameOf(absent)}, ${absent.mode}: ${absent.reason}`);
    process.exitCode = 1;
  }
}

await main();
