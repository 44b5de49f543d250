// The commands work with any task: they predict, evaluate, inspect and report with a task that is defined in the tests.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Progress } from '@unroll/cli/internal';
import { toZip } from '@unroll/formats';
import { TASKS } from '@unroll/tasks';
import { useTempFolder } from './helpers.js';

const temp = useTempFolder(fileURLToPath(new URL('echo-cli.js', import.meta.url)));
const { unroll } = temp;
const write = (name: string, text: string | Uint8Array) => writeFileSync(join(temp.folder, name), text);
const PIPELINE = '{"format":"unroll-echo-2","place":"a valley"}';
const TRAINING =
  '{"seed":7,"data":{"file":"hills.csv","rows":3},"tries":[{"model":"a","score":0.5},{"model":"b"}]}';

before(async () => {
  for (const name of ['echo', 'no-evaluation', 'newer-version', 'unknown-task'])
    mkdirSync(join(temp.folder, name));
  write('echo/pipeline.json', PIPELINE);
  write('echo/training.json', TRAINING);
  write('newer-version/pipeline.json', PIPELINE.replace('-2', '-3'));
  write('unknown-task/pipeline.json', PIPELINE.replace('echo', 'ghost'));
  write('no-evaluation/pipeline.json', PIPELINE.replace('valley', 'desert'));
  write('said.csv', 'said,heard\nho,ho\n"a, b",a\n');
  write('more.csv', 'said\nhey\n');
  const encode = (text: string) => new TextEncoder().encode(text);
  write('echo.zip', await toZip(new Map([['pipeline.json', encode(PIPELINE)]])));
});

describe('predict', () => {
  test('writes predictions as CSV to stdout, and notes to stderr', async () => {
    assert.deepEqual(await unroll(['predict', 'echo', '--data', 'said.csv']), {
      code: 0,
      stdout: 'echo,loudness,place\nho,2,a valley\n"a, b",4,a valley\n',
      stderr: 'It comes from a valley.\n',
    });
  });
  test('writes JSON lines, with options of every type and a zipped model', async () => {
    const options = ['--times', '2', '--gain', '1.5', '--upper', '--mark', '!', '--echo-rows', 'more.csv'];
    const { stdout } = await unroll(['predict', ...options, 'echo.zip', '--json']);
    assert.equal(stdout, '{"echo":"HEY!HEY!","loudness":6,"place":"a valley"}\n');
    const { stdout: said } = await unroll(['predict', 'echo', '--text', 'a', '--json', '--gain=-1']);
    assert.equal(said, '{"echo":"a","loudness":-1,"place":"a valley"}\n');
  });
  test('writes a file named after the task', async () => {
    const run = await unroll(['predict', 'echo', '--text', 'a', '--out', 'out']);
    assert.deepEqual([run.code, run.stdout], [0, '']);
    assert.equal(run.stderr, 'It comes from a valley.\nwritten  out: echo.csv\n');
    assert.equal(
      readFileSync(join(temp.folder, 'out/echo.csv'), 'utf8'),
      'echo,loudness,place\na,1,a valley\n',
    );
  });
  test('finds the path of the model after options that only the model declares', async () => {
    for (const args of [
      ['--upper', 'echo'],
      ['--echo-rows', 'more.csv', 'echo'],
      ['--times', '2', 'echo', '--text', 'a'],
    ])
      assert.equal((await unroll(['predict', ...args])).code, 0, args.join(' '));
  });
  test('help: the common options, and with a model also the options of the model', async () => {
    const common = (await unroll(['predict', '--help'])).stdout;
    assert.match(common, /--data <file>/);
    assert.match(common, /unroll predict <model> --help lists\s+them\./);
    assert.doesNotMatch(common, /--horizon|--times/);
    const { code, stdout } = await unroll(['predict', 'echo', '--help']);
    assert.equal(code, 0);
    assert.ok(stdout.startsWith(common));
    assert.match(
      stdout,
      /The model in echo \(task echo\):\n\nSays back the texts of the column "said", or a text\.\n\n/,
    );
    assert.match(stdout, /^ {2}--times <n> {11}how often each text is said \(default: 1\)$/m);
    assert.match(stdout, /^ {2}--upper {15}say it in capitals$/m);
    assert.match(stdout, /^ {2}--echo-rows <file> {4}more rows to say$/m);
  });
  const mistakes: Record<string, [string[], string]> = {
    'an unknown option': [['echo', '--time', '2'], 'Unknown option --time. Did you mean --times?'],
    'an invalid integer': [['echo', '--times', '0'], '--times must be an integer of at least 1, got "0".'],
    'an invalid number': [['echo', '--gain', 'loud'], '--gain must be a number, got "loud".'],
    'two models': [
      ['echo', 'newer-version'],
      'Exactly one model is required: unroll predict <model folder> [--data <file>]',
    ],
    'a file that is not a model': [
      ['said.csv'],
      'said.csv: this is neither a folder nor a .zip. Pass the folder of a saved model, or a zip of its files.',
    ],
    'a missing folder': [
      ['gone'],
      'gone: folder not found. Pass the folder of a saved model, or a zip of its files.',
    ],
    'a missing zip': [
      ['gone.zip'],
      'gone.zip: file not found. Pass the folder of a saved model, or a zip of its files.',
    ],
    'a query without a file': [
      ['echo', '--text', 'a', '--sql', 'select * from data'],
      '--sql needs --data <file>.',
    ],
    'a pattern without a folder': [
      ['echo', '--text', 'a', '--pattern', '{a}'],
      '--pattern needs a folder of WAV files as --data.',
    ],
    'a newer format version': [
      ['newer-version'],
      'This version of Unroll reads the task "echo" up to format version 2, got version 3. Update Unroll.',
    ],
    'an unknown task': [
      ['unknown-task'],
      `Unknown task "ghost". This version of Unroll supports: ${TASKS.map(({ name }) => name).join(', ')}, echo.`,
    ],
  };
  for (const [name, [args, message]] of Object.entries(mistakes)) {
    test(`rejects ${name}`, async () =>
      assert.deepEqual(await unroll(['predict', ...args]), {
        code: 2,
        stdout: '',
        stderr: `unroll: ${message}\n`,
      }));
  }
});

