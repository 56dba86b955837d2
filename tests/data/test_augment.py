"""Views of stored frames, straight and random."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from vidgru.data.augment import (
    AUGMENTATIONS,
    VIEW,
    Augmentation,
    random_light,
    random_views,
    straight_view,
    warp,
)
from vidgru.tasks.classify.augment import augmentation
from vidgru.tasks.classify.options import AUGMENTS, ClassifyTrainConfig


@pytest.mark.parametrize("shape", [(24, 24), (20, 30)])
def test_a_view_is_what_grid_sample_gives(shape: tuple[int, int]) -> None:
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5), shape, mode="bicubic")
    frames = (smooth.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).contiguous()
    views = random_views(
        AUGMENTATIONS["strong"], torch.full((20,), 40.0), torch.Generator().manual_seed(1)
    )
    for view in [*views, straight_view(), straight_view(30, mirrored=True)]:
        grid = functional.affine_grid(view[None], [1, 1, 16, 16], align_corners=False)
        expected = functional.grid_sample(
            frames.permute(0, 3, 1, 2).float(), grid, padding_mode="border", align_corners=False
        )
        found = torch.from_numpy(warp(frames.numpy(), view, 16)).permute(0, 3, 1, 2).float()
        # OpenCV rounds places to 1/32 pixel and colours to whole numbers.
        assert (found - expected).abs().max() < 4
        assert (found - expected).abs().mean() < 0.6


def test_the_straight_view_is_the_middle_and_may_be_mirrored() -> None:
    frames = np.zeros((2, 40, 40, 3), np.uint8)
    frames[:, :, :20, 1] = 200
    seen = warp(frames, straight_view(), 36)
    assert seen.shape == (2, 36, 36, 3)
    assert (seen[:, :, :18, 1] == 200).all()
    assert (seen[:, :, 18:] == 0).all()
    assert np.array_equal(warp(frames, straight_view(mirrored=True), 36), seen[:, :, ::-1])


def test_views_move_turn_and_mirror_within_their_ranges() -> None:
    ranges = Augmentation(zoom=0.2, rotation=30, shift=0.1, flip=True)
    matrix = random_views(ranges, torch.full((500,), 30.0), torch.Generator().manual_seed(0))
    scale = matrix[:, :, 0].norm(dim=1)
    assert 0.8 * VIEW <= scale.min() < 0.82 * VIEW
    assert 1.18 * VIEW < scale.max() <= 1.2 * VIEW
    angle = torch.rad2deg(torch.asin(matrix[:, 1, 1] / matrix[:, :, 1].norm(dim=1)).abs())
    assert 60 - 0.1 <= angle.min() < 62
    # A tenth of the side is a fifth of half a side.
    assert (matrix[:, :, 2].abs().amax(0) <= 0.2).all()
    assert (matrix[:, :, 2].abs().amax(0) > 0.19).all()
    mirrored = matrix[:, :, :2].det() < 0
    assert 200 < mirrored.sum() < 300
    expected = VIEW * torch.eye(2, 3).expand(4, 2, 3)
    assert torch.equal(
        random_views(AUGMENTATIONS["none"], torch.zeros(4), torch.Generator()), expected
    )


def test_a_slanted_view_slides_top_and_bottom_apart() -> None:
    matrix = random_views(
        Augmentation(shear=0.2), torch.zeros(500), torch.Generator().manual_seed(0)
    )
    top_to_bottom = matrix[:, :, 1]
    assert torch.allclose(top_to_bottom[:, 1], torch.tensor(VIEW))
    share = top_to_bottom[:, 0] / VIEW
    assert -0.2 <= share.min() < -0.19
    assert 0.19 < share.max() <= 0.2
    assert torch.equal(matrix[:, :, 0], VIEW * torch.tensor([1.0, 0.0]).expand(500, 2))


def test_a_turned_view_turns_what_is_seen() -> None:
    frames = np.zeros((1, 40, 40, 3), np.uint8)
    frames[:, :8] = 200  # the upper edge
    seen = warp(frames, straight_view(90), 36)
    assert (seen[0, :, :4] == 200).all() != (seen[0, :, -4:] == 200).all()
    assert (seen[0, 16:20, 16:20] == 0).all()


def test_each_clip_may_have_its_own_rotation() -> None:
    limits = torch.tensor([0.0, 5.0, 40.0]).repeat(200)
    ranges = Augmentation(rotation=180)
    matrix = random_views(ranges, limits, torch.Generator().manual_seed(0))
    degrees = torch.rad2deg(torch.atan2(matrix[:, 1, 0], matrix[:, 0, 0])).abs().view(200, 3)
    assert (degrees.amax(0) <= torch.tensor([1e-4, 5.001, 40.001])).all()
    assert (degrees.amax(0) >= torch.tensor([0.0, 4.9, 39.0])).all()


def test_single_settings_replace_those_of_a_level() -> None:
    assert AUGMENTATIONS.keys() == set(AUGMENTS)
    assert augmentation(ClassifyTrainConfig()) == AUGMENTATIONS["light"]
    config = ClassifyTrainConfig(augment="strong", rotation=0.0, flip=False, zoom=0.5)
    strong = AUGMENTATIONS["strong"]
    assert augmentation(config) == Augmentation(
        zoom=0.5,
        rotation=0.0,
        shift=0.2,
        shear=0.2,
        brightness=strong.brightness,
        contrast=strong.contrast,
        flip=False,
    )


def test_light_changes_contrast_and_brightness() -> None:
    light = random_light(500, AUGMENTATIONS["light"], torch.Generator().manual_seed(0))
    assert 0.8 <= light[:, 0].min() < 0.81
    assert 1.19 < light[:, 0].max() <= 1.2
    assert -0.2 <= light[:, 1].min() < -0.19
    assert 0.19 < light[:, 1].max() <= 0.2
