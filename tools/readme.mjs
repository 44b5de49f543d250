// Updates the READMEs: `node tools/readme.mjs --write` copies examples/quick-start.ts, its output and the output of
// `npm start` into both READMEs. readme.test.mjs checks that the READMEs are up to date, with the functions of this file.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
export const readmes = ['README.md', 'README.zh-CN.md'];
export const program = 'examples/quick-start.ts';

export const read = (file) => readFileSync(join(root, file), 'utf8');

/** Runs node with `args` and returns stdout and stderr, as in a terminal without colours. */
export const printed = (args) => {
  const { stdout, status } = spawnSync('sh', ['-c', `node ${args} 2>&1`], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1', COLUMNS: '80' },
  });
  if (status !== 0) throw new Error(`node ${args} exited with status ${status}:\n${stdout}`);
  return stdout.trimEnd().replace(/[ \t]+$/gm, '');
};

const pattern = (marker) =>
  new RegExp(`(<!-- ${marker.replaceAll('.', '\\.')} -->\n\`\`\`\\w*\n)([\\s\\S]*?)(\`\`\`)`);

/** Returns the content of the code block that follows a marker comment, such as `<!-- examples/quick-start.ts -->`. */
export const block = (readme, marker) => pattern(marker).exec(read(readme))?.[2].trimEnd();

/** Replaces the content of the code block that follows a marker comment. */
const replaceBlock = (text, marker, content) =>
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
    for (const [marker, content] of Object.entries(outputs)) text = replaceBlock(text, marker, content);
    writeFileSync(join(root, readme), text);
  }
}
