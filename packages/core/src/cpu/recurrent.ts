/**
 * The fused recurrent kernels. They read packed weights: copies in another layout, see {@link PackedWeights}. Parameters are
 * packed once after each change, and the copy is cached. Other weights are packed for a single call, in the open arena.
 */
import {
  Activation,
  Cell,
  type CellName,
  callGruBeforeForward,
  callGruForward,
  callLstmForward,
  callPack,
  callRnnForward,
  type Forward,
  type KernelModule,
  type Steps,
  WeightFormat,
} from '@unroll/kernels';
import type { Block, Kernels, RecurrentCall, RecurrentForwardCall, SequenceView } from '../backend.js';
import { addressOf, type CpuBlock, type PackedWeights } from './block.js';
import type { Heap } from './heap.js';
import { FLOAT_BYTES } from './memory.js';
import type { FormatChoice } from './weight-format.js';

type RecurrentKernels = Pick<Kernels, `${'rnn' | 'lstm' | 'gru'}Forward`>;

/** Packs weights unless a valid copy is cached, and returns the address of the packed weights. */
export type Packer = (
  /** The name of the layout, which identifies the copy in the cache. */
  layout: string,
  weights: readonly [Block, ...(Block | null)[]],
  /** Returns the length of the packed weights, in floats. */
  floats: () => number,
  /** Writes the packed weights to an address. */
  pack: (to: number) => void,
) => number;

export function packer(heap: Heap): Packer {
  return (layout, weights, floats, pack) => {
    const parts = weights as readonly [CpuBlock, ...(CpuBlock | null)[]];
    const copies = parts[0].root.packed;
    if (copies === null || parts.some((part) => part?.root.packed === null)) {
      const to = heap.temporary(floats() * FLOAT_BYTES);
      pack(to);
      return to;
    }
    let cached = copies.find((copy) => copy.layout === layout && isPackedFrom(copy, parts));
    if (cached === undefined) {
      const sources = parts.filter((part) => part !== null);
      const address = heap.allocate(floats() * FLOAT_BYTES);
      cached = {
        layout,
        address,
        parts: sources.map((part) => ({ address: part.address, root: part.root, version: -1 })),
      };
      copies.push(cached);
    }
    if (cached.parts.some((part) => part.version !== part.root.version)) {
      pack(cached.address);
      for (const part of cached.parts) part.version = part.root.version;
    }
    return cached.address;
  };
}

export function recurrentKernels(
  module: KernelModule,
  heap: Heap,
  packWeights: Packer,
  formatFor: FormatChoice | null,
): RecurrentKernels {
  const packedWeights = forwardPacker(module, packWeights, formatFor);
  // The cell gruBefore is the GRU whose reset gate multiplies h' before the matrix product (resetAfter: false).
  return {
    rnnForward: (c) => callRnnForward(module, forward(c, packedWeights('rnn', c, null))),

    lstmForward: (c) =>
      callLstmForward(module, {
        forward: forward(c, packedWeights('lstm', c, c.gates)),
        ract: Activation[c.recurrentActivation],
        c: addressOf(c.c),
        cStep: c.keepCells ? c.B * c.H : 0,
        gates: addressOf(c.gates),
      }),

    gruForward(c) {
      const gruForward = {
        forward: forward(c, packedWeights(c.resetAfter ? 'gru' : 'gruBefore', c, c.gates)),
        ract: Activation[c.recurrentActivation],
        updateGateOnCandidate: c.updateGateOnCandidate ? 1 : 0,
        gates: addressOf(c.gates),
      };
      if (c.resetAfter) {
        callGruForward(module, gruForward);
        return;
      }
      // If the call has a block `rh`, it stores r h' for every step. Otherwise, all steps use the same temporary block.
      const BH = c.B * c.H;
      const rh = c.rh ? addressOf(c.rh) : heap.temporary(BH * FLOAT_BYTES);
      callGruBeforeForward(module, { gruForward, rh, rhStep: c.rh ? BH : 0 });
    },
  };
}

/** Returns a function that packs the weights of a call for a forward kernel and returns their address. */
function forwardPacker(module: KernelModule, packWeights: Packer, formatFor: FormatChoice | null) {
  return (cell: CellName, call: RecurrentForwardCall, gates: Block | null): number => {
    const { I, H, W, U, b } = call;
    const name = formatFor?.(call, gates) ?? 'float32';
    const [code, format] = [Cell[cell], WeightFormat[name]];
    return packWeights(
      `${cell} ${name}`,
      [W, U, b],
      () => module.kernels.packed_size(code, I, H, format),
      (to) =>
        callPack(module, {
          cell: code,
          format,
          I,
          H,
          W: addressOf(W),
          U: addressOf(U),
          b: addressOf(b),
          packed: to,
        }),
    );
  };
}

/** Returns the arguments of the loop over the steps, which all recurrent kernels have in common. */
export function steps(c: RecurrentCall, I: number, packedWeights: number): Steps {
  return {
    T: c.T,
    B: c.B,
    I,
    H: c.H,
    act: Activation[c.activation],
    packed: packedWeights,
    rmask: addressOf(c.rmask),
    mask: addressOf(c.mask),
    output_mask: addressOf(c.outputMask),
  };
}

function forward(c: RecurrentForwardCall, packedWeights: number): Forward {
  const { y } = c;
  return {
    steps: steps(c, c.I, packedWeights),
    xh: addressOf(c.xh),
    x: addressOf(c.x),
    back: c.reverse ? 1 : 0,
    hs: addressOf(c.hs),
    y: sequenceAddress(y),
    yT: y?.strideT ?? 0,
    yB: y?.strideB ?? 0,
  };
}

/** Returns whether a cached copy was packed from these blocks. */
function isPackedFrom({ parts }: PackedWeights, weights: readonly (CpuBlock | null)[]): boolean {
  let n = 0;
  for (const weight of weights) {
    if (weight === null) continue;
    const part = parts[n++];
    if (part?.address !== weight.address || part.root !== weight.root) return false;
  }
  return n === parts.length;
}

/** Returns the address of a sequence; 0 (null) if there is none. */
export function sequenceAddress(view: SequenceView | null): number {
  return view === null ? 0 : addressOf(view.block) + view.offset * FLOAT_BYTES;
}
