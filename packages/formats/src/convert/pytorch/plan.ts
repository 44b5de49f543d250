/**
 * Decides how the modules of a state dict are connected. A state dict has no graph: shapes and names decide as far as they
 * can, and a map (`unroll convert --map`) decides the rest.
 */
import { type UnrollError, valueError } from '@unroll/core';
import { checkOptions, type Json } from '@unroll/core/internal';
import type { RecurrentModule, SimpleModule, TorchModule } from './modules.js';

/** A step of a plan: a module, or a layer of Unroll without weights. */
export type Step = { module: RecurrentModule | SimpleModule; options: ModuleOptions } | { layer: LayerEntry };

/** Options of a module in a map. A state dict contains none of them. */
export interface ModuleOptions {
  /** A matrix without bias: which module it belongs to. */
  type?: 'Embedding' | 'Linear';
  /** Recurrent modules: all steps, or the last step of each direction. Default `sequence`, as in PyTorch. */
  output?: 'sequence' | 'final';
  /** nn.RNN: the activation. Default `tanh`, as in PyTorch. */
  nonlinearity?: 'tanh' | 'relu';
  /** Recurrent modules: the dropout rate between layers. Default 0. */
  dropout?: number;
  /** Linear and Conv1d: the activation after the module. Default `linear`. */
  activation?: string;
  /** Embedding: later layers skip the steps with id 0. Default false. */
  maskZero?: boolean;
  /** Conv1d: the options of Unroll's Conv1D. Defaults `valid`, 1 and 1, as in PyTorch. */
  padding?: 'valid' | 'same' | 'causal';
  strides?: number;
  dilationRate?: number;
  /** LayerNorm and BatchNorm1d. Default 1e-5, as in PyTorch. */
  epsilon?: number;
}

interface LayerEntry {
  className: string;
  config: Record<string, unknown>;
}

export interface Plan {
  steps: Step[];
  defaulted: { name: string; value: string; reason: string }[];
  /** Modules that the map leaves out. */
  omitted: TorchModule[];
}

type KnownModule = RecurrentModule | SimpleModule;
const isKnown = (module: TorchModule): module is KnownModule => module.kind !== 'unknown';

const nameOf = ({ path }: TorchModule): string => path || 'the module';

/**
 * Returns the plan that follows from shapes and names.
 * @param ordered true if the modules are in the order of the model's definition
 * @throws UnrollError `value` if shapes and names do not decide the model
 */
export function proposePlan(modules: readonly TorchModule[], file: string, ordered = true): Plan {
  const other = modules.find((module) => module.kind === 'unknown');
  if (other?.kind === 'unknown')
    throw valueError(
      `${file}: ${nameOf(other)} is not a module that Unroll can import: ${other.problem}. Supported: RNN, LSTM, GRU, Linear, ` +
        'Embedding, LayerNorm, BatchNorm1d, Conv1d. A map can leave it out (unroll convert --help).',
      { module: other.path },
    );
  const order = chain(modules.filter(isKnown), file, ordered);
  const pair = layersWithoutActivation(order);
  if (pair)
    throw needsMap(
      file,
      `a state dict does not contain the activation between ${nameOf(pair[0])} and ${nameOf(pair[1])}`,
    );
  const steps = order.map((module): Step => ({ module, options: {} }));
  return { steps, defaulted: defaultsOf(steps), omitted: [] };
}

const needsMap = (file: string, problem: string): UnrollError =>
  valueError(
    `${file}: ${problem}. Write a map with "unroll convert ${file} map.json --map template", complete it, and pass ` +
      '--map map.json.',
  );

/** Orders the modules so that the output of each module has the width of the next module's input. */
function chain(modules: readonly KnownModule[], file: string, ordered: boolean): KnownModule[] {
  const asListed = ordered ? resolve(modules) : null;
  if (asListed) return asListed;
  const found = permutations(modules);
  if (found.length === 1) return found[0];
  const list = modules
    .map((module) => `${nameOf(module)} [${module.input ?? '?'} -> ${module.output}]`)
    .join(', ');
  const problem =
    found.length > 1
      ? 'the widths of its modules allow several orders'
      : 'no order fits the widths of its modules';
  throw needsMap(file, `${problem}: ${list}`);
}

