/** Converts a plan (plan.ts) to the config of a model and to recipes: which tensors become which parameters, and how. */
import type { Shape } from '@unroll/core';
import { layerFromConfig } from '@unroll/nn';
import type { RecurrentModule, SimpleModule } from './modules.js';
import { type ModuleOptions, NOT_IN_FILE, type Plan, type Step } from './plan.js';
import { convolutionRecipe, copyRecipe, type Recipe, recurrentRecipes, transposeRecipe } from './weights.js';

interface LayerConfig {
  className: string;
  config: Record<string, unknown>;
}

export interface PlannedModel {
  /** `{ className, config }`, as in config.json of an artifact. */
  config: LayerConfig;
  inputShape: Shape;
  recipes: Recipe[];
  /** Values that neither the file nor the map contains. */
  defaulted: Plan['defaulted'];
  /** Tensors that no parameter needs. */
  dropped: { name: string; reason: string }[];
}

interface Layers {
  layers: LayerConfig[];
  recipes: Recipe[];
  defaulted?: PlannedModel['defaulted'];
  dropped?: PlannedModel['dropped'];
}

export function plannedModel({ steps }: Plan): PlannedModel {
  const parts = steps.map((step, i) => layersOf(step, widthBefore(steps, i)));
  const inputShape = inputShapeOf(steps);
  return {
    config: {
      className: 'Sequential',
      config: {
        name: 'sequential',
        inputShape,
        inputName: 'input',
        layers: parts.flatMap(({ layers }) => layers),
      },
    },
    inputShape,
    recipes: parts.flatMap(({ recipes }) => recipes),
    defaulted: parts.flatMap(({ defaulted = [] }) => defaulted),
    dropped: parts.flatMap(({ dropped = [] }) => dropped),
  };
}

/** Returns the input shape: ids [B, T], sequences [B, T, I], or vectors [B, I] if no module reads a sequence. */
function inputShapeOf(steps: readonly Step[]): Shape {
  const modules = steps.flatMap((step) => ('module' in step ? [step.module] : []));
  const [first] = modules;
  if (first.kind === 'embedding') return [-1, -1];
  const width = first.kind === 'conv1d' ? inputChannels(first, null) : (first.input ?? -1);
  const isSequence = modules.some(({ kind }) => kind === 'recurrent' || kind === 'conv1d');
  return isSequence ? [-1, -1, width] : [-1, width];
}

/** Returns the width of the sequence that a step of the plan reads; null if it is unknown. */
function widthBefore(steps: readonly Step[], index: number): number | null {
  const previous = steps[index - 1];
  if (previous === undefined) return null;
  if ('module' in previous) return previous.module.output;
  const width = widthBefore(steps, index - 1);
  return width === null ? null : widthAfter(previous.layer, width);
}

/** Returns the output width of a layer that the map adds, if its input is a sequence of this width; null if it is unknown. */
function widthAfter(layer: LayerConfig, width: number): number | null {
  try {
    const [shape] = layerFromConfig(layer).outputShapes([[-1, -1, width]]);
    const last = shape[shape.length - 1];
    return last < 0 ? null : last;
  } catch {
    return null; // `buildImported` reports what is wrong with the layer.
  }
}

/** Returns the number of input channels of a convolution. If `width` is unknown, the convolution is taken to have one group. */
const inputChannels = ({ tensors }: SimpleModule, width: number | null): number =>
  width ?? tensors.get('weight')?.shape[1] ?? 0;

function layersOf(step: Step, width: number | null): Layers {
  if ('layer' in step) return { layers: [step.layer], recipes: [] };
  const { module, options } = step;
  const kind = module.kind === 'recurrent' ? module.cell : LAYER_NAMES[module.kind];
  const name = module.path.replace(/[^\w-]+/g, '_') || kind.toLowerCase();
  return module.kind === 'recurrent'
    ? recurrent(name, module, options)
    : simple(name, module, options, width);
}

/** Layer names for modules without a path, as in the state dict of a single `nn.Linear`. */
const LAYER_NAMES = {
  linear: 'linear',
  embedding: 'embedding',
  matrix: 'linear',
  layerNorm: 'layer_norm',
  batchNorm: 'batch_norm',
  conv1d: 'conv1d',
} as const;

const fullName = (path: string, leaf: string): string => (path === '' ? leaf : `${path}.${leaf}`);

/** Returns the options that are not undefined. */
const defined = (config: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(config).filter(([, value]) => value !== undefined));

