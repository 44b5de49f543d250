/**
 * Translates activations, initialisers, regularisers and constraints between Keras (`hard_sigmoid`, `GlorotUniform`) and
 * Unroll (`hardSigmoid`, `glorotUniform`).
 */
import { valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import { classNameOf, configError, isObject } from './json.js';

export const toCamel = (name: string): string =>
  name.replace(/_+([a-z0-9])/g, (_, c: string) => c.toUpperCase());
export const toSnake = (name: string): string => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
const lowerFirst = (name: string): string => name.charAt(0).toLowerCase() + name.slice(1);
const upperFirst = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

/** The activations of Keras that Unroll has, by Keras's name. */
export const ACTIVATIONS: Readonly<Record<string, string>> = Object.fromEntries(
  [
    ...[
      'celu',
      'elu',
      'exponential',
      'gelu',
      'glu',
      'hard_shrink',
      'hard_sigmoid',
      'hard_silu',
      'hard_swish',
    ],
    ...['hard_tanh', 'leaky_relu', 'linear', 'log_sigmoid', 'log_softmax', 'mish', 'relu', 'relu6', 'selu'],
    ...['sigmoid', 'silu', 'soft_shrink', 'softmax', 'softplus', 'softsign', 'sparse_plus', 'sparse_sigmoid'],
    ...['sparsemax', 'squareplus', 'swish', 'tanh', 'tanh_shrink'],
  ].map((name) => [name, toCamel(name)]),
);

/** Returns Keras's name of an activation, which a file gives as a name or as a serialised function, class or layer. */
export function activationName(value: Json | undefined, where: string): string {
  if (value === null || value === undefined) return 'linear';
  if (typeof value === 'string') return value;
  if (isObject(value)) {
    const { config, registered_name } = value;
    if (typeof config === 'string') return config;
    if (typeof registered_name === 'string') return registered_name;
    // A layer used as an activation.
    const className = classNameOf(value);
    if (className) return className;
  }
  throw configError(`The activation of ${where}`, 'a name', value);
}

/** Returns an activation in Unroll's spelling. @throws UnrollError `value` for an activation that Unroll does not have */
export function activationFrom(value: Json | undefined, where: string): string {
  const name = activationName(value, where);
  // TensorFlow.js writes some names in camelCase.
  const known = ACTIVATIONS[name] ?? (Object.values(ACTIVATIONS).includes(name) ? name : undefined);
  if (known) return known;
  throw valueError(
    `${where} has the activation "${name}", which Unroll does not have. Unroll has ${Object.keys(ACTIVATIONS).join(', ')}.`,
    { activation: name },
  );
}

/** Returns an activation in Keras's spelling. @throws UnrollError `value` for an activation that Keras does not have */
export function activationTo(name: unknown, where: string): string {
  const found = Object.entries(ACTIVATIONS).find(([, unrollName]) => unrollName === name);
  if (found) return found[0];
  throw valueError(`${where} has the activation "${String(name)}", which Keras does not have.`, { name });
}

/** An initialiser, regulariser or constraint: its class and its options. */
interface NamedConfig {
  className: string;
  config: JsonObject;
}

/** Returns the class name and the options of a serialised object. A name alone has no options. Null if there is no value. */
function namedIn(value: Json | undefined, what: string): NamedConfig | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return { className: value, config: {} };
  const className = classNameOf(value);
  if (!className || !isObject(value)) throw configError(what, 'a name or an object', value);
  return { className, config: isObject(value.config) ? value.config : {} };
}

/** Returns the options that are not null, in camelCase. @param convert converters of values, by Keras's name of the option */
function camelOptions(
  config: JsonObject,
  convert: Readonly<Record<string, (value: Json) => Json>> = {},
): JsonObject {
  return Object.fromEntries(
    Object.entries(config)
      .filter(([, value]) => value !== null)
      .map(([key, value]) => [toCamel(key), Object.hasOwn(convert, key) ? convert[key](value) : value]),
  );
}

/** The initialisers that Keras also has, by Unroll's name, with their options. */
const INITIALIZERS: Readonly<Record<string, readonly string[]>> = {
  zeros: [],
  ones: [],
  constant: ['value'],
  randomUniform: ['minval', 'maxval', 'seed'],
  randomNormal: ['mean', 'stddev', 'seed'],
  truncatedNormal: ['mean', 'stddev', 'seed'],
  varianceScaling: ['scale', 'mode', 'distribution', 'seed'],
  glorotUniform: ['seed'],
  glorotNormal: ['seed'],
  heUniform: ['seed'],
  heNormal: ['seed'],
  lecunUniform: ['seed'],
  lecunNormal: ['seed'],
  orthogonal: ['gain', 'seed'],
  identity: ['gain'],
};

/**
 * Returns an initialiser in Unroll's form; null if Unroll does not have it. (The weights are read from the file, so the
 * outputs do not depend on the initialiser.)
 */
