/**
 * Compares outputs, states and gradients of the coupled, projected and layer-normalised LSTM, zoneout, minGRU and minLSTM with
 * the results of tools/goldens/cells.py, on every backend, for whole sequences and step by step. The script runs PyTorch's own
 * layers or the equations of the papers, in float64. Detects gates in the wrong order, a normalisation over the wrong axis or
 * with the wrong ε, zoneout that draws its random numbers for h and c in the wrong order, and minGRU and minLSTM results that
 * differ from the parallel scan of the paper.
 */
import { describe, test } from 'node:test';
import { type MaskedSequence, RandomStream, type Shape, type Tensor, tensor } from '@unroll/core';
import {
  type Activation,
  bidirectional,
  coupledLstm,
  type Layer,
  layerNormLstm,
  lstmCell,
  minGru,
  minLstm,
  projectedLstm,
  type Recurrent,
  recurrent,
  zoneoutCell,
} from '@unroll/nn';
import { readGoldens } from '@unroll/testkit/node';
import {
  backends,
  compare,
  type GoldenTensor,
  inferenceContext,
  onBackend,
  tensorFrom,
  trainableParametersOf,
  valuesOf,
} from './golden-case.js';

interface Case {
  name: string;
  options: {
    goBackwards?: boolean;
    bidirectional?: boolean;
    normalizeState?: boolean;
    activation?: Activation | 'logSpace';
    rates?: { h: number; c: number };
  };
  inputs: GoldenTensor[];
  mask?: GoldenTensor;
  /** [T, 2, B, H]: the uniform numbers of zoneout. */
  uniform?: GoldenTensor;
  weights: GoldenTensor[];
  outputs: GoldenTensor[];
  /** Coefficients of the scalar Σ outputWeights · outputs, whose gradients are compared; one tensor per output. */
  outputWeights: GoldenTensor[];
  gradients: { inputs: GoldenTensor[]; weights: GoldenTensor[] };
}

const { cases } = readGoldens('layers/cells.json') as { cases: Case[] };
const [units, projection] = [5, 3];
const common = { units, returnSequences: true, returnState: true } as const;

const makers: Record<string, (golden: Case) => Recurrent> = {
  coupled: ({ options: { goBackwards } }) => coupledLstm({ ...common, goBackwards: goBackwards! }),
  projected: ({ mask }) => projectedLstm({ ...common, projection, zeroOutputForMask: mask !== undefined }),
  layerNorm: ({ options: { normalizeState } }) =>
    layerNormLstm({ ...common, normalizeState: normalizeState! }),
  zoneout: ({ options: { rates } }) =>
    recurrent(zoneoutCell(lstmCell({ units }), rates!), { returnSequences: true, returnState: true }),
  minGru: ({ options: { activation } }) => minGru({ ...common, activation: activation! }),
  minLstm: ({ options: { activation } }) => minLstm({ ...common, activation: activation! }),
};

/** Returns a random stream whose uniform tensors contain the numbers of a case. */
function streamOf(uniform: GoldenTensor): RandomStream {
  const values = valuesOf(uniform);
  let used = 0;
  const stream = new RandomStream(0);
  stream.uniformTensor = (shape: Shape): Tensor => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    used += size;
    return tensor(values.slice(used - size, used), shape);
  };
  return stream;
}

function check(golden: Case, stepwise: boolean): void {
  const recurrentLayer = makers[golden.name.split('/')[0]!]!(golden);
  const layer: Layer = golden.options.bidirectional ? bidirectional(recurrentLayer) : recurrentLayer;
  for (const part of [layer, ...layer.sublayers]) Object.assign(part, { stepwise });
  const inputs = golden.inputs.map(tensorFrom);
  layer.build(inputs.map(({ shape }) => shape));
  layer.setWeights(golden.weights.map((weight) => ({ shape: weight.shape, values: valuesOf(weight) })));
  const mask = golden.mask ? tensorFrom(golden.mask) : null;
  const sequences = inputs.map((value, i): MaskedSequence => ({ value, mask: i === 0 ? mask : null }));
  const work = (): Tensor[] => {
    const training = golden.uniform && { training: true, random: streamOf(golden.uniform) };
    return layer.invoke(sequences, { ...inferenceContext(), ...training }).map(({ value }) => value);
  };
  compare(work, [...inputs, ...trainableParametersOf(layer)], {
    outputs: golden.outputs,
    outputWeights: golden.outputWeights,
    gradients: [...golden.gradients.inputs, ...golden.gradients.weights],
  });
}

for (const { name, backend, reason } of backends) {
  describe(`cells agree with the goldens on ${name}`, { skip: backend === null && reason }, () => {
    for (const golden of cases) {
      test(golden.name, () => onBackend(backend!, () => check(golden, false)));
      test(`${golden.name}, step by step`, () => onBackend(backend!, () => check(golden, true)));
    }
  });
}
