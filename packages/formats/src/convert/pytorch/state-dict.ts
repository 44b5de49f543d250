/** Finds the state dict in a saved object, which may be a checkpoint that also contains an optimizer. */
import { type FloatArray, type Shape, UnrollError } from '@unroll/core';
import type { TorchFile } from './file.js';
import { keyText, PyTensor, type PyValue } from './pickle-names.js';

/** A tensor of a state dict. */
export interface StateTensor {
  name: string;
  shape: Shape;
  /** Type of the elements, such as `float32`. */
  dtype: string;
  /** Equal for tensors that have the same memory, shape and strides, such as tied weights. */
  identity: string;
  values(): Promise<FloatArray>;
}

export interface StateDict {
  tensors: StateTensor[];
  /** True if the tensors are in the order of the model's definition. */
  ordered: boolean;
  /** Keys of the checkpoint that are not read, such as the epoch or a second state dict: name and reason. */
  dropped: { name: string; reason: string }[];
  /** The optimizer's state dict, if there is one. */
  optimizer: Map<PyValue, PyValue> | null;
}

/** Keys under which checkpoints store the state dict, the most usual first. */
const KEYS = [
  'state_dict',
  'model_state_dict',
  'model',
  'model_state',
  'net',
  'network',
  'module',
  'weights',
  'params',
];
const OPTIMIZER_KEYS = ['optimizer', 'optimizer_state_dict', 'optim', 'optimizer_states'];
/** Prefixes that DataParallel and torch.compile put before each name. */
const PREFIXES = ['module.', '_orig_mod.'];

/** Returns the state dict of a file. @throws UnrollError `value` if there is none, or several under unknown keys */
export function findStateDict(file: TorchFile, name: string): StateDict {
  const { value } = file;
  if (isStateDict(value))
    return { tensors: tensorsOf(file, value), ordered: true, dropped: [], optimizer: null };
  if (!(value instanceof Map)) throw noStateDict(name, value);
  const found = [...value].filter(([, part]) => isStateDict(part));
  const priority = (key: PyValue): number => {
    const at = KEYS.indexOf(keyText(key));
    return at < 0 ? KEYS.length : at;
  };
  const [best] = found.sort(([a], [b]) => priority(a) - priority(b));
  if (!best || (priority(best[0]) === KEYS.length && found.length > 1)) throw noStateDict(name, value);
  const optimizerKey = OPTIMIZER_KEYS.find((key) => value.has(key));
  const optimizer = optimizerKey === undefined ? null : optimizerOf(value.get(optimizerKey));
  const read = `only the weights in "${keyText(best[0])}"${optimizer ? ' and the optimizer' : ''} are read`;
  const dropped = [...value.keys()]
    .filter((key) => key !== best[0] && (key !== optimizerKey || optimizer === null))
    .map((key) => ({ name: keyText(key), reason: read }));
  return { tensors: tensorsOf(file, best[1] as Map<PyValue, PyValue>), ordered: true, dropped, optimizer };
}

const isStateDict = (value: PyValue | undefined): value is Map<PyValue, PyValue> =>
  value instanceof Map &&
  [...value].some(([, part]) => part instanceof PyTensor) &&
  [...value.keys()].every((key) => typeof key === 'string') &&
  [...value].every(([key, part]) => part instanceof PyTensor || keyText(key).endsWith('_extra_state'));

/** Returns an optimizer's state dict; null for anything else. Lightning stores a list of optimizers. */
function optimizerOf(value: PyValue | undefined): Map<PyValue, PyValue> | null {
  const single = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return single instanceof Map && single.has('state') && single.has('param_groups') ? single : null;
}

function noStateDict(name: string, value: PyValue): UnrollError {
  const keys =
    value instanceof Map ? `It has the keys ${[...value.keys()].slice(0, 8).map(keyText).join(', ')}. ` : '';
  return new UnrollError(
    'value',
    `${name} has no state dict that can be identified. ${keys}Save one: torch.save(model.state_dict(), 'weights.pt').`,
  );
}

function tensorsOf(file: TorchFile, dict: Map<PyValue, PyValue>): StateTensor[] {
  const pairs = [...dict].filter((pair): pair is [string, PyTensor] => pair[1] instanceof PyTensor);
  const strip = prefixOf(pairs.map(([key]) => key));
  return pairs.map(([key, tensor]) => ({
    name: key.slice(strip.length),
    shape: tensor.shape,
    dtype: tensor.type.name,
    identity: [tensor.storage.key, tensor.offset, ...tensor.shape, ...tensor.strides].join(),
    values: () => file.values(tensor),
  }));
}

/** Returns the wrapper prefixes with which all names begin, joined; '' if there are none. */
export function prefixOf(names: readonly string[]): string {
  let prefix = '';
  for (;;) {
    const next = PREFIXES.find((wrapper) => names.every((name) => name.startsWith(prefix + wrapper)));
    if (next === undefined) return prefix;
    prefix += next;
  }
}
