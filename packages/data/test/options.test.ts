// Options of the functions of @unroll/data: unknown options, other spellings, wrong values.
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
const rows: Record<string, [Call, object, [string, string], [object, string]]> = {
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

for (const [owner, [call, good, [spelling, meant], [wrong, message]]] of Object.entries(rows)) {
  test(owner, () => {
    const refuses = (options: object, text: string): void =>
      assert.throws(() => call({ ...good, ...options } as never), { code: 'value', message: text });
    call(good as never);
    refuses({ [spelling]: 1 }, `${owner}: there is no option "${spelling}". Did you mean "${meant}"?`);
    refuses(wrong, `${owner}: ${message}.`);
    assert.throws(
      () => call({ ...good, qqqqqq: 1 } as never),
      /there is no option "qqqqqq"\. The options are /,
    );
  });
}

test('an unknown kind of scaler is refused', () =>
  assert.throws(
    () => scalerFromConfig({ kind: 'minmax' } as unknown as ScalerConfig),
    /There is no scaler of kind "minmax"\. Choose one of standard, minMax, robust, log\. Did you mean "minMax"\?/,
  ));
