"""How well frames of moving digits are forecast: the standard benchmark of such models.

    python benchmarks/digits.py DIGITS.npz [--minutes 30] [--videos 3000] [--folder DIR] [OPTIONS]

DIGITS.npz holds `images`, uint8 (N, 28, 28), N at least 7,000: the first 6,000 are for training,
those from 6,000 to 6,999 only for the test. Two digits at a time cross a square of 64x64 pixels by
a tenth of their path a frame and bounce off its borders, as in Srivastava et al. 2015; where they
overlap, the brighter pixel shows. Training videos of 40 frames and 1,000 test videos of 20 are
written as files into DIR (or a temporary folder), `vidgru train --task forecast` trains on the
former, and `vidgru evaluate` forecasts frames 11 to 20 of the latter from the first ten. OPTIONS go
to the training. The table compares that with a frame that stays, and with a published result, which
had another budget: 200 epochs of 10,000 clips on a GPU (ConvLSTM in OpenSTL, Tan et al. 2023).
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from shared import run_vidgru

SIDE, FPS, STEP = 64, 10.0, 0.1
LEARNED, TESTED = (0, 6000), (6000, 7000)
TESTS = 1000
PUBLISHED = "ConvLSTM, published: 200 epochs on a GPU", 15.0e6, 29.8, 0.929

Images = NDArray[np.uint8]


def path_of(rng: np.random.Generator, frames: int, room: int) -> NDArray[np.int64]:
    """Return left and top (frames, 2) of a bouncing digit, in pixels from 0 to `room`."""
    place, angle = rng.random(2), rng.random() * 2 * np.pi
    speed = STEP * np.array([np.cos(angle), np.sin(angle)])
    outputs = np.empty((frames, 2))
    for now in range(frames):
        place = place + speed
        speed = np.where((place <= 0) | (place >= 1), -speed, speed)
        place = np.clip(place, 0, 1)
        outputs[now] = place
    return (room * outputs).astype(np.int64)


def draw(rng: np.random.Generator, digits: Images, frames: int) -> Images:
    """Return a clip (frames, SIDE, SIDE) of two digits (N, h, h) that cross and bounce."""
    clip = np.zeros((frames, SIDE, SIDE), np.uint8)
    height = digits.shape[1]
    for _ in range(2):
        digit = digits[rng.integers(len(digits))]
        for frame, (left, top) in zip(clip, path_of(rng, frames, SIDE - height), strict=True):
            part = frame[top : top + height, left : left + height]
            np.maximum(part, digit, out=part)
    return clip


def write_videos(folder: Path, digits: Images, count: int, frames: int, seed: int) -> None:
    """Write clips as lossless videos, unless the folder exists already."""
    if folder.is_dir():
        return
    making = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    codec = cv2.VideoWriter.fourcc(*"FFV1")
    for number in range(count):
        writer = cv2.VideoWriter(str(making / f"{number:05d}.avi"), codec, FPS, (SIDE, SIDE))
        for frame in draw(rng, digits, frames):
            writer.write(cv2.cvtColor(frame, cv2.COLOR_GRAY2BGR))
        writer.release()
    making.rename(folder)


def learn(
    digits: Path, folder: Path, minutes: float, videos: int, *options: object
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Draw, train and evaluate in a folder; return what `train` and `evaluate` print."""
    with np.load(digits) as archive:
        images = archive["images"]
    train, test = folder / "train", folder / "test"
    if (folder / "run").exists():
        raise SystemExit(f"{folder / 'run'} is there already: give another --folder.")
    os.environ.setdefault("VIDGRU_CACHE", str(folder / "cache"))
    write_videos(train, images[slice(*LEARNED)], videos, 40, seed=1)
    write_videos(test, images[slice(*TESTED)], TESTS, 20, seed=2)
    words = ("--task", "forecast", "--minutes", minutes, "--out", folder / "run")
    made = run_vidgru("train", train, *words, *options)
    predicted = run_vidgru("evaluate", test, "--model", folder / "run")
    if predicted["scores"]["windows"] != TESTS:
        raise SystemExit(f"Only {predicted['scores']['windows']} of {TESTS} clips could be tested.")
    return made, predicted


def main() -> None:
    """Draw, train, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("digits", type=Path)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--videos", type=int, default=3000)
    parser.add_argument("--folder", type=Path)
    args, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        made, predicted = learn(args.digits, folder, args.minutes, args.videos, *options)
    means = predicted["scores"]["mean"]
    name, parameters, mse, alike = PUBLISHED
    print(f"{'':<42} parameters     MSE    MAE   SSIM   PSNR  seconds")
    for title, row in (
        (f"vidgru, {args.minutes:g} minutes on this machine", means["model"]),
        ("the last frame stays", means["copy"]),
        ("each pixel goes on to change", means["linear"]),
    ):
        own = row is means["model"]
        print(
            f"{title:<42} {made['parameters'] if own else '':>10} {row['mse']:7.1f} "
            f"{row['mae']:6.1f} {row['ssim']:6.3f} {row['psnr']:6.2f} "
            f"{made['seconds'] if own else 0:8.0f}"
        )
    print(f"{name:<42} {parameters:>10.0f} {mse:7.1f} {'':>6} {alike:6.3f}")
    learned = made["train_clips"]
    print(f"{learned} videos learned from, {args.videos - learned} to choose weights by")
    ratio = means["model"]["mse"] / means["copy"]["mse"]
    print(f"MSE / MSE of the last frame: {ratio:.3f}")
    for horizon in predicted["scores"]["horizons"]:
        model, copy = horizon["model"], horizon["copy"]
        print(f"+{horizon['frame']}: MSE {model['mse']:.1f} / {copy['mse']:.1f}, "
              f"SSIM {model['ssim']:.3f} / {copy['ssim']:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
