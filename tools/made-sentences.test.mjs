// Tests made-sentences.mjs: the grammar of the sentences, and that the same seed gives the same synthesised speech.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { missingVoice, sentences, speakAll, WORDS } from './made-sentences.mjs';

test('all sentences differ and together use all 60 words; the same seed gives the same sentences', () => {
  const words = Object.values(WORDS).flat();
  assert.equal(new Set(words).size, 60);
  const made = sentences(300, 5);
  assert.equal(new Set(made).size, 300);
  assert.deepEqual(sentences(300, 5), made);
  const used = new Set(made.flatMap((text) => text.split(' ')));
  assert.deepEqual([...used].sort(), [...words].sort());
  const others = sentences(300, 6, new Set(made));
  assert.ok(others.every((text) => !made.includes(text)));
});

test('repeated calls give the same sounds; another voice or `vary` changes the sound of a text', {
  skip: missingVoice() ?? false,
}, async () => {
  const texts = ['open the door', 'open the door'];
  const [plain, again] = await Promise.all(
    [1, 2].map(() => speakAll(texts, { voices: ['en-us', 'en-us+f3'] })),
  );
  assert.deepEqual(again, plain);
  assert.equal(plain[0].sampleRate, 16_000);
  assert.notDeepEqual(plain[1].samples, plain[0].samples);
  const varied = await speakAll(texts, { voices: ['en-us'], vary: true, seed: 3 });
  assert.notEqual(varied[0].samples.length, varied[1].samples.length);
});

test('a failure of espeak-ng is an error', { skip: process.platform === 'win32' }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'unroll-espeak-'));
  const path = process.env.PATH;
  writeFileSync(join(folder, 'espeak-ng'), '#!/bin/sh\necho "no voice $2" >&2\nexit 3\n', { mode: 0o755 });
  process.env.PATH = `${folder}:${path}`;
  try {
    await assert.rejects(speakAll(['open the door'], { voices: ['xx'] }), {
      message: 'espeak-ng failed (exit code 3): no voice xx',
    });
  } finally {
    process.env.PATH = path;
    rmSync(folder, { recursive: true });
  }
});
