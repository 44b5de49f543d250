/**
 * The rows of the benchmark. A row is a recurrent network with its sizes, named `<cell>-<I>-<H>-<B>-<T>`; its results are a
 * row of the result tables. Letters: I input features, H hidden units, B batch size, T time steps, G gates.
 */

export type Mode = 'infer' | 'train' | 'stream';
export const MODES: readonly Mode[] = ['infer', 'train', 'stream'];

export type CellName = 'rnn' | 'lstm' | 'gru';
/** Number of gates of each cell. */
export const GATES: Readonly<Record<CellName, number>> = { rnn: 1, gru: 3, lstm: 4 };

/**
 * A variant of the equations. `standard`: tanh activations, sigmoid gates, GRU with the reset gate after the matrix product, as
 * in Keras and PyTorch. Some of the other libraries implement only another variant: `reset-before` (GRU), `relu` (simple RNN),
 * `no-cell` (an LSTM that uses h instead of c).
 */
export type Variant = 'standard' | 'reset-before' | 'relu' | 'no-cell';

/**
 * Complete models that take token ids; I is the width of the embeddings. `classifier`: an embedding, a GRU, a dense layer
 * with ReLU, and a dense layer for the logits. `translator`: an LSTM encoder of the source, an LSTM decoder of the target
 * that starts from the states of the encoder, and a dense layer for the logits of every step.
 */
export type TextModelName = 'classifier' | 'translator';

export interface TextModel {
  model: TextModelName;
  /** Number of distinct tokens. */
  vocabulary: number;
  /** Width of the classifier's dense layer; 0 if there is none. */
  hidden: number;
  classes: number;
}

const TEXT_MODELS: Readonly<Record<TextModelName, TextModel & { kind: CellName }>> = {
  classifier: { model: 'classifier', kind: 'gru', vocabulary: 10000, hidden: 64, classes: 2 },
  translator: { model: 'translator', kind: 'lstm', vocabulary: 5000, hidden: 0, classes: 5000 },
};

/** One recurrent layer of a row. */
export interface LayerSpec {
  input: number;
  bidirectional: boolean;
  /** True if the layer returns the outputs of all steps, false if only the last one. */
  sequences: boolean;
}

export interface Row {
  name: string;
  /**
   * The first part of the name: a cell, `gru-reset-before` (a GRU with the reset gate before the matrix product), `bilstm2` (two
   * bidirectional LSTM layers), or a text model.
   */
  cell: CellName | 'gru-reset-before' | 'bilstm2' | TextModelName;
  /** The cell of every layer. */
  kind: CellName;
  /** Set for text models, whose `layers` are empty. */
  textModel?: TextModel;
  I: number;
  H: number;
  B: number;
  T: number;
  layers: LayerSpec[];
}

export interface WeightSpec {
  name: string;
  shape: number[];
}

/** Creates a row from its cell and sizes. */
export function makeRow(cell: Row['cell'], I: number, H: number, B: number, T: number): Row {
  const row = { name: `${cell}-${I}-${H}-${B}-${T}`, cell, I, H, B, T };
  if (cell === 'classifier' || cell === 'translator') {
    const { kind, ...textModel } = TEXT_MODELS[cell];
    return { ...row, kind, textModel, layers: [] };
  }
  if (cell !== 'bilstm2') {
    const kind = cell === 'gru-reset-before' ? 'gru' : cell;
    return { ...row, cell, kind, layers: [{ input: I, bidirectional: false, sequences: false }] };
  }
  const layers = [
    { input: I, bidirectional: true, sequences: true },
    { input: 2 * H, bidirectional: true, sequences: false },
  ];
  return { ...row, cell, kind: 'lstm', layers };
}

/** Parses the name of a row. @throws Error if the name is invalid */
export function parseRow(name: string): Row {
  const match =
    /^(rnn|lstm|gru|gru-reset-before|bilstm2|classifier|translator)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(name);
  const sizes = match?.slice(2).map(Number) ?? [];
  if (!match || sizes.some((size) => size < 1)) {
    throw new Error(
      `row must be <cell>-<I>-<H>-<B>-<T>, such as lstm-128-128-32-100, got "${name}". ` +
        'Cells: rnn, lstm, gru, gru-reset-before, bilstm2, classifier, translator.',
    );
  }
  const [I, H, B, T] = sizes as [number, number, number, number];
  return makeRow(match[1] as Row['cell'], I, H, B, T);
}

/** Returns the width of the output. */
export const outputWidth = (row: Row): number =>
  row.textModel?.classes ?? row.H * (row.layers[row.layers.length - 1].bidirectional ? 2 : 1);

const cellSpecs = ({ kind, H }: Row, name: string, input: number): WeightSpec[] => [
  { name: `${name}/W`, shape: [input, GATES[kind] * H] },
  { name: `${name}/U`, shape: [H, GATES[kind] * H] },
  { name: `${name}/b`, shape: kind === 'gru' ? [2, GATES[kind] * H] : [GATES[kind] * H] },
];

const denseSpecs = (name: string, input: number, units: number): WeightSpec[] => [
  { name: `${name}/W`, shape: [input, units] },
  { name: `${name}/b`, shape: [units] },
];

