/**
 * Functional models: layers joined to a graph, with several inputs and outputs, shared layers, and states handed from one
 * layer to another.
 *
 *     const source = input({ shape: [null, 8] });
 *     const [, h, c] = lstm({ units: 64, returnState: true }).apply(source);
 *     const target = input({ shape: [null, 5] });
 *     const decoded = lstm({ units: 64, returnSequences: true }).apply(target, { initialState: [h, c] });
 *     const translate = model({ inputs: [source, target], outputs: dense({ units: 5 }).apply(decoded) });
 */
import {
  type Flow,
  type ForwardContext,
  formatShape,
  type Shape,
  shapeError,
  UnrollError,
  valueError,
} from '@unroll/core';
import { applySymbolic, type GraphNode, partsOf, SymbolicTensor, sourcesOf } from './graph.js';
import type { Layer, LayerConfig } from './layer.js';
import { InputLayer, symbolicInput } from './layers/input.js';
import { bringMakingTools } from './making-tools.js';
import { emptyMemory, type Memory } from './memory.js';
import { Network, type NetworkOptions, nameLayers } from './network.js';
import type { BuildTools } from './registry.js';
import type { SummaryRow } from './summary.js';

export interface FunctionalOptions extends NetworkOptions {
  inputs: SymbolicTensor | readonly SymbolicTensor[];
  outputs: SymbolicTensor | readonly SymbolicTensor[];
}

/** A node in a config: a layer by name, and what it reads as [node, output] pairs. */
export interface NodeConfig {
  layer: string;
  inputs: (readonly [number, number])[];
  mask?: readonly [number, number];
}

