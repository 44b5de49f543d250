/**
 * Summaries with `trainTranslator`, the function behind `unroll train translate`: reports of deliveries become one line. The
 * reports are generated: each has two relevant and two irrelevant phrases in random order. The model learns which words to
 * copy.
 */
import { RandomStream } from 'unrolljs';
import { makeTable, trainTranslator } from 'unrolljs/translate';

const random = new RandomStream(3, 'reports');
const pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform(1)[0] * list.length)];

const COUNTS = ['two', 'three', 'four', 'five', 'six'];
const GOODS = ['chairs', 'lamps', 'tables', 'books', 'plates', 'cups'];
const TOWNS = ['Leeds', 'York', 'Bath', 'Derby', 'Ely'];
const FILLERS = [
  'the weather was fine',
  'there was little traffic',
  'the driver took a break',
  'the phone rang twice',
];

function report(): { text: string; summary: string } {
  const [count, goods, town] = [pick(COUNTS), pick(GOODS), pick(TOWNS)];
  const phrases = [`we loaded ${count} ${goods}`, `the van left for ${town}`, pick(FILLERS), pick(FILLERS)];
  const order = random.permutation(phrases.length);
  const text = `${Array.from(order, (i) => phrases[i]).join(', ')}.`;
  return { text: text[0].toUpperCase() + text.slice(1), summary: `${count} ${goods} to ${town}` };
}

const tableOf = (reports: ReturnType<typeof report>[]) =>
  makeTable({
    source: 'reports',
    names: ['report', 'summary'],
    cells: [reports.map(({ text }) => text), reports.map(({ summary }) => summary)],
  });

const { model, training } = await trainTranslator(
  { table: tableOf(Array.from({ length: 1500 }, report)) },
  {
    ...{ source: 'report', target: 'summary', level: 'words' },
    ...{ units: 48, embedding: 48, dropout: 0.1, learningRate: 0.005, epochs: 6 },
  },
);
console.log(
  `validation loss by epoch: ${training.history.map((epoch) => epoch.validationLoss.toFixed(2)).join(', ')}`,
);

const unseen = Array.from({ length: 200 }, report);
const { metrics } = await model.evaluate({ rows: tableOf(unseen) });
console.log(`ROUGE-L ${metrics?.rougeL.toFixed(1)} on ${unseen.length} unseen reports`);
const [written] = await model.translate([unseen[0].text]);
console.log(`${unseen[0].text}\n  ${written.text}`);
const largest = written.alignment.map(
  (weights) => written.sourceTokens[weights.indexOf(Math.max(...weights))],
);
console.log(`  looks at: ${largest.join(' ')}`);
