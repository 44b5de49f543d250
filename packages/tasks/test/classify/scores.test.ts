// Scores of classes: expected values from the documentation of scikit-learn (precision_recall_fscore_support, f1_score).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyScores } from '@unroll/tasks';

test('precision, recall and F1 as in scikit-learn', () => {
  // y_true = cat dog pig cat dog pig, y_pred = cat pig dog cat cat dog
  const scores = classifyScores([0, 1, 2, 0, 1, 2], [0, 2, 1, 0, 0, 1], ['cat', 'dog', 'pig']);
  assert.deepEqual(scores.confusion, [
    [2, 0, 0],
    [1, 0, 1],
    [0, 2, 0],
  ]);
  assert.deepEqual(
    scores.classes.map(({ precision, recall, f1, support }) => [precision, recall, f1, support]),
    [
      [2 / 3, 1, 0.8, 2],
      [0, 0, 0, 2],
      [0, 0, 0, 2],
    ],
  );
  assert.ok(Math.abs(scores.macroF1 - 0.26666666) < 1e-8);
  assert.equal(scores.accuracy, 2 / 6);
});

test('a label with neither texts nor predictions does not count in macro F1', () => {
  const scores = classifyScores([0, 1], [0, 1], ['a', 'b', 'c']);
  assert.equal(scores.macroF1, 1);
  assert.equal(classifyScores([0, 1], [0, 2], ['a', 'b', 'c']).macroF1, 1 / 3);
});
