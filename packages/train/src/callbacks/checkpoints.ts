/**
 * Checkpoints as a callback, which decides when to write. A store decides where to write; checkpoints-node.ts
 * implements a store of files.
 */
import { checkOptions, type OptionTypes } from '@unroll/core/internal';
import type { Checkpoint } from '../checkpoint.js';
import { encodeCheckpoint } from '../checkpoint.js';
import type { EpochEvent } from '../events.js';
import type { Callback } from './callback.js';
import { isBetter, MONITOR_OPTIONS, type MonitorOptions, modeOf, monitored } from './monitor.js';

export interface CheckpointOptions {
  /** Write `last` also after every so many steps. Default: after every epoch and when the run ends. */
  everySteps?: number;
  /** Also write a separate checkpoint, `epoch-0010`, after every so many epochs. Default: none. */
  everyEpochs?: number;
  /**
   * Also write `best`, the checkpoint of the best epoch by this metric. True: by `validationLoss`, or `loss`.
   * Default false.
   */
  best?: boolean | MonitorOptions;
}

/** The options of callbacks that write checkpoints. */
export const CHECKPOINT_OPTIONS: OptionTypes<CheckpointOptions> = {
  everySteps: 'count',
  everyEpochs: 'count',
  best: true,
};

/** Stores bytes by name. Each write is atomic. */
export interface CheckpointStore {
  write(name: string, bytes: Uint8Array): Promise<void>;
  /** The location of that name, for messages. */
  location(name: string): string;
}

/** A callback that writes checkpoints. */
export function checkpointsTo(store: CheckpointStore, options: CheckpointOptions): Callback {
  checkOptions('checkpointsTo', options, CHECKPOINT_OPTIONS);
  const { everySteps, everyEpochs, best: keepBest = false } = options;
  if (keepBest !== true && keepBest !== false) checkOptions('checkpoints: best', keepBest, MONITOR_OPTIONS);
  const watch = typeof keepBest === 'object' ? keepBest : {};
  let best: number | null = null;
  let saved: string | null = null;

  /** Names of the checkpoints to write after an epoch. */
  const namesFor = (event: EpochEvent): string[] => {
    const names: string[] = [];
    if (everyEpochs && event.epoch % everyEpochs === 0)
      names.push(`epoch-${String(event.epoch).padStart(4, '0')}`);
    if (keepBest) {
      const { name, value } = monitored(event, watch.monitor);
      if (isBetter(value, best, modeOf(name, watch.mode))) {
        best = value;
        names.push('best');
      }
    }
    return [...names, 'last']; // last comes after best, which it refers to
  };
  const write = async (names: readonly string[], checkpoint: Checkpoint | null): Promise<void> => {
    if (checkpoint === null || names.length === 0) return;
    const bytes = encodeCheckpoint(checkpoint);
    for (const name of names) await store.write(name, bytes);
    saved = store.location('last');
  };

  let names: string[] = [];
  return {
    name: 'checkpoints',
    monitors: watch.monitor,
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
    lastSaved: () => saved,
  };
}
