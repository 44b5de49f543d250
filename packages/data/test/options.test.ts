// Functions of @unroll/data reject unknown options, suggest the correct name for a misspelt one, and reject invalid values.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  bucketByLength,
  padSequences,
  parseCsv,
  parseJsonLines,
  type ScalerConfig,
  scalerFromConfig,
  slidingWindows,
} from '@unroll/data';

type Call = (options: never) => unknown;
type Case = [
  call: Call,
  validOptions: object,
  misspelt: [spelling: string, suggestion: string],
  invalid: [options: object, message: string],
];
const cases: Record<string, Case> = {
  padSequences: [
    (options) => padSequences([[1]], options),
    {},
    ['padding', 'side'],
    [{ side: 'pre' }, 'side must be "right" or "left", got "pre"'],
  ],
  bucketByLength: [
    (options) => bucketByLength([1], options),
    {},
    ['batch_size', 'batchSize'],
    [{ batchSize: '8' }, 'batchSize must be a positive integer, got "8"'],
  ],
  slidingWindows: [
    (options) => slidingWindows([[1, 2]], options),
    { window: 1, horizon: 1 },
    ['windw', 'window'],
    [{ step: null }, 'step must be a positive integer, got null'],
  ],
  parseCsv: [
    (options) => parseCsv('a\n1', options),
    {},
    ['delimeter', 'delimiter'],
    [{ decimal: ';' }, 'decimal must be "." or ",", got ";"'],
  ],
  parseJsonLines: [
    (options) => parseJsonLines('{"a":1}', options),
    {},
    ['sources', 'source'],
    [{ source: 1 }, 'source must be a string, got 1'],
  ],
};

for (const [functionName, [call, validOptions, [spelling, suggestion], [invalid, message]]] of Object.entries(
  cases,
)) {
  test(`${functionName} rejects unknown, misspelt and invalid options`, () => {
    const assertRejects = (options: object, messageText: string): void =>
      assert.throws(() => call({ ...validOptions, ...options } as never), {
        code: 'value',
        message: messageText,
      });
    call(validOptions as never);
    assertRejects(
      { [spelling]: 1 },
      `${functionName}: there is no option "${spelling}". Did you mean "${suggestion}"?`,
    );
    assertRejects(invalid, `${functionName}: ${message}.`);
    assert.throws(
      () => call({ ...validOptions, qqqqqq: 1 } as never),
      /there is no option "qqqqqq"\. The options are /,
    );
  });
}

test('scalerFromConfig rejects an unknown kind, and suggests a similar one', () =>
  assert.throws(
    () => scalerFromConfig({ kind: 'minmax' } as unknown as ScalerConfig),
    /There is no scaler of kind "minmax"\. Choose one of standard, minMax, robust, log\. Did you mean "minMax"\?/,
  ));
