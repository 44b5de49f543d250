/**
 * Converts an ONNX graph to a model: layers replace the nodes, and constants are folded. In the model, the batch is the first
 * axis of each tensor. In the graph, the batch may be another axis of an input: recurrent nodes and convolutions reveal which.
 * The conversion begins with an assumption about the batch axes, and is repeated if a node contradicts the assumption.
 */
import { type FloatArray, UnrollError, valueError } from '@unroll/core';
import type { AxisOrder, ImportedModel, ImportReport } from '../format.js';
import { buildImported, emptyReport } from '../imported.js';
import type { ByteSource } from '../source.js';
import { NodeContext, OtherBatchAxis } from './context.js';
import { knownSize } from './dimensions.js';
import { type Graph, type GraphInput, readGraph } from './graph.js';
import { operators } from './operators/index.js';
import { recognisePatterns } from './patterns.js';
import { readModel } from './protobuf.js';
import { simplify } from './simplify/index.js';
import {
  Atom,
  type Axis,
  type Constant,
  constantOf,
  current,
  formatShapeOf,
  type ModelTensor,
  type Reference,
  shapeOf,
  type Value,
} from './values.js';
import { type LayerEntry, ModelWriter, type WrittenModel } from './writer.js';

/** Maximum number of assumptions about the batch axes of the inputs. */
const MAX_ATTEMPTS = 32;

/**
 * Reads an ONNX model.
 * @throws UnrollError `format` for a damaged file, `value` for operators, attributes or inputs of nodes that Unroll does not
 * support; the message names the node
 */
export async function importOnnx(source: ByteSource): Promise<ImportedModel> {
  const proto = await readModel(source);
  if (proto.functions.length > 0)
    throw new UnrollError(
      'value',
      `${source.name} defines custom operators (${proto.functions[0].name}). Export the model with inlined functions.`,
    );
  const graph = await readGraph(proto, source);
  checkOperators(graph, source.name);
  return convert(recognisePatterns(graph), source.name);
}

/** Checks the operators of a graph. @throws UnrollError `value` that lists the nodes that Unroll cannot convert */
function checkOperators({ nodes }: Graph, file: string): void {
  const unknown = nodes.filter(({ op }) => !operators.has(op));
  if (unknown.length === 0) return;
  const labels = unknown.slice(0, 5).map(({ label }) => label);
  const more = unknown.length > labels.length ? ` and ${unknown.length - labels.length} more` : '';
  throw new UnrollError(
    'value',
    `${file} has nodes that Unroll cannot convert: ${labels.join(', ')}${more}. ` +
      `Supported operators: ${[...operators.keys()].join(', ')}.`,
    { operators: [...new Set(unknown.map(({ op }) => op))] },
  );
}

/**
 * Tries at most {@link MAX_ATTEMPTS} assumptions about the batch axes, until the nodes agree with one. The last assumption is
 * that the inputs have no batch axis, so that they are a single example.
 */
function convert(graph: Graph, file: string): ImportedModel {
  const axes = new Map(graph.inputs.map((input) => [input.name, likelyBatch(input)]));
  const none = new Map(graph.inputs.map(({ name }) => [name, -1]));
  const decided = new Set<string>();
  const tried = new Set<string>();
  let failed = '';
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    tried.add(JSON.stringify([...axes]));
    try {
      return new Conversion(graph, axes).run(file);
    } catch (error) {
      if (!(error instanceof OtherBatchAxis)) throw error;
      failed = error.input;
      const { shape } = graph.inputs.find(({ name }) => name === failed) as GraphInput;
      const next = error.axis ?? (axes.get(failed) ?? 0) + 1;
      const isContradiction = next >= shape.length || (error.axis === null && decided.has(failed));
      if (error.axis !== null) decided.add(failed);
      axes.set(failed, next);
      if (isContradiction || tried.has(JSON.stringify([...axes]))) break;
    }
  }
  try {
    return new Conversion(graph, none).run(file);
  } catch (error) {
    throw error instanceof OtherBatchAxis ? noBatch(file, failed) : error;
  }
}

function noBatch(file: string, input: string): UnrollError {
  return new UnrollError(
    'value',
    `${file}: no axis of the input "${input}" can be the batch, because nodes operate along each of its axes.`,
    { input },
  );
}

/** Returns the index of the axis whose size is named like a batch; otherwise 0. */
function likelyBatch({ shape }: GraphInput): number {
  const named = shape.findIndex(
    ({ symbols }) => symbols.length === 1 && /^(batch.*|n|b|bs)$/i.test(symbols[0]),
  );
  return Math.max(named, 0);
}

