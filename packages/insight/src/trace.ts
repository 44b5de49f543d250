/** `trace`: the gates and states of every recurrent layer, for every step and unit. */
import { asTensor, keep, Tensor } from '@unroll/core';
import { checkOptions, currentScope, inferenceContext } from '@unroll/core/internal';
import { type Cell, type Network, Stream, type StreamInput } from '@unroll/nn';
import { type DataArray, joinArrays, readArray } from './arrays.js';
import { type KeepGate, keepGateOf } from './gates.js';
import { inputsOf, type MaskOption, type ModelInput, rowsOf, subjectOf } from './inputs.js';
import { type Inspectable, type LayerRun, withInstruments } from './instrument.js';
import { runName, sourceLayersOf, withLinks } from './links.js';
import { type Site, selectSites } from './network.js';
import { type CollectedValues, collect, readCollected } from './step-values.js';

export interface TraceOptions extends MaskOption {
  /** Paths or names of the recurrent layers; a name selects all layers that have it. Default: all. */
  layers?: readonly string[];
  /** Also return the inputs of every layer. Default false. */
  inputs?: boolean;
  /** Number of examples per batch. Default 256. */
  batchSize?: number;
}

/** One run of a recurrent layer over B sequences of T steps, in time order. */
export interface LayerTrace {
  /** Path in the model: `lstm`, `bidirectional/forward_lstm`. From the second run of a layer, with a number: `lstm#1`. */
  layer: string;
  /**
   * Names (`layer`) of the recurrent layers whose outputs this layer reads, directly or through other layers; empty: it reads only
   * inputs of the model. Layers that read the same layers are parallel branches.
   */
  from: string[];
  /** `LSTM`, `GRU`, `RNN`, ... */
  className: string;
  /** `LSTMCell`, `GRUCell`, ... */
  cell: string;
  /** Width of the output. */
  units: number;
  /** True: the layer returns the output of every step; false: only the output of the last step. */
  returnSequences: boolean;
  /** True: the layer processes the sequence from its end, so the state of step t depends on step t and all later ones. */
  reverse: boolean;
  /** [B, T], 1: valid; null: all steps are valid. */
  mask: DataArray | null;
  /**
   * The gates [B, T, H], named as in the equations of the cell (`i f g o`, `z r n`), 0 at masked steps. The gates of cells in a
   * stack have a prefix: `0.i`. A simple RNN has no gates.
   */
  gates: Record<string, DataArray>;
  /** The states after every step, [B, T, size]. A masked step leaves them unchanged. */
  states: Record<string, DataArray>;
  /** The gate that decides which share of the state survives a step: `f` of an LSTM, `z` of a GRU; null: unknown or none. */
  keep: KeepGate | null;
  /** The initial states [B, size]. */
  initial: Record<string, DataArray>;
  /** The inputs [B, T, I], with the option `inputs`. */
  x?: DataArray;
}

export interface Trace {
  layers: LayerTrace[];
  /** The outputs of the model. */
  outputs: DataArray[];
}

/**
 * Returns the gates and states of the recurrent layers for x [N, ...]. For a stream, x [batch, time, ...] contains the next
 * steps; the stream processes these steps.
 *
 * If a cell has a fused kernel, the gates come from this kernel, so a trace costs little more than a prediction. Other cells,
 * including custom ones, run step by step and report the `gates` of their `step`.
 * @param model a model of layers, an ablated model, or a stream
 * @throws UnrollError `value` for unknown layers or invalid options, `shape` if x does not fit the model
 */
export async function trace(
  model: Inspectable | Stream,
  x: ModelInput,
  options: TraceOptions = {},
): Promise<Trace> {
  checkOptions('trace', options, { layers: 'array', mask: true, inputs: 'boolean', batchSize: 'count' });
  if (model instanceof Stream) return traceStream(model, x as StreamInput, options);
  const { network, changes } = subjectOf(model, 'trace');
  const inputs = await inputsOf(x, options, 'trace');
  network.build(inputs.sequences.map(({ value }) => [-1, ...value.shape.slice(1)]));
  const sites = selectSites(network, options.layers, 'trace');
  const { batchSize = 256 } = options;
  const parts: Trace[] = [];
  for (let start = 0; start < inputs.count; start += batchSize) {
    const batch = rowsOf(inputs, start, Math.min(start + batchSize, inputs.count));
    const runs: CollectedRun[] = [];
    const instruments = {
      sites,
      changes,
      onRun: (run: LayerRun) => void runs.push(collectRun(run, options)),
    };
    const outputs = withInstruments(network, instruments, () => {
      const pass = () => network.forward(batch.sequences, inferenceContext());
      const results = withLinks(network, pass).map(({ value }) => value);
      // `owned` is not read later: returning these tensors keeps them beyond the scope.
      return { results, owned: runs.map(({ tensors }) => tensors) };
    });
    parts.push(await readTrace(network, runs, outputs.results));
  }
  return joinTraces(parts);
}

