// Checks that code and documents do not use unusual terms where the field has an established one. language-budget.json contains
// the number of hits that is allowed for each term. If a term has more hits, the check fails and prints each with its file:line and
// the term to write instead. It also fails if a term has fewer hits than allowed.
//
//   node tools/check-language.mjs           checks
//   node tools/check-language.mjs --all     also prints all hits
//   node tools/check-language.mjs --lower   lowers the numbers in language-budget.json to the current numbers of hits
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Replaces each space of a pattern, so that the pattern also matches across a line break in a comment or a paragraph. */
const GAP = String.raw`(?:[ \t]+|[ \t]*\r?\n[ \t]*(?:\*|//|#|>)?[ \t]*)`;

const rule = (term, pattern, instead, options = {}) => ({
  term,
  pattern: new RegExp(pattern.replaceAll(' ', GAP), options.exact ? 'g' : 'gi'),
  instead,
  files: options.files ?? /./,
});

const EXACT = { exact: true };
const CPP = { exact: true, files: /\.(cpp|h)$/ };

/**
 * The rules: a term (the key in the budget), the pattern that finds it, and the term to write instead. Patterns ignore
 * case unless EXACT is set, and match identifiers as well as text.
 */
export const RULES = [
  rule('rows ahead', String.raw`\brows? ?ahead\b|\browsAhead|[\d}] ahead\b`, 'steps ahead, or "step 3"'),
  rule(
    'passes',
    String.raw`\bpasses over the (?:data|rows|examples)|\b(?:max|min|of|train|many|more|fewer|to \w+|\d+|\}) passes\b|\b(?:max|min|most|best|num)Passes\b`,
    'epochs',
  ),
  rule('what came', String.raw`\bwhat came\b|\bcame instead\b`, 'actuals, observed values'),
  rule(
    'told',
    String.raw`\b(?:is|are|was|were|be|been) told\b(?! apart)|\btold of\b|\btell(?:s|ing)? of\b|\btells?\b(?=\()`,
    'reported, warns, raises',
  ),
  rule('how long to train', String.raw`\bhow long to train\b`, 'choosing the number of epochs'),
  // Figures are pictures; numbers are metrics or results.
  rule(
    'figures',
    String.raw`\b(?:test|speed|published|measured|quality|these|all|our|its) figures?\b`,
    'metrics (of a run), results (of a benchmark)',
  ),
  rule('reach', String.raw`\b(?:const|let|the|a|of) reach\b|\breach(?=[,:;)\]}])|\.reach\b`, 'horizon chunk'),
  rule(
    'stand',
    String.raw`\bStand\b|\b(?:const|let|the|this) stand\b|\bstand(?=[:,)])`,
    'forecast origin',
    EXACT,
  ),
  rule('emit', String.raw`\bemitMasks?\b|\.emits?\b|\bemits?\b(?=[:,)])`, 'output mask'),
  rule(
    'flow',
    String.raw`\bFlows?\b|\b(?:const|let) flows?\b|\bflows?(?=[:,.)\]])|\(flows?\b`,
    'masked sequence',
    EXACT,
  ),
  rule('along time', String.raw`\balongTime\b|\balong time\b`, 'step, streaming'),
  rule('advance', String.raw`\badvanced?\(`, 'step'),
  rule('looks ahead', String.raw`\blooks?Ahead\b|\blooks? ahead\b`, 'non-causal'),
  rule(
    'making tools',
    String.raw`\bmaking-?tools\b|\bmaking tools\b|/making\.(?:js|ts)\b`,
    'weight initialisers',
  ),
  rule('shelf', String.raw`\bshel(?:f|ves)\b|Shel(?:f|ves)\b`, 'pool'),
  rule('settle', String.raw`\bsettle(?:s|d)?\b|\bsettle(?=[A-Z])`, 'commit, resolve'),
  rule('touched', String.raw`\btouched\b|\btouched(?=Rows)`, 'dirty'),
  rule('held', String.raw`\bheldTo\b|\b(?:const|let) held\b|\bheld(?=: )`, 'validation'),
  rule('kept', String.raw`\b(?:const|let) kept\b|\bkept(?=: |\.[a-z])`, 'cached, storage'),
  rule('halves', String.raw`\bhalves(?=[[.,:;)=]| =)|\b(?:in|as|of) halves\b`, 'weight format, float16'),
  rule('macros', String.raw`\b(?:SELDOM|ALWAYS|FULLY)\b`, 'NOINLINE, FORCE_INLINE, UNROLL_LOOP', CPP),
  rule('goes on', String.raw`\b(?:go|goes|going|went|gone) on\b`, 'resumes, continues'),
  rule('mended', String.raw`\bmend(?:s|ed|ing)?\b`, 'fixed'),
  rule('leaning', String.raw`\bleanings?\b`, 'default'),
  rule('bytes of a page', String.raw`\bbytes of (?:a|the) page\b`, 'bundle size'),
  rule('and it is', String.raw`, and it is (?=["']?\$\{)`, 'got ...'),
  rule('whole number', String.raw`\bwhole numbers?\b`, 'integer'),
];

