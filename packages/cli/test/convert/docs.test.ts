// Checks that the table of formats in docs/convert.md matches the code.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { extensionsOf, formatNamed, formatNames } from '@unroll/formats/convert';

test('docs/convert.md lists the formats', async () => {
  const rows = await Promise.all(
    formatNames().map(async (name) => {
      const { write } = await formatNamed(name);
      const extensions = extensionsOf(name).map((extension) => `\`.${extension}\``);
      const listed = [...(name === 'unroll' ? ['a folder'] : []), ...extensions].join(', ');
      return `| \`${name}\` | ${listed} | ${name === 'app' ? 'no' : 'yes'} | ${write ? 'yes' : 'no'} |`;
    }),
  );
  const text = readFileSync(new URL('../../../../docs/convert.md', import.meta.url), 'utf8');
  const table = text.slice(text.indexOf('| format |'));
  assert.equal(
    table.slice(0, table.indexOf('\n\n')),
    ['| format | extensions | in | out |', '|---|---|---|---|', ...rows].join('\n'),
  );
});