/** Returns the modules, with each matrix as a Linear or an Embedding; null if their widths do not fit in this order. */
function resolve(modules: readonly KnownModule[]): KnownModule[] | null {
  let width: number | null = null;
  const order: KnownModule[] = [];
  for (const [i, module] of modules.entries()) {
    const choices = module.kind === 'matrix' ? matrixChoices(module, modules[i + 1], i === 0) : [module];
    const next = choices.find((choice) => fits(choice, width, i === 0));
    if (!next) return null;
    order.push(next);
    width = next.output;
  }
  return order;
}

/** Returns true if a module can read features of this width. A grouped convolution reads a part of the features per group. */
function fits(module: KnownModule, width: number | null, isFirst: boolean): boolean {
  if (isFirst) return true;
  if (module.kind === 'embedding' || width === null) return false;
  if (module.kind !== 'conv1d') return module.input === width;
  const [filters, perGroup] = module.tensors.get('weight')?.shape ?? [];
  return width % perGroup === 0 && filters % (width / perGroup) === 0;
}

/**
 * Returns a matrix as a Linear or an Embedding; an empty list if its name and its neighbours do not decide. Only the first
 * module can be an Embedding. The rows of an Embedding belong to ids, so its output width is the number of columns.
 */
function matrixChoices(
  module: SimpleModule,
  next: KnownModule | undefined,
  isFirst: boolean,
): SimpleModule[] {
  const linear: SimpleModule = { ...module, kind: 'linear' };
  if (!isFirst) return [linear];
  const [rows, columns] = [module.output, module.input ?? 0];
  const table: SimpleModule = { ...module, kind: 'embedding', input: null, output: columns };
  const hasTableName = isTableName(module.path);
  const [asTable, asLinear] = [columns, rows].map(
    (width) => !next || next.input === null || next.input === width,
  );
  if (hasTableName || (asTable && !asLinear)) return [table];
  return asLinear && !asTable ? [linear] : [];
}

/** Maximum number of attempts in the search for an order of modules. */
const MAX_ATTEMPTS = 20_000;
/** Maximum number of modules for which orders are searched. */
const MAX_MODULES = 32;

/** Returns at most two of the orders that fit, and none if there are too many possibilities. */
function permutations(modules: readonly KnownModule[]): KnownModule[][] {
  if (modules.length > MAX_MODULES) return [];
  const found: KnownModule[][] = [];
  let attempts = 0;
  const extend = (chosen: readonly KnownModule[], rest: readonly KnownModule[]): void => {
    if (found.length > 1 || ++attempts > MAX_ATTEMPTS) return;
    if (rest.length === 0) {
      const order = resolve(chosen);
      if (order) found.push(order);
    }
    rest.forEach((module, i) => {
      const last = chosen.at(-1);
      const canFollow = !last || last.kind === 'matrix' || fits(module, last.output, false);
      if (canFollow || module.kind === 'matrix') extend([...chosen, module], rest.toSpliced(i, 1));
    });
  };
  extend([], modules);
  return attempts > MAX_ATTEMPTS ? [] : found;
}

/** Returns the first two successive linear layers, between which a model usually has an activation; null if there are none. */
function layersWithoutActivation(order: readonly KnownModule[]): [KnownModule, KnownModule] | null {
  const isLinear = ({ kind }: KnownModule): boolean => kind === 'linear' || kind === 'conv1d';
  const layers = order.filter(({ kind }) => kind !== 'layerNorm' && kind !== 'batchNorm');
  const at = layers.findIndex((layer, i) => i > 0 && isLinear(layer) && isLinear(layers[i - 1]));
  return at < 0 ? null : [layers[at - 1], layers[at]];
}

/** The report's reason for the default value of an option that is not in the file. */
export const NOT_IN_FILE = 'a state dict does not contain it';

