/**
 * Compares outputs, states and gradients of the LSTM, GRU and plain RNN with Keras 3 and PyTorch (tools/goldens/recurrent.py). The
 * cases cover every pair of options. They run with the fused kernels on every backend and, on the reference backend, also step by
 * step without these kernels. Detects a wrong gate order, bias, mask rule, direction, merge, state order or position of dropout,
 * and any wrong gradient.
 */
import { describe, test } from 'node:test';
import { mul, reshape, type Tensor } from '@unroll/core';
import {
  type Bidirectional,
  bidirectional,
  type CellState,
  gru,
  lstm,
  type MergeMode,
  type Recurrent,
  simpleRNN,
} from '@unroll/nn';
import {
  backends,
  camel,
  compare,
  type GoldenCase,
  type GoldenTensor,
  inferenceContext,
  onBackend,
  readCases,
  tensorFrom,
  withWeights,
} from './golden-case.js';

interface Options {
  activation: string;
  recurrentActivation?: string;
  useBias: boolean;
  resetAfter?: boolean;
  returnSequences: boolean;
  returnState: boolean;
  goBackwards: boolean;
  zeroOutputForMask: boolean;
  bidirectional: MergeMode | null;
}

interface Inputs {
  x: GoldenTensor;
  mask?: GoldenTensor;
  initialState?: GoldenTensor[];
  dropoutMask?: GoldenTensor | GoldenTensor[];
  recurrentDropoutMask?: GoldenTensor | GoldenTensor[];
}

interface RecurrentCase
  extends GoldenCase<
    Options,
    Inputs,
    { x: GoldenTensor; initialState: GoldenTensor[]; weights: GoldenTensor[] }
  > {
  cell: 'rnn' | 'lstm' | 'gru';
  H: number;
}

const makers = { rnn: simpleRNN, lstm, gru };

function layerOf({ cell, H, options: o }: RecurrentCase): Recurrent | Bidirectional {
  const { bidirectional: mergeMode, activation, recurrentActivation, ...rest } = o;
  const gates = recurrentActivation ? { recurrentActivation: camel(recurrentActivation) } : {};
  const layer = makers[cell]({ ...rest, ...gates, units: H, activation: camel(activation) });
  return mergeMode ? bidirectional(layer, { mergeMode }) : layer;
}

interface Masks {
  dropout: Tensor | null;
  recurrent: Tensor | null;
}

/** Runs one direction with given dropout masks, as the layer does with random ones. */
function runDirection(
  layer: Recurrent,
  x: Tensor,
  mask: Tensor | null,
  states: readonly Tensor[],
  masks: Masks,
): Tensor[] {
  const {
    returnSequences = false,
    returnState,
    zeroOutputForMask = false,
  } = layer.config.config as unknown as Options;
  const names = Object.keys(layer.cell.stateSizes);
  const state: CellState | null = states.length
    ? Object.fromEntries(names.map((name, i) => [name, states[i]!]))
    : null;
  const [B, , I] = x.shape as [number, number, number];
  const droppedX = masks.dropout ? mul(x, reshape(masks.dropout, [B, 1, I])) : x;
  const result = layer.run(droppedX, state, {
    ...{ returnSequences, zeroOutputForMask, mask, reverse: layer.goBackwards },
    ...{ timeOrder: layer.name.startsWith('backward_'), recurrentDropoutMask: masks.recurrent },
    ...{ constants: {}, prepared: {} },
  });
  return [result.y, ...(returnState ? names.map((name) => result.state[name]!) : [])];
}

function listOf(golden: GoldenTensor | GoldenTensor[] | undefined): (Tensor | null)[] {
  return [golden ?? []].flat().map(tensorFrom);
}

function runWithDropout(
  layer: Recurrent | Bidirectional,
  inputs: Inputs,
  x: Tensor,
  states: readonly Tensor[],
) {
  const mask = inputs.mask ? tensorFrom(inputs.mask) : null;
  const dropout = listOf(inputs.dropoutMask);
  const recurrent = listOf(inputs.recurrentDropoutMask);
  const masks = (n: number): Masks => ({ dropout: dropout[n] ?? null, recurrent: recurrent[n] ?? null });
  if (!('forwardLayer' in layer)) return runDirection(layer, x, mask, states, masks(0));
  const half = states.length / 2;
  const [y, ...forward] = runDirection(layer.forwardLayer, x, mask, states.slice(0, half), masks(0));
  const [yBack, ...backward] = runDirection(layer.backwardLayer, x, mask, states.slice(half), masks(1));
  const merged = layer.merge({ value: y!, mask }, { value: yBack!, mask });
  return [...merged.map((sequence) => sequence.value), ...forward, ...backward];
}

function check(golden: RecurrentCase, stepwise: boolean): void {
  const { inputs } = golden;
  const x = tensorFrom(inputs.x);
  const states = (inputs.initialState ?? []).map(tensorFrom);
  const layer = withWeights(
    layerOf(golden),
    [x, ...states].map(({ shape }) => shape),
    golden.weights,
  );
  for (const direction of 'forwardLayer' in layer ? [layer.forwardLayer, layer.backwardLayer] : [layer]) {
    direction.stepwise = stepwise;
  }
  const work = (): readonly Tensor[] => {
    if (inputs.dropoutMask || inputs.recurrentDropoutMask) return runWithDropout(layer, inputs, x, states);
    const mask = inputs.mask ? tensorFrom(inputs.mask) : null;
    const sequences = [{ value: x, mask }, ...states.map((value) => ({ value, mask: null }))];
    return layer.invoke(sequences, inferenceContext()).map((sequence) => sequence.value);
  };
  compare(work, [x, ...states, ...layer.parameters], {
    outputs: golden.outputs,
    outputWeights: inputs.outputWeights,
    gradients: [golden.gradients.x, ...golden.gradients.initialState, ...golden.gradients.weights],
  });
}

for (const file of ['lstm', 'lstm-table', 'gru-table', 'rnn-table']) {
  const cases = readCases<RecurrentCase>(file);
  for (const { name, backend, reason } of backends) {
    describe(`${file}: agrees with Keras and PyTorch on ${name}`, {
      skip: backend === null && reason,
    }, () => {
      for (const golden of cases) test(golden.name, () => onBackend(backend!, () => check(golden, false)));
    });
  }
  describe(`${file}: agrees with Keras and PyTorch step by step on the reference backend`, () => {
    for (const golden of cases)
      test(golden.name, () => onBackend(backends[0]!.backend!, () => check(golden, true)));
  });
}
