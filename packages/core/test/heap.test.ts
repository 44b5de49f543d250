/**
 * The heap over linear memory. Detects blocks that overlap or are not aligned, freed memory that is not merged or not
 * reused, arenas that grow from step to step, addresses truncated to 31 or 32 bits, and memory exhaustion without a typed
 * error or with arenas that stay open.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, UnrollError } from '@unroll/core';
import { cpuBackend, Heap } from '@unroll/core/internal';
import { type LinearMemory, loadKernelsSync } from '@unroll/kernels';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** A memory without contents that only counts the reserved bytes. */
class FakeMemory implements LinearMemory {
  readonly buffer = new ArrayBuffer(0);
  readonly heapBase: number;
  readonly limit: number;
  reserved = 0;
  /** Bytes that the system can provide; may be less than `limit`. */
  available = Number.POSITIVE_INFINITY;

  constructor(limit = 4 * GiB, heapBase = 64) {
    this.limit = limit;
    this.heapBase = heapBase;
  }

  reserve(bytes: number): boolean {
    if (bytes > this.available) return false;
    this.reserved = Math.max(this.reserved, bytes);
    return true;
  }
}

describe('blocks', () => {
  test('are aligned, start after the memory of the kernels, and are reserved', () => {
    const memory = new FakeMemory(GiB, 1000);
    const heap = new Heap(memory);
    const first = heap.allocate(1);
    const second = heap.allocate(65);
    const third = heap.allocate(0);
    assert.deepEqual([first, second, third], [1024, 1088, 1216]);
    assert.equal(heap.extent, 256);
    assert.ok(memory.reserved >= 1216 + 64);
  });

  test('freed in any order are merged into one range', () => {
    for (const order of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
      const heap = new Heap(new FakeMemory());
      const at: Record<string, number> = {};
      for (const name of ['a', 'b', 'c', 'fence']) at[name] = heap.allocate(100);
      const { extent } = heap;
      for (const name of order) heap.free(at[name]!);
      assert.equal(heap.allocate(3 * 128), at.a, `freed as ${order}`);
      assert.equal(heap.extent, extent);
    }
  });

  test('freed at the end shrink the extent, together with free ranges before them', () => {
    const heap = new Heap(new FakeMemory());
    const [a, b, c] = [heap.allocate(1000), heap.allocate(1000), heap.allocate(1000)];
    heap.free(b);
    assert.equal(heap.extent, 3 * 1024);
    heap.free(c);
    assert.equal(heap.extent, 1024);
    heap.free(a);
    assert.equal(heap.extent, 0);
  });

  test('freed twice, or never allocated, change nothing', () => {
    const heap = new Heap(new FakeMemory());
    const [a] = [heap.allocate(64), heap.allocate(64)];
    heap.free(a);
    heap.free(a);
    heap.free(a + 64 * 100);
    const [again, other] = [heap.allocate(64), heap.allocate(64)];
    assert.equal(again, a);
    assert.notEqual(other, a);
  });

  test('of random sizes never overlap, and all memory is released', () => {
    const random = new RandomStream(11, 'heap');
    const heap = new Heap(new FakeMemory());
    const live = new Map<number, number>();
    for (let round = 0; round < 3000; round++) {
      const [choice, size, which] = random.uniform(3) as unknown as [number, number, number];
      if (choice < 0.55 || live.size === 0) {
        const bytes = 1 + Math.floor(size ** 3 * 5000);
        const start = heap.allocate(bytes);
        for (const [other, length] of live) {
          assert.ok(
            start + bytes <= other || other + length <= start,
            `${start} lies in the block at ${other}`,
          );
        }
        assert.equal(start % 64, 0);
        assert.ok(start + bytes <= heap.extent + 64);
        live.set(start, bytes);
      } else {
        const start = [...live.keys()][Math.floor(which * live.size)]!;
        heap.free(start);
        live.delete(start);
      }
    }
    for (const start of live.keys()) heap.free(start);
    assert.equal(heap.extent, 0);
  });

  test('have correct addresses above 2 GiB and above 4 GiB', () => {
    const heap = new Heap(new FakeMemory(16 * GiB));
    const low = heap.allocate(3 * GiB);
    const middle = heap.allocate(2 * GiB);
    const high = heap.allocate(64);
    assert.deepEqual([low, middle, high], [64, 64 + 3 * GiB, 64 + 5 * GiB]);
    heap.free(middle);
    assert.equal(heap.allocate(2 * GiB - 64), middle);
    heap.openArena();
    assert.ok(heap.temporary(100) > 4 * GiB);
    heap.closeArena();
  });
});