/** For each module, returns the options that neither the file nor the map contains, with their default values. */
function defaultsOf(steps: readonly Step[]): Plan['defaulted'] {
  return steps.flatMap((step) => {
    if ('layer' in step) return [];
    const { module, options } = step;
    const name = nameOf(module);
    const defaulted = (key: keyof ModuleOptions, value: string) =>
      options[key] === undefined ? [{ name: `${name}: ${key}`, value, reason: NOT_IN_FILE }] : [];
    if (module.kind === 'recurrent')
      return [
        ...defaulted('output', 'sequence'),
        ...(module.cell === 'RNN' ? defaulted('nonlinearity', 'tanh') : []),
        ...(module.depth > 1 ? defaulted('dropout', '0') : []),
      ];
    if (module.kind === 'linear') return defaulted('activation', 'linear');
    if (module.kind === 'conv1d')
      return [
        ...defaulted('activation', 'linear'),
        ...defaulted('padding', 'valid'),
        ...defaulted('strides', '1'),
        ...defaulted('dilationRate', '1'),
      ];
    if (module.kind === 'embedding') return defaulted('maskZero', 'false');
    if (module.kind !== 'batchNorm') return defaulted('epsilon', '1e-5');
    const momentum = {
      name: `${name}: momentum`,
      value: '0.9',
      reason: `${NOT_IN_FILE}; equals PyTorch's default momentum of 0.1`,
    };
    return [...defaulted('epsilon', '1e-5'), momentum];
  });
}

/** Returns a map as JSON, with the decisions of {@link proposePlan} and all options. */
export function templateOf(modules: readonly TorchModule[], file: string, ordered = true): Json {
  let order: readonly TorchModule[] = modules;
  try {
    order = chain(modules.filter(isKnown), file, ordered);
  } catch {
    // The template keeps the order of the file, and the user corrects it.
  }
  const known = order.filter(isKnown);
  const withoutActivation = new Set(
    known.filter((module, i) => i + 1 < known.length && layersWithoutActivation([module, known[i + 1]])),
  );
  return {
    comment:
      'Modules in the order in which the model applies them. Between them, add layers of Unroll without weights, such as ' +
      '{ "layer": "Dropout", "config": { "rate": 0.5 } }, { "layer": "GlobalAveragePooling1D" } or { "layer": "Flatten" }.',
    layers: known.map((module) => ({
      module: module.path,
      ...typeOf(module, modules),
      ...templateOptions(module, withoutActivation.has(module)),
    })),
    omit: modules.filter((module) => !isKnown(module)).map(({ path }) => path),
  };
}

/** Returns the decided type of a matrix, which the user may change in the map. */
function typeOf({ path, kind }: KnownModule, modules: readonly TorchModule[]): { [key: string]: Json } {
  const isMatrix = modules.some((module) => module.path === path && module.kind === 'matrix');
  return isMatrix && kind !== 'matrix' ? { type: kind === 'embedding' ? 'Embedding' : 'Linear' } : {};
}

function templateOptions(module: KnownModule, needsActivation: boolean): { [key: string]: Json } {
  const activation = needsActivation ? 'relu, tanh, sigmoid, linear, ...?' : 'linear';
  switch (module.kind) {
    case 'recurrent':
      return {
        output: 'sequence',
        ...(module.cell === 'RNN' && { nonlinearity: 'tanh' }),
        ...(module.depth > 1 && { dropout: 0 }),
      };
    case 'linear':
      return { activation };
    case 'conv1d':
      return { activation, padding: 'valid', strides: 1, dilationRate: 1 };
    case 'embedding':
      return { maskZero: false };
    case 'matrix':
      return { type: 'Embedding or Linear?' };
    default:
      return { epsilon: 1e-5 };
  }
}

