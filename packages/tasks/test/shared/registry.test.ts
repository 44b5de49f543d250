// The registry: a model is loaded by the task that its files name, and files without a task, with an unknown task or with a newer
// format are rejected; and the checks of requests.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { TASKS, taskModelFromFiles, taskName } from '@unroll/tasks';
import { EchoModel, EVENTS, echoTask, tableOf } from '../echo/task.js';

const files = (texts: Record<string, string>) =>
  new Map(Object.entries(texts).map(([name, text]) => [name, new TextEncoder().encode(text)]));
const withEcho = [...TASKS, echoTask];
const pipeline = (format: string) => files({ 'pipeline.json': JSON.stringify({ format }) });

test('a task is supported as soon as it is in the registry', async () => {
  const saved = await new EchoModel('a valley').toFiles();
  assert.throws(() => taskModelFromFiles(saved), {
    code: 'format',
    message: `Unknown task "echo". This version of Unroll supports: ${TASKS.map(({ name }) => name).join(', ')}.`,
  });
  const model = taskModelFromFiles(saved, withEcho);
  assert.ok(model instanceof EchoModel);
  assert.equal(taskName(model.format), 'echo');
  assert.deepEqual((await model.predict({ rows: tableOf(['ho', '']), options: { times: 2 } })).rows, [
    ['hoho', 2, 'a valley'],
    ['', 0, null],
  ]);
});

test('reads older versions and rejects newer ones', async () => {
  const older = files({ 'pipeline.json': '{"format":"unroll-echo-1","place":"a hall"}' });
  assert.deepEqual(taskModelFromFiles(older, withEcho).describe()[0], { name: 'place', value: 'a hall' });
  assert.throws(() => taskModelFromFiles(pipeline('unroll-echo-3'), withEcho), {
    message:
      'This version of Unroll reads the task "echo" up to format version 2, got version 3. Update Unroll.',
  });
});

describe('rejects files that are not a model of a task', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [
      {},
      /^pipeline\.json is missing, so this is not a saved model of a task, such as forecast or classify\.$/,
    ],
    [
      { 'config.json': '{}' },
      /no pipeline\.json, so it belongs to no task\. If model\.save\(\) wrote the files/,
    ],
    [{ 'pipeline.json': '{"format":7}' }, /format must name a task, .*got 7\. .*unroll inspect/],
    [{ 'pipeline.json': '{"columns":[]}' }, /format must name a task, .*got null\./],
    [{ 'pipeline.json': '{' }, /^pipeline\.json is not valid JSON: /],
    [{ 'pipeline.json': '[1]' }, /^pipeline\.json is damaged: it must contain a JSON object\.$/],
  ];
  for (const [texts, message] of cases) {
    test(JSON.stringify(texts), () =>
      assert.throws(() => taskModelFromFiles(files(texts)), { code: 'format', message }),
    );
  }
});

describe('requests', () => {
  const model = new EchoModel('a hall');
  test('rejects undeclared options and options of the wrong type', async () => {
    await assert.rejects(model.predict({ options: { time: 2 } }), {
      code: 'value',
      message: 'Unknown option "time". The options are times, gain, upper, mark, echo-rows.',
    });
    for (const [name, value, expected, got] of [
      ['times', 1.5, 'an integer', '1.5'],
      ['gain', Number.NaN, 'a finite number', 'NaN'],
      ['upper', 'yes', 'true or false', '"yes"'],
      ['mark', tableOf([]), 'a string', 'a table'],
      ['echo-rows', 'rows.csv', 'a table', '"rows.csv"'],
    ] as const) {
      await assert.rejects(model.predict({ options: { [name]: value } }), {
        message: `Option ${name} must be ${expected}, got ${got}.`,
      });
    }
  });
  test('accepts texts for a model whose inputs are texts', async () =>
    assert.equal((await model.predict({ texts: ['a'] })).rows.length, 1));
});

test('events are JSON', () => {
  for (const event of EVENTS) assert.deepEqual(JSON.parse(JSON.stringify(event)), event);
});
