/**
 * What one row of the benchmark is: a recurrent network and its sizes, named `<cell>-<I>-<H>-<B>-<T>`, with
 * the weights it has and the floating-point operations it costs. Letters as everywhere: I input features, H
 * hidden units, B batch, T time steps, G gates.
 */

export type Mode = 'infer' | 'train' | 'stream';
export const MODES: readonly Mode[] = ['infer', 'train', 'stream'];

export type CellName = 'rnn' | 'lstm' | 'gru';
export const GATES: Readonly<Record<CellName, number>> = { rnn: 1, gru: 3, lstm: 4 };

/**
 * Which equations. `standard`: tanh and logistic gates, GRU with the reset after the product, as Keras and
 * PyTorch have them. Some peers have only another form, and run that one: `reset-before` (GRU), `relu` (the
 * plain cell), `no-cell` (an LSTM that keeps h in the place of c).
 */
export type Variant = 'standard' | 'reset-before' | 'relu' | 'no-cell';

/** One recurrent layer of a row. */
export interface LayerSpec {
  input: number;
  bidirectional: boolean;
  /** Gives every step's output, not the last one only. */
  sequences: boolean;
}

export interface Row {
  name: string;
  /** What the name begins with: a cell, or `bilstm2`. */
  cell: CellName | 'bilstm2';
  /** The cell of every layer. */
  kind: CellName;
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
  const two = cell === 'bilstm2';
  const layers: LayerSpec[] = two
    ? [
        { input: I, bidirectional: true, sequences: true },
        { input: 2 * H, bidirectional: true, sequences: false },
      ]
    : [{ input: I, bidirectional: false, sequences: false }];
  return { name: `${cell}-${I}-${H}-${B}-${T}`, cell, kind: two ? 'lstm' : cell, I, H, B, T, layers };
}

/** The row of that name. @throws Error that says how names are built */
export function parseRow(name: string): Row {
  const found = /^(rnn|lstm|gru|bilstm2)-(\d+)-(\d+)-(\d+)-(\d+)$/.exec(name);
  const sizes = found?.slice(2).map(Number) ?? [];
  if (!found || sizes.some((size) => size < 1)) {
    throw new Error(
      `"${name}" is no row. Rows are <cell>-<I>-<H>-<B>-<T>, such as lstm-128-128-32-100; the cells are ` +
        'rnn, lstm, gru and bilstm2.',
    );
  }
  const [I, H, B, T] = sizes as [number, number, number, number];
  return makeRow(found[1] as Row['cell'], I, H, B, T);
}

/** Width of the output. */
export const outputWidth = (row: Row): number => row.H * (row.layers.at(-1)!.bidirectional ? 2 : 1);

/**
 * The weights in Keras's order and layout: per layer and direction W [I, GH], U [H, GH], b [GH] (GRU: [2,
 * 3H]).
 */
export function weightSpecs({ kind, H, layers }: Row): WeightSpec[] {
  const G = GATES[kind];
  return layers.flatMap(({ input, bidirectional }, layer) =>
    (bidirectional ? ['forward', 'backward'] : ['forward']).flatMap((direction) => [
      { name: `${layer}/${direction}/W`, shape: [input, G * H] },
      { name: `${layer}/${direction}/U`, shape: [H, G * H] },
      { name: `${layer}/${direction}/b`, shape: kind === 'gru' ? [2, G * H] : [G * H] },
    ]),
  );
}

/** One step at B = 1 with the row's widths; the other modes take the row as it is. */
export const rowFor = (row: Row, mode: Mode): Row =>
  mode === 'stream' ? makeRow(row.cell, row.I, row.H, 1, 1) : row;

/** Whether a mode makes sense for a row: a bidirectional network cannot stream. */
export const modeFits = (row: Row, mode: Mode): boolean => mode !== 'stream' || row.cell !== 'bilstm2';

function layerFlops({ kind, H, B, T }: Row, layer: LayerSpec): { inputs: number; states: number } {
  const directions = layer.bidirectional ? 2 : 1;
  const perColumn = 2 * T * B * GATES[kind] * H * directions;
  return { inputs: perColumn * layer.input, states: perColumn * H };
}

/**
 * Floating-point operations of the matrix products, as the field credits them: 2·T·B·G·H·(I+H), thrice to
 * train.
 */
export function creditedFlops(row: Row, mode: Mode): number {
  const forward = row.layers.reduce((sum, layer) => {
    const { inputs, states } = layerFlops(row, layer);
    return sum + inputs + states;
  }, 0);
  return mode === 'train' ? 3 * forward : forward;
}

/** ... and as they must be executed: the gradient of a first layer's input is asked for by nobody. */
export function executedFlops(row: Row, mode: Mode): number {
  const credited = creditedFlops(row, mode);
  return mode === 'train' ? credited - layerFlops(row, row.layers[0]!).inputs : credited;
}

/** (I, H, B, T) of every cell: small ones that people train, and the squares that others publish. */
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

/** The rows of Baidu's DeepBench that a processor finishes, and a network of two bidirectional layers. */
const FURTHER = [
  'lstm-256-256-16-150',
  'lstm-256-256-32-150',
  'lstm-256-256-64-150',
  'lstm-1536-1536-8-50',
  'gru-512-512-32-25',
  'bilstm2-128-128-32-100',
];

export const ALL_ROWS: readonly Row[] = [
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((cell) => SIZES.map((sizes) => makeRow(cell, ...sizes))),
  ...FURTHER.map(parseRow),
];

export const QUICK_ROWS: readonly Row[] = ['lstm-32-64-32-50', 'lstm-128-128-32-100', 'gru-32-64-32-50'].map(
  parseRow,
);

/** Rows by a list of names; a word that is no full name stands for all rows that begin with it. */
export function chooseRows(list: string | undefined, standard: readonly Row[]): Row[] {
  if (list === undefined) return [...standard];
  return list.split(',').flatMap((word) => {
    const name = word.trim();
    const prefixed = ALL_ROWS.filter((row) => row.name.startsWith(`${name}-`));
    return prefixed.length > 0 ? prefixed : [parseRow(name)];
  });
}
