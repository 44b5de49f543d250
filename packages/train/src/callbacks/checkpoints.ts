/**
 * A callback that writes checkpoints. It decides when to write, and a store decides where. checkpoints-node.ts implements
 * a store of files.
 */
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import type { Checkpoint } from '../checkpoint.js';
import { encodeCheckpoint } from '../checkpoint.js';
import type { EpochEvent } from '../events.js';
import type { Callback } from './callback.js';
import { isBetter, MONITOR_OPTIONS, type MonitorOptions, modeOf, monitored } from './monitor.js';

export interface CheckpointOptions {
  /** Also write `last` each time this many steps of an epoch are done. Default: after epochs and when the run ends. */
  everySteps?: number;
  /** Also write a separate checkpoint, such as `epoch-0010`, each time this many epochs are done. Default: none. */
  everyEpochs?: number;
  /**
   * Also write `best`, the checkpoint of the epoch with the best value of a metric. True: `validationLoss`, or `loss`
   * without validation data. Default false.
   */
  best?: boolean | MonitorOptions;
}

/** Types of the options, for checks. */
export const CHECKPOINT_OPTIONS: OptionTypes<CheckpointOptions> = {
  everySteps: 'count',
  everyEpochs: 'count',
  best: true,
};

/** Stores checkpoints by name. Each write must be atomic. */
export interface CheckpointStore {
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** Returns where the checkpoint of this name is stored, for messages. */
  location(name: string): string;
}

/** Returns a callback that writes checkpoints to a store. */
export function checkpointsTo(store: CheckpointStore, options: CheckpointOptions): Callback {
  return checkpointCallback('checkpointsTo', store, options);
}

/** As `checkpointsTo`. @param owner the function that the user called, for messages about the options */
export function checkpointCallback(
  owner: string,
  store: CheckpointStore,
  options: CheckpointOptions,
): Callback {
  checkOptions(owner, options, CHECKPOINT_OPTIONS);
  const { everySteps, everyEpochs, best: keepBest = false } = options;
  if (keepBest !== true && keepBest !== false) checkOptions(`${owner}: best`, keepBest, MONITOR_OPTIONS);
  const monitoring = typeof keepBest === 'object' ? keepBest : {};
  let best: number | null = null;
  let lastSaved: string | null = null;

  /** Returns the names of the checkpoints to write after an epoch. */
  const namesFor = (event: EpochEvent): string[] => {
    const names: string[] = [];
    if (everyEpochs && event.epoch % everyEpochs === 0)
      names.push(`epoch-${String(event.epoch).padStart(4, '0')}`);
    if (keepBest) {
      const { name, value } = monitored(event, monitoring.monitor);
      if (isBetter(value, best, modeOf(name, monitoring.mode))) {
        best = value;
        names.push('best');
      }
    }
    return [...names, 'last']; // `best` is written first, because the state in `last` contains its metric
  };
  const write = async (names: readonly string[], checkpoint: Checkpoint | null): Promise<void> => {
    if (checkpoint === null || names.length === 0) return;
    const bytes = encodeCheckpoint(checkpoint);
    for (const name of names) await store.write(name, bytes);
    lastSaved = store.location('last');
  };

  let names: string[] = [];
  return {
    name: 'checkpoints',
    monitors: monitoring.monitor,
    onEvent(event) {
      if (event.type === 'epoch') names = namesFor(event);
      else if (event.type === 'end') names = ['last'];
      else names = event.type === 'step' && everySteps && event.step % everySteps === 0 ? ['last'] : [];
    },
    async afterEvent(_event, _run, snapshot) {
      if (names.length > 0) await write(names, await snapshot());
    },
    state: () => ({ json: { best } }),
    restore({ json }) {
      ({ best } = json as { best: number | null });
      return null;
    },
    lastSaved: () => lastSaved,
  };
}
