/** Opens models and runs: shows the graph and the tensors of models, and curves to compare. No file leaves the page. */
import { signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { formatNumber } from '../charts/format-number.js';
import type { FilesInfo, ModelInfo } from '../engine/artifacts.js';
import { t } from '../i18n/index.js';
import { ask, change } from '../state/actions.js';
import { type Failure, failureOf } from '../state/failure.js';
import { DEFAULTS } from '../state/settings.js';
import * as store from '../state/store.js';
import { trainOnCsv } from '../ui/data-field.js';
import { download } from '../ui/download.js';
import { FailureBox } from '../ui/failure.js';
import { FilePicker } from '../ui/file-picker.js';
import { cellName } from '../ui/lanes.js';
import { Panel } from '../ui/panel.js';
import { AlignmentForm } from './alignment.js';
import { comparedRuns } from './compare.js';
import { rowsOf } from './graph.js';
import { TensorTable } from './histograms.js';
import { OpenedFiles } from './opened.js';
import { curvesOf, type RunScores, scoresOf } from './runs.js';

const MAX_MIB = 512;

const found = signal<FilesInfo | null>(null);
const message = signal('');
const failure = signal<Failure | null>(null);
/** The training records that were opened, for the table of scores. */
const records = signal<readonly RunScores[]>([]);
let openedFromServer = false;

export function FilesView() {
  useEffect(() => {
    if (store.opensFiles && !openedFromServer) {
      openedFromServer = true;
      void openServed();
    }
  }, []);
  return (
    <>
      <Panel title={t('filesTitle')} hint={t('filesHint')} id="files" wide>
        <Drop />
        <p class="readout" role="status" id="files-status">
          {message.value}
        </p>
      </Panel>
      <FailureBox failure={failure.value} id="files-failure" />
      {found.value?.errors.map(({ path, error }) => (
        <FailureBox key={path} failure={{ advice: 'advice_file', values: { path }, error }} />
      ))}
      {found.value?.models.map((model) => (
        <Model key={model.path} model={model} />
      ))}
      <Panel title={t('compareTitle')} hint={t('compareHint')} id="compare" wide>
        <Compare />
      </Panel>
      <Panel title={t('saveTitle')} hint={t('saveHint')} id="save" wide>
        <div class="chips">
          {store.settings.value.cells.map((cell) => (
            <button key={cell} type="button" data-save={cell} onClick={() => void save(cell)}>
              {t('saveModel', { cell: cellName(cell) })}
            </button>
          ))}
        </div>
      </Panel>
    </>
  );
}

function Drop() {
  return (
    <section
      class="drop"
      id="drop"
      aria-label={t('filesTitle')}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void readDropped(event.dataTransfer).then(open);
      }}
    >
      <p>{t('dropHere')}</p>
      <div class="options">
        <FilePicker
          id="open-files"
          text={t('chooseFiles')}
          multiple
          onFiles={(list) => void readList(list).then(open)}
        />
        <FilePicker
          id="open-folder"
          text={t('chooseFolder')}
          folder
          onFiles={(list) => void readList(list).then(open)}
        />
      </div>
    </section>
  );
}

const noFiles = (): OpenedFiles => new OpenedFiles(MAX_MIB * 2 ** 20);

async function readList(list: readonly File[]): Promise<OpenedFiles> {
  const opened = noFiles();
  for (const file of list) await opened.add(file.webkitRelativePath || file.name, file);
  return opened;
}

/** Reads dropped files and the files of dropped folders. */
async function readDropped(transfer: DataTransfer | null): Promise<OpenedFiles> {
  const opened = noFiles();
  const entries = [...(transfer?.items ?? [])].flatMap((item) => item.webkitGetAsEntry() ?? []);
  if (entries.length === 0) return readList([...(transfer?.files ?? [])]);
  for (const entry of entries) await readEntry(opened, entry);
  return opened;
}

async function readEntry(opened: OpenedFiles, entry: FileSystemEntry): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    return opened.add(entry.fullPath.replace(/^\//, ''), file);
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (part.length === 0) return;
    for (const child of part) await readEntry(opened, child);
  }
}

/** Opens the files that `unroll studio <path>` serves. */
async function openServed(): Promise<void> {
  const names = (await (await fetch('opened/index.json')).json()) as string[];
  const files = new Map<string, Uint8Array>();
  for (const name of names) {
    const response = await fetch(`opened/${name.split('/').map(encodeURIComponent).join('/')}`);
    files.set(name, new Uint8Array(await response.arrayBuffer()));
  }
  await open({ files, omitted: [] });
}