/** Returns the weights in Keras's order and layout. Each cell has W [I, GH], U [H, GH] and b [GH] (GRU: [2, 3H]). */
export function weightSpecs(row: Row): WeightSpec[] {
  const { I, H, layers, textModel } = row;
  const table = (name: string): WeightSpec => ({ name, shape: [textModel!.vocabulary, I] });
  if (textModel?.model === 'classifier') {
    const { hidden, classes } = textModel;
    const head = [...denseSpecs('hidden', H, hidden), ...denseSpecs('out', hidden, classes)];
    return [table('embedding'), ...cellSpecs(row, 'cell', I), ...head];
  }
  if (textModel?.model === 'translator') {
    const encoder = [table('source'), ...cellSpecs(row, 'encoder', I)];
    const decoder = [table('target'), ...cellSpecs(row, 'decoder', I)];
    return [...encoder, ...decoder, ...denseSpecs('out', H, textModel.classes)];
  }
  return layers.flatMap(({ input, bidirectional }, layer) =>
    (bidirectional ? ['forward', 'backward'] : ['forward']).flatMap((direction) =>
      cellSpecs(row, `${layer}/${direction}`, input),
    ),
  );
}

/** Returns the row that a mode runs. A stream runs one step of one sequence; other modes run the row itself. */
export const rowFor = (row: Row, mode: Mode): Row =>
  mode === 'stream' ? makeRow(row.cell, row.I, row.H, 1, 1) : row;

/** Returns whether a row can run in a mode. Only rows with a single standard cell can stream. */
export const modeFits = (row: Row, mode: Mode): boolean => mode !== 'stream' || row.cell === row.kind;

/** Counts the operations of multiplying vectors of length `input` by the weights of a cell, over all examples and steps. */
const productFlops = ({ kind, H, B, T }: Row, input: number): number => 2 * T * B * GATES[kind] * H * input;

/** Counts the floating-point operations of the matrix products of a forward pass. */
function forwardFlops(row: Row): number {
  const { I, H, B, T, layers, textModel } = row;
  const cell = (input: number): number => productFlops(row, input) + productFlops(row, H);
  if (textModel?.model === 'classifier') return cell(I) + 2 * B * textModel.hidden * (H + textModel.classes);
  if (textModel?.model === 'translator') return 2 * cell(I) + 2 * B * T * H * textModel.classes;
  return layers.reduce((sum, layer) => sum + (layer.bidirectional ? 2 : 1) * cell(layer.input), 0);
}

/**
 * Counts the operations of the matrix products in the usual way: 2·T·B·G·H·(I+H) per layer, and three times as many for
 * training.
 */
export const nominalFlops = (row: Row, mode: Mode): number => (mode === 'train' ? 3 : 1) * forwardFlops(row);

/**
 * Counts the operations of the matrix products that are executed. Without an embedding, training does not compute the
 * gradient of the inputs.
 */
export function executedFlops(row: Row, mode: Mode): number {
  const nominal = nominalFlops(row, mode);
  if (mode !== 'train' || row.textModel) return nominal;
  const { input, bidirectional } = row.layers[0];
  return nominal - (bidirectional ? 2 : 1) * productFlops(row, input);
}

/** I, H, B and T of the rows of each cell: typical small models, and sizes of published benchmarks (I = H). */
const SIZES: readonly (readonly [number, number, number, number])[] = [
  [1, 32, 32, 30],
  [8, 64, 32, 96],
  [32, 64, 32, 50],
  [64, 64, 1, 50],
  [128, 128, 1, 100],
  [128, 128, 32, 100],
  [256, 256, 16, 50],
  [256, 256, 64, 50],
  [512, 512, 1, 25],
  [512, 512, 64, 25],
  [1024, 1024, 64, 25],
];

/** Those rows of Baidu's DeepBench that a CPU can run in reasonable time; a row with two bidirectional layers; text models. */
const EXTRA_ROWS = [
  'lstm-256-256-16-150',
  'lstm-256-256-32-150',
  'lstm-256-256-64-150',
  'lstm-1536-1536-8-50',
  'gru-512-512-32-25',
  'bilstm2-128-128-32-100',
  'classifier-128-128-32-100',
  'translator-128-256-32-20',
];

export const ALL_ROWS: readonly Row[] = [
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) => SIZES.map((sizes) => makeRow(cell, ...sizes))),
  ...EXTRA_ROWS.map(parseRow),
];

export const QUICK_ROWS: readonly Row[] = ['lstm-32-64-32-50', 'lstm-128-128-32-100', 'gru-32-64-32-50'].map(
  parseRow,
);

/**
 * Selects rows by a list of names separated by commas. The first parts of a name, such as `gru-128`, select all rows whose
 * names begin with these parts.
 * @param list undefined selects `defaults`
 * @throws Error for an invalid name
 */
export function chooseRows(list: string | undefined, defaults: readonly Row[]): Row[] {
  if (list === undefined) return [...defaults];
  return list.split(',').flatMap((word) => {
    const name = word.trim();
    const prefixed = ALL_ROWS.filter((row) => row.name.startsWith(`${name}-`));
    return prefixed.length > 0 ? prefixed : [parseRow(name)];
  });
}
