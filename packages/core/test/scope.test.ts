/**
 * Scopes: which tensors outlive a scope and which do not. Detects a tensor that reads memory which has been reused, a
 * result that does not outlive its scope, a scope that stays open after an error, and a nested scope that breaks a
 * gradient.
 */
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import {
  add,
  type Backend,
  full,
  keep,
  matmul,
  mul,
  Parameter,
  reshape,
  scope,
  setBackend,
  square,
  sum,
  type Tensor,
  tanh,
  tensor,
  UnrollError,
  valueAndGrad,
} from '@unroll/core';
import { backendSync, type Heap, runtime } from '@unroll/core/internal';
import { onBackend, tensorOf } from '@unroll/testkit';
import { testBackends } from '@unroll/testkit/node';

const ENDED =
  'This tensor of shape [2] was freed when its scope() or training step ended. Return or keep() it.';

const isEnded = (error: unknown): boolean => error instanceof UnrollError && error.code === 'scope';

/** Overwrites the memory of closed scopes with NaN. */
function overwrite(): void {
  scope(() => {
    for (let i = 0; i < 50; i++) mul(full([1000], Number.NaN), 1);
  });
}

/** Returns [3, 5], created in the open scope. */
const made = (): Tensor => add([1, 2], [2, 3]);

function scopeTests(): void {
  describe('the result of a scope', () => {
    const containers: Record<string, { wrap: (x: Tensor) => unknown; unwrap: (value: unknown) => Tensor }> = {
      'a tensor': { wrap: (x) => x, unwrap: (value) => value as Tensor },
      'an array': { wrap: (x) => [1, x], unwrap: (value) => (value as Tensor[])[1]! },
      'an object': { wrap: (x) => ({ a: { b: x } }), unwrap: (value) => (value as { a: { b: Tensor } }).a.b },
      'an object without a prototype': {
        wrap: (x) => Object.assign(Object.create(null), { x }) as unknown,
        unwrap: (value) => (value as { x: Tensor }).x,
      },
      'a map': {
        wrap: (x) => new Map([['x', x]]),
        unwrap: (value) => (value as Map<string, Tensor>).get('x')!,
      },
      'a set': { wrap: (x) => new Set([x]), unwrap: (value) => [...(value as Set<Tensor>)][0]! },
      'arrays in maps in objects': {
        wrap: (x) => ({ all: new Map([[7, [[x]]]]) }),
        unwrap: (value) => (value as { all: Map<number, Tensor[][]> }).all.get(7)![0]![0]!,
      },
      'a view of a tensor': {
        wrap: (x) => reshape(x, [2, 1]),
        unwrap: (value) => reshape(value as Tensor, [2]),
      },
    };
    for (const [name, { wrap, unwrap }] of Object.entries(containers)) {
      test(`${name} outlives the scope`, () => {
        const value = scope(() => wrap(made()));
        overwrite();
        assert.deepEqual(unwrap(value).toArray(), [3, 5]);
      });
    }

    test('may contain the same tensor twice, and a view of its memory', () => {
      const [a, b, flat] = scope(() => {
        const x = made();
        return [x, x, reshape(x, [1, 2])] as const;
      });
      overwrite();
      assert.equal(a, b);
      assert.deepEqual(a.toArray(), [3, 5]);
      assert.deepEqual(flat.toArray(), [[3, 5]]);
    });

    test('numbers, null and undefined are returned unchanged', () => {
      assert.equal(
        scope(() => 7),
        7,
      );
      assert.equal(
        scope(() => null),
        null,
      );
      assert.equal(
        scope(() => undefined),
        undefined,
      );
    });
  });

  describe('a tensor that a scope does not return', () => {
    test('throws on every use, also after its memory was reused', async () => {
      let stashed!: Tensor;
      scope(() => {
        stashed = made();
        assert.deepEqual(stashed.toArray(), [3, 5]);
      });
      assert.throws(() => stashed.dataSync(), new UnrollError('scope', ENDED, { shape: [2] }));
      overwrite();
      await assert.rejects(() => stashed.data(), isEnded);
      assert.throws(() => stashed.toArray(), isEnded);
      assert.throws(() => sum(stashed).item(), isEnded);
      assert.throws(() => scope(() => add(stashed, 1)), isEnded);
      assert.throws(() => keep(stashed), isEnded);
      assert.throws(() => new Parameter('w', [2], [0, 0]).assign(stashed), isEnded);
      assert.deepEqual(stashed.shape, [2], 'the shape can still be read');
    });

    test('throws when a view of it is used', () => {
      let view!: Tensor;
      scope(() => {
        view = reshape(made(), [1, 2]);
      });
      assert.throws(() => view.dataSync(), isEnded);
    });

    test('instances of classes are not searched for tensors', () => {
      class Box {
        readonly x: Tensor;
        constructor(x: Tensor) {
          this.x = x;
        }
      }
      const box = scope(() => new Box(made()));
      assert.throws(() => box.x.dataSync(), isEnded);
    });

    test('a host tensor is not bound to any scope', () => {
      let stashed!: Tensor;
      scope(() => {
        stashed = tensor([1, 2]);
        add(stashed, 1); // uploads it
      });
      overwrite();
      assert.deepEqual(stashed.toArray(), [1, 2]);
      assert.deepEqual(add(stashed, 1).toArray(), [2, 3]);
    });
  });

  describe('keep', () => {
    test('makes a tensor outlive the scope, and returns its argument', () => {
      let kept!: { x: Tensor };
      scope(() => {
        const value = { x: made() };
        kept = keep(value);
        assert.equal(kept, value);
        assert.deepEqual(add(kept.x, 1).toArray(), [4, 6], 'it stays usable in the scope');
      });
      overwrite();
      assert.deepEqual(kept.x.toArray(), [3, 5]);
    });

    test('also keeps tensors of outer scopes', () => {
      let kept!: Tensor;
      scope(() => {
        const outer = made();
        scope(() => {
          kept = keep(outer);
        });
      });
      overwrite();
      assert.deepEqual(kept.toArray(), [3, 5]);
    });

    test('does not interrupt the gradient', () => {
      const x = tensor([1, -2]);
      let kept!: Tensor;
      const { grads } = valueAndGrad(() => {
        kept = keep(mul(x, 3));
        return sum(square(kept));
      }, [x]);
      assert.deepEqual(grads[0]!.toArray(), [18, -36]);
      assert.deepEqual(kept.toArray(), [3, -6]);
    });
  });

  describe('nested scopes', () => {
    test('the result of an inner scope also outlives the outer scope', () => {
      let inner!: Tensor;
      const outer = scope(() => {
        inner = scope(() => made());
        return add(inner, 1);
      });
      overwrite();
      assert.deepEqual(outer.toArray(), [4, 6]);
      assert.deepEqual(
        inner.toArray(),
        [3, 5],
        'the memory of a returned tensor is garbage-collected, not freed with the scope',
      );
    });

    test('tensors that the inner scope does not return are invalid in the outer one', () => {
      scope(() => {
        let stashed!: Tensor;
        scope(() => {
          stashed = made();
        });
        assert.throws(() => add(stashed, 1), isEnded);
      });
    });

    test('tensors of the outer scope are usable in the inner one, and unchanged afterwards', () => {
      const result = scope(() => {
        const outer = made();
        const inner = scope(() => add(outer, outer));
        overwrite();
        return add(outer, inner);
      });
      assert.deepEqual(result.toArray(), [9, 15]);
    });

    test('an outer tensor that passes through an inner scope still belongs to the outer one', () => {
      let outer!: Tensor;
      scope(() => {
        outer = made();
        assert.equal(
          scope(() => outer),
          outer,
        );
        overwrite();
        assert.deepEqual(outer.toArray(), [3, 5]);
      });
      assert.throws(() => outer.dataSync(), isEnded);
    });

    test('keep the tensors that the backward pass reads', () => {
      const x = tensor([0.5, -1]);
      const plain = valueAndGrad(() => sum(mul(tanh(x), tanh(x))), [x]);
      const nested = valueAndGrad(() => {
        const y = scope(() => scope(() => tanh(x)));
        overwrite();
        return scope(() => sum(mul(y, y)));
      }, [x]);
      assert.deepEqual(nested.grads[0]!.toArray(), plain.grads[0]!.toArray());
      assert.equal(nested.value.item(), plain.value.item());
    });
  });

  describe('a scope that fails', () => {
    test('closes and rethrows the error', () => {
      const fault = new RangeError('mine');
      let stashed!: Tensor;
      assert.throws(
        () =>
          scope(() =>
            scope(() => {
              stashed = made();
              throw fault;
            }),
          ),
        fault,
      );
      assert.equal(runtime.scope, null);
      assert.throws(() => stashed.dataSync(), isEnded);
      assert.deepEqual(made().toArray(), [3, 5]);
    });

    test('closes if the error occurs while a gradient is computed', () => {
      const x = tensor([1, 2]);
      assert.throws(() => valueAndGrad(() => sum(matmul(x, x)), [x]), /matmul needs matrices/);
      assert.equal(runtime.scope, null);
      assert.deepEqual(valueAndGrad(() => sum(x), [x]).grads[0]!.toArray(), [1, 1]);
    });

    test('closes and throws an error if its function returns a promise', () => {
      assert.throws(
        () => scope(async () => made()),
        new UnrollError(
          'scope',
          'scope() needs a synchronous function, got a promise. Await outside the scope, or keep() tensors that must outlive it.',
        ),
      );
      assert.equal(runtime.scope, null);
    });
  });

  test('without a scope, the results of ops never expire', () => {
    const list = Array.from({ length: 20 }, (_, i) => add(i, 0.5));
    overwrite();
    assert.deepEqual(
      list.map((x) => x.item()),
      list.map((_, i) => i + 0.5),
    );
  });
}

