"""Views of stored frames, straight and random."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from vidgru.data.views import Augmentation, cut, random_light, random_views, straight_view


@pytest.mark.parametrize("shape", [(24, 24), (20, 30)])
def test_a_view_is_what_grid_sample_gives(shape: tuple[int, int]) -> None:
    smooth = torch.nn.functional.interpolate(torch.rand(1, 3, 5, 5), shape, mode="bicubic")
    frames = (smooth.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1).contiguous()
    views = random_views(20, Augmentation(rotation=40, flip=True), torch.Generator().manual_seed(1))
    for view in [*views, straight_view(), straight_view(mirrored=True)]:
        grid = functional.affine_grid(view[None], [1, 1, 16, 16], align_corners=False)
        expected = functional.grid_sample(
            frames.permute(0, 3, 1, 2).float(), grid, padding_mode="border", align_corners=False
        )
        found = torch.from_numpy(cut(frames.numpy(), view, 16)).permute(0, 3, 1, 2).float()
        # OpenCV rounds places to 1/32 pixel and colours to whole numbers.
        assert (found - expected).abs().max() < 4
        assert (found - expected).abs().mean() < 0.6


def test_the_straight_view_is_the_middle_and_may_be_mirrored() -> None:
    frames = np.zeros((2, 40, 40, 3), np.uint8)
    frames[:, :, :20, 1] = 200
    seen = cut(frames, straight_view(), 36)
    assert seen.shape == (2, 36, 36, 3)
    assert (seen[:, :, :18, 1] == 200).all()
    assert (seen[:, :, 18:] == 0).all()
    assert np.array_equal(cut(frames, straight_view(mirrored=True), 36), seen[:, :, ::-1])


def test_views_move_turn_and_mirror_within_their_ranges() -> None:
    ranges = Augmentation(zoom=(0.5, 0.8), rotation=30, shift=0.1, flip=True)
    matrix = random_views(500, ranges, torch.Generator().manual_seed(0))
    scale = matrix[:, :, 0].norm(dim=1)
    assert 0.5 <= scale.min() < 0.52
    assert 0.78 < scale.max() <= 0.8
    angle = torch.rad2deg(torch.asin(matrix[:, 1, 1] / matrix[:, :, 1].norm(dim=1)).abs())
    assert 60 - 0.1 <= angle.min() < 62
    assert 0.09 < matrix[:, :, 2].abs().max() <= 0.1
    mirrored = matrix[:, :, :2].det() < 0
    assert 200 < mirrored.sum() < 300
    still = Augmentation(zoom=(1, 1), rotation=0, shift=0, flip=False)
    expected = torch.eye(2, 3).expand(4, 2, 3)
    assert torch.equal(random_views(4, still, torch.Generator()), expected)


def test_light_changes_contrast_and_brightness() -> None:
    light = random_light(500, Augmentation(), torch.Generator().manual_seed(0))
    assert 0.8 <= light[:, 0].min() < 0.81
    assert 1.19 < light[:, 0].max() <= 1.2
    assert -0.2 <= light[:, 1].min() < -0.19
    assert 0.19 < light[:, 1].max() <= 0.2
