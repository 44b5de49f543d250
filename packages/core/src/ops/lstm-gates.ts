/**
 * One step of an LSTM, computed from the pre-activations a as one op, for cells without a fused kernel for whole sequences:
 *
 *   i = σ(ai)      f = σ(af)      g = φ(ag)      o = σ(ao)      c ← f c + i g
 *
 * with σ = recurrentActivation and φ = activation.
 */
import type { ActivationName } from '../backend.js';
import { formatShape, shapeError } from '../errors.js';
import { apply, type Op } from '../op.js';
import { sameShape } from '../shape.js';
import { type Tensor, temporaryTensor } from '../tensor.js';

export interface LstmGatesAttributes {
  activation: ActivationName;
  recurrentActivation: ActivationName;
}

const lstmGatesOp: Op<LstmGatesAttributes, readonly [a: Tensor, c: Tensor], readonly [c: Tensor, o: Tensor]> =
  {
    name: 'lstmGates',
    shapes([a, c]) {
      if (c.length !== 2 || !sameShape(a, [c[0], 4 * c[1]])) {
        throw shapeError(
          `lstmGates takes a [B, 4H] and c [B, H], got ${formatShape(a)} and ${formatShape(c)}.`,
          { a, c },
        );
      }
      return [c, c];
    },
    forward({ inputs: [a, before], attrs, outputs: [after, o], kernels, saving }) {
      const [B, H] = before.shape;
      const gates = saving ? temporaryTensor([B, 3 * H]) : null;
      kernels.lstmGates({
        ...{ B, H, ...attrs },
        a: a.block(),
        before: before.block(),
        after: after.block(),
        o: o.block(),
        gates: gates?.block() ?? null,
      });
      return gates;
    },
    backward({ inputs: [a, before], attrs, outputs: [, o], saved, grads: [dAfter, dO], kernels }) {
      const [B, H] = before.shape;
      const [da, dBefore] = [temporaryTensor(a.shape), temporaryTensor(before.shape)];
      kernels.lstmGatesBackward({
        ...{ B, H, ...attrs },
        before: before.block(),
        gates: (saved as Tensor).block(),
        o: o.block(),
        dAfter: dAfter?.block() ?? null,
        dO: dO?.block() ?? null,
        da: da.block(),
        dBefore: dBefore.block(),
      });
      return [da, dBefore];
    },
  };

export const lstmGatesOps = { lstmGates: lstmGatesOp };

/**
 * Computes the gates and the cell state of one step.
 * @param a the pre-activations of the gates i f g o, [B, 4H]
 * @param c the previous cell state, [B, H]
 * @returns the cell state and the output gate, [B, H] each
 */
export function lstmGates(a: Tensor, c: Tensor, attributes: LstmGatesAttributes): { c: Tensor; o: Tensor } {
  const [after, o] = apply(lstmGatesOp, [a, c], attributes);
  return { c: after, o };
}
