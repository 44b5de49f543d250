/**
 * The backend contract: the requirements on every backend, as named cases that any test runner can run, in Node and in
 * browsers. The expected results are computed by the float64 reference backend.
 */
import { type ContractCase, skipReason } from './contract/case.js';
import { kernelCases } from './contract/kernels.js';
import { opCases } from './contract/ops.js';
import { storageCases } from './contract/storage.js';

export { type ContractCase, skipReason };

let cases: readonly ContractCase[] | null = null;

/** Returns all cases. Every call returns the same objects, because they cache the reference results. */
export function contractCases(): readonly ContractCase[] {
  cases ??= [...storageCases(), ...kernelCases(), ...opCases()];
  return cases;
}
