/**
 * The RNN, LSTM and GRU cells with everything that the operators of ONNX can express: any activation, with parameters, for
 * each gate and state; a limit on the inputs of activations; peephole weights; and a coupled forget gate. Importers use these
 * cells for models that the other cells do not cover. These cells have no fused kernels.
 *
 *   f, g and h before a parenthesis are activations; elsewhere, f and g are gates and h is the state. clip(x) limits x to
 *   [-clip, clip].
 *
 *   RNN    h ← f(clip(x W + h U + b))
 *
 *   LSTM   i = f(clip(x Wi + h Ui + pi c + bi))
 *          f = f(clip(x Wf + h Uf + pf c + bf)), or 1 - i if `coupled`
 *          g = g(clip(x Wg + h Ug + bg))
 *          c ← f c + i g
 *          o = f(clip(x Wo + h Uo + po c + bo))
 *          h ← o h(c)
 *
 *   GRU    z = f(clip(x Wz + h Uz + bz)),  r = f(clip(x Wr + h Ur + br))
 *          n = g(clip(x Wn + (r h) Un + bn)), or g(clip(x Wn + bn + r (h Un + b'))) with `resetAfter`
 *          h ← z h + (1 - z) n
 *
 * W, U and b have the gates of the LSTM in the order i f g o, and those of the GRU in the order z r n, as in Keras.
 */
import {
  add,
  matmul,
  maximum,
  minimum,
  mul,
  type Parameter,
  reshape,
  slice,
  sub,
  type Tensor,
  valueError,
} from '@unroll/core';
import { checkOptions, nameHint, type OptionTypes } from '@unroll/core/internal';
import { type ElementwiseName, elementwise, OPERANDS, type OperationNumbers } from '../layers/operations.js';
import { Recurrent, type RecurrentOptions } from '../layers/recurrent.js';
import { CELL, recurrentOptions } from '../option-names.js';
import type { CellState, ParameterMaker, StepContext, StepResult } from './cell.js';
import type { GruState } from './gru.js';
import { HoistedCell } from './hoisted.js';
import type { LstmState } from './lstm.js';
import { type CellOptions, cellOwner, recurrentDropout } from './matrix-cell.js';
import type { SimpleRnnState } from './simple-rnn.js';

/** An activation of a general cell: an operation of `tensorOperation` with one operand. */
export interface CellFunction extends OperationNumbers {
  name: ElementwiseName;
}

export interface GeneralCellOptions extends Omit<CellOptions, 'activation'> {
  /** The activations: [f] for an RNN, [f, g, h] for an LSTM, [f, g] for a GRU. Default: the defaults of ONNX. */
  functions?: readonly CellFunction[];
  /** Limits the inputs of the gates and the candidate to [-clip, clip]. Default: no limit. */
  clip?: number;
}

export interface GeneralLstmCellOptions extends GeneralCellOptions {
  /** Use peephole weights p [3, H], in the order i f o. Default false. */
  peephole?: boolean;
  /** The forget gate is 1 - i. Default false. */
  coupled?: boolean;
}

export interface GeneralGruCellOptions extends GeneralCellOptions {
  /** Apply the reset gate to the product h U instead of to h. Default true. */
  resetAfter?: boolean;
}

abstract class GeneralCell<O extends GeneralCellOptions, S extends CellState> extends HoistedCell<O, S> {
  /** The default activations of ONNX. */
  protected abstract readonly defaults: readonly ElementwiseName[];

  constructor(options: O) {
    super(options);
    for (const { name } of options.functions ?? []) {
      if (Object.hasOwn(elementwise, name)) continue;
      const names = Object.keys(elementwise).filter((operation) => !Object.hasOwn(OPERANDS, operation));
      throw valueError(
        `${cellOwner(options, this.className)}: there is no function "${String(name)}". ${nameHint(name, names)}`,
        { name },
      );
    }
  }

  /** Applies an activation to x. @param position its index in `functions` */
  protected apply(position: number, x: Tensor): Tensor {
    const { functions = [] } = this.options;
    const { name, ...numbers } = functions[position] ?? { name: this.defaults[position] };
    return elementwise[name]([x], numbers);
  }

  /** Like `apply`, with x limited to [-clip, clip]. */
  protected activate(position: number, x: Tensor): Tensor {
    const { clip } = this.options;
    return this.apply(position, clip ? minimum(maximum(x, -clip), clip) : x);
  }

  /** Computes the pre-activations of all gates, [B, G*H], from the part x W + b and from h. */
  protected preActivations(inputPart: Tensor, h: Tensor, context: StepContext): Tensor {
    return add(inputPart, matmul(recurrentDropout(h, context), context.droppedWeights ?? this.U));
  }
}

