// Three hundred series in one file. For some, future covariates are missing: the error names the missing rows, the template
// is filled in, and all series are forecast.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { useTempFolder } from '../shared/helpers.js';

const temp = useTempFolder();
const { unroll, csv } = temp;
const DAY = 86_400_000;
const HORIZON = 7;
const TEMPLATE = 'out/future-template.csv';

interface Shop {
  id: string;
  /** The first day of the series, in days since the first of January. */
  start: number;
  rows: number;
  /** Number of days in the horizon for which the file has a price. */
  known: number;
}

const shops = Array.from(
  { length: 300 },
  (_, n): Shop => ({
    id: `shop-${n + 1}`,
    start: (n * 7) % 31,
    rows: 45 + ((n * 13) % 41),
    known: n % 10 === 4 ? 0 : n % 10 === 8 ? 5 : HORIZON,
  }),
);
const day = (index: number): string =>
  new Date(Date.UTC(2024, 0, 1) + index * DAY).toISOString().slice(0, 10);
const price = (shop: Shop, t: number): string => (2 + ((shop.start + t) % 5) / 4).toFixed(2);
const horizonDays = ({ start, rows }: Shop): string[] =>
  Array.from({ length: HORIZON }, (_, k) => day(start + rows + k));
const missing = shops.filter(({ known }) => known < HORIZON);
const args = ['sales.csv', '--target', 'sold', '--horizon', String(HORIZON), '--series', 'shop'];
const options = [
  '--future',
  'price',
  '--static',
  'region',
  '--epochs',
  '1',
  '--units',
  '4',
  '--windows',
  '1',
];
const command = (...more: string[]) => ['forecast', ...args, ...options, '--out', 'out', ...more];
const cells = (name: string) => csv(name).slice(1);
/** Returns the rows of the template, with the prices of some rows filled in. */
const filledIn = (fill: (row: number) => boolean) => {
  const byId = new Map(shops.map((shop) => [shop.id, shop]));
  return cells(TEMPLATE).map(([id, time, sold, old], row) => {
    const shop = byId.get(id!)!;
    const t = shop.rows + horizonDays(shop).indexOf(time!);
    return [id!, time!, sold!, old === '' && fill(row) ? price(shop, t) : old!];
  });
};
const write = (name: string, head: string[], rows: string[][], separator = ',') =>
  writeFileSync(join(temp.folder, name), [head, ...rows].map((row) => `${row.join(separator)}\n`).join(''));
const HEAD = ['shop', 'day', 'sold', 'price'];

before(async () => {
  const rows = shops.flatMap((shop, n) =>
    Array.from({ length: shop.rows + shop.known }, (_, t) => {
      const sold = 20 + (n % 9) + 3 * ((shop.start + t) % 7) - 4 * Number(price(shop, t));
      const region = n % 3 ? 'north' : 'south';
      return [day(shop.start + t), shop.id, t < shop.rows ? String(sold) : '', price(shop, t), region];
    }),
  );
  write('sales.csv', ['day', 'shop', 'sold', 'price', 'region'], rows);
});

test('reports missing rows and writes a template of all rows to forecast', async () => {
  const { code, stdout, stderr } = await unroll(command());
  const [a, b, c] = missing as [Shop, Shop, Shop];
  assert.equal(
    stderr,
    `unroll: "price" must be known for the 7 rows to forecast, but is missing for ${a.id} ${horizonDays(a)[0]} to ${horizonDays(a)[6]}, ` +
      `${b.id} ${horizonDays(b)[5]} to ${horizonDays(b)[6]}, ${c.id} ${horizonDays(c)[0]} to ${horizonDays(c)[6]}, and 57 more series. ` +
      `Add these rows to sales.csv and leave "sold" empty.\n` +
      `The template ${TEMPLATE} contains these rows. Fill it in and add --future-rows ${TEMPLATE}.\n`,
  );
  assert.deepEqual([code, stdout], [2, '']);
  assert.deepEqual(csv(TEMPLATE)[0], HEAD);
  assert.deepEqual(
    cells(TEMPLATE).map(([id, time]) => [id, time]),
    shops.flatMap((shop) => horizonDays(shop).map((time) => [shop.id, time])),
  );
});

test('with a partly completed template, reports the rows that are still missing and keeps the entered values', async () => {
  const rows = filledIn((row) => row < 298 * HORIZON);
  write(TEMPLATE, HEAD, rows);
  const before = readFileSync(join(temp.folder, TEMPLATE), 'utf8');
  const repeated = await unroll(command());
  assert.match(repeated.stderr, /already exists and was not changed\. Fill it in and add --future-rows/);
  assert.equal(readFileSync(join(temp.folder, TEMPLATE), 'utf8'), before);
  const { code, stderr } = await unroll(command('--future-rows', TEMPLATE));
  assert.match(stderr, /is missing for shop-299 2024-\S+ to 2024-\S+\. Add/);
  assert.equal(code, 2);
  assert.deepEqual(
    cells(TEMPLATE).map((row) => [...row.slice(0, 3), Number(row[3])]),
    rows.map((row) => [...row.slice(0, 3), Number(row[3])]),
  );
});

test('with the completed template, forecasts all 300 series, also with the saved model', async () => {
  write(
    TEMPLATE,
    HEAD,
    filledIn(() => true),
  );
  const run = await unroll(command('--future-rows', TEMPLATE, '--quiet'));
  assert.deepEqual(run, { code: 0, stdout: '', stderr: '' });
  const forecast = cells('out/forecast.csv');
  assert.deepEqual(
    forecast.map(([id, time]) => [id, time]),
    shops.flatMap((shop) => horizonDays(shop).map((time) => [shop.id, time])),
  );
  assert.ok(
    forecast.every((row) => row.slice(2).every((cell) => cell !== '' && Number.isFinite(Number(cell)))),
  );
  assert.equal(cells(TEMPLATE).length, 2100, 'the completed template is not deleted');
  const predicted = await unroll(['predict', 'out/model', '--data', 'sales.csv', '--future-rows', TEMPLATE]);
  assert.equal(predicted.stdout, readFileSync(join(temp.folder, 'out/forecast.csv'), 'utf8'));
});

describe('a template edited in a spreadsheet', () => {
  const german = (date: string) => date.split('-').reverse().join('.');
  const variants: Record<string, (rows: string[][]) => void> = {
    'semicolons, decimal commas and dates in another format': (rows) =>
      write(
        'edited.csv',
        HEAD,
        rows.map(([id, time, sold, cost]) => [id!, german(time!), sold!, cost!.replace('.', ',')]),
        ';',
      ),
    'tabs, an additional column, another order of columns and no target': (rows) =>
      write(
        'edited.csv',
        ['price', 'note', 'day', 'shop'],
        rows.map(([id, time, , cost]) => [cost!, 'x', time!, id!]),
        '\t',
      ),
    'only the rows with missing prices, in reverse order': (rows) =>
      write('edited.csv', HEAD, rows.filter(([id]) => missing.some((shop) => shop.id === id)).reverse()),
  };
  for (const [name, edit] of Object.entries(variants)) {
    test(`is accepted with ${name}`, async () => {
      edit(filledIn(() => true));
      const { code, stderr } = await unroll(command('--future-rows', 'edited.csv', '--dry-run'));
      assert.deepEqual([code, stderr], [0, '']);
    });
  }
});
