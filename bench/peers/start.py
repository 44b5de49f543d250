"""Runs PyTorch for `npm run bench:start`: `start.py predict|train`."""

import json
import resource
import sys
import time

import torch
from torch import nn

torch.set_num_threads(1)


def numbers(*shape):
    count = torch.Size(shape).numel()
    return ((torch.arange(count) * 7919) % 1000 / 1000 - 0.5).reshape(shape)


if sys.argv[1] == "predict":
    with torch.inference_mode():
        value = nn.LSTM(1, 64, batch_first=True)(numbers(1, 50, 1))[1][0].sum().item()
else:

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.dense = nn.LSTM(128, 128, batch_first=True), nn.Linear(128, 1)

        def forward(self, x):
            return self.dense(self.lstm(x)[0][:, -1])

    model, x, y = Model(), numbers(32, 100, 128), numbers(32, 1)
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    for _ in range(50):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    value = loss.item()

done_at = time.time() * 1000
assert value == value
print(json.dumps({"doneAt": done_at, "kilobytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
