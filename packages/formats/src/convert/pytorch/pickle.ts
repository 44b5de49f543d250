/**
 * Reads pickles safely. A pickle is a program for a small stack machine. The machine of this file builds numbers, strings,
 * containers and references to tensors, and knows only the names in pickle-names.ts. It never imports or calls anything
 * else: every other name causes an error that contains the name.
 */
import { UnrollError } from '@unroll/core';
import { decodeUtf8 } from '@unroll/core/internal';
import { globalNamed, PyGlobal, type PyValue, REMEDY, reduce } from './pickle-names.js';

/**
 * Maximum number of pushed values that are not numbers, strings or booleans, and of entries in the memo. A state dict needs about
 * ten for each tensor.
 */
const MAX_OBJECTS = 250_000;
/** Size in bytes of the longest integer. The magic number of the format before PyTorch 1.6 has 10 bytes. */
const MAX_INTEGER = 32;

export interface Pickle {
  value: PyValue;
  /** Offset of the first byte after the pickle. */
  end: number;
}

/** Marks the start of the elements of a container on the stack. */
const MARK = Symbol('mark');
type StackItem = PyValue | typeof MARK;

/**
 * Reads one pickle.
 * @param load returns the object of a persistent id, which is a storage of tensors
 * @param name name of the file, for error messages
 * @throws UnrollError `format` for a damaged pickle, `value` for one that Unroll does not read, such as one that
 * contains an instance of an unknown class
 */
export function readPickle(
  bytes: Uint8Array,
  start: number,
  load: (id: PyValue) => PyValue,
  name: string,
): Pickle {
  return new Unpickler(bytes, start, load, name).run();
}

class Unpickler {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #load: (id: PyValue) => PyValue;
  readonly #name: string;
  readonly #stack: StackItem[] = [];
  readonly #memo = new Map<number, PyValue>();
  #at: number;
  #objects = 0;

  constructor(bytes: Uint8Array, start: number, load: (id: PyValue) => PyValue, name: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
    this.#load = load;
    this.#name = name;
  }

  run(): Pickle {
    for (;;) {
      const code = this.#uint(1);
      if (code === 0x2e) return { value: this.#pop(), end: this.#at }; // STOP
      const op = OPS[code];
      if (op === undefined)
        throw this.#unsupported(
          `byte ${this.#at - 1} is the opcode 0x${code.toString(16)}, which Unroll does not know; the file may be damaged`,
        );
      op(this.#machine);
    }
  }

  /** The actions that opcodes may perform. */
  readonly #machine: Machine = {
    push: (value) => this.#push(value),
    pop: () => this.#pop(),
    top: () => {
      const value = this.#pop();
      this.#stack.push(value);
      return value;
    },
    mark: () => void this.#stack.push(MARK),
    popMark: () => this.#popMark(),
    uint: (size) => this.#uint(size),
    int32: () => this.#take(4, (at) => this.#view.getInt32(at, true)),
    float: () => this.#take(8, (at) => this.#view.getFloat64(at, false)),
    integer: (size) => this.#integer(size),
    data: (size) => this.#data(size),
    string: (size) => this.#string(this.#data(size)),
    line: () => this.#string(this.#line()),
    escapedLine: () => unescaped(this.#line()),
    put: (index) => {
      const value = this.#pop();
      this.#stack.push(value);
      this.#memo.set(index ?? this.#memo.size, value);
      if (this.#memo.size > MAX_OBJECTS)
        throw this.#unsupported(`its memo has more than ${MAX_OBJECTS} entries`);
    },
    get: (index) => {
      const value = this.#memo.get(index);
      if (value === undefined) throw this.#damaged(`it reads memo entry ${index}, which does not exist`);
      this.#push(value);
    },
    global: (module, name) => this.#push(globalNamed(`${module}.${name}`, this.#name)),
    persistent: () => this.#push(this.#load(this.#pop())),
    damaged: (problem) => {
      throw this.#damaged(problem);
    },
    unsupported: (problem) => {
      throw this.#unsupported(problem);
    },
    fileName: () => this.#name,
  };

  #push(value: PyValue): void {
    if (typeof value === 'object' && ++this.#objects > MAX_OBJECTS)
      throw this.#unsupported(`it contains more than ${MAX_OBJECTS} objects`);
    this.#stack.push(value);
  }

  #pop(): PyValue {
    const value = this.#stack.pop();
    if (value === undefined || value === MARK) throw this.#damaged('an operand is missing');
    return value as PyValue;
  }

  #popMark(): PyValue[] {
    const at = this.#stack.lastIndexOf(MARK);
    if (at < 0) throw this.#damaged('the start of a list is missing');
    const items = this.#stack.splice(at + 1) as PyValue[];
    this.#stack.pop();
    return items;
  }

