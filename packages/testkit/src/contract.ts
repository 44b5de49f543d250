/**
 * The backend contract: what every backend must do, as a list of named cases that any test runner can run, in
 * Node and in a browser. The truth is the reference backend in float64.
 */
import { type ContractCase, skipReason } from './contract/case.js';
import { kernelCases } from './contract/kernels.js';
import { opCases } from './contract/ops.js';
import { storageCases } from './contract/storage.js';

export { type ContractCase, skipReason };

let cases: readonly ContractCase[] | null = null;

/** All cases; the same ones at every call, so that what the reference gives is worked out once. */
export function contractCases(): readonly ContractCase[] {
  cases ??= [...storageCases(), ...kernelCases(), ...opCases()];
  return cases;
}