export function initializerFrom(value: Json | undefined, what: string): NamedConfig | null {
  const named = namedIn(value, what);
  if (!named) return null;
  const name = lowerFirst(toCamel(named.className)).replace(/^leCun/, 'lecun');
  const options = Object.hasOwn(INITIALIZERS, name) ? INITIALIZERS[name] : null;
  if (!options) return null;
  const config = camelOptions(named.config, {
    mode: (mode) => (typeof mode === 'string' ? toCamel(mode) : mode),
    distribution: (kind) =>
      kind === 'normal' ? 'truncatedNormal' : typeof kind === 'string' ? toCamel(kind) : kind,
  });
  if (typeof config.seed !== 'number') delete config.seed;
  const known = Object.fromEntries(Object.entries(config).filter(([key]) => options.includes(key)));
  return { className: name, config: known };
}

const REGULARIZERS: Readonly<Record<string, string>> = {
  L1: 'l1',
  L2: 'l2',
  L1L2: 'l1l2',
  OrthogonalRegularizer: 'orthogonalRegularizer',
};
const REGULARIZER_ALIASES: Readonly<Record<string, string>> = {
  l1: 'L1',
  l2: 'L2',
  l1_l2: 'L1L2',
  l1l2: 'L1L2',
};

/** Returns a regulariser; null if there is none. @throws UnrollError `value` for a regulariser that Unroll does not have */
export function regularizerFrom(value: Json | undefined, what: string): NamedConfig | null {
  return namedFrom(value, what, REGULARIZERS, REGULARIZER_ALIASES);
}

const CONSTRAINTS: Readonly<Record<string, string>> = {
  MaxNorm: 'maxNorm',
  NonNeg: 'nonNeg',
  UnitNorm: 'unitNorm',
  MinMaxNorm: 'minMaxNorm',
};
const CONSTRAINT_ALIASES: Readonly<Record<string, string>> = {
  max_norm: 'MaxNorm',
  non_neg: 'NonNeg',
  unit_norm: 'UnitNorm',
  min_max_norm: 'MinMaxNorm',
};

/** Returns a constraint; null if there is none. @throws UnrollError `value` for a constraint that Unroll does not have */
export function constraintFrom(value: Json | undefined, what: string): NamedConfig | null {
  return namedFrom(value, what, CONSTRAINTS, CONSTRAINT_ALIASES);
}

function namedFrom(
  value: Json | undefined,
  what: string,
  table: Readonly<Record<string, string>>,
  aliases: Readonly<Record<string, string>>,
): NamedConfig | null {
  const named = namedIn(value, what);
  if (!named) return null;
  const name = Object.hasOwn(aliases, named.className) ? aliases[named.className] : named.className;
  if (!Object.hasOwn(table, name)) {
    const known = Object.keys(table).join(', ');
    throw valueError(`${what} is ${named.className}, which Unroll does not have. Unroll has ${known}.`, {
      name,
    });
  }
  return { className: table[name], config: camelOptions(named.config) };
}

/** Returns an object in the serialised form of Keras 3: `{ module, class_name, config, registered_name }`. */
export function serialised(module: string, className: string, config: JsonObject): JsonObject {
  return { module, class_name: className, config, registered_name: null };
}

/** An initialiser, regulariser or constraint of a layer's options: a name, or a name with options. */
type Spec = string | { className: string; config: Readonly<Record<string, unknown>> } | null | undefined;

function specTo(
  module: string,
  className: string,
  spec: Spec,
  convert: (key: string, value: unknown) => Json,
) {
  const options = typeof spec === 'object' && spec !== null ? spec.config : {};
  const config = Object.entries(options).map(([key, value]) => [toSnake(key), convert(key, value)]);
  return serialised(`keras.${module}`, className, Object.fromEntries(config));
}

const nameOf = (spec: Spec): string | null =>
  typeof spec === 'string' ? spec : typeof spec === 'object' && spec !== null ? spec.className : null;

/** Returns an initialiser in Keras's form. @param fallback Keras's class to use if Keras does not have the initialiser */
export function initializerTo(spec: Spec, fallback: string): JsonObject {
  const name = nameOf(spec);
  if (name === null || !Object.hasOwn(INITIALIZERS, name))
    return serialised('keras.initializers', fallback, {});
  return specTo('initializers', upperFirst(name), spec, (key, value) =>
    key === 'mode' || key === 'distribution' ? toSnake(String(value)) : (value as Json),
  );
}

export function regularizerTo(spec: Spec): JsonObject | null {
  return specToOrNull('regularizers', REGULARIZERS, spec);
}

export function constraintTo(spec: Spec): JsonObject | null {
  return specToOrNull('constraints', CONSTRAINTS, spec);
}

function specToOrNull(
  module: string,
  table: Readonly<Record<string, string>>,
  spec: Spec,
): JsonObject | null {
  const name = nameOf(spec);
  const found = Object.entries(table).find(([, unrollName]) => unrollName === name);
  return found ? specTo(module, found[0], spec, (_, value) => value as Json) : null;
}
