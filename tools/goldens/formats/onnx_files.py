"""Golden files for the ONNX importer: models that PyTorch exports, and the node cases of the ONNX project.

    pip install -r tools/goldens/formats/requirements-onnx.txt
    python tools/goldens/formats/onnx_files.py

The script writes packages/testkit/goldens/formats/onnx: `<case>.onnx`, and `cases.json` with the inputs and PyTorch's
outputs, whose axes have the same order as in the `.onnx` file. Both exporters of PyTorch are used: the `torch.export`-based
one (dynamo) and TorchScript. A few cases have `training`: the outputs after five steps of SGD (learning rate 0.1, the mean of
the squared outputs as the loss), computed by PyTorch. In this training, the second bias of an LSTM (bias_hh) is frozen,
because Unroll has only the sum of the two biases. `nodes.json` has the cases of RNN, LSTM and GRU nodes from the package
onnx: their weights are initializers. Tolerance: 1e-5 max(1, |y|), after training 1e-4.

    python tools/goldens/formats/onnx_files.py --matrix FOLDER

This command writes files of recurrent layers, in which all pairs of options occur, into a folder.

    node tools/verify/onnx-files.mjs FOLDER --operators
    python tools/goldens/formats/onnx_files.py --cases FOLDER

These commands write the list of operators that Unroll reads and, for these operators, the node cases of the ONNX project.
`node tools/verify/onnx-files.mjs FOLDER` runs the files of either folder in Unroll and compares the outputs.
"""

import base64
import io
import json
import platform
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from covering import covering_rows, missing_pairs, summary
from onnx import numpy_helper
from torch import nn

OUT = Path(__file__).resolve().parents[3] / "packages" / "testkit" / "goldens" / "formats" / "onnx"
warnings.filterwarnings("ignore")
torch.set_num_threads(1)


def pack(array):
    array = np.asarray(array)
    data = np.ascontiguousarray(array.astype("<f4"))
    return {"shape": list(array.shape), "data": base64.b64encode(data.tobytes()).decode()}


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(11, 4)
        self.lstm = nn.LSTM(4, 5, batch_first=True)
        self.head = nn.Linear(5, 3)

    def forward(self, ids):
        y, _ = self.lstm(self.embedding(ids))
        return self.head(y[:, -1])


class Stacked(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4, num_layers=2, bidirectional=True, dropout=0.1)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        y, h = self.gru(x)
        return torch.softmax(self.head(torch.relu(y)), -1), h


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, num_layers=2, batch_first=True)
        self.norm = nn.LayerNorm(4)

    def forward(self, x, h, c):
        y, (h, c) = self.lstm(x, (h, c))
        return self.norm(y), h, c


class Means(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(3, 4, nonlinearity="relu", batch_first=True)
        self.drop = nn.Dropout(0.3)
        self.head = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        y, _ = self.rnn(x)
        return torch.sigmoid(self.head(self.drop(y).mean(1))), y.amax(1)


class Convolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm1d(4)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)
        self.deep = nn.Conv1d(4, 4, 2, dilation=2, groups=2)
        self.lstm = nn.LSTM(4, 3, batch_first=True)

    def forward(self, x):
        y = torch.relu(self.norm(self.conv(x.transpose(1, 2))))
        y = nn.functional.max_pool1d(nn.functional.pad(y, (1, 0)), 2)
        y, _ = self.lstm(self.deep(y).transpose(1, 2))
        return torch.log_softmax(y, -1)


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.source = nn.Embedding(9, 3)
        self.target = nn.Embedding(8, 3)
        self.encoder = nn.LSTM(3, 4, batch_first=True)
        self.decoder = nn.LSTM(3, 4, batch_first=True)
        self.head = nn.Linear(8, 8)

    def forward(self, source, target):
        memory, state = self.encoder(self.source(source))
        y, _ = self.decoder(self.target(target), state)
        scores = torch.softmax(y @ memory.transpose(1, 2) / 2.0, -1)
        return self.head(torch.cat([y, scores @ memory], -1))


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(3, 4, batch_first=True, bidirectional=True)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True)
        y, h = self.gru(packed)
        y, _ = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)
        return y, torch.cat([h[0], h[1]], -1)


class Heads(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.step = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 4))

    def forward(self, x):
        y, _ = self.lstm(x)
        z, _ = self.attention(y, y, y, need_weights=False)
        y = nn.functional.layer_norm(y + z, (4,))
        return y + self.step(y.reshape(-1, 4)).reshape(y.shape)


