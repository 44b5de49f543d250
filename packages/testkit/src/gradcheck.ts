/**
 * Gradient checks: compare an op's backward pass with central differences of its forward pass, in float64 on the
 * reference backend. The differentiated scalar is a weighted sum of all output elements, with a random weight for
 * each element. One check perturbs all inputs at once in a random direction, which detects an error in any element.
 * Others perturb single elements, which locates the error.
 */
import { type RandomStream, referenceBackend } from '@unroll/core';
import type { AnyOp, Inputs, Op, Outputs } from '@unroll/core/internal';
import { gradientsOf, onBackend, outputsOf, type Values } from './calls.js';
import { largestMagnitude } from './compare.js';
import { type DrawnTensor, normal } from './draw.js';
import { type AnySample, drawInputs, type Sample, streamOf } from './samples.js';

export interface GradientReport {
  /** Number of derivatives compared. */
  checked: number;
  /**
   * The comparison with the largest error, as a multiple (`ratio`) of the allowed error; null before the first
   * comparison.
   */
  worst: { where: string; backward: number; centralDifference: number; ratio: number } | null;
  /** One message for each failed check; empty if all checks pass. */
  problems: string[];
}

/** Step of the central differences: a compromise between rounding errors and the error of order STEP². */
const STEP = 1e-5;
/**
 * Allowed error, as a multiple of the largest absolute gradient (at least 1). For the directional check, the gradient of each
 * input is first multiplied by the square root of its number of elements.
 */
const TOLERANCE = 1e-7;

/** Default number of elements of each input to check one at a time. */
const DEFAULT_ELEMENTS = 40;

const float64 = referenceBackend('float64');

/** Checks all gradients that `sample` declares and returns a report. Does not throw if a check fails. */
export function checkGradients<A, I extends Inputs>(
  name: string,
  op: Op<A, I, Outputs>,
  sample: Sample<A, I>,
): GradientReport {
  return onBackend(float64, () => new Check(name, op, sample).run());
}

class Check {
  readonly #op: AnyOp;
  readonly #sample: AnySample;
  readonly #title: string;
  readonly #stream: RandomStream;
  readonly #inputs: (DrawnTensor | null)[];
  readonly #weights: DrawnTensor[] = [];
  readonly #report: GradientReport = { checked: 0, worst: null, problems: [] };

  constructor(name: string, op: AnyOp, sample: AnySample) {
    this.#op = op;
    this.#sample = sample;
    this.#title = `${name} ${sample.name}`;
    this.#inputs = drawInputs(name, sample);
    this.#stream = streamOf(name, sample).child('check');
  }

