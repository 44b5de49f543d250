/**
 * `npm run bench:peers`: installs the peers of the benchmark, only under bench/peers. npm packages are installed
 * without their install scripts, whose results are not used: ONNX Runtime's downloads GPU files, brain.js's builds a GL
 * binding. PyTorch is installed in a virtual environment.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pythonPath } from './engines.js';

const HELP = `npm run bench:peers -- [options]

  --only node|python   installs only the npm packages or only PyTorch
  --python COMMAND     the Python that creates the environment, default python3
  --torch SPEC         overrides the PyTorch of requirements.txt, for example torch==2.13.0+cpu if your package
                       index has it: on Linux the default wheel depends on gigabytes of GPU libraries
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
  if (status !== 0) throw new Error(`${command} ended with code ${status}`);
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
