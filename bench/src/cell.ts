/**
 * Measures a row of the benchmark in a mode; there is one cell for each number of threads. All engines load the row,
 * their results are compared, and they warm up. Then they alternate: one round of the first engine, one of the
 * second, and so on, for every number of threads, repeatedly. Changes in the speed of the machine therefore affect
 * all engines.
 */
import { Agreement } from './agree.js';
import { type DataFile, type RowData, stepsOf } from './data.js';
import type { EngineSpec } from './engines.js';
import type { EngineProcess } from './process.js';
import type { Loaded } from './protocol.js';
import { creditedFlops, executedFlops, type Mode, makeRow, type Row, type Variant } from './rows.js';
import { median } from './statistics.js';

export interface Pace {
  /** Milliseconds of untimed calls. */
  warm: number;
  /** Number of timed rounds; 0: only compare results. */
  rounds: number;
  /** Target duration of a round in milliseconds. */
  round: number;
  /** Limit of the duration of a call in seconds; slower engines are skipped. */
  limit: number;
}

/** Many short rounds: their median excludes interruptions of 5 to 15 ms by other processes. */
export const FULL: Pace = { warm: 1000, rounds: 15, round: 70, limit: 10 };
export const QUICK: Pace = { warm: 150, rounds: 3, round: 60, limit: 2 };
/** Compares results without timing. */
export const CHECK: Pace = { warm: 0, rounds: 0, round: 0, limit: 10 };

/** A row in a mode on a number of threads. */
export interface Cell {
  row: Row;
  mode: Mode;
  threads: number;
}

export interface Measured extends Cell {
  engine: string;
  /** Milliseconds per call over the rounds. */
  ms: number;
  msMin: number;
  msMax: number;
  /** Milliseconds per call of each round, in order. */
  rounds: readonly number[];
  /** Credited and executed operations per nanosecond, from the median. */
  gflops: number;
  executedGflops: number;
  variant: Variant;
  /** The fastest alternative of the engine. */
  note?: string;
}

export interface Absent extends Cell {
  engine: string;
  reason: string;
  /** True if its results are wrong: a failure of the benchmark instead of a gap. */
  wrong: boolean;
}

export interface Running {
  spec: EngineSpec;
  process: EngineProcess;
}

export interface CellResult {
  /** Engines whose results agree. */
  agreed: string[];
  measured: Measured[];
  absent: Absent[];
}

/** The highest speeds so far by engine, mode and threads, which predict the duration of further rows. */
export type Speeds = Map<string, { gflops: number; flops: number }>;

interface Racer extends Running {
  loaded: Loaded;
  milliseconds: number;
  calls: number;
  rounds: number;
  times: number[];
  note?: string;
}

const PAUSE = 25; // until the threads of the previous engine stop spinning

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE));

/** The engines on one number of threads, and their results. */
interface Field {
  cell: Cell;
  racers: Racer[];
  result: CellResult;
}

/** @param running the engines by their number of threads */
export async function measureRow(
  { row, mode }: Omit<Cell, 'threads'>,
  running: ReadonlyMap<number, readonly Running[]>,
  data: RowData,
  file: DataFile,
  pace: Pace,
  speeds: Speeds,
): Promise<CellResult[]> {
  const fields: Field[] = [];
  for (const [threads, engines] of running) {
    const cell = { row, mode, threads };
    const result: CellResult = { agreed: [], measured: [], absent: [] };
    const racers = await loadAll(cell, engines, data, file, pace, speeds, result);
    result.agreed = racers.map(({ spec }) => spec.name);
    fields.push({ cell, racers, result });
  }
  const racing = new Set(fields.flatMap(({ racers }) => racers));
  const guarded = async (racer: Racer, { cell, result }: Field, work: () => Promise<void>): Promise<void> => {
    try {
      if (!racing.has(racer)) return;
      await work();
      await pause();
    } catch (error) {
      racing.delete(racer);
      leave(result, cell, racer.spec, (error as Error).message);
    }
  };
  for (let round = pace.rounds > 0 ? -1 : 0; round < pace.rounds; round++) {
    for (const field of fields) {
      const { racers } = field;
      const first = Math.max(0, round) % Math.max(1, racers.length);
      for (const racer of [...racers.slice(first), ...racers.slice(0, first)]) {
        if (round >= racer.rounds) continue;
        await guarded(racer, field, async () => {
          if (round < 0) return warm(racer, pace);
          const { milliseconds } = await racer.process.ask({ do: 'round', calls: racer.calls });
          racer.times.push(milliseconds);
        });
      }
    }
  }
  for (const field of fields) {
    const { cell, racers, result } = field;
    for (const racer of racers) {
      await guarded(racer, field, async () => void (await racer.process.ask({ do: 'drop' })));
      if (racing.has(racer) && racer.times.length > 0) result.measured.push(summary(cell, racer, speeds));
    }
  }
  return fields.map(({ result }) => result);
}

