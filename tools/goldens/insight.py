"""Principal components, spectral radii and quantiles, computed by NumPy for packages/insight/test/numpy.test.ts.

    python tools/goldens/insight.py

Everything is computed in float64. The sign of a component is arbitrary: it is chosen so that the entry of largest magnitude is
positive. Tolerance of the tests: 1e-9 (components), 1e-8 (points), 1e-5 * max(1, radius) (spectral radius, which Unroll
estimates from the norm of the matrix raised to the power of 2^20). No test reads the quantiles.
"""
import json
import pathlib

import numpy as np

OUT = pathlib.Path(__file__).parents[2] / "packages/testkit/goldens/insight/numpy.json"
rng = np.random.default_rng(20)


def rounded(array):
    return [float(f"{value:.15g}") for value in np.asarray(array, dtype=np.float64).ravel()]


def pca(rows, width, components):
    states = rng.normal(size=(rows, width)) @ np.diag(np.linspace(2, 0.3, width)) @ rng.normal(size=(width, width)) + 1
    states = np.round(states, 6)
    mean = states.mean(axis=0)
    _, s, vectors = np.linalg.svd(states - mean, full_matrices=False)
    largest = np.abs(vectors).argmax(axis=1)
    vectors *= np.sign(vectors[np.arange(len(vectors)), largest])[:, None]
    return {
        "shape": [rows, width],
        "states": rounded(states),
        "components": rounded(vectors[:components]),
        "points": rounded((states - mean) @ vectors[:components].T),
        "explained": rounded((s**2 / (s**2).sum())[:components]),
    }


def radius(matrix):
    matrix = np.round(matrix, 6)
    return {"n": len(matrix), "matrix": rounded(matrix), "radius": float(np.abs(np.linalg.eigvals(matrix)).max())}


values = np.round(rng.normal(size=7), 6)
levels = [0, 0.1, 0.5, 0.77, 1]
rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
golden = {
    "versions": {"numpy": np.__version__},
    "pca": [pca(12, 3, 2), pca(40, 20, 3), pca(5, 9, 2)],
    "radii": [
        radius(rng.normal(size=(4, 4))),
        radius(rng.normal(size=(16, 16)) / 4),
        radius(0.7 * rotation),
        radius(np.triu(rng.normal(size=(5, 5)))),
        radius(np.triu(rng.normal(size=(5, 5)), 1)),
        radius(-rng.uniform(size=(6, 6))),
    ],
    "quantiles": {"values": rounded(values), "levels": levels, "results": rounded(np.quantile(values, levels))},
}
OUT.parent.mkdir(parents=True, exist_ok=True)
OUT.write_text(json.dumps(golden) + "\n")
print(f"{OUT}: {OUT.stat().st_size} bytes, numpy {np.__version__}")
