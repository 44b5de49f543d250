/**
 * A minimal cell with a constant: dot-product attention over a memory, written with tensor ops.
 *
 *   q = x W + h U                      query [B, D]
 *   k_s = m_s K                        keys [B, S, D], computed once for all steps
 *   a = softmax_s(q · k_s)             over the valid steps of the memory
 *   y = Σ_s a_s m_s                    [B, D]
 *   h ← (h + y) / 2
 */
import {
  add,
  matmul,
  mul,
  type Parameter,
  reshape,
  type Shape,
  softmax,
  sub,
  sum,
  type Tensor,
} from '@unroll/core';
import type { Cell, CellConstants, ParameterMaker, StepContext, StepResult } from '@unroll/nn';

export type AttentionState = { h: Tensor };
type Keys = { keys: Tensor };

export class AttentionCell implements Cell<AttentionState, 'memory', Keys> {
  static readonly className = 'AttentionCell';
  readonly className = AttentionCell.className;
  readonly units: number;
  readonly stateSizes: { h: number };
  readonly config: { units: number };
  readonly constants = ['memory'] as const;
  /** Number of calls of `prepare`. */
  prepareCalls = 0;
  /** Shape of the memory that was passed to `build`. */
  memoryShape: Shape | null = null;
  #W!: Parameter;
  #U!: Parameter;
  #K!: Parameter;

  constructor(config: { units: number }) {
    this.config = config;
    this.units = config.units;
    this.stateSizes = { h: config.units };
  }

  build(inputSize: number, make: ParameterMaker, { memory }: Record<'memory', Shape>): void {
    this.memoryShape = memory;
    const D = memory[2];
    this.#W = make('kernel', [inputSize, D], 'glorotUniform');
    this.#U = make('recurrent_kernel', [this.units, D], 'glorotUniform');
    this.#K = make('memory_kernel', [D, D], 'glorotUniform');
  }

  prepare({ memory }: CellConstants<'memory'>): Keys {
    this.prepareCalls++;
    const [B, S, D] = memory.value.shape;
    return { keys: reshape(matmul(reshape(memory.value, [B * S, D]), this.#K), [B, S, D]) };
  }

  step(
    x: Tensor,
    { h }: AttentionState,
    { constants: { memory }, prepared: { keys }, recurrentDropoutMask }: StepContext<'memory', Keys>,
  ): StepResult<AttentionState> {
    const [B, S, D] = keys.shape;
    const droppedH = recurrentDropoutMask ? mul(h, recurrentDropoutMask) : h;
    const q = reshape(add(matmul(x, this.#W), matmul(droppedH, this.#U)), [B, 1, D]);
    const scores = sum(mul(keys, q), 2); // [B, S]
    const a = softmax(memory.mask ? add(scores, mul(sub(memory.mask, 1), 1e9)) : scores);
    const y = sum(mul(memory.value, reshape(a, [B, S, 1])), 1);
    return { y, state: { h: mul(add(h, y), 0.5) } };
  }

  clone(): AttentionCell {
    return new AttentionCell(this.config);
  }
}
