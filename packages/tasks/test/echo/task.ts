// The smallest task, for tests: its model returns the texts that it is given. The tests show that commands, which do not know this
// task, work with its models as soon as it is in a registry.
import { UnrollError } from '@unroll/core';
import { makeTable, type Table } from '@unroll/data';
import {
  checkRequest,
  type RunEvent,
  type Task,
  type TaskModel,
  type TaskOption,
  type TaskRequest,
} from '@unroll/tasks';

const FORMAT = 'unroll-echo-2';
const OPTIONS: readonly TaskOption[] = [
  { name: 'times', type: 'integer', least: 1, default: 1, help: 'how often each text is said' },
  { name: 'gain', type: 'number', default: 1, help: 'factor of the loudness' },
  { name: 'upper', type: 'flag', help: 'say it in capitals' },
  { name: 'mark', type: 'text', help: 'text after each echo' },
  { name: 'echo-rows', type: 'table', help: 'more rows to say' },
];

export class EchoModel implements TaskModel {
  readonly format = FORMAT;
  readonly about = 'Says back the texts of the column "said", or a text.';
  readonly options = OPTIONS;
  readonly place: string;

  constructor(place: string) {
    this.place = place;
  }

  async predict(request: TaskRequest) {
    checkRequest(request, this, { takesTexts: true });
    const { times = 1, gain = 1, upper = false, mark = '', 'echo-rows': more } = request.options ?? {};
    const said = [...(request.texts ?? []), ...saidIn(request.rows), ...saidIn(more as Table | undefined)];
    const silent = said.find((text) => text.includes('(silence)'));
    if (silent !== undefined) throw new UnrollError('data', `"${silent}" has no echo.`);
    const rows = said.map((text) => {
      const once = `${upper ? text.toUpperCase() : text}${mark}`;
      return [once.repeat(Number(times)), once.length * Number(gain), text === '' ? null : this.place];
    });
    return { columns: ['echo', 'loudness', 'place'], rows, notes: [`It comes from ${this.place}.`] };
  }

  async evaluate({ rows }: TaskRequest) {
    const heard = saidIn(rows, 'heard');
    const right = saidIn(rows).filter((text, i) => text === heard[i]).length;
    return {
      columns: [
        { name: 'model', title: 'model', format: 'text' as const },
        { name: 'accuracy', title: 'right', format: 'share' as const, decimals: 1 },
      ],
      rows: [['echo', right / heard.length]],
      notes: [`${heard.length} texts.`],
    };
  }

  describe() {
    return [
      { name: 'place', value: this.place },
      { name: 'words', value: ['any', 'at all'] },
    ];
  }

  async toFiles(training?: unknown) {
    const files = { 'pipeline.json': { format: FORMAT, place: this.place }, 'training.json': training };
    const encode = (json: unknown) => new TextEncoder().encode(JSON.stringify(json));
    return new Map(Object.entries(files).map(([name, json]) => [name, encode(json ?? null)]));
  }
}

function saidIn(rows: Table | undefined, name = 'said'): string[] {
  return rows?.columns.find((column) => column.name === name)?.cells.map(String) ?? [];
}

export const echoTask: Task = {
  name: 'echo',
  version: 2,
  fromFiles(files) {
    const { place } = JSON.parse(new TextDecoder().decode(files.get('pipeline.json')));
    const model = new EchoModel(place);
    return place === 'a desert' ? Object.assign(model, { evaluate: undefined }) : model;
  },
};

export const tableOf = (said: string[]): Table =>
  makeTable({ source: 'said', names: ['said'], cells: [said] });

const stage = { stage: 'listen', title: 'listening', model: 'echo', training: 1, trainings: 2 };
/** What a run of this task might report. */
export const EVENTS: readonly RunEvent[] = [
  { event: 'backend', backend: 'a wall' },
  {
    event: 'plan',
    walls: 2,
    notes: ['One is far.'],
    lines: [
      { label: 'echo', text: 'off two walls' },
      { label: '', text: 'One is far.' },
    ],
  },
  { event: 'step', ...stage, epoch: 1, epochs: 1, done: 0.25, loss: 0.5, sequencesPerSecond: 10 },
  { event: 'epoch', ...stage, epoch: 1, epochs: 1, done: 0.5, loss: 0.25 },
  { event: 'stage', ...stage, loss: 0.25, sequencesPerSecond: 10.4 },
  { event: 'warning', message: 'It is loud here.' },
  { event: 'stage', ...stage, training: 2, loss: null, sequencesPerSecond: null },
  {
    event: 'scores',
    columns: [
      { name: 'model', title: 'model', format: 'text' },
      { name: 'right', title: 'right', format: 'share' },
      { name: 'bleu', title: 'BLEU', format: 'number', decimals: 1 },
      { name: 'delay', title: 'delay', format: 'quantity' },
      { name: 'miss', title: 'missed', format: 'percent', decimals: 2 },
    ],
    rows: [
      ['echo', 0.995, 31.25, 12.345, 5.5],
      ['silence', 0, null, 123456, 100],
    ],
  },
  { event: 'note', text: 'Nobody answered.' },
  { event: 'result', best: 'echo' },
];
