/**
 * The options shared by several layers and cells, for the checks in their factory functions. The classes do not check
 * options, because a page that only loads models creates them from configs.
 */
import type { Known } from '@unroll/core/internal';
import type { CellOptions, GatedCellOptions } from './cells/matrix-cell.js';
import type { LayerOptions } from './layer.js';
import type { RecurrentOptions } from './layers/recurrent.js';
import type { NetworkOptions } from './network.js';

export const LAYER: Known<LayerOptions> = { name: 'text', trainable: 'flag', activityRegularizer: true };

export const networkOptions = (): Known<NetworkOptions> => ({ seed: 'integer', ...LAYER });

export const CELL: Known<CellOptions> = {
  units: 'count',
  activation: true,
  useBias: 'flag',
  kernelInitializer: true,
  recurrentInitializer: true,
  biasInitializer: true,
  kernelRegularizer: true,
  recurrentRegularizer: true,
  biasRegularizer: true,
  kernelConstraint: true,
  recurrentConstraint: true,
  biasConstraint: true,
  dropout: 'share',
  recurrentDropout: 'share',
};

export const gatedCellOptions = (): Known<GatedCellOptions> => ({ ...CELL, recurrentActivation: true });

export const recurrentOptions = (): Known<RecurrentOptions> => ({
  returnSequences: 'flag',
  returnState: 'flag',
  goBackwards: 'flag',
  stateful: 'flag',
  zeroOutputForMask: 'flag',
  dropout: 'share',
  recurrentDropout: 'share',
  seed: 'integer',
  ...LAYER,
});
