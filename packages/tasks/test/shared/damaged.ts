/** Helpers for tests of saved models whose pipeline.json is damaged. */
import assert from 'node:assert/strict';
import { type TaskModel, taskModelFromFiles } from '@unroll/tasks';

/** Each case: keys of pipeline.json with damaged values, and the message of the error. */
export type DamagedCases = readonly (readonly [change: object, message: RegExp])[];

/** Checks that a model is not loaded if its pipeline contradicts the network. @param pipeline pipeline of the model */
export async function assertDamaged(model: TaskModel, pipeline: object, cases: DamagedCases): Promise<void> {
  const files = await model.toFiles();
  for (const [change, message] of cases) {
    const json = new TextEncoder().encode(JSON.stringify({ ...pipeline, ...change }));
    const load = () => taskModelFromFiles(new Map([...files, ['pipeline.json', json]]));
    assert.throws(load, { code: 'format', message });
  }
}

/** Returns the cases for a model whose outputs are texts. @param target the value of `target` in its pipeline */
export function damagedTargets<T extends { vocabulary: { tokens: readonly string[] } }>(
  target: T,
): DamagedCases {
  const vocabulary = { ...target.vocabulary, tokens: [...target.vocabulary.tokens, 'x'] };
  return [
    [{ target: { ...target, vocabulary } }, /must return \d+ values for \d+ target tokens, got \d+/],
    [{ target: null }, /target tokens must be a list, got undefined/],
  ];
}
