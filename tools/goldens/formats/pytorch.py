"""State dicts and checkpoints written by PyTorch, with inputs and outputs of the models.

    pip install -r tools/goldens/formats/requirements-pytorch.txt
    python tools/goldens/formats/pytorch.py                    writes packages/testkit/goldens/formats/pytorch
    python tools/goldens/formats/pytorch.py --matrix FOLDER    writes more cases to FOLDER: all pairs of PAIRS, at least eight times each
    python tools/goldens/formats/pytorch.py --check FOLDER     runs the models that Unroll exported to FOLDER

Each case is a file and an entry of cases.json: the input x, the output y, and the map, a description of what the state dict
does not contain, such as the order of the modules. Every pair of options occurs in the committed cases: cell, layers,
directions, bias, projection, data type, container, sizes, and the modules before and after. Outputs are computed in float64
from the weights after rounding to their data type. Tolerance of the outputs: 1e-5 max(1, |y|).
"""

import argparse
import base64
import collections
import itertools
import json
import random
from pathlib import Path

import numpy as np
import torch
from covering import covering_rows, summary
from safetensors.torch import load_file, save_file
from torch import nn

torch.set_num_threads(1)
OUT = Path(__file__).resolve().parents[3] / "packages" / "testkit" / "goldens" / "formats" / "pytorch"

OPTIONS = {
    "cell": ["rnn-tanh", "rnn-relu", "lstm", "gru"],
    "layers": [1, 2, 3],
    "bidirectional": [False, True],
    "bias": [True, False],
    "projection": [0, 2],
    "dtype": ["float32", "float64", "float16", "bfloat16"],
    "container": ["zip", "legacy", "safetensors", "checkpoint", "pickle4"],
    "size": [(1, 1), (3, 4), (7, 5), (4, 9)],
    "before": ["none", "embedding", "conv", "linear", "batchnorm"],
    "after": ["none", "linear", "layernorm", "batchnorm", "final"],
}


# Number of pairs of values in PAIRS that `valid` forbids: a projection with each of the three cells that are not LSTMs, and a
# projection with the size (1, 1), whose cell has only one unit.
IMPOSSIBLE = 4


def valid(case):
    if case["projection"] and (case["cell"] != "lstm" or case["size"][1] < 3):
        return False
    return True


class Net(nn.Module):
    """Applies the modules in order. Recurrent modules return their sequence or, with `final`, the last output of each direction."""

    def __init__(self, modules, final, relu_after=()):
        super().__init__()
        self.order = list(modules)
        self.final = final
        self.relu_after = relu_after
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, x):
        for name in self.order:
            module = getattr(self, name)
            if isinstance(module, nn.RNNBase):
                y, h = module(x)
                h = h[0] if isinstance(h, tuple) else h
                directions = 2 if module.bidirectional else 1
                x = torch.cat([h[d - directions] for d in range(directions)], -1) if self.final else y
            elif isinstance(module, (nn.Conv1d, nn.BatchNorm1d)) and x.dim() == 3:
                x = module(x.transpose(1, 2)).transpose(1, 2)
            else:
                x = module(x)
            if name in self.relu_after:
                x = torch.relu(x)
        return x


def net_of(case):
    inputs, units = case["size"]
    cell, kind = case["cell"], case["cell"].split("-")[0]
    modules = {}
    width = inputs
    if case["before"] == "embedding":
        modules["embedding"] = nn.Embedding(11, inputs)
    if case["before"] == "conv":
        width = 3
        modules["conv"] = nn.Conv1d(inputs, width, 2, bias=case["bias"])
    if case["before"] == "linear":
        width = 4
        modules["project"] = nn.Linear(inputs, width)
    if case["before"] == "batchnorm":
        modules["norm0"] = nn.BatchNorm1d(inputs)
    options = {"num_layers": case["layers"], "bidirectional": case["bidirectional"], "bias": case["bias"]}
    if kind == "rnn":
        options["nonlinearity"] = cell.split("-")[1]
    if case["projection"]:
        options["proj_size"] = case["projection"]
    modules["encoder"] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[kind](
        width, units, batch_first=True, **options
    )
    width = (case["projection"] or units) * (2 if case["bidirectional"] else 1)
    if case["after"] == "layernorm":
        modules["norm1"] = nn.LayerNorm(width)
    if case["after"] == "batchnorm":
        modules["norm1"] = nn.BatchNorm1d(width)
    if case["after"] != "none":
        modules["head"] = nn.Linear(width, 2, bias=case["bias"] or width == 2)
    net = Net(modules, case["after"] == "final")
    randomise(net)
    return net