describe('evaluate', () => {
  test('shows the scores in the format of their columns', async () => {
    const { code, stdout, stderr } = await unroll(['evaluate', 'echo', '--data', 'said.csv']);
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(stdout, '2 texts.\n\nmodel   right\necho   50.0 %\n\n');
  });
  test('prints events with --json', async () => {
    const { stdout } = await unroll(['evaluate', 'echo', '--data', 'said.csv', '--json']);
    const [note, scores] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(note, { event: 'note', text: '2 texts.' });
    assert.deepEqual(
      [scores.event, scores.columns[1].name, scores.rows],
      ['scores', 'accuracy', [['echo', 0.5]]],
    );
  });
  test('requires a model and --data', async () => {
    const { code, stderr } = await unroll(['evaluate', 'echo']);
    assert.deepEqual(
      [code, stderr],
      [
        2,
        'unroll: Exactly one model and --data are required: unroll evaluate <model folder> --data <file>\n',
      ],
    );
    assert.match(
      (await unroll(['evaluate', '--help'])).stdout,
      /^Usage: unroll evaluate <model> --data <file>/,
    );
  });
});

test('rejects a model that does not support evaluation', async () => {
  const { code, stderr } = await unroll(['evaluate', 'no-evaluation', '--data', 'said.csv']);
  assert.deepEqual([code, stderr], [2, 'unroll: Models of the task "echo" do not support evaluation.\n']);
});

