/** The settings of a visitor, and their form in the fragment of the URL. */

export const PRESETS = [
  'adding',
  'copy',
  'reverse',
  'sine',
  'passengers',
  'characters',
  'sentiment',
  'csv',
] as const;
export type PresetName = (typeof PRESETS)[number];
export const CELLS = ['rnn', 'lstm', 'gru', 'minGru'] as const;
export type CellKind = (typeof CELLS)[number];
export const INITS = ['default', 'glorot', 'identity', 'chrono', 'large'] as const;
export type InitName = (typeof INITS)[number];
export const VIEWS = [
  ...(['train', 'network', 'gates', 'gradients', 'influence', 'predictions', 'states', 'files'] as const),
];
export type ViewName = (typeof VIEWS)[number];

export interface Settings {
  preset: PresetName;
  cells: readonly CellKind[];
  units: number;
  layers: number;
  /** Steps of each sequence. */
  length: number;
  learningRate: number;
  /** Global norm to which gradients are clipped; 0: no clipping. */
  clip: number;
  init: InitName;
  dropout: number;
  batch: number;
  seed: number;
}

/**
 * The range of each numeric setting. `step` is 1 if the setting must be an integer; otherwise, it is the step of a linear
 * slider, or 0 for a logarithmic slider.
 */
export const RANGES = {
  units: { min: 1, max: 512, step: 1 },
  layers: { min: 1, max: 3, step: 1 },
  length: { min: 4, max: 1000, step: 1 },
  learningRate: { min: 0.00001, max: 1, step: 0 },
  clip: { min: 0, max: 100, step: 0 },
  dropout: { min: 0, max: 0.8, step: 0.05 },
  batch: { min: 1, max: 128, step: 1 },
  seed: { min: 0, max: 9999, step: 1 },
} as const;
export type NumericSetting = keyof typeof RANGES;

const SHARED = {
  cells: CELLS.slice(0, 3),
  layers: 1,
  clip: 1,
  init: 'default',
  dropout: 0,
  batch: 32,
  seed: 0,
} as const;

/** The settings with which each preset starts. */
export const DEFAULTS: Readonly<Record<PresetName, Settings>> = {
  adding: { ...SHARED, preset: 'adding', units: 32, length: 50, learningRate: 0.005 },
  copy: { ...SHARED, preset: 'copy', units: 48, length: 40, learningRate: 0.01 },
  reverse: { ...SHARED, preset: 'reverse', units: 24, length: 8, learningRate: 0.01 },
  sine: { ...SHARED, preset: 'sine', units: 16, length: 40, learningRate: 0.005 },
  passengers: { ...SHARED, preset: 'passengers', units: 16, length: 24, learningRate: 0.005 },
  characters: { ...SHARED, preset: 'characters', units: 64, length: 40, learningRate: 0.01 },
  sentiment: { ...SHARED, preset: 'sentiment', units: 16, length: 16, learningRate: 0.01 },
  csv: { ...SHARED, preset: 'csv', units: 16, length: 24, learningRate: 0.005 },
};

/** Settings that can change without restarting training. */
export const LIVE_SETTINGS: ReadonlySet<keyof Settings> = new Set(['learningRate', 'clip']);

/** Returns settings as the fragment of a URL, without the settings that are the defaults of the preset. */
export function toFragment(settings: Settings, extra: Readonly<Record<string, string>> = {}): string {
  const standard = DEFAULTS[settings.preset];
  const params = new URLSearchParams({ preset: settings.preset });
  for (const key of Object.keys(standard) as (keyof Settings)[]) {
    const value = String(settings[key]);
    if (value !== String(standard[key])) params.set(key, value);
  }
  for (const [key, value] of Object.entries(extra)) if (value !== '') params.set(key, value);
  return `#${params.toString().replaceAll('%2C', ',')}`;
}

/** Reads settings from the fragment of a URL. Unknown names and values out of range are ignored. */
export function fromFragment(fragment: string): { settings: Settings; params: URLSearchParams } {
  const params = new URLSearchParams(fragment.replace(/^#/, ''));
  const preset = oneOf(PRESETS, params.get('preset')) ?? 'adding';
  const settings: Settings = { ...DEFAULTS[preset] };
  for (const name of Object.keys(RANGES) as NumericSetting[]) {
    const text = params.get(name);
    if (text !== null) settings[name] = inRange(name, Number(text)) ?? settings[name];
  }
  settings.init = oneOf(INITS, params.get('init')) ?? settings.init;
  const cells = (params.get('cells') ?? '').split(',').flatMap((cell) => oneOf(CELLS, cell) ?? []);
  if (cells.length > 0) settings.cells = CELLS.filter((cell) => cells.includes(cell));
  return { settings, params };
}

export const oneOf = <T extends string>(names: readonly T[], text: string | null): T | undefined =>
  names.find((name) => name === text);

/** Returns the number if it is a valid value of the setting; otherwise undefined. */
export function inRange(name: NumericSetting, value: number): number | undefined {
  const { min, max, step } = RANGES[name];
  if (!Number.isFinite(value) || value < min || value > max) return undefined;
  return step === 1 && !Number.isInteger(value) ? undefined : value;
}
