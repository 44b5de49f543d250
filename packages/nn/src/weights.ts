/** Sets, loads and rounds the weights of a model. There is one array per parameter, in Keras's order and layout. */
import { formatShape, type Parameter, type Shape, shapeError, UnrollError, valueError } from '@unroll/core';
import { fromFloat16Bits, toFloat16Bits, type WeightFormatName } from '@unroll/core/internal';

/** The weights of one parameter. */
export interface WeightArray {
  name: string;
  shape: Shape;
  values: Float32Array | Float64Array;
}

/** Provides the weights of a model that is being loaded, instead of the initialisers. */
export interface WeightSource {
  /** Returns the values of a parameter, row-major. Throws if they are missing or have another shape. */
  values(name: string, shape: Shape): ArrayLike<number>;
  /** Returns the format in which the values of a parameter are stored. Default: float32. */
  formatOf?(name: string): WeightFormatName;
}

export interface WeightOwner {
  readonly label: string;
  readonly built: boolean;
  readonly parameters: readonly Parameter[];
}

/** Sets all weights. If an array does not fit, throws before changing any weight. */
export function setWeights(
  owner: WeightOwner,
  weights: readonly { shape: Shape; values: ArrayLike<number> }[],
): void {
  const { parameters } = owner;
  if (weights.length !== parameters.length) {
    throw shapeError(
      `${owner.label} has ${parameters.length} weight arrays, got ${weights.length}.` +
        (owner.built ? '' : ' It is not built yet: call build([[batch, ...]]) first.'),
      { expected: parameters.length, got: weights.length },
    );
  }
  weights.forEach((weight, i) => {
    checkWeight(parameters[i], weight);
  });
  weights.forEach((weight, i) => {
    parameters[i].assign(weight.values);
  });
}

function checkWeight({ name, shape }: Parameter, weight: { shape: Shape; values: ArrayLike<number> }): void {
  if (formatShape(weight.shape) !== formatShape(shape)) {
    throw shapeError(
      `Weight ${name} must have shape ${formatShape(shape)}, got ${formatShape(weight.shape)}.`,
      {
        ...{ name, expected: shape, got: weight.shape },
      },
    );
  }
  checkFinite(name, weight.values);
}

function checkFinite(name: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isFinite(values[i])) continue;
    throw new UnrollError(
      'nan',
      `Weight ${name} has the value ${values[i]} at index ${i}. ` +
        'A model that has diverged cannot be used. Restore earlier weights, or train again with gradient clipping.',
      { name, position: i, value: values[i] },
    );
  }
}

/**
 * Rounds every weight of a model to the nearest float16 (ties to even), in place. If one weight is outside the range of
 * float16, no weight changes.
 *
 * This speeds up large models that run one sequence at a time: their speed is limited by reading the weights, and native
 * kernels then read 2 bytes per weight instead of 4. The weights also remain in memory as float32, and all computation is
 * in float32. Rounding changes a weight by at most 2^-11 of its value (or by at most 2^-25 if it is below 2^-14). Training
 * can continue; the first update makes the weights float32 again. To save a model with float16 weights, see the option
 * `weights` of `save` and `toArtifact`.
 * @throws UnrollError `value` for a weight beyond ±65504, `nan` for one that is not finite, `state` if the model is
 * not built
 */
export function roundWeights(owner: WeightOwner, to: 'float16'): void {
  if (to !== 'float16') throw valueError(`roundWeights: the format must be "float16", got "${to}".`, { to });
  const { parameters } = owner;
  if (!owner.built) {
    throw new UnrollError('state', `${owner.label} has no weights yet: call build([[batch, ...]]) first.`);
  }
  const rounded = parameters.map((parameter) => {
    const values = parameter.dataSync();
    checkFinite(parameter.name, values);
    return toFloat16Bits(values, parameter.name);
  });
  parameters.forEach((parameter, i) => {
    parameter.assign(Float32Array.from(rounded[i], fromFloat16Bits));
  });
  for (const parameter of parameters) parameter.setWeightFormat('float16');
}