function recurrent(name: string, module: RecurrentModule, options: ModuleOptions): Layers {
  const { cell, units, projection, depth, bidirectional, bias, path, output } = module;
  const { output: outputMode = 'sequence', nonlinearity, dropout = 0 } = options;
  const layers: LayerConfig[] = [];
  const recipes: Recipe[] = [];
  // The tensors of nn.RNNCell, nn.LSTMCell and nn.GRUCell have names without a layer number.
  const isCell = module.tensors.get('weight_ih_l0')?.name.endsWith('weight_ih') ?? false;
  for (let n = 0; n < depth; n++) {
    const layer = depth === 1 ? name : `${name}_l${n}`;
    const config = defined({
      units,
      projection: projection || undefined,
      activation: cell === 'RNN' ? nonlinearity : undefined,
      useBias: bias ? undefined : false,
      returnSequences: n < depth - 1 || outputMode === 'sequence',
    });
    const className = projection > 0 ? 'ProjectedLSTM' : cell === 'RNN' ? 'SimpleRNN' : cell;
    const shape = { cell, units, projection, bias, input: n === 0 ? (module.input ?? 0) : output };
    const tensor = (suffix: string) => (part: string) =>
      fullName(path, isCell ? part : `${part}_l${n}${suffix}`);
    if (!bidirectional) {
      layers.push({ className, config: { ...config, name: layer } });
      recipes.push(...recurrentRecipes(layer, shape, tensor('')));
    } else {
      const [forward, backward] = [
        `forward_${className.toLowerCase()}`,
        `backward_${className.toLowerCase()}`,
      ];
      const inner = {
        layer: { className, config: { ...config, name: forward } },
        backwardLayer: { className, config: { ...config, name: backward, goBackwards: true } },
      };
      layers.push({ className: 'Bidirectional', config: { name: layer, mergeMode: 'concat', ...inner } });
      recipes.push(...recurrentRecipes(`${layer}/${forward}`, shape, tensor('')));
      recipes.push(...recurrentRecipes(`${layer}/${backward}`, shape, tensor('_reverse')));
    }
    if (dropout > 0 && n < depth - 1)
      layers.push({ className: 'Dropout', config: { rate: dropout, name: `${layer}_dropout` } });
  }
  return { layers, recipes };
}

function simple(
  name: string,
  module: SimpleModule,
  options: ModuleOptions,
  inputWidth: number | null,
): Layers {
  const { path, tensors } = module;
  const tensor = (leaf: string): string => fullName(path, leaf);
  const weight = tensors.get('weight')?.shape ?? [];
  const useBias = tensors.has('bias') ? undefined : false;
  const bias = useBias === undefined ? [copyRecipe(`${name}/bias`, tensor('bias'), [weight[0]])] : [];
  switch (module.kind) {
    case 'embedding':
      return {
        layers: [
          {
            className: 'Embedding',
            config: { inputDim: weight[0], outputDim: weight[1], name, ...options },
          },
        ],
        recipes: [copyRecipe(`${name}/embeddings`, tensor('weight'), weight)],
      };
    case 'conv1d': {
      const width = inputChannels(module, inputWidth);
      const groups = width / weight[1];
      const config = { filters: weight[0], kernelSize: weight[2], groups: groups > 1 ? groups : undefined };
      return {
        layers: [{ className: 'Conv1D', config: defined({ ...config, useBias, name, ...options }) }],
        recipes: [convolutionRecipe(`${name}/kernel`, tensor('weight'), weight), ...bias],
        defaulted:
          inputWidth === null ? [{ name: `${path || name}: groups`, value: '1', reason: NOT_IN_FILE }] : [],
      };
    }
    case 'layerNorm':
    case 'batchNorm':
      return normalization(name, module, options);
    default:
      return {
        layers: [{ className: 'Dense', config: defined({ units: weight[0], useBias, name, ...options }) }],
        recipes: [transposeRecipe(`${name}/kernel`, tensor('weight'), weight), ...bias],
      };
  }
}

function normalization(name: string, module: SimpleModule, { epsilon = 1e-5 }: ModuleOptions): Layers {
  const { path, tensors, kind, output } = module;
  const className = kind === 'batchNorm' ? 'BatchNormalization' : 'LayerNormalization';
  const config = defined({
    epsilon,
    // The default momentum of nn.BatchNorm1d, 0.1, is the weight of the new statistics; Unroll's is the weight of the old.
    momentum: kind === 'batchNorm' ? 0.9 : undefined,
    scale: tensors.has('weight') ? undefined : false,
    center: tensors.has('bias') ? undefined : false,
    name,
  });
  const parameters = {
    weight: 'gamma',
    bias: 'beta',
    running_mean: 'moving_mean',
    running_var: 'moving_variance',
  };
  const recipes = Object.entries(parameters)
    .filter(([leaf]) => tensors.has(leaf))
    .map(([leaf, parameter]) => copyRecipe(`${name}/${parameter}`, fullName(path, leaf), [output]));
  const dropped = tensors.has('num_batches_tracked')
    ? [{ name: fullName(path, 'num_batches_tracked'), reason: 'a counter that only training uses' }]
    : [];
  return { layers: [{ className, config }], recipes, dropped };
}
