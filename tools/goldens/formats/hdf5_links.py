"""HDF5 files that the importer must refuse, because a dataset is a link, is stored elsewhere, or cannot be read.

    python tools/goldens/formats/hdf5_links.py

The script writes packages/testkit/goldens/formats/keras/links.zip. Each file has the weights of a Dense layer in the layout
of Keras 3 (`layers/dense/vars`). The kernel is a link, a virtual dataset, stored in another file, of a compound type, or far
too large.
"""

import tempfile
import zipfile
from pathlib import Path

import h5py
import numpy as np

OUT = Path(__file__).resolve().parents[3] / "packages" / "testkit" / "goldens" / "formats" / "keras"


def soft(group):
    group["elsewhere"] = np.zeros((2, 1), "float32")
    group["0"] = h5py.SoftLink("/layers/dense/vars/elsewhere")


def external_link(group):
    group["0"] = h5py.ExternalLink("/etc/passwd", "/secret")


def external_data(group):
    group.create_dataset("0", (2, 1), "float32", external=[("/etc/passwd", 0, 8)])


def virtual(group):
    layout = h5py.VirtualLayout((2, 1), "float32")
    layout[:] = h5py.VirtualSource("/etc/passwd", "data", (2, 1))
    group.create_virtual_dataset("0", layout)


def huge(group):
    group.create_dataset("0", (1 << 40, 1 << 10), "float32", chunks=(1024, 1024), compression="gzip")


def cycle(group):
    group["0"] = group


def nested_type(group):
    group.create_dataset("0", (2, 1), np.dtype([("a", "f4"), ("b", "S4")]))


def main():
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(OUT / "links.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for make in (soft, external_link, external_data, virtual, huge, cycle, nested_type):
            path = Path(folder) / f"{make.__name__}.weights.h5"
            with h5py.File(path, "w") as file:
                group = file.create_group("layers/dense/vars")
                make(group)
                if "elsewhere" in group:
                    del group["elsewhere"]
                group["1"] = np.zeros(1, "float32")
            archive.write(path, path.name)


main()
