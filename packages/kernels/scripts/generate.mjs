// Reads cpp/kernels.h, the only place where kernels are declared, and generates:
//   src/interface.generated.ts  the kernels as a TypeScript interface, its version, arities, the training kernels, codes, constants
//   src/calls.generated.ts      the structs as interfaces, and a function for each kernel that takes a struct
//   cpp/list.generated.h        macros that list the kernels, and functions that read the structs
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The largest number of arguments of a kernel. A kernel that needs more takes a struct. */
const MAX_ARGUMENTS = 4;

const NUMBERS = new Set(['int', 'int32_t', 'uint32_t', 'float', 'double', 'long']);

const typeOf = (type, where) => {
  const plain = type
    .replace(/\bconst\b/g, '')
    .replace(/\s+/g, ' ')
    .trim();
  if (plain.endsWith('*')) return 'Pointer';
  if (plain === 'void') return 'void';
  if (NUMBERS.has(plain)) return 'number';
  throw new Error(`kernels.h: ${where}: the type "${type.trim()}" has no TypeScript counterpart`);
};

const camel = (name) => name.replace(/^[a-z]_/, '').replace(/_([a-z0-9])/g, (_, c) => c.toUpperCase());
const lower = (name) => name[0].toLowerCase() + name.slice(1);
const capital = (name) => name[0].toUpperCase() + name.slice(1);
const commentLines = (comment) =>
  comment
    .split('\n')
    .filter((line) => line.trim() && !/^\/\/ -{20}/.test(line))
    .map((line) => line.trim().replace(/^\/\/ ?/, ''));

/** Parses the declaration of an argument or field: { type, id }. */
const readDeclaration = (text, where) => {
  const plain = text.replace(/\s+/g, ' ').trim();
  const [, type, id] = /^(.+[\s*&])(\w+)$/.exec(plain) ?? [];
  if (!id) throw new Error(`kernels.h: ${where}: cannot read the argument "${plain}"`);
  return { type: type.trim(), id };
};

/** Parses the fields of a struct. The comment of a field is above it, or after it on the same line. */
const readFields = (body, name) => {
  const fields = [];
  let above = [];
  for (const line of body.split('\n')) {
    const [, declaration, comment] = /^\s*([^/]*?);?\s*(?:\/\/ ?(.*))?$/.exec(line);
    if (declaration) {
      if (!/;/.test(line)) throw new Error(`kernels.h: ${name}: cannot read the line "${line.trim()}"`);
      const field = { ...readDeclaration(declaration, name), comment: comment ? [...above, comment] : above };
      fields.push(field);
      above = [];
    } else if (comment) {
      above.push(comment);
    }
  }
  return fields;
};

/** Parses kernels.h: the kernels in order, with their comments; their structs; the codes and constants. */
export const parseKernels = (text) => {
  const body = text.slice(text.indexOf('#endif'));
  const codes = [...body.matchAll(/^CODES\((\w+),([^)]*)\)/gm)].map(([, group, names]) => ({
    group,
    names: names.split(',').map((n) => camel(n.trim())),
  }));
  const constants = [...body.matchAll(/((?:^\/\/.*\n)*)^CONSTANT\((\w+), (\d+)\)/gm)].map(
    ([, comment, name, value]) => ({ name, value: Number(value), comment: commentLines(comment) }),
  );
  const structs = [...body.matchAll(/((?:^\/\/.*\n)*)^struct (\w+)(?: : (\w+))? \{\n([\s\S]*?)^\};/gm)].map(
    ([, comment, name, base, fields]) => ({
      name,
      base,
      fields: readFields(fields, name),
      comment: commentLines(comment),
    }),
  );
  const kernels = [];
  const pattern = /((?:^\/\/.*\n)*)^(KERNEL|TRAINING)\((\w+),\s*(\w+),\s*\(([^)]*)\)\)/gm;
  for (const [, comment, kind, result, name, list] of body.matchAll(pattern)) {
    const args = list
      .split(',')
      .filter((arg) => arg.trim())
      .map((arg) => readDeclaration(arg, name));
    const [, struct] = /^const (\w+) ?&$/.exec(args[0]?.type ?? '') ?? [];
    if (struct && !structs.some((candidate) => candidate.name === struct)) {
      throw new Error(`kernels.h: ${name}: there is no struct "${struct}"`);
    }
    if (args.length > MAX_ARGUMENTS) {
      throw new Error(
        `kernels.h: ${name} takes ${args.length} arguments: more than ${MAX_ARGUMENTS} belong in a struct`,
      );
    }
    kernels.push({
      name,
      training: kind === 'TRAINING',
      result,
      args,
      struct,
      comment: commentLines(comment),
    });
  }
  const declared = body.match(/^(KERNEL|TRAINING)\(/gm)?.length ?? 0;
  if (declared !== kernels.length) {
    throw new Error(`kernels.h declares ${declared} kernels but only ${kernels.length} could be read`);
  }
  checkSlots(structs, constants);
  return { codes, constants, structs, kernels };
};

