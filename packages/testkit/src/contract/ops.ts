/** Compares the outputs and gradients of every op on a backend with the float64 reference, sample by sample. */
import { type Backend, formatShape, referenceBackend, scope } from '@unroll/core';
import type { AnyOp, KernelName, OpName } from '@unroll/core/internal';
import { type Gradients, gradientsOf, onBackend, outputsOf } from '../calls.js';
import { bitMismatch, gradientTolerance, mismatch, outputTolerance, report } from '../compare.js';
import { type Drawn, normal } from '../draw.js';
import { type AnySample, drawInputs, opNames, opWithSamples, streamOf } from '../samples.js';
import type { ContractCase } from './case.js';

/** The float64 reference, which records the kernels that are used. */
function recordingReference(used: Set<KernelName>): Backend {
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

/** Leaves NaN in the memory that the next scope reuses, which exposes kernels that read before they write. */
function leaveNaN(backend: Backend): void {
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

  /** The results of the reference, computed once for all backends. */
  #reference(): Expected[] {
    this.#expected ??= onBackend(recordingReference(this.#used), () =>
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
    leaveNaN(backend);
    const found = gradientsOf(this.#op, inputs, sample.attrs, () => upstream);
    leaveNaN(backend);
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

const SAMPLES_PER_CASE = 100;

export function opCases(): ContractCase[] {
  return opNames.flatMap((name) => {
    const { op, samples: all } = opWithSamples(name);
    const parts = Math.ceil(all.length / SAMPLES_PER_CASE);
    return Array.from({ length: parts }, (_, part) => {
      const own = all.slice(part * SAMPLES_PER_CASE, (part + 1) * SAMPLES_PER_CASE);
      return new OpCase(name, op, own, parts === 1 ? '' : `, part ${part + 1} of ${parts}`);
    });
  });
}
