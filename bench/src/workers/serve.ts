/**
 * The request loop of a JavaScript engine (Unroll, or a library that it is compared with): executes commands and times calls.
 * `#host` is host-node.ts in a Node process and host-browser.ts in a worker of a page (bench/package.json).
 */
import { browser, listen, readData } from '#host';
import type { DataFile, RowData } from '../data.js';
import type {
  HelloReply,
  LoadReply,
  LoadSequenceReply,
  Peaks,
  Request,
  RoundReply,
  WarmUpReply,
} from '../protocol.js';
import type { Mode, Row, Variant } from '../rows.js';
import type { SequenceMode, SequenceRow } from '../sequences/rows.js';

/** The work of one call. Returns a promise if the engine is asynchronous. */
export type Work = () => unknown;

/** A row of the benchmark (a network with its sizes) that is ready to run. */
export interface PreparedRow {
  /** The timed call. */
  work: Work;
  /** Other implementations of `work`, by name. The warm-up selects the fastest. */
  alternatives?: Record<string, Work>;
  /** The variant of the equations that the model computes. Default `standard`. */
  variant?: Variant;
  /**
   * Computes the outputs of the last time step. For a stream, runs all steps. Called before timing.
   */
  outputs?: () => Float32Array | Promise<Float32Array>;
  /** train: runs one step and returns the loss before its update. Called three times before timing. */
  step?: () => Promise<number>;
  /** Frees the memory of the row. */
  drop?: () => unknown;
}

/** The commands that an engine implements. */
export interface Engine {
  hello(): HelloReply | Promise<HelloReply>;
  /** @throws Unavailable if the engine cannot run the row */
  prepare(row: Row, mode: Mode, data: RowData, variant: Variant): Promise<PreparedRow>;
  /** Builds a row of `npm run bench:sequences`. */
  prepareSequence?(row: SequenceRow, mode: SequenceMode, data: RowData): Promise<PreparedRow>;
  /** Unroll only: returns the share of a training step that is spent in JavaScript, outside kernels. */
  javascriptShare?(): Promise<number>;
  peak?(): Peaks;
}

/** Thrown if an engine cannot run a row. The message becomes a footnote of the report, after the engine's name. */
export class Unavailable extends Error {}

/** Returns the last time step [B, classes] of a translator's outputs [B, T, classes]. Returns other outputs unchanged. */
export function takeLastStep(values: Float32Array, { B, T, textModel }: Row): Float32Array {
  if (textModel?.model !== 'translator') return values;
  const { classes } = textModel;
  const out = new Float32Array(B * classes);
  for (let b = 0; b < B; b++) {
    const offset = (b * T + T - 1) * classes;
    out.set(values.subarray(offset, offset + classes), b * classes);
  }
  return out;
}

/** Answers requests until the process or worker ends. */
export function serve(engine: Engine): void {
  let loaded: PreparedRow | null = null;
  let work: Work = () => {};
  const drop = async (): Promise<void> => {
    await loaded?.drop?.();
    loaded = null;
    work = () => {};
  };
  const load = async (row: Row, mode: Mode, file: DataFile, variant: Variant): Promise<LoadReply> => {
    await drop();
    try {
      loaded = await engine.prepare(row, mode, await readData(file), variant);
    } catch (error) {
      if (error instanceof Unavailable) return { unavailable: error.message };
      throw error;
    }
    work = loaded.work;
    return { variant: loaded.variant ?? 'standard', ...(await resultsOf(loaded)) };
  };
  const loadSequence = async (row: SequenceRow, mode: SequenceMode, file: DataFile) => {
    await drop();
    if (!engine.prepareSequence) throw new Error('This engine does not support the rows of bench:sequences.');
    loaded = await engine.prepareSequence(row, mode, await readData(file));
    work = loaded.work;
    return resultsOf(loaded);
  };
  const warm = async (milliseconds: number): Promise<WarmUpReply> => {
    const alternatives = Object.entries(loaded?.alternatives ?? {});
    const millisecondsEach = milliseconds / (1 + alternatives.length);
    const best: WarmUpReply = { milliseconds: await warmUp(work, millisecondsEach) };
    for (const [note, alternative] of alternatives) {
      const time = await warmUp(alternative, millisecondsEach);
      if (time < best.milliseconds) {
        Object.assign(best, { milliseconds: time, note });
        work = alternative;
      }
    }
    return best;
  };
  const run = async (request: Request): Promise<unknown> => {
    switch (request.do) {
      case 'hello':
        return { ...(await engine.hello()), ...(browser && { browser }) };
      case 'load':
        return load(request.row, request.mode, request.data, request.variant ?? 'standard');
      case 'loadSequence':
        return loadSequence(request.row, request.mode, request.data);
      case 'warm':
        return warm(request.milliseconds);
      case 'round':
        return timeRound(work, request.calls);
      case 'drop':
        return drop().then(() => ({}));
      case 'javascriptShare':
        return engine.javascriptShare?.().then((share) => ({ share }));
      case 'peak':
        return engine.peak?.();
    }
  };
  listen(async (request) => {
    const { id } = request;
    return run(request).then(
      (ok) => ({ id, ok }),
      (error: unknown) => ({ id, error: messageOf(error) }),
    );
  });
}

/** Computes the results that are compared between engines. */
async function resultsOf({ outputs, step }: PreparedRow): Promise<LoadSequenceReply> {
  return {
    ...(outputs && { outputs: encode(await outputs()) }),
    ...(step && { losses: [await step(), await step(), await step()] }),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Encodes float32 values in base64. */
function encode({ buffer, byteOffset, byteLength }: Float32Array): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** Calls `work` for the given time. @returns milliseconds per call in the second half of this time */
async function warmUp(work: Work, milliseconds: number): Promise<number> {
  const half = async (): Promise<number> => {
    const start = performance.now();
    let calls = 0;
    while (calls === 0 || performance.now() - start < milliseconds / 2) {
      const pending = work();
      if (pending instanceof Promise) await pending;
      calls++;
    }
    return (performance.now() - start) / calls;
  };
  await half();
  return half();
}

/**
 * Times `calls` calls. Before several calls, an untimed one reloads data that other processes have evicted from the
 * caches.
 */
async function timeRound(work: Work, calls: number): Promise<RoundReply> {
  const first = calls > 1 ? work() : null;
  if (first instanceof Promise) await first;
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    const pending = work();
    if (pending instanceof Promise) await pending;
  }
  return { milliseconds: (performance.now() - start) / calls };
}