def randomise(net):
    for name, tensor in net.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2)
        elif tensor.is_floating_point():
            # Larger weights make the states of wide networks chaotic, so that float32 has no correct digits.
            width = tensor.shape[-1] if tensor.dim() > 1 else 1
            tensor.normal_(0, 0.5 * min(1, 2 / width**0.5))


def map_of(net, case):
    """Returns the map: what the state dict does not contain. None if the defaults are correct."""
    # Tensors of a safetensors file are sorted by name, so the file does not contain the order of the modules. The importer can
    # infer the order of two modules if only one of them can take the output of the other.
    unordered = case["container"] == "safetensors" and len(net.order) > (2 if case["before"] != "conv" else 1)
    if case["cell"] != "rnn-relu" and case["after"] != "final" and not unordered:
        return None
    layers = []
    for name in net.order:
        entry = {"module": name}
        if name == "encoder":
            entry["output"] = "final" if net.final else "sequence"
            if case["cell"] == "rnn-relu":
                entry["nonlinearity"] = "relu"
        if name == "head" and net.head.bias is None:
            entry["type"] = "Linear"
        if name == "embedding":
            entry["type"] = "Embedding"
        layers.append(entry)
    return {"layers": layers}


def encode(array):
    shape = list(array.shape)  # before ascontiguousarray, which adds an axis to scalars
    array = np.ascontiguousarray(array, dtype=np.float64 if array.dtype != np.int64 else np.int64)
    return {
        "shape": shape,
        "values": base64.b64encode(array.astype("<f8").tobytes()).decode(),
    }


def save(folder, name, net, case):
    net.to(getattr(torch, case["dtype"]))
    state = net.state_dict()
    container = case["container"]
    file = f"{name}.{'safetensors' if container == 'safetensors' else 'pt'}"
    path = folder / file
    if container == "safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    elif container == "legacy":
        torch.save(state, path, _use_new_zipfile_serialization=False)
    elif container == "checkpoint":
        torch.save({"epoch": 3, "model_state_dict": state, "loss": 0.25, "names": ("a", None, True)}, path)
    elif container == "pickle4":
        torch.save(state, path, pickle_protocol=4)
    else:
        torch.save(collections.OrderedDict(("module." + key, value) for key, value in state.items()), path)
    return file


def write(folder, name, case, seed):
    torch.manual_seed(seed)
    net = net_of(case)
    file = save(folder, name, net, case)
    net.double().eval()
    steps = 6
    first = net.order[0]
    if first == "embedding":
        x = torch.randint(0, 11, (2, steps))
    else:
        x = torch.randn(2, steps, case["size"][0], dtype=torch.float64).float().double()
    with torch.no_grad():
        y = net(x)
    return {
        "file": file,
        "options": case,
        "map": map_of(net, case),
        "x": encode(x.numpy()),
        "y": encode(y.numpy()),
    }


