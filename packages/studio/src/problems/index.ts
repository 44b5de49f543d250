/** Creates the problem of a preset. */
import type { Settings } from '../state/settings.js';
import { InputError } from './input-error.js';
import { addingProblem, copyTask } from './long-memory.js';
import type { Problem } from './problem.js';
import { reverseProblem } from './reverse.js';
import { airPassengers, seriesProblem, sineMixture } from './series.js';
import { charactersProblem, linesProblem } from './texts.js';

/** The data that a visitor can paste or drop, for the presets that need data. */
export interface UserData {
  text: string;
  lines: string;
  column: { name: string; values: Float64Array } | null;
}

/** @throws InputError for a text or a column that does not fit the settings */
export function problemOf({ preset, length, seed }: Settings, data: UserData): Problem {
  switch (preset) {
    case 'adding':
      return addingProblem(length, seed);
    case 'copy':
      return copyTask(length, seed);
    case 'reverse':
      return reverseProblem(length, seed);
    case 'sine':
      return sineMixture(length, seed);
    case 'passengers':
      return airPassengers(length);
    case 'characters':
      return charactersProblem(data.text, length, seed);
    case 'sentiment':
      return linesProblem(data.lines, length, seed);
    case 'csv':
      if (data.column === null) throw new InputError('noCsv');
      return seriesProblem(data.column.name, data.column.values, length);
  }
}
