/**
 * The loop of an engine in JavaScript, in a process of Node or in a worker of a page (`#host`): obeys commands and times
 * calls.
 */
import { browser, listen, readData } from '#host';
import type { DataFile, RowData } from '../data.js';
import type { Hello, Loaded, Peaks, Request, Round, Warmed } from '../protocol.js';
import type { Mode, Row, Variant } from '../rows.js';

/** One call; asynchronous where the engine's is. */
export type Work = () => unknown;

/** A row made ready. */
export interface Prepared {
  /** The timed call. */
  work: Work;
  /** Ways to do the same; the fastest is timed in place of `work`. */
  others?: Record<string, Work>;
  /** Which equations were built; default standard. */
  variant?: Variant;
  /**
   * infer: the last outputs of the row's data; stream: those after its steps. Runs before anything is timed.
   */
  outputs?: () => Float32Array | Promise<Float32Array>;
  /** train: one step's loss, before its update. Run three times before anything is timed. */
  step?: () => Promise<number>;
  drop?: () => unknown;
}

export interface Engine {
  hello(): Hello | Promise<Hello>;
  /** @throws Unavailable where the engine has no such row */
  prepare(row: Row, mode: Mode, data: RowData, variant: Variant): Promise<Prepared>;
  share?(): Promise<number>;
  peak?(): Peaks;
}

/** Why an engine cannot do a row, for the table. */
export class Unavailable extends Error {}

/** The last step's outputs [B, classes] of a translator's [B, T, classes]; of the others' all. */
export function lastSteps(values: Float32Array, { B, T, whole }: Row): Float32Array {
  if (whole?.model !== 'translator') return values;
  const { classes } = whole;
  const out = new Float32Array(B * classes);
  for (let b = 0; b < B; b++) {
    const at = (b * T + T - 1) * classes;
    out.set(values.subarray(at, at + classes), b * classes);
  }
  return out;
}

export function serve(engine: Engine): void {
  let loaded: Prepared | null = null;
  let work: Work = () => {};
  const drop = async (): Promise<void> => {
    await loaded?.drop?.();
    loaded = null;
    work = () => {};
  };
  const load = async (row: Row, mode: Mode, file: DataFile, variant: Variant): Promise<Loaded> => {
    await drop();
    try {
      loaded = await engine.prepare(row, mode, await readData(file), variant);
    } catch (error) {
      if (error instanceof Unavailable) return { unavailable: error.message };
      throw error;
    }
    work = loaded.work;
    const answer: Loaded = { variant: loaded.variant ?? 'standard' };
    if (loaded.outputs) answer.outputs = encode(await loaded.outputs());
    if (loaded.step) answer.losses = [await loaded.step(), await loaded.step(), await loaded.step()];
    return answer;
  };
  const warm = async (milliseconds: number): Promise<Warmed> => {
    const others = Object.entries(loaded?.others ?? {});
    const share = milliseconds / (1 + others.length);
    const best: Warmed = { milliseconds: await warmUp(work, share) };
    for (const [note, other] of others) {
      const time = await warmUp(other, share);
      if (time < best.milliseconds) {
        Object.assign(best, { milliseconds: time, note });
        work = other;
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
      case 'warm':
        return warm(request.milliseconds);
      case 'round':
        return timeRound(work, request.calls);
      case 'drop':
        return drop().then(() => ({}));
      case 'share':
        return engine.share?.().then((share) => ({ share }));
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

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function encode({ buffer, byteOffset, byteLength }: Float32Array): string {
  const bytes = new Uint8Array(buffer, byteOffset, byteLength);
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** Calls untimed for so many milliseconds, and says how long a call took in the second half. */
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

/** `calls` timed calls. Short ones follow one that fetches what other processes pushed out of the caches. */
async function timeRound(work: Work, calls: number): Promise<Round> {
  const first = calls > 1 ? work() : null;
  if (first instanceof Promise) await first;
  const start = performance.now();
  for (let i = 0; i < calls; i++) {
    const pending = work();
    if (pending instanceof Promise) await pending;
  }
  return { milliseconds: (performance.now() - start) / calls };
}