  #take<T>(size: number, read: (at: number) => T): T {
    if (!(size >= 0) || this.#at + size > this.#bytes.length) throw this.#damaged('it is truncated');
    const value = read(this.#at);
    this.#at += size;
    return value;
  }

  #uint(size: number): number {
    return this.#take(size, (at) => {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + this.#bytes[at + i];
      return value;
    });
  }

  #data(size: number): Uint8Array {
    return this.#take(size, (at) => this.#bytes.subarray(at, at + size));
  }

  /** Reads a signed integer. Integers beyond 2^53 are not exact. */
  #integer(size: number): number {
    if (size > MAX_INTEGER)
      throw this.#unsupported(`it contains an integer of ${size} bytes; the maximum is ${MAX_INTEGER}`);
    const bytes = this.#data(size);
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return Number(BigInt.asIntN(8 * Math.max(1, size), value));
  }

  /** Reads the bytes up to the next line feed: a name, or a number or Unicode string of protocol 0. */
  #line(): Uint8Array {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0) throw this.#damaged('it is truncated');
    const line = this.#data(end - this.#at);
    this.#at++;
    return line;
  }

  #string(bytes: Uint8Array): string {
    try {
      return decodeUtf8(bytes, this.#name);
    } catch {
      const offset = bytes.byteOffset - this.#bytes.byteOffset;
      throw this.#damaged(`the string at byte ${offset} is not valid UTF-8`);
    }
  }

  #damaged(problem: string): UnrollError {
    return new UnrollError('format', `The pickle in ${this.#name} is damaged: ${problem}.`);
  }

  /** Returns the error for a pickle that Python can read, but Unroll does not. */
  #unsupported(problem: string): UnrollError {
    return new UnrollError('value', `The pickle in ${this.#name} cannot be read: ${problem}. ${REMEDY}`);
  }
}

interface Machine {
  push(value: PyValue): void;
  pop(): PyValue;
  top(): PyValue;
  mark(): void;
  popMark(): PyValue[];
  uint(size: number): number;
  int32(): number;
  float(): number;
  integer(size: number): number;
  data(size: number): Uint8Array;
  string(size: number): string;
  line(): string;
  escapedLine(): string;
  put(index?: number): void;
  get(index: number): void;
  global(module: string, name: string): void;
  persistent(): void;
  damaged(problem: string): never;
  unsupported(problem: string): never;
  fileName(): string;
}

/** The action of each opcode. Comments give names from Python's pickletools where the character does not suggest the name. */
const OPS: (((m: Machine) => void) | undefined)[] = [];
const define = (character: string | number, op: (m: Machine) => void): void => {
  OPS[typeof character === 'number' ? character : character.charCodeAt(0)] = op;
};

/** Decodes a string of protocol 0 (raw-unicode-escape): Latin-1, with other characters as `\uXXXX` or `\UXXXXXXXX`. */
const unescaped = (line: Uint8Array): string =>
  Array.from(line, (byte) => String.fromCharCode(byte))
    .join('')
    .replace(/\\(?:u([\da-fA-F]{4})|U(00(?:0[\da-fA-F]|10)[\da-fA-F]{4}))/g, (_, short, long) =>
      String.fromCodePoint(Number.parseInt(short ?? long, 16)),
    );

/** Converts a decimal number, as protocol 0 writes numbers. */
function decimal(m: Machine, text: string): number {
  const value = Number(text.replace(/L$/, ''));
  return text === '' || Number.isNaN(value) ? m.damaged(`"${text.slice(0, 20)}" is not a number`) : value;
}

define(0x80, (m) => {
  // PROTO
  const protocol = m.uint(1);
  if (protocol > 5) m.unsupported(`its protocol is ${protocol}; the newest supported protocol is 5`);
});
define(0x95, (m) => void m.uint(8)); // FRAME
define('(', (m) => m.mark());
define('0', (m) => void m.pop());
define('1', (m) => void m.popMark());
define('2', (m) => m.push(m.top())); // DUP

