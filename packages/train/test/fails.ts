import assert from 'node:assert/strict';
import { type ErrorCode, UnrollError } from '@unroll/core';

/**
 * Returns a function for assert.throws and assert.rejects. It asserts that the error is an UnrollError with this code and a
 * matching message.
 */
export const fails =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof UnrollError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
