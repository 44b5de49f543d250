/** Reads ONNX files as protobuf messages, which tests can change, and writes messages to files. */
import type { ByteSource } from '@unroll/formats/convert';
import { bytesSource } from '@unroll/formats/convert';

/** A protobuf message: fields by name. */
// biome-ignore lint/suspicious/noExplicitAny: tests change fields of any depth
export type Message = any;

const { readModel, writeModel } = (await import(
  new URL('../dist/convert/onnx/protobuf.js', import.meta.url).href
)) as {
  readModel(source: ByteSource): Promise<Message>;
  writeModel(model: Message): Uint8Array;
};

const PAYLOADS = ['rawData', 'floatData', 'int32Data', 'int64Data', 'doubleData', 'uint64Data'];

/** Reads a model, with the payloads of its tensors as bytes. */
export async function readMessage(bytes: Uint8Array): Promise<Message> {
  return withPayloads(await readModel(bytesSource(bytes)), bytes);
}

function withPayloads(value: Message, bytes: Uint8Array): Message {
  if (Array.isArray(value)) return value.map((item) => withPayloads(item, bytes));
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, field]) => {
      if (!PAYLOADS.includes(name)) return [name, withPayloads(field, bytes)];
      return [
        name,
        (field as { begin: number; end: number }[]).map(({ begin, end }) => bytes.slice(begin, end)),
      ];
    }),
  );
}

/** Changes a copy of a model, and returns its bytes. */
export function changeModel(model: Message, change: (graph: Message, model: Message) => void): Uint8Array {
  const copy = structuredClone(model);
  change(copy.graph, copy);
  return writeModel(withoutDefaults(copy));
}

/** Removes fields that have their initial values, because writers leave these out. */
function withoutDefaults(value: Message): Message {
  if (Array.isArray(value)) return value.map(withoutDefaults);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name, field]) => field !== '' && !(name === 'value' && field === -1))
      .map(([name, field]) => [name, withoutDefaults(field)]),
  );
}