/** Returns the fields of a struct and its bases, in the order of the slots of the call area. */
const allFields = (structs, name) => {
  const { base, fields } = structs.find((candidate) => candidate.name === name);
  return base ? [...allFields(structs, base), ...fields] : fields;
};

const checkSlots = (structs, constants) => {
  const slots = constants.find(({ name }) => name === 'call_slots')?.value;
  for (const { name } of structs) {
    const { length } = allFields(structs, name);
    if (length > slots)
      throw new Error(`kernels.h: ${name} has ${length} fields but the call area only ${slots} slots`);
  }
};

/** Returns a number that changes if any name, argument, field, constant or operation does. Loaders reject other versions. */
export const versionOf = ({ codes, constants, structs, kernels }) => {
  const declared = kernels.map(({ name, training, result, args }) => ({ name, training, result, args }));
  const laidOut = structs.map(({ name, base, fields }) => [
    name,
    base,
    fields.map(({ type, id }) => [type, id]),
  ]);
  const numbers = constants.map(({ name, value }) => [name, value]);
  return (
    createHash('sha256')
      .update(JSON.stringify([codes, numbers, laidOut, declared]))
      .digest()
      .readUInt32LE() >>> 1
  );
};

const GENERATED_NOTICE = '// Written by scripts/generate.mjs from cpp/kernels.h: edit that file instead.';

const docComment = (lines, indent = '') =>
  lines.length === 0
    ? []
    : [
        `${indent}/**`,
        ...lines.map((line) => `${indent} * ${line}`.trimEnd().replaceAll('*/', '*\\/')),
        `${indent} */`,
      ];

const typescript = (parsed) => {
  const { codes, constants, kernels } = parsed;
  const out = [
    GENERATED_NOTICE,
    '',
    '/** An address in the linear memory, in bytes; 0 is null. */',
    'export type Pointer = number;',
    '',
    '/**',
    ' * The kernels, with the same names and arguments in every build. See cpp/kernels.h for the conventions. Kernels that take a',
    ' * struct take its address: call them with the functions of calls.generated.ts.',
    ' */',
    'export interface KernelExports {',
  ];
  for (const { name, result, args, struct, comment } of kernels) {
    out.push(...docComment(comment, '  '));
    const params = struct
      ? 'call: Pointer'
      : args.map(({ type, id }) => `${id}: ${typeOf(type, name)}`).join(', ');
    out.push(`  ${name}(${params}): ${typeOf(result, name)};`);
  }
  out.push(
    '}',
    '',
    '/** The version of this interface, which `interface_version` of matching kernels returns. */',
  );
  out.push(`export const interfaceVersion = ${versionOf(parsed)};`);
  out.push('', '/** The number of arguments of each kernel. */');
  out.push('export const kernelArity: { readonly [K in keyof KernelExports]: number } = {');
  for (const { name, args } of kernels) out.push(`  ${name}: ${args.length},`);
  out.push('};');
  out.push('', '/** The kernels that inference-only builds do not have. */');
  out.push('export const trainingKernels: readonly (keyof KernelExports)[] = [');
  for (const { name, training } of kernels) if (training) out.push(`  '${name}',`);
  out.push('];', '');
  for (const { name, value, comment } of constants)
    out.push(...docComment(comment), `export const ${camel(name)} = ${value};`);
  for (const { group, names } of codes) {
    out.push('', `export const ${group} = {`);
    for (const [i, name] of names.entries()) out.push(`  ${name}: ${i},`);
    out.push('} as const;', `export type ${group}Name = keyof typeof ${group};`);
  }
  return `${out.join('\n')}\n`;
};

const hasFloats = (structs, name) => allFields(structs, name).some(({ type }) => type === 'float');
const isOptional = ({ comment }) => comment.some((line) => line.includes('| null'));

/**
 * Generates an interface for each struct, and a function for each kernel that takes a struct. The fields of a base are in a
 * nested object: merging objects at each call would take microseconds.
 */
