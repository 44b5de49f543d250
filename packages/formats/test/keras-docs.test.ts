/** The table of layers in docs/convert-keras.md is generated from the code. UPDATE_DOCS=1 writes the table. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { kerasSupport } from '../dist/convert/keras/support.js';

const path = new URL('../../../docs/convert-keras.md', import.meta.url);
const [BEGIN, END] = ['<!-- layers: begin -->\n', '<!-- layers: end -->'];

function tableOf(): string {
  const rows = kerasSupport().map(({ layer, unrollName, options, isExported }) => {
    const name = unrollName === layer ? `\`${layer}\`` : `\`${layer}\` (as \`${unrollName}\`)`;
    const listed = options
      .filter((option) => !['activity_regularizer', 'cells', 'fused', 'time_major'].includes(option))
      .map((option) => (option === 'call_options' ? 'use_causal_mask` `return_attention_scores' : option));
    const list = listed.map((option) => `\`${option}\``).join(' ') || '–';
    return `| ${name} | ${isExported ? (unrollName === layer ? 'yes' : `as \`${unrollName}\``) : 'no'} | ${list} |`;
  });
  return ['| import | export | options that are translated |', '|---|---|---|', ...rows, ''].join('\n');
}

test('the table of layers in docs/convert-keras.md is up to date', () => {
  const text = readFileSync(path, 'utf8');
  const [begin, end] = [text.indexOf(BEGIN) + BEGIN.length, text.indexOf(END)];
  assert.ok(begin >= BEGIN.length && end >= begin);
  if (process.env.UPDATE_DOCS) writeFileSync(path, text.slice(0, begin) + tableOf() + text.slice(end));
  else assert.equal(text.slice(begin, end), tableOf(), 'Run the test with UPDATE_DOCS=1.');
});
