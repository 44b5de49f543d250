/** Translates functional Keras models: the graph of layer calls, in the syntax of Keras 3 and of Keras 2. */
import { UnrollError, valueError } from '@unroll/core';
import type { Json, JsonObject } from '@unroll/core/internal';
import { callsOf, type KerasCall, type TensorId, tensorIdsIn } from './calls-in.js';
import { classNameOf, configError, listIn, objectIn, textIn } from './json.js';
import { plainClassName, type TranslatedLayer, whereOf } from './layer-types.js';
import { uniqueNames } from './layers-in-recurrent.js';
import { applyMasks, NO_MASK, sourceMask, type TensorMasks, unionOf } from './masks-in.js';
import {
  frozenOption,
  inputShapeOf,
  isModel,
  isOperation,
  type LayerWeights,
  type ModelContext,
  type TranslatedModel,
  unmask,
  weightsBelow,
} from './model-parts.js';

/** Maximum length of a chain of calls, each of which reads an output of the next. */
const MAX_CALL_DEPTH = 2000;

/** A layer of the graph. */
interface Entry {
  name: string;
  className: string;
  object: JsonObject;
  /** An operation like `x + y`, which is not a layer. */
  isOperation: boolean;
  calls: KerasCall[];
  /** Index of the first call: 1 for a model if the file counts the model's own graph as its call 0; otherwise 0. */
  firstCall: number;
  translated: TranslatedLayer | TranslatedModel | null;
}

/** A tensor of the translated graph. */
interface Value {
  ref: [node: number, output: number];
  rank: number;
  masks: TensorMasks;
}

/** Translates a functional model. */
export function functionalFrom(config: JsonObject, model: ModelContext): TranslatedModel {
  return new GraphImport(config, model).translate();
}

class GraphImport {
  readonly #config: JsonObject;
  readonly #model: ModelContext;
  readonly #entries = new Map<string, Entry>();
  readonly #nodes: JsonObject[] = [];
  readonly #layers: JsonObject[] = [];
  /** The outputs of each call, by `name:call`. Null while the call is being translated. */
  readonly #outputs = new Map<string, Value[] | null>();
  readonly #inputMasks = new Map<string, TensorMasks>();

  constructor(config: JsonObject, model: ModelContext) {
    this.#config = config;
    this.#model = model;
    for (const value of listIn(config.layers, `The layers of model "${model.name}"`)) this.#addEntry(value);
    this.#setFirstCalls();
  }