describe('inspect', () => {
  test('shows the task, the properties of the model and the training record', async () => {
    const { code, stdout } = await unroll(['inspect', 'echo']);
    assert.equal(code, 0);
    assert.equal(
      stdout,
      [
        'model  echo',
        'task   echo, format version 2',
        'place  a valley',
        'words  any, at all',
        '',
        'Trained:',
        'seed       7',
        'data.file  hills.csv',
        'data.rows  3',
        '',
        'tries:',
        'model  score',
        'a        0.5',
        'b          -',
        '',
      ].join('\n'),
    );
  });
  test('prints one JSON object with --json', async () => {
    const { stdout } = await unroll(['inspect', 'echo', '--json']);
    assert.deepEqual(JSON.parse(stdout), {
      model: 'echo',
      task: { name: 'echo', version: 2, known: true },
      facts: [
        { name: 'place', value: 'a valley' },
        { name: 'words', value: ['any', 'at all'] },
      ],
      training: JSON.parse(TRAINING),
      network: null,
    });
  });
  test('reports an unsupported format version and a missing training record', async () => {
    const later = (await unroll(['inspect', 'newer-version'])).stdout;
    assert.match(later, /^task {3}echo, format version 3, not supported by this version$/m);
    assert.match(later, /\n\nNo training record\.\n$/);
  });
  test('rejects a folder without a model, and a missing argument', async () => {
    const empty = await unroll(['inspect', '.']);
    assert.equal(
      empty.stderr,
      'unroll: .: no model found, because config.json and pipeline.json are missing.\n',
    );
    const none = await unroll(['inspect']);
    assert.deepEqual(
      [none.code, none.stderr],
      [2, 'unroll: Exactly one model is required: unroll inspect <model folder>\n'],
    );
  });
});

describe('the reporter', () => {
  const TEXT = [
    'backend  a wall',
    'echo     off two walls',
    '         One is far.',
    '[1/2] echo: listening, loss 0.250, 10 sequences/s',
    'warning: It is loud here.',
    '[2/2] echo: listening, loss -, restored from checkpoint',
    '',
    'model    right  BLEU     delay    missed',
    'echo     100 %  31.3     12.35    5.50 %',
    'silence    0 %     -  1.235e+5  100.00 %',
    '',
    'Nobody answered.',
    '',
  ];
  test('prints every event as text', async () => {
    const { stdout, stderr } = await unroll(['run']);
    assert.equal(stderr, '');
    assert.deepEqual(stdout.split('\n'), TEXT);
  });
  test('writes all events except steps as JSON, and the text to stderr', async () => {
    const { stdout, stderr } = await unroll(['run', '--json']);
    assert.deepEqual(stderr.split('\n'), TEXT);
    const events = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ event }) => event),
      ['backend', 'plan', 'epoch', 'stage', 'warning', 'stage', 'scores', 'note', 'result'],
    );
    assert.deepEqual(events[2], {
      ...{ event: 'epoch', stage: 'listen', title: 'listening', model: 'echo', training: 1, trainings: 2 },
      ...{ epoch: 1, epochs: 1, done: 0.5, loss: 0.25 },
    });
  });
  test('prints nothing with --quiet', async () =>
    assert.deepEqual(await unroll(['run', '--quiet']), { code: 0, stdout: '', stderr: '' }));
  test('draws a progress bar', () => {
    const progress = new Progress();
    const info = { stage: 's', title: 't', model: 'm', training: 3, trainings: 9, epoch: 1, epochs: 2 };
    const step = { event: 'step' as const, ...info, done: 0.25, loss: 0.5, sequencesPerSecond: 99.6 };
    assert.equal(
      progress.update(step),
      `[3/9] m █████${'░'.repeat(15)} ETA 0 s  loss 0.500  100 sequences/s`,
    );
    assert.equal(progress.update({ ...step, done: 0.5 }), null, 'not redrawn within 100 ms');
    const epoch = { ...step, event: 'epoch' as const, validationMetrics: { accuracy: 0.5 } };
    assert.match(new Progress().update(epoch) ?? '', /loss 0\.500 {2}accuracy 50\.0 % {2}0 sequences\/s$/);
  });
});
