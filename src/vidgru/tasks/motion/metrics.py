"""Errors of motion fields, compared with baselines without a model."""

import torch
from torch import Tensor

from vidgru.tasks.motion.crps import mixed_crps
from vidgru.tasks.motion.fields import (
    SLACK,
    MotionPrediction,
    at_times,
    is_sure,
    known_times,
    lengths_of,
    targets,
)
from vidgru.tasks.motion.flow import MOVING
from vidgru.tasks.motion.network import FIELDS
from vidgru.tasks.motion.results import AHEAD
from vidgru.tasks.motion.scores import EndpointErrors, FieldScores, MotionScores

BACK = 0.25  # seconds over which acceleration is measured
ANGLE_BINS, SPEED_BINS, FASTEST = 3600, 4000, 4.0  # of 180 degrees, and of relative errors up to
MODEL, ZERO, PERSISTENCE, ACCELERATION = range(4)


def baselines(velocity: Tensor, rate: float) -> Tensor:
    """Return (T, 4, FIELDS, grid, grid, 2): a free place, zero, persistence, constant acceleration.

    velocity: measured (T, grid, grid, 2). Each baseline knows it up to its own time and no further;
    the acceleration needs `BACK` seconds.
    """
    steps = len(velocity)
    earlier = at_times(velocity[None], torch.arange(steps, dtype=torch.float64)[None] - BACK * rate)
    change = (velocity - earlier[0]) / BACK
    found = velocity.new_zeros(steps, 4, FIELDS, *velocity.shape[1:])
    for place, ahead in enumerate((0.0, *AHEAD)):
        found[:, PERSISTENCE, place] = velocity
        found[:, ACCELERATION, place] = velocity + ahead * change
    return found


class MetricAccumulator:
    """Sums of errors, clip by clip, in constant memory.

    All are measured on the same cells and times: those that every baseline can predict. `sums` can
    be added to those of other accumulators.
    """

    def __init__(self) -> None:
        sizes: dict[str, tuple[int, ...]] = {
            "pieces": (1,),
            "count": (FIELDS,),
            "below": (FIELDS,),
            "spread": (FIELDS,),
            "crps": (FIELDS,),
            "moving": (FIELDS,),
            "sure": (FIELDS,),
        }
        sizes |= {"widths": (4, FIELDS), "pixels": (4, FIELDS), "sure_widths": (4, FIELDS)}
        sizes |= {"angles": (ANGLE_BINS,), "speeds": (SPEED_BINS,)}
        self.sums = {name: torch.zeros(size, dtype=torch.float64) for name, size in sizes.items()}

    def add(
        self, predicted: MotionPrediction, fields: Tensor, rate: float, width: int, height: int
    ) -> None:
        """Add the predictions for a clip, of each frame (T, ...), and its ground truth.

        fields: (T, grid, grid, 5), velocity in widths/s and heights/s, true and
        measured, and what moves; rate: frames/s; width and height: of the source in pixels.
        """
        steps, aspect = len(fields), height / width
        rates = torch.tensor([rate], dtype=torch.float64)
        known = known_times(torch.tensor([steps]), rates, steps)[0]
        known &= torch.arange(steps)[:, None] >= 1 + BACK * rate - SLACK
        velocity = fields[..., :2].double()
        target = targets(velocity[None], rates, steps)[0]
        velocities = baselines(fields[..., 2:4].double(), rate)
        velocities[:, MODEL] = predicted.velocity.double()
        errors = lengths_of(velocities - target[:, None], aspect)  # (T, 4, FIELDS, grid, grid)
        errors *= known[:, None, :, None, None]
        total = errors.sum((0, 3, 4))
        cells = fields.shape[1] * fields.shape[2]
        spread = predicted.spread.double()
        self.sums["pieces"] += 1
        self.sums["count"] += known.sum(0) * cells
        self.sums["widths"] += total
        self.sums["pixels"] += total * width
        self.sums["spread"] += (spread * known[..., None, None]).sum((0, 2, 3))
        means = predicted.means.double()  # (T, 2, FIELDS, grid, grid, 2)
        scored = mixed_crps(
            lengths_of(means - target[:, None], aspect).movedim(1, 0),
            predicted.spreads.movedim(1, 0),
            lengths_of(means[:, 0] - means[:, 1], aspect),
            predicted.odds.double().sigmoid(),
        )
        self.sums["crps"] += (scored * known[..., None, None]).sum((0, 2, 3))
        below = (errors[:, MODEL] < spread) & known[..., None, None]
        self.sums["below"] += below.sum((0, 2, 3))
        moving = (lengths_of(velocity, aspect) >= MOVING)[:, None] & known[..., None, None]
        sure = moving & is_sure(predicted)
        self.sums["moving"] += moving.sum((0, 2, 3))
        self.sums["sure"] += sure.sum((0, 2, 3))
        self.sums["sure_widths"] += (errors * sure[:, None]).sum((0, 3, 4))
        self._add_directions(velocities[:, MODEL, 0], velocity, known[:, 0], aspect)

    def _add_directions(self, velocity: Tensor, true: Tensor, known: Tensor, aspect: float) -> None:
        """Add the errors of directions and speeds, of moving cells."""
        speed, predicted = lengths_of(true, aspect), lengths_of(velocity, aspect)
        moving = (speed >= MOVING) & known[:, None, None]
        scale = torch.tensor([1.0, aspect], dtype=torch.float64)
        a, b = (velocity * scale)[moving], (true * scale)[moving]
        cross = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        angles = torch.atan2(cross.abs(), (a * b).sum(1)).rad2deg()
        off = (predicted - speed)[moving].abs() / speed[moving]
        for name, values, most in (("angles", angles, 180.0), ("speeds", off, FASTEST)):
            bins = len(self.sums[name])
            places = (values * (bins / most)).long().clamp(0, bins - 1)
            self.sums[name] += torch.bincount(places, minlength=bins)

    def scores(self) -> MotionScores:
        """Return the scores of everything added."""
        fields = tuple(self._field(place, ahead) for place, ahead in enumerate((0.0, *AHEAD)))
        return MotionScores(
            pieces=int(self.sums["pieces"]),
            fields=fields,
            angle=_median(self.sums["angles"], 180.0),
            speed=_median(self.sums["speeds"], FASTEST),
        )

    def _field(self, place: int, ahead: float) -> FieldScores:
        count, moving, sure = (
            float(self.sums[name][place]) for name in ("count", "moving", "sure")
        )
        if count == 0:
            return FieldScores(ahead, 0, None, None, None, None, None)
        errors = self._errors
        return FieldScores(
            seconds=ahead,
            cells=int(count),
            widths=errors("widths", place, count),
            pixels=errors("pixels", place, count),
            covered=float(self.sums["below"][place]) / count,
            spread=float(self.sums["widths"][MODEL, place] / self.sums["spread"][place]),
            crps=float(self.sums["crps"][place]) / count,
            moving=int(moving),
            sure=sure / moving if moving else None,
            sure_widths=errors("sure_widths", place, sure) if sure else None,
        )

    def _errors(self, name: str, place: int, count: float) -> EndpointErrors:
        means = (self.sums[name][:, place] / count).tolist()
        baselines = (means[PERSISTENCE], means[ACCELERATION]) if place else (None, None)
        return EndpointErrors(means[MODEL], means[ZERO], *baselines)


def _median(counts: Tensor, most: float) -> float | None:
    """Return the middle of the bin in which half of the values are reached; None without any."""
    if not counts.any():
        return None
    place = int(torch.searchsorted(counts.cumsum(0), counts.sum() / 2))
    return (place + 0.5) * most / len(counts)
