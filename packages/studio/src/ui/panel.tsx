/** A titled part of a view, and the pickers that several views share. */
import type { ComponentChildren } from 'preact';
import { t } from '../i18n/index.js';
import * as store from '../state/store.js';

interface PanelProps {
  title: string;
  hint?: string;
  wide?: boolean;
  id?: string;
  actions?: ComponentChildren;
  children: ComponentChildren;
}

export function Panel({ title, hint, wide, id, actions, children }: PanelProps) {
  return (
    <section class={wide ? 'panel wide' : 'panel'} id={id} aria-label={title}>
      <div class="panel-head">
        <h2>{title}</h2>
        {actions}
      </div>
      {hint && <p class="hint">{hint}</p>}
      {children}
    </section>
  );
}

/** Chooses the example, the layer and the step that views show. */
export function Pickers({ layer = false, step = false }: { layer?: boolean; step?: boolean }) {
  const problem = store.problem.value;
  const layers = store.snapshots.value[store.cell.value]?.values.trace ?? [];
  if (!problem) return null;
  return (
    <div class="pickers">
      <label>
        {t('example')}
        <input
          type="number"
          id="example"
          min={1}
          max={problem.count}
          value={store.example.value + 1}
          onChange={(event) => {
            const value = Math.round(Number(event.currentTarget.value));
            if (value >= 1 && value <= problem.count) store.example.value = value - 1;
          }}
        />
      </label>
      {layer && layers.length > 1 && (
        <label>
          {t('layer')}
          <select
            id="layer"
            value={store.layer.value}
            onChange={(event) => (store.layer.value = Number(event.currentTarget.value))}
          >
            {layers.map(({ layer: name }, n) => (
              <option key={name} value={n}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {step && (
        <label class="grow">
          {t('timeStep')} <b class="value">{store.step.value + 1}</b>
          <input
            type="range"
            id="time"
            min={0}
            max={problem.steps - 1}
            value={store.step.value}
            onInput={(event) => (store.step.value = Number(event.currentTarget.value))}
          />
        </label>
      )}
    </div>
  );
}

/** Returns the latest values that were computed for the selected cell, with their update; null before there are any. */
export function currentSnapshot() {
  return store.snapshots.value[store.cell.value] ?? null;
}

export const Waiting = () => <p class="waiting">{t('waiting')}</p>;
