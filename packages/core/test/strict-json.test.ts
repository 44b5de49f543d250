/** Tests the parser of JSON from untrusted sources: valid JSON is parsed, everything else is rejected with a reason. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UnrollError } from '@unroll/core';
import { parseStrictJson } from '@unroll/core/internal';

describe('strict JSON', () => {
  test('parses the same values as JSON.parse, into objects without a prototype', () => {
    const text = ' {"a": [1, -2.5e-3, true, null, "x\\u0041\\"}"], "__proto__": {"b": {}}, "toString": "t"} ';
    const found = parseStrictJson(text, 'config.json') as Record<string, unknown>;
    assert.equal(Object.getPrototypeOf(found), null);
    assert.equal(JSON.stringify(found), JSON.stringify(JSON.parse(text)));
    assert.deepEqual(Object.keys(found), ['a', '__proto__', 'toString']);
    assert.equal(parseStrictJson('"{\\"a\\":1,\\"a\\":2}"', 'x'), '{"a":1,"a":2}');
  });

  const refused: Record<string, RegExp> = {
    '{"a": 1,}': /^config\.json is not valid JSON: .*position 8/,
    '{"a": 1} {}': /not valid JSON: .*position 9/,
    '': /not valid JSON: Unexpected end/,
    '{"a": 1, "b": {"a": 2}, "a": 3}': /duplicate key "a" at position 24\.$/,
    '{"a": 1, "\\u0061": 2}': /duplicate key "\\u0061" at position/,
    '[1e999]': /a number is beyond float64/,
    [`${'['.repeat(65)}${']'.repeat(65)}`]: /more than 64 nested levels/,
    [`${'['.repeat(1e6)}`]: /more than 64 nested levels/,
    NaN: /not valid JSON/,
    "{'a': 1}": /not valid JSON/,
    '{"a": "\\x"}': /not valid JSON/,
  };
  for (const [text, message] of Object.entries(refused)) {
    test(`rejects ${text.slice(0, 40)}`, () =>
      assert.throws(
        () => parseStrictJson(text, 'config.json'),
        (error) => {
          assert.ok(error instanceof UnrollError);
          assert.equal(error.code, 'format');
          assert.match(error.message, message);
          return true;
        },
      ));
  }
});
