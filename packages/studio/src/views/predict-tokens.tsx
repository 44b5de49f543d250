/** Predicted tokens: the example with hits and misses, the most probable tokens of a step, and generated text. */
import { signal } from '@preact/signals';
import { formatNumber } from '../charts/format-number.js';
import { cellColors } from '../charts/palette.js';
import type { PredictionValues, ProblemInfo } from '../engine/protocol.js';
import { t } from '../i18n/index.js';
import { ask } from '../state/actions.js';
import { failureOf } from '../state/failure.js';
import type { CellKind } from '../state/settings.js';
import * as store from '../state/store.js';
import { cellName } from '../ui/lanes.js';
import { Panel, Pickers, Waiting } from '../ui/panel.js';
import { InputStrip } from './inputs.js';
import { outputRow, softmaxOf } from './outputs.js';
import { visible } from './visible.js';

const temperature = signal(1);
const topK = signal(8);
const prompt = signal('');
const generated = signal('');

export function TokenPredictions({ problem }: { problem: ProblemInfo }) {
  const found = store.latestValues('predictions');
  if (found.length === 0) return <Waiting />;
  return (
    <>
      <Panel title={t('tokensTitle')} hint={t('tokensHint')} id="tokens" wide>
        <Pickers step />
        <InputStrip />
        {found.map(({ cell, value }) => (
          <Hits key={cell} cell={cell} predictions={value} problem={problem} />
        ))}
      </Panel>
      <Panel
        title={t('topTokens', { step: store.step.value + 1 })}
        id="top-tokens"
        wide
        actions={<TokenOptions />}
      >
        <div class="columns">
          {found.map(({ cell, value }) => (
            <TopTokens key={cell} cell={cell} predictions={value} problem={problem} />
          ))}
        </div>
      </Panel>
      {problem.vocabulary?.length === problem.classes?.length && !problem.attention && <Generator />}
    </>
  );
}

interface TokensProps {
  cell: CellKind;
  predictions: PredictionValues;
  problem: ProblemInfo;
}

/** The most probable token of each step that counts in the loss. Wrong tokens are crossed out. */
function Hits({ cell, predictions, problem }: TokensProps) {
  const { steps, y, weights, classes } = problem;
  const example = store.example.value;
  const results = Array.from({ length: steps }, (_, step) => {
    const row = outputRow(problem, predictions, example, step);
    const target = y[example * steps + step];
    const isCounted = weights === null || weights[example * steps + step] > 0;
    const best = row.indexOf(Math.max(...row));
    return { isCounted, text: visible(classes?.[best] ?? ''), isHit: best === target };
  });
  const counted = results.filter(({ isCounted }) => isCounted);
  const hits = counted.filter(({ isHit }) => isHit).length;
  return (
    <div class="hits">
      <b style={{ color: cellColors.value[cell] }}>{cellName(cell)}</b>{' '}
      <small>{t('hits', { hits, total: counted.length })}</small>
      <div class="tokens">
        {results.map(({ isCounted, text, isHit }, step) => (
          <span key={step} class={!isCounted ? 'token padding' : isHit ? 'token hit' : 'token miss'}>
            {isCounted ? text : '·'}
          </span>
        ))}
      </div>
    </div>
  );
}

function TopTokens({ cell, predictions, problem }: TokensProps) {
  const row = outputRow(problem, predictions, store.example.value, store.step.value);
  const probabilities = softmaxOf(row, temperature.value);
  const best = probabilities
    .map((p, id) => ({ p, id }))
    .sort((a, b) => b.p - a.p)
    .slice(0, topK.value);
  return (
    <div class="bars" data-cell={cell}>
      <b style={{ color: cellColors.value[cell] }}>{cellName(cell)}</b>
      {best.map(({ p, id }) => (
        <div key={id} class="bar">
          <code>{visible(problem.classes?.[id] ?? '')}</code>
          <span class="fill" style={{ width: `${70 * p}%`, background: cellColors.value[cell] }} />
          <small>{`${(100 * p).toFixed(1)} %`}</small>
        </div>
      ))}
    </div>
  );
}

function TokenOptions() {
  return (
    <div class="options">
      <label>
        {t('temperature')} <b class="value">{formatNumber(temperature.value)}</b>
        <input
          type="range"
          id="temperature"
          min={0.1}
          max={3}
          step={0.1}
          value={temperature.value}
          onInput={(event) => (temperature.value = Number(event.currentTarget.value))}
        />
      </label>
      <label>
        {t('topK')}
        <input
          type="number"
          id="top-k"
          min={1}
          max={30}
          value={topK.value}
          onChange={(event) =>
            (topK.value = Math.max(1, Math.min(30, Number(event.currentTarget.value) || 8)))
          }
        />
      </label>
    </div>
  );
}

let seed = 0;

function Generator() {
  const run = async (): Promise<void> => {
    const question = {
      about: 'generate',
      cell: store.cell.value,
      prompt: prompt.value,
      count: 240,
      seed: seed++,
    } as const;
    try {
      generated.value = await ask<string>({ ...question, temperature: temperature.value });
    } catch (error) {
      store.failure.value = failureOf('advice_generate', error);
    }
  };
  return (
    <Panel title={t('generateTitle', { cell: cellName(store.cell.value) })} id="generate" wide>
      <div class="options">
        <label>
          {t('prompt')}
          <input
            type="text"
            id="prompt"
            value={prompt.value}
            onInput={(event) => (prompt.value = event.currentTarget.value)}
          />
        </label>
        <button type="button" id="generate-run" onClick={() => void run()}>
          {t('generate')}
        </button>
      </div>
      <pre class="generated" aria-live="polite">
        {generated.value}
      </pre>
    </Panel>
  );
}
