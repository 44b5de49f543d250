"""Runs PyTorch for the benchmark: `pytorch.py <threads>`. The protocol is in bench/src/protocol.ts.

All computations are in float32 (matrix products never use bfloat16), inference runs without autograd, and Adam is
fused. If PyTorch has several implementations of a call (with oneDNN on or off; in a stream, with a cell such as
nn.LSTMCell or with a module such as nn.LSTM, called for one step), the warm-up tries each of them, and the fastest is
timed.
"""

import base64
import json
import os
import sys
import time

reply = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # output of libraries goes to stderr

import torch  # noqa: E402
from torch import nn  # noqa: E402

THREADS = int(sys.argv[1])
torch.set_num_threads(THREADS)
torch.set_num_interop_threads(1)
torch.set_float32_matmul_precision("highest")

MODULES = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELLS = {"rnn": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def read_tensors(data):
    """Returns the tensors of the data file, in the order of the file."""
    entries = data["entries"]
    total = sum(entry["size"] for entry in entries)
    flat = torch.from_file(data["path"], shared=False, size=total, dtype=torch.float32)
    return [flat[e["offset"] : e["offset"] + e["size"]].reshape(e["shape"]).clone() for e in entries]


def gates(row, tensor):
    """Returns a tensor whose last axis has PyTorch's order of gates: for a GRU, z r n becomes r z n."""
    if row["kind"] != "gru":
        return tensor
    z, r, n = tensor.chunk(3, dim=-1)
    return torch.cat([r, z, n], dim=-1)


def weights_of(row, W, U, b):
    """Returns weight_ih, weight_hh, bias_ih and bias_hh."""
    bias = [b[0], b[1]] if row["kind"] == "gru" else [b, torch.zeros_like(b)]
    return [gates(row, W).t().contiguous(), gates(row, U).t().contiguous(), *(gates(row, v) for v in bias)]


def set_weights(row, parameters, weights):
    triples = [weights[i : i + 3] for i in range(0, len(weights), 3)]
    copy_into(parameters, [value for triple in triples for value in weights_of(row, *triple)])


def copy_into(parameters, values):
    with torch.no_grad():
        for parameter, value in zip(parameters, values, strict=True):
            parameter.copy_(value)


class Classifier(nn.Module):
    """An embedding, a GRU, a dense layer with ReLU, and a dense layer for the logits."""

    def __init__(self, row, weights):
        super().__init__()
        text_model = row["textModel"]
        self.embedding = nn.Embedding(text_model["vocabulary"], row["I"])
        self.cell = MODULES[row["kind"]](row["I"], row["H"])
        self.hidden = nn.Linear(row["H"], text_model["hidden"])
        self.out = nn.Linear(text_model["hidden"], text_model["classes"])
        table, W, U, b, *dense = weights
        dense = [w.t() if w.dim() == 2 else w for w in dense]
        copy_into(self.parameters(), [table, *weights_of(row, W, U, b), *dense])

    def forward(self, text):
        return self.out(torch.relu(self.hidden(self.cell(self.embedding(text))[1][-1])))

    def loss(self, inputs, y):
        return nn.functional.cross_entropy(self(*inputs), y.long())

    def last(self, out):
        return out


class Translator(nn.Module):
    """An encoder, a decoder that starts from the states of the encoder, and a dense layer for the logits of every step."""

    def __init__(self, row, weights):
        super().__init__()
        vocabulary, sizes = row["textModel"]["vocabulary"], (row["I"], row["H"])
        self.source, self.encoder = nn.Embedding(vocabulary, row["I"]), MODULES[row["kind"]](*sizes)
        self.target, self.decoder = nn.Embedding(vocabulary, row["I"]), MODULES[row["kind"]](*sizes)
        self.out = nn.Linear(row["H"], row["textModel"]["classes"])
        halves = [[w[0], *weights_of(row, *w[1:])] for w in (weights[:4], weights[4:8])]
        copy_into(self.parameters(), [*halves[0], *halves[1], weights[8].t(), weights[9]])

    def forward(self, source, target):
        _, state = self.encoder(self.source(source))
        return self.out(self.decoder(self.target(target), state)[0])

    def loss(self, inputs, y):
        return nn.functional.cross_entropy(self(*inputs).flatten(0, 1), y.t().flatten().long())

    def last(self, out):
        return out[-1]


class Layers(nn.Module):
    """Recurrent layers only. Returns their final states."""

    def __init__(self, row, weights):
        super().__init__()
        self.row = row
        self.cells = build(row, weights)

    def forward(self, x):
        return self.cells(x)[1]

    def loss(self, inputs, y):
        return nn.functional.mse_loss(self.last(self(*inputs)), y)

    def last(self, state):
        """Returns the final h of each direction of the last layer, concatenated, as Keras does."""
        h = state[0] if self.row["kind"] == "lstm" else state
        return torch.cat([h[-2], h[-1]], dim=-1) if self.row["layers"][-1]["bidirectional"] else h[-1]


TEXT_MODELS = {"classifier": Classifier, "translator": Translator}


def build(row, weights):
    layers = row["layers"]
    module = MODULES[row["kind"]](
        row["I"], row["H"], num_layers=len(layers), bidirectional=layers[0]["bidirectional"]
    )
    set_weights(row, [p for group in module.all_weights for p in group], weights)
    return module


def encode(tensor):
    """Returns float32 values in base64."""
    values = bytes(tensor.contiguous().view(torch.uint8).flatten().tolist())
    return base64.b64encode(values).decode()


class Task:
    """A row that is ready to run.

    `implementations` maps the name of each implementation of the call to a pair: whether oneDNN is on, and the function.
    """

    def __init__(self, row, mode, data):
        tensors, count = read_tensors(data), data["inputs"]
        weights, self.y = tensors[count + 1 :], tensors[count]
        # PyTorch's kernels need time-major inputs. Token ids are integers.
        inputs = [x.transpose(0, 1).contiguous() for x in tensors[:count]]
        self.inputs = [x.long() for x in inputs] if row.get("textModel") else inputs
        self.row, self.mode = row, mode
        if mode == "stream":
            self.prepare_stream(weights)
        else:
            self.module = TEXT_MODELS[row["cell"]](row, weights) if row.get("textModel") else Layers(row, weights)
            self.module.train(mode == "train")
            if mode == "train":
                self.prepare_training()
            work = self.step if mode == "train" else self.infer
            self.implementations = {None: (True, work), "oneDNN off": (False, work)}

    def infer(self):
        return self.module(*self.inputs)

    def prepare_training(self):
        if self.row["kind"] != "gru":
            # Like the other engines, train one bias. PyTorch's second bias stays zero.
            for name, parameter in self.module.named_parameters():
                if "bias_hh" in name:
                    parameter.requires_grad_(False)
        trained = [p for p in self.module.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(trained, lr=1e-3, eps=1e-12, fused=True)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.module.loss(self.inputs, self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def prepare_stream(self, weights):
        row = self.row
        module = build(row, weights).eval()
        cell = CELLS[row["kind"]](row["I"], row["H"]).eval()
        set_weights(row, [cell.weight_ih, cell.weight_hh, cell.bias_ih, cell.bias_hh], weights)
        steps = [step.contiguous() for step in self.inputs[0]]  # [1, I] each
        sequences = [step.unsqueeze(0) for step in steps]
        zero = torch.zeros(1, row["H"])
        lstm = row["kind"] == "lstm"

        def stream(call, inputs, state):
            index = 0

            def work():
                nonlocal index, state
                state = call(inputs[index], state)
                index = (index + 1) % len(inputs)
                return state

            return work

        module_zero = zero.unsqueeze(0)
        initial = ((zero, zero), (module_zero, module_zero)) if lstm else (zero, module_zero)
        as_cell = stream(cell, steps, initial[0])
        as_module = stream(lambda x, s: module(x, s)[1], sequences, initial[1])
        self.implementations = {
            "cell": (True, as_cell),
            "module of one step": (True, as_module),
            "module of one step, oneDNN off": (False, as_module),
        }
        self.outputs_of_stream = lambda: [as_cell() for _ in steps][-1]

    def results(self):
        if self.mode == "train":
            return {"losses": [self.step().item() for _ in range(3)]}
        with torch.inference_mode():
            if self.mode == "infer":
                out = self.module.last(self.infer())
            else:
                state = self.outputs_of_stream()
                out = state[0] if self.row["kind"] == "lstm" else state
        return {"outputs": encode(out)}


def timed(work, seconds):
    """Calls `work` for some seconds, at least once. Returns milliseconds per call."""
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() - start < seconds:
        work()
        calls += 1
    return (time.perf_counter() - start) / calls * 1e3


class Server:
    def __init__(self):
        self.task = None
        self.selected = (True, None)

    def hello(self, _request):
        if torch.get_num_threads() != THREADS:
            raise RuntimeError(f"the number of threads must be {THREADS}, got {torch.get_num_threads()}")
        onednn = "with oneDNN" if torch.backends.mkldnn.is_available() else "without oneDNN"
        return {"version": f"torch {torch.__version__}", "description": f"CPU, float32, {onednn}"}

    def load(self, request):
        if request.get("variant", "standard") != "standard":
            return {"unavailable": "does not support this cell"}
        self.task = Task(request["row"], request["mode"], request["data"])
        return {"variant": "standard", **self.task.results()}

    def warm(self, request):
        seconds = request["milliseconds"] / 1e3 / len(self.task.implementations) / 2
        best = {"milliseconds": float("inf")}
        for note, (onednn, work) in self.task.implementations.items():
            torch.backends.mkldnn.set_flags(onednn)
            timed(work, seconds)
            milliseconds = timed(work, seconds)
            if milliseconds < best["milliseconds"]:
                best = {"milliseconds": milliseconds, **({"note": note} if note else {})}
                self.selected = (onednn, work)
        torch.backends.mkldnn.set_flags(True)
        return best

    def round(self, request):
        (onednn, work), calls = self.selected, request["calls"]
        torch.backends.mkldnn.set_flags(onednn)
        if calls > 1:
            work()
        start = time.perf_counter()
        for _ in range(calls):
            work()
        milliseconds = (time.perf_counter() - start) / calls * 1e3
        torch.backends.mkldnn.set_flags(True)
        return {"milliseconds": milliseconds}

    def drop(self, _request):
        self.task, self.selected = None, (True, None)
        return {}


def main(server):
    for line in sys.stdin:
        request = json.loads(line)
        try:
            training = server.task is not None and server.task.mode in ("train", "gradient")
            inference = request["do"] in ("warm", "round") and not training
            with torch.inference_mode(inference):
                answer = {"id": request["id"], "ok": getattr(server, request["do"])(request)}
        except Exception as error:  # noqa: BLE001 - the coordinator shows it in the table
            answer = {"id": request["id"], "error": f"{type(error).__name__}: {error}"}
        reply.write(json.dumps(answer) + "\n")
        reply.flush()


if __name__ == "__main__":
    main(Server())
