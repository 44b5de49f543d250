/** The rows of `npm run bench:sequences`: their sizes, and the shapes of their inputs, targets and weights. */

/**
 * `infer`: a forward pass; `train`: forward pass, loss, backward pass, Adam; `gradient`: a loss and its gradients;
 * `search`: encoding and beam search.
 */
export type SequenceMode = 'infer' | 'train' | 'gradient' | 'search';

export type SequenceKind =
  | 'projected-lstm'
  | 'layer-norm-lstm'
  | 'min-gru'
  | 'ctc'
  | 'crf'
  | 'attention-decoder'
  | 'beam-search';

/** How a tensor is filled: uniform in [center - limit, center + limit), or integers in [first, end). */
export type TensorSpec = { name: string; shape: number[] } & (
  | { limit: number; center?: number }
  | { first: number; end: number }
);

/** The tensors of a row in the order of its data file. Weights are in the order of Unroll's parameters. */
export interface SequenceTensors {
  inputs: TensorSpec[];
  /** The targets; a single unused number if the row has none. */
  y: TensorSpec;
  weights: TensorSpec[];
}

export interface SequenceRow {
  /** The kind, followed by the batch size if a kind has several rows. */
  name: string;
  kind: SequenceKind;
  modes: readonly SequenceMode[];
  /**
   * Sizes, which both engines read: B batch size, T time steps, I input features, H units, P projected units, C classes, L labels
   * of a target, K tags, S source steps, E embedding width, V vocabulary size; of a beam search: width, length, start token.
   */
  sizes: Readonly<Record<string, number>>;
  tensors: SequenceTensors;
}

/** Limit of uniformly distributed numbers with unit variance. */
const UNIT_VARIANCE_LIMIT = Math.sqrt(3);
/** The token that starts every output. */
export const START = 1;

/** A recurrent layer over x [B, T, I], trained with the mean squared error of its last output. */
function recurrentRow(
  kind: SequenceKind,
  sizes: { B: number; T: number; I: number; H: number; P?: number },
  weights: TensorSpec[],
): SequenceRow {
  const { B, T, I, H, P = H } = sizes;
  return {
    name: kind,
    kind,
    modes: ['infer', 'train'],
    sizes,
    tensors: {
      inputs: [{ name: 'x', shape: [B, T, I], limit: UNIT_VARIANCE_LIMIT }],
      y: { name: 'y', shape: [B, P], limit: 0.5 },
      weights,
    },
  };
}

function projectedLstm(): SequenceRow {
  const [I, H, P] = [256, 512, 256];
  const limit = 1 / Math.sqrt(H);
  return recurrentRow('projected-lstm', { B: 32, T: 50, I, H, P }, [
    { name: 'W', shape: [I, 4 * H], limit },
    { name: 'U', shape: [P, 4 * H], limit },
    { name: 'b', shape: [4 * H], limit },
    { name: 'R', shape: [H, P], limit },
  ]);
}

function layerNormLstm(): SequenceRow {
  const [I, H] = [256, 256];
  const limit = 1 / Math.sqrt(H);
  const gamma = (name: string, width: number): TensorSpec => ({
    name,
    shape: [width],
    limit: 0.1,
    center: 1,
  });
  return recurrentRow('layer-norm-lstm', { B: 32, T: 50, I, H }, [
    { name: 'W', shape: [I, 4 * H], limit },
    { name: 'U', shape: [H, 4 * H], limit },
    { name: 'b', shape: [4 * H], limit },
    gamma('gammaX', 4 * H),
    gamma('gammaH', 4 * H),
    gamma('gammaC', H),
    { name: 'betaC', shape: [H], limit },
  ]);
}

function minGru(): SequenceRow {
  const [I, H] = [256, 256];
  const limit = 1 / Math.sqrt(H);
  return recurrentRow('min-gru', { B: 32, T: 512, I, H }, [
    { name: 'W', shape: [I, 2 * H], limit },
    { name: 'b', shape: [2 * H], limit },
  ]);
}

const UNUSED_TARGET: TensorSpec = { name: 'y', shape: [1], limit: 0 };

