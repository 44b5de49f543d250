/**
 * Options as users write them: a name that does not exist is refused with the nearest one that does, and a value of the
 * wrong kind with what was given. For users of JavaScript and of spread objects: the compiler sees the rest.
 */
import { type UnrollError, valueError } from './errors.js';
import { nearest, plain } from './nearest.js';
import { shown } from './shown.js';

/** What a value must be, in words, and whether it is. */
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

/** What an option takes: a kind of value, one of some strings, or (true) what is checked elsewhere. */
type Kind = keyof typeof KINDS | readonly string[] | true;

/** Every option of O. One that is left out does not compile. */
export type Known<O> = Readonly<Record<keyof O, Kind>>;

/** What Keras, PyTorch and others call options that have another name here; all without case and punctuation. */
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

const AT_COMPILE = 'Give it to compile().';
const AT_FIT = 'Give it to fit().';
const FASTEST = 'It is not needed here: the fastest way to compute is always taken.';
const SHAPES =
  'It is not needed here: shapes come with the data, or from input({ shape }) as the first layer.';
const LAYOUT = 'It is not needed here: tensors are always [batch, time, features].';
const THREADS = 'It is not needed here: work is spread over all cores. setThreads() limits it.';

/** What to do about options that belong elsewhere, or that nobody needs here. */
const HINTS: Readonly<Record<string, string>> = {
  unroll: FASTEST,
  implementation: FASTEST,
  usecudnn: FASTEST,
  jitcompile: FASTEST,
  runeagerly: FASTEST,
  stepsperexecution: FASTEST,
  dtype: 'It is not needed here: numbers are float32.',
  inputshape: SHAPES,
  batchinputshape: SHAPES,
  inputsize: SHAPES,
  inputdim: SHAPES,
  infeatures: SHAPES,
  batchshape: 'Give the shape without the batch: input({ shape: [null, 8], batchSize: 32 }).',
  inputlength: SHAPES,
  initialstate: 'Give it where the layer is applied: lstm({ units: 8 }).apply(x, { initialState: [h, c] }).',
  numlayers: 'Put several recurrent layers into the model, all but the last with returnSequences: true.',
  bidirectional: 'Put it around the layer: bidirectional(lstm({ units: 8 })).',
  paddingidx: 'With maskZero: true, id 0 is padding.',
  initialepoch: 'It is not needed here: fit() continues where the last call ended.',
  validationfreq: 'It is not needed here: validation runs after every epoch.',
  validationbatchsize: 'It is not needed here: batchSize is also that of validation.',
  timemajor: LAYOUT,
  batchfirst: LAYOUT,
  workers: THREADS,
  usemultiprocessing: THREADS,
  verbose: 'It is not needed here: only fit() prints progress.',
  useema: 'Give average: { momentum } to compile().',
  emamomentum: 'Give average: { momentum } to compile().',
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
  learningrate: "Give it to the optimizer: { name: 'adam', learningRate: 0.001 }.",
};

/**
 * Checks names and kinds of options. Undefined values are options left out.
 * @param owner what takes them, as users call it: `lstm`, `fit`
 * @param known every option there is, with what it takes
 * @throws UnrollError `value` naming the owner, what is wrong with the option and what to write
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

/** The error for an option that does not exist: with the right name, with where it belongs, or with all there are. */
export function unknownOption(owner: string, option: string, names: readonly string[]): UnrollError {
  const key = plain(option);
  const renamed = Object.hasOwn(RENAMED, key) ? RENAMED[key] : option;
  const right = names.find((name) => plain(name) === plain(renamed));
  const hint = Object.hasOwn(HINTS, plain(renamed)) ? HINTS[plain(renamed)] : undefined;
  const meant = right ?? (hint === undefined ? nearest(option, names) : undefined);
  const all = names.length === 0 ? 'It takes none.' : `The options are ${names.join(', ')}.`;
  const help = meant === undefined ? (hint ?? all) : `Did you mean "${meant}"?`;
  return valueError(`${owner}: there is no option "${option}". ${help}`, { owner, option, meant });
}

/** What Keras calls losses, optimizers, metrics and initialisers that have another name here. */
const RENAMED_NAMES: Readonly<Record<string, string>> = {
  meansquarederror: 'mse',
  meanabsoluteerror: 'mae',
  rootmeansquarederror: 'rmse',
  crossentropy: 'categoricalCrossentropy',
  bce: 'binaryCrossentropy',
  acc: 'accuracy',
  r2score: 'r2',
};

/** What to write instead of a name that does not exist: the list of them, and the nearest if one is near. */
export function nameHint(name: unknown, names: readonly string[]): string {
  const all = `Choose one of ${names.join(', ')}.`;
  if (typeof name !== 'string') return all;
  const renamed = Object.hasOwn(RENAMED_NAMES, plain(name)) ? RENAMED_NAMES[plain(name)] : name;
  const near = names.includes(renamed) ? renamed : nearest(name, names);
  return near === undefined ? all : `${all} Did you mean "${near}"?`;
}