def pairwise():
    """Returns cases, chosen greedily, in which every pair of options occurs."""
    keys = list(OPTIONS)
    generator = random.Random(7)
    open_pairs = {
        (a, i, b, j)
        for a, b in itertools.combinations(keys, 2)
        for i in range(len(OPTIONS[a]))
        for j in range(len(OPTIONS[b]))
    }

    def pairs(choice):
        return {(a, choice[a], b, choice[b]) for a, b in itertools.combinations(keys, 2)}

    def decode(choice):
        return {key: OPTIONS[key][choice[key]] for key in keys}

    while open_pairs:
        best, gain = None, -1
        target = next(iter(sorted(open_pairs)))
        for _ in range(300):
            choice = {key: generator.randrange(len(OPTIONS[key])) for key in keys}
            choice[target[0]], choice[target[2]] = target[1], target[3]
            if not valid(decode(choice)):
                continue
            value = len(pairs(choice) & open_pairs)
            if value > gain:
                best, gain = choice, value
        if best is None:
            open_pairs.discard(target)  # the pair is not possible
            continue
        open_pairs -= pairs(best)
        yield decode(best)


# The options of `--matrix`, with more sizes than the committed cases have. Every pair occurs at least eight times.
PAIRS = {**OPTIONS, "size": [(1, 1), (3, 4), (7, 5), (4, 9), (2, 39), (19, 17), (1, 24), (13, 3)]}


def matrix():
    rows = covering_rows(PAIRS, valid, impossible=IMPOSSIBLE, times=8)
    print(summary(PAIRS, rows))
    return rows


OPTIMIZERS = {
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "adam-decay": lambda p: torch.optim.Adam(p, lr=0.01, betas=(0.8, 0.95), eps=1e-6, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05),
    "sgd-momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "sgd-nesterov": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
    "rmsprop-all": lambda p: torch.optim.RMSprop(p, lr=0.01, momentum=0.5, centered=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=0.05),
}


def training(folder):
    """Writes checkpoints after three updates. Records the losses before each of five further updates and after the last one.

    Unroll has only the sum of the two biases of an LSTM, but PyTorch updates both. Therefore bias_hh of the LSTM is frozen. Weight decay
    would also apply to both biases, so optimizers with weight decay train a GRU.
    """
    cases = {}
    for seed, (name, optimizer_of) in enumerate(OPTIMIZERS.items()):
        torch.manual_seed(seed)
        optimizer = optimizer_of([nn.Parameter(torch.zeros(1))])
        lstm = seed % 2 and not optimizer.param_groups[0]["weight_decay"]
        cell = (nn.LSTM if lstm else nn.GRU)(3, 4, batch_first=True)
        net = Net({"cell": cell, "norm": nn.LayerNorm(4), "head": nn.Linear(4, 2)}, False)
        randomise(net)
        if lstm:
            cell.bias_hh_l0.requires_grad_(False)
        optimizer = optimizer_of(net.parameters())
        x, y = torch.randn(4, 5, 3), torch.randn(4, 5, 2)
        losses = []

        def update():
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(net(x), y)
            losses.append(loss.item())
            loss.backward()
            optimizer.step()

        for _ in range(3):
            update()
        torch.save({"model": net.state_dict(), "optimizer": optimizer.state_dict()}, folder / f"train-{name}.pt")
        losses.clear()
        for _ in range(6):
            update()
        cases[name] = {"file": f"train-{name}.pt", "x": encode(x.numpy()), "y": encode(y.numpy()), "losses": losses}
    return cases


