/** Layer normalisation in plain loops: y = γ x̂ + β with x̂ = (x - mean) / √(variance + ε) over each row. */
import type { LayerNormBackwardCall, LayerNormCall } from '../backend.js';
import { values } from './block.js';

export function layerNorm(call: LayerNormCall): void {
  const { rows, n, epsilon } = call;
  const [x, y] = [values(call.x), values(call.y)];
  const [gamma, beta] = [call.gamma && values(call.gamma), call.beta && values(call.beta)];
  const statistics = call.statistics && values(call.statistics);
  for (let r = 0; r < rows; r++) {
    const row = Float64Array.from(x.subarray(r * n, (r + 1) * n));
    const mean = row.reduce((sum, value) => sum + value, 0) / n;
    const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / n;
    const scale = 1 / Math.sqrt(variance + epsilon);
    row.forEach((value, i) => {
      y[r * n + i] = (value - mean) * scale * (gamma ? gamma[i] : 1) + (beta ? beta[i] : 0);
    });
    statistics?.set([mean, scale], 2 * r);
  }
}

export function layerNormBackward(call: LayerNormBackwardCall): void {
  const { rows, n } = call;
  const [x, dy, statistics] = [values(call.x), values(call.dy), values(call.statistics)];
  const gamma = call.gamma && values(call.gamma);
  const [dx, dgamma, dbeta] = [call.dx, call.dgamma, call.dbeta].map((block) => block && values(block));
  dgamma?.fill(0);
  dbeta?.fill(0);
  for (let r = 0; r < rows; r++) {
    const [mean, scale] = statistics.subarray(2 * r, 2 * r + 2);
    const at = (i: number): number => r * n + i;
    const normalised = Float64Array.from({ length: n }, (_, i) => (x[at(i)] - mean) * scale);
    const g = Float64Array.from({ length: n }, (_, i) => dy[at(i)] * (gamma ? gamma[i] : 1));
    const meanG = g.reduce((sum, value) => sum + value, 0) / n;
    const meanProduct = g.reduce((sum, value, i) => sum + value * normalised[i], 0) / n;
    for (let i = 0; i < n; i++) {
      if (dx) dx[at(i)] = scale * (g[i] - meanG - normalised[i] * meanProduct);
      if (dgamma) dgamma[i] += dy[at(i)] * normalised[i];
      if (dbeta) dbeta[i] += dy[at(i)];
    }
  }
}