const OPTIONS_OF = {
  recurrent: { output: ['sequence', 'final'], nonlinearity: ['tanh', 'relu'], dropout: 'fraction' },
  linear: { activation: 'string' },
  conv1d: {
    activation: 'string',
    padding: ['valid', 'same', 'causal'],
    strides: 'count',
    dilationRate: 'count',
  },
  embedding: { maskZero: 'boolean' },
  layerNorm: { epsilon: 'number' },
  batchNorm: { epsilon: 'number' },
} as const;

/** Reads a map. @throws UnrollError `value` for a map that does not match the modules */
export function planFromMap(map: unknown, modules: readonly TorchModule[]): Plan {
  const { layers, omit = [] } = recordOf(map, 'The map', { comment: true, layers: 'array', omit: 'array' });
  if (!Array.isArray(layers) || layers.length === 0) throw valueError('The map needs a list "layers".');
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const used = new Set<string>();
  const take = (path: unknown): TorchModule => {
    const module = typeof path === 'string' ? byPath.get(path) : undefined;
    if (!module)
      throw valueError(
        `The map names the unknown module ${JSON.stringify(path)}. The modules are ${[...byPath.keys()].map((modulePath) => `"${modulePath}"`).join(', ')}.`,
      );
    if (used.has(module.path)) throw valueError(`The map uses the module "${module.path}" twice.`);
    used.add(module.path);
    return module;
  };
  const steps = layers.map((entry, i): Step => {
    if (isRecord(entry) && 'layer' in entry) return { layer: layerEntry(entry, i) };
    if (!isRecord(entry)) throw valueError(`Entry ${i} of "layers" in the map must be an object.`);
    return moduleStep(take(entry.module), entry, i === 0);
  });
  const omitted = (omit as unknown[]).map(take);
  const missing = modules.find(({ path }) => !used.has(path));
  if (missing)
    throw valueError(`The map does not use the module "${missing.path}". Add it to "layers", or to "omit".`);
  return { steps, defaulted: defaultsOf(steps), omitted };
}

function layerEntry(entry: Record<string, unknown>, i: number): LayerEntry {
  const { layer, config = {} } = recordOf(entry, `Entry ${i} of the map`, { layer: 'string', config: true });
  if (!isRecord(config)) throw valueError(`Entry ${i} of the map: config must be an object.`);
  return { className: layer as string, config: { ...config } };
}

function moduleStep(module: TorchModule, entry: Record<string, unknown>, isFirst: boolean): Step {
  if (!isKnown(module))
    throw valueError(`The map uses ${nameOf(module)}, but ${module.problem}. Add the module to "omit".`);
  const owner = `The map, module "${module.path}"`;
  const typed =
    module.kind === 'matrix'
      ? typedMatrix(module, entry.type ?? defaultType(module, isFirst), owner)
      : module;
  const allowed = typed.kind === 'matrix' ? {} : OPTIONS_OF[typed.kind];
  const {
    module: _,
    type: __,
    ...options
  } = recordOf(entry, owner, {
    module: 'string',
    ...(module.kind === 'matrix' && { type: true }),
    ...allowed,
  });
  return { module: typed, options: options as ModuleOptions };
}

/** Returns the type of a matrix according to its name and position; undefined if they do not decide. */
const defaultType = ({ path }: SimpleModule, isFirst: boolean): string | undefined =>
  isFirst ? (isTableName(path) ? 'Embedding' : undefined) : 'Linear';

const isTableName = (path: string): boolean => /emb|wte|lookup|token/i.test(path);

function typedMatrix(module: SimpleModule, type: unknown, owner: string): SimpleModule {
  if (type === 'Linear') return { ...module, kind: 'linear' };
  if (type === 'Embedding') return { ...module, kind: 'embedding', input: null, output: module.input ?? 0 };
  throw valueError(`${owner}: type must be "Embedding" or "Linear", got ${JSON.stringify(type)}.`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function recordOf(
  value: unknown,
  owner: string,
  types: Parameters<typeof checkOptions>[2],
): Record<string, unknown> {
  if (!isRecord(value)) throw valueError(`${owner} must be an object.`);
  checkOptions(owner, value, types);
  return value;
}
