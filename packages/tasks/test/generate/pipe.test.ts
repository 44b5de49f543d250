// The function that `pipeline('generate', model)` returns: continuations, the stream, signals, and errors.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { type LanguageModel, trainLanguageModel } from '@unroll/tasks';
import { sentences } from './sentences.js';

const SMALL = {
  ...{ units: 16, embedding: 8, dropout: 0, weightDrop: 0, epochs: 4 },
  ...{ learningRate: 0.02, streams: 8, steps: 32 },
};

describe('the pipeline of a language model', () => {
  let model: LanguageModel;
  before(async () => {
    ({ model } = await trainLanguageModel(sentences(600), SMALL));
  });
  const textOf = async (pieces: AsyncIterable<string>) => {
    let text = '';
    for await (const piece of pieces) text += piece;
    return text;
  };

  test('continues a prompt and a list of prompts', async () => {
    const options = { length: 40, temperature: 0.5, topK: 5, topP: 0.9, seed: 3 };
    const request = { length: 40, temperature: 0.5, 'top-k': 5, 'top-p': 0.9, seed: 3 };
    const expected = await textOf(model.generate({ prompt: 'the ', options: request }));
    assert.equal(expected.length, 40);
    assert.deepEqual(await model.pipe('the ', options), [{ generatedText: `the ${expected}` }]);
    assert.deepEqual(await model.pipe('the ', { ...options, returnFullText: false }), [
      { generatedText: expected },
    ]);
    const [first, second] = await model.pipe(['the ', ''], options);
    assert.equal(first.generatedText, `the ${expected}`);
    assert.equal(second.generatedText.length, 40);
    assert.deepEqual(await model.pipe([]), []);
  });
  test('streams the same text', async () => {
    const options = { length: 30, temperature: 0 };
    const [{ generatedText }] = await model.pipe('the', { ...options, returnFullText: false });
    const pieces: string[] = [];
    for await (const piece of model.pipeStream('the', options)) pieces.push(piece);
    assert.equal(pieces.length, 30);
    assert.equal(pieces.join(''), generatedText);
  });
  test('stops when the signal is aborted', async () => {
    const controller = new AbortController();
    let pieces = 0;
    const run = async () => {
      for await (const _ of model.pipeStream('the', { signal: controller.signal })) {
        if (++pieces === 3) controller.abort();
      }
    };
    await assert.rejects(run(), { name: 'AbortError' });
    assert.equal(pieces, 3);
  });
  test('rejects invalid inputs and options', async () => {
    await assert.rejects(model.pipe(3), {
      code: 'value',
      message: 'The prompt must be a string, got 3.',
    });
    await assert.rejects(model.pipe('a', { topP: 0 }), {
      message: 'topP must be above 0 and at most 1, got 0.',
    });
    await assert.rejects(model.pipe('a', { length: 0 }), { message: /length must be a positive integer/ });
    assert.throws(() => model.pipeStream('a', { temperature: -1 }), {
      message: 'temperature must be a finite, non-negative number, got -1.',
    });
    assert.throws(() => model.pipeStream('a', { returnFullText: true } as object), {
      message: /^stream: there is no option "returnFullText"/,
    });
  });
});
