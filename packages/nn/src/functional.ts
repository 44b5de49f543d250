/**
 * Functional models: graphs of layers with several inputs and outputs, shared layers, and states passed from one
 * layer to another.
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
import { checkOptions, shown } from '@unroll/core/internal';
import { applySymbolic, type GraphNode, partsOf, SymbolicTensor, sourcesOf } from './graph.js';
import { installBuilders } from './install-builders.js';
import type { Layer, LayerConfig } from './layer.js';
import { InputLayer, symbolicInput } from './layers/input.js';
import { detach, emptyMemory, type Memory, memoryFromJson } from './memory.js';
import { Network, type NetworkOptions, nameLayers } from './network.js';
import { networkOptions } from './option-names.js';
import type { BuildTools } from './registry.js';
import { Stream, type StreamOptions, type StreamState } from './stream.js';
import type { SummaryRow } from './summary.js';

export interface FunctionalOptions extends NetworkOptions {
  inputs: SymbolicTensor | readonly SymbolicTensor[];
  outputs: SymbolicTensor | readonly SymbolicTensor[];
}

/** A tensor of the graph: the index of its node, and the index among the node's outputs. */
type TensorRef = readonly [node: number, output: number];

/** A node in a config: the name of its layer and its sources: inputs, then initial states, then constants. */
export interface NodeConfig {
  layer: string;
  inputs: readonly TensorRef[];
  mask?: TensorRef;
}

/** A node of the graph with its sources. */
interface Step {
  layer: Layer;
  /** The name of the layer, numbered if the layer occurs several times. */
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
  readonly #nodes: readonly GraphNode[];
  /** The nodes in topological order. */
  readonly #steps: readonly Step[];
  readonly #inputPlaces: readonly TensorRef[];
  readonly #outputPlaces: readonly TensorRef[];

