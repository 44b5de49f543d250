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
      const own = globalThis[name];
      const size = name === 'ArrayBuffer' ? 1 : globalThis[name].BYTES_PER_ELEMENT;
      const count = (first: unknown): void => {
        if (typeof first === 'number') this.bytes += first * size;
        else if (Array.isArray(first) || ArrayBuffer.isView(first)) {
          this.bytes += (first as { length: number }).length * size;
        }
      };
      const counted: object = new Proxy(own, {
        construct(_target: object, values: unknown[], self: object): object {
          count(values[0]);
          return Reflect.construct(own, values, self === counted ? own : (self as typeof own)) as object;
        },
      } as ProxyHandler<typeof own>);
      Object.assign(globalThis, { [name]: counted });
      this.#undo.push(() => void Object.assign(globalThis, { [name]: own }));
    }
  }

  stop(): void {
    for (const restore of this.#undo.splice(0)) restore();
  }

  /** Returns the reference backend with its memory counted. */
  backend(): Backend {
    const own = referenceBackend();
    const counted = (allocate: Backend['allocate']) => (length: number) => {
      this.bytes += 4 * length;
      return allocate(length);
    };
    return { ...own, allocate: counted(own.allocate), temporary: counted(own.temporary) };
  }
}

/** Returns the CPU time of the process in milliseconds. Elapsed time would include other programs that run at the same time. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