function ctc(): SequenceRow {
  const [B, T, C, L] = [32, 200, 30, 30];
  return {
    name: 'ctc',
    kind: 'ctc',
    modes: ['gradient'],
    sizes: { B, T, C, L },
    tensors: {
      inputs: [{ name: 'logits', shape: [B, T, C], limit: UNIT_VARIANCE_LIMIT }],
      y: { name: 'labels', shape: [B, L], first: 1, end: C }, // class 0 is the blank
      weights: [],
    },
  };
}

function crf(): SequenceRow {
  const [B, T, K] = [32, 50, 20];
  return {
    name: 'crf',
    kind: 'crf',
    modes: ['gradient'],
    sizes: { B, T, K },
    tensors: {
      inputs: [{ name: 'emissions', shape: [B, T, K], limit: UNIT_VARIANCE_LIMIT }],
      y: { name: 'tags', shape: [B, T], first: 0, end: K },
      weights: [
        { name: 'transitions', shape: [K, K], limit: 1 },
        { name: 'start', shape: [K], limit: 1 },
        { name: 'end', shape: [K], limit: 1 },
      ],
    },
  };
}

/**
 * The weights of the translator. The output layer of a search has larger weights: the scores of different tokens then
 * differ by more than rounding errors, so all engines must find the same tokens.
 */
function translatorWeights(E: number, H: number, V: number, outputScale: number): TensorSpec[] {
  const limit = 1 / Math.sqrt(H);
  return [
    { name: 'sourceTable', shape: [V, E], limit: UNIT_VARIANCE_LIMIT },
    { name: 'encoderW', shape: [E, 4 * H], limit },
    { name: 'encoderU', shape: [H, 4 * H], limit },
    { name: 'encoderB', shape: [4 * H], limit },
    { name: 'targetTable', shape: [V, E], limit: UNIT_VARIANCE_LIMIT },
    { name: 'decoderW', shape: [E + H, 4 * H], limit },
    { name: 'decoderU', shape: [H, 4 * H], limit },
    { name: 'decoderB', shape: [4 * H], limit },
    { name: 'attentionW', shape: [H, H], limit },
    { name: 'contextW', shape: [2 * H, H], limit },
    { name: 'outputW', shape: [H, V], limit: limit * outputScale },
    { name: 'outputB', shape: [V], limit },
  ];
}

const TRANSLATOR = { S: 30, E: 256, H: 256, V: 8000 } as const;

function attentionDecoder(): SequenceRow {
  const { S, E, H, V } = TRANSLATOR;
  const [B, T] = [32, 30];
  const tokens = (name: string, steps: number): TensorSpec => ({ name, shape: [B, steps], first: 0, end: V });
  return {
    name: 'attention-decoder',
    kind: 'attention-decoder',
    modes: ['train'],
    sizes: { ...TRANSLATOR, B, T },
    tensors: {
      inputs: [tokens('source', S), tokens('previous', T)],
      y: tokens('target', T),
      weights: translatorWeights(E, H, V, 1),
    },
  };
}

function beamSearch(B: number): SequenceRow {
  const { S, E, H, V } = TRANSLATOR;
  return {
    name: `beam-search-${B}`,
    kind: 'beam-search',
    modes: ['search'],
    sizes: { ...TRANSLATOR, B, width: 5, length: 50, start: START },
    tensors: {
      inputs: [{ name: 'source', shape: [B, S], first: 0, end: V }],
      y: UNUSED_TARGET,
      weights: translatorWeights(E, H, V, 16),
    },
  };
}

export const SEQUENCE_ROWS: readonly SequenceRow[] = [
  projectedLstm(),
  layerNormLstm(),
  minGru(),
  ctc(),
  crf(),
  attentionDecoder(),
  beamSearch(1),
  beamSearch(16),
];

/**
 * Returns the rows whose names begin with a word of a comma-separated list; without a list, all rows.
 * @throws Error for a word that selects no row
 */
export function chooseSequenceRows(list: string | undefined): readonly SequenceRow[] {
  if (list === undefined) return SEQUENCE_ROWS;
  const words = list.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !SEQUENCE_ROWS.some(({ name }) => name.startsWith(word)) || !word);
  if (unknown !== undefined) {
    const names = SEQUENCE_ROWS.map(({ name }) => name).join(', ');
    throw new Error(`--rows must be a list of rows (${names}) or prefixes of them, got "${unknown}".`);
  }
  return SEQUENCE_ROWS.filter(({ name }) => words.some((word) => name.startsWith(word)));
}