describe('arenas', () => {
  /** One scope: the sizes of its temporary blocks, and nested scopes. */
  type Step = readonly (number | Step)[];

  /** Runs the step; checks that no block overlaps a block in use. */
  function perform(heap: Heap, step: Step, inUse: [number, number][] = []): void {
    heap.openArena();
    const live: [number, number][] = [...inUse];
    for (const part of step) {
      if (typeof part !== 'number') {
        perform(heap, part, live);
        continue;
      }
      const start = heap.temporary(part);
      assert.ok(start >= 64, 'address 0 is null');
      assert.equal(start % 64, 0);
      for (const [other, length] of live) assert.ok(start + part <= other || other + length <= start);
      live.push([start, part]);
    }
    heap.closeArena();
  }

  const STEPS: Record<string, Step> = {
    small: [100, 0, 1, 4000],
    'larger than a chunk': [100, 3 * MiB, 100],
    'many chunks': [MiB, MiB, MiB, 5 * MiB, 100],
    nested: [100, [200], 300, [400, [500]], 600],
    'an inner scope first': [[100], 200],
    'nested and large': [MiB, [3 * MiB], 2 * MiB, [MiB, [4 * MiB], 2 * MiB], MiB],
    'only inner scopes': [[MiB], [2 * MiB], []],
    nothing: [],
  };

  for (const [name, step] of Object.entries(STEPS)) {
    test(`repeated steps do not grow the memory: ${name}`, () => {
      const heap = new Heap(new FakeMemory());
      perform(heap, step);
      perform(heap, step);
      const { extent } = heap;
      for (let round = 0; round < 50; round++) perform(heap, step);
      assert.equal(heap.extent, extent);
    });
  }

  test('alternating steps do not grow the memory, even with blocks that stay allocated', () => {
    const heap = new Heap(new FakeMemory());
    const round = (): void => {
      for (const step of Object.values(STEPS)) {
        perform(heap, step);
        heap.free(heap.allocate(100_000));
      }
    };
    round();
    heap.allocate(1000);
    round();
    const { extent } = heap;
    for (let n = 0; n < 20; n++) round();
    assert.equal(heap.extent, extent);
  });

  test('a block allocated inside an arena outlives it', () => {
    const heap = new Heap(new FakeMemory());
    heap.openArena();
    heap.temporary(5 * MiB);
    const block = heap.allocate(1000);
    heap.temporary(5 * MiB);
    heap.closeArena();
    heap.openArena();
    for (const size of [6 * MiB, 9 * MiB]) {
      const start = heap.temporary(size);
      assert.ok(start + size <= block || block + 1000 <= start);
    }
    heap.closeArena();
  });

  test('temporary memory outside an arena is an error', () => {
    assert.throws(
      () => new Heap(new FakeMemory()).temporary(4),
      (error) =>
        error instanceof UnrollError &&
        error.code === 'scope' &&
        error.message === 'Temporary memory needs a scope: run this code inside scope(...).',
    );
  });
});

