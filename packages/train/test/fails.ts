import assert from 'node:assert/strict';
import { type ErrorCode, UnrollError } from '@unroll/core';

/** For assert.throws and assert.rejects: an error of Unroll's with this code and a message that matches. */
export const fails =
  (code: ErrorCode, message: RegExp) =>
  (error: unknown): true => {
    assert.ok(error instanceof UnrollError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };
