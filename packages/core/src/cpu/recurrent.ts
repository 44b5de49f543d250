/**
 * The fused recurrent kernels. They need their weights packed into panels. Resident weights (parameters) are packed
 * once per version, and the packed form is cached with them; other weights are packed into the open arena for a
 * single call.
 */
import { Activation, type KernelExports } from '@unroll/kernels';
import type { Block, Kernels, SequenceView } from '../backend.js';
import { address, type CpuBlock, type PackedForm } from './block.js';
import type { Heap } from './heap.js';
import { FLOAT } from './memory.js';

type RecurrentKernels = Pick<Kernels, `${'rnn' | 'lstm' | 'gru'}Forward`>;

/** Returns the address of weights in packed form. */
export type Packer = (
  /** Names the packing. */
  form: string,
  weights: readonly [Block, ...(Block | null)[]],
  floats: () => number,
  pack: (to: number) => void,
) => number;

export function packer(heap: Heap): Packer {
  return (form, weights, floats, pack) => {
    const parts = weights as readonly [CpuBlock, ...(CpuBlock | null)[]];
    const forms = parts[0].root.packed;
    if (forms === null || parts.some((part) => part?.root.packed === null)) {
      const to = heap.temporary(floats() * FLOAT);
      pack(to);
      return to;
    }
    let cached = forms.find((one) => one.form === form && isMadeFrom(one, parts));
    if (cached === undefined) {
      const own = parts.filter((part) => part !== null);
      const at = heap.allocate(floats() * FLOAT);
      cached = { form, at, parts: own.map((part) => ({ at: part.at, root: part.root, version: -1 })) };
      forms.push(cached);
    }
    if (cached.parts.some((part) => part.version !== part.root.version)) {
      pack(cached.at);
      for (const part of cached.parts) part.version = part.root.version;
    }
    return cached.at;
  };
}

export function recurrentKernels(k: KernelExports, heap: Heap, packed: Packer): RecurrentKernels {
  const float16From = Array.from(
    { length: 16 },
    (_, rows) => k.float16_from(rows) || Number.POSITIVE_INFINITY,
  );
  /**
   * The weight format: 1 (float16) for inference with few rows and large matrices that float16 represents exactly,
   * which halves the bytes to read.
   */
  const weightFormat = (rows: number, training: boolean, W: Block, U: Block): number => {
    if (training || rows >= float16From.length || W.length + U.length < float16From[rows]) return 0;
    return fitsFloat16(k, W as CpuBlock) && fitsFloat16(k, U as CpuBlock) ? 1 : 0;
  };

  // biome-ignore format: the kernels' arguments as kernels.h lists them
  return {
    rnnForward(c) {
      const { T, B, I, H, W, U, b, y } = c;
      const weights = packed('rnn', [W, U, b], () => k.rnn_packed_size(I, H), (to) =>
        k.rnn_pack(I, H, address(W), address(U), address(b), to));
      k.rnn_forward(
        T, B, I, H, Activation[c.activation], weights, address(c.x), c.reverse ? 1 : 0, address(c.xh), address(c.hs),
        address(c.rmask), address(c.mask), address(c.outputMask), start(y), y?.strideT ?? 0, y?.strideB ?? 0,
      );
    },

    lstmForward(c) {
      const { T, B, I, H, W, U, b, y } = c;
      const format = weightFormat(B, c.gates !== null, W, U);
      const weights = packed(format ? 'lstm float16' : 'lstm', [W, U, b], () => k.lstm_packed_size(I, H, format),
        (to) => k.lstm_pack(I, H, format, address(W), address(U), address(b), to));
      k.lstm_forward(
        T, B, I, H, Activation[c.activation], Activation[c.recurrentActivation], format, weights, address(c.x),
        c.reverse ? 1 : 0, address(c.xh), address(c.c), c.keepCells ? B * H : 0, address(c.hs), address(c.rmask),
        address(c.mask), address(c.outputMask), address(c.gates), start(y), y?.strideT ?? 0, y?.strideB ?? 0,
      );
    },

    gruForward(c) {
      const { T, B, I, H, W, U, b, y } = c;
      const [act, ract] = [Activation[c.activation], Activation[c.recurrentActivation]];
      const textbook = c.textbook ? 1 : 0;
      if (c.resetAfter) {
        const format = weightFormat(B, c.gates !== null, W, U);
        const weights = packed(format ? 'gru float16' : 'gru', [W, U, b], () => k.gru_packed_size(I, H, format),
          (to) => k.gru_pack(I, H, format, address(W), address(U), address(b), to));
        k.gru_forward(
          T, B, I, H, act, ract, textbook, format, weights, address(c.x), c.reverse ? 1 : 0, address(c.xh),
          address(c.hs), address(c.rmask), address(c.mask), address(c.outputMask), address(c.gates), start(y),
          y?.strideT ?? 0, y?.strideB ?? 0,
        );
        return;
      }
      const weights = packed('gru before', [W, U, b], () => k.gru_before_packed_size(I, H), (to) =>
        k.gru_before_pack(I, H, address(W), address(U), address(b), to));
      // Without a block for r h' of every step, all steps use the same one.
      const rh = c.rh ? address(c.rh) : heap.temporary(B * H * FLOAT);
      k.gru_before_forward(
        T, B, I, H, act, ract, textbook, weights, address(c.x), c.reverse ? 1 : 0, address(c.xh), address(c.hs),
        address(c.rmask), address(c.mask), address(c.outputMask), address(c.gates), rh, c.rh ? B * H : 0, start(y),
        y?.strideT ?? 0, y?.strideB ?? 0,
      );
    },
  };
}

/** True if float16 represents every value of a resident matrix. Computed once per version. */
function fitsFloat16(k: KernelExports, { at, length, root }: CpuBlock): boolean {
  if (root.halfWeights === null) return false;
  let known = root.halfWeights.get(at);
  if (known?.version !== root.version) {
    known = { version: root.version, yes: k.all_float16(at, length) !== 0 };
    root.halfWeights.set(at, known);
  }
  return known.yes;
}

function isMadeFrom({ parts }: PackedForm, weights: readonly (CpuBlock | null)[]): boolean {
  let n = 0;
  for (const weight of weights) {
    if (weight === null) continue;
    const part = parts[n++];
    if (part?.at !== weight.at || part.root !== weight.root) return false;
  }
  return n === parts.length;
}

/** Address of a sequence; null if there is none. */
export function start(view: SequenceView | null): number {
  return view === null ? 0 : address(view.block) + view.offset * FLOAT;
}