describe('running out of memory', () => {
  const isOutOfMemory = (error: unknown): boolean => error instanceof UnrollError && error.code === 'memory';

  test('is also reported for a block with more elements than kernels can count', () => {
    const heap = new Heap(new FakeMemory(32 * GiB));
    assert.throws(() => heap.allocate(8 * GiB), isOutOfMemory);
    heap.openArena();
    assert.throws(() => heap.temporary(8 * GiB), isOutOfMemory);
    // Two blocks of 5 GiB fit, in each of two steps: the maximum applies to one block, not to the total.
    for (let step = 0; step < 2; step++) {
      heap.openArena();
      const [first, second] = [heap.temporary(5 * GiB), heap.temporary(5 * GiB)];
      assert.ok(Math.abs(first - second) >= 5 * GiB);
      heap.closeArena();
    }
    heap.closeArena();
  });

  test('is an error with the requested size and a remedy', () => {
    const heap = new Heap(new FakeMemory(64 * MiB));
    heap.allocate(32 * MiB);
    assert.throws(
      () => heap.allocate(40 * MiB),
      (error) => {
        assert.ok(error instanceof UnrollError);
        assert.equal(error.code, 'memory');
        assert.equal(
          error.message,
          'Out of memory: another 40 MiB do not fit (32 MiB in use, limit 64 MiB). Use a smaller batch or shorter ' +
            'sequences, or the native backend.',
        );
        assert.deepEqual(error.data, { bytes: 40 * MiB, inUse: 32 * MiB, limit: 64 * MiB });
        return true;
      },
    );
    heap.allocate(16 * MiB); // a block that fits is still allocated
  });

  test('the error recommends the native backend only on WebAssembly', () => {
    // Native kernels may have a small limit, too, if the system refuses to reserve more.
    const native = new Heap(new FakeMemory(GiB), 'native');
    assert.throws(() => native.allocate(2 * GiB), /shorter sequences\.$/);
    const wasm = new Heap(new FakeMemory(GiB), 'wasm');
    assert.throws(() => wasm.allocate(2 * GiB), /shorter sequences, or the native backend\.$/);
  });

  test('happens below the limit if the system has no more memory', () => {
    const memory = new FakeMemory(GiB);
    memory.available = 10 * MiB;
    const heap = new Heap(memory);
    assert.throws(() => heap.allocate(11 * MiB), isOutOfMemory);
    assert.equal(heap.allocate(MiB), 64);
  });

  test('does not damage open arenas', () => {
    const heap = new Heap(new FakeMemory(16 * MiB));
    for (let round = 0; round < 3; round++) {
      heap.openArena();
      heap.temporary(4 * MiB);
      heap.openArena();
      heap.temporary(4 * MiB);
      assert.throws(() => heap.temporary(10 * MiB), isOutOfMemory);
      heap.temporary(1000);
      heap.closeArena();
      heap.closeArena();
    }
    assert.ok(heap.extent < 16 * MiB);
  });

  test('does not happen while the requested temporary memory fits, even if a chunk of the usual size does not', () => {
    const heap = new Heap(new FakeMemory(64 * MiB));
    heap.openArena();
    heap.temporary(40 * MiB); // the next chunk would have 20 MiB
    heap.allocate(10 * MiB);
    heap.temporary(8 * MiB);
    assert.throws(
      () => heap.temporary(9 * MiB),
      (error) => error instanceof UnrollError && error.data?.bytes === 9 * MiB,
    );
    heap.closeArena();
  });

  test('leaves no arena open if ctc needs more memory than there is', () => {
    const { heap, kernels, ...backend } = cpuBackend(loadKernelsSync({ kind: 'wasm', threads: false }));
    const block = backend.allocate(16); // the kernel does not run, so it reads none of its operands
    const [B, T, C, L] = [1, 2 ** 24, 2, 16];
    const operands = { x: block, targets: block, lengths: block, targetLengths: block, losses: block };
    assert.throws(
      () => kernels.ctc({ ...operands, dx: null, B, T, C, L, blank: 0, zeroInfinity: false }),
      isOutOfMemory,
    );
    assert.throws(() => heap.temporary(1), /needs a scope/);
  });

  test('closing an arena never fails, even where its chunks cannot be joined', () => {
    const heap = new Heap(new FakeMemory(12 * MiB));
    heap.openArena();
    heap.temporary(4 * MiB);
    const block = heap.allocate(64); // between the chunks
    heap.temporary(5 * MiB);
    heap.closeArena();
    heap.openArena();
    heap.temporary(4 * MiB);
    heap.closeArena();
    heap.free(block);
  });
});
