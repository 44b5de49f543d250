/**
 * Names and types of the options that several layers and cells share. Factory functions use them to check options. The
 * constructors do not, which keeps the checks out of bundles that only load models. `true` means that the value of an
 * option is checked elsewhere.
 */
import type { OptionTypes } from '@unroll/core/internal';
import type { CellOptions, GatedCellOptions } from './cells/matrix-cell.js';
import type { LayerOptions } from './layer.js';
import type { RecurrentOptions } from './layers/recurrent.js';
import type { NetworkOptions } from './network.js';

export const LAYER: OptionTypes<LayerOptions> = {
  name: 'string',
  trainable: 'boolean',
  activityRegularizer: true,
};

export const networkOptions = (): OptionTypes<NetworkOptions> => ({ seed: 'integer', ...LAYER });

export const CELL: OptionTypes<CellOptions> = {
  units: 'count',
  activation: true,
  useBias: 'boolean',
  kernelInitializer: true,
  recurrentInitializer: true,
  biasInitializer: true,
  kernelRegularizer: true,
  recurrentRegularizer: true,
  biasRegularizer: true,
  kernelConstraint: true,
  recurrentConstraint: true,
  biasConstraint: true,
  dropout: 'fraction',
  recurrentDropout: 'fraction',
  weightDrop: 'fraction',
};

export const gatedCellOptions = (): OptionTypes<GatedCellOptions> => ({ ...CELL, recurrentActivation: true });

export const recurrentOptions = (): OptionTypes<RecurrentOptions> => ({
  returnSequences: 'boolean',
  returnState: 'boolean',
  goBackwards: 'boolean',
  stateful: 'boolean',
  zeroOutputForMask: 'boolean',
  dropout: 'fraction',
  recurrentDropout: 'fraction',
  seed: 'integer',
  ...LAYER,
});
