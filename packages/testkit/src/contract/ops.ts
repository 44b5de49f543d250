/** Every op on a backend against the float64 reference: outputs and gradients, sample by sample. */
import { type Backend, formatShape, referenceBackend, scope } from '@unroll/core';
import type { AnyOp, KernelName, OpName } from '@unroll/core/internal';
import { type Gradients, gradientsOf, onBackend, outputsOf } from '../calls.js';
import { bitMismatch, gradientTolerance, mismatch, outputTolerance, report } from '../compare.js';
import { type Drawn, normal } from '../draw.js';
import { type AnySample, drawInputs, opNames, opWithSamples, streamOf } from '../samples.js';
import type { ContractCase } from './case.js';

/** The float64 reference, noting which kernels it is asked for. */
function notingReference(used: Set<KernelName>): Backend {
  const backend = referenceBackend('float64');
  const kernels = new Proxy(backend.kernels, {
    get(target, name: KernelName) {
      used.add(name);
      return target[name];
    },
  });
  return { ...backend, kernels };
}

interface Expected {
  title: string;
  sample: AnySample;
  inputs: (Drawn | null)[];
  upstream: Drawn[];
  wanted: Gradients;
}

/** Leaves NaN in the memory that the next scope gets, so that what reads before it writes is found out. */
function spoil(backend: Backend): void {
  scope(() => backend.kernels.fill(backend.temporary(1 << 18), Number.NaN));
}

class OpCase implements ContractCase {
  readonly name: string;
  readonly #opName: OpName;
  readonly #op: AnyOp;
  readonly #samples: readonly AnySample[];
  readonly #used = new Set<KernelName>();
  #expected: Expected[] | null = null;

  constructor(opName: OpName, op: AnyOp, samples: readonly AnySample[], part: string) {
    this.name = `op ${opName}${part}`;
    this.#opName = opName;
    this.#op = op;
    this.#samples = samples;
  }

  get kernels(): readonly KernelName[] {
    this.#reference();
    return [...this.#used];
  }

  run(backend: Backend): void {
    report(
      onBackend(backend, () => this.#reference().flatMap((expected) => this.#compare(backend, expected))),
    );
  }

  /** What the reference gives, worked out once for all backends. */
  #reference(): Expected[] {
    this.#expected ??= onBackend(notingReference(this.#used), () =>
      this.#samples.map((sample) => {
        const inputs = drawInputs(this.#opName, sample);
        let upstream: Drawn[] = [];
        const draw = (shapes: readonly (readonly number[])[]): Drawn[] =>
          (upstream = shapes.map((shape, i) =>
            normal(shape)(streamOf(this.#opName, sample).child('upstream', i)),
          ));
        const wanted = gradientsOf(this.#op, inputs, sample.attrs, draw);
        return { title: sample.name, sample, inputs, upstream, wanted };
      }),
    );
    return this.#expected;
  }

  #compare(backend: Backend, { title, sample, inputs, upstream, wanted }: Expected): (string | null)[] {
    spoil(backend);
    const found = gradientsOf(this.#op, inputs, sample.attrs, () => upstream);
    spoil(backend);
    const plain = outputsOf(this.#op, inputs, sample.attrs);
    const outputs = wanted.outputs.flatMap((expected, k) => [
      formatShape(found.shapes[k]) === formatShape(wanted.shapes[k])
        ? null
        : `${title}: output ${k} has shape ${formatShape(found.shapes[k])}`,
      mismatch(`${title}: output ${k}`, found.outputs[k], expected, outputTolerance(expected)),
      bitMismatch(`${title}: output ${k} without a gradient`, plain[k], found.outputs[k]),
    ]);
    const gradients = wanted.gradients.map((expected, i) => {
      if (sample.gradients[i] !== true || expected === null) return null;
      const what = `${title}: gradient of input ${i}`;
      const actual = found.gradients[i]?.values;
      return actual
        ? mismatch(what, actual, expected.values, gradientTolerance(expected.values))
        : `${what} is missing`;
    });
    return [...outputs, ...gradients];
  }
}

const AT_ONCE = 100;

export function opCases(): ContractCase[] {
  return opNames.flatMap((name) => {
    const { op, samples: all } = opWithSamples(name);
    const parts = Math.ceil(all.length / AT_ONCE);
    return Array.from({ length: parts }, (_, part) => {
      const own = all.slice(part * AT_ONCE, (part + 1) * AT_ONCE);
      return new OpCase(name, op, own, parts === 1 ? '' : `, part ${part + 1} of ${parts}`);
    });
  });
}
