/**
 * Decoding: greedy search, sampling and beam search on models and on a table of probabilities, compared with an
 * enumeration of all outputs.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RandomStream, type Tensor, tensor } from '@unroll/core';
import {
  attention,
  attentionDecoder,
  type BeamSearchOptions,
  beamSearch,
  type Decoded,
  type DecodingOptions,
  dense,
  embedding,
  generate,
  generateTokens,
  gru,
  gruCell,
  input,
  lstm,
  model,
  sequential,
  type TokenStream,
} from '@unroll/nn';

const V = 4;
const STOP = 3;

/** Returns log-probabilities of the next token, which depend on the sequence and on all previous tokens. */
function logProbabilitiesAfter(sequence: number, history: readonly number[]): number[] {
  const logits = [...new RandomStream(7, 'table').child(sequence, ...history).normal(V, 0, 1.5)];
  const total = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  return logits.map((logit) => logit - total);
}

/** A stream that remembers all tokens of each row. */
class TableStream implements TokenStream {
  readonly outputs: readonly Tensor[] = [];
  readonly rows: readonly { sequence: number; history: number[] }[];

  constructor(rows: readonly { sequence: number; history: number[] }[]) {
    this.rows = rows;
  }
  get batch(): number {
    return this.rows.length;
  }
  step(tokens: Tensor): Tensor {
    const ids = tokens.dataSync();
    return tensor(
      this.rows.map(({ sequence, history }, row) => {
        history.push(ids[row]);
        return logProbabilitiesAfter(sequence, history);
      }),
    );
  }
  push(tokens: Tensor, mask: Tensor | null): Tensor {
    const [, steps] = tokens.shape;
    const [ids, valid] = [tokens.dataSync(), mask?.dataSync()];
    return tensor(
      this.rows.map(({ sequence, history }, row) =>
        Array.from({ length: steps }, (_, t) => {
          const i = row * steps + t;
          if (valid?.[i] !== 0) history.push(ids[i]);
          return logProbabilitiesAfter(sequence, history);
        }),
      ),
    );
  }
  select(rows: readonly number[]): TableStream {
    return new TableStream(rows.map((row) => ({ ...this.rows[row], history: [...this.rows[row].history] })));
  }
}

const table = (batch = 1): TableStream =>
  new TableStream(Array.from({ length: batch }, (_, sequence) => ({ sequence, history: [] })));

/** Returns all outputs that the options allow for one sequence, best first, by enumeration. */
function exhaustive(sequence: number, prompt: readonly number[], options: BeamSearchOptions) {
  const { maxLength, minLength = 0, banned = [], noRepeatNgram = 0, lengthPenalty = 0.6 } = options;
  const prefix = (options.prefix ?? []) as readonly number[];
  const stops = [options.stop ?? []].flat();
  const found: { tokens: number[]; logProbability: number; score: number }[] = [];
  const repeats = (history: readonly number[], n: number): boolean => {
    const seen = new Set<string>();
    for (let i = 0; i + n <= history.length; i++) {
      const gram = history.slice(i, i + n).join();
      if (seen.has(gram)) return true;
      seen.add(gram);
    }
    return false;
  };
  const visit = (tokens: number[], logProbability: number): void => {
    const scores = logProbabilitiesAfter(sequence, [...prompt, ...tokens]);
    for (let token = 0; token < V; token++) {
      const inPrefix = tokens.length < prefix.length;
      if (inPrefix && token !== prefix[tokens.length]) continue;
      if (!inPrefix) {
        if (banned.includes(token)) continue;
        if (stops.includes(token) && tokens.length < minLength) continue;
        if (noRepeatNgram && repeats([...prompt, ...tokens, token], noRepeatNgram)) continue;
        if (options.restrict) {
          const logProbabilities = Float64Array.from(scores);
          options.restrict({ logProbabilities, tokens, sequence });
          if (logProbabilities[token] === -Infinity) continue;
        }
      }
      const total = logProbability + scores[token];
      const length = tokens.length + 1;
      const score = total / ((5 + length) / 6) ** lengthPenalty;
      if (stops.includes(token)) found.push({ tokens, logProbability: total, score });
      else if (length === maxLength) found.push({ tokens: [...tokens, token], logProbability: total, score });
      else visit([...tokens, token], total);
    }
  };
  visit([], 0);
  return found.sort((a, b) => b.score - a.score);
}

