/** Translates the recurrent layers, their cells, and the wrappers Bidirectional and TimeDistributed. */
import type { Json, JsonObject } from '@unroll/core/internal';
import { cudnnGruWeights, cudnnLstmWeights } from './cudnn.js';
import { classNameOf, listIn } from './json.js';
import {
  optionsOf,
  plainClassName,
  seedOf,
  type TranslatedLayer,
  type Translator,
  type WeightGroup,
} from './layer-types.js';
import type { KerasOptions } from './options.js';
import { hardSigmoidConversion, OLD_HARD_SIGMOID } from './rescale.js';

type Kind = 'SimpleRNN' | 'GRU' | 'LSTM' | 'CuDNNGRU' | 'CuDNNLSTM';

/**
 * For each layer, the number of gates and the indices of the gates to which the recurrent activation applies. The weights of
 * these gates are scaled if this activation is the hard_sigmoid of Keras 2 (see rescale.ts).
 */
const SIGMOID_GATES = {
  SimpleRNN: { gateCount: 1, scaled: [] },
  GRU: { gateCount: 3, scaled: [0, 1] },
  LSTM: { gateCount: 4, scaled: [0, 1, 3] },
} as const;

interface CellPart {
  options: JsonObject;
  group: WeightGroup;
}

/**
 * Reads the options that a cell and its layer share, and returns them with the weights of the cell.
 * @param path path of the cell in files of Keras 3
 * @param prefix prefix of the names of the cell's parameters
 */
function cellPart(o: KerasOptions, kind: Kind, path: string, prefix: string): CellPart {
  const isCudnn = kind === 'CuDNNGRU' || kind === 'CuDNNLSTM';
  const type = kind.replace('CuDNN', '') as keyof typeof SIGMOID_GATES;
  const useBias = isCudnn || o.flag('use_bias', true);
  if (o.hasOldHardSigmoid('activation')) throw o.refuse(OLD_HARD_SIGMOID);
  const scaling =
    type === 'SimpleRNN' || isCudnn
      ? {}
      : hardSigmoidConversion(o, 'recurrent_activation', SIGMOID_GATES[type]);
  if (isCudnn) o.context.rescaled = true;
  const convert = kind === 'CuDNNLSTM' ? cudnnLstmWeights : kind === 'CuDNNGRU' ? cudnnGruWeights : null;
  const names = useBias ? ['kernel', 'recurrent_kernel', 'bias'] : ['kernel', 'recurrent_kernel'];
  return {
    options: {
      units: o.number('units'),
      ...(!isCudnn && { activation: o.activation('activation', 'tanh'), dropout: o.number('dropout', 0) }),
      ...(!isCudnn && { recurrentDropout: o.number('recurrent_dropout', 0) }),
      ...(type !== 'SimpleRNN' &&
        !isCudnn && { recurrentActivation: o.activation('recurrent_activation', 'sigmoid') }),
      ...(type === 'GRU' && { resetAfter: isCudnn || o.flag('reset_after', false) }),
      ...(type === 'LSTM' && { unitForgetBias: o.flag('unit_forget_bias', true) }),
      useBias,
      ...o.weights('kernel', 'recurrent', 'bias'),
    },
    group: {
      path,
      parameters: names.map((name) => prefix + name),
      trainable: o.config.trainable !== false,
      ...scaling,
      ...(convert && { convert }),
    },
  };
}

/** Returns the options that every recurrent layer has in addition to the options of its cell. */
function sequenceOptions(o: KerasOptions): JsonObject {
  o.only('time_major', false, 'the first axis must be the batch');
  const stateful = o.flag('stateful', false);
  if (stateful) {
    o.context.report.defaulted.push({
      name: `states of ${o.where}`,
      value: 'zeros',
      reason: 'a stateful layer starts with zeros, and keeps its states between calls until resetStates()',
    });
  }
  return {
    returnSequences: o.flag('return_sequences', false),
    returnState: o.flag('return_state', false),
    goBackwards: o.flag('go_backwards', false),
    stateful,
    zeroOutputForMask: o.flag('zero_output_for_mask', false),
  };
}

export function recurrent(kind: Kind): Translator {
  return (o, name) => {
    const { options, group } = cellPart(o, kind, kind.startsWith('CuDNN') ? '' : 'cell', '');
    return {
      className: kind.replace('CuDNN', ''),
      config: { ...o.common(name), ...sequenceOptions(o), ...options, ...seedOf(o) },
      weights: [group],
      masks: 'use',
    };
  };
}

const CELLS: Readonly<Record<string, Kind>> = {
  SimpleRNNCell: 'SimpleRNN',
  GRUCell: 'GRU',
  LSTMCell: 'LSTM',
};

/**
 * Translates a cell.
 * @param o options of the layer that contains the cell
 * @param path path of the cell in files of Keras 3
 * @param prefix prefix of the names of the cell's parameters
 */
