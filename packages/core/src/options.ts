/**
 * Checks options: an unknown name is rejected with the nearest known one, and a value of the wrong type with the
 * value. This helps users of JavaScript and of object spread; the TypeScript compiler finds other mistakes.
 */
import { type UnrollError, valueError } from './errors.js';
import { nearest, plain } from './nearest.js';
import { shown } from './shown.js';

/** The expected type of a value in words, and a check for it. */
const KINDS = {
  count: ['a positive integer', (value) => Number.isInteger(value) && (value as number) >= 1],
  integer: ['an integer', (value) => Number.isInteger(value)],
  whole: ['an integer of 0 or more', (value) => Number.isInteger(value) && (value as number) >= 0],
  number: ['a number', (value) => typeof value === 'number' && !Number.isNaN(value)],
  share: ['in [0, 1)', (value) => typeof value === 'number' && value >= 0 && value < 1],
  flag: ['true or false', (value) => typeof value === 'boolean'],
  text: ['a string', (value) => typeof value === 'string'],
  list: ['an array', (value) => Array.isArray(value)],
  lists: ['an array or an object', (value) => typeof value === 'object' && value !== null],
  function: ['a function', (value) => typeof value === 'function'],
} satisfies Record<string, readonly [words: string, holds: (value: unknown) => boolean]>;

/** The type of an option: a kind of value, one of several strings, or true for options checked elsewhere. */
type Kind = keyof typeof KINDS | readonly string[] | true;

/** The types of all options of O. Omitting one does not compile. */
export type Known<O> = Readonly<Record<keyof O, Kind>>;

/**
 * Names of options in Keras, PyTorch and other libraries that are called differently here; in lower case, without
 * punctuation.
 */
const RENAMED: Readonly<Record<string, string>> = {
  lr: 'learningRate',
  minlr: 'minLearningRate',
  eps: 'epsilon',
  sampleweight: 'sampleWeights',
  classweight: 'classWeights',
  iterations: 'epochs',
  hiddensize: 'units',
  outfeatures: 'units',
  bias: 'useBias',
  p: 'rate',
  numembeddings: 'inputDim',
  embeddingdim: 'outputDim',
  maxlen: 'steps',
  maxlength: 'steps',
  padding: 'side',
  truncating: 'truncate',
  filepath: 'directory',
  savebestonly: 'best',
  updatefreq: 'everyUpdates',
};

const AT_COMPILE = 'Pass it to compile().';
const AT_FIT = 'Pass it to fit().';
const FASTEST = 'It is not needed: the fastest implementation is always used.';
const SHAPES =
  'It is not needed: shapes are taken from the data, or from input({ shape }) as the first layer.';
const LAYOUT = 'It is not needed: tensors are always [batch, time, features].';
const THREADS = 'It is not needed: work is distributed over all cores. setThreads() limits their number.';

/** Advice for options that belong elsewhere, or that are not needed here. */
const HINTS: Readonly<Record<string, string>> = {
  unroll: FASTEST,
  implementation: FASTEST,
  usecudnn: FASTEST,
  jitcompile: FASTEST,
  runeagerly: FASTEST,
  stepsperexecution: FASTEST,
  dtype: 'It is not needed: numbers are float32.',
  inputshape: SHAPES,
  batchinputshape: SHAPES,
  inputsize: SHAPES,
  inputdim: SHAPES,
  infeatures: SHAPES,
  batchshape: 'Pass the shape without the batch: input({ shape: [null, 8], batchSize: 32 }).',
  inputlength: SHAPES,
  initialstate: 'Pass it when the layer is applied: lstm({ units: 8 }).apply(x, { initialState: [h, c] }).',
  numlayers: 'Add several recurrent layers to the model, all but the last with returnSequences: true.',
  bidirectional: 'Wrap the layer: bidirectional(lstm({ units: 8 })).',
  paddingidx: 'With maskZero: true, id 0 is padding.',
  initialepoch: 'It is not needed: fit() continues after the last epoch of the previous call.',
  validationfreq: 'It is not needed: validation runs after every epoch.',
  validationbatchsize: 'It is not needed: validation uses batchSize, too.',
  timemajor: LAYOUT,
  batchfirst: LAYOUT,
  workers: THREADS,
  usemultiprocessing: THREADS,
  verbose: 'It is not needed: only fit() prints progress.',
  useema: 'Pass average: { momentum } to compile().',
  emamomentum: 'Pass average: { momentum } to compile().',
  optimizer: AT_COMPILE,
  loss: AT_COMPILE,
  lossweights: AT_COMPILE,
  metrics: AT_COMPILE,
  weightedmetrics: AT_COMPILE,
  clip: AT_COMPILE,
  average: AT_COMPILE,
  epochs: AT_FIT,
  batchsize: AT_FIT,
  callbacks: AT_FIT,
  shuffle: AT_FIT,
  validationdata: AT_FIT,
  validationsplit: AT_FIT,
  classweights: AT_FIT,
  sampleweights: AT_FIT,
  learningrate: "Pass it to the optimizer: { name: 'adam', learningRate: 0.001 }.",
};

