/**
 * Reads and writes the protobuf messages of schema.ts. The reader skips what it does not need: payloads of tensors become
 * ranges of the file, so a file of any size can be described from a few kilobytes. Each length is checked against the
 * message that contains it, and the depth of nested messages is limited.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { UnrollError } from '@unroll/core';
import { decodeUtf8 } from '@unroll/core/internal';
import type { ByteSource } from '../source.js';
import {
  type ByteRange,
  type Field,
  type FieldType,
  type MessageType,
  MODEL,
  type ModelProto,
} from './schema.js';

/** Largest depth of nested messages. A node in a subgraph of a subgraph is at depth 8. */
const MAX_DEPTH = 24;
/** Messages up to this size in bytes are read at once. Larger messages are read field by field. */
const MAX_MESSAGE_AT_ONCE = 1 << 16;
/** Largest size in bytes of a field other than messages and payloads of tensors. */
const MAX_FIELD = 1 << 24;
/** Bytes that are read ahead in a large message. */
const WINDOW = 1 << 14;

type Message = Record<string, unknown>;

/** Reads the model of a file, without the payloads of its tensors. @throws UnrollError `format` for a damaged file */
export async function readModel(source: ByteSource): Promise<ModelProto> {
  const file = new FileReader(source);
  return (await file.message({ begin: 0, end: source.size }, MODEL, 0)) as unknown as ModelProto;
}

/** Returns the error of a damaged file. @param problem a clause without a full stop */
export function damaged(name: string, problem: string, data: Record<string, unknown> = {}): UnrollError {
  return new UnrollError('format', `${name} is not a valid ONNX file: ${problem}.`, data);
}

/** Reads large messages from a source, field by field. */
class FileReader {
  readonly #source: ByteSource;
  #window: { begin: number; bytes: Uint8Array } = { begin: 0, bytes: new Uint8Array(0) };

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async message({ begin, end }: ByteRange, type: MessageType, depth: number): Promise<Message> {
    const { name } = this.#source;
    if (end - begin <= MAX_MESSAGE_AT_ONCE) {
      const bytes = await this.#read(begin, end - begin);
      return new MessageReader(bytes, begin, name).message(type, depth);
    }
    if (depth > MAX_DEPTH) throw damaged(name, TOO_DEEP);
    const message = emptyMessage(type);
    for (let at = begin; at < end; ) at = await this.#field({ begin: at, end }, type, message, depth);
    return message;
  }

  /** Reads the first field of a range into the message, and returns the offset of the next field. */
  async #field({ begin, end }: ByteRange, type: MessageType, into: Message, depth: number): Promise<number> {
    const { name } = this.#source;
    // A tag has at most 5 bytes, a length or a number at most 10.
    const head = new MessageReader(await this.#read(begin, Math.min(end - begin, 16)), begin, name);
    const payload = head.payload(type, end);
    if (payload === null) return head.shortField(type, into);
    const { field, range } = payload;
    const inner = field && messageOf(field.type);
    if (field?.type === 'data') store(into, field, range);
    else if (field && inner) store(into, field, await this.message(range, inner, depth + 1), name);
    else if (field) {
      const size = range.end - range.begin;
      if (size > MAX_FIELD)
        throw new UnrollError(
          'format',
          `${name}: the field "${field.name}" has ${size} bytes. Unroll reads fields of at most ${MAX_FIELD} bytes, except ` +
            'for the values of tensors.',
          { field: field.name, size },
        );
      new MessageReader(await this.#read(range.begin, size), range.begin, name).value(field, into);
    }
    return range.end;
  }

  /** Returns bytes of the file from the window, after moving the window if necessary. */
  async #read(begin: number, size: number): Promise<Uint8Array> {
    const offset = begin - this.#window.begin;
    if (offset >= 0 && offset + size <= this.#window.bytes.length)
      return this.#window.bytes.subarray(offset, offset + size);
    const end = Math.min(this.#source.size, begin + Math.max(size, WINDOW));
    this.#window = { begin, bytes: await this.#source.read(begin, Math.max(end, begin + size)) };
    return this.#window.bytes.subarray(0, size);
  }
}

/** Reads messages from bytes in memory. */
class MessageReader {
  readonly #bytes: Uint8Array;
  readonly #reader: BinaryReader;
  /** Offset of the bytes in the file. */
  readonly #base: number;
  readonly #name: string;

  constructor(bytes: Uint8Array, base: number, name: string) {
    this.#bytes = bytes;
    this.#reader = new BinaryReader(bytes);
    this.#base = base;
    this.#name = name;
  }

  /** Reads a message that takes up all the bytes. */
  message(type: MessageType, depth: number): Message {
    return this.#guarded(() => this.#message(type, this.#bytes.length, depth));
  }

  /** Returns the next field if it is length-delimited, with its range in the file; null for other fields. */
  payload(type: MessageType, end: number): { field: Field | undefined; range: ByteRange } | null {
    return this.#guarded(() => {
      const reader = this.#reader;
      const [number, wireType] = reader.tag();
      if (wireType !== WireType.LengthDelimited) {
        reader.pos = 0;
        return null;
      }
      const length = reader.uint32();
      const begin = this.#base + reader.pos;
      if (begin + length > end) throw new Error(`a field of ${length} bytes exceeds its message`);
      return { field: type[number], range: { begin, end: begin + length } };
    });
  }

