/** `lstm`: the LSTM layer. Its equations are in ../cells/lstm.ts. */
import { LstmCell, type LstmCellOptions } from '../cells/lstm.js';
import { Recurrent, type RecurrentOptions } from './recurrent.js';

export type LstmOptions = LstmCellOptions & RecurrentOptions;

/**
 * A long short-term memory layer over sequences x [B, T, I].
 * @returns a layer giving [B, H], or [B, T, H] with `returnSequences`; with `returnState` also h and c [B, H]. As inputs
 * it takes x, or x, h0 and c0.
 */
export function lstm(options: LstmOptions): Recurrent {
  return new Recurrent(new LstmCell(options), options);
}
