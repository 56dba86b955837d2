"""Draw the sample clips: eight classes of motion that a frame of unknown time does not give away.

Every clip shows one textured shape over a textured ground that drifts on its own. Each clip draws
a path across, a path up, a turn and a growth; only the one its class names runs, the others stay
frozen at a random moment, and opposite classes run the same path in opposite directions. So place,
size and angle are spread alike over the frames of all classes; only their order tells them apart.
"""

import argparse
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Image = NDArray[np.float32]

# Class name: the channel that runs, and whether it runs upwards (y and angles as in the picture).
CLASSES = {
    "left": ("x", False),
    "right": ("x", True),
    "up": ("y", False),
    "down": ("y", True),
    "clockwise": ("angle", True),
    "counterclockwise": ("angle", False),
    "growing": ("size", True),
    "shrinking": ("size", False),
}
SPLITS = ["train"] * 25 + ["val"] * 5 + ["test"] * 5
MPEG4 = ("mp4v", ".mp4")
# Motion JPEG takes three times the space of the others.
CODECS = (MPEG4, MPEG4, ("XVID", ".avi"), ("VP80", ".webm"), ("MJPG", ".avi"))
RATES = (12, 15, 18, 20, 24, 25, 30)
EDGE = 0.22  # the shape's centre stays this share of a side away from the border
RADII = (0.17, 0.42)  # of the shorter side
SCALE = 2  # frames are drawn this much larger, then averaged down: smooth sub-pixel motion
HALF, REACH = 60, 48  # half the side of the shape's own canvas, and its radius on there


def texture(rng: Generator, height: int, width: int, cells: int, contrast: float) -> Image:
    """Return smooth random blotches of colour around a random mean colour."""
    rows = max(3, round(cells * height / width))
    grid = rng.uniform(-contrast, contrast, (rows, cells, 3)) + rng.uniform(-25, 25, 3)
    smooth = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    return smooth.astype(np.float32)


def shape(rng: Generator) -> tuple[Image, Image]:
    """Return the colours and the soft mask of a random polygon or blob on a square canvas."""
    around = np.linspace(0, 2 * math.pi, rng.choice([3, 4, 5, 6, 90, 90, 90]), endpoint=False)
    radius = np.ones_like(around)
    for waves in (2, 3, 4):
        radius += rng.uniform(0.02, 0.18) * np.cos(waves * around + rng.uniform(0, 2 * math.pi))
    corners = np.stack([np.cos(around), np.sin(around)], axis=1) * (radius / radius.max())[:, None]
    mask = np.zeros((2 * HALF, 2 * HALF), np.float32)
    cv2.fillPoly(mask, [np.rint(corners * REACH + HALF).astype(np.int32)], 1.0)
    # Two far-apart colours in clear patches: a plain disc would hide its rotation.
    patches = texture(rng, *mask.shape, int(rng.integers(4, 6)), 100)[..., :1]
    share = 1 / (1 + np.exp((np.median(patches[mask > 0.5]) - patches) / 12))
    light, dark = rng.uniform(170, 250, 3), rng.uniform(5, 80, 3)
    colours = (share * light + (1 - share) * dark).astype(np.float32)
    return colours, np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0), np.float32)[..., None]


