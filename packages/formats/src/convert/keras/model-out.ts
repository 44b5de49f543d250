/** Translates an Unroll model into a Keras model: Sequential or Functional, also with nested models. */
import { UnrollError, valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import type { Network } from '@unroll/nn';
import { uniqueNames } from './layers-in-recurrent.js';
import { type ExportedLayer, layerTo, type UnrollConfig } from './layers-out.js';
import { type LayerWeights, weightsBelow } from './model-parts.js';
import { serialised } from './names.js';

export interface ExportedModel extends ExportedLayer {
  layers: LayerWeights[];
}

/** A node of a functional model in Unroll's config. */
interface UnrollNode {
  layer: string;
  inputs: [number, number][];
  mask?: [number, number];
}

/**
 * Translates a model.
 * @throws UnrollError `state` for a model that is not built, `value` for a layer that Keras does not have
 */
export function exportModel(model: Network): ExportedModel {
  if (!model.built)
    throw new UnrollError(
      'state',
      `${model.label} has no weights yet. Train it, or call build([[batch, ...]]) first.`,
    );
  return modelTo(model.config as UnrollConfig, null);
}

function modelTo(unrollConfig: UnrollConfig, masks: readonly Mask[] | null): ExportedModel {
  checkName(String(unrollConfig.config.name));
  return unrollConfig.className === 'Sequential'
    ? sequentialTo(unrollConfig.config, masks)
    : functionalTo(unrollConfig.config, masks);
}

const isModel = ({ className }: UnrollConfig): boolean =>
  className === 'Sequential' || className === 'Functional';

const nestedTo = (unrollConfig: UnrollConfig): ExportedLayer =>
  isModel(unrollConfig) ? modelTo(unrollConfig, null) : layerTo(unrollConfig, nestedTo);

/** A mask that a Masking or an Embedding layer computes from `tensor`, or a union of masks; null: no mask. */
type Mask = { tensor: TensorHistory; layer: string; value: number; anyFeature: boolean } | 'union' | null;

/** `[layer, call, output]` */
type TensorHistory = [string, number, number];

/**
 * Translates a layer or a model, and returns it with the mask of its output.
 * @param masks masks of the inputs
 * @param x the first input
 */
function partTo(
  unrollConfig: UnrollConfig,
  masks: readonly Mask[],
  x: TensorHistory,
): { part: ExportedLayer; mask: Mask } {
  checkName(String(unrollConfig.config.name));
  if (isModel(unrollConfig)) {
    if (masks.some((mask) => mask !== null)) throw maskError(unrollConfig, 'a model inside a model');
    return { part: modelTo(unrollConfig, masks), mask: null };
  }
  return { part: nestedTo(unrollConfig), mask: maskAfter(unrollConfig, masks, x) };
}

/** Returns the mask of the output of a layer. @throws UnrollError `value` if Keras would not use the mask as Unroll does */
function maskAfter(unrollConfig: UnrollConfig, masks: readonly Mask[], tensor: TensorHistory): Mask {
  const { className, config } = unrollConfig;
  const [x] = masks;
  const layer = String(config.name);
  switch (className) {
    case 'Masking':
      if (x) throw maskError(unrollConfig, 'a second Masking layer');
      return { tensor, layer, value: (config.maskValue as number | undefined) ?? 0, anyFeature: true };
    case 'Embedding':
      if (x) throw maskError(unrollConfig, 'an Embedding layer');
      return config.maskZero === true ? { tensor, layer, value: 0, anyFeature: false } : null;
    case 'Conv1D':
    case 'MaxPooling1D':
    case 'AveragePooling1D':
    case 'GlobalMaxPooling1D':
      if (x) throw maskError(unrollConfig, 'convolution and pooling layers');
      return null;
    case 'Add':
    case 'Multiply':
      return masks.every((mask) => mask !== null) ? unionOf(masks) : null;
    case 'Concatenate':
      if (config.axis === 1 && masks.some((mask) => mask !== null))
        throw maskError(unrollConfig, 'a concatenation of steps');
      return masks.every((mask) => mask !== null) ? unionOf(masks) : null;
    case 'Flatten':
    case 'Reshape':
    case 'Permute':
    case 'RepeatVector':
    case 'GlobalAveragePooling1D':
      return null;
    default:
      return isRecurrent(className) ? maskAfterRecurrent(unrollConfig, x) : x;
  }
}

const unionOf = ([first, ...others]: readonly Mask[]): Mask =>
  others.every((mask) => mask === first) ? first : 'union';

const isRecurrent = (className: string): boolean =>
  /^(SimpleRNN|GRU|LSTM|RNN|Bidirectional)$/.test(className);

function maskAfterRecurrent(unrollConfig: UnrollConfig, x: Mask): Mask {
  const { className, config } = unrollConfig;
  const inner = className === 'Bidirectional' ? (config.layer as UnrollConfig).config : config;
  if (inner.returnSequences !== true) return null;
  if (x && className !== 'Bidirectional' && config.goBackwards === true)
    throw maskError(unrollConfig, 'backward layers that return sequences');
  return x;
}

function maskError({ className, config }: UnrollConfig, where: string): Error {
  return valueError(
    `Layer "${String(config.name)}" (${className}) cannot be exported: the export to Keras does not support masked inputs of ${where}. Remove the masking, or drop the mask before this layer with permuteLayer({ dims: [1, 2] }).`,
    { layer: config.name },
  );
}

function sequentialTo(config: UnrollConfig['config'], masks: readonly Mask[] | null): ExportedModel {
  const shape = config.inputShape as number[];
  const uniqueName = uniqueNames();
  const layers: LayerWeights[] = [];
  const seeds: string[] = [];
  let mask: Mask = masks?.[0] ?? null;
  const entries = (config.layers as UnrollConfig[]).map((unrollConfig) => {
    const result = partTo(unrollConfig, [mask], [String(unrollConfig.config.name), 0, 0]);
    ({ mask } = result);
    const nameInFile = uniqueName(unrollConfig.className);
    layers.push({
      name: String(unrollConfig.config.name),
      className: unrollConfig.className,
      nameInFile,
      weights: result.part.weights,
    });
    seeds.push(...result.part.seeds.map((path) => `layers/${nameInFile}/${path}`));
    return result.part.keras;
  });
  const input = inputTo((config.inputName as string | undefined) ?? `${String(config.name)}_input`, shape);
  const frozen = config.trainable === false;
  return {
    className: 'Sequential',
    keras: serialised('keras', 'Sequential', {
      name: String(config.name),
      trainable: !frozen,
      dtype: 'float32',
      layers: [input, ...entries],
      build_input_shape: shapeTo(shape),
    }),
    weights: weightsBelow(layers, { trainable: !frozen }),
    layers,
    seeds,
  };
}

const shapeTo = (shape: readonly number[]): Json[] => shape.map((extent) => (extent < 0 ? null : extent));

function inputTo(name: string, shape: readonly number[]): JsonObject {
  return serialised('keras.layers', 'InputLayer', {
    batch_shape: shapeTo(shape),
    dtype: 'float32',
    sparse: false,
    ragged: false,
    name,
  });
}

function functionalTo(config: UnrollConfig['config'], masks: readonly Mask[] | null): ExportedModel {
  const layerConfigs = new Map(
    (config.layers as UnrollConfig[]).map((layer) => [String(layer.config.name), layer]),
  );
  const nodes = config.nodes as UnrollNode[];
  const inputs = config.inputs as [number, number][];
  const graph = callsOf(nodes, layerConfigs, inputs, masks);
  const uniqueName = uniqueNames();
  const layers: LayerWeights[] = [];
  const seeds: string[] = [];
  const entries = [...layerConfigs].map(([name, layer]) => {
    const part = graph.parts.get(name);
    const nameInFile = uniqueName(layer.className);
    layers.push({ name, className: layer.className, nameInFile, weights: part?.weights ?? [] });
    seeds.push(...(part?.seeds ?? []).map((path) => `layers/${nameInFile}/${path}`));
    const keras = part?.keras ?? inputTo(name, inputShape(layer.config));
    return { ...keras, name, inbound_nodes: graph.calls.get(name) ?? [] };
  });
  const frozen = config.trainable === false;
  return {
    className: 'Functional',
    keras: serialised('keras.src.models.functional', 'Functional', {
      name: String(config.name),
      trainable: !frozen,
      layers: [...entries, ...graph.operations],
      input_layers: inputs.map((ref) => graph.tensor(ref)),
      output_layers: (config.outputs as [number, number][]).map((ref) => {
        const [layer, call, output] = graph.tensor(ref);
        // In this list, but not in inbound_nodes, Keras counts the call that created a functional model.
        return [layer, layerConfigs.get(layer)?.className === 'Functional' ? call + 1 : call, output];
      }),
    }),
    weights: weightsBelow(layers, { trainable: !frozen }),
    layers,
    seeds,
  };
}

function inputShape({ shape, batchSize }: UnrollConfig['config']): number[] {
  return [
    (batchSize as number | undefined) ?? -1,
    ...(shape as (number | null)[]).map((extent) => extent ?? -1),
  ];
}

interface KerasGraph {
  parts: Map<string, ExportedLayer>;
  calls: Map<string, JsonObject[]>;
  /** The operations that compute masks. */
  operations: JsonObject[];
  /** Returns a tensor as `[layer, call, output]`. */
  tensor(ref: readonly [number, number]): TensorHistory;
}

/** Translates the nodes, in order, into calls of layers. */
function callsOf(
  nodes: readonly UnrollNode[],
  layerConfigs: ReadonlyMap<string, UnrollConfig>,
  inputs: readonly [number, number][],
  inputMasks: readonly Mask[] | null,
): KerasGraph {
  const parts = new Map<string, ExportedLayer>();
  const calls = new Map<string, JsonObject[]>();
  const operations = new Map<string, JsonObject[]>();
  /** For each node, the index of the call of its layer. */
  const callIndices: number[] = [];
  const masks: Mask[] = [];
  const tensor = ([node, output]: readonly [number, number]): TensorHistory => [
    nodes[node].layer,
    callIndices[node],
    output,
  ];
  nodes.forEach(({ layer, inputs: refs, mask }, n) => {
    const config = layerConfigs.get(layer) as UnrollConfig;
    callIndices[n] = calls.get(layer)?.length ?? 0;
    if (config.className === 'InputLayer') {
      masks[n] = inputMasks?.[inputs.findIndex(([node]) => node === n)] ?? null;
      return;
    }
    if (mask)
      throw valueError(
        `Layer "${layer}" cannot be exported: it gets a mask in apply(), which the export to Keras does not support.`,
        { layer },
      );
    const incoming = refs.map(([node, output]) => (output === 0 ? masks[node] : null));
    const result = partTo(config, incoming, tensor(refs[0]));
    parts.set(layer, result.part);
    masks[n] = result.mask;
    const call = callTo(
      config,
      refs.map((ref) => tensorTo(tensor(ref))),
    );
    if (isRecurrent(config.className) && refs.length > 1 && incoming[0] !== null)
      (call.kwargs as JsonObject).mask = maskTensor(config, incoming[0], operations);
    calls.set(layer, [...(calls.get(layer) ?? []), call]);
  });
  return { parts, calls, operations: [...operations.values()].flat(), tensor };
}

const tensorTo = (history: readonly [string, number, number]): JsonObject => ({
  class_name: '__keras_tensor__',
  config: { shape: [null], dtype: 'float32', keras_history: [...history] },
});

/**
 * Returns the tensor of a mask, and adds the operations that compute it from the input of its Masking or Embedding layer. A
 * recurrent layer of Keras 3 that gets initial states uses the mask of its input only if the call passes the mask explicitly.
 */
function maskTensor(
  unrollConfig: UnrollConfig,
  mask: Mask,
  operations: Map<string, JsonObject[]>,
): JsonObject {
  if (mask === null || mask === 'union')
    throw maskError(unrollConfig, 'recurrent layers with initial states');
  const { layer, tensor, value, anyFeature } = mask;
  const names = [`${layer}_not_equal`, `${layer}_any`];
  if (!operations.has(layer)) {
    const first = operation('NotEqual', names[0], {}, [tensorTo(tensor), value]);
    const second = operation('Any', names[1], { axis: -1, keepdims: false }, [tensorTo([names[0], 0, 0])]);
    operations.set(layer, anyFeature ? [first, second] : [first]);
  }
  return tensorTo([anyFeature ? names[1] : names[0], 0, 0]);
}

function operation(className: string, name: string, config: JsonObject, args: Json[]): JsonObject {
  return {
    ...serialised('keras.src.ops.numpy', className, { name, ...config }),
    registered_name: className,
    name,
    inbound_nodes: [{ args, kwargs: {} }],
  };
}

/** Returns the call of a layer. Several inputs are passed as a list, and the initial states of recurrent layers by name. */
function callTo({ className, config }: UnrollConfig, tensors: JsonObject[]): JsonObject {
  const kwargs: JsonObject = {};
  if (className.endsWith('Attention')) {
    if (config.useCausalMask === true) kwargs.use_causal_mask = true;
    if (config.returnAttentionScores === true) kwargs.return_attention_scores = true;
  }
  const [x, ...states] = tensors;
  if (isRecurrent(className))
    return { args: [x], kwargs: states.length > 0 ? { initial_state: states } : {} };
  return { args: [tensors.length === 1 ? x : tensors], kwargs };
}

function checkName(name: string): void {
  if (name.includes('/'))
    throw valueError(`Layer "${name}" cannot be exported: names in Keras cannot contain "/". Rename it.`, {
      name,
    });
}
