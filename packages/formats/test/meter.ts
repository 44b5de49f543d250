/** Counts the memory that a reader allocates, for tests of damaged files. */
import { type Backend, referenceBackend } from '@unroll/core';

export class Meter {
  /** Bytes allocated since `start` as typed arrays, buffers and memory of the backend. */
  bytes = 0;
  #undo: (() => void)[] = [];

  start(): void {
    this.bytes = 0;
    const names = [
      'Uint8Array',
      'Uint16Array',
      'Uint32Array',
      'Float32Array',
      'Float64Array',
      'ArrayBuffer',
    ] as const;
    for (const name of names) {
      const original = globalThis[name];
      const size = name === 'ArrayBuffer' ? 1 : globalThis[name].BYTES_PER_ELEMENT;
      const count = (first: unknown): void => {
        if (typeof first === 'number') this.bytes += first * size;
        else if (Array.isArray(first) || ArrayBuffer.isView(first)) {
          this.bytes += (first as { length: number }).length * size;
        }
      };
      const counted: object = new Proxy(original, {
        construct(_target: object, values: unknown[], self: object): object {
          count(values[0]);
          return Reflect.construct(
            original,
            values,
            self === counted ? original : (self as typeof original),
          ) as object;
        },
      } as ProxyHandler<typeof original>);
      Object.assign(globalThis, { [name]: counted });
      this.#undo.push(() => void Object.assign(globalThis, { [name]: original }));
    }
  }

  stop(): void {
    for (const restore of this.#undo.splice(0)) restore();
  }

  /** Returns the reference backend with its memory counted. */
  backend(): Backend {
    const backend = referenceBackend();
    const counted = (allocate: Backend['allocate']) => (length: number) => {
      this.bytes += 4 * length;
      return allocate(length);
    };
    return { ...backend, allocate: counted(backend.allocate), temporary: counted(backend.temporary) };
  }
}

/** Returns the CPU time of the process in milliseconds. Elapsed time would include other programs that run at the same time. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