export class Functional extends Network<NetworkOptions> {
  static override readonly className = 'Functional';
  readonly layers: readonly Layer[];
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  readonly #nodes: readonly GraphNode[];
  /** A name for each node: its layer's, numbered where the layer stands in several places. */
  readonly #nodeNames: ReadonlyMap<GraphNode, string>;

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
    this.#nodeNames = nodeNames(nodes);
  }

  static fromConfig(config: Record<string, unknown>, build: BuildTools): Functional {
    const { layers, nodes, inputs, outputs, ...options } = config as {
      layers: unknown[];
      nodes: NodeConfig[];
      inputs: [number, number][];
      outputs: [number, number][];
    };
    const byName = new Map(layers.map(build.layer).map((layer) => [layer.name, layer]));
    const made: SymbolicTensor[][] = [];
    const at = ([node, output]: readonly [number, number]): SymbolicTensor => made[node][output];
    for (const { layer: name, inputs: reads, mask } of nodes) {
      const layer = byName.get(name);
      if (!layer)
        throw new UnrollError('format', `The config has a node of layer "${name}", which it does not list.`);
      if (layer instanceof InputLayer) made.push([symbolicInput(layer)]);
      else made.push([...applySymbolic(layer, reads.map(at), mask ? { mask: at(mask) } : {})]);
    }
    return new Functional({ ...options, inputs: inputs.map(at), outputs: outputs.map(at) });
  }

  get inputShapes(): readonly Shape[] {
    return this.inputs.map((tensor) => tensor.shape);
  }

  /** Names of the inputs: those of their layers. */
  get inputNames(): readonly string[] {
    return this.inputs.map((tensor) => tensor.node.layer.name);
  }

  /** Names of the outputs: those of the layers that give them, numbered where one gives several. */
  get outputNames(): readonly string[] {
    const names = this.outputs.map((tensor) => tensor.node.layer.name);
    return names.map((name, i) => {
      const before = names.slice(0, i).filter((other) => other === name).length;
      return before === 0 ? name : `${name}_${before}`;
    });
  }

  outputShapes(inputs: readonly Shape[]): Shape[] {
    this.#checkInputs(inputs);
    const known = new Map(this.inputs.map((tensor, i) => [tensor, inputs[i]]));
    this.#walk(known, (node, shapes) => node.layer.outputShapes(shapes));
    return this.outputs.map((tensor) => known.get(tensor)!);
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

  call(inputs: readonly Flow[], context: ForwardContext): Flow[] {
    return this.#run(inputs, (node, flows) => node.layer.flow(flows, context));
  }

  override alongTime(inputs: readonly boolean[]): boolean[] {
    const known = new Map(this.inputs.map((tensor, i) => [tensor, inputs[i]]));
    this.#walk(known, (node, along) => node.layer.alongTime(along));
    return this.outputs.map((tensor) => known.get(tensor)!);
  }

  override advance(inputs: readonly Flow[], memory: Memory, context: ForwardContext): Flow[] {
    return this.#run(inputs, (node, flows) => {
      const part = (memory.parts[this.#nodeNames.get(node)!] ??= emptyMemory());
      return node.layer.advance(flows, part, context);
    });
  }

  override get config(): LayerConfig {
    const place = (tensor: SymbolicTensor): readonly [number, number] => [
      this.#nodes.indexOf(tensor.node),
      tensor.index,
    ];
    const nodes = this.#nodes.map(
      ({ layer, inputs, mask }): NodeConfig => ({
        ...{ layer: layer.name, inputs: inputs.map(place) },
        ...(mask && { mask: place(mask) }),
      }),
    );
    return {
      className: this.className,
      config: {
        ...super.config.config,
        seed: this.options.seed ?? 0,
        layers: this.layers.map((layer) => layer.config),
        nodes,
        inputs: this.inputs.map(place),
        outputs: this.outputs.map(place),
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

  #run(inputs: readonly Flow[], step: (node: GraphNode, flows: Flow[]) => Flow[]): Flow[] {
    const known = new Map(this.inputs.map((tensor, i) => [tensor, inputs[i]]));
    this.#walk(known, (node, flows) => {
      const [first, ...rest] = flows as [Flow, ...Flow[]];
      const mask = node.mask ? known.get(node.mask)!.value : first.mask;
      return step(node, [{ value: first.value, mask }, ...rest]);
    });
    return this.outputs.map((tensor) => known.get(tensor)!);
  }

  /** Works out something for every tensor of the graph, from what is known of the inputs. */
  #walk<T>(known: Map<SymbolicTensor, T>, step: (node: GraphNode, inputs: T[]) => readonly T[]): void {
    for (const node of this.#nodes) {
      if (node.inputs.length === 0) continue; // an input: known
      const results = step(
        node,
        node.inputs.map((tensor) => known.get(tensor)!),
      );
      node.outputs.forEach((tensor, i) => {
        known.set(tensor, results[i]);
      });
    }
  }

  #checkInputs(shapes: readonly Shape[]): void {
    if (shapes.length !== this.inputs.length) {
      throw shapeError(`${this.label} has ${this.inputs.length} inputs, got ${shapes.length}.`, {
        model: this.name,
        got: shapes.length,
      });
    }
    shapes.forEach((shape, i) => {
      const { shape: want, node } = this.inputs[i];
      const fits =
        shape.length === want.length &&
        shape.every((extent, d) => extent === want[d] || extent === -1 || want[d] === -1);
      if (fits) return;
      throw shapeError(
        `${this.label}: input ${node.layer.name} expects ${formatShape(want)} (-1: any), got ${formatShape(shape)}.`,
        { model: this.name, input: node.layer.name, expected: want, got: shape },
      );
    });
  }
}

function listOf(tensors: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[] {
  return tensors instanceof SymbolicTensor ? [tensors] : [...tensors];
}

function nodeNames(nodes: readonly GraphNode[]): Map<GraphNode, string> {
  const counts = new Map<Layer, number>();
  return new Map(
    nodes.map((node) => {
      const count = counts.get(node.layer) ?? 0;
      counts.set(node.layer, count + 1);
      return [node, count === 0 ? node.layer.name : `${node.layer.name}#${count}`];
    }),
  );
}

/** A model of a graph of layers, from symbolic inputs to symbolic outputs. Models can be applied like layers. */
export function model(options: FunctionalOptions): Functional {
  bringMakingTools();
  return new Functional(options);
}