def similarity(angle: float, scale: float, source: Image, x: float, y: float) -> Image:
    """Return the 2x3 matrix that turns, scales and lays the centre of source on (x, y)."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = np.array([x, y]) - turn @ (source.shape[1] / 2, source.shape[0] / 2)
    return np.column_stack([turn, shift]).astype(np.float32)


def paths(rng: Generator, seconds: float) -> dict[str, tuple[float, float]]:
    """Return the lowest and highest value of each channel of motion (size as a logarithm)."""
    found = {}
    for axis in ("x", "y"):
        length = seconds * rng.uniform(0.28, min(0.6, (1 - 2 * EDGE) / seconds))
        start = rng.uniform(EDGE, 1 - EDGE - length)
        found[axis] = (start, start + length)
    start, speed = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(90, 220))
    found["angle"] = (start, start + speed * seconds)
    growth = math.log(rng.uniform(1.7, 2.3))
    start = rng.uniform(math.log(RADII[0]), math.log(RADII[1]) - growth)
    found["size"] = (start, start + growth)
    return found


def render(rng: Generator, name: str, fps: int) -> list[NDArray[np.uint8]]:
    """Return the frames of one clip of the class."""
    width, height = 2 * int(rng.integers(40, 64)), 2 * int(rng.integers(36, 52))
    count = round(rng.uniform(1.2, 1.8) * fps)
    seconds = (count - 1) / fps
    wide, high = width * SCALE, height * SCALE
    ground = texture(rng, 2 * high, 2 * wide, int(rng.integers(7, 12)), 30) + rng.uniform(85, 170)
    colours, mask = shape(rng)
    channels = paths(rng, seconds)
    frozen = {channel: rng.uniform() for channel in channels}
    drift, turn = rng.normal(0, 0.02, 2) * wide, math.radians(rng.uniform(-4, 4))
    gain, fade, noise = rng.uniform(0.75, 1.1), rng.uniform(-0.1, 0.1), rng.uniform(0.2, 0.7)
    moving, upwards = CLASSES[name]
    frames = []
    for index in range(count):
        time = index / fps - seconds / 2
        phase = frozen | {moving: 0.5 + time / seconds if upwards else 0.5 - time / seconds}
        at = {key: low + (top - low) * phase[key] for key, (low, top) in channels.items()}
        x, y = wide / 2 + drift[0] * time, high / 2 + drift[1] * time
        matrix = similarity(turn * time, 1.0, ground, x, y)
        picture = cv2.warpAffine(ground, matrix, (wide, high), borderMode=cv2.BORDER_REFLECT)
        zoom = math.exp(at["size"]) * min(wide, high) / REACH
        matrix = similarity(at["angle"], zoom, colours, at["x"] * wide, at["y"] * high)
        drawn = cv2.warpAffine(colours, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE)
        cover = cv2.warpAffine(mask, matrix, (wide, high))[..., None]
        picture = picture + (drawn - picture) * cover
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        picture = picture * (gain + fade * time) + rng.normal(0, noise, picture.shape)
        frames.append(np.clip(np.rint(picture), 0, 255).astype(np.uint8))
    return frames


def write(path: Path, fourcc: str, fps: int, frames: list[NDArray[np.uint8]]) -> None:
    """Write the frames as a video, the same bytes for the same frames."""
    size = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*fourcc), fps, size)
    if not writer.isOpened():
        raise SystemExit(f"this OpenCV cannot write codec {fourcc} into {path.suffix}: {path}")
    for frame in frames:
        writer.write(frame)
    writer.release()
    # The muxer numbers a WebM track at random, which would make every run's bytes differ.
    data = path.read_bytes()
    at = data.find(b"\x73\xc5\x88", 0, 1000)
    if path.suffix == ".webm" and at >= 0:
        path.write_bytes(data.replace(data[at + 3 : at + 11], b"\0" * 7 + b"\1"))


def make(output: Path, seed: int) -> int:
    """Write all clips below the folder and return their size in bytes."""
    total = 0
    for number, name in enumerate(CLASSES):
        # Each run of five clips holds every codec, so that codecs are alike in every split.
        rng = np.random.default_rng([seed, number, len(SPLITS)])
        codecs = np.concatenate([rng.permutation(len(CODECS)) for _ in range(len(SPLITS) // 5)])
        rates = np.concatenate([rng.permutation(len(RATES)) for _ in range(5)])
        for index, split in enumerate(SPLITS):
            (fourcc, suffix), fps = CODECS[codecs[index]], RATES[rates[index]]
            folder = output / split / name
            folder.mkdir(parents=True, exist_ok=True)
            # Another seed may have left the same clip behind under another suffix.
            for old in folder.glob(f"clip_{index:02d}.*"):
                old.unlink()
            path = folder / f"clip_{index:02d}{suffix}"
            rng = np.random.default_rng([seed, number, index])
            write(path, fourcc, fps, render(rng, name, fps))
            total += path.stat().st_size
    return total


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Draw the sample clips.")
    here = Path(__file__).parent
    parser.add_argument("output", nargs="?", type=Path, default=here, metavar="OUTPUT_FOLDER")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    print(f"{make(options.output, options.seed) / 1e6:.2f} MB of clips in {options.output}")


if __name__ == "__main__":
    main()