describe('beam search that keeps all partial outputs equals exhaustive search', () => {
  const base = { prompt: [1], maxLength: 4, width: 400, nBest: 6, earlyStopping: false } as const;
  const cases: Record<string, Partial<BeamSearchOptions>> = {
    'without a stop token': {},
    'with a stop token': { stop: STOP },
    'with two stop tokens': { stop: [STOP, 0] },
    'without length penalty': { stop: STOP, lengthPenalty: 0 },
    'with a strong length penalty': { stop: STOP, lengthPenalty: 2 },
    'with a minimum length': { stop: STOP, minLength: 3 },
    'with banned tokens': { stop: STOP, banned: [2] },
    'with n-gram blocking': { stop: STOP, noRepeatNgram: 2 },
    'with unigram blocking': { stop: STOP, noRepeatNgram: 1 },
    'with a forced prefix': { stop: STOP, prefix: [2, 0] },
    'with a restriction': {
      stop: STOP,
      restrict: ({ logProbabilities, tokens }) => {
        if (tokens.length % 2 === 1) logProbabilities[1] = -Infinity;
      },
    },
    'with several of these options': {
      stop: STOP,
      minLength: 2,
      banned: [1],
      noRepeatNgram: 2,
      prefix: [0],
      lengthPenalty: 1,
    },
  };
  for (const [name, options] of Object.entries(cases)) {
    test(name, async () => {
      const all: BeamSearchOptions = { ...base, ...options };
      const found = await beamSearch(table(3), all);
      for (let sequence = 0; sequence < 3; sequence++) {
        const expected = exhaustive(sequence, [1], all).slice(0, 6);
        assert.deepEqual(
          found[sequence].map(({ tokens }) => tokens),
          expected.map(({ tokens }) => tokens),
        );
        found[sequence].forEach((result, i) => {
          assert.ok(Math.abs(result.score - expected[i].score) < 1e-5);
          assert.ok(Math.abs(result.logProbability - expected[i].logProbability) < 1e-5);
        });
      }
    });
  }
});

describe('beam search', () => {
  test('a beam of width 1 is greedy decoding; a wider one is never worse', async () => {
    const options: DecodingOptions = { prompt: [[1], [0, 2, 1]], maxLength: 8, stop: STOP };
    const greedy = await generate(table(2), options);
    const widthOne = await beamSearch(table(2), { ...options, width: 1, lengthPenalty: 0 });
    assert.deepEqual(widthOne.map(([{ tokens }]) => tokens), greedy.map(({ tokens }) => tokens)); // biome-ignore format: one line
    const wide = await beamSearch(table(2), { ...options, width: 16, lengthPenalty: 0 });
    wide.forEach(([best], i) => {
      assert.ok(best.logProbability >= greedy[i].logProbability - 1e-6);
    });
  });

  test('each sequence of a batch has the same results as alone', async () => {
    const options = { prompt: [1], maxLength: 6, stop: STOP, width: 3, nBest: 3 };
    const together = await beamSearch(table(4), options);
    for (let sequence = 0; sequence < 4; sequence++) {
      const alone = await beamSearch(new TableStream([{ sequence, history: [] }]), options);
      assert.deepEqual(together[sequence], alone[0]);
    }
  });
});

/** Returns the frequency of each first token in many samples. */
async function frequencies(options: Partial<Parameters<typeof generate>[1]>): Promise<number[]> {
  const rows = Array.from({ length: 4000 }, () => ({ sequence: 0, history: [] as number[] }));
  const outputs = await generate(new TableStream(rows), {
    ...{ prompt: [1], maxLength: 1, temperature: 1, seed: 3, ...options },
  });
  const counts = new Array<number>(V).fill(0);
  for (const { tokens } of outputs) counts[tokens[0]]++;
  return counts.map((count) => count / rows.length);
}

describe('sampling', () => {
  const p = logProbabilitiesAfter(0, [1]).map(Math.exp);
  const order = p.map((_, i) => i).sort((a, b) => p[b] - p[a]);
  const close = (got: readonly number[], weights: readonly number[]): void => {
    const total = weights.reduce((a, b) => a + b);
    weights.forEach((weight, i) => {
      const probability = weight / total;
      const tolerance = 5 * Math.sqrt((probability * (1 - probability)) / 4000); // five standard errors
      assert.ok(
        Math.abs(got[i] - probability) <= tolerance,
        `token ${i}: ${got[i]}, expected ${probability}`,
      );
    });
  };

  test('draws tokens with the probabilities of the model', async () => close(await frequencies({}), p));
  test('temperature raises the probabilities to the power of 1 / temperature', async () =>
    close(await frequencies({ temperature: 0.5 }), p.map((x) => x ** 2))); // biome-ignore format: one line
  test('topK keeps the most likely tokens', async () =>
    close(await frequencies({ topK: 2 }), p.map((x, i) => (order.indexOf(i) < 2 ? x : 0)))); // biome-ignore format: one line
  test('topP keeps the smallest set of tokens with at least this probability', async () => {
    const topP = p[order[0]] + p[order[1]] * 0.5; // between one and two tokens
    close(await frequencies({ topP }), p.map((x, i) => (order.indexOf(i) < 2 ? x : 0))); // biome-ignore format: one line
    close(await frequencies({ topP: p[order[0]] * 0.9 }), p.map((_, i) => (order[0] === i ? 1 : 0))); // biome-ignore format: one line
  });
  test('banned tokens are never drawn', async () =>
    close(await frequencies({ banned: [order[0]] }), p.map((x, i) => (order[0] === i ? 0 : x)))); // biome-ignore format: one line

  test('a seed gives the same tokens in any batch; another seed gives other tokens', async () => {
    const options = { prompt: [1], maxLength: 12, temperature: 1, seed: 5 };
    const first = await generate(table(3), options);
    assert.deepEqual(await generate(table(3), options), first);
    assert.deepEqual(await generate(table(2), options), first.slice(0, 2));
    assert.notDeepEqual(await generate(table(3), { ...options, seed: 6 }), first);
  });
});

