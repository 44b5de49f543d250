/**
 * Reads the optimizer of a checkpoint. PyTorch numbers the parameters in the order of model.parameters(), which is the order
 * of the state dict without buffers. The file does not contain the name of the optimizer; it is inferred from the optimizer's
 * options.
 */
import type { FloatArray } from '@unroll/core';
import type { OptimizerRecord } from '../format.js';
import type { TorchFile } from './file.js';
import { PyTensor, type PyValue } from './pickle-names.js';
import type { StateTensor } from './state-dict.js';
import type { Recipe } from './weights.js';

type Dict = Map<PyValue, PyValue>;

export interface OptimizerPart {
  /** The optimizer; null if it cannot be imported. */
  record: OptimizerRecord | null;
  defaulted: { name: string; value: string; reason: string }[];
  dropped: { name: string; reason: string }[];
}

const BUFFERS = /(^|\.)(running_mean|running_var|num_batches_tracked)$/;

/** An optimizer: its name in Unroll, and maps from PyTorch's names of its options and slots to Unroll's names. */
interface Kind {
  name: string;
  options: Readonly<Record<string, string>>;
  slots: Readonly<Record<string, string>>;
}

const ADAM: Kind = {
  name: 'adam',
  options: { lr: 'learningRate', eps: 'epsilon', weight_decay: 'weightDecay' },
  slots: { exp_avg: 'm', exp_avg_sq: 'v' },
};

/** Finds out from the options of a parameter group which optimizer it is. A string is the reason why it cannot be imported. */
function kindOf(group: Dict): Kind | string {
  const has = (key: string): boolean => group.has(key);
  const isSet = (key: string): boolean => Boolean(group.get(key));
  if (isSet('maximize')) return 'it maximises the loss';
  if (has('betas') && has('amsgrad')) {
    if (isSet('amsgrad')) return 'AMSGrad is not supported';
    return isSet('decoupled_weight_decay') ? { ...ADAM, name: 'adamw' } : ADAM;
  }
  if (has('dampening')) {
    if (isSet('dampening')) return 'SGD with dampening is not supported';
    const slots: Record<string, string> = isSet('momentum') ? { momentum_buffer: 'momentum' } : {};
    const options = {
      lr: 'learningRate',
      momentum: 'momentum',
      nesterov: 'nesterov',
      weight_decay: 'weightDecay',
    };
    return { name: 'sgd', options, slots };
  }
  if (has('alpha') && has('centered')) {
    const slots = {
      square_avg: 'v',
      ...(isSet('momentum') && { momentum_buffer: 'momentum' }),
      ...(isSet('centered') && { grad_avg: 'mean' }),
    };
    const options = { ...ADAM.options, alpha: 'rho', momentum: 'momentum', centered: 'centered' };
    return { name: 'rmsprop', options, slots };
  }
  if (has('lr_decay') && has('initial_accumulator_value')) {
    if (isSet('lr_decay')) return 'Adagrad with lr_decay is not supported';
    const options = { ...ADAM.options, initial_accumulator_value: 'initialAccumulatorValue' };
    return { name: 'adagrad', options, slots: { sum: 'v' } };
  }
  return 'it is none of Adam, AdamW, SGD, RMSprop and Adagrad';
}

/**
 * Returns the optimizer of a checkpoint.
 * @param dict the optimizer's state dict
 * @param recipes how tensors become parameters; the slots of the optimizer are converted in the same way
 */
export async function optimizerPart(
  dict: Dict,
  file: TorchFile,
  tensors: readonly StateTensor[],
  recipes: readonly Recipe[],
): Promise<OptimizerPart> {
  const refused = (reason: string): OptimizerPart => ({
    record: null,
    defaulted: [],
    dropped: [{ name: 'the optimizer', reason }],
  });
  const [groups, states] = [dict.get('param_groups'), dict.get('state')];
  const [group, ...others] = Array.isArray(groups) ? groups : [];
  if (!(group instanceof Map) || !(states instanceof Map)) return refused('its state dict is not complete');
  if (others.length > 0)
    return refused(
      'it has several parameter groups, and the file does not say which parameters they contain',
    );
  const kind = kindOf(group);
  if (typeof kind === 'string') return refused(kind);
  const stateByName = statesByName(group, states, parametersOf(tensors));
  if (typeof stateByName === 'string') return refused(stateByName);
  const slots: Record<string, Map<string, FloatArray>> = {};
  for (const [key, slot] of Object.entries(kind.slots)) {
    const values = new Map<string, FloatArray>();
    for (const recipe of recipes) {
      if (BUFFERS.test(recipe.from[0])) continue;
      values.set(recipe.parameter, await slotOf(recipe, key, stateByName, file, tensors));
    }
    slots[slot] = values;
  }
  const iterations = await iterationsOf([...stateByName.values()], file);
  const record = { name: kind.name, options: optionsOf(kind, group), iterations, slots };
  return { record, defaulted: [...decayNotes(kind, group), ...biasNotes(recipes)], dropped: [] };
}