class Mixed(nn.Module):
    def __init__(self):
        super().__init__()
        self.initial = nn.Parameter(torch.randn(2, 1, 4))
        self.gru = nn.GRU(3, 4, num_layers=2, batch_first=True)
        self.scale = nn.Parameter(torch.randn(4))
        self.head = nn.Linear(4, 6)

    def forward(self, x):
        y, h = self.gru(x, self.initial.expand(-1, x.shape[0], -1).contiguous())
        a, b = self.head(y * self.scale).chunk(2, -1)
        gated = a * torch.sigmoid(b)
        kept = torch.where(gated > 0, gated, 0.1 * gated.clamp(-1, 1))
        return torch.cat([kept[:, 1:], kept[:, :1] - 1], 1), h.transpose(0, 1).flatten(1)


class Wide(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(3, 4, batch_first=True, bidirectional=True)
        self.head = nn.Linear(8, 2)

    def forward(self, x):
        _, (h, c) = self.lstm(x)
        return self.head(torch.cat([h[-2], h[-1]], 1)) + torch.exp(-c.abs()).sum(0)[:, :2].pow(2).sqrt()


def draw(*shape):
    return torch.randn(*shape)


def ids(high, *shape):
    return torch.randint(0, high, shape)


# name: (model, inputs, dynamic axes of each input). The exporter finds the output axes.
def cases():
    time = {0: "batch", 1: "steps"}
    return {
        "classifier": (Classifier(), (ids(11, 2, 6),), [time]),
        "stacked": (Stacked(), (draw(5, 2, 3),), [{0: "steps", 1: "batch"}]),
        "stateful": (Stateful(), (draw(2, 5, 3), draw(2, 2, 4), draw(2, 2, 4)), [time, {1: "batch"}, {1: "batch"}]),
        "means": (Means(), (draw(2, 5, 3),), [time]),
        "convolutions": (Convolutions(), (draw(2, 9, 3),), [{0: "batch"}]),
        "translator": (Translator(), (ids(9, 2, 5), ids(8, 2, 4)), [time, {0: "batch", 1: "target_steps"}]),
        "packed": (Packed(), (draw(3, 6, 3), torch.tensor([6, 4, 1])), [time, {0: "batch"}]),
        "heads": (Heads(), (draw(2, 5, 3),), [{0: "batch"}]),
        "mixed": (Mixed(), (draw(2, 5, 3),), [time]),
        "wide": (Wide(), (draw(2, 5, 3),), [{}]),
    }


# Further operator set versions for which the TorchScript exporter exports a case.
OPSETS = {"classifier": [7, 9, 11, 12], "stacked": [7, 13], "stateful": [7, 10], "convolutions": [8, 16], "mixed": [14, 18]}
# The torch.export-based exporter cannot export these models.
SCRIPT_ONLY = ["packed"]
TRAINED = ["classifier", "means", "stacked"]


def export(model, inputs, axes, dynamo, opset=None):
    names = [f"input_{i}" for i in range(len(inputs))]
    buffer = io.BytesIO()
    options = {"input_names": names, **({"opset_version": opset} if opset else {})}
    if dynamo:
        shapes = tuple({d: torch.export.Dim.DYNAMIC for d in own} or None for own in axes)
        program = torch.onnx.export(model, inputs, dynamo=True, dynamic_shapes=shapes, verbose=False, **options)
        buffer.write(program.model_proto.SerializeToString())
    else:
        torch.onnx.export(model, inputs, buffer, dynamo=False, dynamic_axes=dict(zip(names, axes)), **options)
    proto = onnx.load_from_string(buffer.getvalue())
    # Removes stack traces and source lines, which are the largest part of a small file.
    for node in proto.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*proto.graph.input, *proto.graph.output, *proto.graph.value_info, *proto.graph.initializer]:
        del value.metadata_props[:]
    del proto.graph.metadata_props[:], proto.graph.value_info[:], proto.metadata_props[:]
    return proto


def run(proto, inputs):
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    feeds = {node.name: np.asarray(value) for node, value in zip(session.get_inputs(), inputs)}
    return session.run(None, feeds)


def train(model, inputs):
    for name, parameter in model.named_parameters():
        if "bias_hh" in name and not isinstance(model, Stacked):
            parameter.requires_grad = False
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model.eval()
    for _ in range(5):
        optimizer.zero_grad()
        outputs = model(*inputs)
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        first.square().mean().backward()
        optimizer.step()
    with torch.no_grad():
        outputs = model(*inputs)
    return (outputs[0] if isinstance(outputs, tuple) else outputs).numpy()


