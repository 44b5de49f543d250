/** The field for the data of a visitor, if the preset needs any: a pasted text, pasted lines, or a CSV file. */
import { signal } from '@preact/signals';
import { t } from '../i18n/index.js';
import { type Column, numericColumns } from '../problems/csv.js';
import { reset } from '../state/actions.js';
import { failureOf } from '../state/failure.js';
import * as store from '../state/store.js';
import { FilePicker } from './file-picker.js';

const columns = signal<readonly Column[]>([]);

export function DataField() {
  const { preset } = store.settings.value;
  if (preset === 'characters') return <TextField name="text" />;
  if (preset === 'sentiment') return <TextField name="lines" />;
  return preset === 'csv' ? <CsvField /> : null;
}

function TextField({ name }: { name: 'text' | 'lines' }) {
  return (
    <label class="field">
      <span>{t(name === 'text' ? 'pasteText' : 'pasteLines')}</span>
      <textarea
        id={`paste-${name}`}
        rows={6}
        spellcheck={false}
        value={store.userData.value[name]}
        onChange={(event) => {
          store.userData.value = { ...store.userData.value, [name]: event.currentTarget.value };
          reset();
        }}
      />
    </label>
  );
}

/** Reads a CSV file and trains on the column `name`, by default the first column of numbers. */
export function trainOnCsv(text: string, name?: string): void {
  try {
    columns.value = numericColumns(text);
    chooseColumn(name ?? columns.value[0].name);
  } catch (error) {
    store.failure.value = failureOf('advice_csv', error);
  }
}

function chooseColumn(name: string): void {
  const column = columns.value.find((candidate) => candidate.name === name) ?? null;
  store.userData.value = { ...store.userData.value, column };
  reset();
}

function CsvField() {
  const read = async (file: File | undefined): Promise<void> => {
    if (file) trainOnCsv(await file.text());
  };
  return (
    <section
      class="drop"
      aria-label={t('csvFile')}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        void read(event.dataTransfer?.files[0]);
      }}
    >
      <FilePicker
        id="csv"
        text={t('chooseCsv')}
        accept=".csv,.tsv,.txt,text/csv"
        onFiles={([file]) => void read(file)}
      />
      {columns.value.length > 0 && (
        <label class="field">
          <span>{t('column')}</span>
          <select
            id="column"
            value={store.userData.value.column?.name}
            onChange={(event) => chooseColumn(event.currentTarget.value)}
          >
            {columns.value.map(({ name, values }) => (
              <option key={name} value={name}>{`${name} (${values.length})`}</option>
            ))}
          </select>
        </label>
      )}
    </section>
  );
}
