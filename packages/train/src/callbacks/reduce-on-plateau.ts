/** Lowers the learning rate when a metric stops improving; ../plateau.ts implements the rule. */
import { checkOptions } from '@unroll/core/internal';
import { PLATEAU, Plateau, type PlateauOptions, type PlateauState } from '../plateau.js';
import type { Callback } from './callback.js';
import { MONITOR_OPTIONS, type MonitorOptions, modeOf, monitored } from './monitor.js';

export interface ReduceOnPlateauOptions extends MonitorOptions, Omit<PlateauOptions, 'better'> {}

/**
 * Multiplies the learning rate by `factor` after `patience` epochs without an improvement.
 * @throws UnrollError `value` if the run has no metric of the monitored name
 */
export function reduceOnPlateau(given: ReduceOnPlateauOptions = {}): Callback {
  checkOptions('reduceOnPlateau', given, { ...PLATEAU, ...MONITOR_OPTIONS });
  const { monitor, mode, ...options } = given;
  new Plateau(options); // reports wrong options now instead of after an epoch
  let plateau: Plateau | null = null;
  let restored: PlateauState | null = null;
  const ruleFor = (name: string): Plateau => {
    const rule = new Plateau({ ...options, better: modeOf(name, mode) === 'max' ? 'higher' : 'lower' });
    if (restored) rule.state = restored;
    return rule;
  };
  return {
    name: 'reduceOnPlateau',
    monitors: monitor,
    onEvent(event, run) {
      if (event.type !== 'epoch') return;
      const { name, value } = monitored(event, monitor);
      plateau ??= ruleFor(name);
      const next = plateau.observe(value, event.learningRate);
      if (next !== event.learningRate) run.learningRateScale *= next / event.learningRate;
    },
    state: () => ({ json: { ...(plateau?.state ?? restored) } }),
    restore({ json }) {
      const saved = json as unknown as Partial<PlateauState>;
      restored = saved.wait === undefined ? null : (saved as PlateauState);
      return null;
    },
  };
}
