"""Golden test vectors of training: losses, metrics, optimizers and schedules, training runs.

    pip install -r tools/goldens/requirements.txt -r tools/goldens/requirements-training.txt
    python tools/goldens/training.py [losses] [metrics] [optimizers] [lazy] [trajectories] [crf]

`lazy` is an embedding table with sparse gradients; `trajectories` are training runs. The script writes the named files of
packages/testkit/goldens/training/, by default all except ctc.json, which ctc.py writes. The values are from Keras 3 (torch
backend), PyTorch, scikit-learn and pytorch-crf; each case names its source. training.md describes the format and the unexpected
results of Keras.
"""

import sys

import training_crf
import training_lazy
import training_losses
import training_metrics
import training_optimizers
import training_trajectories

FILES = {
    "losses": training_losses.write,
    "metrics": training_metrics.write,
    "optimizers": training_optimizers.write,
    "lazy": training_lazy.write,
    "trajectories": training_trajectories.write,
    "crf": training_crf.write,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FILES:
        FILES[name]()
