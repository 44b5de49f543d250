/**
 * Functional models: graphs of layers, with several inputs and outputs, shared layers, and states passed from one layer
 * to another.
 *
 *     const source = input({ shape: [null, 8] });
 *     const [, h, c] = lstm({ units: 64, returnState: true }).apply(source);
 *     const target = input({ shape: [null, 5] });
 *     const decoded = lstm({ units: 64, returnSequences: true }).apply(target, { initialState: [h, c] });
 *     const translate = model({ inputs: [source, target], outputs: dense({ units: 5 }).apply(decoded) });
 */
import {
  asTensor,
  type ForwardContext,
  formatShape,
  type MaskedSequence,
  type Shape,
  shapeError,
  type Tensor,
  type TensorLike,
  UnrollError,
  valueError,
} from '@unroll/core';
import { checkOptions, formatValue } from '@unroll/core/internal';
import { applySymbolic, type GraphNode, SymbolicTensor, sourcesOf, subgraph } from './graph.js';
import { installOptionalFunctions } from './install-optional-functions.js';
import type { Layer, LayerConfig } from './layer.js';
import { InputLayer, symbolicInput } from './layers/input.js';
import { detach, emptyMemory, type Memory, memoryFromJson } from './memory.js';
import { checkInputShape, Network, type NetworkOptions, nameLayers } from './network.js';
import { networkOptions } from './option-names.js';
import type { BuildTools } from './registry.js';
import { Stream, type StreamOptions, type StreamState } from './stream.js';
import type { SummaryRow } from './summary.js';

export interface FunctionalOptions extends NetworkOptions {
  inputs: SymbolicTensor | readonly SymbolicTensor[];
  outputs: SymbolicTensor | readonly SymbolicTensor[];
}

/** A reference to a tensor of the graph: the index of its node, and its index among the outputs of the node. */
type TensorRef = readonly [node: number, output: number];

/** A node in a config: the name of its layer, and its inputs (then initial states, then constants). */
export interface NodeConfig {
  layer: string;
  inputs: readonly TensorRef[];
  mask?: TensorRef;
}

/** A node of the graph, whose inputs are given by indices. */
interface IndexedNode {
  layer: Layer;
  /** The name of the layer, numbered if the layer is used several times. */
  name: string;
  inputs: readonly TensorRef[];
  mask: TensorRef | null;
  outputs: readonly SymbolicTensor[];
}

export class Functional extends Network<NetworkOptions> {
  static override readonly className = 'Functional';
  readonly layers: readonly Layer[];
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  /** The nodes in topological order. */
  readonly #nodes: readonly GraphNode[];
  readonly #indexedNodes: readonly IndexedNode[];
  readonly #inputRefs: readonly TensorRef[];
  readonly #outputRefs: readonly TensorRef[];

