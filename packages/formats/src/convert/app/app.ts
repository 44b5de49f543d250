/**
 * Writes a trained model as one ES module, which imports only the classes of the model from `unrolljs/infer`, so that
 * bundlers leave out all others. The weights are in the module, or in a separate file in the same folder.
 */
import { UnrollError, valueError } from '@unroll/core';
import { encodeUtf8 } from '@unroll/core/internal';
import * as nn from '@unroll/nn';
import { toArtifact } from '../../artifact.js';
import type { ExportOptions, ModelFormat } from '../format.js';
import type { ByteSource } from '../source.js';

const CONFIG = 'config.json';
const WEIGHTS = 'model.safetensors';
const ENTRY = "'unrolljs/infer'";

export const appFormat: ModelFormat = {
  name: 'app',
  title: 'a JavaScript module with a model',
  recognises: () => false,
  describe: (source) => Promise.reject(notRead(source)),
  read: (source) => Promise.reject(notRead(source)),

  async write(model, { name = 'model', weightsBeside = false, weights = 'float32' }: ExportOptions = {}) {
    const files = await toArtifact(model, { weights });
    const bytes = files.get(WEIGHTS) ?? new Uint8Array();
    const parts = {
      about: `${model.label}: ${model.layers.length} layers, ${model.countParams().toLocaleString('en-US')} parameters.`,
      inputs: inputText(model),
      classes: classesOf(model.config),
      config: new TextDecoder().decode(files.get(CONFIG)),
      weights: weightsBeside ? fetchedWeights(`${name}.safetensors`) : inlineWeights(bytes),
    };
    return new Map([
      ['', encodeUtf8(moduleText(parts))],
      ['.d.ts', encodeUtf8(declarations(parts))],
      ...(weightsBeside ? [['.safetensors', bytes] as const] : []),
    ]);
  },
};

const notRead = (source: ByteSource): UnrollError =>
  new UnrollError(
    'value',
    `${source.name} is a program, which Unroll does not read. Use the model from which it was written.`,
  );

/** Returns, for each class name in configs, the name under which `unrolljs/infer` exports the class. */
function exportNames(): Map<string, string> {
  const names = new Map<string, string>();
  for (const [name, value] of Object.entries(nn)) {
    if (typeof value !== 'function' || !Object.hasOwn(value, 'className')) continue;
    const { className } = value as unknown as { className: string };
    names.set(className, name);
    // The config of an LSTM layer names the class LSTM, and the reader creates this layer from LSTMCell.
    if (className.endsWith('Cell')) names.set(className.replace(/Cell$/, ''), name);
  }
  return names;
}

/**
 * Returns the names under which `unrolljs/infer` exports the classes in a config, sorted.
 * @throws UnrollError `value` for a custom class
 */
function classesOf(config: unknown): string[] {
  const names = exportNames();
  const found = new Set<string>();
  const visit = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { className } = value as { className?: unknown };
    if (typeof className === 'string' && /^[A-Z]/.test(className)) {
      const name = names.get(className);
      if (!name)
        throw valueError(
          `${className} is a custom class, which a module cannot contain. Save the model, and register the class in the program ` +
            'that loads it.',
          { className },
        );
      found.add(name);
    }
    for (const member of Object.values(value)) visit(member);
  };
  visit(config);
  found.delete('Sequential'); // loadWith always knows it
  return [...found].sort();
}

function inputText(model: nn.Network): string {
  const shapes = (model.inputShapes ?? []).map(
    (shape, i) =>
      `${model.inputNames?.[i] ?? 'x'} [${shape.map((extent) => (extent < 0 ? 'any' : extent)).join(', ')}]`,
  );
  return shapes.join(', ');
}

interface Parts {
  about: string;
  inputs: string;
  classes: readonly string[];
  config: string;
  /** JavaScript that returns the bytes of the weights. */
  weights: string;
}

/** Returns a JavaScript string literal, which is also safe in a script element. */
const literal = (text: string): string => JSON.stringify(text).replace(/</g, '\\u003c');

/** Returns the text on one line, with a space between an asterisk and a slash, because together they would end the comment. */
const comment = (text: string): string => text.replace(/\*\//g, '* /').replace(/[\r\n]+/g, ' ');

const inlineWeights = (bytes: Uint8Array): string => `const weights = async () =>
  Uint8Array.from(atob('${base64(bytes)}'), (c) => c.charCodeAt(0));`;

/** Returns JavaScript that loads the weights from a file. The module uses `readFile` in Node, whose `fetch` reads no files. */
const fetchedWeights = (
  file: string,
): string => `const address = new URL(${literal(`./${file}`)}, import.meta.url);
const weights = async () => {
  if (address.protocol === 'file:') {
    const files = 'node:fs/promises'; // a variable, so that browser bundlers do not resolve it
    return new Uint8Array(await (await import(/* @vite-ignore */ files)).readFile(address));
  }
  const response = await fetch(address);
  if (!response.ok) throw new Error(\`\${address} cannot be loaded: \${response.status}\`);
  return new Uint8Array(await response.arrayBuffer());
};`;

function base64(bytes: Uint8Array): string {
  let text = '';
  const STEP = 0x6000; // a multiple of 3, so that only the end is padded; a call cannot have many more arguments
  for (let at = 0; at < bytes.length; at += STEP)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + STEP)));
  return text;
}

function moduleText({ about, inputs, classes, config, weights }: Parts): string {
  return `/** ${comment(about)} Inputs: ${comment(inputs)}. Written by unroll convert. */
import { ${[...classes, 'loadWith'].join(', ')} } from ${ENTRY};

const config = ${literal(JSON.stringify(JSON.parse(config)))};
${weights}

async function create() {
  const files = new Map([
    ['${CONFIG}', new TextEncoder().encode(config)],
    ['${WEIGHTS}', await weights()],
  ]);
  return loadWith(files, [${classes.join(', ')}]);
}

let loaded;
/** Loads the model at the first call. */
export const load = () => (loaded ??= create());
/** Returns the first output for x. */
export const predict = async (x, options) => (await load()).predict(x, options);
`;
}

function declarations({ about, inputs }: Parts): string {
  return `/** ${comment(about)} Inputs: ${comment(inputs)}. Written by unroll convert. */
import type { ModelValues, Network, PredictOptions, Runnable, Tensor } from ${ENTRY};

/** Loads the model at the first call. */
export declare const load: () => Promise<Network & Runnable>;
/** Returns the first output for x. */
export declare const predict: (x: ModelValues, options?: PredictOptions) => Promise<Tensor>;
`;
}
