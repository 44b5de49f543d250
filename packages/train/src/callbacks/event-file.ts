/**
 * Encodes TensorBoard event files. A file is a sequence of TFRecord records, each with a protobuf message `Event`. The
 * numbers below are the protobuf field numbers.
 *
 *   record  u64 length of the data, u32 masked CRC-32C of the length, the data, u32 masked CRC-32C of the data
 *           (little-endian)
 *   Event   1: double wall_time   2: int64 step   3: string file_version   5: Summary
 *   Summary 1: Value, repeated;  Value  1: string tag   2: float simple_value   5: HistogramProto
 *   HistogramProto  1: double min   2: max   3: num   4: sum   5: sum_squares   6: packed double bucket_limit   7: bucket
 *
 * (tensorflow/core/lib/io/record_writer.cc, tensorflow/core/util/event.proto and framework/summary.proto.)
 */
import { crc32c, encodeUtf8 } from '@unroll/core/internal';

/** Returns the first record of a file. @param wallTime in seconds since 1970 */
export function fileHeader(wallTime: number): Uint8Array {
  return tfRecord(join([double(1, wallTime), bytes(3, encodeUtf8('brain.Event:2'))]));
}

/** Returns a record of scalars at one step. @param wallTime in seconds since 1970 */
export function scalarRecord(
  wallTime: number,
  step: number,
  scalars: Readonly<Record<string, number>>,
): Uint8Array {
  const values = Object.entries(scalars).map(([tag, value]) =>
    bytes(1, join([bytes(1, encodeUtf8(tag)), float(2, value)])),
  );
  return tfRecord(join([double(1, wallTime), int(2, step), bytes(5, join(values))]));
}

/** A histogram: `counts[i]` values are between `edges[i]` and `edges[i + 1]`. */
export interface Histogram {
  min: number;
  max: number;
  /** Number of values. */
  count: number;
  sum: number;
  sumSquares: number;
  edges: ArrayLike<number>;
  counts: ArrayLike<number>;
}

/** Returns a record of histograms at one step. @param wallTime in seconds since 1970 */
export function histogramRecord(
  wallTime: number,
  step: number,
  histograms: Readonly<Record<string, Histogram>>,
): Uint8Array {
  const values = Object.entries(histograms).map(([tag, histogram]) =>
    bytes(1, join([bytes(1, encodeUtf8(tag)), bytes(5, histogramMessage(histogram))])),
  );
  return tfRecord(join([double(1, wallTime), int(2, step), bytes(5, join(values))]));
}

/** Encodes a HistogramProto, which stores only the upper limit of each bucket. */
function histogramMessage({ min, max, count, sum, sumSquares, edges, counts }: Histogram): Uint8Array {
  const fields = [min, max, count, sum, sumSquares].map((value, i) => double(i + 1, value));
  const limits = Array.from(counts, (_, i) => edges[i + 1]);
  return join([...fields, bytes(6, doubles(limits)), bytes(7, doubles(counts))]);
}

function doubles(values: ArrayLike<number>): Uint8Array {
  const out = new Uint8Array(8 * values.length);
  const view = new DataView(out.buffer);
  for (let i = 0; i < values.length; i++) view.setFloat64(8 * i, values[i], true);
  return out;
}

/** Wraps data as a TFRecord record. */
function tfRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(16 + data.length);
  const view = new DataView(record.buffer);
  view.setBigUint64(0, BigInt(data.length), true);
  view.setUint32(8, maskedCrc(record.subarray(0, 8)), true);
  record.set(data, 12);
  view.setUint32(12 + data.length, maskedCrc(data), true);
  return record;
}

// Protobuf encodes a field as its key (field number and wire type), followed by its value.

const key = (field: number, wire: 0 | 1 | 2 | 5): Uint8Array => varint(field * 8 + wire);

function varint(value: number): Uint8Array {
  const out: number[] = [];
  let remainder = value;
  while (remainder >= 0x80) {
    out.push((remainder % 0x80) + 0x80);
    remainder = Math.floor(remainder / 0x80);
  }
  return Uint8Array.of(...out, remainder);
}

const int = (field: number, value: number): Uint8Array => join([key(field, 0), varint(value)]);

const bytes = (field: number, value: Uint8Array): Uint8Array =>
  join([key(field, 2), varint(value.length), value]);

function double(field: number, value: number): Uint8Array {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setFloat64(0, value, true);
  return join([key(field, 1), out]);
}

function float(field: number, value: number): Uint8Array {
  const out = new Uint8Array(4);
  new DataView(out.buffer).setFloat32(0, value, true);
  return join([key(field, 5), out]);
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

/** Returns the CRC-32C of the data, masked as TFRecord requires, because the CRC of data that contain CRCs is weak. */
export function maskedCrc(data: Uint8Array): number {
  const crc = crc32c(data);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