  constructor({ inputs, outputs, ...options }: FunctionalOptions) {
    super(options);
    this.inputs = listOf(inputs);
    this.outputs = listOf(outputs);
    if (this.inputs.length === 0 || this.outputs.length === 0) {
      throw valueError('model() needs at least one input and one output.');
    }
    const { nodes, layers } = subgraph(this.inputs, this.outputs);
    this.#nodes = nodes;
    this.layers = layers;
    nameLayers(layers);
    const indices = new Map(nodes.map((node, n) => [node, n]));
    const refOf = ({ node, index }: SymbolicTensor): TensorRef => [indices.get(node) ?? -1, index];
    const names = nodeNames(nodes);
    this.#indexedNodes = nodes.map((node, n) => ({
      layer: node.layer,
      name: names[n],
      inputs: node.inputs.map(refOf),
      mask: node.mask && refOf(node.mask),
      outputs: node.outputs,
    }));
    this.#inputRefs = this.inputs.map(refOf);
    this.#outputRefs = this.outputs.map(refOf);
  }

  static fromConfig(config: Record<string, unknown>, build: BuildTools): Functional {
    const { layers, nodes, inputs, outputs, ...options } = config as {
      layers: unknown[];
      nodes: NodeConfig[];
      inputs: TensorRef[];
      outputs: TensorRef[];
    };
    const byName = new Map(layers.map(build.layer).map((layer) => [layer.name, layer]));
    const nodeOutputs: SymbolicTensor[][] = [];
    const tensorAt = ([node, output]: TensorRef): SymbolicTensor => nodeOutputs[node][output];
    for (const { layer: name, inputs: nodeInputs, mask } of nodes) {
      const layer = byName.get(name);
      if (!layer)
        throw new UnrollError(
          'format',
          `The config has a node of layer "${name}", but no layer with this name.`,
        );
      if (layer instanceof InputLayer) nodeOutputs.push([symbolicInput(layer)]);
      else
        nodeOutputs.push([
          ...applySymbolic(layer, nodeInputs.map(tensorAt), mask ? { mask: tensorAt(mask) } : {}),
        ]);
    }
    return new Functional({ ...options, inputs: inputs.map(tensorAt), outputs: outputs.map(tensorAt) });
  }

  get inputShapes(): readonly Shape[] {
    return this.inputs.map((tensor) => tensor.shape);
  }

  /** Names of the inputs: the names of their input layers. */
  override get inputNames(): readonly string[] {
    return this.inputs.map((tensor) => tensor.node.layer.name);
  }

  /** Names of the outputs: the names of their layers, numbered if several outputs come from one layer. */
  get outputNames(): readonly string[] {
    const names = this.outputs.map((tensor) => tensor.node.layer.name);
    return names.map((name, i) => {
      const count = names.slice(0, i).filter((other) => other === name).length;
      return count === 0 ? name : `${name}_${count}`;
    });
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    this.#checkInputs(inputs);
    return this.#propagate(inputs, ({ layer }, shapes) => layer.outputShapes(shapes));
  }

  protected override makeParameters(): void {
    for (const { layer, inputs } of this.#nodes) {
      this.buildInner(
        layer,
        inputs.map((tensor) => tensor.shape),
        layer.name,
      );
    }
  }

  call(inputs: readonly MaskedSequence[], context: ForwardContext): MaskedSequence[] {
    return this.#run(inputs, ({ layer }, sequences) => layer.invoke(sequences, context));
  }

  /**
   * Returns for each output whether it is streamed. In the graph, null marks values that depend only on fixed inputs,
   * which stay the same during the stream. These values are computed once, so the layers that compute them may be
   * non-causal.
   */
  override streaming(inputs: readonly (boolean | null)[]): boolean[] {
    const isStreamed = this.#propagate<boolean | null>(inputs, ({ layer, outputs }, nodeInputs) =>
      nodeInputs.some((input) => input !== null) ? layer.streaming(nodeInputs) : outputs.map(() => null),
    );
    return isStreamed.map((output) => output === true);
  }

  override streamStep(
    inputs: readonly MaskedSequence[],
    memory: Memory,
    context: ForwardContext,
  ): MaskedSequence[] {
    return this.#run(inputs, ({ layer, name, outputs }, sequences) => {
      const part = (memory.parts[name] ??= emptyMemory());
      if (!sequences.every(({ fixed }) => fixed))
        return layer.penalise(layer.streamStep(sequences, part, context), context);
      if (Object.keys(part.tensors).length === 0)
        part.tensors = fixedTensors(layer.invoke(sequences, context));
      return outputs.map((_, i) => fixedSequence(part.tensors, `${i}`));
    });
  }

  /**
   * Creates a stream of the model: see {@link Stream}.
   * @throws UnrollError `state` for the first layer that needs the whole sequence, `value` or `shape` if the fixed
   * inputs or the initial states do not fit the model
   */
  override stream({ inputs, ...options }: StreamOptions = {}): Stream {
    const fixed = inputs
      ? this.#checkFixedInputs(inputs)
      : options.state
        ? this.#fixedInputsOf(options.state)
        : {};
    const batchSizes = [options.batch, ...Object.values(fixed).map(({ shape }) => shape[0])].filter(
      (n) => n !== undefined,
    );
    const [batch] = batchSizes;
    if (batchSizes.some((n) => n !== batch)) {
      throw shapeError(
        `${this.label}: a stream's inputs must have the same batch size, got ${batchSizes.join(', ')}.`,
        { batchSizes },
      );
    }
    return new Stream(this, batch === undefined ? options : { ...options, batch }, fixed);
  }

  override streamInputs(
    pushed: readonly MaskedSequence[],
    fixed: Readonly<Record<string, Tensor>>,
  ): MaskedSequence[] {
    const names = this.inputNames.filter((name) => !(name in fixed));
    if (pushed.length !== names.length) {
      throw shapeError(
        `The stream of ${this.label} takes one tensor for each of its inputs (${names.join(', ')}), got ${pushed.length}.`,
        { model: this.name, inputs: names, got: pushed.length },
      );
    }
    let next = 0;
    return this.inputNames.map((name) => (name in fixed ? fixedSequence(fixed, name) : pushed[next++]));
  }

  /** Returns the fixed inputs in a saved stream state. The stream checks the rest of the state when it restores it. */
  #fixedInputsOf({ memory }: StreamState): Record<string, Tensor> {
    const { tensors } = memoryFromJson(memory);
    const isInput = (key: string): boolean => this.inputNames.includes(key.replace(/\/mask$/, ''));
    return Object.fromEntries(Object.entries(tensors).filter(([key]) => isInput(key)));
  }

  /** Checks the fixed inputs of a stream and converts them to named tensors of its memory. */
  #checkFixedInputs(inputs: NonNullable<StreamOptions['inputs']>): Record<string, Tensor> {
    const names = this.inputNames;
    const got = Object.keys(inputs);
    const unknown = got.find((name) => !names.includes(name));
    if (unknown !== undefined || got.length === names.length) {
      const list = names.join(', ');
      throw valueError(
        `${this.label}: stream({ inputs }) ${unknown === undefined ? `fixes all inputs (${list}). Leave out at least one, for push().` : `has an unknown input "${unknown}". The inputs are ${list}.`}`,
        { inputs: names, got },
      );
    }
    const fixed: Record<string, Tensor> = {};
    names.forEach((name, i) => {
      if (!(name in inputs)) return;
      const input = inputs[name];
      const sequence: MaskedSequence = isMaskedSequence(input)
        ? input
        : { value: asTensor(input), mask: null };
      this.#checkInput(sequence.value.shape, i);
      const expected = formatShape(sequence.value.shape.slice(0, 2));
      if (sequence.mask && formatShape(sequence.mask.shape) !== expected) {
        throw shapeError(
          `${this.label}: input "${name}" takes a mask ${expected}, got ${formatShape(sequence.mask.shape)}.`,
          { model: this.name, input: name, got: sequence.mask.shape },
        );
      }
      Object.assign(fixed, fixedTensors([sequence], name));
    });
    return fixed;
  }

  override get config(): LayerConfig {
    const nodes = this.#indexedNodes.map(
      ({ layer, inputs, mask }): NodeConfig => ({ layer: layer.name, inputs, ...(mask && { mask }) }),
    );
    return {
      className: this.className,
      config: {
        ...super.config.config,
        seed: this.options.seed ?? 0,
        layers: this.layers.map((layer) => layer.config),
        nodes,
        inputs: this.#inputRefs,
        outputs: this.#outputRefs,
      },
    };
  }

  override summaryRows(): SummaryRow[] {
    const nodes = this.layers.flatMap((layer) => this.#nodes.filter((node) => node.layer === layer));
    return nodes.map((node) => ({
      layer: node.layer,
      shapes: node.outputs.map((tensor) => tensor.shape),
      from: sourcesOf(node).map((tensor) => tensor.node.layer.name),
    }));
  }

  /** Runs the nodes on masked sequences. A mask given to `apply` replaces the mask of the node's first input. */
  #run(
    inputs: readonly MaskedSequence[],
    run: (node: IndexedNode, sequences: readonly MaskedSequence[]) => readonly MaskedSequence[],
  ): MaskedSequence[] {
    return this.#propagate(inputs, (node, sequences, mask) => {
      if (!mask) return run(node, sequences);
      const [first, ...rest] = sequences;
      return run(node, [{ ...first, mask: mask.value }, ...rest]);
    });
  }

  /**
   * Propagates values (tensors, shapes, ...) from the inputs of the graph to its outputs.
   * @param run returns the values of a node's outputs, given the values of its inputs and of its mask
   */
  #propagate<T>(
    inputs: readonly T[],
    run: (node: IndexedNode, inputs: readonly T[], mask: T | null) => readonly T[],
  ): T[] {
    const results: (readonly T[])[] = [];
    const valueAt = ([node, output]: TensorRef): T => results[node][output];
    this.#inputRefs.forEach(([node], i) => {
      results[node] = [inputs[i]];
    });
    this.#indexedNodes.forEach((node, n) => {
      if (node.inputs.length > 0)
        results[n] = run(node, node.inputs.map(valueAt), node.mask && valueAt(node.mask));
    });
    return this.#outputRefs.map(valueAt);
  }

  #checkInputs(shapes: readonly Shape[]): void {
    if (shapes.length !== this.inputs.length) {
      throw shapeError(
        `${this.label}: the number of inputs must be ${this.inputs.length}, got ${shapes.length}.`,
        {
          model: this.name,
          got: shapes.length,
        },
      );
    }
    shapes.forEach((shape, i) => {
      this.#checkInput(shape, i);
    });
  }

  #checkInput(shape: Shape, i: number): void {
    const { shape: declared, node } = this.inputs[i];
    checkInputShape(this, { name: node.layer.name || 'input', shape: declared }, shape);
  }
}

