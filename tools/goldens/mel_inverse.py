"""Golden value for the inversion of mel energies: the residual of the spectrum that librosa estimates.

    pip install -r tools/goldens/requirements-audio.txt
    python tools/goldens/mel_inverse.py

The script writes packages/testkit/goldens/audio/mel-inverse.json: the mel energies [frames, mels] of a chirp with noise, the
options of Unroll, and the relative residual ||A x - y|| / ||y|| of librosa's `mel_to_stft` (non-negative least squares).
Unroll minimises the same error with another algorithm, so the test compares the residuals: Unroll's may be at most 0.01
larger.
"""

import base64
import json
import platform
from importlib.metadata import version
from pathlib import Path

import librosa
import numpy as np

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "audio" / "mel-inverse.json"
OPTIONS = {"sampleRate": 8000, "mels": 40, "windowLength": 400, "hopLength": 100, "fftSize": 512}


def tensor(values):
    values = np.asarray(values, dtype="<f4")
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


def main():
    t = np.arange(2400) / 8000
    noise = np.random.Generator(np.random.PCG64(3)).standard_normal(len(t))
    y = 0.4 * np.sin(2 * np.pi * (200 * t + 3000 * t * t)) + 0.02 * noise
    sizes = dict(sr=8000, n_fft=512)
    mel = librosa.feature.melspectrogram(y=y, **sizes, hop_length=100, win_length=400, n_mels=40, pad_mode="constant")
    spectrum = librosa.feature.inverse.mel_to_stft(mel, **sizes, power=1.0)
    basis = librosa.filters.mel(**sizes, n_mels=40)
    residual = np.linalg.norm(basis @ spectrum - mel) / np.linalg.norm(mel)
    versions = {"librosa": version("librosa"), "numpy": version("numpy"), "python": platform.python_version()}
    OUT.write_text(json.dumps({
        "generator": "tools/goldens/mel_inverse.py", "versions": versions, "options": OPTIONS,
        "energies": tensor(mel.T), "residual": float(residual),
    }) + "\n")  # fmt: skip
    print(residual, versions)


if __name__ == "__main__":
    main()
