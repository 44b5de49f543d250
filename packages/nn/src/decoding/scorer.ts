/** Runs the stream of a model that predicts the next token, and reads its log-probabilities. */
import {
  type FloatArray,
  formatShape,
  log,
  logSoftmax,
  scope,
  stack,
  type Tensor,
  tensor,
  UnrollError,
  valueError,
} from '@unroll/core';
import { formatValue } from '@unroll/core/internal';
import { Functional } from '../functional.js';
import type { Layer } from '../layer.js';
import { lengthMask } from '../masks.js';
import type { Network } from '../network.js';
import type { DecodingOptions, OutputKind } from './options.js';

/**
 * The part of a stream that decoding uses. `model.stream()` returns such an object; any other object with these methods
 * can be decoded as well.
 */
export interface TokenStream {
  /** Number of sequences. */
  readonly batch: number;
  /** All outputs of the last call. */
  readonly outputs: readonly Tensor[];
  /** The model. Absent: the output contains logits, unless the option `output` says otherwise. */
  readonly network?: Network;
  /** Processes one token of each sequence, [batch], and returns the output [batch, V]. */
  step(tokens: Tensor): Tensor;
  /** Processes several tokens, [batch, steps], with a mask, and returns the outputs [batch, steps, V] or the last, [batch, V]. */
  push(tokens: Tensor, mask: Tensor | null): Tensor;
  /** Returns a stream with the sequences of these rows. Rows may be omitted or repeated. */
  select(rows: readonly number[]): TokenStream;
}

/** The log-probabilities of the next token for all rows of a stream. */
export interface NextTokens {
  /** [rows, V], row-major. */
  values: FloatArray;
  /** Size of the vocabulary. */
  V: number;
  /** [rows, S]: the alignments of this step; null if they are not requested. */
  alignments: FloatArray | null;
}

export class TokenScorer {
  readonly #name: string;
  readonly #kind: OutputKind;
  readonly #encode: (tokens: readonly number[]) => Tensor;
  readonly #aligned: boolean;
  #stream: TokenStream;

  constructor(name: string, stream: TokenStream, options: DecodingOptions) {
    if (typeof stream?.select !== 'function')
      throw valueError(
        `${name} takes a stream first, as in ${name}(model.stream(), ...), got ${formatValue(stream)}.`,
      );
    this.#name = name;
    // The copy keeps the stream of the caller as it is.
    this.#stream = stream.select(Array.from({ length: stream.batch }, (_, row) => row));
    this.#kind = options.output ?? outputKind(stream.network);
    this.#encode = options.encode ?? ((tokens) => tensor([...tokens]));
    this.#aligned = options.alignments ?? false;
  }

  /** Processes the prompts, one per row. */
  prompt(prompts: readonly (readonly number[])[]): Promise<NextTokens> {
    const lengths = prompts.map((tokens) => tokens.length);
    const steps = Math.max(...lengths);
    if (steps === 1)
      return this.#read(this.#stream.step(this.#encode(prompts.map(([token]) => token))), null);
    const columns = Array.from({ length: steps }, (_, t) =>
      this.#encode(prompts.map((tokens) => tokens[t] ?? 0)),
    );
    const mask = lengths.every((length) => length === steps) ? null : lengthMask(lengths, steps);
    return this.#read(this.#stream.push(stack(columns, 1), mask), lengths);
  }

  /** Selects rows, which may be omitted or repeated, and processes one token for each of them. */
  next(rows: readonly number[], tokens: readonly number[]): Promise<NextTokens> {
    const unchanged = rows.length === this.#stream.batch && rows.every((row, i) => row === i);
    if (!unchanged) this.#stream = this.#stream.select(rows);
    return this.#read(this.#stream.step(this.#encode(tokens)), null);
  }

  /** Reads the outputs. @param lengths number of valid steps of each row, for outputs of several steps */
  async #read(output: Tensor, lengths: readonly number[] | null): Promise<NextTokens> {
    const { shape } = output;
    const V = shape[shape.length - 1];
    if (shape.length !== (lengths ? 3 : 2) && shape.length !== 2) {
      throw new UnrollError(
        'shape',
        `${this.#name}: the first output of the model must have one score per token of the vocabulary, ` +
          `[batch, vocabulary], got ${formatShape(shape)} in one step.`,
        { got: shape },
      );
    }
    const kind = this.#kind;
    const scores = scope(() =>
      kind === 'logits' ? logSoftmax(output) : kind === 'probabilities' ? log(output) : output,
    );
    const values = lastSteps(await scores.data(), shape, lengths);
    for (let i = 0; i < values.length; i++) if (!(values[i] <= 1e-3)) throw this.#badScore(values[i]);
    if (!this.#aligned) return { values, V, alignments: null };
    const alignment = this.#stream.outputs[1];
    if (!alignment) {
      throw valueError(
        `${this.#name}: alignments needs a model whose second output is the alignment of attentionDecoder, got a model with one output.`,
      );
    }
    return { values, V, alignments: lastSteps(await alignment.data(), alignment.shape, lengths) };
  }

  #badScore(value: number): UnrollError {
    if (Number.isNaN(value))
      return new UnrollError('nan', `${this.#name}: the model returned NaN. Check its weights and inputs.`);
    return valueError(
      `${this.#name}: the output of the model must contain ${this.#kind}, got the log-probability ${value}. ` +
        'Set the option output to what it contains: logits, probabilities or logProbabilities.',
      { value },
    );
  }
}

/** Returns the values of the last valid step of each row; `values` itself if there is no time axis. */
function lastSteps(
  values: FloatArray,
  shape: readonly number[],
  lengths: readonly number[] | null,
): FloatArray {
  if (shape.length === 2 || !lengths) return values;
  const [B, T, width] = shape;
  const last = new (values.constructor as Float32ArrayConstructor)(B * width);
  lengths.forEach((length, b) => {
    const start = (b * T + length - 1) * width;
    last.set(values.subarray(start, start + width) as Float32Array, b * width);
  });
  return last;
}

/** Returns what the first output of a model contains, from the activation of its last layer. */
function outputKind(network: Network | undefined): OutputKind {
  if (!network) return 'logits';
  let layer: Layer | undefined =
    network instanceof Functional ? network.outputs[0].node.layer : network.layers.at(-1);
  while (layer && 'layer' in layer) layer = layer.layer as Layer; // timeDistributed
  if (layer && 'layers' in layer) return outputKind(layer as Network);
  const activation = layer?.config.config.activation;
  if (activation === 'softmax') return 'probabilities';
  return activation === 'logSoftmax' ? 'logProbabilities' : 'logits';
}
