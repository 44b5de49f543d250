/**
 * Rows of the benchmark. A row is a recurrent network and its sizes, named `<cell>-<I>-<H>-<B>-<T>`, with its weights
 * and its number of floating-point operations. I: input features, H: hidden units, B: batch size, T: time steps, G:
 * gates.
 */

export type Mode = 'infer' | 'train' | 'stream';
export const MODES: readonly Mode[] = ['infer', 'train', 'stream'];

export type CellName = 'rnn' | 'lstm' | 'gru';
export const GATES: Readonly<Record<CellName, number>> = { rnn: 1, gru: 3, lstm: 4 };

/**
 * The variant of the equations. `standard`: tanh and logistic gates, GRU with the reset gate after the product, as in
 * Keras and PyTorch. Some peers implement only another variant: `reset-before` (GRU), `relu` (simple RNN), `no-cell`
 * (an LSTM that uses h instead of c).
 */
export type Variant = 'standard' | 'reset-before' | 'relu' | 'no-cell';

/**
 * Models of token ids, where I is the width of the embeddings. `classifier`: embedding, GRU, a dense layer with ReLU,
 * logits of the classes. `translator`: an LSTM encoder reads the source, an LSTM decoder starts from its states and
 * reads the target, and a dense layer computes the logits of every step.
 */
export type WholeName = 'classifier' | 'translator';

export interface Whole {
  model: WholeName;
  /** Number of distinct tokens. */
  vocabulary: number;
  /** Width of the classifier's dense layer; 0 if there is none. */
  hidden: number;
  classes: number;
}

const WHOLE: Readonly<Record<WholeName, Whole & { kind: CellName }>> = {
  classifier: { model: 'classifier', kind: 'gru', vocabulary: 10000, hidden: 64, classes: 2 },
  translator: { model: 'translator', kind: 'lstm', vocabulary: 5000, hidden: 0, classes: 5000 },
};

/** One recurrent layer of a row. */
export interface LayerSpec {
  input: number;
  bidirectional: boolean;
  /** Whether the layer returns the outputs of all steps or only the last one. */
  sequences: boolean;
}