for (const { name, backend, reason } of testBackends()) {
  describe(`scopes on ${name}`, { skip: reason || false }, () => {
    if (!backend) return;
    before(() => setBackend(backend));
    scopeTests();
    const noHeap = 'heap' in backend ? false : "this backend's memory is garbage-collected";
    test('memory of closed scopes is reused', { skip: noHeap }, () => {
      onBackend(backend, () => {
        const heap = (backend as Backend & { heap: Heap }).heap;
        overwrite();
        const { extent } = heap;
        for (let i = 0; i < 100; i++) overwrite();
        assert.equal(heap.extent, extent);
      });
    });
  });
}

test('tensors and parameters are moved when the backend changes', async () => {
  await setBackend('reference');
  const x = tensor([1, 2, 3]);
  const w = new Parameter('w', [3], [4, 5, 6]);
  const made = mul(x, w);
  for (const { backend } of testBackends()) {
    if (!backend) continue;
    await setBackend(backend);
    assert.deepEqual(add(made, mul(x, w)).toArray(), [8, 20, 36]);
    assert.deepEqual(w.toArray(), [4, 5, 6]);
  }
});

test('the backend cannot change inside a scope', async () => {
  const reference = backendSync('reference');
  const refused = await scope(() => ({ attempt: setBackend(reference).catch((error: unknown) => error) }))
    .attempt;
  assert.deepEqual(
    refused,
    new UnrollError(
      'backend',
      'The backend cannot change inside a scope. Call setBackend() before or after the scope.',
    ),
  );
});

test('temporary blocks can be allocated only inside a scope', () => {
  assert.throws(
    () => tensorOf({ shape: [1], values: new Float64Array(1) }).block(),
    new UnrollError('scope', 'Temporary memory needs a scope: run this code inside scope(...).'),
  );
});