def torch_goldens():
    entries = []
    for name, (model, inputs, axes) in cases().items():
        model.eval()
        variants = [(f"{name}-script", False, None)]
        if name not in SCRIPT_ONLY:
            variants.append((f"{name}-dynamo", True, None))
        variants += [(f"{name}-opset{opset}", False, opset) for opset in OPSETS.get(name, [])]
        arrays = [value.numpy() for value in inputs]
        with torch.no_grad():
            outputs = model(*inputs)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        entry = {"inputs": [pack(array) for array in arrays], "outputs": [pack(y.numpy()) for y in outputs], "files": []}
        for file, dynamo, opset in variants:
            try:
                proto = export(model, inputs, axes, dynamo, opset)
            except Exception as error:
                print(f"{file}: {type(error).__name__} {str(error).strip().splitlines()[-1][:200]}")
                continue
            (OUT / f"{file}.onnx").write_bytes(proto.SerializeToString())
            entry["files"].append(file)
        if name in TRAINED:
            entry["training"] = pack(train(model, inputs))
        entries.append({"name": name, **entry})
    return entries


# The inputs of recurrent nodes that remain inputs of the model. The others become initializers.
RECURRENT_INPUTS = {"LSTM": ["X", "sequence_lens", "initial_h", "initial_c"], "GRU": ["X", "sequence_lens", "initial_h"]}
RECURRENT_INPUTS["RNN"] = RECURRENT_INPUTS["GRU"]
# For these operators, only the first input is an input of the model. The others become initializers.
FIRST = "BatchNormalization CastLike Clip Conv Dropout Expand Gather Gemm LayerNormalization Pad PRelu Reshape Slice Split Squeeze"
FIRST = FIRST.split() + "Tile Unsqueeze".split()


# The data types of tensors that Unroll reads.
NUMBERS = "FLOAT FLOAT16 BFLOAT16 DOUBLE INT8 INT16 INT32 INT64 UINT8 UINT16 UINT32 UINT64 BOOL".split()


def node_case(case):
    """Returns (model, inputs, outputs) of a node; the model has the node's weights as initializers.

    Returns None if a value is not an array, or if the model has no input.
    """

    def array(value):
        known = isinstance(value, onnx.TensorProto) and onnx.TensorProto.DataType.Name(value.data_type) in NUMBERS
        return numpy_helper.to_array(value) if known else value

    inputs, outputs = ([array(value) for value in values] for values in case.data_sets[0])
    if not all(isinstance(value, np.ndarray) or np.isscalar(value) for value in [*inputs, *outputs]):
        return None
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    (node,) = model.graph.node
    formal = [parameter.name for parameter in onnx.defs.get_schema(node.op_type, case.model.opset_import[0].version).inputs]
    del model.graph.input[:]
    arrays = []
    for info, value in zip(case.model.graph.input, inputs):
        if info.name not in node.input:
            continue  # an input of an ONNX function that its expansion, this node, does not use
        value = np.asarray(value)
        position = list(node.input).index(info.name)
        if node.op_type in RECURRENT_INPUTS:
            is_input = formal[position] in RECURRENT_INPUTS[node.op_type]
        elif node.op_type in FIRST or node.op_type.startswith("Reduce"):
            is_input = position == 0
        else:
            is_input = value.ndim > 0
        if is_input:
            model.graph.input.append(info)
            arrays.append(value)
        else:
            model.graph.initializer.append(numpy_helper.from_array(value, info.name))
    if node.op_type == "LayerNormalization":
        del model.graph.output[1:]
        outputs = outputs[:1]
    return (model, arrays, outputs) if arrays else None


def node_cases(operators):
    from onnx.backend.test.case.node import collect_testcases

    for case in collect_testcases(None):
        if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in operators:
            yield case.name, node_case(case)


def node_goldens():
    entries = []
    for name, found in node_cases(["RNN", "LSTM", "GRU"]):
        model, inputs, outputs = found
        entries.append(
            {
                "name": name,
                "model": base64.b64encode(model.SerializeToString()).decode(),
                "inputs": [pack(array) for array in inputs],
                "outputs": [pack(array) for array in outputs],
            }
        )
    return entries


def versions():
    modules = {"torch": torch, "onnx": onnx, "onnxruntime": onnxruntime, "numpy": np}
    return {**{name: module.__version__ for name, module in modules.items()}, "python": platform.python_version()}


def write(path, entries):
    lines = ",\n".join(json.dumps(entry) for entry in entries)
    head = json.dumps({"generator": "tools/goldens/formats/onnx_files.py", "versions": versions()})[:-1]
    path.write_text(f'{head}, "cases": [\n{lines}\n]}}\n')


class Recurrent(nn.Module):
    def __init__(self, kind, hidden_size, layers, bidirectional, batch_first, bias, states, last, input_size):
        super().__init__()
        self.states, self.last, self.batch_first = states, last, batch_first
        options = {"num_layers": layers, "bidirectional": bidirectional, "batch_first": batch_first, "bias": bias}
        self.rnn = {"lstm": nn.LSTM, "gru": nn.GRU}.get(kind, nn.RNN)(
            input_size, hidden_size, **options, **({"nonlinearity": kind} if kind in ("tanh", "relu") else {})
        )

    def forward(self, x, h=None, c=None):
        y, final = self.rnn(x, h if c is None else (h, c))
        y = (y[:, -1] if self.batch_first else y[-1]) if self.last else y
        return (y, *(final if isinstance(final, tuple) else [final])) if self.states else y


