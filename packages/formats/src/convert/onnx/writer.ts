/** Collects the layers, nodes and weights of the model that an ONNX graph becomes. */
import { type FloatArray, type Shape, UnrollError } from '@unroll/core';
import type { ImportedArray } from '../imported.js';
import { formatDimension, knownSize } from './dimensions.js';
import { type Atom, type Axis, axisSize, current, type ModelTensor, type Reference } from './values.js';

/** A layer to add to the model. */
export interface NewLayer {
  className: string;
  config: Record<string, unknown>;
  inputs: readonly Reference[];
  /** Weights by the name of the parameter within the layer: `kernel`, `forward_lstm/bias`. */
  weights?: Readonly<Record<string, { shape: Shape; values: FloatArray }>>;
  /** Where the weights come from, for error messages. Default: the name of the layer. */
  from?: string;
  mask?: Reference;
}

export interface LayerEntry {
  className: string;
  config: Record<string, unknown>;
}
export interface NodeEntry {
  layer: string;
  inputs: readonly Reference[];
  mask?: Reference;
}

/** The parts of a functional model. */
export interface WrittenModel {
  layers: readonly LayerEntry[];
  nodes: readonly NodeEntry[];
  arrays: ReadonlyMap<string, ImportedArray>;
  inputs: readonly Reference[];
  outputs: readonly Reference[];
  /** The final name of each layer. Nodes that share weights have one layer, with the name of the first node's layer. */
  names: ReadonlyMap<string, string>;
}

export class ModelWriter {
  readonly layers: LayerEntry[] = [];
  readonly nodes: NodeEntry[] = [];
  readonly arrays = new Map<string, ImportedArray>();
  readonly #names = new Map<string, number>();
  readonly #shared = new Set<number>();
  readonly #byName = new Map<string, LayerEntry>();

  /** Adds an input of the model. @param shape without the batch axis; null: any size */
  input(name: string, shape: readonly (number | null)[]): Reference {
    return this.add({ className: 'InputLayer', config: { name, shape }, inputs: [] });
  }

  /** Adds a layer and its node. Returns the first output of the node. */
  add({ className, config, inputs, weights = {}, from = '', mask }: NewLayer): Reference {
    const name = this.#uniqueName((config.name as string | undefined) ?? snakeCase(className));
    const layer = { className, config: { ...config, name } };
    this.layers.push(layer);
    this.#byName.set(name, layer);
    this.nodes.push({ layer: name, inputs, ...(mask && { mask }) });
    for (const [parameter, { shape, values }] of Object.entries(weights))
      this.arrays.set(`${name}/${parameter}`, { shape, values, from: from || name });
    return [this.nodes.length - 1, 0];
  }

  /** Replaces the layer and the inputs of a node. The old layer must not have weights. */
  change(node: number, { className, config, inputs, weights = {} }: NewLayer): void {
    const name = this.#uniqueName(snakeCase(className));
    const layer = this.layerOf([node, 0]);
    Object.assign(layer, { className, config: { ...config, name } });
    this.#byName.set(name, layer);
    this.nodes[node] = { layer: name, inputs };
    for (const [parameter, { shape, values }] of Object.entries(weights))
      this.arrays.set(`${name}/${parameter}`, { shape, values, from: name });
  }

  /** Marks an output that several nodes of the ONNX graph read. */
  markShared([node]: Reference): void {
    this.#shared.add(node);
  }

  isShared([node]: Reference): boolean {
    return this.#shared.has(node);
  }

  /** Returns the layer of a node. */
  layerOf([node]: Reference): LayerEntry {
    return this.#byName.get(this.nodes[node].layer) as LayerEntry;
  }

  /** Adds an operation on tensors. @param weights the values of the constant operands, by position */
  operation(
    options: Record<string, unknown> & { operation: string },
    inputs: readonly Reference[],
    weights: Readonly<Record<number, { shape: Shape; values: FloatArray }>> = {},
    from = '',
  ): Reference {
    return this.add({
      className: 'TensorOperation',
      config: { ...options, name: snakeCase(options.operation) },
      inputs,
      weights: Object.fromEntries(Object.entries(weights).map(([i, weight]) => [`operand_${i}`, weight])),
      from,
    });
  }

