/**
 * `npm run bench:peers`: installs the libraries that the benchmark compares with Unroll ("peers") in bench/peers, nowhere
 * else. PyTorch is installed in a virtual environment. The install scripts of npm packages are skipped because
 * nothing uses their results: the script of ONNX Runtime downloads GPU files, and the script of brain.js builds a
 * binding to OpenGL.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pythonPath } from './engines.js';

const HELP = `npm run bench:peers -- [options]

  --only node|python   installs only the npm packages or only PyTorch
  --python COMMAND     the Python that creates the environment, default python3
  --torch SPEC         the PyTorch to install instead of the one in requirements.txt. On Linux, the default wheel
                       depends on gigabytes of GPU libraries. If your package index has it, use a CPU build, such as
                       torch==2.13.0+cpu
`;

const folder = fileURLToPath(new URL('../peers/', import.meta.url));

function run(command: string, ...args: string[]): void {
  console.log(`> ${[command, ...args].join(' ')}`);
  const { status, error } = spawnSync(command, args, {
    cwd: folder,
    stdio: 'inherit',
    shell: process.platform === 'win32',
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${command} exited with code ${status}`);
}

try {
  const { values } = parseArgs({
    options: {
      only: { type: 'string' },
      python: { type: 'string', default: 'python3' },
      torch: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.only !== undefined && values.only !== 'node' && values.only !== 'python')
    throw new Error(`--only must be node or python, got "${values.only}".`);
  if (values.help) console.log(HELP);
  else {
    if (values.only !== 'python') {
      run('npm', 'install', '--ignore-scripts', '--no-package-lock', '--no-audit', '--no-fund');
    }
    if (values.only !== 'node') {
      const python = pythonPath(undefined);
      if (!existsSync(python)) run(values.python, '-m', 'venv', '.venv');
      const requirements = values.torch ? [values.torch] : ['-r', 'requirements.txt'];
      run(python, '-m', 'pip', 'install', ...requirements);
    }
  }
} catch (error) {
  console.error(`${(error as Error).message}\n\n${HELP}`);
  process.exitCode = 1;
}
