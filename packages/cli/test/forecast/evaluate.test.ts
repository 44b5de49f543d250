// unroll evaluate and unroll inspect with a forecasting model; unroll predict and unroll inspect with a model without a task.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { saveArtifact } from '@unroll/formats/node';
import { dense, input, lstm, model } from '@unroll/nn';
import { passengers, QUICK, useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll } = temp;
const lines = readFileSync(passengers, 'utf8').trim().split('\n');

before(async () => {
  writeFileSync(join(temp.folder, 'old.csv'), `${lines.slice(0, 121).join('\n')}\n`);
  writeFileSync(join(temp.folder, 'new.csv'), `${[lines[0], ...lines.slice(121)].join('\n')}\n`);
  const options = [
    '--target',
    'passengers',
    '--horizon',
    '6',
    ...QUICK,
    '--seed',
    '3',
    '--quiet',
    '--out',
    'old',
  ];
  assert.equal((await unroll(['forecast', 'old.csv', ...options])).code, 0);
  const rows = input({ shape: [null, 3], name: 'rows' });
  const state = lstm({ units: 5, name: 'memory' }).apply(rows);
  const network = model({ inputs: rows, outputs: dense({ units: 2, name: 'out' }).apply(state) });
  network.build();
  await saveArtifact(join(temp.folder, 'plain'), network, { weights: 'float16' });
  await saveArtifact(join(temp.folder, 'plain.zip'), network);
});

test('evaluate scores the model and the best baseline on the newer rows', async () => {
  const { code, stdout, stderr } = await unroll(['evaluate', 'old/model', '--data', 'new.csv']);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^Rows up to 1958-12 are training rows stored in the model\.$/m);
  assert.match(stdout, /^24 forecasts of up to 6 rows, from 1959-01 to 1960-12\.$/m);
  assert.match(
    stdout,
    /^model +MASE +sMAPE +RMSE +MAE +WQL +coverage 80% +coverage 95%\nlstm .*\nseasonal-naive .*\n\n$/m,
  );
  const json = await unroll(['evaluate', 'old/model', '--data', passengers, '--json']);
  const scores = JSON.parse(json.stdout.trimEnd().split('\n').at(-1)!);
  assert.deepEqual([scores.event, scores.rows[0][0]], ['scores', 'lstm']);
  assert.ok(
    stdout.includes(scores.rows[0][3].toFixed(2)),
    'the scores are the same for all rows and for the newer rows',
  );
});

test('evaluate rejects data without newer rows', async () => {
  const { code, stdout, stderr } = await unroll(['evaluate', 'old/model', '--data', 'old.csv']);
  assert.deepEqual([code, stdout], [2, '']);
  assert.match(
    stderr,
    /^unroll: old\.csv has no values of "passengers" after 1958-12, .* Provide newer rows\.\n$/,
  );
});

describe('inspect', () => {
  test('describes a forecasting model: task, layers, weights, and what it was trained on', async () => {
    const { code, stdout } = await unroll(['inspect', 'old/model']);
    assert.equal(code, 0);
    for (const line of [
      /^task +forecast, format version 1$/m,
      /^target +passengers$/m,
      /^frequency +monthly$/m,
      /^horizon +6$/m,
      /^season +12$/m,
      /^rows up to +1958-12$/m,
      /^relative_lstm1 \(LSTM\) +\[·, 4\] +96 relative_window$/m,
      /^Parameters: 268 \(.*\); trainable 268, not trainable 0$/m,
      /^weights +model\.safetensors, [\d,]+ bytes, float32$/m,
      /^data\.file +old\.csv$/m,
      /^data\.rows +120$/m,
      /^data\.sha256 +[0-9a-f]{64}$/m,
      /^seed +3$/m,
      /^epochs +\d, \d$/m,
      /^leaderboard:\nmodel +mase .*\nlstm /m,
    ])
      assert.match(stdout, line);
  });
  test('prints JSON with --json', async () => {
    const { stdout } = await unroll(['inspect', 'old/model', '--json']);
    const { task, facts, network, training } = JSON.parse(stdout);
    assert.deepEqual(task, { name: 'forecast', version: 1, known: true });
    assert.deepEqual(facts[0], { name: 'target', value: 'passengers' });
    assert.deepEqual(network.layers[2], {
      name: 'relative_lstm1',
      type: 'LSTM',
      shapes: [[-1, 4]],
      parameters: 96,
      from: ['relative_window'],
    });
    assert.deepEqual(network.parameters, { total: 268, trainable: 268 });
    assert.deepEqual(network.weights.types, ['F32']);
    assert.deepEqual([training.seed, training.data.rows], [3, 120]);
  });
  test('describes a model without a task, in a folder or a zip', async () => {
    const plain = (await unroll(['inspect', 'plain'])).stdout;
    assert.match(plain, /^task +none$/m);
    assert.match(plain, /^memory \(LSTM\) +\[·, 5\] +180/m);
    assert.match(plain, /^weights +model\.safetensors, [\d,]+ bytes, float16$/m);
    assert.match((await unroll(['inspect', 'plain.zip'])).stdout, /bytes, float32$/m);
  });
});

test('predict explains how to use a model without a task', async () => {
  const { code, stderr } = await unroll(['predict', 'plain']);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /no pipeline\.json, so it belongs to no task\. .* with load\(\) of unrolljs\. unroll inspect describes/,
  );
});