test('the events of generateTokens contain the tokens that generate returns', async () => {
  const options = { prompt: [1], maxLength: 6, stop: STOP };
  const stream = table(3);
  const seen: number[][] = [[], [], []];
  let steps = 0;
  for await (const { step, tokens } of generateTokens(stream, options)) {
    assert.equal(step, steps++);
    tokens.forEach((token, i) => {
      if (token !== null) seen[i].push(token);
    });
  }
  const outputs = await generate(table(3), options);
  assert.deepEqual(seen, outputs.map(({ tokens }) => tokens)); // biome-ignore format: one line
  assert.deepEqual(stream.rows[0].history, [], 'the stream of the caller must not change');
});

test('when no token is allowed, generate ends the output, and beam search drops it', async () => {
  const [output] = await generate(table(), { prompt: [1], maxLength: 20, noRepeatNgram: 1 });
  assert.equal(output.reason, 'blocked');
  assert.deepEqual([...output.tokens].sort(), [0, 2, 3]);
  assert.deepEqual(await beamSearch(table(), { prompt: [1], maxLength: 20, noRepeatNgram: 1 }), [[]]);
});

/** Returns the greedy continuation of a prompt from whole-sequence predictions. */
async function byPrediction(
  predict: (tokens: readonly number[]) => Promise<readonly number[]>,
  prompt: readonly number[],
  steps: number,
): Promise<number[]> {
  const tokens = [...prompt];
  for (let step = 0; step < steps; step++) {
    const scores = await predict(tokens);
    tokens.push(scores.indexOf(Math.max(...scores)));
  }
  return tokens.slice(prompt.length);
}

describe('decoding a model', () => {
  const scoresOf = (network: ReturnType<typeof sequential>) => async (tokens: readonly number[]) => {
    const context = { training: false, afterStep: () => {}, addLoss: () => {}, random: null as never };
    const [{ value }] = network.forward([{ value: tensor([[...tokens]]), mask: null }], context);
    const data = await value.data();
    return Array.from(data.slice(data.length - 11));
  };
  for (const [name, activation, returnSequences] of [
    ['logits of every step', 'linear', true],
    ['probabilities of every step', 'softmax', true],
    ['probabilities of the last step', 'softmax', false],
  ] as const) {
    test(`from ${name} gives the tokens of whole-sequence predictions; prompts may differ in length`, async () => {
      const network = sequential([
        embedding({ inputDim: 11, outputDim: 6 }),
        lstm({ units: 16, returnSequences }),
        dense({ units: 11, activation }),
      ]);
      network.build([[-1, -1]]);
      for (const [i, parameter] of network.parameters.entries())
        parameter.assign(new RandomStream(i, 'weights').normal(parameter.size, 0, 0.8));
      const prompts = [[3], [1, 2, 9, 4], [7, 7]];
      const outputs = await generate(network.stream({ batch: 3 }), { prompt: prompts, maxLength: 7 });
      for (const [i, prompt] of prompts.entries())
        assert.deepEqual(outputs[i].tokens, await byPrediction(scoresOf(network), prompt, 7));
    });
  }

  test('beam search that reads only the most likely tokens equals beam search that reads all scores', async () => {
    const size = 90;
    const network = sequential([
      embedding({ inputDim: size, outputDim: 6 }),
      lstm({ units: 12, returnSequences: true }),
      dense({ units: size }),
    ]);
    network.build([[-1, -1]]);
    for (const [i, parameter] of network.parameters.entries())
      parameter.assign(new RandomStream(i, 'beam').normal(parameter.size, 0, 0.9));
    const limits: Partial<BeamSearchOptions>[] = [
      {},
      { minLength: 4, stop: [3, 5, 7] },
      { banned: [1, 4, 9, 16, 25, 36, 49, 64, 81] },
      { noRepeatNgram: 1 },
      { noRepeatNgram: 2, stop: 8, lengthPenalty: 1 },
      { prefix: [[2, 3], [4]] },
    ];
    for (const limit of limits) {
      const options = { prompt: [[3], [1, 2, 9]], maxLength: 8, width: 4, nBest: 4, ...limit };
      const fast = await beamSearch(network.stream({ batch: 2 }), options);
      const all = await beamSearch(network.stream({ batch: 2 }), { ...options, restrict: () => {} });
      assert.deepEqual(fast, all, JSON.stringify(limit));
    }
  });

  test('an attention decoder: encoder outputs are fixed inputs; alignments add up to 1 over valid steps', async () => {
    const source = input({ shape: [null], name: 'source' });
    const previous = input({ shape: [null], name: 'previous' });
    const [encoded, state] = gru({ units: 5, returnSequences: true, returnState: true }).apply(
      embedding({ inputDim: 9, outputDim: 4, maskZero: true }).apply(source),
    );
    const decoder = attentionDecoder(gruCell({ units: 5 }), attention(), {
      returnSequences: true,
      returnAlignments: true,
    });
    const [decoded, alignment] = decoder.apply(embedding({ inputDim: 9, outputDim: 4 }).apply(previous), {
      initialState: [state],
      constants: [encoded],
    });
    const translator = model({
      inputs: [source, previous],
      outputs: [dense({ units: 9 }).apply(decoded), alignment],
    });
    const stream = translator.stream({ inputs: { source: tensor([[1, 2, 3, 0], [4, 5, 6, 7]]) } }); // biome-ignore format: one line
    const options = { prompt: 8, maxLength: 6, alignments: true };
    const outputs: Decoded[] = await generate(stream, options);
    const [first] = await beamSearch(stream, { ...options, width: 4, nBest: 4 });
    for (const { tokens, alignment: rows = [] } of [outputs[0], ...first]) {
      assert.equal(rows.length, tokens.length);
      for (const row of rows) {
        assert.equal(row[3], 0);
        assert.ok(Math.abs(row.reduce((a, b) => a + b) - 1) < 1e-5);
      }
    }
    assert.equal(outputs[1].alignment?.[0].length, 4);
  });
});