export class GeneralRnnCell extends GeneralCell<GeneralCellOptions, SimpleRnnState> {
  static readonly className = 'GeneralRNNCell';
  readonly stateSizes = { h: this.units } as const;
  protected readonly defaults = ['tanh'] as const;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 1, make);
  }

  protected stepFrom(
    inputPart: Tensor,
    state: SimpleRnnState,
    context: StepContext,
  ): StepResult<SimpleRnnState> {
    const h = this.activate(0, this.preActivations(inputPart, state.h, context));
    return { y: h, state: { h } };
  }
}

export class GeneralLstmCell extends GeneralCell<GeneralLstmCellOptions, LstmState> {
  static readonly className = 'GeneralLSTMCell';
  readonly stateSizes = { h: this.units, c: this.units } as const;
  protected readonly defaults = ['sigmoid', 'tanh', 'tanh'] as const;
  #p: Parameter | null = null;

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 4, make);
    if (this.options.peephole) this.#p = make('peephole', [3, this.units], 'zeros');
  }

  protected stepFrom(inputPart: Tensor, state: LstmState, context: StepContext): StepResult<LstmState> {
    const a = this.preActivations(inputPart, state.h, context);
    const gate = (index: number, row: number, c: Tensor): Tensor => {
      const withoutPeephole = this.gate(a, index);
      if (!this.#p) return withoutPeephole;
      return add(withoutPeephole, mul(reshape(slice(this.#p, 0, row, row + 1), [this.units]), c));
    };
    const i = this.activate(0, gate(0, 0, state.c));
    const f = this.options.coupled ? sub(1, i) : this.activate(0, gate(1, 1, state.c));
    const g = this.activate(1, this.gate(a, 2));
    const c = add(mul(f, state.c), mul(i, g));
    const o = this.activate(0, gate(3, 2, c));
    const h = mul(o, this.apply(2, c));
    return { y: h, state: { h, c }, gates: { i, f, g, o } };
  }
}

export class GeneralGruCell extends GeneralCell<GeneralGruCellOptions, GruState> {
  static readonly className = 'GeneralGRUCell';
  readonly stateSizes = { h: this.units } as const;
  protected readonly defaults = ['sigmoid', 'tanh'] as const;
  /** b' */
  #candidateBias: Parameter | null = null;

  get #resetAfter(): boolean {
    return this.options.resetAfter ?? true;
  }

  build(inputSize: number, make: ParameterMaker): void {
    this.makeMatrices(inputSize, 3, make);
    if (this.#resetAfter && this.options.useBias !== false)
      this.#candidateBias = make('candidate_bias', [this.units], 'zeros');
  }

  protected stepFrom(inputPart: Tensor, state: GruState, context: StepContext): StepResult<GruState> {
    const H = this.units;
    const U = context.droppedWeights ?? this.U;
    const h = recurrentDropout(state.h, context);
    const a = add(slice(inputPart, -1, 0, 2 * H), matmul(h, slice(U, 1, 0, 2 * H)));
    const z = this.activate(0, this.gate(a, 0));
    const r = this.activate(0, this.gate(a, 1));
    const candidateU = this.gate(U, 2);
    const n = this.activate(
      1,
      add(
        this.gate(inputPart, 2),
        this.#resetAfter
          ? mul(r, this.#addCandidateBias(matmul(h, candidateU)))
          : matmul(mul(r, h), candidateU),
      ),
    );
    const next = add(mul(z, state.h), mul(sub(1, z), n));
    return { y: next, state: { h: next }, gates: { z, r, n } };
  }

  #addCandidateBias(product: Tensor): Tensor {
    return this.#candidateBias ? add(product, this.#candidateBias) : product;
  }
}

const generalOptions = (): OptionTypes<GeneralCellOptions> => {
  const { activation: _, ...options } = CELL;
  return { ...options, functions: 'array', clip: 'number' };
};

/** Creates a layer of {@link GeneralRnnCell}, with the inputs and outputs of `simpleRNN`. */
export function generalRnn(options: GeneralCellOptions & RecurrentOptions): Recurrent {
  checkOptions('generalRnn', options, { ...generalOptions(), ...recurrentOptions() });
  return Recurrent.over(GeneralRnnCell, options);
}

/** Creates a layer of {@link GeneralLstmCell}, with the inputs and outputs of `lstm`. */
export function generalLstm(options: GeneralLstmCellOptions & RecurrentOptions): Recurrent {
  checkOptions('generalLstm', options, {
    ...generalOptions(),
    peephole: 'boolean',
    coupled: 'boolean',
    ...recurrentOptions(),
  });
  return Recurrent.over(GeneralLstmCell, options);
}

/** Creates a layer of {@link GeneralGruCell}, with the inputs and outputs of `gru`. */
export function generalGru(options: GeneralGruCellOptions & RecurrentOptions): Recurrent {
  checkOptions('generalGru', options, { ...generalOptions(), resetAfter: 'boolean', ...recurrentOptions() });
  return Recurrent.over(GeneralGruCell, options);
}