/** Returns the tensors that training changes, but only the first of tensors that share their memory. */
function parametersOf(tensors: readonly StateTensor[]): StateTensor[] {
  const seen = new Set<string>();
  return tensors.filter(({ name, identity }) => {
    if (BUFFERS.test(name) || seen.has(identity)) return false;
    seen.add(identity);
    return true;
  });
}

/**
 * Returns the state of each parameter by its name or, if the states cannot be assigned to the parameters, the reason as a
 * string.
 */
function statesByName(
  group: Dict,
  states: Dict,
  parameters: readonly StateTensor[],
): Map<string, Dict> | string {
  const ids = group.get('params');
  if (!Array.isArray(ids) || ids.length !== parameters.length)
    return `it has ${Array.isArray(ids) ? ids.length : 0} parameters, the state dict has ${parameters.length}`;
  const byName = new Map<string, Dict>();
  for (const [i, { name, shape }] of parameters.entries()) {
    const state = states.get(ids[i]);
    if (!(state instanceof Map)) continue;
    const other = [...state.values()].find(
      (value) => value instanceof PyTensor && value.shape.length > 0 && value.shape.join() !== shape.join(),
    );
    if (other instanceof PyTensor && shape.length > 0)
      return `its parameters are not in the order of the state dict: the state of ${name} has another shape`;
    byName.set(name, state);
  }
  return byName;
}

/** Returns a slot of a parameter. It is 0 for tensors without a state. @param key PyTorch's name of the slot */
async function slotOf(
  { from, convert, isSum }: Recipe,
  key: string,
  states: ReadonlyMap<string, Dict>,
  file: TorchFile,
  tensors: readonly StateTensor[],
): Promise<FloatArray> {
  const read = async (name: string): Promise<FloatArray | null> => {
    const value = states.get(name)?.get(key);
    return value instanceof PyTensor ? file.values(value) : null;
  };
  const zeros = (name: string): FloatArray =>
    new Float32Array(
      tensors
        .find((tensor) => tensor.name === name)
        ?.shape.reduce((product, extent) => product * extent, 1) ?? 0,
    );
  if (isSum) {
    for (const name of from) {
      const values = await read(name);
      if (values) return values;
    }
    return zeros(from[0]);
  }
  return convert(await Promise.all(from.map(async (name) => (await read(name)) ?? zeros(name))));
}

/** Returns the number of updates. SGD does not store it: with momentum, the result is 1 after any updates, otherwise 0. */
async function iterationsOf(states: readonly Dict[], file: TorchFile): Promise<number> {
  let iterations = states.some((state) => [...state.values()].some((value) => value instanceof PyTensor))
    ? 1
    : 0;
  for (const state of states) {
    const step = state.get('step');
    const value = step instanceof PyTensor && step.length === 1 ? (await file.values(step))[0] : step;
    if (typeof value === 'number' && Number.isSafeInteger(value)) iterations = Math.max(iterations, value);
  }
  return iterations;
}

/** Before PyTorch 2.7, Adam and AdamW have the same options. They differ only with weight decay. */
function decayNotes({ name }: Kind, group: Dict): OptimizerPart['defaulted'] {
  if (name !== 'adam' || group.has('decoupled_weight_decay') || !group.get('weight_decay')) return [];
  return [
    { name: 'the optimizer', value: 'adam', reason: 'the file does not say whether it is Adam or AdamW' },
  ];
}

function optionsOf({ options }: Kind, group: Dict): Record<string, unknown> {
  const out: Record<string, unknown> = { convention: 'pytorch' };
  for (const [key, name] of Object.entries(options)) {
    const value = group.get(key);
    if (typeof value === 'number' || typeof value === 'boolean') out[name] = value;
  }
  const betas = group.get('betas');
  if (Array.isArray(betas) && betas.every((beta) => typeof beta === 'number')) [out.beta1, out.beta2] = betas;
  return out;
}

function biasNotes(recipes: readonly Recipe[]): OptimizerPart['defaulted'] {
  const sums = recipes.filter(({ isSum }) => isSum).map(({ parameter }) => parameter);
  if (sums.length === 0) return [];
  const reason =
    'PyTorch updates two biases and uses their sum; Unroll updates one bias, which changes half as fast';
  return [{ name: 'training', value: `one bias in ${sums.join(', ')}`, reason }];
}