  constructor({ inputs, outputs, ...options }: FunctionalOptions) {
    super(options);
    this.inputs = listOf(inputs);
    this.outputs = listOf(outputs);
    if (this.inputs.length === 0 || this.outputs.length === 0) {
      throw valueError('model() needs at least one input and one output.');
    }
    const { nodes, layers } = partsOf(this.inputs, this.outputs);
    this.#nodes = nodes;
    this.layers = layers;
    nameLayers(layers);
    const numbers = new Map(nodes.map((node, n) => [node, n]));
    const place = ({ node, index }: SymbolicTensor): TensorRef => [numbers.get(node) ?? -1, index];
    const names = nodeNames(nodes);
    this.#steps = nodes.map(({ layer, inputs: reads, mask, outputs: made }, n) => ({
      ...{ layer, name: names[n], inputs: reads.map(place), mask: mask && place(mask), outputs: made },
    }));
    this.#inputPlaces = this.inputs.map(place);
    this.#outputPlaces = this.outputs.map(place);
  }

  static fromConfig(config: Record<string, unknown>, build: BuildTools): Functional {
    const { layers, nodes, inputs, outputs, ...options } = config as {
      layers: unknown[];
      nodes: NodeConfig[];
      inputs: TensorRef[];
      outputs: TensorRef[];
    };
    const byName = new Map(layers.map(build.layer).map((layer) => [layer.name, layer]));
    const made: SymbolicTensor[][] = [];
    const at = ([node, output]: TensorRef): SymbolicTensor => made[node][output];
    for (const { layer: name, inputs: reads, mask } of nodes) {
      const layer = byName.get(name);
      if (!layer)
        throw new UnrollError('format', `The config has a node of layer "${name}", but no such layer.`);
      if (layer instanceof InputLayer) made.push([symbolicInput(layer)]);
      else made.push([...applySymbolic(layer, reads.map(at), mask ? { mask: at(mask) } : {})]);
    }
    return new Functional({ ...options, inputs: inputs.map(at), outputs: outputs.map(at) });
  }

  get inputShapes(): readonly Shape[] {
    return this.inputs.map((tensor) => tensor.shape);
  }

  /** Names of the inputs: the names of their input layers. */
  override get inputNames(): readonly string[] {
    return this.inputs.map((tensor) => tensor.node.layer.name);
  }

  /** Names of the outputs: the names of their layers, numbered if a layer has several outputs. */
  get outputNames(): readonly string[] {
    const names = this.outputs.map((tensor) => tensor.node.layer.name);
    return names.map((name, i) => {
      const before = names.slice(0, i).filter((other) => other === name).length;
      return before === 0 ? name : `${name}_${before}`;
    });
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    this.#checkInputs(inputs);
    return this.#walk(inputs, ({ layer }, shapes) => layer.outputShapes(shapes));
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

  /** Values that depend only on the fixed inputs of a stream are computed once, also by non-causal layers. */
  override streaming(inputs: readonly (boolean | null)[]): boolean[] {
    const along = this.#walk<boolean | null>(inputs, ({ layer, outputs }, reads) =>
      reads.some((one) => one !== null) ? layer.streaming(reads) : outputs.map(() => null),
    );
    return along.map((one) => one === true);
  }

  override streamStep(
    inputs: readonly MaskedSequence[],
    memory: Memory,
    context: ForwardContext,
  ): MaskedSequence[] {
    return this.#run(inputs, ({ layer, name, outputs }, sequences) => {
      const part = (memory.parts[name] ??= emptyMemory());
      if (!sequences.every(({ fixed }) => fixed)) return layer.streamStep(sequences, part, context);
      if (Object.keys(part.tensors).length === 0)
        part.tensors = fixedTensors(layer.invoke(sequences, context));
      return outputs.map((_, i) => fixedSequence(part.tensors, `${i}`));
    });
  }

  /**
   * Creates a stream of the model: see {@link Stream}.
   * @throws UnrollError `state` for the first layer that needs the whole sequence, `value` or `shape` if given inputs
   * or states do not fit the model
   */
  override stream({ inputs, ...options }: StreamOptions = {}): Stream {
    const given = inputs ? this.#given(inputs) : options.state ? this.#givenIn(options.state) : {};
    const rows = [options.batch, ...Object.values(given).map(({ shape }) => shape[0])].filter(
      (n) => n !== undefined,
    );
    const [batch] = rows;
    if (rows.some((n) => n !== batch)) {
      throw shapeError(
        `${this.label}: a stream's inputs must have the same batch size, got ${rows.join(', ')}.`,
        {
          rows,
        },
      );
    }
    return new Stream(this, batch === undefined ? options : { ...options, batch }, given);
  }

  override streamInputs(
    pushed: readonly MaskedSequence[],
    given: Readonly<Record<string, Tensor>>,
  ): MaskedSequence[] {
    const names = this.inputNames.filter((name) => !(name in given));
    if (pushed.length !== names.length) {
      throw shapeError(
        `The stream of ${this.label} takes ${names.length} inputs (${names.join(', ')}), got ${pushed.length}.`,
        { model: this.name, inputs: names, got: pushed.length },
      );
    }
    let at = 0;
    return this.inputNames.map((name) => (name in given ? fixedSequence(given, name) : pushed[at++]));
  }

  /** The inputs in a saved state; restoring it checks the other parts. */
  #givenIn({ memory }: StreamState): Record<string, Tensor> {
    const { tensors } = memoryFromJson(memory);
    const known = (key: string): boolean => this.inputNames.includes(key.replace(/\/mask$/, ''));
    return Object.fromEntries(Object.entries(tensors).filter(([key]) => known(key)));
  }

  /** Checks the fixed inputs of a stream and converts them to the form of its memory. */
  #given(inputs: NonNullable<StreamOptions['inputs']>): Record<string, Tensor> {
    const names = this.inputNames;
    const got = Object.keys(inputs);
    if (got.some((name) => !names.includes(name)) || got.length === names.length) {
      throw valueError(
        `${this.label}: stream({ inputs }) takes some of the inputs ${names.join(', ')} and leaves one or more for push(); ` +
          `got ${got.join(', ')}.`,
        { inputs: names, got },
      );
    }
    const given: Record<string, Tensor> = {};
    names.forEach((name, i) => {
      if (!(name in inputs)) return;
      const one = inputs[name];
      const sequence: MaskedSequence = isMaskedSequence(one) ? one : { value: asTensor(one), mask: null };
      this.#checkInput(sequence.value.shape, i);
      const want = formatShape(sequence.value.shape.slice(0, 2));
      if (sequence.mask && formatShape(sequence.mask.shape) !== want) {
        throw shapeError(
          `${this.label}: input ${name} takes a mask ${want}, got ${formatShape(sequence.mask.shape)}.`,
          { model: this.name, input: name, got: sequence.mask.shape },
        );
      }
      Object.assign(given, fixedTensors([sequence], name));
    });
    return given;
  }

  override get config(): LayerConfig {
    const nodes = this.#steps.map(
      ({ layer, inputs, mask }): NodeConfig => ({ layer: layer.name, inputs, ...(mask && { mask }) }),
    );
    return {
      className: this.className,
      config: {
        ...super.config.config,
        seed: this.options.seed ?? 0,
        layers: this.layers.map((layer) => layer.config),
        nodes,
        inputs: this.#inputPlaces,
        outputs: this.#outputPlaces,
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

  #run(
    inputs: readonly MaskedSequence[],
    run: (step: Step, sequences: readonly MaskedSequence[]) => readonly MaskedSequence[],
  ): MaskedSequence[] {
    return this.#walk(inputs, (step, sequences, mask) => {
      if (!mask) return run(step, sequences);
      const [first, ...rest] = sequences;
      return run(step, [{ ...first, mask: mask.value }, ...rest]);
    });
  }

  /** Propagates a property of the inputs through the graph to the outputs. */
  #walk<T>(
    inputs: readonly T[],
    run: (step: Step, inputs: readonly T[], mask: T | null) => readonly T[],
  ): T[] {
    const results: (readonly T[])[] = [];
    const at = ([node, output]: TensorRef): T => results[node][output];
    this.#inputPlaces.forEach(([node], i) => {
      results[node] = [inputs[i]];
    });
    this.#steps.forEach((step, n) => {
      if (step.inputs.length > 0) results[n] = run(step, step.inputs.map(at), step.mask && at(step.mask));
    });
    return this.#outputPlaces.map(at);
  }

  #checkInputs(shapes: readonly Shape[]): void {
    if (shapes.length !== this.inputs.length) {
      throw shapeError(`${this.label} has ${this.inputs.length} inputs, got ${shapes.length}.`, {
        model: this.name,
        got: shapes.length,
      });
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

/** @throws UnrollError `shape` if a value does not fit an input of the model */
export function checkInputShape(
  model: Network,
  { name, shape: want }: { name: string; shape: Shape },
  shape: Shape,
): void {
  const fits =
    shape.length === want.length &&
    shape.every((extent, d) => extent === want[d] || extent === -1 || want[d] === -1);
  if (fits) return;
  throw shapeError(
    `${model.label}: input ${name} expects ${formatShape(want)} (-1: any), got ${formatShape(shape)}.`,
    { model: model.name, input: name, expected: want, got: shape },
  );
}

const isMaskedSequence = (one: TensorLike | MaskedSequence): one is MaskedSequence =>
  typeof one === 'object' && 'value' in one;

/** Flattens values that a stream computes or receives once for its memory: masks are stored as `name/mask`. */
function fixedTensors(sequences: readonly MaskedSequence[], only?: string): Record<string, Tensor> {
  const tensors: Record<string, Tensor> = {};
  sequences.forEach(({ value, mask }, i) => {
    const name = only ?? `${i}`;
    tensors[name] = value;
    if (mask) tensors[`${name}/mask`] = mask;
  });
  return detach(tensors);
}

function fixedSequence(tensors: Readonly<Record<string, Tensor>>, name: string): MaskedSequence {
  return { value: tensors[name], mask: tensors[`${name}/mask`] ?? null, fixed: true };
}

function listOf(tensors: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[] {
  return tensors instanceof SymbolicTensor ? [tensors] : [...tensors];
}

/** A name for each node: the name of its layer, numbered if the layer occurs several times. */
function nodeNames(nodes: readonly GraphNode[]): string[] {
  const counts = new Map<Layer, number>();
  return nodes.map(({ layer }) => {
    const count = counts.get(layer) ?? 0;
    counts.set(layer, count + 1);
    return count === 0 ? layer.name : `${layer.name}#${count}`;
  });
}

/** A model of a graph of layers, from symbolic inputs to symbolic outputs. Models can be applied like layers. */
export function model(options: FunctionalOptions): Functional {
  checkOptions('model', options, { inputs: true, outputs: true, ...networkOptions() });
  for (const what of ['inputs', 'outputs'] as const) {
    if (options[what] === undefined || options[what] === null)
      throw valueError(
        `model: ${what} must be a tensor or an array of tensors, got ${shown(options[what])}.`,
      );
  }
  installBuilders();
  return new Functional(options);
}