async function open({ files, omitted }: Pick<OpenedFiles, 'files' | 'omitted'>): Promise<void> {
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  const runs = [...files].flatMap(([path, bytes]) =>
    /\.(csv|tsv|json|ndjson|jsonl|log)$/.test(path) ? curvesOf(path, text(bytes)) : [],
  );
  comparedRuns.value = [...comparedRuns.value, ...runs];
  const scores = [...files].flatMap(
    ([path, bytes]) => scoresOf(path, path.endsWith('.json') ? text(bytes) : '') ?? [],
  );
  const opened = new Set(scores.map(({ run }) => run));
  records.value = [...records.value.filter(({ run }) => !opened.has(run)), ...scores];
  const table = [...files].find(([path]) => /\.(csv|tsv)$/.test(path));
  if (files.size === 1 && omitted.length === 0 && table && runs.length === 0) {
    change(DEFAULTS.csv);
    trainOnCsv(text(table[1]));
    store.view.value = 'train';
    return;
  }
  message.value = t('reading');
  failure.value = null;
  const [path] = omitted;
  const omittedFiles = path ? t('filesOmitted', { count: omitted.length, path, MiB: MAX_MIB }) : '';
  try {
    found.value = await ask<FilesInfo>({ about: 'files', files });
  } catch (error) {
    message.value = omittedFiles;
    failure.value = failureOf('advice_files', error);
    return;
  }
  const { models, errors } = found.value;
  const nothing = models.length + errors.length + runs.length === 0;
  const summary = nothing ? t('nothingFound') : t('filesFound', { models: models.length, runs: runs.length });
  message.value = omittedFiles === '' ? summary : `${summary} ${omittedFiles}`;
}

function Model({ model: { path, task, origin, layers, tensors, bytes } }: { model: ModelInfo }) {
  const total = tensors.reduce((sum, { count }) => sum + count, 0);
  return (
    <Panel
      title={path}
      id="model"
      wide
      hint={`${origin ?? t('modelTask', { task: task ?? t('noTask') })}. ${t('modelSize', {
        n: total.toLocaleString(),
        kB: (bytes / 1000).toFixed(1),
      })}`}
    >
      <Graph layers={layers} />
      {task === 'translate' && <AlignmentForm path={path} />}
      <TensorTable tensors={tensors} />
    </Panel>
  );
}

/** The layers from input to output. Parallel branches are side by side. */
function Graph({ layers }: Pick<ModelInfo, 'layers'>) {
  return (
    <ol class="graph" aria-label={t('graph')}>
      {rowsOf(layers).map((row) => (
        <li key={row[0].name}>
          {row.map(({ name, className, shape, parameters, from }) => (
            <div key={name} class="layer">
              <b>{className}</b> <code>{name}</code>
              <span>{shape}</span>
              <small>{t('parameters', { n: parameters.toLocaleString() })}</small>
              {from.length > 0 && <small>{`← ${from.join(', ')}`}</small>}
            </div>
          ))}
        </li>
      ))}
    </ol>
  );
}

function Compare() {
  const keep = (): void => {
    const { preset, units, layers, learningRate, init } = store.settings.value;
    const kept = store.settings.value.cells.map((cell) => {
      const { x, y } = store.histories[cell].loss;
      return {
        name: `${cellName(cell)} ${preset} ${units}×${layers} ${learningRate} ${init}`,
        x: [...x],
        y: [...y],
      };
    });
    comparedRuns.value = [...comparedRuns.value, ...kept.filter(({ x }) => x.length > 0)];
  };
  return (
    <>
      <div class="chips">
        <button type="button" id="keep-runs" onClick={keep}>
          {t('keepRuns')}
        </button>
        <button
          type="button"
          id="clear-runs"
          onClick={() => {
            comparedRuns.value = [];
            records.value = [];
          }}
        >
          {t('clearRuns')}
        </button>
      </div>
      <ul id="runs">
        {comparedRuns.value.map(({ name, x, y }, n) => (
          <li
            key={`${name} ${n}`}
          >{`${name}: ${t('loss')} ${formatNumber(y[y.length - 1])}, ${x.length}`}</li>
        ))}
      </ul>
      {records.value.length > 0 && <Scores />}
    </>
  );
}

/** A table with one column per run and one row per number in the training records. */
function Scores() {
  const runs = records.value;
  const names = [...new Set(runs.flatMap(({ values }) => Object.keys(values)))];
  return (
    <div class="scroll">
      <table id="scores">
        <thead>
          <tr>
            <th scope="col">{t('score')}</th>
            {runs.map(({ run }) => (
              <th key={run} scope="col">
                {run}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {runs.map(({ run, values }) => (
                <td key={run}>{name in values ? formatNumber(values[name]) : '–'}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

async function save(cell: (typeof store.cell)['value']): Promise<void> {
  try {
    const zip = await ask<Uint8Array<ArrayBuffer>>({ about: 'artifact', cell });
    download(`${cell}.zip`, zip, 'application/zip');
  } catch (error) {
    failure.value = failureOf('advice_save', error, { cell: cellName(cell) });
  }
}