  /**
   * Regroups and reorders the model axes of a tensor. Adds layers for this if necessary.
   * @param wanted the new axes, which together contain all atoms of the tensor
   * @throws UnrollError `value` if the axes do not contain all atoms, or if the first atom would change
   */
  arrange(tensor: ModelTensor, wanted: readonly Axis[]): ModelTensor {
    const modelAxes = tensor.modelAxes.map(current);
    const target = wanted.map(current);
    if (sameAxes(modelAxes, target)) return { ...tensor, modelAxes };
    const order = target.flat();
    const atoms = modelAxes.flat();
    if (order.length !== atoms.length || order.some((atom) => !atoms.includes(atom)) || order[0] !== atoms[0])
      throw new UnrollError(
        'value',
        `A tensor with the axes ${formatAxes(modelAxes)} cannot be rearranged to ${formatAxes(target)}.`,
      );
    if (order.every((atom, i) => atom === atoms[i])) return this.#reshape(tensor, target);
    // Moves whole axes if their atoms stay together, otherwise single atoms.
    const staysTogether = modelAxes.every((axis) => {
      const at = order.indexOf(axis[0]);
      return axis.every((atom, i) => order[at + i] === atom);
    });
    const groups = staysTogether ? modelAxes.filter((axis) => axis.length > 0) : atoms.map((atom) => [atom]);
    const split = this.#reshape(tensor, groups);
    const sorted = [...groups].sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]));
    const dims = sorted.map((axis) => groups.indexOf(axis));
    const ref = this.add({ className: 'Permute', config: { dims: dims.slice(1) }, inputs: [split.ref] });
    return this.#reshape({ ...split, ref, modelAxes: sorted }, target);
  }

  /** Returns the tensor with its atoms, in the same order, grouped into other model axes. */
  #reshape(tensor: ModelTensor, target: readonly Axis[]): ModelTensor {
    const modelAxes = tensor.modelAxes.map(current);
    if (sameAxes(modelAxes, target)) return { ...tensor, modelAxes };
    const shape = target.slice(1).map((axis) => {
      const same = axis.length > 0 ? modelAxes.findIndex((old) => sameAxis(old, axis)) : -1;
      return same > 0 ? { axis: same } : (knownSize(axisSize(axis)) ?? -1);
    });
    if (shape.filter((extent) => extent === -1).length > 1)
      throw new UnrollError('value', 'A tensor with several axes of unknown size cannot be reshaped.');
    const isPlain = shape.every((extent) => typeof extent === 'number');
    const ref = isPlain
      ? this.add({ className: 'Reshape', config: { targetShape: shape }, inputs: [tensor.ref] })
      : this.operation({ operation: 'reshape', shape }, [tensor.ref]);
    return { ...tensor, ref, modelAxes: target };
  }

  /**
   * Returns the model without nodes that no output depends on. Nodes whose layers have the same options and weights share
   * one layer.
   */
  finish(inputs: readonly Reference[], outputs: readonly Reference[]): WrittenModel {
    const needed = new Set(inputs.map(([node]) => node));
    const stack = outputs.map(([node]) => node);
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (needed.has(node)) continue;
      needed.add(node);
      const { inputs: sources, mask } = this.nodes[node];
      stack.push(...[...sources, ...(mask ? [mask] : [])].map(([source]) => source));
    }
    const order = [...needed].sort((a, b) => a - b);
    const indices = new Map(order.map((node, i) => [node, i]));
    const moved = ([node, output]: Reference): Reference => [indices.get(node) as number, output];
    const shared = this.#sharedLayers(order.map((node) => this.nodes[node].layer));
    const names = new Set(shared.values());
    return {
      layers: this.layers.filter(({ config }) => names.has(config.name as string)),
      nodes: order.map((n) => {
        const { layer, inputs: sources, mask } = this.nodes[n];
        return {
          layer: shared.get(layer) as string,
          inputs: sources.map(moved),
          ...(mask && { mask: moved(mask) }),
        };
      }),
      arrays: new Map([...this.arrays].filter(([name]) => names.has(name.slice(0, name.indexOf('/'))))),
      inputs: inputs.map(moved),
      outputs: outputs.map(moved),
      names: shared,
    };
  }

  /** Returns, by layer name, the name of the first layer with the same options and the same arrays as weights. */
  #sharedLayers(names: readonly string[]): Map<string, string> {
    const ids = new Map<FloatArray, number>();
    const weights = new Map<string, string[]>();
    for (const [name, { values }] of this.arrays) {
      const id = ids.get(values) ?? ids.size;
      ids.set(values, id);
      const at = name.indexOf('/');
      const layer = name.slice(0, at);
      weights.set(layer, [...(weights.get(layer) ?? []), `${name.slice(at)}=${id}`]);
    }
    const byName = new Map(this.layers.map((layer) => [layer.config.name as string, layer]));
    const first = new Map<string, string>();
    return new Map(
      names.map((name) => {
        const { className, config } = byName.get(name) as LayerEntry;
        const layerWeights = weights.get(name);
        if (!layerWeights) return [name, name];
        const key = JSON.stringify([className, { ...config, name: '' }, layerWeights]);
        const same = first.get(key) ?? name;
        first.set(key, same);
        return [name, same];
      }),
    );
  }

  #uniqueName(wanted: string): string {
    // Slashes separate layers in the names of parameters.
    const base = wanted.replaceAll('/', '_');
    for (;;) {
      const count = this.#names.get(base) ?? 0;
      this.#names.set(base, count + 1);
      const name = count === 0 ? base : `${base}_${count}`;
      if (count === 0 || !this.#names.has(name)) {
        this.#names.set(name, this.#names.get(name) ?? 1);
        return name;
      }
    }
  }
}

const formatAxes = (axes: readonly Axis[]): string =>
  `[${axes.map((axis) => formatDimension(axisSize(axis))).join(', ')}]`;

export const sameAxis = (a: Axis, b: Axis): boolean =>
  a.length === b.length && a.every((atom: Atom, i) => atom === b[i]);

const sameAxes = (a: readonly Axis[], b: readonly Axis[]): boolean =>
  a.length === b.length && a.every((axis, i) => sameAxis(axis, b[i]));

/** Returns the default name of a layer, as Keras does: `batch_normalization`. */
const snakeCase = (className: string): string => className.replace(/([a-z])([A-Z])/g, '$1_$2').toLowerCase();
