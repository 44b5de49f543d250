// Code that both loaders share: checks a KernelChoice and a number of threads.
import { type KernelChoice, KernelLoadError } from './types.js';

const WASM_VARIANTS: Record<string, KernelChoice> = {
  strict: { kind: 'wasm', relaxed: false, threads: false },
  'strict-threads': { kind: 'wasm', relaxed: false, threads: true },
  relaxed: { kind: 'wasm', relaxed: true, threads: false },
  'relaxed-threads': { kind: 'wasm', relaxed: true, threads: true },
  infer: { kind: 'wasm', infer: true, threads: false },
  'infer-threads': { kind: 'wasm', infer: true, threads: true },
};

/** Returns the choice that loads the given variant. */
export const choiceFor = (variant: string): KernelChoice =>
  WASM_VARIANTS[variant] ?? { kind: 'native', isa: variant };

/** Returns the kind that a choice requires; undefined: any. */
export const wantedKind = (choice: KernelChoice): 'native' | 'wasm' | undefined => {
  const { kind, isa, relaxed, infer, threads } = choice;
  const wasm = relaxed || infer || threads;
  if (isa !== undefined && (kind === 'wasm' || wasm)) {
    throw new KernelLoadError(
      `isa "${isa}" is for native kernels; relaxed, infer and threads are for WebAssembly: do not combine them`,
      'bad-choice',
    );
  }
  if (kind === 'native' && wasm) {
    throw new KernelLoadError(
      "relaxed, infer and threads belong to WebAssembly: leave them out or set kind to 'wasm'",
      'bad-choice',
    );
  }
  if (relaxed && infer)
    throw new KernelLoadError('there is no build with both relaxed and infer: choose one', 'bad-choice');
  if (kind !== undefined && kind !== 'native' && kind !== 'wasm') {
    throw new KernelLoadError(`kind must be 'native' or 'wasm', got ${JSON.stringify(kind)}`, 'bad-choice');
  }
  return kind ?? (isa !== undefined ? 'native' : wasm ? 'wasm' : undefined);
};

/** Checks a number of threads and limits it to `max`. */
export const checkedThreads = (count: number, max: number): number => {
  if (!Number.isInteger(count) || count < 1) {
    throw new KernelLoadError(`setThreads: threads must be a positive integer, got ${count}`, 'bad-threads');
  }
  return Math.min(count, max);
};
