/** The weights of a network: statistics and a histogram for each tensor. */
import { formatNumber } from '../charts/format-number.js';
import type { TensorInfo } from '../engine/tensors.js';
import { t } from '../i18n/index.js';

export function TensorTable({ tensors }: { tensors: readonly TensorInfo[] }) {
  return (
    <div class="scroll">
      <table class="tensors">
        <thead>
          <tr>
            {[
              t('tensor'),
              t('shape'),
              t('mean'),
              t('deviation'),
              t('minimum'),
              t('maximum'),
              t('histogram'),
            ].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {tensors.map((tensor) => (
            <tr key={tensor.name}>
              <th scope="row">
                <code>{tensor.name}</code>
              </th>
              <td>{`[${tensor.shape.join(', ')}]`}</td>
              <td>{formatNumber(tensor.mean)}</td>
              <td>{formatNumber(tensor.deviation)}</td>
              <td>{formatNumber(tensor.min)}</td>
              <td>{formatNumber(tensor.max)}</td>
              <td>
                <Histogram counts={tensor.histogram} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Histogram({ counts }: { counts: readonly number[] }) {
  const most = Math.max(1, ...counts);
  return (
    <svg
      class="histogram"
      viewBox={`0 0 ${counts.length} 20`}
      preserveAspectRatio="none"
      role="img"
      aria-label={t('histogram')}
    >
      {counts.map((count, n) => (
        <rect key={n} x={n} y={20 - (20 * count) / most} width={0.9} height={(20 * count) / most} />
      ))}
    </svg>
  );
}
