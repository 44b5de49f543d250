/** Losses and optimizers by name, as `compile` takes them. */
import { valueError } from '@unroll/core';
import { adam, type Loss, mse, type Optimizer } from '@unroll/train';

const losses = { mse, meanSquaredError: mse } satisfies Record<string, () => Loss>;
const optimizers = { adam } satisfies Record<string, () => Optimizer>;

export type LossName = keyof typeof losses;
export type OptimizerName = keyof typeof optimizers;

/** A loss by its name, or the loss itself. */
export function resolveLoss(loss: LossName | Loss): Loss {
  return typeof loss === 'string' ? byName('loss', losses, loss)() : loss;
}

/** An optimizer by its name with default options, or the optimizer itself. */
export function resolveOptimizer(optimizer: OptimizerName | Optimizer): Optimizer {
  return typeof optimizer === 'string' ? byName('optimizer', optimizers, optimizer)() : optimizer;
}

function byName<T>(kind: string, table: Readonly<Record<string, T>>, name: string): T {
  if (Object.hasOwn(table, name)) return table[name]!;
  throw valueError(`There is no ${kind} "${name}". Choose one of ${Object.keys(table).join(', ')}.`, {
    name,
  });
}
