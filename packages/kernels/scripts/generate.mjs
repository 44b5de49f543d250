// Reads cpp/kernels.h, the one place where kernels are declared, and writes what others need of it:
//   src/interface.generated.ts  the exports as a TypeScript interface, its version, arities, which only train, the op codes
//   cpp/list.generated.h        macros that list the kernels (names alone, and whole declarations)
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

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

/** Parses kernels.h: its kernels in order, each with its comment, and its groups of op codes. */
export const parseKernels = (text) => {
  const body = text.slice(text.indexOf('#endif'));
  const codes = [...body.matchAll(/^CODES\((\w+),([^)]*)\)/gm)].map(([, group, names]) => ({
    group,
    names: names.split(',').map((n) => camel(n.trim())),
  }));
  const kernels = [];
  const pattern = /((?:^\/\/.*\n)*)^(KERNEL|TRAINING)\((\w+),\s*(\w+),\s*\(([^)]*)\)\)/gm;
  for (const [, comment, kind, result, name, list] of body.matchAll(pattern)) {
    const args = list
      .split(',')
      .map((arg) => arg.replace(/\s+/g, ' ').trim())
      .filter(Boolean)
      .map((arg) => {
        const [, type, id] = /^(.+[\s*])(\w+)$/.exec(arg) ?? [];
        if (!id) throw new Error(`kernels.h: ${name}: cannot read the argument "${arg}"`);
        return { type: type.trim(), id };
      });
    kernels.push({
      name,
      training: kind === 'TRAINING',
      result,
      args,
      comment: comment
        .split('\n')
        .filter((line) => line && !/^\/\/ -{20}/.test(line))
        .map((line) => line.replace(/^\/\/ ?/, '')),
    });
  }
  const declared = body.match(/^(KERNEL|TRAINING)\(/gm)?.length ?? 0;
  if (declared !== kernels.length) {
    throw new Error(`kernels.h declares ${declared} kernels but only ${kernels.length} could be read`);
  }
  return { codes, kernels };
};

/** A number that changes with every name, argument and operation, so that scripts refuse kernels of another version. */
export const versionOf = ({ codes, kernels }) => {
  const declared = kernels.map(({ name, training, result, args }) => ({ name, training, result, args }));
  return (
    createHash('sha256')
      .update(JSON.stringify([codes, declared]))
      .digest()
      .readUInt32LE() >>> 1
  );
};

const typescript = ({ codes, kernels }) => {
  const out = [
    '// Written by scripts/generate.mjs from cpp/kernels.h: edit that file instead.',
    '',
    '/** An address in the linear memory, in bytes; 0 is null. */',
    'export type Pointer = number;',
    '',
    '/** The kernels, with the same names and arguments in every build. See cpp/kernels.h for the conventions. */',
    'export interface KernelExports {',
  ];
  for (const { name, result, args, comment } of kernels) {
    if (comment.length) {
      out.push('  /**', ...comment.map((line) => `   * ${line}`.trimEnd().replaceAll('*/', '*\\/')), '   */');
    }
    const params = args.map(({ type, id }) => `${id}: ${typeOf(type, name)}`).join(', ');
    out.push(`  ${name}(${params}): ${typeOf(result, name)};`);
  }
  out.push('}', '', '/** What `interface_version` of kernels that fit this interface gives. */');
  out.push(`export const interfaceVersion = ${versionOf({ codes, kernels })};`);
  out.push('', '/** How many arguments each kernel takes. */');
  out.push('export const kernelArity: { readonly [K in keyof KernelExports]: number } = {');
  for (const { name, args } of kernels) out.push(`  ${name}: ${args.length},`);
  out.push('};');
  out.push('', '/** What the inference-only builds leave out. */');
  out.push('export const trainingKernels: readonly (keyof KernelExports)[] = [');
  for (const { name, training } of kernels) if (training) out.push(`  '${name}',`);
  out.push('];');
  for (const { group, names } of codes) {
    out.push('', `export const ${group} = {`);
    for (const [i, name] of names.entries()) out.push(`  ${name}: ${i},`);
    out.push('} as const;', `export type ${group}Name = keyof typeof ${group};`);
  }
  return `${out.join('\n')}\n`;
};

const header = ({ codes, kernels }) => {
  const declarations = (training) =>
    kernels
      .filter((kernel) => kernel.training === training)
      .map(
        ({ name, result, args }) =>
          `  K(${result}, ${name}, (${args.map((a) => `${a.type} ${a.id}`).join(', ')}), (${args.map((a) => a.id).join(', ')}))`,
      )
      .join(' \\\n');
  return `// Written by scripts/generate.mjs from kernels.h: edit that file instead.
// UNROLL_KERNELS(X): X(name) for every kernel. UNROLL_INFERENCE(K), UNROLL_TRAINING(K): K(result, name, (arguments),
// (names of the arguments)) for those declared with KERNEL and with TRAINING. UNROLL_DECLARATIONS(K): for all.
#pragma once
#define UNROLL_INTERFACE_VERSION ${versionOf({ codes, kernels })}
#define UNROLL_KERNELS(X) \\\n${kernels.map(({ name }) => `  X(${name})`).join(' \\\n')}
#define UNROLL_INFERENCE(K) \\\n${declarations(false)}
#define UNROLL_TRAINING(K) \\\n${declarations(true)}
#define UNROLL_DECLARATIONS(K) UNROLL_INFERENCE(K) UNROLL_TRAINING(K)
`;
};

/** Writes the generated files where they changed and returns what was parsed. */
export const generate = () => {
  const parsed = parseKernels(readFileSync(join(root, 'cpp/kernels.h'), 'utf8'));
  for (const [path, text] of [
    ['src/interface.generated.ts', typescript(parsed)],
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
