"""training/lazy.json: an embedding table after each of eight training steps, each of which looks up three rows.

The table is PyTorch's nn.Embedding with sparse gradients. The loss is the sum of the looked-up rows times coefficients. Row 3 is first
looked up at step 4, and row 6 never; some rows are looked up twice in one step.
"""

import numpy as np
import torch

import training_encoding as enc

IDS = ([0, 1, 1], [2, 0, 5], [1, 4, 2], [3, 3, 0], [5, 1, 5], [0, 2, 3], [4, 4, 4], [1, 3, 0])
ROWS, WIDTH = 7, 5


def problem():
    rng = enc.rng_of("lazy")
    scale = (1, 0.1, 3, 1, 0.01, 10, 1, 0.3)  # of the coefficients of each step
    coefficients = [enc.normal(rng, len(ids), WIDTH, scale=s) for ids, s in zip(IDS, scale)]
    return enc.normal(rng, ROWS, WIDTH), np.stack(coefficients)


TABLE, COEFFICIENTS = problem()


def case(name, optimizer, make, convention, **options):
    """Trains the table with an optimizer. make(parameters, options) returns the optimizer of PyTorch."""
    embedding = torch.nn.Embedding(ROWS, WIDTH, sparse=True, _weight=torch.tensor(TABLE.copy()))
    trainer = make(embedding.parameters(), options)
    after = []
    for ids, coefficients in zip(IDS, COEFFICIENTS):
        trainer.zero_grad()
        (embedding(torch.tensor(ids)) * torch.tensor(coefficients)).sum().backward()
        trainer.step()
        after.append(embedding.weight.detach().numpy().copy())
    own = {"convention": convention, "lazy": True}
    return {
        "name": name,
        "optimizer": optimizer,
        "source": "pytorch",
        "options": options | own,
        "after": enc.pack(np.stack(after)),
    }


def sparse_adam(parameters, o):
    return torch.optim.SparseAdam(
        parameters, lr=o["learningRate"], betas=(o["beta1"], o["beta2"]), eps=o["epsilon"]
    )


def adagrad(parameters, o):
    return torch.optim.Adagrad(
        parameters,
        lr=o["learningRate"],
        initial_accumulator_value=o["initialAccumulatorValue"],
        eps=o["epsilon"],
    )


def cases():
    # SparseAdam adds epsilon before the bias correction, like Keras's Adam; PyTorch's Adam adds it afterwards.
    yield case(
        "SparseAdam", "adam", sparse_adam, "keras", learningRate=0.001, beta1=0.9, beta2=0.999, epsilon=1e-8
    )
    yield case(
        "SparseAdam, other", "adam", sparse_adam, "keras", learningRate=0.1, beta1=0.5, beta2=0.9, epsilon=1e-2
    )
    yield case(
        "Adagrad", "adagrad", adagrad, "pytorch", learningRate=0.1, initialAccumulatorValue=0.1, epsilon=1e-10
    )


def write():
    steps = {"ids": [list(ids) for ids in IDS], "coefficients": enc.pack(COEFFICIENTS)}
    enc.write("lazy.json", "training_lazy.py", list(cases()), table=enc.pack(TABLE), **steps)