  run(): GradientReport {
    const drawWeights = (shapes: readonly (readonly number[])[]): DrawnTensor[] =>
      shapes.map((shape, i) => (this.#weights[i] = normal(shape)(this.#stream.child('weights', i))));
    const { gradients } = gradientsOf(this.#op, this.#inputs, this.#sample.attrs, drawWeights);
    const checked = this.#sample.gradients.flatMap((check, i) => (check === true ? [i] : []));
    const byInput = new Map<number, Values>();
    for (const i of checked) {
      const gradient = gradients[i];
      if (gradient) byInput.set(i, gradient.values);
      else this.#addProblem(`input ${i}: backward returns no gradient`);
    }
    if (this.#report.problems.length > 0) return this.#report;
    this.#checkDirection(byInput);
    // If the directional check fails, check more single elements to locate the error.
    const elements =
      this.#report.problems.length > 0
        ? DEFAULT_ELEMENTS
        : (this.#sample.checkedElements ?? DEFAULT_ELEMENTS);
    for (const [i, grad] of byInput) this.#checkElements(i, grad, elements);
    this.#checkInputSubsets(byInput);
    this.#checkSingleOutputs(byInput);
    return this.#report;
  }

  /** Returns the weighted sum of the outputs. Each input in `moves` is shifted by `distance` in its `direction`. */
  #loss(moves: ReadonlyMap<number, { direction: Values; distance: number }>): number {
    const inputs = this.#inputs.map((input, i) => {
      const move = moves.get(i);
      if (!input || !move) return input;
      const { direction, distance } = move;
      return { shape: input.shape, values: input.values.map((x, j) => x + distance * direction[j]) };
    });
    const outputs = outputsOf(this.#op, inputs, this.#sample.attrs);
    let total = 0;
    outputs.forEach((output, k) => {
      const weights = this.#weights[k].values;
      for (let j = 0; j < output.length; j++) total += weights[j] * output[j];
    });
    return total;
  }

  /** Returns the central difference of the loss if each input i in `directions` moves in its direction. */
  #centralDifference(directions: ReadonlyMap<number, Values>): number {
    const lossAt = (distance: number): number =>
      this.#loss(new Map([...directions].map(([i, direction]) => [i, { direction, distance }])));
    return (lossAt(STEP) - lossAt(-STEP)) / (2 * STEP);
  }

  /** Compares the derivative in a random direction of all inputs together. */
  #checkDirection(gradients: ReadonlyMap<number, Values>): void {
    const stream = this.#stream.child('direction');
    const moves = [...gradients].map(([i, grad]) => ({ i, grad, direction: stream.normal(grad.length) }));
    let expected = 0;
    let scale = 1;
    for (const { grad, direction } of moves) {
      for (let j = 0; j < grad.length; j++) {
        expected += grad[j] * direction[j];
        scale = Math.max(scale, Math.abs(grad[j]) * Math.sqrt(grad.length));
      }
    }
    if ([...gradients.values()].every((grad) => grad.length === 0)) return;
    const directions = new Map(moves.map(({ i, direction }) => [i, direction]));
    this.#compare('along a direction of all inputs', expected, this.#centralDifference(directions), scale);
  }

  /** Compares the derivatives with respect to `count` random elements of input i. */
  #checkElements(i: number, grad: Values, count: number): void {
    const scale = Math.max(1, largestMagnitude(grad));
    const order = this.#stream.child('elements', i).permutation(grad.length);
    for (const j of order.subarray(0, count)) {
      const direction = new Float64Array(grad.length);
      direction[j] = 1;
      this.#compare(
        `input ${i}, element ${j}`,
        grad[j],
        this.#centralDifference(new Map([[i, direction]])),
        scale,
      );
    }
  }

  /** Checks that the gradient of each input does not depend on which other gradients are requested. */
  #checkInputSubsets(expected: ReadonlyMap<number, Values>): void {
    if (expected.size < 2) return;
    for (const parity of [0, 1]) {
      const needs = this.#inputs.map((_, i) => expected.has(i) && i % 2 === parity);
      const { gradients } = gradientsOf(
        this.#op,
        this.#inputs,
        this.#sample.attrs,
        () => this.#weights,
        needs,
      );
      for (const [i, values] of expected) {
        if (needs[i] && gradients[i]?.values.some((x, j) => !Object.is(x, values[j])) !== false) {
          this.#addProblem(`input ${i}: its gradient changes if other gradients are not requested`);
        }
      }
    }
  }

  /** Checks that the gradients from single outputs add up to the gradient from all outputs. */
  #checkSingleOutputs(expected: ReadonlyMap<number, Values>): void {
    if (this.#weights.length < 2) return;
    const sums = [...expected].map(([i, values]) => ({ i, values, total: new Float64Array(values.length) }));
    this.#weights.forEach((_, k) => {
      const upstream = this.#weights.map((weights, n) => (n === k ? weights : null));
      const { gradients } = gradientsOf(this.#op, this.#inputs, this.#sample.attrs, () => upstream);
      for (const { i, total } of sums) {
        gradients[i]?.values.forEach((x, j) => {
          total[j] += x;
        });
      }
    });
    for (const { i, values, total } of sums) {
      const scale = Math.max(1, largestMagnitude(values));
      if (total.some((x, j) => !(Math.abs(x - values[j]) <= 1e-12 * scale))) {
        this.#addProblem(
          `input ${i}: the gradients from single outputs do not add up to the gradient from all outputs`,
        );
      }
    }
  }

  /** Records one comparison. The allowed error is TOLERANCE times `scale`. */
  #compare(where: string, backward: number, centralDifference: number, scale: number): void {
    this.#report.checked++;
    const error = Math.abs(backward - centralDifference);
    const ratio = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error / (TOLERANCE * scale);
    if (ratio > (this.#report.worst?.ratio ?? -1)) {
      this.#report.worst = { where: `${this.#title}: ${where}`, backward, centralDifference, ratio };
    }
    if (ratio > 1) {
      this.#addProblem(
        `${where}: backward returned ${backward}, the central difference is ${centralDifference} ` +
          `(off by ${error.toExponential(2)}, allowed ${(TOLERANCE * scale).toExponential(2)})`,
      );
    }
  }

  #addProblem(text: string): void {
    this.#report.problems.push(`${this.#title}: ${text}`);
  }
}