export interface Row {
  name: string;
  /**
   * The first part of the name: a cell, `grubefore` (GRU, reset gate before the product), `bilstm2`, or a whole model.
   */
  cell: CellName | 'grubefore' | 'bilstm2' | WholeName;
  /** The cell of every layer. */
  kind: CellName;
  /** Set for whole models; their recurrent layers are not in `layers`. */
  whole?: Whole;
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

export function makeRow(cell: Row['cell'], I: number, H: number, B: number, T: number): Row {
  const row = { name: `${cell}-${I}-${H}-${B}-${T}`, cell, I, H, B, T };
  if (cell === 'classifier' || cell === 'translator') {
    const { kind, ...whole } = WHOLE[cell];
    return { ...row, kind, whole, layers: [] };
  }
  if (cell !== 'bilstm2') {
    const kind = cell === 'grubefore' ? 'gru' : cell;
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
  const found = /^(rnn|lstm|gru|grubefore|bilstm2|classifier|translator)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(name);
  const sizes = found?.slice(2).map(Number) ?? [];
  if (!found || sizes.some((size) => size < 1)) {
    throw new Error(
      `row must be <cell>-<I>-<H>-<B>-<T>, such as lstm-128-128-32-100, got "${name}". ` +
        'Cells: rnn, lstm, gru, grubefore, bilstm2, classifier, translator.',
    );
  }
  const [I, H, B, T] = sizes as [number, number, number, number];
  return makeRow(found[1] as Row['cell'], I, H, B, T);
}

/** Width of the output. */
export const outputWidth = (row: Row): number =>
  row.whole?.classes ?? row.H * (row.layers[row.layers.length - 1].bidirectional ? 2 : 1);

const cellSpecs = ({ kind, H }: Row, name: string, input: number): WeightSpec[] => [
  { name: `${name}/W`, shape: [input, GATES[kind] * H] },
  { name: `${name}/U`, shape: [H, GATES[kind] * H] },
  { name: `${name}/b`, shape: kind === 'gru' ? [2, GATES[kind] * H] : [GATES[kind] * H] },
];

const denseSpecs = (name: string, input: number, units: number): WeightSpec[] => [
  { name: `${name}/W`, shape: [input, units] },
  { name: `${name}/b`, shape: [units] },
];

/** The weights in Keras's order and layout: W [I, GH], U [H, GH], b [GH] (GRU: [2, 3H]) of each cell. */
export function weightSpecs(row: Row): WeightSpec[] {
  const { I, H, layers, whole } = row;
  const table = (name: string): WeightSpec => ({ name, shape: [whole!.vocabulary, I] });
  if (whole?.model === 'classifier') {
    const { hidden, classes } = whole;
    const head = [...denseSpecs('hidden', H, hidden), ...denseSpecs('out', hidden, classes)];
    return [table('embedding'), ...cellSpecs(row, 'cell', I), ...head];
  }
  if (whole?.model === 'translator') {
    const encoder = [table('source'), ...cellSpecs(row, 'encoder', I)];
    const decoder = [table('target'), ...cellSpecs(row, 'decoder', I)];
    return [...encoder, ...decoder, ...denseSpecs('out', H, whole.classes)];
  }
  return layers.flatMap(({ input, bidirectional }, layer) =>
    (bidirectional ? ['forward', 'backward'] : ['forward']).flatMap((direction) =>
      cellSpecs(row, `${layer}/${direction}`, input),
    ),
  );
}

/** The row that a mode runs: a stream runs one step at B = 1 with the row's widths, other modes run the row itself. */
export const rowFor = (row: Row, mode: Mode): Row =>
  mode === 'stream' ? makeRow(row.cell, row.I, row.H, 1, 1) : row;

/** Whether a row can run in a mode. Only single cells can stream. */
export const modeFits = (row: Row, mode: Mode): boolean => mode !== 'stream' || row.cell === row.kind;

/** Floating-point operations of the input products of a cell, over the whole sequence. */
const inputFlops = ({ kind, H, B, T }: Row, input: number): number => 2 * T * B * GATES[kind] * H * input;

function forwardFlops(row: Row): number {
  const { I, H, B, T, layers, whole } = row;
  const cell = (input: number): number => inputFlops(row, input) + inputFlops(row, H);
  if (whole?.model === 'classifier') return cell(I) + 2 * B * whole.hidden * (H + whole.classes);
  if (whole?.model === 'translator') return 2 * cell(I) + 2 * B * T * H * whole.classes;
  return layers.reduce((sum, layer) => sum + (layer.bidirectional ? 2 : 1) * cell(layer.input), 0);
}

/** Operations of the matrix products as usually credited: 2·T·B·G·H·(I+H) per layer, three times that for training. */
export const creditedFlops = (row: Row, mode: Mode): number => (mode === 'train' ? 3 : 1) * forwardFlops(row);

/**
 * Operations of the matrix products that are executed. Without an embedding, training does not need the gradient of the
 * first layer's input.
 */
export function executedFlops(row: Row, mode: Mode): number {
  const credited = creditedFlops(row, mode);
  if (mode !== 'train' || row.whole) return credited;
  const { input, bidirectional } = row.layers[0];
  return credited - (bidirectional ? 2 : 1) * inputFlops(row, input);
}

/** (I, H, B, T) for every cell: typical small models, and the square sizes (I = H) of published benchmarks. */
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

/** Rows of Baidu's DeepBench that a CPU can run in reasonable time, two bidirectional layers, and whole models. */
const FURTHER = [
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
  ...FURTHER.map(parseRow),
];

export const QUICK_ROWS: readonly Row[] = ['lstm-32-64-32-50', 'lstm-128-128-32-100', 'gru-32-64-32-50'].map(
  parseRow,
);

/** Selects rows by a list of names. A name prefix selects all rows that start with it. */
export function chooseRows(list: string | undefined, standard: readonly Row[]): Row[] {
  if (list === undefined) return [...standard];
  return list.split(',').flatMap((word) => {
    const name = word.trim();
    const prefixed = ALL_ROWS.filter((row) => row.name.startsWith(`${name}-`));
    return prefixed.length > 0 ? prefixed : [parseRow(name)];
  });
}
