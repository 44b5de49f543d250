"""Golden values of the image decoders and of area averaging, from Pillow and OpenCV.

    pip install -r tools/goldens/requirements-images.txt
    python tools/goldens/images.py

The script writes packages/testkit/goldens/images/images.json: { generator, versions, files, picture, resized }. A file is { name,
bytes (base64), width, height, channels, frames: [base64 of the pixels] } that Pillow wrote and read again; transparent pixels
are composited over black. `resized` lists results of OpenCV's INTER_AREA on the image `picture`, with their sizes. Tolerance:
the pixels of PNG and GIF files must be equal, except partly transparent ones. For these, and for JPEG files (whose decoders
round differently), values (0 to 255) may differ by less than 1 on average, and each by less than 6. Area averages may differ
by at most 1.
"""

import base64
import io
import json
import platform
from importlib.metadata import version
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageSequence

OUT = Path(__file__).resolve().parents[2] / "packages" / "testkit" / "goldens" / "images"
VERSIONS = {"python": platform.python_version(), **{name: version(name) for name in ("pillow", "opencv-python-headless", "numpy")}}


def base64_of(data):
    return base64.b64encode(data).decode()


def picture(height, width, channels, phase=0.0):
    """Returns an image of smooth waves that differ between channels."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels].astype(float)
    return np.round(127.5 + 127.5 * np.sin(0.4 * x + 0.3 * y * (c + 1) + c + phase)).astype(np.uint8)


def over_black(image):
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, (0, 0, 0, 255)), image).convert("RGB")
    return image.convert("RGB")


def case(name, data, grey):
    with Image.open(io.BytesIO(data)) as file:
        frames = [np.asarray(over_black(frame.copy())) for frame in ImageSequence.Iterator(file)]
    if grey:
        frames = [frame[:, :, :1] for frame in frames]
    height, width, channels = frames[0].shape
    return {
        "name": name, "bytes": base64_of(data), "width": width, "height": height, "channels": channels,
        "frames": [base64_of(np.ascontiguousarray(frame).tobytes()) for frame in frames],
    }


def saved(image, format, **options):
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def stills():
    grey, colour = Image.fromarray(picture(9, 13, 1)[:, :, 0]), Image.fromarray(picture(9, 13, 3))
    y, x, c = np.mgrid[0:40, 0:48, 0:3]
    large = Image.fromarray((3 * x + 2 * y * (c == 1) + 20 * c).astype(np.uint8))
    yield case("png grey", saved(grey, "PNG"), True)
    yield case("png 1 bit", saved(grey.convert("1"), "PNG"), True)
    yield case("png colour", saved(colour, "PNG"), False)
    yield case("png indexed", saved(colour.quantize(7), "PNG"), False)
    yield case("png indexed 2 bits", saved(colour.quantize(4), "PNG", bits=2), False)
    yield case("png indexed transparent", saved(colour.quantize(7), "PNG", transparency=2), False)
    yield case("png grey with opacity", saved(Image.fromarray(picture(9, 13, 2), "LA"), "PNG"), True)
    yield case("png colour with opacity", saved(Image.fromarray(picture(9, 13, 4)), "PNG"), False)
    yield case("png colour key", saved(Image.fromarray(np.full((3, 4, 3), 9, np.uint8)), "PNG", transparency=(9, 9, 9)), False)
    for subsampling in (0, 2):
        yield case(f"jpeg {subsampling}", saved(large, "JPEG", quality=95, subsampling=subsampling), False)
    yield case("jpeg progressive", saved(large, "JPEG", quality=95, subsampling=0, progressive=True), False)
    yield case("jpeg grey", saved(large.convert("L"), "JPEG", quality=95), True)


def animations():
    frames = [Image.fromarray(picture(12, 15, 3, phase)).quantize(16) for phase in (0, 0.5, 1)]
    yield case("gif", saved(frames[0], "GIF", save_all=True, append_images=frames[1:]), False)
    large = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 100), np.uint8))
    yield case("gif of all codes", saved(large, "GIF", interlace=1), False)
    yield case("gif not interlaced", saved(large, "GIF", interlace=0), False)
    for disposal in (1, 2, 3):
        spots = []
        for k in range(3):
            pixels = np.zeros((8, 10), np.uint8)
            pixels[k + 1 : k + 4, 2 * k : 2 * k + 3] = k + 1
            spot = Image.fromarray(pixels, "P")
            spot.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0, 255])
            spots.append(spot)
        data = saved(spots[0], "GIF", save_all=True, append_images=spots[1:], disposal=disposal, transparency=0, optimize=False)
        yield case(f"gif disposal {disposal}", data, False)


def resized():
    pixels = picture(20, 30, 3)
    for height, width in ((10, 10), (7, 9), (20, 30), (1, 1), (13, 30)):
        image = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
        yield {"height": height, "width": width, "pixels": base64_of(image.tobytes())}


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    content = {
        "generator": "tools/goldens/images.py", "versions": VERSIONS,
        "files": [*stills(), *animations()],
        "picture": {"height": 20, "width": 30, "channels": 3, "pixels": base64_of(picture(20, 30, 3).tobytes())},
        "resized": list(resized()),
    }
    (OUT / "images.json").write_text(json.dumps(content, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
