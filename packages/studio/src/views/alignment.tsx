/** Attention: which source tokens the decoder of a translation model reads for every output token. */
import { useSignal } from '@preact/signals';
import { formatNumber } from '../charts/format-number.js';
import { colorTable, cssColor, isDark } from '../charts/palette.js';
import type { AlignedTranslation } from '../engine/translations.js';
import { t } from '../i18n/index.js';
import { ask } from '../state/actions.js';
import { type Failure, failureOf } from '../state/failure.js';
import { FailureBox } from '../ui/failure.js';

export function AlignmentForm({ path }: { path: string }) {
  const text = useSignal('');
  const found = useSignal<AlignedTranslation | null>(null);
  const failure = useSignal<Failure | null>(null);
  const run = async (): Promise<void> => {
    try {
      found.value = await ask<AlignedTranslation>({ about: 'translate', path, text: text.value });
      failure.value = null;
    } catch (error) {
      failure.value = failureOf('advice_translate', error);
    }
  };
  return (
    <form
      class="alignment"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <div class="options">
        <label>
          {t('sourceText')}
          <input
            type="text"
            id="source"
            value={text.value}
            onInput={(event) => (text.value = event.currentTarget.value)}
          />
        </label>
        <button type="submit" id="translate">
          {t('translate')}
        </button>
      </div>
      <FailureBox failure={failure.value} />
      {found.value && <Alignment found={found.value} />}
    </form>
  );
}

function Alignment({ found: { text, sourceTokens, tokens, weights } }: { found: AlignedTranslation }) {
  const table = colorTable('sequential', isDark.value);
  return (
    <>
      <p id="translation">{text}</p>
      <div class="scroll">
        <table class="confusion" aria-label={t('alignmentTitle')}>
          <thead>
            <tr>
              <th scope="col">{t('alignmentTitle')}</th>
              {sourceTokens.map((token, s) => (
                <th key={s} scope="col">
                  {token}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {tokens.map((token, n) => (
              <tr key={n}>
                <th scope="row">{token}</th>
                {sourceTokens.map((_, s) => {
                  const weight = weights[n * sourceTokens.length + s];
                  const background = cssColor(table[Math.round(255 * Math.min(1, weight))]);
                  return (
                    <td key={s} style={{ background, color: weight > 0.6 ? '#000' : '#fff' }}>
                      {formatNumber(Number(weight.toFixed(2)))}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
