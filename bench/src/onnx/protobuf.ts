/** Encodes messages in the wire format of Protocol Buffers. Supports only what ONNX files need. */

/** The parts of an encoded field: its key (field number and wire type) and its value. */
export type Field = Uint8Array[];

const text = new TextEncoder();

/** Encodes a non-negative integer in groups of 7 bits, the lowest first. */
function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return Uint8Array.of(...bytes, rest);
}

/** Encodes a field with a non-negative integer. */
export const integer = (field: number, value: number): Field => [varint(field * 8), varint(value)];

export const bytes = (field: number, value: Uint8Array): Field => [
  varint(field * 8 + 2),
  varint(value.length),
  value,
];

export const string = (field: number, value: string): Field => bytes(field, text.encode(value));

export const message = (field: number, fields: readonly Field[]): Field => bytes(field, encode(fields));

/** Concatenates fields. */
export function encode(fields: readonly Field[]): Uint8Array {
  const parts = fields.flat();
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}
