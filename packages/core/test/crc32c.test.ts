/** CRC-32C: the values of RFC 3720 (B.4), and the same checksums from both implementations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

const [small, sliced] = await Promise.all(
  ['crc32c', 'crc32c-sliced'].map(async (name) => {
    const { href } = new URL(`../dist/${name}.js`, import.meta.url);
    return ((await import(href)) as { crc32c: (data: Uint8Array) => number }).crc32c;
  }),
);

test('both implementations give the values of RFC 3720', () => {
  for (const crc32c of [small, sliced]) {
    assert.equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
    assert.equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => i)), 0x46dd794e);
    assert.equal(crc32c(Uint8Array.from({ length: 32 }, (_, i) => 31 - i)), 0x113fdb5c);
    assert.equal(crc32c(new Uint8Array()), 0);
  }
});
test('both implementations agree on every length and offset', () => {
  const bytes = Uint8Array.from({ length: 80 }, (_, i) => (i * 2654435761) >>> 11);
  for (let from = 0; from < 9; from++) {
    for (let to = from; to < 80; to++) {
      const part = bytes.subarray(from, to);
      assert.equal(sliced(part), small(part), `${from} to ${to}`);
    }
  }
});
