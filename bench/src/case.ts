/**
 * Measures a row of the benchmark (a network with its sizes) in one mode, with every number of threads. All engines load the
 * row, and their results are compared. Then the engines warm up and alternate: each runs one short round at a time, so changes
 * in the speed of the machine affect all engines.
 */
import { Agreement } from './agree.js';
import { type DataFile, type RowData, stepsOf } from './data.js';
import type { EngineSpec } from './engines.js';
import type { EngineProcess } from './process.js';
import type { LoadReply } from './protocol.js';
import { executedFlops, type Mode, makeRow, nominalFlops, type Row, type Variant } from './rows.js';
import { median } from './statistics.js';

/** How long a case is measured. */
export interface Pace {
  /** Duration of the untimed calls. */
  warmUpMs: number;
  /** Number of timed rounds; 0: only compare results. */
  rounds: number;
  /** Target duration of a round. */
  roundMs: number;
  /** Engines whose calls are expected to take longer are skipped. */
  limitSeconds: number;
}

/** Many short rounds: interruptions of 5 to 15 ms by other processes do not affect their median. */
export const FULL: Pace = { warmUpMs: 1000, rounds: 15, roundMs: 70, limitSeconds: 10 };
export const QUICK: Pace = { warmUpMs: 150, rounds: 3, roundMs: 60, limitSeconds: 2 };
/** Compares results without timing. */
export const CHECK: Pace = { warmUpMs: 0, rounds: 0, roundMs: 0, limitSeconds: 10 };

/** A case of the benchmark: a row in one mode, with one number of threads. */
export interface BenchCase {
  row: Row;
  mode: Mode;
  threads: number;
}

/** The times of one engine in a case. */
export interface Measurement extends BenchCase {
  engine: string;
  /** Milliseconds per call: the median, minimum and maximum over the rounds. */
  ms: number;
  msMin: number;
  msMax: number;
  /** Milliseconds per call in each round, in order. */
  rounds: readonly number[];
  /** GFLOP/s, from the median: `gflops` counts the nominal operations (rows.ts), `executedGflops` those that are executed. */
  gflops: number;
  executedGflops: number;
  variant: Variant;
  /** Name of the implementation that was timed: the engine's fastest. Absent if it is the default. */
  note?: string;
}

/** An engine that has no times in a case. */
export interface MissingMeasurement extends BenchCase {
  engine: string;
  reason: string;
  /** True if the engine's results are wrong, which fails the benchmark; false if it cannot run the case. */
  wrong: boolean;
}

/** An engine whose process has started. */
export interface RunningEngine {
  spec: EngineSpec;
  process: EngineProcess;
}

/** The results of all engines in a case. */
export interface CaseResult {
  /** Names of the engines whose results agree. */
  agreed: string[];
  measured: Measurement[];
  absent: MissingMeasurement[];
}

/** The highest speed measured so far, by engine, mode and threads; it predicts the duration of later rows. */
export type Speeds = Map<string, { gflops: number; flops: number }>;

/** An engine that has loaded the row of a case. */
interface LoadedEngine extends RunningEngine {
  loaded: LoadReply;
  /** Number of calls in a round. */
  calls: number;
  /** Number of rounds to run. */
  rounds: number;
  /** Milliseconds per call in each round so far. */
  times: number[];
  note?: string;
}

/** After this time, the worker threads of the previous engine no longer spin. */
const PAUSE_MS = 25;

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

/** A case, the engines that have loaded its row, and their results. */
interface CaseRun {
  benchCase: BenchCase;
  engines: LoadedEngine[];
  result: CaseResult;
}

/**
 * Measures a row in one mode and adds the speeds to `speeds`.
 * @param running the engines by their number of threads
 * @returns one result for each entry of `running`, in order
 */
export async function measureRow(
  { row, mode }: Omit<BenchCase, 'threads'>,
  running: ReadonlyMap<number, readonly RunningEngine[]>,
  data: RowData,
  file: DataFile,
  pace: Pace,
  speeds: Speeds,
): Promise<CaseResult[]> {
  const caseRuns: CaseRun[] = [];
  for (const [threads, candidates] of running) {
    const benchCase = { row, mode, threads };
    const result: CaseResult = { agreed: [], measured: [], absent: [] };
    const engines = await loadAll(benchCase, candidates, data, file, pace, speeds, result);
    result.agreed = engines.map(({ spec }) => spec.name);
    caseRuns.push({ benchCase, engines, result });
  }
  const active = new Set(caseRuns.flatMap(({ engines }) => engines));
  /** Runs `work` unless the engine has failed before. An error marks the engine as absent. */
  const runIfActive = async (
    engine: LoadedEngine,
    { benchCase, result }: CaseRun,
    work: () => Promise<void>,
  ): Promise<void> => {
    try {
      if (!active.has(engine)) return;
      await work();
      await pause();
    } catch (error) {
      active.delete(engine);
      markAbsent(result, benchCase, engine.spec, (error as Error).message);
    }
  };
  // Round -1 is the warm-up.
  for (let round = pace.rounds > 0 ? -1 : 0; round < pace.rounds; round++) {
    for (const caseRun of caseRuns) {
      const { engines } = caseRun;
      const first = Math.max(0, round) % Math.max(1, engines.length);
      for (const engine of [...engines.slice(first), ...engines.slice(0, first)]) {
        if (round >= engine.rounds) continue;
        await runIfActive(engine, caseRun, async () => {
          if (round < 0) return warmUp(engine, pace);
          const { milliseconds } = await engine.process.ask({ do: 'round', calls: engine.calls });
          engine.times.push(milliseconds);
        });
      }
    }
  }
  for (const caseRun of caseRuns) {
    const { benchCase, engines, result } = caseRun;
    for (const engine of engines) {
      await runIfActive(engine, caseRun, async () => void (await engine.process.ask({ do: 'drop' })));
      if (active.has(engine) && engine.times.length > 0)
        result.measured.push(summarizeRounds(benchCase, engine, speeds));
    }
  }
  return caseRuns.map(({ result }) => result);
}