/** Files in which a term is allowed, with the reason. */
const ALLOWED = [
  { file: 'tools/check-language.mjs', terms: null, why: 'it lists the terms' },
  { file: 'tools/check-language.test.mjs', terms: null, why: 'it tests the rules' },
  {
    file: 'CHANGELOG.md',
    terms: ['flow', 'advance', 'along time', 'figures', 'reach'],
    why: 'it lists the old names of renamed things',
  },
  {
    file: 'packages/tasks/src/forecast/artifact.ts',
    terms: ['reach'],
    why: 'it reads files of earlier versions',
  },
  { file: 'packages/train/src/step.ts', terms: ['touched'], why: 'a key in the state of saved checkpoints' },
];

/** The names of files with text that a person reads. */
const CHECKED = /\.(ts|mjs|js|cpp|h|py|md|txt)$/;
const GENERATED = /\.generated\.|(^|\/)(node_modules|dist|dist-test)\//;
const FOLDERS = ['bench/src', 'docs', 'examples', 'tools'];

const filesUnder = (root, folder) => {
  if (!existsSync(join(root, folder))) return [];
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (!entry.isDirectory()) return [path];
    return ['node_modules', 'dist', 'dist-test'].includes(entry.name) ? [] : filesUnder(root, path);
  });
};

const markdownIn = (root, folder) =>
  existsSync(join(root, folder))
    ? readdirSync(join(root, folder))
        .filter((name) => name.endsWith('.md'))
        .map((name) => join(folder, name).replaceAll('\\', '/'))
    : [];

/** Returns all files to check, sorted. */
const filesOf = (root) => {
  const packages = existsSync(join(root, 'packages')) ? readdirSync(join(root, 'packages')) : [];
  const parts = packages.flatMap((name) =>
    ['src', 'cpp', 'scripts'].map((part) => `packages/${name}/${part}`),
  );
  const all = [...parts, ...FOLDERS].flatMap((folder) => filesUnder(root, folder));
  return [...all, ...markdownIn(root, 'bench'), ...markdownIn(root, '')]
    .filter((file) => CHECKED.test(file) && !GENERATED.test(file))
    .sort();
};

/** Returns the hits in the text of one file as { term, line, match, instead }, with `line` as `file:line`. */
export const findIn = (file, text) =>
  RULES.filter(({ term, files }) => {
    const allowed = ALLOWED.some((entry) => entry.file === file && (entry.terms?.includes(term) ?? true));
    return !allowed && files.test(file);
  }).flatMap(({ term, pattern, instead }) =>
    [...text.matchAll(pattern)].map(({ 0: match, index }) => ({
      term,
      line: `${file}:${text.slice(0, index).split('\n').length}`,
      match: match.replace(/\s+/g, ' ').trim(),
      instead,
    })),
  );

/** Returns the hits in all files under root. */
export const findTerms = (root) =>
  filesOf(root).flatMap((file) => findIn(file, readFileSync(join(root, file), 'utf8')));

/** Returns the number of hits of each term, without terms that have none. */
export const countTerms = (hits) => {
  const counts = RULES.map(({ term }) => [term, hits.filter((hit) => hit.term === term).length]);
  return Object.fromEntries(counts.filter(([, count]) => count > 0));
};

/** Compares the hits with the budget. Returns error messages; none if all counts are as allowed. */
export const judge = (hits, budget) =>
  RULES.flatMap(({ term }) => {
    const ofTerm = hits.filter((hit) => hit.term === term);
    const allowed = budget[term] ?? 0;
    if (ofTerm.length === allowed) return [];
    const counts = `The term "${term}" occurs ${ofTerm.length} times; language-budget.json allows ${allowed}.`;
    if (ofTerm.length < allowed) return [`${counts} Run \`node tools/check-language.mjs --lower\`.`];
    return [`${counts} Replace it:`, ...ofTerm.map(formatHit)];
  });

const formatHit = ({ line, match, instead }) => `  ${line}: "${match}", write ${instead}`;

/** Returns the budget with each number lowered to the number of hits. No number rises. */
export const lowered = (counts, budget) =>
  Object.fromEntries(
    Object.entries(budget)
      .map(([term, allowed]) => [term, Math.min(allowed, counts[term] ?? 0)])
      .filter(([, allowed]) => allowed > 0),
  );

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const tools = dirname(fileURLToPath(import.meta.url));
  const file = join(tools, 'language-budget.json');
  const budget = JSON.parse(readFileSync(file, 'utf8'));
  const hits = findTerms(join(tools, '..'));
  if (process.argv.includes('--all')) for (const hit of hits) console.log(formatHit(hit));
  if (process.argv.includes('--lower')) {
    writeFileSync(file, `${JSON.stringify(lowered(countTerms(hits), budget), null, 2)}\n`);
  } else {
    const errors = judge(hits, budget);
    for (const line of errors) console.log(line);
    if (errors.length) process.exitCode = 1;
    else console.log(`terms to replace: ${hits.length}, within the budget (--all lists them)`);
  }
}