# The options of the matrix. Every pair of them occurs at least four times.
PAIRS = {
    "kind": ["lstm", "gru", "tanh", "relu"],
    "hidden_size": [1, 2, 7, 64],
    "layers": [1, 2, 3],
    "bidirectional": [False, True],
    "batch_first": [False, True],
    "bias": [False, True],
    "states": [False, True],
    "last": [False, True],
    "input_size": [1, 3],
    "initial_state": [False, True],
    "dtype": ["float32", "float64", "float16", "bfloat16"],
    "exporter": ["dynamo", "script", "script 7", "script 9", "script 14"],
    "dynamic": [False, True],
    "steps": [1, 4],
}


def possible(row):
    """Returns whether PyTorch can export the row: older operator sets have no bfloat16."""
    return row["dtype"] != "bfloat16" or row["exporter"] in ("dynamo", "script", "script 14")


def save(folder, name, proto, inputs, outputs, tolerance=1e-5):
    (folder / f"{name}.onnx").write_bytes(proto.SerializeToString())
    values = {"inputs": [pack(value) for value in inputs], "outputs": [pack(value) for value in outputs]}
    (folder / f"{name}.json").write_text(json.dumps({**values, "tolerance": tolerance}))


def matrix(folder):
    folder.mkdir(parents=True, exist_ok=True)

    rows = covering_rows(PAIRS, possible, impossible=2, times=4)
    made = []
    for n, whole in enumerate(rows):
        row = dict(whole)
        names = ("exporter", "dynamic", "initial_state", "steps", "dtype")
        exporter, dynamic, initial_state, steps, dtype = (row.pop(name) for name in names)
        dtype = getattr(torch, dtype)
        model = Recurrent(**row).eval().to(dtype)
        x = draw(2, steps, row["input_size"]) if row["batch_first"] else draw(steps, 2, row["input_size"])
        state = draw(row["layers"] * (2 if row["bidirectional"] else 1), 2, row["hidden_size"])
        count = 2 if row["kind"] == "lstm" else 1
        inputs = tuple(value.to(dtype) for value in ((x, *[state * (i + 1) for i in range(count)]) if initial_state else (x,)))
        batch = 0 if row["batch_first"] else 1
        axes = [{batch: "batch"}, {1: "batch"}, {1: "batch"}][: len(inputs)] if dynamic else [{}] * len(inputs)
        opset = int(exporter.split()[1]) if " " in exporter else None
        try:
            proto = export(model, inputs, axes, exporter == "dynamo", opset)
        except Exception as error:
            print(f"recurrent-{n} {whole}: {str(error).strip().splitlines()[-1][:200]}")
            continue
        made.append(whole)
        # The expected outputs are computed in float64, from the same rounded weights and inputs.
        values = [value.double() for value in inputs]
        with torch.no_grad():
            outputs = model.double()(*values)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        save(folder, f"recurrent-{n}", proto, [value.numpy() for value in values], [value.numpy() for value in outputs])
    missing = missing_pairs(PAIRS, made)
    assert len(missing) == 2, missing  # the pairs that `possible` forbids
    print(summary(PAIRS, made))


def backend_cases(folder):
    folder.mkdir(parents=True, exist_ok=True)
    operators = (folder / "operators.txt").read_text().split() if (folder / "operators.txt").exists() else []
    for name, found in node_cases(operators):
        if found is None:
            print(f"{name}: left out, because a value is not an array or the model has no input")
            continue
        model, inputs, outputs = found
        graph = model.graph
        is_16_bit = any("FLOAT16" in onnx.TensorProto.DataType.Name(i.type.tensor_type.elem_type) for i in [*graph.input, *graph.output])
        try:
            save(folder, name, model, inputs, outputs, 1e-2 if is_16_bit else 1e-5)
        except ValueError as error:
            print(f"{name}: {error}")


if __name__ == "__main__":
    torch.manual_seed(0)
    if "--matrix" in sys.argv:
        matrix(Path(sys.argv[sys.argv.index("--matrix") + 1]))
    elif "--cases" in sys.argv:
        backend_cases(Path(sys.argv[sys.argv.index("--cases") + 1]))
    else:
        OUT.mkdir(parents=True, exist_ok=True)
        write(OUT / "nodes.json", node_goldens())
        write(OUT / "cases.json", torch_goldens())