function markAbsent(
  { absent }: CaseResult,
  benchCase: BenchCase,
  { name }: EngineSpec,
  reason: string,
  wrong = false,
): void {
  absent.push({ ...benchCase, engine: name, reason, wrong });
}

/**
 * Predicts the duration of a call from the highest speed on earlier rows. Returns 0 if there is no earlier row, or if the row
 * with the highest speed has at most 1/100 of the operations.
 */
function expectedSeconds({ row, mode, threads }: BenchCase, { name }: EngineSpec, speeds: Speeds): number {
  const fastest = speeds.get(`${name} ${mode} ${threads}`);
  const flops = nominalFlops(row, mode);
  return fastest && flops < 100 * fastest.flops ? flops / fastest.gflops / 1e9 : 0;
}

/** Loads the row in every engine and compares the results. @returns the engines that agree; marks the others as absent */
async function loadAll(
  benchCase: BenchCase,
  candidates: readonly RunningEngine[],
  data: RowData,
  file: DataFile,
  pace: Pace,
  speeds: Speeds,
  result: CaseResult,
): Promise<LoadedEngine[]> {
  const { row, mode } = benchCase;
  // A stream processes one step per call; the oracle processes the steps of all calls at once.
  const oracleRow = mode === 'stream' ? makeRow(row.cell, row.I, row.H, row.B, stepsOf(row, mode)) : row;
  const agreement = new Agreement(oracleRow, data);
  const agreeing: LoadedEngine[] = [];
  for (const engine of candidates) {
    const { spec, process } = engine;
    const seconds = expectedSeconds(benchCase, spec, speeds);
    if (seconds > pace.limitSeconds) {
      markAbsent(result, benchCase, spec, `too slow: about ${seconds.toFixed(0)} s per call`);
      continue;
    }
    try {
      const load = { do: 'load', row, mode, data: file } as const;
      const loaded = await process.ask(load, 60 + 10 * pace.limitSeconds);
      if (loaded.unavailable !== undefined) {
        markAbsent(result, benchCase, spec, loaded.unavailable);
        continue;
      }
      const { variant = 'standard' } = loaded;
      if (row.cell === 'gru-reset-before' && variant !== 'reset-before') {
        markAbsent(
          result,
          benchCase,
          spec,
          'supports only GRUs with the reset gate after the matrix product',
        );
        continue;
      }
      if (mode === 'train' && variant !== 'standard' && !agreement.hasLosses(variant)) {
        // For comparison, the first engine (Unroll) computes the same variant once, and then reloads the standard variant.
        const { process: reference, spec: referenceSpec } = candidates[0];
        agreement.compareOrStore(referenceSpec.name, await reference.ask({ ...load, variant }));
        await reference.ask(load);
        if (!agreement.hasLosses(variant)) {
          markAbsent(
            result,
            benchCase,
            spec,
            'computes another variant of the cell, for which there is no reference',
          );
          continue;
        }
      }
      const mismatch = agreement.compareOrStore(spec.name, loaded);
      if (mismatch !== null) {
        markAbsent(result, benchCase, spec, mismatch, true);
        continue;
      }
      agreeing.push({ ...engine, loaded, calls: 1, rounds: pace.rounds, times: [] });
    } catch (error) {
      markAbsent(result, benchCase, spec, (error as Error).message);
    }
  }
  return agreeing;
}

/** Warms up an engine and chooses its number of calls and rounds. */
async function warmUp(engine: LoadedEngine, pace: Pace): Promise<void> {
  const { milliseconds, note } = await engine.process.ask({ do: 'warm', milliseconds: pace.warmUpMs });
  engine.calls = Math.max(1, Math.round(pace.roundMs / milliseconds));
  // Long calls average out interruptions, so they need fewer rounds.
  if (milliseconds > 3 * pace.roundMs) engine.rounds = Math.min(7, pace.rounds);
  if (milliseconds > 10 * pace.roundMs) engine.rounds = Math.min(3, pace.rounds);
  if (milliseconds > 5000) engine.rounds = 1;
  if (note !== undefined) engine.note = note;
}

/** Computes the result of an engine from its rounds, and records the speed if it is the highest so far. */
function summarizeRounds(
  benchCase: BenchCase,
  { spec, times, loaded, note }: LoadedEngine,
  speeds: Speeds,
): Measurement {
  const { row, mode, threads } = benchCase;
  const ms = median(times);
  const flops = nominalFlops(row, mode);
  const gflops = flops / ms / 1e6;
  const key = `${spec.name} ${mode} ${threads}`;
  if (!(gflops <= (speeds.get(key)?.gflops ?? 0))) speeds.set(key, { gflops, flops });
  return {
    ...benchCase,
    engine: spec.name,
    ms,
    msMin: Math.min(...times),
    msMax: Math.max(...times),
    rounds: times,
    gflops,
    executedGflops: executedFlops(row, mode) / ms / 1e6,
    variant: loaded.variant ?? 'standard',
    ...(note !== undefined && { note }),
  };
}
