"""Checks that the safetensors library reads Unroll's artifacts and checkpoints, and that Unroll reads files of the safetensors library."""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

SCRIPT = pathlib.Path(__file__).parent / "safetensors-files.mjs"


def node(*arguments: str) -> dict:
    done = subprocess.run(["node", SCRIPT, *arguments], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def check_ours(folder: pathlib.Path) -> int:
    weights = node("write", str(folder))["weights"]
    found = load_file(folder / "artifact" / "model.safetensors")
    assert found.keys() == weights.keys(), (sorted(found), sorted(weights))
    float16 = load_file(folder / "float16" / "model.safetensors")
    assert float16.keys() == weights.keys(), sorted(float16)
    checkpoint = load_file(folder / "last.safetensors")
    for name, weight in weights.items():
        expected = np.array(weight["values"], dtype=np.float32).reshape(weight["shape"])
        for own in (found[name], checkpoint[f"weights/{name}"]):
            assert own.dtype == np.float32 and own.shape == expected.shape, name
            assert np.array_equal(own, expected), name
        assert float16[name].dtype == np.float16 and np.array_equal(float16[name], expected.astype(np.float16)), name
        assert not np.array_equal(float16[name].astype(np.float32), expected) or not expected.any(), name
    with safe_open(folder / "last.safetensors", framework="np") as file:
        metadata = file.metadata()
    state = json.loads(metadata["state"])
    assert metadata["format"] == "unroll-checkpoint-1"
    assert state["run"]["cursor"]["epoch"] == 3 and state["history"]["epochs"] == 2
    assert {"optimizer/m", "optimizer/v"} < checkpoint.keys(), sorted(checkpoint)
    return len(weights)


def check_theirs(file: pathlib.Path) -> int:
    random = np.random.default_rng(3)
    types = [np.float64, np.float32, np.float16, np.int64, np.int32, np.int16, np.int8]
    types += [np.uint8, np.uint16, np.uint32, bool]
    tensors = {
        f"{np.dtype(kind).name}/ü {shape}": np.array(random.normal(size=shape) * 50).astype(kind)
        for kind in types
        for shape in ((), (3,), (2, 3), (0, 4), (2, 1, 2))
    }
    tensors["edges"] = np.array([np.nan, np.inf, -np.inf, -0.0, 6e-8, 65504], dtype=np.float16)
    save_file(tensors, file, metadata={"made by": "safetensors", "ü": '"'})
    found = node("read", str(file))
    assert found["metadata"] == {"made by": "safetensors", "ü": '"'}, found["metadata"]
    assert found["tensors"].keys() == tensors.keys()
    for name, expected in tensors.items():
        own = found["tensors"][name]
        values = np.array([float(value) for value in own["values"]]).reshape(expected.shape)
        assert own["shape"] == list(expected.shape), name
        assert np.array_equal(values, expected.astype(np.float64), equal_nan=True), name
    return len(tensors)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        ours = check_ours(folder)
        theirs = check_theirs(folder / "theirs.safetensors")
    print(f"safetensors read {ours} weights of an artifact and a checkpoint; Unroll read {theirs} tensors that safetensors wrote")


if __name__ == "__main__":
    sys.exit(main())
