"""Checks that TensorBoard reads the event files of an aborted and resumed run, and that their values equal those of the run's events."""
import csv
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

HERE = pathlib.Path(__file__).parent


def float32(value: float) -> float:
    return struct.unpack("<f", struct.pack("<f", value))[0]


def scalars(folder: pathlib.Path) -> dict[str, dict[int, float]]:
    reader = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    reader.Reload()
    found: dict[str, dict[int, float]] = {}
    for tag in reader.Tags()["scalars"]:
        events = reader.Scalars(tag)
        steps = [event.step for event in events]
        assert steps == sorted(set(steps)), f"{tag}: steps {steps} are repeated or out of order"
        assert all(event.wall_time > 1.6e9 for event in events), f"{tag}: no wall time"
        found[tag] = {event.step: event.value for event in events}
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        script = HERE / "write-event-files.mjs"
        output = subprocess.run(["node", script, name], check=True, capture_output=True, text=True).stdout
        events = [json.loads(line) for line in output.splitlines()]
        epochs = [event for event in events if event["type"] == "epoch"]
        updates = [event for event in events if event["type"] == "step" and event["updated"]]
        expected_train = {
            "epoch_loss": {e["epoch"]: e["loss"] for e in epochs},
            "epoch_mae": {e["epoch"]: e["metrics"]["mae"] for e in epochs},
            "epoch_learning_rate": {e["epoch"]: e["learningRate"] for e in epochs},
            "batch_loss": {e["updates"]: e["loss"] for e in updates},
            "batch_gradient_norm": {e["updates"]: e["gradientNorm"] for e in updates},
            "batch_learning_rate": {e["updates"]: e["learningRate"] for e in updates},
            "batch_clipped": {e["updates"]: float(e["clipped"]) for e in updates},
        }
        expected_validation = {
            "epoch_loss": {e["epoch"]: e["validationLoss"] for e in epochs},
            "epoch_mae": {e["epoch"]: e["validationMetrics"]["mae"] for e in epochs},
        }
        count = 0
        for part, expected in {"train": expected_train, "validation": expected_validation}.items():
            found = scalars(folder / "logs" / part)
            assert found.keys() == expected.keys(), (part, sorted(found), sorted(expected))
            for tag, values in expected.items():
                assert found[tag] == {step: float32(value) for step, value in values.items()}, (part, tag)
                count += len(values)
        with open(folder / "log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [int(row["epoch"]) for row in rows] == [1, 2, 3, 4, 5], rows
        assert [float(row["validationLoss"]) for row in rows] == [e["validationLoss"] for e in epochs]
        assert len(updates) == 25, len(updates)
        print(f"TensorBoard found all {count} scalars of {len(epochs)} epochs, each once; the CSV log has each epoch once")


if __name__ == "__main__":
    sys.exit(main())
