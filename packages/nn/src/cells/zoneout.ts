/**
 * Zoneout (Krueger et al. 2017): a cell that wraps any cell and lets units of its states randomly keep their previous
 * values. Unlike dropout, this preserves information and gradients over time. If a state is s' before a step of the inner
 * cell and s after the step, and r is its rate:
 *
 *   training    s ← d s + (1 - d) s'     d = 0 with probability r, else 1; drawn for each step, sequence and unit
 *   inference   s ← (1 - r) s + r s'     the expectation
 *
 * If the output of the inner cell is one of its states, such as h, it is zoned out, too.
 */
import {
  add,
  greaterEqual,
  mul,
  type RandomStream,
  type Shape,
  sub,
  type Tensor,
  valueError,
} from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import {
  type Cell,
  type CellConstants,
  type CellMasks,
  type CellState,
  type NamedTensors,
  type ParameterMaker,
  type SequenceContext,
  type SequenceResult,
  type StepContext,
  type StepResult,
  zeroState,
} from './cell.js';
import { checkRate } from './matrix-cell.js';

/** The rate of each state, in [0, 1): `{ h: 0.05, c: 0.5 }`. Default: 0. */
export type ZoneoutRates<S extends CellState = CellState> = Readonly<Partial<Record<keyof S, number>>>;

const NO_MASKS: CellMasks = { inputMask: null, recurrentDropoutMask: null };

export class ZoneoutCell<S extends CellState = CellState> implements Cell<S> {
  static readonly className = 'ZoneoutCell';
  readonly className = ZoneoutCell.className;
  /** The inner cell, as a list. */
  readonly cells: readonly [Cell<S>];
  readonly rates: ZoneoutRates<S>;
  readonly units: number;
  readonly stateSizes: Readonly<Record<keyof S, number>>;
  /** Names of the constants of the inner cell. */
  readonly constants: readonly string[];
  readonly #cell: Cell<S>;
  readonly #isActive: boolean;

  constructor({ cell, rates }: { cell: Cell<S>; rates: ZoneoutRates<S> }) {
    const states = Object.keys(cell.stateSizes);
    for (const [name, rate] of Object.entries<number | undefined>(rates)) {
      if (!states.includes(name)) {
        throw valueError(
          `zoneoutCell: ${cell.className} has no state "${name}". Its states: ${states.join(', ')}.`,
          { name, states },
        );
      }
      checkRate('zoneoutCell', `the rate of ${name}`, rate);
    }
    this.cells = [cell];
    this.rates = { ...rates };
    this.units = cell.units;
    this.stateSizes = cell.stateSizes;
    this.constants = cell.constants ?? [];
    this.#cell = cell;
    this.#isActive = Object.values<number | undefined>(rates).some(Boolean);
  }

  static fromConfig(
    { cell, rates }: Record<string, unknown>,
    build: { cell(config: unknown): Cell },
  ): ZoneoutCell {
    return new ZoneoutCell({ cell: build.cell(cell), rates: rates as ZoneoutRates });
  }

  get config(): Readonly<Record<string, unknown>> {
    const { className, config } = this.#cell;
    return { cell: { className, config }, rates: this.rates };
  }

  build(inputSize: number, make: ParameterMaker, constantShapes: Readonly<Record<string, Shape>>): void {
    this.#cell.build(inputSize, make, constantShapes);
  }

  prepare(constants: CellConstants): NamedTensors {
    return this.#cell.prepare?.(constants) ?? {};
  }

  zeroState(batch: number, constants: CellConstants): S {
    return zeroState(this.#cell, batch, constants) as S;
  }

  step(x: Tensor, state: S, context: StepContext): StepResult<S> {
    const { inputMask, ...masks } = context.inner?.[0] ?? NO_MASKS;
    const { constants, prepared } = context;
    const input = inputMask ? mul(x, inputMask) : x;
    const result = this.#cell.step(input, state, { ...masks, constants, prepared });
    let { y } = result;
    const zoned: CellState = {};
    for (const name in result.state) {
      const [previous, next] = [state[name], result.state[name]];
      zoned[name] = zoneOut(previous, next, this.rates[name] ?? 0, context.random);
      if (result.y === next) y = zoned[name];
    }
    return { ...result, y, state: zoned as S };
  }

  /**
   * Runs `sequence` of the inner cell if all rates are 0 and no dropout applies to the inputs of the inner cell. With a
   * rate above 0, every step depends on the zoned-out states, so fused kernels are not possible.
   */
  sequence(x: Tensor, state: S | null, context: SequenceContext): SequenceResult<S> | null {
    if (this.#isActive) return null;
    const { inner, ...rest } = context;
    const { inputMask, ...masks } = inner?.[0] ?? NO_MASKS;
    if (inputMask) return null;
    return this.#cell.sequence?.(x, state, { ...rest, ...masks }) ?? null;
  }

  clone(): ZoneoutCell<S> {
    const cell = this.#cell.clone?.();
    if (cell) return new ZoneoutCell({ cell: cell as Cell<S>, rates: this.rates });
    throw valueError(
      `zoneoutCell: cannot be cloned, because ${this.#cell.className} has no method clone(). Implement it.`,
    );
  }
}

/** Returns the state after a step: in training, a random mixture of both values; without `random`, its expectation. */
function zoneOut(previous: Tensor, next: Tensor, rate: number, random: RandomStream | undefined): Tensor {
  if (rate === 0) return next;
  const nextWeight = random ? greaterEqual(random.uniformTensor(next.shape), rate) : 1 - rate;
  return add(mul(nextWeight, next), mul(sub(1, nextWeight), previous));
}

/**
 * Creates a cell that zones out the states of another cell, for `recurrent` and `stackedCells`:
 *
 *     recurrent(zoneoutCell(lstmCell({ units: 8 }), { h: 0.05, c: 0.5 }))
 *
 * The weights of the new cell are the weights of the inner cell.
 * @throws UnrollError `value` for a rate of an unknown state, or a rate outside of [0, 1)
 */
export function zoneoutCell<S extends CellState>(cell: Cell<S>, rates: ZoneoutRates<S>): ZoneoutCell<S> {
  if (typeof cell?.step !== 'function') {
    throw valueError(
      `zoneoutCell takes a cell, as in zoneoutCell(lstmCell({ units: 8 }), { h: 0.05 }), got ${formatValue(cell)}.`,
    );
  }
  if (typeof rates !== 'object' || rates === null) {
    throw valueError(
      `zoneoutCell takes the rates of the states, as in { h: 0.05, c: 0.5 }, got ${formatValue(rates)}.`,
    );
  }
  return new ZoneoutCell({ cell, rates });
}