def other_files(folder):
    """Writes files that the importer refuses, files with tied weights or NumPy numbers, and NumPy arrays."""
    torch.manual_seed(1)
    torch.save(nn.GRU(2, 2), folder / "refused-module.pt")
    torch.jit.script(nn.Linear(2, 2)).save(str(folder / "refused-script.pt"))
    torch.save({"model": nn.Linear(2, 2).state_dict(), "args": argparse.Namespace(lr=0.1)}, folder / "refused-args.pt")
    tied = Net({"embedding": nn.Embedding(5, 3), "rnn": nn.RNN(3, 3, batch_first=True), "head": nn.Linear(3, 5)}, False)
    tied.head.weight = tied.embedding.weight
    state = {"epoch": np.int64(3), "loss": np.float64(0.5), "state_dict": tied.state_dict()}
    torch.save(state, folder / "tied.pt")
    # A view with an offset, a transposed matrix, and memory shared by two tensors
    base = torch.randn(40)
    views = {
        "lstm.weight_ih_l0": base[3:27].view(3, 8).t(),
        "lstm.weight_hh_l0": base[8:24].view(8, 2),
        "lstm.bias_ih_l0": base[::5][:8],
        "lstm.bias_hh_l0": base[1::2][:8],
    }
    torch.save(views, folder / "views.pt")
    numbers = {key: encode(value.contiguous().numpy()) for key, value in views.items()}
    generator = np.random.default_rng(5)
    values = generator.integers(0, 100, (2, 3, 4))
    arrays = {}
    for kind in ["b1", "i1", "u1", "<i2", ">i2", "<u2", "<i4", "<u4", "<i8", ">i8", "<u8", "<f2", "<f4", ">f4", "<f8", ">f8"]:
        arrays[kind.replace("<", "").replace(">", "big_")] = values.astype(kind)
    arrays["fortran"] = np.asfortranarray(values.astype("<f4"))
    arrays["scalar"] = np.float64(7)
    arrays["vector"] = np.arange(5, dtype="<f4")
    arrays["empty"] = np.zeros((0, 3), dtype="<f4")
    np.savez(folder / "arrays.npz", **arrays)
    np.savez_compressed(folder / "compressed.npz", zeros=np.zeros((100, 100), dtype="<f4"), x=np.arange(10.0))
    np.savez(folder / "objects.npz", objects=np.array([{}, []], dtype=object))
    np.save(folder / "single.npy", np.arange(6, dtype="<f8").reshape(2, 3))
    return {"views": numbers, "arrays": {key: encode(np.asarray(value)) for key, value in arrays.items()}}


def write_all(folder, cases, train=False):
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    for seed, case in enumerate(cases):
        name = f"case{seed:03d}"
        written[name] = write(folder, name, case, seed)
    trained = training(folder) if train else {}
    others = other_files(folder) if train else {}
    head = {"torch": torch.__version__, "numpy": np.__version__}
    (folder / "cases.json").write_text(json.dumps({"versions": head, "cases": written, "training": trained, "others": others}, separators=(",", ":")) + "\n")
    print(f"{len(written)} cases, {sum(path.stat().st_size for path in folder.iterdir()) / 1000:.0f} kB")


def check(folder):
    """Loads the exported weights into the exported modules, and compares the outputs. export-pytorch.mjs writes the files."""
    worst, count = 0.0, 0
    for path in sorted(folder.glob("*.npz")):
        stem = path.with_suffix("")
        scope = {}
        exec(compile(stem.with_suffix(".py").read_text(), f"{stem}.py", "exec"), scope)  # a module that Unroll wrote
        model = scope["Model"]()
        weights = stem.with_suffix(".pt")
        if weights.exists():
            state = torch.load(weights, weights_only=True)
        else:
            state = load_file(stem.with_suffix(".safetensors"))
        model.load_state_dict(state, strict=True)
        model.double().eval()
        arrays = np.load(path)
        names = sorted(name for name in arrays.files if name.startswith("x"))
        inputs = [torch.tensor(arrays[name]) for name in names]
        inputs = [x.long() if x.dim() == 2 and "Embedding" in stem.with_suffix(".py").read_text() else x for x in inputs]
        with torch.no_grad():
            y = model(*inputs)
        expected = arrays["y"]
        assert tuple(y.shape) == expected.shape, (path, y.shape, expected.shape)
        error = float(np.max(np.abs(y.numpy() - expected) / np.maximum(1, np.abs(expected))))
        if error > 1e-5:
            print(path.name, error)
        worst, count = max(worst, error), count + 1
    print(f"{count} models, largest error {worst:.1e}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--matrix")
    parser.add_argument("--check")
    arguments = parser.parse_args()
    if arguments.check:
        check(Path(arguments.check))
    elif arguments.matrix:
        write_all(Path(arguments.matrix), matrix())
    else:
        write_all(OUT, pairwise(), train=True)


if __name__ == "__main__":
    main()