  translate(): TranslatedModel {
    const { name, masks } = this.#model;
    const inputs = tensorIdsIn(this.#config.input_layers, `input_layers of model "${name}"`);
    const outputs = this.#modelOutputs();
    inputs.forEach(([layer], i) => {
      this.#inputMasks.set(layer, masks[i] ?? NO_MASK);
    });
    const inputRefs = inputs.map((id) => this.#valueOf(id, 0).ref);
    const results = outputs.map((id) => this.#withoutUnwantedMask(this.#valueOf(id, 0), id));
    const layers = this.#layerWeights();
    return {
      className: 'Functional',
      config: {
        name,
        ...frozenOption(this.#config),
        layers: this.#layers,
        nodes: this.#nodes,
        inputs: inputRefs,
        outputs: results.map(({ ref }) => ref),
      },
      weights: weightsBelow(layers, this.#config),
      layers,
      masks: 'pass',
      outputMasks: results.map((value) => value.masks),
    };
  }

  #addEntry(value: Json): void {
    const object = objectIn(value, 'A layer');
    const className = plainClassName(classNameOf(object) ?? '');
    const config = objectIn(object.config, `The config of a layer of class ${className}`);
    const name = textIn(object.name ?? config.name, `The name of a layer of class ${className}`);
    if (this.#entries.has(name)) throw configError(`The name of ${whereOf(name, className)}`, 'unique', name);
    const calls = callsOf(object.inbound_nodes, whereOf(name, className));
    const operation = isOperation(object, className, this.#model.context.version);
    this.#entries.set(name, {
      ...{ name, className, object, isOperation: operation, calls },
      firstCall: 0,
      translated: null,
    });
  }

  /**
   * Sets `firstCall` of the models in the graph. Keras 2 counts the calls of a model from 1 if the model's own graph is its
   * call 0. (Keras 3 does so for functional models in output_layers, but not in inbound_nodes.)
   */
  #setFirstCalls(): void {
    if (this.#model.context.version === 3) return;
    const highest = new Map<string, number>();
    const count = ([layer, call]: TensorId): void => {
      highest.set(layer, Math.max(highest.get(layer) ?? 0, call));
    };
    for (const { calls } of this.#entries.values())
      for (const { inputs, states, masks } of calls)
        for (const id of [...inputs, ...states, ...(masks ?? [])]) if (id) count(id);
    for (const id of this.#modelOutputs()) count(id);
    for (const entry of this.#entries.values()) {
      if (isModel(entry.className) && (highest.get(entry.name) ?? 0) >= entry.calls.length)
        entry.firstCall = 1;
    }
  }

  #modelOutputs(): TensorId[] {
    const { name, context } = this.#model;
    const outputs = tensorIdsIn(this.#config.output_layers, `output_layers of model "${name}"`);
    if (context.version === 2) return outputs;
    return outputs.map(([layer, call, output]) => {
      const { className, object } = this.#entry(layer);
      const isFunctional = isModel(className) && 'input_layers' in (object.config as JsonObject);
      return [layer, isFunctional ? Math.max(0, call - 1) : call, output];
    });
  }

  #entry(name: string): Entry {
    const entry = this.#entries.get(name);
    if (entry) return entry;
    throw configError(`A tensor of model "${this.#model.name}"`, 'the output of one of its layers', name);
  }

  /** Translates the call that computes a tensor, unless this is done already, and returns the tensor's value. */
  #valueOf([name, call, output]: TensorId, depth: number): Value {
    if (depth > MAX_CALL_DEPTH)
      throw new UnrollError(
        'format',
        `The graph of model "${this.#model.name}" is more than ${MAX_CALL_DEPTH} layers deep.`,
      );
    const key = `${name}:${call}`;
    let outputs = this.#outputs.get(key);
    if (outputs === null)
      throw new UnrollError(
        'format',
        `The graph of model "${this.#model.name}" has a cycle at layer "${name}".`,
      );
    if (!outputs) {
      this.#outputs.set(key, null);
      outputs = this.#translateCall(this.#entry(name), call, depth);
      this.#outputs.set(key, outputs);
    }
    const value = outputs[output];
    if (value) return value;
    // The number of outputs of a layer is known only when the model is built. All outputs but the first have no mask.
    if (!(output >= 0 && output < 1000))
      throw configError(`The output index of layer "${name}"`, 'from 0 to 999', output);
    return { ref: [outputs[0].ref[0], output], rank: 2, masks: NO_MASK };
  }

  #translateCall(entry: Entry, callIndex: number, depth: number): Value[] {
    const { name, className, object } = entry;
    if (className === 'InputLayer') return this.#addInput(entry);
    const call = entry.calls[callIndex - entry.firstCall];
    if (!call)
      throw configError(
        `The call index in a tensor of model "${this.#model.name}"`,
        `the index of a call in inbound_nodes of layer "${name}"`,
        callIndex,
      );
    const where = whereOf(name, className);
    if (call.training === true)
      throw valueError(
        `${where} cannot be imported: it is called with training=True, and Unroll has no such argument for single layers. Call the layer without it, and export again.`,
      );
    if (entry.isOperation) return this.#addOperation(entry, call, depth);
    const inputs = [...call.inputs, ...call.states].map((id) => this.#valueOf(id, depth + 1));
    const isFirst = entry.translated === null;
    const translated =
      entry.translated ??
      this.#model.translate(
        withCallOptions(object, call, where),
        inputs.map(({ masks }) => masks),
      );
    entry.translated = translated;
    const { drop, outputs } = this.#masksOf(translated, call, inputs, where);
    if (isFirst) this.#layers.push({ className: translated.className, config: translated.config });
    const refs = inputs.map((input, i) => (drop.includes(i) ? this.#dropMask(input, name) : input).ref);
    this.#nodes.push({ layer: String(translated.config.name), inputs: refs });
    const node = this.#nodes.length - 1;
    const rank = inputs[0].rank + (translated.className === 'Embedding' ? 1 : 0);
    return outputs.map((masks, i) => ({ ref: [node, i], rank, masks }));
  }

  #masksOf(
    translated: TranslatedLayer | TranslatedModel,
    call: KerasCall,
    inputs: readonly Value[],
    where: string,
  ): { drop: number[]; outputs: TensorMasks[] } {
    if ('outputMasks' in translated) return { drop: [], outputs: translated.outputMasks };
    const explicit = call.masks?.map((id) => (id ? this.#maskOf(id, 0) : null));
    return applyMasks(
      {
        where,
        rule: translated.masks,
        config: translated.config,
        tensor: (call.inputs[0] ?? []).join(':'),
        inputs: inputs.map(({ masks }) => masks),
        explicit,
        outputs: 1,
        hasStates: call.states.length > 0,
      },
      this.#model.context,
    );
  }

  #addInput({ name, object }: Entry): Value[] {
    const shape = inputShapeOf(objectIn(object.config, `The config of input "${name}"`), `input "${name}"`);
    const [batch, ...rest] = shape;
    this.#layers.push({
      className: 'InputLayer',
      config: {
        name,
        shape: rest.map((extent) => (extent < 0 ? null : extent)),
        ...(batch > 0 && { batchSize: batch }),
      },
    });
    this.#nodes.push({ layer: name, inputs: [] });
    const masks = this.#inputMasks.get(name) ?? NO_MASK;
    return [{ ref: [this.#nodes.length - 1, 0], rank: shape.length, masks }];
  }

  /** `x + y` and `x * y` are layers in Unroll. */
  #addOperation({ name, className }: Entry, call: KerasCall, depth: number): Value[] {
    if (!['Add', 'Multiply'].includes(className) || call.inputs.length !== 2) {
      throw valueError(
        `Operation "${name}" (${className}) cannot be imported: Unroll has no layer for it. Use layers instead of operations on tensors, and export the model again.`,
        { name, className },
      );
    }
    const inputs = call.inputs.map((id) => this.#valueOf(id, depth + 1));
    // The result of an operation has no mask in Keras.
    const refs = inputs.map(
      (input) => (input.masks.unroll === null ? input : this.#dropMask(input, name)).ref,
    );
    this.#layers.push({ className, config: { name } });
    this.#nodes.push({ layer: name, inputs: refs });
    return [{ ref: [this.#nodes.length - 1, 0], rank: inputs[0].rank, masks: NO_MASK }];
  }

  /** Returns an explicit mask, in the representation of masks-in.ts. */
  #maskOf(id: TensorId, depth: number): string {
    const [name, callIndex] = id;
    const entry = this.#entry(name);
    const call = entry.calls[callIndex - entry.firstCall];
    if (!call || !entry.isOperation || depth > MAX_CALL_DEPTH) return id.join(':');
    const { inputs, constants } = call;
    if (entry.className === 'NotEqual' && inputs.length === 1)
      return sourceMask(this.#withoutCast(inputs[0], depth).join(':'), Number(constants[0] ?? Number.NaN));
    if (entry.className === 'LogicalOr') {
      const parts = inputs.filter(([layer]) => this.#entry(layer).className !== 'ZerosLike');
      return unionOf(parts.map((part) => this.#maskOf(part, depth + 1))) ?? id.join(':');
    }
    const passes =
      ['Any', 'ExpandDims', 'Cast', 'ConvertToTensor', 'Squeeze'].includes(entry.className) &&
      inputs.length === 1;
    return passes ? this.#maskOf(inputs[0], depth + 1) : id.join(':');
  }

  /** Returns the tensor before the operations that cast it to another type. */
  #withoutCast(id: TensorId, depth: number): TensorId {
    const { isOperation, className, calls } = this.#entry(id[0]);
    const input = calls[id[1]]?.inputs[0];
    return isOperation && className === 'Cast' && input && depth < MAX_CALL_DEPTH
      ? this.#withoutCast(input, depth + 1)
      : id;
  }

  #dropMask(value: Value, name: string): Value {
    const layer = `${name}_without_mask_${this.#nodes.length}`;
    this.#layers.push(unmask(layer, value.rank, this.#model.context.report));
    this.#nodes.push({ layer, inputs: [value.ref] });
    return { ...value, ref: [this.#nodes.length - 1, 0], masks: { ...value.masks, unroll: null } };
  }

  /** Returns a model output. Drops its mask if the output has no mask in Keras, because the loss would use the mask. */
  #withoutUnwantedMask(value: Value, [layer]: TensorId): Value {
    const { keras, unroll } = value.masks;
    if (keras === unroll || this.#model.depth > 0) return value;
    if (keras === null) return this.#dropMask(value, layer);
    this.#model.context.report.defaulted.push({
      name: `mask of the output of layer "${layer}"`,
      value: unroll === null ? 'none' : 'the mask that Unroll computes',
      reason: 'Keras computes another mask for the loss; predictions do not depend on it',
    });
    return value;
  }

  /** Returns the layers with their weights, in the order of the file. Operations have no weights. */
  #layerWeights(): LayerWeights[] {
    const uniqueName = uniqueNames();
    return [...this.#entries.values()]
      .filter(({ isOperation }) => !isOperation)
      .map(({ name, className, translated }) => ({
        name: translated ? String(translated.config.name) : name,
        className,
        nameInFile: uniqueName(className),
        weights: translated?.weights ?? [],
      }));
  }
}

/** Adds the options of the call to the config: in Keras 3, two options of attention layers are arguments of the call. */
function withCallOptions(object: JsonObject, call: KerasCall, where: string): JsonObject {
  if (call.options.length === 0) return object;
  const className = classNameOf(object) ?? '';
  if (!className.endsWith('Attention'))
    throw valueError(
      `${where} cannot be imported: it is called with ${call.options.join(', ')}, which Unroll does not have. Call the layer without it, and export again.`,
    );
  return { ...object, config: { ...(object.config as JsonObject), call_options: call.options } };
}
