/** The controls of the settings: problem, cells, networks and training. */
import { t } from '../i18n/index.js';
import { change, choosePreset, toggleCell } from '../state/actions.js';
import {
  CELLS,
  INITS,
  inRange,
  type NumericSetting,
  PRESETS,
  type PresetName,
  RANGES,
} from '../state/settings.js';
import * as store from '../state/store.js';
import { DataField } from './data-field.js';
import { cellName, Swatch } from './lanes.js';

const SLIDERS = ['units', 'layers', 'length', 'learningRate', 'clip', 'dropout'] as const;

export function Knobs() {
  const settings = store.settings.value;
  return (
    <form class="knobs" onSubmit={(event) => event.preventDefault()}>
      <label class="field">
        <span>{t('problem')}</span>
        <select
          id="preset"
          value={settings.preset}
          onChange={(event) => choosePreset(event.currentTarget.value as PresetName)}
        >
          {PRESETS.map((preset) => (
            <option key={preset} value={preset}>
              {t(`preset_${preset}`)}
            </option>
          ))}
        </select>
      </label>
      <p class="about">{t(`about_${settings.preset}`)}</p>
      <DataField />
      <fieldset class="cells">
        <legend>{t('cells')}</legend>
        {CELLS.map((cell) => (
          <label key={cell}>
            <input
              type="checkbox"
              id={`cell-${cell}`}
              checked={settings.cells.includes(cell)}
              onChange={() => toggleCell(cell)}
            />
            <Swatch cell={cell} />
            {cellName(cell)}
          </label>
        ))}
      </fieldset>
      {SLIDERS.map((name) => (
        <Slider key={name} name={name} />
      ))}
      <label class="field">
        <span>{t('init')}</span>
        <select
          id="init"
          value={settings.init}
          onChange={(event) => change({ init: event.currentTarget.value as 'default' })}
        >
          {INITS.map((name) => (
            <option key={name} value={name}>
              {t(`init_${name}`)}
            </option>
          ))}
        </select>
      </label>
      <div class="pair">
        <NumberField name="batch" />
        <NumberField name="seed" />
      </div>
    </form>
  );
}

/** The values at the ends of logarithmic sliders, which have the positions 1 to 100. Position 0 of the slider for clipping means no clipping. */
const LOGARITHMIC: Partial<Record<NumericSetting, readonly [number, number]>> = {
  units: [1, 512],
  length: [4, 1000],
  learningRate: [1e-4, 0.3],
  clip: [0.01, 100],
};

function toSlider(name: NumericSetting, value: number): number {
  const ends = LOGARITHMIC[name];
  if (!ends) return value;
  if (value <= 0) return 0;
  return 1 + (99 * Math.log(value / ends[0])) / Math.log(ends[1] / ends[0]);
}

function fromSlider(name: NumericSetting, position: number): number {
  const ends = LOGARITHMIC[name];
  if (!ends) return position;
  if (position < 1) return name === 'clip' ? 0 : ends[0];
  const value = ends[0] * (ends[1] / ends[0]) ** ((position - 1) / 99);
  return RANGES[name].step === 1 ? Math.round(value) : Number(value.toPrecision(2));
}

function Slider({ name }: { name: (typeof SLIDERS)[number] }) {
  const value = store.settings.value[name];
  const { min, max, step } = RANGES[name];
  const logarithmic = name in LOGARITHMIC;
  const text = name === 'clip' && value === 0 ? t('noClipping') : String(value);
  return (
    <label class="field">
      <span>
        {t(name)} <b class="value">{text}</b>
      </span>
      <input
        type="range"
        id={`knob-${name}`}
        min={logarithmic ? (name === 'clip' ? 0 : 1) : min}
        max={logarithmic ? 100 : max}
        step={logarithmic ? 1 : step}
        value={toSlider(name, value)}
        aria-valuetext={text}
        onInput={(event) => change({ [name]: fromSlider(name, Number(event.currentTarget.value)) })}
      />
    </label>
  );
}

function NumberField({ name }: { name: 'batch' | 'seed' }) {
  const { min, max } = RANGES[name];
  return (
    <label class="field">
      <span>{t(name)}</span>
      <input
        type="number"
        id={`knob-${name}`}
        min={min}
        max={max}
        value={store.settings.value[name]}
        onChange={(event) => {
          const value = inRange(name, Number(event.currentTarget.value));
          if (value === undefined) event.currentTarget.value = String(store.settings.value[name]);
          else change({ [name]: value });
        }}
      />
    </label>
  );
}
