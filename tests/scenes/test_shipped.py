"""The model of scenes that comes with vidgru."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import made_scenes
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import vidgru
from vidgru.tasks.scenes.finder import find
from vidgru.tasks.scenes.model_file import SHIPPED_SCENES, load_scenes
from vidgru.tasks.scenes.results import Boundary
from vidgru.video.read import open_video

SIZE = 48
ROOT = Path(__file__).parents[2]


def test_the_file_is_small_and_holds_its_recipe() -> None:
    assert SHIPPED_SCENES.stat().st_size <= 1_000_000
    loaded = load_scenes(SHIPPED_SCENES)
    recipe = loaded.metrics["recipe"]
    assert (ROOT / "scripts" / recipe["script"]).is_file()
    assert loaded.metrics["validation"]["tolerances"][2]["f1"] > 0.8
    assert loaded.spec.size == SIZE


def test_it_finds_where_sample_videos_are_joined(tmp_path: Path) -> None:
    clips = []
    for path in sorted((ROOT / "sample_videos" / "test").glob("*/*"))[:8]:
        with open_video(path) as video:
            clips.append(np.stack([frame.rgb for frame in video])[:40])
    lengths = [len(clip) for clip in clips]
    model = vidgru.load("scenes", threads=torch.get_num_threads())
    small = [
        cv2.resize(frame, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
        for clip in clips
        for frame in clip
    ]
    found = list(find(model.network, small, model.spec.threshold))
    truth = np.cumsum(lengths)[:-1].tolist()
    assert [b.frame for b in found] == truth
    assert {b.kind for b in found} == {"cut"}


def predicted(frames: Iterable[NDArray[np.uint8]]) -> list[Boundary]:
    """Return what the shipped model finds."""
    model = vidgru.load("scenes", threads=torch.get_num_threads())
    small = (cv2.resize(f, (SIZE, SIZE), interpolation=cv2.INTER_AREA) for f in frames)
    return list(find(model.network, small, model.spec.threshold))


@pytest.mark.parametrize("seed", range(4))
def test_what_passes_a_fixed_camera_is_no_scene(seed: int) -> None:
    assert predicted(made_scenes.passing(np.random.default_rng([100, seed]))) == []


def a_scene(label: str) -> NDArray[np.uint8]:
    with open_video(next((ROOT / "sample_videos" / "test" / label).glob("*"))) as video:
        frames = [frame.rgb for frame in video]
    return np.stack([*frames, *frames[::-1]] * 3)[:110]


def test_flashes_are_no_scenes() -> None:
    for label in ("left", "growing", "clockwise"):
        assert predicted(made_scenes.flashed(np.random.default_rng(1), a_scene(label))) == []


def test_one_plain_colour_that_fades_is_one_scene() -> None:
    for seed in range(4):
        assert predicted(made_scenes.plain(np.random.default_rng([101, seed]))) == []


def test_cuts_in_the_dark() -> None:
    scenes = [a_scene(label)[:40] for label in ("left", "growing", "up")]
    found = predicted(made_scenes.darkened(frame) for scene in scenes for frame in scene)
    assert [(b.frame, b.kind) for b in found] == [(40, "cut"), (80, "cut")]


@pytest.mark.parametrize("label", ["left", "growing"])
def test_where_colour_goes_the_scene_goes_on(label: str) -> None:
    scene = a_scene(label)
    grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None].repeat(3, -1) for frame in scene]
    assert predicted([*scene[:60], *grey[60:]]) == []
    assert predicted([*grey[:60], *scene[60:]]) == []


def test_where_a_light_is_switched_on_the_scene_goes_on() -> None:
    light = np.where(np.arange(110) < 50, 0.4, 1.0)[:, None, None, None]
    found = predicted((a_scene("growing") * light).astype(np.uint8))
    assert not [b for b in found if 40 <= b.frame <= 60]


def test_a_fade_through_black_is_called_so() -> None:
    first, second = a_scene("left")[:60], a_scene("growing")[:60]
    down, up = np.linspace(1, 0, 15), np.linspace(0, 1, 15)
    faded = [(f * share).astype(np.uint8) for f, share in zip(first[45:], down, strict=True)]
    risen = [(f * share).astype(np.uint8) for f, share in zip(second[:15], up, strict=True)]
    black = [np.zeros_like(first[0])] * 20
    found = predicted([*first[:45], *faded, *black, *risen, *second[15:]])
    assert [b.kind for b in found] == ["fade"]
    assert 55 <= found[0].frame <= 85
