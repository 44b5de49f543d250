/** Cases for the memory of a backend: the contract of `allocate`, `temporary`, `view`, `write` and `read`. */
import type { Backend } from '@unroll/core';
import { bitMismatch, throwProblems } from '../compare.js';
import { type ContractCase, readNow } from './case.js';

const storageCase = (name: string, run: (backend: Backend) => (string | null)[]): ContractCase => ({
  name: `memory: ${name}`,
  kernels: [],
  run: (backend) => throwProblems(run(backend)),
});

/** Returns `length` numbers: `first`, `first` + 1, ... */
const counting = (length: number, first = 0): Float64Array =>
  Float64Array.from({ length }, (_, i) => first + i);

/** Fills blocks of two nested arenas and a block from `allocate` with different numbers. Checks that all keep their values. */
function checkOverlap(backend: Backend): (string | null)[] {
  backend.openArena();
  const outer = [1, 17, 300_000, 5].map((length, i) => {
    const block = backend.temporary(length);
    backend.write(block, counting(length, i));
    return { block, length, from: i };
  });
  backend.openArena();
  const inner = backend.temporary(400_000);
  backend.write(inner, counting(400_000, 0.5));
  const allocated = backend.allocate(100);
  backend.write(allocated, counting(100, -100));
  backend.closeArena();
  const later = backend.temporary(400_000);
  backend.write(later, counting(400_000, 0.25));
  const problems = outer.map(({ block, length, from }) =>
    bitMismatch(`block of ${length}`, readNow(backend, block), counting(length, from)),
  );
  problems.push(bitMismatch('allocated block', readNow(backend, allocated), counting(100, -100)));
  problems.push(bitMismatch('later block', readNow(backend, later), counting(400_000, 0.25)));
  backend.closeArena();
  backend.release(allocated);
  return problems;
}

export const storageCases = (): ContractCase[] => [
  storageCase('read returns the values that were written', (backend) => {
    const block = backend.allocate(33);
    backend.write(block, counting(33));
    const problems = [bitMismatch('read', readNow(backend, block), counting(33))];
    backend.release(block);
    return problems;
  }),
  storageCase('a new block contains zeros, also in reused memory', (backend) => {
    const first = backend.allocate(1000);
    backend.write(first, counting(1000, 1));
    backend.release(first);
    const second = backend.allocate(1000);
    const problems = [bitMismatch('read', readNow(backend, second), new Float64Array(1000))];
    backend.release(second);
    return problems;
  }),
  storageCase('read returns a copy', (backend) => {
    const block = backend.allocate(3);
    const copy = readNow(backend, block);
    backend.write(block, [1, 2, 3]);
    copy[0] = 9;
    const problems = [
      bitMismatch('block', readNow(backend, block), [1, 2, 3]),
      bitMismatch('copy', copy, [9, 0, 0]),
    ];
    backend.release(block);
    return problems;
  }),
  storageCase('a view shares the memory of its block, and so does a view of a view', (backend) => {
    const block = backend.allocate(10);
    const view = backend.view(block, 3, 5);
    const inner = backend.view(view, 1, 2);
    backend.write(inner, [7, 8]);
    const problems = [
      bitMismatch('block', readNow(backend, block), [0, 0, 0, 0, 7, 8, 0, 0, 0, 0]),
      bitMismatch('view', readNow(backend, view), [0, 7, 8, 0, 0]),
    ];
    backend.release(block);
    return problems;
  }),
  storageCase('a block may have no elements', (backend) => {
    const block = backend.allocate(0);
    backend.write(block, []);
    const problems = [bitMismatch('read', readNow(backend, block), [])];
    backend.release(block);
    return problems;
  }),
  storageCase('blocks overlap neither within an arena nor across arenas', checkOverlap),
];
