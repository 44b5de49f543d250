/** Shows an error and what to do about it. The English message of the library follows as a detail. */
import { lang, t } from '../i18n/index.js';
import { mistakeText } from '../problems/input-error.js';
import type { Failure } from '../state/failure.js';

export function FailureBox({ failure, id }: { failure: Failure | null; id?: string }) {
  if (failure === null) return null;
  const { advice, values, error } = failure;
  if ('key' in error) {
    return (
      <p class="failure" role="alert" id={id}>
        {mistakeText(error, lang.value)}
      </p>
    );
  }
  return (
    <p class="failure" role="alert" id={id}>
      {t(advice, values)}
      <code class="failure-detail" lang="en">
        {error.code ? `${error.code}: ${error.message}` : error.message}
      </code>
    </p>
  );
}
