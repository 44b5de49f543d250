"""Runs PyTorch for `npm run bench:sequences`: `sequences.py <threads>`. The protocol is in bench/src/protocol.ts.

Each row has several forms of the same computation: eager, TorchScript, torch.compile. Before anything is timed, the results
of every form are compared with those of the first. Forms that fail, differ, or take longer than `LIMIT` seconds to compile
are excluded; the warm-up selects the fastest of the others.
"""

import os
import signal

os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")

from pytorch import Server, copy_into, encode, main, read_tensors  # noqa: E402, I001

import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

# The longest time in seconds in which a form may compile and compute its results.
LIMIT = int(os.environ.get("COMPILE_SECONDS", "60"))
TOLERANCE = 1e-4


def compiled(function):
    return torch.compile(function, dynamic=False)


class ModuleForm:
    """A form that runs a module (mode infer or train). `call` computes the outputs from the inputs, `loss` the loss from the
    outputs and y."""

    def __init__(self, mode, module, call, inputs, y, loss):
        self.call, self.inputs, self.y, self.loss = call, inputs, y, loss
        self.work = self.step if mode == "train" else self.infer
        self.mode = mode
        if mode == "train":
            trained = [p for p in module.parameters() if p.requires_grad]
            self.optimizer = torch.optim.Adam(trained, lr=1e-3, eps=1e-12, fused=True)

    def infer(self):
        return self.call(*self.inputs)

    def step(self):
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss(self.call(*self.inputs), self.y)
        loss.backward()
        self.optimizer.step()
        return loss

    def results(self):
        if self.mode == "train":
            return torch.tensor([self.step().item() for _ in range(3)])
        return self.infer()


class GradientForm:
    """A form that computes a loss and its gradients (mode gradient). If the first variable is a transposed input, `layout`
    transposes its gradient back."""

    def __init__(self, loss, variables, layout=lambda gradient: gradient):
        self.loss, self.variables, self.layout = loss, variables, layout

    def work(self):
        for tensor in self.variables:
            tensor.grad = None
        loss = self.loss()
        loss.backward()
        return loss

    def results(self):
        loss = self.work().detach()
        first, *others = [tensor.grad for tensor in self.variables]
        return torch.cat([g.flatten() for g in (loss, self.layout(first), *others)])


class SearchForm:
    def __init__(self, work):
        self.work = work

    def results(self):
        return self.work().float()


def frozen(module):
    """Excludes the second bias of a module from training, because Unroll has one bias. Returns the module."""
    for name, parameter in module.named_parameters():
        if "bias_hh" in name:
            parameter.requires_grad_(False)
    return module


def set_lstm(module, parameters, W, U, b, *others):
    copy_into(parameters, [W.t(), U.t(), b, torch.zeros_like(b), *others])
    return frozen(module)


def projected_lstm(mode, sizes, inputs, y, weights):
    x = inputs[0].transpose(0, 1).contiguous()

    def build():
        *matrices, R = weights
        module = nn.LSTM(sizes["I"], sizes["H"], proj_size=sizes["P"])
        set_lstm(module, module.all_weights[0], *matrices, R.t())
        return ModuleForm(mode, module, lambda x: module(x)[0][-1], [x], y, F.mse_loss)

    return {"nn.LSTM": build}


