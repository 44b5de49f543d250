/** Weights in and out: one array per parameter, in Keras's order and layout. */
import { formatShape, type Parameter, type Shape, shapeError, UnrollError } from '@unroll/core';

/** Initial or trained weights of one parameter. */
export interface WeightArray {
  name: string;
  shape: Shape;
  values: Float32Array | Float64Array;
}

/** Where a model that is being loaded gets its weights, instead of from initialisers. */
export interface WeightSource {
  /** The values of the parameter of that name, row-major. Throws where it has none of this shape. */
  values(name: string, shape: Shape): ArrayLike<number>;
}

export function getWeights(parameters: readonly Parameter[]): WeightArray[] {
  return parameters.map((p) => ({ name: p.name, shape: p.shape, values: p.dataSync() }));
}

export interface WeightOwner {
  readonly label: string;
  readonly built: boolean;
  readonly parameters: readonly Parameter[];
}

/** Sets all weights, or none where one does not fit. */
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
    checkWeight(own[i]!, weight);
  });
  weights.forEach((weight, i) => {
    own[i]!.assign(weight.values);
  });
}

function checkWeight({ name, shape }: Parameter, weight: { shape: Shape; values: ArrayLike<number> }): void {
  if (formatShape(weight.shape) !== formatShape(shape)) {
    throw shapeError(`Weight ${name} has shape ${formatShape(shape)}, got ${formatShape(weight.shape)}.`, {
      ...{ name, expected: shape, got: weight.shape },
    });
  }
  for (let i = 0; i < weight.values.length; i++) {
    if (Number.isFinite(weight.values[i]!)) continue;
    throw new UnrollError(
      'nan',
      `Weight ${name} has the value ${weight.values[i]} at position ${i} of ${weight.values.length}. ` +
        'A model that has diverged cannot be used: take the weights from before, or train again with clipped gradients.',
      { name, position: i, value: weight.values[i] },
    );
  }
}