  /** Reads one field that is not length-delimited into the message, and returns the offset of the next field in the file. */
  shortField(type: MessageType, into: Message): number {
    return this.#guarded(() => {
      this.#field(type, into, this.#bytes.length, 0);
      return this.#base + this.#reader.pos;
    });
  }

  /** Reads a value that takes up all the bytes, and stores it in the message. */
  value(field: Field, into: Message): void {
    this.#guarded(() => this.#value(field, into, this.#bytes.length, 0));
  }

  #message(type: MessageType, end: number, depth: number): Message {
    if (depth > MAX_DEPTH) throw new Error(TOO_DEEP);
    const message = emptyMessage(type);
    while (this.#reader.pos < end) this.#field(type, message, end, depth);
    return message;
  }

  #field(type: MessageType, into: Message, end: number, depth: number): void {
    const reader = this.#reader;
    const [number, wireType] = reader.tag();
    const field = type[number];
    if (wireType === WireType.LengthDelimited) {
      const length = reader.uint32();
      const stop = reader.pos + length;
      if (stop > end) throw new Error(`a field of ${length} bytes exceeds its message`);
      if (field) this.#value(field, into, stop, depth);
      reader.pos = stop;
      return;
    }
    const begin = reader.pos;
    if (field?.type === 'int' && wireType === WireType.Varint) store(into, field, Number(reader.int64()));
    else if (field?.type === 'float' && wireType === WireType.Bit32) store(into, field, reader.float());
    else {
      reader.skip(wireType, number, 1);
      if (field?.type === 'data')
        store(into, field, { begin: this.#base + begin, end: this.#base + reader.pos });
      else if (field) throw new Error(`the field "${field.name}" has the wire type ${wireType}`);
    }
    if (reader.pos > end) throw new Error('a field exceeds its message');
  }

  /** Reads a value that ends at offset `end` of the bytes, and stores it in the message. */
  #value(field: Field, into: Message, end: number, depth: number): void {
    const reader = this.#reader;
    const bytes = this.#bytes.subarray(reader.pos, end);
    const inner = messageOf(field.type);
    if (inner) store(into, field, this.#message(inner, end, depth + 1), this.#name);
    else if (field.type === 'data')
      store(into, field, { begin: this.#base + reader.pos, end: this.#base + end });
    else if (field.type === 'string')
      store(into, field, decodeUtf8(bytes, `The field "${field.name}" in ${this.#name}`));
    else if (field.type === 'bytes') store(into, field, bytes);
    else {
      if (!field.repeated) throw new Error(`the field "${field.name}" has the wire type 2`);
      while (reader.pos < end)
        store(into, field, field.type === 'int' ? Number(reader.int64()) : reader.float());
      if (reader.pos > end) throw new Error(`the field "${field.name}" exceeds its length`);
    }
  }

  /** Converts errors of the reader, which name no file, to `format` errors. */
  #guarded<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof UnrollError) throw error;
      throw damaged(this.#name, (error as Error).message);
    }
  }
}

const TOO_DEEP = `messages are nested more than ${MAX_DEPTH} levels deep`;

function messageOf(type: FieldType): MessageType | null {
  if (typeof type === 'string') return null;
  return typeof type === 'function' ? type() : type;
}

/** Returns a message with the initial values of its fields. */
function emptyMessage(type: MessageType): Message {
  const message: Message = {};
  for (const { name, type: kind, repeated, initial } of Object.values(type)) {
    if (repeated) message[name] = [];
    else if (initial !== undefined) message[name] = initial;
    else if (kind === 'string') message[name] = '';
    else if (kind === 'int' || kind === 'float') message[name] = 0;
  }
  return message;
}

/** Stores a value. If a message occurs twice, protobuf would merge both; here it is an error. @param file name of the file */
function store(into: Message, { name, type, repeated }: Field, value: unknown, file = ''): void {
  if (repeated) (into[name] as unknown[]).push(value);
  else if (typeof type !== 'string' && into[name] !== undefined)
    throw damaged(file, `the field "${name}" occurs twice in a message`);
  else into[name] = value;
}

/** A message to write. Payloads of tensors are bytes. Fields that are undefined are not written. */
export type MessageToWrite = { readonly [field: string]: unknown };

/** Returns the bytes of a model. */
export function writeModel(model: MessageToWrite): Uint8Array {
  const writer = new BinaryWriter();
  writeMessage(writer, model, MODEL);
  return writer.finish();
}

function writeMessage(writer: BinaryWriter, message: MessageToWrite, type: MessageType): void {
  for (const [number, field] of Object.entries(type)) {
    const value = message[field.name];
    if (value === undefined) continue;
    const values = field.repeated && Array.isArray(value) ? value : [value];
    if (field.repeated && (field.type === 'int' || field.type === 'float')) {
      if (values.length === 0) continue;
      writer.tag(Number(number), WireType.LengthDelimited).fork();
      for (const item of values) field.type === 'int' ? writer.int64(int64(item)) : writer.float(item);
      writer.join();
      continue;
    }
    for (const item of values) writeField(writer, Number(number), field.type, item);
  }
}

function writeField(writer: BinaryWriter, number: number, type: FieldType, value: unknown): void {
  const inner = messageOf(type);
  if (inner) {
    writer.tag(number, WireType.LengthDelimited).fork();
    writeMessage(writer, value as MessageToWrite, inner);
    writer.join();
  } else if (type === 'int') writer.tag(number, WireType.Varint).int64(value as number);
  else if (type === 'float') writer.tag(number, WireType.Bit32).float(value as number);
  else if (type === 'string') writer.tag(number, WireType.LengthDelimited).string(value as string);
  else writer.tag(number, WireType.LengthDelimited).bytes(value as Uint8Array);
}

/** Returns a number as int64. The largest int64, which stands for the end of an axis, is not exact in float64. */
const int64 = (value: number): bigint => BigInt.asIntN(64, value >= 2 ** 63 ? 2n ** 63n - 1n : BigInt(value));
