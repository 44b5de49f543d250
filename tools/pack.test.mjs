// Tests the packages, as npm would publish them, in Node: installs the tarballs of npm pack in an empty project, and checks the
// types, the library, the command, and the output of the programs in the packages' READMEs, in docs/getting-started.md and in
// docs/training.md. The tests fail if package.json of a package lacks a file or a dependency. pack-pages.test.mjs tests the
// packages in web pages.
import assert from 'node:assert/strict';
import { cpSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { build as esbuild } from 'esbuild';
import { makeProject, manifestIn, npm, programsIn, publishedPackages } from './packed.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const project = makeProject();
const { folder, modules, packed, write, run } = project;
const platform = `@unroll/kernels-${process.platform}-${process.arch}`;
after(project.remove);

before(() => cpSync(join(root, 'examples/quick-start.ts'), join(folder, 'quick-start.ts')));

describe('the packages', () => {
  test('each contains a README and the license', () => {
    const license = readFileSync(join(root, 'LICENSE'), 'utf8');
    for (const [name, packageFolder] of Object.entries(publishedPackages())) {
      for (const file of ['README.md', 'LICENSE']) assert.ok(packed[name].paths.includes(file), name);
      assert.equal(readFileSync(join(packageFolder, 'LICENSE'), 'utf8'), license, name);
    }
  });
  test('only the platform packages contain native kernels, and none contains .tsbuildinfo files', () => {
    for (const [name, { paths }] of Object.entries(packed)) {
      const native = paths.filter((path) => path.endsWith('.node'));
      assert.deepEqual(
        native.filter((path) => path !== 'unroll.node' || !/^@unroll\/kernels-/.test(name)),
        [],
      );
      assert.ok(!paths.some((path) => path.endsWith('.tsbuildinfo')), name);
    }
  });
  test('depend on each other with the exact version', () => {
    for (const [name, packageFolder] of Object.entries(publishedPackages())) {
      const { version, dependencies, optionalDependencies } = manifestIn(packageFolder);
      const workspace = Object.entries({ ...dependencies, ...optionalDependencies }).filter(
        ([other]) => other === 'unrolljs' || other.startsWith('@unroll/'),
      );
      for (const [other, range] of workspace) assert.equal(range, version, `${name} depends on ${other}`);
    }
  });
});

describe('types', () => {
  const strict = { strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true };
  /** All entry points that are not internal. */
  const entryPoints = Object.entries(publishedPackages()).flatMap(([name, packageFolder]) =>
    Object.keys(manifestIn(packageFolder).exports)
      .filter((entry) => entry !== './internal' && !entry.endsWith('.node'))
      .map((entry) => join(name, entry)),
  );
  const types = { dom: { types: [], lib: ['es2022', 'dom'] } };
  types.node = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')], lib: ['es2022'] };
  for (const [module, moduleResolution, environment] of [
    ['nodenext', 'nodenext', 'dom'],
    ['esnext', 'bundler', 'dom'],
    ['nodenext', 'nodenext', 'node'],
  ]) {
    test(`the quick start compiles with the strictest options: ${moduleResolution}, types of ${environment}`, () => {
      write('every-entry.ts', entryPoints.map((entry, i) => `export * as a${i} from '${entry}';`).join('\n'));
      const options = {
        ...strict,
        skipLibCheck: false,
        noEmit: true,
        target: 'es2022',
        ...types[environment],
      };
      const config = { compilerOptions: { ...options, module, moduleResolution } };
      write('tsconfig.json', JSON.stringify({ ...config, files: ['quick-start.ts', 'every-entry.ts'] }));
      try {
        run(join(root, 'node_modules/typescript/bin/tsc'), '-p', '.');
      } catch (error) {
        assert.fail(error.stdout);
      }
    });
  }
});

describe('in Node', () => {
  test('the quick start runs', async () => {
    await esbuild({ entryPoints: [join(folder, 'quick-start.ts')], outfile: join(folder, 'quick-start.js') });
    const text = run('quick-start.js');
    const [, forecast, actual] = /forecast (\S+), actual (\S+)/.exec(text) ?? assert.fail(text);
    assert.ok(Math.abs(forecast - actual) < 0.05, text);
  });

  test('Node reads few files, and loads every class only once', () => {
    write(
      'b.js',
      `import * as all from 'unrolljs';
      import * as infer from 'unrolljs/infer';
      import * as core from '@unroll/core';
      import { Dense as own } from '@unroll/nn';
      import 'unrolljs/node';
      console.log([infer.Dense === own, infer.UnrollError === all.UnrollError, infer.Tensor === all.Tensor, core.UnrollError === all.UnrollError].join());`,
    );
    write(
      'count.mjs',
      `import { register } from 'node:module';
      const hooks = 'export const load = (url, context, next) => (url.startsWith("file:") && console.log(url), next(url, context));';
      register('data:text/javascript,' + encodeURIComponent(hooks));`,
    );
    assert.equal(run('b.js'), 'true,true,true,true\n');
    write('c.js', "import 'unrolljs/infer';");
    const files = run('--import', './count.mjs', 'c.js').trim().split('\n');
    assert.ok(
      files.some((file) => file.endsWith('nn/dist/index.bundle.js')),
      files.join('\n'),
    );
    assert.ok(files.length < 20, files.join('\n'));
  });

  test('the command unroll is installed and forecasts', () => {
    const unroll = (...args) =>
      npm(folder, 'exec', '--offline', '--package=unrolljs', '--', 'unroll', ...args);
    assert.match(unroll('--help'), /^Usage: unroll <command>/);
    const data = join(modules, '@unroll/cli/data/air-passengers.csv');
    const small = ['--epochs', '1', '--units', '4', '--windows', '1'];
    unroll('forecast', data, '--target', 'passengers', '--horizon', '12', ...small, '--out', 'out');
    assert.match(readFileSync(join(folder, 'out/forecast.csv'), 'utf8'), /\n1961-12,/);
  });

  test('native kernels are loaded from the platform package; without it, WebAssembly is used', (t) => {
    write(
      'kernels.js',
      `import { loadKernelsSync } from '@unroll/kernels';
      const { kind, fallback } = loadKernelsSync();
      console.log(kind, fallback?.code);`,
    );
    if (!packed[platform]?.paths.includes('unroll.node')) {
      assert.equal(run('kernels.js'), 'wasm native-missing\n');
      t.skip(`${platform} was not built here`);
      return;
    }
    assert.equal(run('kernels.js'), 'native undefined\n');
    renameSync(join(modules, platform), project.aside);
    try {
      assert.equal(run('kernels.js'), 'wasm native-missing\n');
    } finally {
      renameSync(project.aside, join(modules, platform));
    }
  });

  for (const format of ['esm', 'cjs']) {
    test(`a program bundled into one file (${format}) finds the kernels with kernelsAt`, async () => {
      const outfile = `bundled/${format}.${format === 'cjs' ? 'cjs' : 'mjs'}`;
      const source = `import { kernelsAt, loadKernelsSync } from '@unroll/kernels';
        let refused;
        try { loadKernelsSync({ kind: 'wasm' }) } catch (error) { refused = error }
        kernelsAt(process.argv[2]);
        const { variant } = loadKernelsSync({ kind: 'wasm', threads: false });
        console.log(refused.code + ': ' + refused.message + '; ' + variant);`;
      await esbuild({
        ...{ stdin: { contents: source, resolveDir: folder }, bundle: true, logLevel: 'silent' },
        ...{ platform: 'node', format, outfile: join(folder, outfile) },
      });
      assert.match(
        run(outfile, join(modules, '@unroll/kernels/dist')),
        /^wasm-missing: kernels\S+ cannot be read \(ENOENT.*call kernelsAt\(folder\) with a copy of .*; strict\n$/,
      );
    });
  }
});

describe('documentation', () => {
  const readmes = Object.values(publishedPackages()).map((packageFolder) =>
    join(relative(root, packageFolder), 'README.md'),
  );
  const inNode = ({ name }) => !name || name.endsWith('.mjs');
  for (const file of [...readmes, 'docs/getting-started.md', 'docs/training.md']) {
    const programs = programsIn(file).filter(inNode);
    test(`${file}: ${programs.length} programs have the documented output`, () => {
      for (const [i, { name = `program-${i}.mjs`, code, output, error }] of programs.entries()) {
        write(name, code);
        const { stdout, stderr, status } = outcome(name);
        assert.equal(status, error === undefined ? 0 : 1, stderr);
        if (output !== undefined) assert.equal(stdout, output, name);
        if (error !== undefined) assert.ok(stderr.includes(error), stderr);
      }
    });
  }
  const outcome = (name) => {
    try {
      return { stdout: run(name), stderr: '', status: 0 };
    } catch (failure) {
      return failure;
    }
  };
});