function leave(
  { absent }: CellResult,
  cell: Cell,
  { name }: EngineSpec,
  reason: string,
  wrong = false,
): void {
  absent.push({ ...cell, engine: name, reason, wrong });
}

/** The expected duration of a call, from rows that are not much smaller; 0 if unknown. */
function expectedSeconds({ row, mode, threads }: Cell, { name }: EngineSpec, speeds: Speeds): number {
  const known = speeds.get(`${name} ${mode} ${threads}`);
  const flops = creditedFlops(row, mode);
  return known && flops < 100 * known.flops ? flops / known.gflops / 1e9 : 0;
}

async function loadAll(
  cell: Cell,
  engines: readonly Running[],
  data: RowData,
  file: DataFile,
  pace: Pace,
  speeds: Speeds,
  result: CellResult,
): Promise<Racer[]> {
  const { row, mode } = cell;
  // The oracle processes all steps, which for a stream are several calls.
  const seen = mode === 'stream' ? makeRow(row.cell, row.I, row.H, row.B, stepsOf(row, mode)) : row;
  const agreement = new Agreement(seen, data);
  const racers: Racer[] = [];
  for (const engine of engines) {
    const { spec, process } = engine;
    const seconds = expectedSeconds(cell, spec, speeds);
    if (seconds > pace.limit) {
      leave(result, cell, spec, `too slow: about ${seconds.toFixed(0)} s per call`);
      continue;
    }
    try {
      const load = { do: 'load', row, mode, data: file } as const;
      const loaded = await process.ask(load, 60 + 10 * pace.limit);
      if (loaded.unavailable !== undefined) {
        leave(result, cell, spec, loaded.unavailable);
        continue;
      }
      const { variant = 'standard' } = loaded;
      if (row.cell === 'grubefore' && variant !== 'reset-before') {
        leave(result, cell, spec, 'has the reset after the product only');
        continue;
      }
      if (mode === 'train' && variant !== 'standard' && !agreement.knows(variant)) {
        // The first engine (Unroll) computes the same variant once for comparison.
        const judge = engines[0].process;
        agreement.judge(engines[0].spec.name, await judge.ask({ ...load, variant }));
        await judge.ask(load);
        if (!agreement.knows(variant)) {
          leave(result, cell, spec, 'other equations, and nothing to compare them with');
          continue;
        }
      }
      const wrong = agreement.judge(spec.name, loaded);
      if (wrong !== null) {
        leave(result, cell, spec, wrong, true);
        continue;
      }
      racers.push({ ...engine, loaded, milliseconds: 0, calls: 1, rounds: pace.rounds, times: [] });
    } catch (error) {
      leave(result, cell, spec, (error as Error).message);
    }
  }
  return racers;
}

async function warm(racer: Racer, pace: Pace): Promise<void> {
  const { milliseconds, note } = await racer.process.ask({ do: 'warm', milliseconds: pace.warm });
  racer.milliseconds = milliseconds;
  racer.calls = Math.max(1, Math.round(pace.round / milliseconds));
  // A long call averages out interruptions; a call of many seconds is repeated three times, or runs once.
  if (milliseconds > 3 * pace.round) racer.rounds = Math.min(7, pace.rounds);
  if (milliseconds > 10 * pace.round) racer.rounds = Math.min(3, pace.rounds);
  if (milliseconds > 5000) racer.rounds = 1;
  if (note !== undefined) racer.note = note;
}

function summary(cell: Cell, { spec, times, loaded, note }: Racer, speeds: Speeds): Measured {
  const { row, mode, threads } = cell;
  const ms = median(times);
  const flops = creditedFlops(row, mode);
  const gflops = flops / ms / 1e6;
  const key = `${spec.name} ${mode} ${threads}`;
  if (!(gflops <= (speeds.get(key)?.gflops ?? 0))) speeds.set(key, { gflops, flops });
  return {
    ...cell,
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