const isMaskedSequence = (input: TensorLike | MaskedSequence): input is MaskedSequence =>
  typeof input === 'object' && 'value' in input;

/**
 * Converts the fixed values of a stream to named tensors of its memory. A mask is stored as `name/mask`.
 * @param singleName the name of a single value; default: values are named by their indices
 */
function fixedTensors(sequences: readonly MaskedSequence[], singleName?: string): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  sequences.forEach(({ value, mask }, i) => {
    const name = singleName ?? `${i}`;
    tensors[name] = value;
    if (mask) tensors[`${name}/mask`] = mask;
  });
  return detach(tensors);
}

/** Returns the fixed value with this name from the memory of a stream. */
function fixedSequence(tensors: Readonly<Record<string, Tensor>>, name: string): MaskedSequence {
  return { value: tensors[name], mask: tensors[`${name}/mask`] ?? null, fixed: true };
}

function listOf(tensors: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[] {
  return tensors instanceof SymbolicTensor ? [tensors] : [...tensors];
}

/** Returns a name for each node: the name of its layer, numbered if the layer is used several times. */
function nodeNames(nodes: readonly GraphNode[]): string[] {
  const counts = new Map<Layer, number>();
  return nodes.map(({ layer }) => {
    const count = counts.get(layer) ?? 0;
    counts.set(layer, count + 1);
    return count === 0 ? layer.name : `${layer.name}#${count}`;
  });
}

/** Creates a model of the layers between symbolic inputs and outputs. Models can be applied like layers. */
export function model(options: FunctionalOptions): Functional {
  checkOptions('model', options, { inputs: true, outputs: true, ...networkOptions() });
  for (const option of ['inputs', 'outputs'] as const) {
    if (options[option] === undefined || options[option] === null)
      throw valueError(
        `model: ${option} must be a tensor or an array of tensors, got ${formatValue(options[option])}.`,
      );
  }
  installOptionalFunctions();
  return new Functional(options);
}