class LayerNormLstm(nn.Module):
    """The equations of LayerNormLSTMCell in PyTorch's fastrnns benchmark, with one bias for the gates."""

    hoist: bool

    def __init__(self, weights, hoist):
        super().__init__()
        W, U, b, gamma_x, gamma_h, gamma_c, beta_c = weights
        self.hoist = hoist
        self.weight_ih = nn.Parameter(W.t().contiguous())
        self.weight_hh = nn.Parameter(U.t().contiguous())
        self.bias = nn.Parameter(b.clone())
        self.gamma_x, self.gamma_h = nn.Parameter(gamma_x.clone()), nn.Parameter(gamma_h.clone())
        self.gamma_c, self.beta_c = nn.Parameter(gamma_c.clone()), nn.Parameter(beta_c.clone())

    def sums(self, x: torch.Tensor) -> torch.Tensor:
        """Returns the normalised products of x and the input weights, for one step [B, I] or all steps [T, B, I]."""
        products = torch.matmul(x, self.weight_ih.t())
        return F.layer_norm(products, [self.bias.size(0)], self.gamma_x, self.bias)

    def step(self, sums: torch.Tensor, h: torch.Tensor, c: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        products = torch.mm(h, self.weight_hh.t())
        gates = sums + F.layer_norm(products, [self.bias.size(0)], self.gamma_h)
        i, f, g, o = gates.chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        c = F.layer_norm(c, [self.beta_c.size(0)], self.gamma_c, self.beta_c)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, c

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = torch.zeros(x.size(1), self.beta_c.size(0))
        c = h
        steps = (self.sums(x) if self.hoist else x).unbind(0)
        for i in range(len(steps)):
            h, c = self.step(steps[i] if self.hoist else self.sums(steps[i]), h, c)
        return h


def layer_norm_lstm(mode, _sizes, inputs, y, weights):
    x = inputs[0].transpose(0, 1).contiguous()

    def form(transform, hoist):
        def build():
            module = LayerNormLstm(weights, hoist)
            return ModuleForm(mode, module, transform(module), [x], y, F.mse_loss)

        return build

    def compiled_step(module):
        module.step = compiled(module.step)
        return module

    return {
        "TorchScript": form(torch.jit.script, False),
        "TorchScript, products of inputs in advance": form(torch.jit.script, True),
        "torch.compile of the step": form(compiled_step, True),
        "torch.compile": form(compiled, True),
    }


class MinGru(nn.Module):
    """minGRU of Feng et al. 2024 with g(x), computed by their log-space scan (Heinsen 2023) or by a loop over the steps."""

    def __init__(self, weights, loop):
        super().__init__()
        W, b = weights
        self.loop = loop
        self.linear = nn.Linear(*W.shape)
        copy_into(self.linear.parameters(), [W.t(), b])

    def log_scan(self, gate, hidden):
        log_coefficients = -F.softplus(gate)
        log_g = torch.where(hidden >= 0, (F.relu(hidden) + 0.5).log(), -F.softplus(-hidden))
        log_values = -F.softplus(-gate) + log_g
        sums = log_coefficients.cumsum(1)
        return (sums + (log_values - sums).logcumsumexp(1)).exp()[:, -1]

    def forward(self, x):
        gate, hidden = self.linear(x).chunk(2, -1)
        if not self.loop:
            return self.log_scan(gate, hidden)
        return scan_in_order(torch.sigmoid(gate), torch.where(hidden >= 0, hidden + 0.5, torch.sigmoid(hidden)))


@torch.jit.script
def scan_in_order(z: torch.Tensor, g: torch.Tensor) -> torch.Tensor:
    """Returns the last h of the recurrence, for time-major z and g."""
    h = torch.zeros_like(z[0])
    for zt, gt in zip(z.unbind(0), g.unbind(0)):
        h = torch.lerp(h, gt, zt)
    return h


def min_gru(mode, _sizes, inputs, y, weights):
    def form(transform, loop):
        def build():
            x = inputs[0].transpose(0, 1).contiguous() if loop else inputs[0]
            module = MinGru(weights, loop)
            return ModuleForm(mode, module, transform(module), [x], y, F.mse_loss)

        return build

    return {
        "log-space scan": form(lambda module: module, False),
        "log-space scan, torch.compile": form(compiled, False),
        "loop over the steps, TorchScript": form(lambda module: module, True),
    }


def ctc(_mode, sizes, inputs, y, _weights):
    def build():
        logits = inputs[0].transpose(0, 1).contiguous().requires_grad_()
        labels = y.long()
        lengths = torch.full([sizes["B"]], sizes["T"])
        label_lengths = torch.full([sizes["B"]], sizes["L"])

        def loss():
            log_probabilities = F.log_softmax(logits, 2)
            return F.ctc_loss(log_probabilities, labels, lengths, label_lengths, reduction="sum")

        return GradientForm(loss, [logits], lambda gradient: gradient.transpose(0, 1))

    return {"log_softmax, ctc_loss": build}


def crf(_mode, sizes, inputs, y, weights):
    import torchcrf

    def form(transform, batch_first):
        def build():
            module = torchcrf.CRF(sizes["K"], batch_first=batch_first)
            transitions, start, end = weights
            copy_into([module.transitions, module.start_transitions, module.end_transitions], [transitions, start, end])
            layout = (lambda x: x) if batch_first else (lambda x: x.transpose(0, 1).contiguous())
            emissions, tags = layout(inputs[0]).clone().requires_grad_(), layout(y.long())
            call = transform(module)
            variables = [emissions, module.transitions, module.start_transitions, module.end_transitions]
            return GradientForm(lambda: -call(emissions, tags), variables, layout)

        return build

    def eager(module):
        return module

    return {
        "pytorch-crf, time-major": form(eager, False),
        "pytorch-crf, batch-major": form(eager, True),
        "pytorch-crf, torch.compile": form(compiled, False),
    }


class Translator(nn.Module):
    """An LSTM encoder, and a decoder: an LSTMCell with Luong's attention (`general`) and input feeding."""

    def __init__(self, sizes, weights):
        super().__init__()
        E, H, V = sizes["E"], sizes["H"], sizes["V"]
        self.source, self.target = nn.Embedding(V, E), nn.Embedding(V, E)
        self.encoder, self.cell = nn.LSTM(E, H), nn.LSTMCell(E + H, H)
        self.keys = nn.Linear(H, H, bias=False)
        self.combine = nn.Linear(2 * H, H, bias=False)
        self.out = nn.Linear(H, V)
        set_lstm(self.encoder, self.encoder.all_weights[0], *weights[1:4])
        set_lstm(self.cell, self.cell.parameters(), *weights[5:8])
        modules = [self.source, self.target, self.keys, self.combine, self.out]
        matrices = [weights[0], weights[4], weights[8].t(), weights[9].t(), weights[10].t(), weights[11]]
        copy_into([p for module in modules for p in module.parameters()], matrices)

    def memory(self, source):
        """Returns the outputs of the encoder [B, S, H], and their products with the matrix of the attention scores."""
        memory = self.encoder(self.source(source))[0].transpose(0, 1).contiguous()
        return memory, self.keys(memory)

    def step(self, x, h, c, fed, memory, keys):
        h, c = self.cell(torch.cat([x, fed], 1), (h, c))
        scores = torch.bmm(keys, h.unsqueeze(2)).squeeze(2)
        context = torch.bmm(F.softmax(scores, 1).unsqueeze(1), memory).squeeze(1)
        return h, c, torch.tanh(self.combine(torch.cat([context, h], 1)))

    def forward(self, source, previous):
        """Returns the logits [T, B, V] for time-major tokens."""
        memory, keys = self.memory(source)
        h = c = fed = memory.new_zeros(memory.size(0), memory.size(2))
        outputs = []
        for x in self.target(previous).unbind(0):
            h, c, fed = self.step(x, h, c, fed, memory, keys)
            outputs.append(fed)
        return self.out(torch.stack(outputs))

    def score(self, tokens, h, c, fed, memory, keys):
        """Runs one step of a search. Returns log-probabilities and states."""
        h, c, fed = self.step(self.target(tokens), h, c, fed, memory, keys)
        return F.log_softmax(self.out(fed), 1), h, c, fed

    def search(self, source, start, width, length):
        """Runs a beam search without an end token. Returns the best tokens [B, length]."""
        memory, keys = self.memory(source)
        B, V = memory.size(0), self.out.out_features
        zeros = memory.new_zeros(B, memory.size(2))
        log_p, *states = self.score(torch.full([B], start), zeros, zeros, zeros, memory, keys)
        scores, tokens = log_p.topk(width)
        states = [state.repeat_interleave(width, 0) for state in states]
        memory, keys = memory.repeat_interleave(width, 0), keys.repeat_interleave(width, 0)
        first_rows = torch.arange(B).unsqueeze(1) * width
        sequences = tokens.view(-1, 1)
        for _ in range(length - 1):
            log_p, *states = self.score(sequences[:, -1], *states, memory, keys)
            totals = (scores.view(-1, 1) + log_p).view(B, width * V)
            scores, best = totals.topk(width)
            rows = (first_rows + best // V).view(-1)
            states = [state.index_select(0, rows) for state in states]
            sequences = torch.cat([sequences.index_select(0, rows), (best % V).view(-1, 1)], 1)
        return sequences.view(B, width, length)[:, 0]


def attention_decoder(mode, sizes, inputs, y, weights):
    source, previous, target = [tokens.long().t().contiguous() for tokens in (*inputs, y)]

    def loss(logits, target):
        return F.cross_entropy(logits.flatten(0, 1), target.flatten())

    def form(transform):
        def build():
            module = Translator(sizes, weights)
            return ModuleForm(mode, module, transform(module), [source, previous], target, loss)

        return build

    def compiled_step(module):
        module.step = compiled(module.step)
        return module

    return {
        "eager": form(lambda module: module),
        "torch.compile of the step": form(compiled_step),
        "torch.compile": form(compiled),
    }


def beam_search(_mode, sizes, inputs, _y, weights):
    source = inputs[0].long().t().contiguous()

    def form(compile_score):
        def build():
            module = Translator(sizes, weights).eval()
            if compile_score:
                module.score = compiled(module.score)
            return SearchForm(lambda: module.search(source, sizes["start"], sizes["width"], sizes["length"]))

        return build

    return {"eager": form(False), "torch.compile of the step": form(True)}


ROWS = {
    "projected-lstm": projected_lstm,
    "layer-norm-lstm": layer_norm_lstm,
    "min-gru": min_gru,
    "ctc": ctc,
    "crf": crf,
    "attention-decoder": attention_decoder,
    "beam-search": beam_search,
}


class OutOfTime(BaseException):
    """Raised after `LIMIT` seconds. A BaseException, because handlers in the compiler catch every Exception."""


def out_of_time(_signal, _frame):
    raise OutOfTime


signal.signal(signal.SIGALRM, out_of_time)


class Task:
    """A row that is ready to run. `implementations`: the forms to time, by name, as in pytorch.py. `reference`: the results of
    the first form. `excluded`: the reasons why forms are not timed."""

    def __init__(self, row, mode, data):
        tensors, count = read_tensors(data), data["inputs"]
        self.mode = mode
        self.implementations, self.excluded, self.reference = {}, {}, None
        forms = ROWS[row["kind"]](mode, row["sizes"], tensors[:count], tensors[count], tensors[count + 1 :])
        for name, build in forms.items():
            if self.reference is None:
                self.add(name, build)
                continue
            signal.alarm(LIMIT)
            try:
                self.add(name, build)
            except OutOfTime:
                self.excluded[name] = f"takes longer than {LIMIT} s to compile"
            except Exception as error:  # noqa: BLE001 - the coordinator shows it
                self.excluded[name] = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            finally:
                signal.alarm(0)

    def add(self, name, build):
        form = build()
        with torch.inference_mode(self.mode in ("infer", "search")):
            results = form.results().detach()
        if self.reference is None:
            self.reference = results
        else:
            difference = (results - self.reference).abs().max() / self.reference.abs().max()
            if not difference <= (0 if self.mode == "search" else TOLERANCE):
                self.excluded[name] = f"differs from the first implementation by {difference.item():.1e}"
                return
        self.implementations[name] = (True, form.work)

    def results(self):
        if self.mode == "train":
            return {"losses": self.reference.tolist()}
        return {"outputs": encode(self.reference)}


class SequenceServer(Server):
    def loadSequence(self, request):  # noqa: N802 - the name of the command
        self.drop(request)
        self.task = Task(request["row"], request["mode"], request["data"])
        return {**self.task.results(), "excluded": self.task.excluded}

    def drop(self, request):
        torch._dynamo.reset()
        return super().drop(request)


main(SequenceServer())
