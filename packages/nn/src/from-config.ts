/**
 * Models from their configs. The classes that may be named are those exported by ./cells and ./layers, the models
 * themselves, and what the user has registered.
 */
import { UnrollError } from '@unroll/core';
import type { Cell, CellClass } from './cells/cell.js';
import * as cellExports from './cells/index.js';
import { Functional, type NodeConfig } from './functional.js';
import { makeNode, type SymbolicTensor } from './graph.js';
import type { Layer } from './layer.js';
import * as layerExports from './layers/index.js';
import { InputLayer } from './layers/input.js';
import { Recurrent } from './layers/recurrent.js';
import type { Network } from './network.js';
import { type BuildTools, classConfig, type LayerClass, registered, unknownClass } from './registry.js';
import { Sequential } from './sequential.js';

const builtinCells = classesOf<CellClass>(cellExports);
const builtinLayers = classesOf<LayerClass>(layerExports);
/** `LSTM` over LSTMCell, and so for every cell. */
const layersOverCells = new Map([...builtinCells].map(([name, cell]) => [name.replace(/Cell$/, ''), cell]));

const tools: BuildTools = { layer: layerFromConfig, cell: cellFromConfig };

/**
 * The cell that `{ className, config }` describes, with new weights.
 * @throws UnrollError `format` naming a class that is not known
 */
export function cellFromConfig(value: unknown): Cell {
  const { className, config } = classConfig('cell', value);
  if (className === cellExports.StackedCells.className) {
    return new cellExports.StackedCells({ cells: (config.cells as unknown[]).map(cellFromConfig) });
  }
  const found = (registered('cell', className) as CellClass | undefined) ?? builtinCells.get(className);
  if (found) return new found(config as never);
  throw unknownClass('cell', className, [...builtinCells.keys()]);
}

/**
 * The layer (or model) that `{ className, config }` describes, with new weights.
 * @throws UnrollError `format` naming a class that is not known
 */
export function layerFromConfig(value: unknown): Layer {
  const { className, config } = classConfig('layer', value);
  const own = registered('layer', className) as LayerClass | undefined;
  if (own) return make(own, config);
  if (className === Recurrent.className) {
    const { cell, ...options } = config;
    return new Recurrent(cellFromConfig(cell), options);
  }
  if (className === Sequential.className) return sequentialFrom(config);
  if (className === Functional.className) return functionalFrom(config);
  const cell = layersOverCells.get(className);
  if (cell) return Recurrent.over(cell as never, config as never);
  const builtin = builtinLayers.get(className);
  if (builtin) return make(builtin, config);
  throw unknownClass('layer', className, [...layersOverCells.keys(), ...builtinLayers.keys(), 'RNN']);
}

/**
 * The model that a model's `config` describes, with new weights.
 * @throws UnrollError `format` naming a class that is not known
 */
export function modelFromConfig(config: unknown): Network {
  const made = layerFromConfig(config);
  if (made instanceof Sequential || made instanceof Functional) return made;
  throw new UnrollError('format', `This is the config of a layer (${made.className}), not of a model.`);
}

function make(kind: LayerClass, config: Record<string, unknown>): Layer {
  return kind.fromConfig ? kind.fromConfig(config, tools) : new kind(config as never);
}

function sequentialFrom({ layers, inputShape, ...options }: Record<string, unknown>): Sequential {
  const list = (layers as unknown[]).map(layerFromConfig);
  if (!inputShape) return new Sequential(list, options);
  const [batch, ...shape] = inputShape as [number, ...number[]];
  const first = symbolicInput(new InputLayer({ shape, ...(batch !== -1 && { batchSize: batch }) }));
  return new Sequential([first, ...list], options);
}

function functionalFrom(config: Record<string, unknown>): Functional {
  const { layers, nodes, inputs, outputs, ...options } = config as {
    layers: unknown[];
    nodes: NodeConfig[];
    inputs: [number, number][];
    outputs: [number, number][];
  };
  const byName = new Map(layers.map(layerFromConfig).map((layer) => [layer.name, layer]));
  const made: SymbolicTensor[][] = [];
  const at = ([node, output]: readonly [number, number]): SymbolicTensor => made[node]![output]!;
  for (const { layer: name, inputs: reads, mask } of nodes) {
    const layer = byName.get(name);
    if (!layer)
      throw new UnrollError('format', `The config has a node of layer "${name}", which it does not list.`);
    if (layer instanceof InputLayer) made.push([symbolicInput(layer)]);
    else made.push([...layer.apply(reads.map(at), mask ? { mask: at(mask) } : {})]);
  }
  return new Functional({ ...options, inputs: inputs.map(at), outputs: outputs.map(at) });
}

function symbolicInput(layer: InputLayer): SymbolicTensor {
  return makeNode(layer, [], null, [layer.shape]).outputs[0]!;
}

function classesOf<C extends { readonly className: string }>(
  exports: Record<string, unknown>,
): Map<string, C> {
  const classes = Object.values(exports).filter(
    (value): value is C => typeof value === 'function' && Object.hasOwn(value, 'className'),
  );
  return new Map(classes.map((one) => [one.className, one]));
}