async function traceStream(stream: Stream, x: StreamInput, options: TraceOptions): Promise<Trace> {
  const sites = selectSites(stream.network, options.layers, 'trace');
  const runs: CollectedRun[] = [];
  const mask = (options.mask ?? null) as Tensor | null;
  const chunk =
    Array.isArray(x) && x[0] && typeof x[0] === 'object' && 'shape' in x[0] ? x : asTensor(x as Tensor);
  // push() runs in an inner scope. The tensors of a run are moved out of this scope while it is open.
  const onRun = (run: LayerRun): void => {
    const collected = collectRun(run, options);
    keep(collected.tensors);
    runs.push(collected);
  };
  const outputs = withInstruments(stream.network, { sites, onRun }, () => {
    withLinks(stream.network, () => stream.push(chunk as StreamInput, mask));
    return [...stream.outputs];
  });
  return readTrace(stream.network, runs, outputs);
}

/** A run of a layer: the values that were read, and the tensors that must be kept beyond the scope of the pass. */
interface CollectedRun extends Pick<LayerRun, 'site' | 'cell' | 'reverse'> {
  gates: CollectedValues;
  states: CollectedValues;
  initial: CollectedValues;
  /** The mask of the layer, which may be a tensor of the caller. */
  mask: Tensor | null;
  x: Tensor | null;
  tensors: readonly Tensor[];
}

function collectRun(
  { site, cell, reverse, ...run }: LayerRun,
  { inputs = false }: TraceOptions,
): CollectedRun {
  const [gates, states] = [collect(run.gates), collect(run.states)];
  const initial = run.initial ? collect(run.initial) : zeroStates(cell, run.x.shape[0]);
  const [mask, x] = [run.mask, inputs ? run.x : null];
  const tensors: Tensor[] = [];
  for (const values of [gates, states, initial])
    for (const name in values) if (values[name] instanceof Tensor) tensors.push(values[name]);
  for (const tensor of [mask, x]) if (tensor) tensors.push(tensor);
  return { site, cell, reverse, gates, states, initial, mask, x, tensors };
}

function zeroStates({ stateSizes }: Cell, B: number): CollectedValues {
  const Float = currentScope().backend.float;
  const found: CollectedValues = {};
  for (const name in stateSizes) {
    const size = stateSizes[name];
    found[name] = { shape: [B, size], values: new Float(B * size) };
  }
  return found;
}

async function readTrace(
  network: Network,
  runs: readonly CollectedRun[],
  outputs: readonly Tensor[],
): Promise<Trace> {
  const counts = new Map<Site['layer'], number>();
  const layers: LayerTrace[] = [];
  for (const { site, cell, reverse, mask, gates, states, initial, x } of runs) {
    const count = counts.get(site.layer) ?? 0;
    counts.set(site.layer, count + 1);
    const found: LayerTrace = {
      layer: runName(site.path, count),
      from: sourceLayersOf(network, site.layer, count),
      className: site.layer.className,
      cell: cell.className,
      units: cell.units,
      returnSequences: site.layer.returnSequences,
      reverse,
      mask: mask && (await readArray(mask)),
      gates: await readCollected(gates),
      states: await readCollected(states),
      keep: keepGateOf(cell),
      initial: await readCollected(initial),
    };
    if (x) found.x = await readArray(x);
    if (found.mask) for (const gate of Object.values(found.gates)) clearMasked(gate, found.mask);
    layers.push(found);
  }
  return { layers, outputs: await Promise.all(outputs.map(readArray)) };
}

/** Sets masked steps of an array [B, T, size] to 0: a kernel may compute any value there. */
function clearMasked({ shape, values }: DataArray, mask: DataArray): void {
  const size = shape[2];
  mask.values.forEach((valid, step) => {
    if (valid === 0) values.fill(0, step * size, (step + 1) * size);
  });
}

function joinTraces(parts: readonly Trace[]): Trace {
  if (parts.length === 1) return parts[0];
  const joinNamed = (records: readonly Record<string, DataArray>[]): Record<string, DataArray> =>
    Object.fromEntries(
      Object.keys(records[0]).map((name) => [name, joinArrays(records.map((record) => record[name]))]),
    );
  const layers = parts[0].layers.map((first, i): LayerTrace => {
    const layerParts = parts.map(({ layers: all }) => all[i]);
    return {
      ...first,
      mask: first.mask && joinArrays(layerParts.flatMap(({ mask }) => mask ?? [])),
      gates: joinNamed(layerParts.map(({ gates }) => gates)),
      states: joinNamed(layerParts.map(({ states }) => states)),
      initial: joinNamed(layerParts.map(({ initial }) => initial)),
      ...(first.x && { x: joinArrays(layerParts.flatMap(({ x }) => x ?? [])) }),
    };
  });
  return {
    layers,
    outputs: parts[0].outputs.map((_, i) => joinArrays(parts.map(({ outputs }) => outputs[i]))),
  };
}
