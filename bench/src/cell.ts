/**
 * A row of the benchmark in a mode: a cell for each number of threads. All engines load it and are compared, then they
 * warm up, then they take turns: a round of the first, a round of the second, and so on, the same with more threads,
 * and again, so that a machine that grows slower or faster does so for all of them.
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
  /** 0: nothing is timed. */
  rounds: number;
  /** Milliseconds a round should take. */
  round: number;
  /** Seconds that a call may take; an engine known to need more is left out. */
  limit: number;
}

/** Many short rounds: their median leaves out the 5 to 15 ms in which the machine does something else. */
export const FULL: Pace = { warm: 1000, rounds: 15, round: 70, limit: 10 };
export const QUICK: Pace = { warm: 150, rounds: 3, round: 60, limit: 2 };
/** Compares, and times nothing. */
export const CHECK: Pace = { warm: 0, rounds: 0, round: 0, limit: 10 };

/** What is asked for. */
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
  /** Of each round, in the order of the turns. */
  rounds: readonly number[];
  /** Credited and executed operations, per nanosecond of the median. */
  gflops: number;
  executedGflops: number;
  variant: Variant;
  /** Which of its ways was fastest. */
  note?: string;
}

export interface Absent extends Cell {
  engine: string;
  reason: string;
  /** It computed something else: a failure of the benchmark, not a gap. */
  wrong: boolean;
}

export interface Running {
  spec: EngineSpec;
  process: EngineProcess;
}

export interface CellResult {
  /** Engines that computed the same. */
  agreed: string[];
  measured: Measured[];
  absent: Absent[];
}

/** The most that engines reached so far, by engine, mode and threads: how long a further row will take. */
export type Speeds = Map<string, { gflops: number; flops: number }>;

interface Racer extends Running {
  loaded: Loaded;
  milliseconds: number;
  calls: number;
  rounds: number;
  times: number[];
  note?: string;
}

const PAUSE = 25; // lets the threads of the engine before stop spinning

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE));

/** The engines of one number of threads, and what they gave. */
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

/** How long a call will take, from rows that are not much smaller; 0 where that is not known. */
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
  // The oracle sees the steps that were fed, which for a stream are several calls.
  const seen = mode === 'stream' ? makeRow(row.cell, row.I, row.H, row.B, stepsOf(row, mode)) : row;
  const agreement = new Agreement(seen, data);
  const racers: Racer[] = [];
  for (const engine of engines) {
    const { spec, process } = engine;
    const seconds = expectedSeconds(cell, spec, speeds);
    if (seconds > pace.limit) {
      leave(result, cell, spec, `too slow: about ${seconds.toFixed(0)} s a call`);
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
        // The first engine (Unroll) computes the same equations once, to be compared with.
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
  // A long call is its own mean over what disturbs the machine; one of many seconds is made three times, or once.
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