export function cellFrom(
  value: Json | undefined,
  o: KerasOptions,
  path: string,
  prefix = '',
): { cell: { className: string; config: JsonObject }; weights: WeightGroup[] } {
  const className = plainClassName(classNameOf(value) ?? '');
  const options = optionsOf(value, `The cell of ${o.where}`, o.context);
  if (className === 'StackedRNNCells') return stackedCells(options, o, path, prefix);
  const kind = Object.hasOwn(CELLS, className) ? CELLS[className] : null;
  if (!kind) {
    throw o.refuse(
      `its cell is ${className || 'an object without class_name'}; Unroll has ${[...Object.keys(CELLS), 'StackedRNNCells'].join(', ')}`,
    );
  }
  const part = cellPart(options, kind, path, prefix);
  options.take('seed');
  options.finish();
  const trainable = part.group.trainable && o.config.trainable !== false;
  return { cell: { className, config: part.options }, weights: [{ ...part.group, trainable }] };
}

function stackedCells(
  stack: KerasOptions,
  o: KerasOptions,
  path: string,
  prefix: string,
): ReturnType<typeof cellFrom> {
  stack.only('reverse_state_order', false, 'the states must be in the order of the cells');
  const names = uniqueNames();
  const cells = listIn(stack.take('cells'), `cells of ${o.where}`).map((cell, n) => {
    const unique = names(plainClassName(classNameOf(cell) ?? ''));
    return cellFrom(cell, o, `${path}/cells/${unique}`, `${prefix}cell_${n}/`);
  });
  stack.finish();
  return {
    cell: { className: 'StackedRNNCells', config: { cells: cells.map(({ cell }) => cell) } },
    weights: cells.flatMap(({ weights }) => weights),
  };
}

export const rnn: Translator = (o, name) => {
  o.take('cells'); // TensorFlow.js also writes the cells of a stack here
  const { cell, weights } = cellFrom(o.take('cell'), o, 'cell');
  return {
    className: 'RNN',
    config: { ...o.common(name), ...sequenceOptions(o), cell },
    weights,
    masks: 'use',
  };
};

export const bidirectional: Translator = (o, name, nested) => {
  const forward = nested.layer(o.take('layer'));
  const backwardConfig = o.take('backward_layer');
  const backward = backwardConfig === undefined ? reversedCopy(forward) : nested.layer(backwardConfig);
  const baseName = String(forward.config.name).replace(/^forward_/, '');
  const mode = o.config.merge_mode;
  o.take('merge_mode');
  const weightsOf = (layer: TranslatedLayer, direction: string): WeightGroup[] =>
    layer.weights.map((group) => ({
      ...group,
      path: `${direction}_layer/${group.path}`,
      parameters: group.parameters.map((parameter) => `${direction}_${baseName}/${parameter}`),
      trainable: group.trainable && o.config.trainable !== false,
    }));
  return {
    className: 'Bidirectional',
    config: {
      ...o.common(name),
      mergeMode: mode === null ? 'none' : mode === undefined ? 'concat' : mode,
      layer: { className: forward.className, config: forward.config },
      backwardLayer: { className: backward.className, config: backward.config },
    },
    weights: [...weightsOf(forward, 'forward'), ...weightsOf(backward, 'backward')],
    masks: 'use',
  };
};

/** Returns the backward layer that Keras 2 does not store: a copy of the forward layer with the opposite direction. */
const reversedCopy = (layer: TranslatedLayer): TranslatedLayer => ({
  ...layer,
  config: { ...layer.config, goBackwards: layer.config.goBackwards !== true },
});

export const timeDistributed: Translator = (o, name, nested) => {
  const inner = nested.layer(o.take('layer'));
  const innerName = String(inner.config.name);
  if (inner.className === 'BatchNormalization') {
    o.context.report.defaulted.push({
      name: o.where,
      value: 'statistics over all steps',
      reason: 'in training, Keras computes the statistics of the inner BatchNormalization for each step',
    });
  }
  return {
    className: 'TimeDistributed',
    config: { ...o.common(name), layer: { className: inner.className, config: inner.config } },
    weights: inner.weights.map((group) => ({
      ...group,
      path: group.path ? `layer/${group.path}` : 'layer',
      parameters: group.parameters.map((parameter) => `${innerName}/${parameter}`),
      trainable: group.trainable && o.config.trainable !== false,
    })),
    masks: 'pass',
  };
};

/** Returns a function that names the parts of a list by class, as files of Keras 3 do: `lstm_cell`, `lstm_cell_1`, ... */
export function uniqueNames(): (className: string) => string {
  const counts = new Map<string, number>();
  return (className) => {
    const name = snakeName(className);
    const count = counts.get(name) ?? 0;
    counts.set(name, count + 1);
    return count === 0 ? name : `${name}_${count}`;
  };
}

/** Keras's to_snake_case: `LSTMCell` is `lstm_cell`, `Conv1D` is `conv1d`. */
function snakeName(className: string): string {
  return className
    .replace(/\W+/g, '')
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}
