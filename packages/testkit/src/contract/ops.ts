/** Cases for the ops: compare the outputs and gradients on a backend with the float64 reference, for all samples of an op. */
import { type Backend, formatShape, referenceBackend, scope } from '@unroll/core';
import type { AnyOp, KernelName, OpName } from '@unroll/core/internal';
import { type Gradients, gradientsOf, onBackend, outputsOf } from '../calls.js';
import { bitMismatch, gradientTolerance, mismatch, outputTolerance, throwProblems } from '../compare.js';
import { type DrawnTensor, normal } from '../draw.js';
import { type AnySample, drawInputs, opNames, opWithSamples, streamOf } from '../samples.js';
import type { ContractCase } from './case.js';

/** Returns a float64 reference that adds the names of the kernels it runs to `used`. */
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

/** A sample, and its results on the reference. */
interface ExpectedResults {
  title: string;
  sample: AnySample;
  inputs: (DrawnTensor | null)[];
  /** The upstream gradient of each output. */
  upstream: DrawnTensor[];
  results: Gradients;
}

/** Writes NaN to the memory that the next scope will use. This exposes kernels that read memory before they write it. */
function leaveNaN(backend: Backend): void {
  scope(() => backend.kernels.fill(backend.temporary(1 << 18), Number.NaN));
}

/** Compares an op on some of its samples. */
class OpCase implements ContractCase {
  readonly name: string;
  readonly #opName: OpName;
  readonly #op: AnyOp;
  readonly #samples: readonly AnySample[];
  readonly #used = new Set<KernelName>();
  #expected: ExpectedResults[] | null = null;

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
    throwProblems(
      onBackend(backend, () => this.#reference().flatMap((expected) => this.#compare(backend, expected))),
    );
  }

  /** Returns the results of the reference, computed once for all backends. */
  #reference(): ExpectedResults[] {
    this.#expected ??= onBackend(recordingReference(this.#used), () =>
      this.#samples.map((sample) => {
        const inputs = drawInputs(this.#opName, sample);
        let upstream: DrawnTensor[] = [];
        const draw = (shapes: readonly (readonly number[])[]): DrawnTensor[] =>
          (upstream = shapes.map((shape, i) =>
            normal(shape)(streamOf(this.#opName, sample).child('upstream', i)),
          ));
        const results = gradientsOf(this.#op, inputs, sample.attrs, draw);
        return { title: sample.name, sample, inputs, upstream, results };
      }),
    );
    return this.#expected;
  }

  #compare(
    backend: Backend,
    { title, sample, inputs, upstream, results }: ExpectedResults,
  ): (string | null)[] {
    leaveNaN(backend);
    const actual = gradientsOf(this.#op, inputs, sample.attrs, () => upstream);
    leaveNaN(backend);
    const outputsOnly = outputsOf(this.#op, inputs, sample.attrs);
    const outputs = results.outputs.flatMap((expected, k) => [
      shapeMismatch(`${title}: output ${k}`, actual.shapes[k], results.shapes[k]),
      mismatch(`${title}: output ${k}`, actual.outputs[k], expected, outputTolerance(expected)),
      bitMismatch(`${title}: output ${k} without gradients`, outputsOnly[k], actual.outputs[k]),
    ]);
    const gradients = results.gradients.map((expected, i) => {
      if (sample.gradients[i] !== true || expected === null) return null;
      const label = `${title}: gradient of input ${i}`;
      const gradient = actual.gradients[i]?.values;
      return gradient
        ? mismatch(label, gradient, expected.values, gradientTolerance(expected.values))
        : `${label} is missing`;
    });
    return [...outputs, ...gradients];
  }
}

function shapeMismatch(label: string, actual: readonly number[], expected: readonly number[]): string | null {
  const [actualText, expectedText] = [formatShape(actual), formatShape(expected)];
  return actualText === expectedText ? null : `${label}: expected shape ${expectedText}, got ${actualText}`;
}

/** Ops with more samples are split into several cases. */
const SAMPLES_PER_CASE = 100;

export function opCases(): ContractCase[] {
  return opNames.flatMap((name) => {
    const { op, samples } = opWithSamples(name);
    const parts = Math.ceil(samples.length / SAMPLES_PER_CASE);
    return Array.from({ length: parts }, (_, part) => {
      const chunk = samples.slice(part * SAMPLES_PER_CASE, (part + 1) * SAMPLES_PER_CASE);
      return new OpCase(name, op, chunk, parts === 1 ? '' : `, part ${part + 1} of ${parts}`);
    });
  });
}
