// `unroll predict <model> -`: one line of output for each line of stdin, as soon as it arrives.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { useTempFolder } from './helpers.js';

const temp = useTempFolder(fileURLToPath(new URL('echo-cli.js', import.meta.url)));

before(() => {
  mkdirSync(join(temp.folder, 'echo'));
  writeFileSync(join(temp.folder, 'echo/pipeline.json'), '{"format":"unroll-echo-2","place":"a valley"}');
});

/** Runs `predict echo -` on an input. */
const predict = (input: string | Uint8Array, ...args: string[]) =>
  temp.unroll(['predict', 'echo', '-', ...args], (child) => void child.stdin!.end(input));

describe('lines of stdin', () => {
  test('are predicted in order; the output does not repeat the text', async () => {
    const { code, stdout, stderr } = await predict('ho\nhey you\n', '--upper');
    assert.deepEqual([code, stdout, stderr], [0, '2\ta valley\n7\ta valley\n', '']);
  });
  test('are predicted if they fill more than one batch', async () => {
    const lines = Array.from({ length: 5000 }, (_, i) => 'o'.repeat(1 + (i % 97)));
    const { code, stdout } = await predict(`${lines.join('\n')}\n`);
    assert.equal(code, 0);
    assert.equal(stdout, `${lines.map((line) => `${line.length}\ta valley`).join('\n')}\n`);
  });
  test('have JSON objects as output with --json', async () => {
    const { stdout } = await predict('a "b"\n', '--json');
    assert.deepEqual(JSON.parse(stdout), { echo: 'a "b"', loudness: 5, place: 'a valley' });
  });
  test('may have Windows line ends, and the last line may have no end', async () => {
    assert.equal((await predict('ho\r\nhey')).stdout, '2\ta valley\n3\ta valley\n');
  });
  test('blank lines have an empty output', async () => {
    const { code, stdout, stderr } = await predict('\nho\n  \n');
    assert.deepEqual([code, stdout, stderr], [0, '\n2\ta valley\n\n', '']);
    assert.equal((await predict('\n', '--json')).stdout, '{"text":""}\n');
  });
  test('may be missing: empty input has empty output', async () => {
    const { code, stdout, stderr } = await predict('');
    assert.deepEqual([code, stdout, stderr], [0, '', '']);
  });
  test('lines that the model refuses have an empty output and are reported', async () => {
    const { code, stdout, stderr } = await predict('ho\n(silence)\nhey\nno\n(silence) ah\n');
    assert.deepEqual([code, stdout], [2, '2\ta valley\n\n3\ta valley\n2\ta valley\n\n']);
    assert.equal(
      stderr,
      'unroll: line 2: "(silence)" has no echo.\nunroll: line 5: "(silence) ah" has no echo.\n' +
        'unroll: 2 of 5 lines could not be predicted; their output is empty.\n',
    );
    const json = await predict('(silence)\n', '--json');
    assert.deepEqual(JSON.parse(json.stdout), { text: '(silence)', error: '"(silence)" has no echo.' });
  });
  test('are predicted as soon as they arrive', async () => {
    const inputs = ['ho', 'hey', 'hello'];
    const answers: string[] = [];
    const talk = async ({ stdin, stdout }: ChildProcess) => {
      const lines = createInterface({ input: stdout! });
      for (const text of inputs) {
        stdin!.write(`${text}\n`);
        const [answer] = await once(lines, 'line');
        answers.push(answer);
      }
      stdin!.end(); // Ctrl-D
    };
    let talking: Promise<void> = Promise.resolve();
    const { code } = await temp.unroll(['predict', 'echo', '-'], (child) => {
      talking = talk(child);
    });
    await talking;
    assert.equal(code, 0);
    assert.deepEqual(
      answers,
      inputs.map(({ length }) => `${length}\ta valley`),
    );
  });
  test('cannot be combined with options that read a file, or with other arguments', async () => {
    for (const [args, message] of [
      [['--data', 'a.csv'], /--data cannot be combined with "-", which reads from stdin/],
      [['--stream'], /--stream cannot be combined with "-", which reads from stdin/],
      [['--encoding', 'gbk'], /--encoding cannot be combined with "-", which reads from stdin/],
      [
        ['--echo-rows', 'a.csv'],
        /--echo-rows reads a file, so it cannot be combined with "-", which reads from stdin/,
      ],
      [['more'], /Exactly one model is required/],
    ] as const) {
      const { code, stdout, stderr } = await predict('ho\n', ...args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, message);
    }
  });
});
