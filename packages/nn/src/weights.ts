/** Getting and setting weights: one array per parameter, in Keras's order and layout. */
import { formatShape, type Parameter, type Shape, shapeError, UnrollError, valueError } from '@unroll/core';
import { fromFloat16Bits, toFloat16Bits, type WeightFormatName } from '@unroll/core/internal';

/** Initial or trained weights of one parameter. */
export interface WeightArray {
  name: string;
  shape: Shape;
  values: Float32Array | Float64Array;
}

/** The source of the weights of a model that is being loaded; it replaces the initialisers. */
export interface WeightSource {
  /** The values of the parameter of that name, row-major. Throws if there are none of this shape. */
  values(name: string, shape: Shape): ArrayLike<number>;
  /** The format that represents these values exactly. Left out: float32. */
  formatOf?(name: string): WeightFormatName;
}

export interface WeightOwner {
  readonly label: string;
  readonly built: boolean;
  readonly parameters: readonly Parameter[];
}

/** Sets all weights; if one does not fit, none are changed. */
export function setWeights(
  owner: WeightOwner,
  weights: readonly { shape: Shape; values: ArrayLike<number> }[],
): void {
  const own = owner.parameters;
  if (weights.length !== own.length) {
    throw shapeError(
      `${owner.label} has ${own.length} weights, got ${weights.length}.` +
        (owner.built ? '' : ' It is not built yet: call build([[batch, ...]]) first.'),
      { expected: own.length, got: weights.length },
    );
  }
  weights.forEach((weight, i) => {
    checkWeight(own[i], weight);
  });
  weights.forEach((weight, i) => {
    own[i].assign(weight.values);
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
      `Weight ${name} has the value ${values[i]} at position ${i} of ${values.length}. ` +
        'A model that has diverged cannot be used. Restore earlier weights, or train again with gradient clipping.',
      { name, position: i, value: values[i] },
    );
  }
}

/**
 * Rounds every weight of a model to the nearest float16 (ties to even), in place. If one weight does not fit float16, all
 * weights stay as they are.
 *
 * For large models that run one sequence at a time: reading the weights limits their speed, and native kernels read
 * weights that float16 represents exactly as 2 bytes each, with the same results. Sums, states and the weights in memory
 * stay float32. Rounding changes a weight by at most 2^-11 of its value (by at most 2^-25 if it is below 2^-14). Training
 * can continue, in float32; the next update makes the weights float32 values again. To save a model with float16 weights,
 * see the option `weights` of `save` and `toArtifact`.
 * @throws UnrollError `value` for a weight beyond ±65504, `nan` for one that is not finite, `state` if the model is
 * not built
 */
export function roundWeights(owner: WeightOwner, to: 'float16'): void {
  if (to !== 'float16') throw valueError(`Weights must be rounded to "float16", got "${to}".`, { to });
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
