/** Runs the stream of a model that predicts the next token, and returns the log-probabilities of that token. */
import {
  currentBackend,
  type FloatArray,
  formatShape,
  gather,
  log,
  logSoftmax,
  reshape,
  scope,
  stack,
  type Tensor,
  tensor,
  topK,
  UnrollError,
  valueError,
} from '@unroll/core';
import { formatValue, valuesOf } from '@unroll/core/internal';
import { Functional } from '../functional.js';
import type { Layer } from '../layer.js';
import { lengthMask } from '../masks.js';
import type { Network } from '../network.js';
import { Stream } from '../stream.js';
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
  /**
   * Processes several tokens of each sequence, [batch, steps], with a mask. Returns the outputs [batch, steps, V], or only
   * the last one, [batch, V].
   */
  push(tokens: Tensor, mask: Tensor | null): Tensor;
  /** Returns a stream with the sequences of these rows. Rows may be omitted or repeated. */
  select(rows: readonly number[]): TokenStream;
}

/** The log-probabilities of the next token for all rows of a stream. */
export interface NextTokens {
  /** [rows, count], row-major. */
  values: FloatArray;
  /** [rows, count]: the tokens of `values`, most likely first. Null: all tokens in the order of their ids, count = V. */
  tokens: FloatArray | null;
  rows: number;
  /** Size of the vocabulary. */
  V: number;
  /** [rows, S]: the alignments of this step; null if they are not requested. */
  alignments: FloatArray | null;
}

export class TokenScorer {
  /** Name of the decoding function, for errors. */
  readonly #name: string;
  readonly #kind: OutputKind;
  readonly #encode: (tokens: readonly number[]) => Tensor;
  readonly #withAlignments: boolean;
  #stream: TokenStream;

  constructor(name: string, stream: TokenStream, options: DecodingOptions) {
    if (typeof stream?.select !== 'function')
      throw valueError(
        `${name} takes a stream first, as in ${name}(model.stream(), ...), got ${formatValue(stream)}.`,
      );
    this.#name = name;
    // With a copy, the stream of the caller does not change.
    this.#stream = stream.select(Array.from({ length: stream.batch }, (_, row) => row));
    this.#kind = options.output ?? outputKind(stream.network);
    this.#encode = options.encode ?? ((tokens) => tensor([...tokens]));
    this.#withAlignments = options.alignments ?? false;
  }

  /**
   * Processes the prompts, one per row.
   * @param count number of most likely tokens to return. Default null: all tokens
   */
  prompt(prompts: readonly (readonly number[])[], count: number | null = null): Promise<NextTokens> {
    const lengths = prompts.map((tokens) => tokens.length);
    const steps = Math.max(...lengths);
    if (steps === 1) return this.#run(this.#encode(prompts.map(([token]) => token)), null, count);
    const columns = Array.from({ length: steps }, (_, t) =>
      this.#encode(prompts.map((tokens) => tokens[t] ?? 0)),
    );
    return this.#run(stack(columns, 1), lengths, count);
  }

  /**
   * Selects rows, which may be omitted or repeated, and processes one token for each of them.
   * @param count number of most likely tokens to return. Default null: all tokens
   */
  next(rows: readonly number[], tokens: readonly number[], count: number | null = null): Promise<NextTokens> {
    const unchanged = rows.length === this.#stream.batch && rows.every((row, i) => row === i);
    if (!unchanged) this.#stream = this.#stream.select(rows);
    return this.#run(this.#encode(tokens), null, count);
  }

  /**
   * Processes tokens and returns the scores of the next token.
   * @param lengths number of tokens of each row if `tokens` has a time axis; null: it has none
   */
  async #run(tokens: Tensor, lengths: readonly number[] | null, count: number | null): Promise<NextTokens> {
    const steps = lengths === null ? 1 : tokens.shape[1];
    const mask = lengths?.some((length) => length !== steps) ? lengthMask(lengths, steps) : null;
    let V = 0;
    const resultsOf = ([output, alignment]: readonly Tensor[]): Tensor[] => {
      this.#checkOutputs(output, alignment, lengths !== null);
      V = output.shape[output.rank - 1];
      const scores = this.#logProbabilities(lastSteps(output, lengths));
      const attended = this.#withAlignments ? [lastSteps(alignment, lengths)] : [];
      if (count === null || count >= V || !currentBackend().supports('topK')) return [scores, ...attended];
      const best = topK(scores, count);
      return [best.values, ...attended, best.indices];
    };
    const stream = this.#stream;
    const results =
      stream instanceof Stream
        ? stream.map(tokens, mask, lengths === null, resultsOf)
        : mapOutputs(stream, lengths === null ? stream.step(tokens) : stream.push(tokens, mask), resultsOf);
    const [values, ...rest] = await valuesOf(results);
    // Because of rounding, a log-probability can be slightly above 0.
    for (let i = 0; i < values.length; i++) if (!(values[i] <= 1e-3)) throw this.#badScore(values[i]);
    const alignments = this.#withAlignments ? (rest.shift() as FloatArray) : null;
    return { values, tokens: rest[0] ?? null, rows: stream.batch, V, alignments };
  }

  /** @throws UnrollError `shape` if the first output does not have one score per token, `value` if alignments are missing */
  #checkOutputs(output: Tensor, alignment: Tensor | undefined, hasTime: boolean): void {
    const { shape } = output;
    if (shape.length !== (hasTime ? 3 : 2) && shape.length !== 2) {
      throw new UnrollError(
        'shape',
        `${this.#name}: the first output of the model must have one score per token of the vocabulary, ` +
          `[batch, vocabulary], got ${formatShape(shape)} in one step.`,
        { got: shape },
      );
    }
    if (this.#withAlignments && !alignment) {
      throw valueError(
        `${this.#name}: the option alignments needs a model whose second output is the alignment of attentionDecoder, got a model with one output.`,
      );
    }
  }

  #logProbabilities(output: Tensor): Tensor {
    if (this.#kind === 'logits') return logSoftmax(output);
    return this.#kind === 'probabilities' ? log(output) : output;
  }

  #badScore(value: number): UnrollError {
    if (Number.isNaN(value))
      return new UnrollError('nan', `${this.#name}: the model returned NaN. Check its weights and inputs.`);
    return valueError(
      `${this.#name}: the output of the model must contain ${this.#kind}, got the log-probability ${value}. ` +
        'Set the option output to what the model returns: logits, probabilities or logProbabilities.',
      { value },
    );
  }
}

/** Applies `map` to the outputs of the last call of a stream. @param first the output that this call returned */
function mapOutputs(
  { outputs }: TokenStream,
  first: Tensor,
  map: (outputs: readonly Tensor[]) => Tensor[],
): readonly Tensor[] {
  return scope(() => map([first, ...outputs.slice(1)]));
}

/** Returns the last valid step of each row, [batch, ...]. A tensor without a time axis is returned unchanged. */
function lastSteps(output: Tensor, lengths: readonly number[] | null): Tensor {
  if (lengths === null || output.rank === 2) return output;
  const [B, T, width] = output.shape;
  const table = reshape(output, [B * T, width]);
  return gather(
    table,
    lengths.map((length, b) => b * T + length - 1),
  );
}

/** Returns what the first output of a model contains, according to the activation of its last layer. */
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
