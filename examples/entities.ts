/**
 * Named entities with `trainTagger`, which chooses all settings and trains a tagger from the sentences of a CoNLL file. The
 * program generates the file: people and places have invented names, so most names of the test sentences do not occur in
 * training. The model recognises names by the words around them and by their spelling.
 */
import { RandomStream } from 'unrolljs';
import { parseConll, trainTagger } from 'unrolljs/tag';

const random = new RandomStream(3, 'sentences');
const pick = <T>(list: readonly T[]): T => list[Math.floor(random.uniform(1)[0] * list.length)];
const SYLLABLES = ['ka', 'lo', 'mi', 'ren', 'tas', 'vo', 'shu', 'bel', 'nor', 'di'];

/**
 * Returns an invented name with a capital letter.
 * @param ending the last part of the name of a place; the name of a person has a third syllable instead
 */
function nameOf(ending = ''): string {
  const name = pick(SYLLABLES) + pick(SYLLABLES) + (ending === '' ? pick(SYLLABLES) : ending);
  return name[0].toUpperCase() + name.slice(1);
}

/** Returns the lines of a random sentence. Each line has a token and its tag, separated by a tab. */
function sentence(): string {
  const person = [`${nameOf()}\tB-PER`, ...(pick([true, false]) ? [`${nameOf()}\tI-PER`] : [])];
  const place = [`${nameOf(pick(['ville', 'ton', 'berg']))}\tB-LOC`];
  const other = (text: string) => text.split(' ').map((word) => `${word}\tO`);
  const parts = pick([
    [...person, ...other('moved to'), ...place],
    [...other('The mayor of'), ...place, ...other('thanked'), ...person],
    [...other('In'), ...place, ...other('nobody had heard of'), ...person],
    [...place, ...other('is far from'), ...place],
    other('Nobody moved to the city'),
  ]);
  return [...parts, '.\tO'].join('\n');
}

const file = (name: string, count: number) =>
  parseConll(Array.from({ length: count }, sentence).join('\n\n'), { source: name });

const { model, scores } = await trainTagger(file('train.conll', 600), {
  units: 32,
  embedding: 32,
  networks: 1,
  epochs: 8,
});
console.log(`validation: F1 ${(100 * scores.f1).toFixed(1)} %`);
const { metrics } = await model.score(file('test.conll', 300));
console.log(`300 unseen sentences: F1 ${(100 * (metrics?.f1 ?? 0)).toFixed(1)} %`);

const texts = ['Nobody in Dinorton had heard of Tasvomi Kalobel.'];
const { json = [] } = await model.predict({ texts, options: { probabilities: true } });
console.log(JSON.stringify(json[0].entities));