const calls = ({ structs, kernels }) => {
  const out = [
    GENERATED_NOTICE,
    '',
    "import type { Slots } from './call-area.js';",
    "import type { Pointer } from './interface.generated.js';",
    "import type { KernelModule } from './types.js';",
  ];
  for (const { name, base, fields, comment } of structs) {
    out.push('', ...docComment(comment), `export interface ${name} {`);
    if (base) out.push(`  ${lower(base)}: ${base};`);
    for (const field of fields) {
      out.push(...docComment(field.comment, '  '));
      out.push(`  ${field.id}${isOptional(field) ? '?' : ''}: ${typeOf(field.type, name)};`);
    }
    const floats = hasFloats(structs, name);
    const isBase = structs.some((other) => other.base === name);
    out.push(
      '}',
      '',
      `const put${name} = (s: Slots, c: ${name}${floats ? ', f: Slots' : ''}): ${isBase ? 'number' : 'void'} => {`,
    );
    const inherited = base && `put${base}(s, c.${lower(base)}${hasFloats(structs, base) ? ', f' : ''})`;
    out.push(`  let i = ${inherited ?? 0};`);
    for (const field of fields)
      out.push(
        `  ${field.type === 'float' ? 'f' : 's'}[i++] = c.${field.id}${isOptional(field) ? ' ?? 0' : ''};`,
      );
    if (isBase) out.push('  return i;');
    out.push('};');
  }
  for (const { name, struct } of kernels) {
    if (!struct) continue;
    out.push('', `/** Calls \`${name}\` of cpp/kernels.h. */`);
    out.push(
      `export const call${capital(camel(name))} = ({ kernels, calls }: KernelModule, c: ${struct}): void => {`,
      `  put${struct}(calls.slots, c${hasFloats(structs, struct) ? ', calls.floats' : ''});`,
      `  kernels.${name}(calls.address);`,
      '};',
    );
  }
  return `${out.join('\n')}\n`;
};

const header = (parsed) => {
  const { structs, kernels } = parsed;
  const list = (training) =>
    kernels
      .filter((kernel) => kernel.training === training)
      .map(({ name, result, args, struct }) =>
        struct
          ? `  S(${result}, ${name}, ${struct})`
          : `  K(${result}, ${name}, (${args.map((a) => `${a.type} ${a.id}`).join(', ')}), (${args.map((a) => a.id).join(', ')}))`,
      )
      .join(' \\\n');
  const readers = structs.map(({ name, base, fields }) => {
    const reads = fields.map((field) => `from(to.${field.id}, "${field.id}", ${isOptional(field)})`);
    if (base) reads.unshift(`read_fields(from, static_cast<${base}&>(to))`);
    return (
      `constexpr int fields_of_${name} = ${allFields(structs, name).length};\n` +
      `template <class Slots>\ninline bool read_fields(Slots& from, ${name}& to) {\n` +
      `  return ${reads.join(' &&\n         ')};\n}\n`
    );
  });
  return `// Written by scripts/generate.mjs from kernels.h: edit that file instead.
// UNROLL_KERNELS(X) expands to X(name) for every kernel. UNROLL_INFERENCE(K, S) lists the kernels declared with KERNEL,
// UNROLL_TRAINING(K, S) those declared with TRAINING, and UNROLL_DECLARATIONS(K, S) both. Each kernel is listed as
// K(result, name, (arguments), (names of the arguments)) or, if it takes a struct, as S(result, name, struct). read_fields
// fills a struct from the slots of the call area: from(field, name, nullable) reads the next slot and returns whether its
// value is valid.
#pragma once
#include "kernels_impl.h"
#define UNROLL_INTERFACE_VERSION ${versionOf(parsed)}
#define UNROLL_KERNELS(X) \\\n${kernels.map(({ name }) => `  X(${name})`).join(' \\\n')}
#define UNROLL_INFERENCE(K, S) \\\n${list(false)}
#define UNROLL_TRAINING(K, S) \\\n${list(true)}
#define UNROLL_DECLARATIONS(K, S) UNROLL_INFERENCE(K, S) UNROLL_TRAINING(K, S)

namespace unroll {
${readers.join('')}}  // namespace unroll
`;
};

/** Writes the generated files that have changed, and returns the result of parseKernels. */
export const generate = () => {
  const parsed = parseKernels(readFileSync(join(root, 'cpp/kernels.h'), 'utf8'));
  for (const [path, text] of [
    ['src/interface.generated.ts', typescript(parsed)],
    ['src/calls.generated.ts', calls(parsed)],
    ['cpp/list.generated.h', header(parsed)],
  ]) {
    const file = join(root, path);
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
  }
  return parsed;
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`kernels.h: ${generate().kernels.length} kernels`);
}
