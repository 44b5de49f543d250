/**
 * Runs a model while its recurrent layers are observed or changed. Each recurrent layer has one method that runs its cell
 * over a sequence; during a pass, this method is replaced. A pass is synchronous, so no other code sees the replacement, and
 * at its end the methods are restored.
 */

import { type MaskedSequence, type Model, scope, type Tensor } from '@unroll/core';
import { recording } from '@unroll/core/internal';
import {
  type Cell,
  type CellState,
  Embedding,
  type Network,
  type Recurrent,
  type SequenceContext,
  type SequenceResult,
  StackedCells,
} from '@unroll/nn';
import {
  type CellRecord,
  type FusedRun,
  fusedOpOf,
  type GradientSink,
  runFused,
  type TensorsByName,
} from './fused.js';
import { layersOf, recurrentSites, type Site } from './network.js';
import { override } from './override.js';
import type { Probe } from './probe.js';
import type { StepValues } from './step-values.js';
import { runStepwise, type StepHook } from './stepwise.js';

/** A change of a recurrent layer: another cell, or a function that changes the result of every step. */
export interface Change {
  layer: Recurrent;
  /** Creates the cell that runs instead, with the current weights. */
  makeCell: (() => Cell) | null;
  hook: StepHook | null;
}

/** One run of a recurrent layer. Its tensors belong to the open scope. */
export interface LayerRun extends CellRecord {
  site: Site;
  cell: Cell;
  /** True: the layer processes the sequence from its end. */
  reverse: boolean;
  /** The inputs [B, T, I]. */
  x: Tensor;
  mask: Tensor | null;
  /** The initial states [B, size]; null: zeros. */
  initial: TensorsByName | null;
  /** Returns the gradients with respect to the states in the last backward pass, [B, T, size]. */
  gradients: () => TensorsByName;
}

export interface Instruments {
  /** The layers to observe. Default: none. */
  sites?: readonly Site[];
  /** The tape of the pass, if gradients with respect to states are requested. */
  probe?: Probe | null;
  /** Called with each run of an observed layer. */
  onRun?: (run: LayerRun) => void;
  /** Called with the ids and vectors of each embedding. Returns the vectors to use instead. */
  onEmbedding?: (layer: Embedding, ids: Tensor, vectors: Tensor) => Tensor;
  changes?: readonly Change[];
}

/** Runs `work` in a scope, with instruments on the layers of the network. */
export function withInstruments<T>(network: Network, instruments: Instruments, work: () => T): T {
  const { sites = [], changes = [], onEmbedding } = instruments;
  const carried = network.carriedStates;
  const restores: (() => void)[] = [];
  const sitesByLayer = new Map(recurrentSites(network).map((site) => [site.layer, site]));
  const layers = new Set([...sites.map(({ layer }) => layer), ...changes.map(({ layer }) => layer)]);
  for (const layer of layers) {
    const observed = sites.some((site) => site.layer === layer);
    const layerChanges = changes.filter((change) => change.layer === layer);
    const cell = layerChanges.findLast(({ makeCell }) => makeCell)?.makeCell?.() ?? layer.cell;
    const hook = composeHooks(layerChanges.flatMap((change) => change.hook ?? []));
    const site = sitesByLayer.get(layer) ?? { path: layer.name, layer };
    restores.push(
      override(layer, 'run', (x, state, context) =>
        observe({ site, cell, hook, observed }, { x, state, context }, instruments),
      ),
    );
  }
  if (onEmbedding) restores.push(...replaceEmbeddings(network, onEmbedding));
  try {
    return scope(work);
  } finally {
    for (const restore of restores) restore();
    // Stateful layers keep the states that they had before the pass.
    network.resetStates();
    network.carriedStates = carried;
  }
}

function composeHooks(hooks: readonly StepHook[]): StepHook | null {
  if (hooks.length === 0) return null;
  return (result) => hooks.reduce((changed, hook) => hook(changed), result);
}

function replaceEmbeddings(
  network: Network,
  onEmbedding: NonNullable<Instruments['onEmbedding']>,
): (() => void)[] {
  return layersOf(network, Embedding).map((layer) => {
    const { call } = layer;
    return override(layer, 'call', (inputs: readonly MaskedSequence[], context) => {
      // Tapes must not record the lookup: the vectors are leaves, like the inputs of other models.
      const tape = recording.current;
      recording.current = null;
      const [{ value, mask }] = call.call(layer, inputs, context);
      recording.current = tape;
      return [{ value: onEmbedding(layer, inputs[0].value, value), mask }];
    });
  });
}

/** A recurrent layer during a pass: its cell, or the cell that runs instead, and whether its runs are reported. */
interface InstrumentedLayer {
  site: Site;
  cell: Cell;
  hook: StepHook | null;
  observed: boolean;
}

interface CellCall {
  x: Tensor;
  state: CellState | null;
  context: SequenceContext;
}

/** Runs a cell over a sequence and reports the run. */
function observe(
  target: InstrumentedLayer,
  call: CellCall,
  { probe = null, onRun }: Instruments,
): SequenceResult {
  const { site, cell, hook } = target;
  const { x, context } = call;
  // A cell that defines its initial state must start from this state, as it does without instruments.
  const state = call.state ?? cell.zeroState?.(x.shape[0], context.constants) ?? null;
  let gradients: TensorsByName = {};
  const sink: GradientSink | null = probe && ((found) => void Object.assign(gradients, found));
  let report = (): void => {};
  let run = hook ? null : runWithKernels(cell, { ...call, state }, sink);
  if (run === null) {
    const stepped = runStepwise(cell, x, state, context, { hook, probe, sink });
    ({ report } = stepped);
    run = stepped;
  }
  if (target.observed) {
    const take = (): TensorsByName => {
      report();
      const taken = gradients;
      gradients = {};
      return taken;
    };
    const { gates, states } = run.record;
    const { reverse, mask } = context;
    onRun?.({ site, cell, reverse, x, mask, initial: state, gates, states, gradients: take });
  }
  return run.result;
}

/** Runs a cell, or the cells of a stack, with fused kernels. Returns null if one of them has no fused kernel. */
function runWithKernels(
  cell: Cell,
  { x, state, context }: CellCall,
  sink: GradientSink | null,
): FusedRun | null {
  if (!(cell instanceof StackedCells)) return runFused(cell, x, state, context, sink);
  if (!cell.cells.every(fusedOpOf)) return null;
  const records: CellRecord[] = [];
  cell.cells.forEach((inner, n) => {
    const innerSink: GradientSink | null = sink && ((found) => sink(withPrefix(found, n)));
    inner.sequence = (...call) => {
      delete inner.sequence;
      const run = runFused(inner, ...call, innerSink);
      if (run) records[n] = run.record;
      return run?.result ?? null;
    };
  });
  try {
    const result = cell.sequence(x, state as Parameters<StackedCells['sequence']>[1], context);
    if (records.filter(Boolean).length < cell.cells.length) return null;
    const merge = (part: 'gates' | 'states'): Record<string, StepValues> =>
      Object.assign({}, ...records.map((record, n) => withPrefix(record[part], n)));
    return { result, record: { gates: merge('gates'), states: merge('states') } };
  } finally {
    for (const inner of cell.cells) delete inner.sequence;
  }
}

function withPrefix<T>(values: Readonly<Record<string, T>>, n: number): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${n}.${name}`, value]));
}

/** A model of layers, or the ablated model that `ablate` returns. */
export type Inspectable = Network | AblatedView;

/** The part of an `AblatedModel` that instruments use. */
export interface AblatedView extends Model {
  readonly network: Network;
  readonly changes: readonly Change[];
}