/**
 * Checks names and types of options. Undefined values count as omitted.
 * @param owner the function that takes the options: `lstm`, `fit`
 * @param known the types of all its options
 * @throws UnrollError `value` with the owner, the problem and what to write instead
 */
export function checkOptions<O extends object>(owner: string, options: O, known: Known<NoInfer<O>>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const names = Object.keys(known);
    throw valueError(
      `${owner} takes an object of options, { ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', ...' : ''} }, ` +
        `got ${shown(options)}.`,
      { owner },
    );
  }
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(known, option)) throw unknownOption(owner, option, Object.keys(known));
    const kind: Kind = known[option as keyof O];
    if (value === undefined || kind === true) continue;
    const [words, holds] = typeof kind === 'string' ? KINDS[kind] : choiceOf(kind);
    if (holds(value)) continue;
    const { name } = options as { name?: unknown };
    const where = 'trainable' in known && typeof name === 'string' && name ? ` (layer "${name}")` : '';
    throw valueError(`${owner}: ${option} must be ${words}, got ${shown(value)}${where}.`, {
      owner,
      [option]: value,
    });
  }
}

function choiceOf(choices: readonly string[]): readonly [string, (value: unknown) => boolean] {
  const quoted = choices.map((choice) => `"${choice}"`);
  const words = [quoted.slice(0, -1).join(', '), quoted.at(-1)].filter(Boolean).join(' or ');
  return [words, (value) => choices.includes(value as string)];
}

/** The error for an unknown option, with the right name, the place where it belongs, or the list of options. */
export function unknownOption(owner: string, option: string, names: readonly string[]): UnrollError {
  const key = plain(option);
  const renamed = Object.hasOwn(RENAMED, key) ? RENAMED[key] : option;
  const right = names.find((name) => plain(name) === plain(renamed));
  const hint = Object.hasOwn(HINTS, plain(renamed)) ? HINTS[plain(renamed)] : undefined;
  const meant = right ?? (hint === undefined ? nearest(option, names) : undefined);
  const all = names.length === 0 ? 'It has no options.' : `The options are ${names.join(', ')}.`;
  const help = meant === undefined ? (hint ?? all) : `Did you mean "${meant}"?`;
  return valueError(`${owner}: there is no option "${option}". ${help}`, { owner, option, meant });
}

/** Names of losses, optimizers, metrics and initialisers in Keras that are called differently here. */
const RENAMED_NAMES: Readonly<Record<string, string>> = {
  meansquarederror: 'mse',
  meanabsoluteerror: 'mae',
  rootmeansquarederror: 'rmse',
  crossentropy: 'categoricalCrossentropy',
  bce: 'binaryCrossentropy',
  acc: 'accuracy',
  r2score: 'r2',
};

/** A hint for an unknown name: the list of known names, and the nearest one if it is near enough. */
export function nameHint(name: unknown, names: readonly string[]): string {
  const all = `Choose one of ${names.join(', ')}.`;
  if (typeof name !== 'string') return all;
  const renamed = Object.hasOwn(RENAMED_NAMES, plain(name)) ? RENAMED_NAMES[plain(name)] : name;
  const near = names.includes(renamed) ? renamed : nearest(name, names);
  return near === undefined ? all : `${all} Did you mean "${near}"?`;
}
