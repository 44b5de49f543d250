/**
 * Checks option objects at run time: the errors suggest the nearest option for an unknown name, and show a value of
 * the wrong type. The TypeScript compiler does not find such mistakes in JavaScript programs or object spread.
 */
import { type UnrollError, valueError } from './errors.js';
import { formatValue } from './format-value.js';
import { nearest, normalizeName } from './nearest.js';

/** The types of options, each with its description in messages and its check. */
const TYPES = {
  count: ['a positive integer', (value) => Number.isInteger(value) && (value as number) >= 1],
  integer: ['an integer', (value) => Number.isInteger(value)],
  nonNegativeInteger: [
    'a non-negative integer',
    (value) => Number.isInteger(value) && (value as number) >= 0,
  ],
  number: ['a number', (value) => typeof value === 'number' && !Number.isNaN(value)],
  fraction: ['in [0, 1)', (value) => typeof value === 'number' && value >= 0 && value < 1],
  boolean: ['true or false', (value) => typeof value === 'boolean'],
  string: ['a string', (value) => typeof value === 'string'],
  array: ['an array', (value) => Array.isArray(value)],
  arrayOrObject: ['an array or an object', (value) => typeof value === 'object' && value !== null],
  function: ['a function', (value) => typeof value === 'function'],
} satisfies Record<string, readonly [description: string, accepts: (value: unknown) => boolean]>;

/** The type of an option: a key of TYPES, a list of allowed strings, or true (the option is checked elsewhere). */
type OptionType = keyof typeof TYPES | readonly string[] | true;

/** The type of each option of O. An object that omits an option does not compile. */
export type OptionTypes<O> = Readonly<Record<keyof O, OptionType>>;

/** Option names in Keras, PyTorch and other libraries (lower case, without punctuation), and their names in Unroll. */
const OPTION_ALIASES: Readonly<Record<string, string>> = {
  lr: 'learningRate',
  minlr: 'minLearningRate',
  eps: 'epsilon',
  sampleweight: 'sampleWeights',
  classweight: 'classWeights',
  iterations: 'epochs',
  hiddensize: 'units',
  projsize: 'projection',
  outfeatures: 'units',
  outchannels: 'filters',
  dilation: 'dilationRate',
  bias: 'useBias',
  p: 'rate',
  numembeddings: 'inputDim',
  embeddingdim: 'outputDim',
  wdrop: 'weightDrop',
  weightdropout: 'weightDrop',
  dropoute: 'embeddingDropout',
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

/** Hints for options of other libraries that belong elsewhere in Unroll, or are not needed. */
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
  inchannels: SHAPES,
  batchshape: 'Pass the shape without the batch: input({ shape: [null, 8], batchSize: 32 }).',
  inputlength: SHAPES,
  initialstate: 'Pass it when the layer is applied: lstm({ units: 8 }).apply(x, { initialState: [h, c] }).',
  numlayers: 'Add several recurrent layers to the model, all but the last with returnSequences: true.',
  bidirectional: 'Wrap the layer: bidirectional(lstm({ units: 8 })).',
  paddingidx: 'With maskZero: true, id 0 is padding.',
  initialepoch: 'It is not needed: fit() continues after the last epoch of the previous call.',
  validationfreq: 'It is not needed: validation runs after every epoch.',
  validationbatchsize: 'It is not needed: validation also uses batchSize.',
  timemajor: LAYOUT,
  batchfirst: LAYOUT,
  dataformat: LAYOUT,
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
 * Checks the names and types of options. An undefined value counts as omitted.
 * @param owner the name of the function that takes the options, such as `lstm` or `fit`
 * @param types the type of each of its options
 * @throws UnrollError `value` for the first unknown option or wrong value
 */
export function checkOptions<O extends object>(
  owner: string,
  options: O,
  types: OptionTypes<NoInfer<O>>,
): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const names = Object.keys(types);
    throw valueError(
      `${owner} takes an object of options, { ${names.slice(0, 3).join(', ')}${names.length > 3 ? ', ...' : ''} }, ` +
        `got ${formatValue(options)}.`,
      { owner },
    );
  }
  for (const [option, value] of Object.entries(options)) {
    if (!Object.hasOwn(types, option)) throw unknownOption(owner, option, Object.keys(types));
    const type: OptionType = types[option as keyof O];
    if (value === undefined || type === true) continue;
    const [description, accepts] = typeof type === 'string' ? TYPES[type] : choiceOf(type);
    if (accepts(value)) continue;
    const { name } = options as { name?: unknown };
    const where = 'trainable' in types && typeof name === 'string' && name ? ` (layer "${name}")` : '';
    throw valueError(`${owner}: ${option} must be ${description}, got ${formatValue(value)}${where}.`, {
      owner,
      [option]: value,
    });
  }
}

/** Returns the description and the check of an option that takes one of several strings. */
function choiceOf(choices: readonly string[]): readonly [string, (value: unknown) => boolean] {
  const quoted = choices.map((choice) => `"${choice}"`);
  const description = [quoted.slice(0, -1).join(', '), quoted.at(-1)].filter(Boolean).join(' or ');
  return [description, (value) => choices.includes(value as string)];
}

/** Returns the error for an unknown option: it suggests a name, says where to pass the option, or lists all options. */
export function unknownOption(owner: string, option: string, names: readonly string[]): UnrollError {
  const key = normalizeName(option);
  const renamed = Object.hasOwn(OPTION_ALIASES, key) ? OPTION_ALIASES[key] : option;
  const sameName = names.find((name) => normalizeName(name) === normalizeName(renamed));
  const hint = Object.hasOwn(HINTS, normalizeName(renamed)) ? HINTS[normalizeName(renamed)] : undefined;
  const suggestion = sameName ?? (hint === undefined ? nearest(option, names) : undefined);
  const list = names.length === 0 ? 'It has no options.' : `The options are ${names.join(', ')}.`;
  const help = suggestion === undefined ? (hint ?? list) : `Did you mean "${suggestion}"?`;
  return valueError(`${owner}: there is no option "${option}". ${help}`, {
    owner,
    option,
    meant: suggestion,
  });
}

/** Keras names of losses, optimizers, metrics and initialisers (written as in {@link OPTION_ALIASES}), and their names in Unroll. */
const NAME_ALIASES: Readonly<Record<string, string>> = {
  meansquarederror: 'mse',
  meanabsoluteerror: 'mae',
  rootmeansquarederror: 'rmse',
  crossentropy: 'categoricalCrossentropy',
  bce: 'binaryCrossentropy',
  acc: 'accuracy',
  r2score: 'r2',
};

/** Returns a hint for an unknown name: the list of valid names, and the most similar one if it is similar enough. */
export function nameHint(name: unknown, names: readonly string[]): string {
  const list = `Choose one of ${names.join(', ')}.`;
  if (typeof name !== 'string') return list;
  const renamed = Object.hasOwn(NAME_ALIASES, normalizeName(name)) ? NAME_ALIASES[normalizeName(name)] : name;
  const near = names.includes(renamed) ? renamed : nearest(name, names);
  return near === undefined ? list : `${list} Did you mean "${near}"?`;
}
