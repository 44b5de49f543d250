/** A callback that lowers the learning rate when a metric stops improving. ../plateau.ts implements the rule. */
import { checkOptions } from '@unroll/core/internal';
import { PLATEAU_OPTIONS, Plateau, type PlateauOptions, type PlateauState } from '../plateau.js';
import type { Callback } from './callback.js';
import { MONITOR_OPTIONS, type MonitorOptions, modeOf, monitored } from './monitor.js';

export interface ReduceOnPlateauOptions extends MonitorOptions, Omit<PlateauOptions, 'better'> {}

/**
 * Returns a callback that multiplies the learning rate by `factor` after `patience` epochs without an improvement.
 * @throws UnrollError `value` for an unknown or invalid option
 */
export function reduceOnPlateau(allOptions: ReduceOnPlateauOptions = {}): Callback {
  checkOptions('reduceOnPlateau', allOptions, { ...PLATEAU_OPTIONS, ...MONITOR_OPTIONS });
  const { monitor, mode, ...options } = allOptions;
  new Plateau(options); // throws for invalid options now, instead of after the first epoch
  let plateau: Plateau | null = null;
  let restored: PlateauState | null = null;
  const plateauFor = (metric: string): Plateau => {
    const created = new Plateau({ ...options, better: modeOf(metric, mode) === 'max' ? 'higher' : 'lower' });
    if (restored) created.state = restored;
    return created;
  };
  return {
    name: 'reduceOnPlateau',
    monitors: monitor,
    onEvent(event, run) {
      if (event.type !== 'epoch') return;
      const { name, value } = monitored(event, monitor);
      plateau ??= plateauFor(name);
      const lowered = plateau.observe(value, event.learningRate);
      if (lowered !== event.learningRate) run.learningRateScale *= lowered / event.learningRate;
    },
    state: () => ({ json: { ...(plateau?.state ?? restored) } }),
    restore({ json }) {
      const saved = json as unknown as Partial<PlateauState>;
      restored = saved.wait === undefined ? null : (saved as PlateauState);
      return null;
    },
  };
}
