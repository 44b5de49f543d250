/** Recognises activations that exporters write with several nodes, such as x / (1 + |x|). */
import type { Reference } from '../values.js';
import type { LayerGraph } from './graph.js';

/**
 * Activations by the expressions that exporters write for them. `x` is the input; operands of sums and products are sorted,
 * and numbers are rounded to six significant digits.
 */
const EXPRESSIONS: Readonly<Record<string, string>> = {
  'elu(x) alpha=1': 'elu',
  'celu(x) alpha=1': 'celu',
  'selu(x) alpha=1.67326 beta=1.0507': 'selu',
  'hardSigmoid(x) alpha=0.166667 beta=0.5': 'hardSigmoid',
  'leakyRelu(x) alpha=0.2': 'leakyRelu',
  'clip(x) low=0 high=6': 'relu6',
  'clip(x) low=-1 high=1': 'hardTanh',
  'clip(x) low=0': 'relu',
  'exp(x)': 'exponential',
  'log(sigmoid(x))': 'logSigmoid',
  'log(softmax(x))': 'logSoftmax',
  'negative(softplus(negative(x)))': 'logSigmoid',
  'multiply(sigmoid(x),x)': 'silu',
  'multiply(hardSigmoid(x),x)': 'hardSilu',
  'multiply(tanh(softplus(x)),x)': 'mish',
  'subtract(x,tanh(x))': 'tanhShrink',
  'divide(x,add(1,abs(x)))': 'softsign',
  // PyTorch's softplus, which returns x if x is above 20
  'where(greater(x,20),x,softplus(x))': 'softplus',
  'multiply(0.5,multiply(add(1,erf(divide(x,1.41421))),x))': 'gelu',
  'multiply(0.5,multiply(add(1,erf(multiply(0.707107,x))),x))': 'gelu',
  'multiply(add(1,erf(divide(x,1.41421))),multiply(0.5,x))': 'gelu',
  'multiply(add(1,erf(multiply(0.707107,x))),multiply(0.5,x))': 'gelu',
  'shrink(x) alpha=0.5 beta=0.5': 'softShrink',
  'shrink(x) alpha=0.5 beta=0': 'hardShrink',
  'add(where(greater(x,0.5),subtract(x,0.5),0),where(less(x,-0.5),add(0.5,x),0))': 'softShrink',
  'where(greater(abs(x),0.5),subtract(x,multiply(0.5,sign(x))),multiply(0,x))': 'softShrink',
};

/** Largest number of layers that one of the expressions has on a path to x. */
const MAX_DEPTH = 5;

/**
 * Replaces the elementwise expression that ends at a node by an activation. If possible, the activation becomes an option of
 * the layer before it.
 */
export function recogniseActivation(graph: LayerGraph, at: number): boolean {
  if (termOf(graph, at) === null) return false;
  for (const input of ancestors(graph, at)) {
    const text = expression(graph, [at, 0], input, MAX_DEPTH);
    const activation = text !== null && Object.hasOwn(EXPRESSIONS, text) ? EXPRESSIONS[text] : null;
    if (!activation) continue;
    graph.change(at, 'Activation', { activation }, [input]);
    fuse(graph, at, input, activation);
    return true;
  }
  return false;
}

/** Makes an activation an option of the layer before it, if no other node reads that layer. */
function fuse(graph: LayerGraph, at: number, input: Reference, activation: string): void {
  const { className, config } = graph.layer(input[0]);
  const canFuse = graph.isReadOnce(input[0]) && config.activation === undefined;
  if (!canFuse || !['Dense', 'Conv1D'].includes(className)) return;
  config.activation = activation;
  graph.replace(at, input);
}

/** Returns the tensors that may be x in an expression at a node, the nearest first. */
function ancestors(graph: LayerGraph, at: number): Reference[] {
  const found = new Map<string, Reference>();
  let level: Reference[] = [[at, 0]];
  for (let depth = 0; depth < MAX_DEPTH && level.length > 0 && found.size < 32; depth++) {
    level = level.flatMap(([node]) => (termOf(graph, node) === null ? [] : [...graph.node(node).inputs]));
    for (const ref of level) found.set(ref.join(), ref);
    level = [...new Map(level.map((ref) => [ref.join(), ref])).values()];
  }
  return [...found.values()];
}

/** Returns the operation of an elementwise layer with its operands (null: an input); null for other layers. */
function termOf(graph: LayerGraph, at: number): { name: string; operands: readonly unknown[] } | null {
  const { className, config } = graph.layer(at);
  const { inputs } = graph.node(at);
  const all = inputs.map(() => null);
  if (className === 'Activation' && typeof config.activation === 'string' && config.axis === undefined)
    return { name: config.activation, operands: all };
  if ((className === 'Add' || className === 'Multiply') && inputs.length === 2)
    return { name: className.toLowerCase(), operands: all };
  if (className !== 'TensorOperation') return null;
  const operands = (config.operands as readonly unknown[] | undefined) ?? all;
  const isElementwise = operands.every((operand) => operand === null || typeof operand === 'number');
  return isElementwise ? { name: String(config.operation), operands } : null;
}

const round = (value: unknown): string => String(Number(Number(value).toPrecision(6)));

/** Returns the expression by which a tensor is computed from x; null if it is not elementwise or too deep. */
function expression(graph: LayerGraph, ref: Reference, x: Reference, depth: number): string | null {
  if (ref[0] === x[0] && ref[1] === x[1]) return 'x';
  const term = depth > 0 && ref[1] === 0 ? termOf(graph, ref[0]) : null;
  if (!term) return null;
  const { inputs } = graph.node(ref[0]);
  let next = 0;
  const parts = term.operands.map((operand) =>
    operand === null ? expression(graph, inputs[next++], x, depth - 1) : round(operand),
  );
  if (parts.includes(null)) return null;
  if (['add', 'multiply'].includes(term.name)) parts.sort();
  const { config } = graph.layer(ref[0]);
  const numbers = ['alpha', 'beta', 'low', 'high']
    .filter((name) => config[name] !== undefined)
    .map((name) => ` ${name}=${round(config[name])}`);
  return `${term.name}(${parts.join(',')})${numbers.join('')}`;
}
