"""Golden values of verification: equal error rates from scikit-learn's ROC curve and scipy's root finder.

    pip install -r tools/goldens/requirements-audio.txt
    python tools/goldens/verification.py

The script writes packages/testkit/goldens/audio/verification.json: cases { name, scores, same, rate }.
`same`: whether the two members of each pair are of the same class. The rate is the root x of 1 - x - tpr(x), where x is the
false positive rate, and tpr is linear between the points of `roc_curve`. Tolerance: 1e-9.
"""

import json
import platform
from pathlib import Path

import numpy as np
import scipy
import sklearn
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "audio" / "verification.json"


def rate(scores, same):
    fpr, tpr, _ = roc_curve(same, scores, drop_intermediate=False)
    return brentq(lambda x: 1 - x - interp1d(fpr, tpr)(x), 0, 1, xtol=1e-12)


def main():
    rng = np.random.Generator(np.random.PCG64(7))
    cases = []
    for name, count, share, distance, decimals in (
        ("apart", 40, 0.5, 3, 6), ("overlapping", 200, 0.3, 1, 6), ("reversed", 60, 0.5, -1, 6), ("ties", 150, 0.4, 1, 1),
        ("few of one class", 90, 0.05, 1, 6),
    ):  # fmt: skip
        same = rng.random(count) < share
        same[:2] = [True, False]
        scores = np.round(rng.standard_normal(count) + distance * same, decimals)
        cases.append({"name": name, "scores": scores.tolist(), "same": same.tolist(), "rate": rate(scores, same)})
    versions = {"scikit-learn": sklearn.__version__, "scipy": scipy.__version__, "numpy": np.__version__,
                "python": platform.python_version()}  # fmt: skip
    head = json.dumps({"generator": "tools/goldens/verification.py", "versions": versions})[:-1]
    OUT.write_text(f'{head}, "cases": [\n' + ",\n".join(json.dumps(c) for c in cases) + "\n]}\n")
    print(f"{len(cases)} cases, {versions}")


if __name__ == "__main__":
    main()