describe('invalid use is rejected', () => {
  const rejects = (options: Partial<BeamSearchOptions>, message: RegExp) =>
    assert.rejects(beamSearch(table(2), { prompt: [1], maxLength: 3, ...options }), message);
  test('invalid options of beam search', async () => {
    await rejects({ width: 0 }, /beamSearch: width must be a positive integer, got 0/);
    await rejects({ nBest: 6 }, /nBest must be at most width 5, got 6/);
    await rejects({ lengthPenalty: -1 }, /lengthPenalty must be a finite, non-negative number, got -1/);
    await rejects({ stop: 4 }, /a vocabulary of 4 tokens \(0 to 3\), got the token 4 in stop/);
    await rejects(
      { prompt: [[1]] },
      /prompt must have one list for each of the 2 sequences of the stream, got 1/,
    );
    await rejects({ prompt: [] }, /the prompt of sequence 0 must have at least one token/);
    await rejects({ prompt: [1.5] }, /tokens in prompt must be non-negative integers, got 1.5/);
    await rejects({ prefix: [1, 1, 1, 1] }, /the prefix of sequence 0 has 4 tokens, more than maxLength 3/);
    await rejects({ minLength: 4 }, /minLength must be at most maxLength 3, got 4/);
    await rejects({ output: 'logProbabilities', restrict: 3 as never }, /restrict must be a function/);
    await rejects({ alignments: true }, /alignments needs a model whose second output is the alignment/);
    await rejects({ beamWidth: 3 } as never, /no option "beamWidth"/);
  });
  test('invalid options of sampling', async () => {
    const fails = (options: Partial<Parameters<typeof generate>[1]>, message: RegExp) =>
      assert.rejects(generate(table(), { prompt: [1], maxLength: 3, ...options }), message);
    await fails({ temperature: -1 }, /temperature must be a finite, non-negative number, got -1/);
    await fails({ temperature: 1, topP: 0 }, /topP must be in \(0, 1\], got 0/);
    await fails({ topP: 0.9 }, /topP applies to sampling, but temperature is 0/);
    await fails({ maxLength: undefined as never }, /maxLength is missing/);
    await assert.rejects(generate({} as never, { prompt: [1], maxLength: 3 }), /takes a stream first/);
  });
  test('logits that are declared as log-probabilities', async () => {
    const network = sequential([embedding({ inputDim: 3, outputDim: 2 }), lstm({ units: 3 })]);
    network.build([[-1, -1]]);
    for (const parameter of network.parameters) parameter.assign(new Float32Array(parameter.size).fill(2));
    await assert.rejects(
      generate(network.stream(), { prompt: 1, maxLength: 2, output: 'logProbabilities' }),
      /must contain logProbabilities, got the log-probability .* Set the option output/,
    );
  });
});