/** One conversion of a graph, with given batch axes of the inputs. */
class Conversion {
  readonly #graph: Graph;
  readonly #axes: ReadonlyMap<string, number>;
  readonly #writer = new ModelWriter();
  readonly #report: ImportReport = emptyReport();
  readonly #values = new Map<string, Value>();
  /** The arrays of all constants. */
  readonly #arrays = new Set<FloatArray>();
  /** The layers that each node has added. */
  readonly #added: { from: string; layers: readonly LayerEntry[] }[] = [];
  /** Number of elements that further computed constants may have. */
  #budget = 2 ** 21;

  constructor(graph: Graph, axes: ReadonlyMap<string, number>) {
    this.#graph = graph;
    this.#axes = axes;
  }

  run(file: string): ImportedModel {
    const graph = this.#graph;
    for (const [name, { shape, values, type }] of graph.constants) {
      this.#values.set(name, constantOf(shape, values, type, name));
      this.#addFromFile(values);
    }
    const inputs = graph.inputs.map((input) => this.#input(input));
    for (const node of graph.nodes) this.#convert(node);
    const outputs = graph.outputs.map((name) => this.#output(name));
    for (const name of graph.unused) this.#report.dropped.push({ name, reason: 'no output depends on it' });
    const refs = (tensors: readonly ModelTensor[]): Reference[] => tensors.map(({ ref }) => ref);
    const { outputs: wanted, moved } = simplify(this.#writer, refs(outputs));
    const written = this.#writer.finish(refs(inputs), wanted);
    const { arrays, names, ...graphConfig } = written;
    this.#reportLayers(names, outputs, written);
    const config = { className: 'Functional', config: { name: nameOf(graph.name, file), ...graphConfig } };
    const model = buildImported(config, arrays, file);
    const orders = (tensors: readonly ModelTensor[], names: readonly string[]): AxisOrder[] =>
      tensors.map((tensor, i) => ({ name: names[i], axes: axisOrder(tensor) }));
    return {
      model,
      report: this.#report,
      optimizer: null,
      compile: null,
      axes: {
        inputs: orders(
          inputs,
          graph.inputs.map(({ name }) => name),
        ),
        outputs: orders(outputs, graph.outputs),
        layers: this.#layerValues(moved, names),
      },
    };
  }

  #input({ name, shape, type }: GraphInput): ModelTensor {
    if (shape.length === 0)
      throw new UnrollError(
        'value',
        `The input "${name}" is a scalar. Inputs of a model must have a batch axis.`,
      );
    const batchAxis = this.#axes.get(name) ?? 0;
    if (batchAxis < 0)
      this.#report.defaulted.push({
        name,
        value: 'one example',
        reason: 'none of its axes can be the batch',
      });
    const atoms = shape.map((extent, axis) => {
      const isBatch = axis === batchAxis;
      if (knownSize(extent) === 1 && !isBatch) return null;
      return new Atom(extent, { isBatch, origin: { input: name, axis } });
    });
    const batch = atoms[batchAxis] ?? new Atom({ factor: 1, symbols: [] }, { isBatch: true });
    const onnxAxes = atoms.map((atom): Axis => (atom ? [atom] : []));
    const others = onnxAxes.filter((_, axis) => axis !== batchAxis);
    const ref = this.#writer.input(
      name,
      shape.filter((_, axis) => axis !== batchAxis).map((extent) => knownSize(extent)),
    );
    const tensor: ModelTensor = { kind: 'tensor', ref, modelAxes: [[batch], ...others], onnxAxes, type };
    this.#values.set(name, tensor);
    if ((this.#graph.readers.get(name) ?? 0) > 1) this.#writer.markShared(ref);
    this.#report.mapped.push({
      from: `input "${name}" ${formatShapeOf(tensor)}`,
      to: `${this.#writer.layerOf(ref).config.name}${batchAxis > 0 ? `, with axis ${batchAxis} first` : ''}`,
    });
    return tensor;
  }

  #convert(node: Graph['nodes'][number]): void {
    const operator = operators.get(node.op);
    if (!operator) throw new UnrollError('value', `${node.label}: Unroll does not have this operator.`);
    const { length: before } = this.#writer.layers;
    const context = new NodeContext(node, {
      graph: this.#graph,
      writer: this.#writer,
      report: this.#report,
      values: this.#values,
    });
    context.checkAttributes(operator.attributes);
    const outputs = operator.convert(context);
    node.outputs.forEach((name, i) => {
      const value = outputs[i];
      if (name === '' || value === undefined) return;
      context.checkRank(shapeOf(value).length);
      if (node.op === 'Constant' && value.kind === 'constant') this.#addFromFile(value.values);
      else if (value.kind === 'constant') this.#spend(value, node.label);
      this.#values.set(name, value);
      if (value.kind === 'tensor' && (this.#graph.readers.get(name) ?? 0) > 1)
        this.#writer.markShared(value.ref);
    });
    const added = this.#writer.layers.slice(before);
    if (added.length > 0) this.#added.push({ from: node.label, layers: added });
  }

  /** Reports the layers that each node became. @param names final names of the layers that remain after simplification */
  #reportLayers(
    names: ReadonlyMap<string, string>,
    outputs: readonly ModelTensor[],
    { nodes, outputs: refs }: WrittenModel,
  ): void {
    const { mapped } = this.#report;
    for (const { from, layers } of this.#added) {
      const remaining = layers.flatMap(({ config }) => names.get(config.name as string) ?? []);
      if (remaining.length > 0) mapped.push({ from, to: remaining.join(', ') });
    }
    outputs.forEach((output, i) => {
      const from = `output "${this.#graph.outputs[i]}" ${formatShapeOf(output)}`;
      mapped.push({ from, to: nodes[refs[i][0]].layer });
    });
  }

  /**
   * Returns, for each layer, the value of the graph that corresponds to its first output. If a layer replaces several nodes,
   * this is the value of the last of these nodes.
   */
  #layerValues(
    moved: (ref: Reference) => Reference | null,
    names: ReadonlyMap<string, string>,
  ): Map<string, AxisOrder> {
    const layers = new Map<string, AxisOrder>();
    const firstCalls = new Map<string, number>();
    for (const [name, value] of this.#values) {
      const ref = value.kind === 'tensor' ? moved(value.ref) : null;
      if (value.kind !== 'tensor' || ref?.[1] !== 0) continue;
      const layer = names.get(this.#writer.nodes[ref[0]].layer);
      if (layer === undefined || this.#graph.inputs.some((input) => input.name === name)) continue;
      // A layer that is called several times has several values; only its first call is compared.
      if ((firstCalls.get(layer) ?? ref[0]) !== ref[0]) continue;
      firstCalls.set(layer, ref[0]);
      layers.set(layer, { name, axes: axisOrder(value) });
    }
    return layers;
  }

  /** Registers the array of a constant of the file. Raises the budget of computed constants by four times its size. */
  #addFromFile(values: FloatArray): void {
    this.#arrays.add(values);
    this.#budget += 4 * values.length;
  }

  /** Counts the elements of computed constants. @throws UnrollError `value` if they exceed the budget */
  #spend({ values }: Constant, label: string): void {
    if (this.#arrays.has(values)) return;
    this.#arrays.add(values);
    this.#budget -= values.length;
    if (this.#budget >= 0) return;
    throw valueError(`${label}: the constants of the graph have too many elements to be computed.`);
  }

  /** Returns an output of the graph. Its first axis is the batch; the other axes have the graph's order. */
  #output(name: string): ModelTensor {
    const value = this.#values.get(name);
    if (value?.kind !== 'tensor')
      throw new UnrollError('value', `The output "${name}" does not depend on the inputs of the model.`, {
        name,
      });
    const batch = current(value.modelAxes[0]);
    const onnxAxes = value.onnxAxes.map((axis) => current(axis).filter((atom) => !batch.includes(atom)));
    // The axis of the batch has no other atoms, unless a node has merged it with the next one.
    const rest = onnxAxes.filter((axis, d) => axis.length > 0 || current(value.onnxAxes[d]).length === 0);
    return this.#writer.arrange({ ...value, onnxAxes: value.onnxAxes.map(current) }, [batch, ...rest]);
  }
}

/** Returns, for each model axis, the index of the ONNX axis with its first atom; -1 if there is none. */
function axisOrder({ modelAxes, onnxAxes }: ModelTensor): number[] {
  const used = new Set<number>();
  return modelAxes.map((axis) => {
    const modelAtoms = current(axis);
    const found = onnxAxes.findIndex((other, d) => {
      const atoms = current(other);
      return !used.has(d) && (modelAtoms.length === 0 ? atoms.length === 0 : atoms.includes(modelAtoms[0]));
    });
    used.add(found);
    return found;
  });
}

/** Returns the name of the model: the name of the graph, or else the name of the file. */
function nameOf(graph: string, file: string): string {
  const name = (graph || file.replace(/^.*[\\/]/, '').replace(/\.onnx$/i, '')).replace(/[^\w.-]+/g, '_');
  return name || 'model';
}
