// Keeps the READMEs correct: the program shown is examples/quick-start.ts, and the outputs shown are the real ones.
//
//   node tools/readme.mjs           checks that both READMEs show the program and its output (tools/readme.test.mjs)
//   node tools/readme.mjs --write   runs the program and `npm start` and writes their outputs into both READMEs
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const readmes = ['README.md', 'README.zh-CN.md'];
export const program = 'examples/quick-start.ts';

export const read = (file) => readFileSync(join(root, file), 'utf8');

/** The output of a command, stdout and stderr in the order of a terminal without colour. */
export const printed = (args) => {
  const { stdout, status } = spawnSync('sh', ['-c', `node ${args} 2>&1`], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '80' },
  });
  if (status !== 0) throw new Error(`node ${args} ended with ${status}:\n${stdout}`);
  return stdout.trimEnd().replace(/[ \t]+$/gm, '');
};

const pattern = (marker) =>
  new RegExp(`(<!-- ${marker.replaceAll('.', '\\.')} -->\n\`\`\`\\w*\n)([\\s\\S]*?)(\`\`\`)`);

/** The block that follows a marker comment. */
export const block = (readme, marker) => pattern(marker).exec(read(readme))?.[2].trimEnd();

const put = (text, marker, content) =>
  text.replace(pattern(marker), (_, open, __, close) => `${open}${content}\n${close}`);

if (process.argv.includes('--write')) {
  const { start } = JSON.parse(read('package.json')).scripts;
  const outputs = {
    [program]: read(program).trimEnd(),
    [`output of ${program}`]: printed('examples/dist/quick-start.js'),
    'output of npm start': printed(start.replace(/^node /, '')),
  };
  for (const readme of readmes) {
    let text = read(readme);
    for (const [marker, content] of Object.entries(outputs)) text = put(text, marker, content);
    writeFileSync(join(root, readme), text);
  }
}