// Values
define('N', (m) => m.push(null));
define(0x88, (m) => m.push(true)); // NEWTRUE
define(0x89, (m) => m.push(false)); // NEWFALSE
define('I', (m) => {
  const text = m.line();
  m.push(text === '01' ? true : text === '00' ? false : decimal(m, text));
});
define('J', (m) => m.push(m.int32()));
define('K', (m) => m.push(m.uint(1)));
define('M', (m) => m.push(m.uint(2)));
define('L', (m) => m.push(decimal(m, m.line())));
define(0x8a, (m) => m.push(m.integer(m.uint(1)))); // LONG1
define(0x8b, (m) => m.push(m.integer(m.uint(4)))); // LONG4
define('F', (m) => m.push(decimal(m, m.line())));
define('G', (m) => m.push(m.float()));
define('X', (m) => m.push(m.string(m.uint(4))));
define(0x8c, (m) => m.push(m.string(m.uint(1)))); // SHORT_BINUNICODE
define(0x8d, (m) => m.push(m.string(m.uint(8)))); // BINUNICODE8
define('V', (m) => m.push(m.escapedLine()));
define('T', (m) => m.push(m.string(m.uint(4))));
define('U', (m) => m.push(m.string(m.uint(1))));
define('B', (m) => m.push(m.data(m.uint(4))));
define('C', (m) => m.push(m.data(m.uint(1))));
define(0x8e, (m) => m.push(m.data(m.uint(8)))); // BINBYTES8

// Containers: tuples, lists and sets become arrays, dicts become maps
define(')', (m) => m.push([]));
define(']', (m) => m.push([]));
define(0x8f, (m) => m.push([])); // EMPTY_SET
define('}', (m) => m.push(new Map()));
define('t', (m) => m.push(m.popMark()));
define('l', (m) => m.push(m.popMark()));
define(0x91, (m) => m.push(m.popMark())); // FROZENSET
define('d', (m) => m.push(setItems(m, new Map(), m.popMark())));
define(0x85, (m) => m.push([m.pop()])); // TUPLE1
define(0x86, (m) => {
  // TUPLE2
  const second = m.pop();
  m.push([m.pop(), second]);
});
define(0x87, (m) => {
  // TUPLE3
  const [third, second] = [m.pop(), m.pop()];
  m.push([m.pop(), second, third]);
});
define('a', (m) => {
  const item = m.pop();
  addItems(m, [item]);
});
define('e', (m) => addItems(m, m.popMark()));
define(0x90, (m) => addItems(m, m.popMark())); // ADDITEMS
define('s', (m) => {
  const value = m.pop();
  const key = m.pop();
  setItems(m, m.top(), [key, value]);
});
define('u', (m) => {
  const items = m.popMark();
  setItems(m, m.top(), items);
});

function addItems(m: Machine, items: readonly PyValue[]): void {
  const list = m.top();
  if (!Array.isArray(list)) m.damaged('an element is added to an object that is not a list');
  for (const item of items) list.push(item);
}

function setItems(m: Machine, target: PyValue, items: readonly PyValue[]): PyValue {
  if (!(target instanceof Map) || items.length % 2 !== 0)
    return m.damaged('an item is set in an object that is not a dict');
  for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  return target;
}

// Memo
define('p', (m) => m.put(decimal(m, m.line())));
define('q', (m) => m.put(m.uint(1)));
define('r', (m) => m.put(m.uint(4)));
define(0x94, (m) => m.put()); // MEMOIZE
define('g', (m) => m.get(decimal(m, m.line())));
define('h', (m) => m.get(m.uint(1)));
define('j', (m) => m.get(m.uint(4)));

// Names and calls
define('c', (m) => {
  const module = m.line();
  m.global(module, m.line());
});
define(0x93, (m) => {
  // STACK_GLOBAL
  const [name, module] = [m.pop(), m.pop()];
  if (typeof name !== 'string' || typeof module !== 'string') return m.damaged('a name is not a string');
  m.global(module, name);
});
define('R', (m) => {
  const [args, callee] = [m.pop(), m.pop()];
  if (!(callee instanceof PyGlobal) || !Array.isArray(args))
    return m.damaged('a call has no function or no arguments');
  m.push(reduce(callee, args, m.fileName()));
});
define('b', (m) => {
  // BUILD sets the state of an object. The attributes of a dict are ignored; the state of a NumPy dtype contains its byte order.
  const state = m.pop();
  const target = m.top();
  if (target instanceof PyGlobal && target.name.startsWith('numpy.dtype:')) {
    if (Array.isArray(state) && state[1] === '>') m.unsupported('it contains a big-endian NumPy number');
  } else if (!(target instanceof Map)) m.unsupported('it sets the state of an object that is not a dict');
});
define('Q', (m) => m.persistent());
define('P', (m) => {
  m.push(m.line());
  m.persistent();
});
// INST, OBJ, NEWOBJ, NEWOBJ_EX
for (const code of ['i', 'o', 0x81, 0x92]) {
  define(code, (m) => m.unsupported('it creates an object of a class, which Unroll never does'));
}
// EXT1, EXT2, EXT4
for (const code of [0x82, 0x83, 0x84]) {
  define(code, (m) => m.unsupported("it refers to a name in Python's extension registry (copyreg)"));
}
