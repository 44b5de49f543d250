/**
 * The backend contract: the requirements on every backend, as a list of named cases for any test runner, in Node and in
 * the browser. The expected results are those of the reference backend in float64.
 */
import { type ContractCase, skipReason } from './contract/case.js';
import { kernelCases } from './contract/kernels.js';
import { opCases } from './contract/ops.js';
import { storageCases } from './contract/storage.js';

export { type ContractCase, skipReason };

let cases: readonly ContractCase[] | null = null;

/** All cases. Every call returns the same objects, so that the reference results are computed only once. */
export function contractCases(): readonly ContractCase[] {
  cases ??= [...storageCases(), ...kernelCases(), ...opCases()];
  return cases;
}
