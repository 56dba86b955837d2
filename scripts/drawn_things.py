"""More figures that act: hands, birds, craft, shapes, machines and faces; see drawn_figures."""

import math
from collections.abc import Sequence

import numpy as np
from drawn_figures import (
    TAU,
    Figure,
    Numbers,
    Pen,
    Rng,
    log_uniform,
    random_color,
    random_skin,
    smooth,
    turned,
)

SIGNS = (
    (0, 1, 0, 0, 0),
    (1, 1, 1, 1, 1),
    (0, 0, 0, 0, 0),
    (0, 1, 1, 0, 0),
    (1, 0, 0, 0, 0),
    (0, 0, 0, 0, 1),
    (0, 1, 1, 1, 1),
)  # common hand signs: thumb first, 1 is stretched
LENGTHS = (0.24, 0.28, 0.26, 0.2)  # of fingers
EYE, MOUTH = np.array([235, 235, 230.0]), np.array([60, 20, 25.0])


class Hand(Figure):
    """A hand with an arm."""

    def __init__(self, rng: Rng) -> None:
        self.color = random_skin(rng) if rng.random() < 0.8 else random_color(rng)
        self.fingers = [float(value < 0.5) for value in rng.random(5)]
        if rng.random() < 0.35:
            self.fingers = SIGNS[int(rng.integers(7))]
        self.spread = rng.uniform(0.02, 0.28)
        self.sleeve = random_color(rng)
        self.arm = rng.uniform(0.0, 1.2)
        self.frequency = log_uniform(rng, 0.5, 3)
        self.phase, _ = rng.uniform(0, TAU), rng.uniform(0.1, 0.6)
        self.thin = rng.uniform(0.8, 1.2)
        self.signs = [[float(value < 0.5) for value in rng.random(5)] for _ in range(4)]

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        wave = TAU * self.frequency * seconds + self.phase
        swing = math.sin(wave)
        angle = dx = dy = 0.0
        scale = 1.0
        stretched: Sequence[float] = self.fingers
        match action:
            case "wag":
                angle = 0.45 * swing
            case "grasp":
                stretched = [0.5 + 0.5 * swing] * 5
            case "push":
                scale = 1 + 0.35 * swing
            case "sweep":
                dx = 0.35 * swing
            case "circle":
                dx, dy = 0.22 * math.cos(wave), 0.22 * swing
            case "beckon":
                stretched = [value * (0.6 + 0.4 * swing) for value in self.fingers]
            case "count":
                stretched = self.signs[min(int(share * 4), 3)]
            case _:
                angle, dx = 0.06 * swing, 0.02 * math.cos(wave * 0.7)
        self._draw(pen.moved(turned(angle, dx, dy, scale)), stretched)

    def _draw(self, pen: Pen, stretched: Sequence[float]) -> None:
        thin, skin, dark = self.thin, self.color, self.color * 0.78
        pen.line((0, 0.2), (0.02, 0.2 + self.arm * 0.5), 0.15 * thin, skin)
        if self.arm > 0.4:
            pen.line((0.0, 0.42), (0.02, 0.2 + self.arm), 0.24 * thin, self.sleeve)
        palm = (
            *((-0.13, -0.1), (0.13, -0.1), (0.12, 0.16)),
            *((0.06, 0.24), (-0.06, 0.24), (-0.12, 0.16)),
        )
        pen.polygon(palm, skin)
        for k in range(4):
            x, angle = -0.1 + 0.066 * k, (k - 1.5) * self.spread
            length = LENGTHS[k] * (0.25 + 0.75 * stretched[k + 1])
            tip = x + length * math.sin(angle), -0.1 - length * math.cos(angle)
            pen.line((x, -0.07), tip, 0.075 * thin, dark)
            pen.line((x, -0.07), tip, 0.058 * thin, skin)
            if stretched[k + 1] < 0.4:
                pen.oval((x, -0.06), 0.03, 0.05, dark)
                pen.oval((x, -0.07), 0.024, 0.04, skin)
        if stretched[0] > 0.5:
            pen.line((-0.1, 0.1), (-0.27, -0.06), 0.08 * thin, dark)
            pen.line((-0.1, 0.1), (-0.26, -0.055), 0.062 * thin, skin)
        else:
            pen.line((-0.11, 0.08), (0.0, 0.0), 0.075 * thin, dark)
            pen.line((-0.11, 0.08), (-0.01, 0.0), 0.058 * thin, skin)


class Bird(Figure):
    """A bird from the side, or from the front."""

    def __init__(self, rng: Rng) -> None:
        self.color = random_color(rng) * rng.uniform(0.2, 1)
        self.other = self.color * rng.uniform(0.5, 1.2)
        self.frequency = log_uniform(rng, 1.0, 5)
        self.phase, self.span = rng.uniform(0, TAU), rng.uniform(0.3, 0.6)
        self.fat, self.chord = rng.uniform(0.04, 0.1), rng.uniform(0.08, 0.2)
        self.side = rng.random() < 0.6

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        wave = TAU * self.frequency * seconds + self.phase
        wings = {
            "flap": math.sin(wave),
            "glide": 0.15,
            "swoop": math.sin(wave) * (share < 0.5) - 0.4 * (share >= 0.5),
            "perch": -1.2 + 0.1 * math.sin(wave * 0.3),
        }[action]
        if self.side:
            pen.oval((0, 0), 0.22, self.fat, self.color)
            pen.oval((0.22, -0.03), 0.06, 0.05, self.other)
            pen.polygon([(-0.2, 0), (-0.38, -0.05), (-0.36, 0.05)], self.other)
            pen.polygon([(0.08, 0), (-0.12, 0), (-0.1, -self.span * wings)], self.other)
            return
        pen.oval((0, 0), 0.05, self.fat * 1.3, self.color)
        for side in (-1, 1):
            bend = side * self.span * 0.5, -0.2 * wings
            tip = (
                side * self.span * (1 - 0.15 * abs(wings)),
                -0.35 * wings * (0.6 if wings > 0 else 1),
            )
            wing = [
                *((0, -0.03), (bend[0], bend[1] - 0.02), tip),
                *((bend[0], bend[1] + self.chord * 0.7), (0, self.chord)),
            ]
            pen.polygon(wing, self.other)


class Craft(Figure):
    """A plane from below or the side, a helicopter, a drone or a car."""

    def __init__(self, rng: Rng) -> None:
        self.kind = int(rng.integers(4))
        self.color, self.other = random_color(rng), random_color(rng)
        self.frequency, self.phase = rng.uniform(4, 10), rng.uniform(0, TAU)
        self.fat, self.width = rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.5)
        self.sweep = rng.uniform(-0.05, 0.25)

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment; what it does lies in its path and its rotors."""
        wave = TAU * self.frequency * seconds + self.phase
        cos = math.cos(wave)
        color, other = self.color, self.other
        if self.kind == 0:
            pen.oval((0, 0), 0.45, self.fat, color)
            for side in (-1, 1):
                x, y = -0.05 - self.sweep, side * self.width
                pen.polygon([(0.1, 0), (x, y), (-0.12 - self.sweep, y), (-0.08, 0)], other)
            tail = [(-0.33, 0), (-0.45, -0.15), (-0.48, 0.0), (-0.45, 0.15)]
            pen.polygon(tail, other)
        elif self.kind == 1:
            pen.oval((0, 0), 0.42, self.fat, color)
            pen.polygon([(-0.3, 0), (-0.45, -0.2), (-0.36, -0.2), (-0.2, 0)], other)
            pen.line((0.05, 0.01), (-0.15, 0.06), 0.03, other)
        elif self.kind == 2:
            pen.oval((0.1, 0), 0.2, 0.1, color)
            pen.line((0, -0.02), (-0.42, -0.04), 0.04, color)
            end = -0.42 + 0.07 * math.cos(3 * wave), -0.04 + 0.07 * math.sin(3 * wave)
            pen.line((-0.42, -0.04), end, 0.02, other)
            pen.line((0.1 - 0.42 * cos, -0.13), (0.1 + 0.42 * cos, -0.13), 0.02, other)
            pen.line((-0.02, 0.13), (0.25, 0.13), 0.015, other)
        elif self.sweep > 0.1:
            pen.oval((0, 0), 0.12, 0.06, color)
            for x in (-0.3, 0.3):
                pen.line((0, 0), (x, -0.06), 0.03, color)
                pen.line((x - 0.14 * cos, -0.09), (x + 0.14 * cos, -0.09), 0.02, other)
        else:
            body = [
                *((-0.45, 0.1), (-0.45, -0.02), (-0.25, -0.05), (-0.15, -0.18)),
                *((0.15, -0.18), (0.28, -0.04), (0.45, 0), (0.45, 0.1)),
            ]
            pen.polygon(body, color)
            window = [(-0.18, -0.05), (-0.12, -0.15), (0.12, -0.15), (0.2, -0.05)]
            pen.polygon(window, other)
            for x in (-0.28, 0.28):
                pen.oval((x, 0.1), 0.08, 0.08, color * 0.2)
                end = x + 0.07 * cos, 0.1 + 0.07 * math.sin(wave)
                pen.line((x, 0.1), end, 0.02, other)


class Shape(Figure):
    """An ellipse, a polygon, a star or a blob."""

    def __init__(self, rng: Rng) -> None:
        corners = int(rng.integers(3, 9))
        angles = np.linspace(0, TAU, 48, endpoint=False)
        kind = int(rng.integers(4))
        if kind == 0:
            self.points = np.stack([np.cos(angles), np.sin(angles) * rng.uniform(0.4, 1)], 1) * 0.45
        elif kind == 1:
            angles = np.arange(corners) * TAU / corners
            self.points = np.stack([np.cos(angles), np.sin(angles)], 1) * 0.48
        elif kind == 2:
            angles = np.arange(2 * corners) * TAU / (2 * corners)
            radii = np.where(np.arange(2 * corners) % 2, 0.2 + 0.15 * rng.random(), 0.48)
            self.points = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], 1)
        else:
            radii = np.zeros(48)
            for k in range(2, 6):
                radii = radii + rng.normal(0, 0.05) * np.cos(k * angles + rng.uniform(0, 6))
            radii = 0.35 + radii
            self.points = np.stack([np.cos(angles) * radii, np.sin(angles) * radii], 1)
        self.color, self.other = random_color(rng), random_color(rng)
        self.frequency, self.phase = log_uniform(rng, 0.3, 2), rng.uniform(0, TAU)
        self.marked = rng.random() < 0.6
        self.begin, self.way = rng.uniform(0.2, 0.7), rng.choice([-1, 1])

    def turning(self, action: str) -> float:
        """Return how fast an action turns it, in radians a second, clockwise."""
        return self.way * TAU * self.frequency if action == "spin" else 0.0

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        if (action == "appear" and share < self.begin) or (
            action == "vanish" and share > self.begin
        ):
            return
        wave = TAU * self.frequency * seconds + self.phase
        scale = 1 + 0.4 * math.sin(wave) if action == "pulse" else 1.0
        matrix = turned(self.way * wave if action == "spin" else 0.0, scale=scale)[:2, :2]
        pen.polygon(self.points @ matrix.T, self.color)
        if self.marked:
            x, y = matrix @ np.array([0.2, 0])
            pen.oval((x, y), 0.09 * scale, 0.09 * scale, self.other)
        if action == "collide":
            away = 0.9 * abs(share - self.begin) + 0.42
            pen.polygon(self.points @ matrix.T + np.array([away, 0.1 * away]), self.other)


class Machine(Figure):
    """A part of a machine."""

    def __init__(self, rng: Rng) -> None:
        self.color, self.other, self.third = (random_color(rng) for _ in range(3))
        self.count = int(rng.integers(3, 10))
        self.frequency, self.phase = log_uniform(rng, 0.2, 2), rng.uniform(0, TAU)
        self.way = rng.choice([-1, 1])

    def turning(self, action: str) -> float:
        """Return how fast an action turns it, in radians a second, clockwise."""
        return self.way * TAU * self.frequency if action in ("wheel", "crank") else 0.0

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        wave = self.way * TAU * self.frequency * seconds + self.phase
        cos, sin = math.cos(wave), math.sin(wave)
        match action:
            case "wheel":
                pen.oval((0, 0), 0.45, 0.45, self.color)
                pen.oval((0, 0), 0.38, 0.38, self.third)
                for k in range(self.count):
                    angle = wave + k * TAU / self.count
                    end = 0.4 * math.cos(angle), 0.4 * math.sin(angle)
                    pen.line((0, 0), end, 0.04, self.other)
            case "piston":
                y = 0.18 * sin
                _box(pen, -0.2, -0.45, 0.2, 0.1, self.color)
                _box(pen, -0.15, -0.3 + y, 0.15, -0.1 + y, self.other)
                pen.line((0, -0.2 + y), (0, 0.45), 0.06, self.third)
            case "pendulum":
                angle = 0.8 * sin
                end = 0.8 * math.sin(angle), -0.45 + 0.8 * math.cos(angle)
                pen.line((0, -0.45), end, 0.03, self.color)
                pen.oval(end, 0.12, 0.12, self.other)
            case "crank":
                x, end = 0.35 + 0.16 * cos, (-0.25 + 0.16 * cos, 0.16 * sin)
                pen.oval((-0.25, 0), 0.22, 0.22, self.color)
                pen.line(end, (x, 0), 0.05, self.other)
                _box(pen, x - 0.1, -0.1, x + 0.1, 0.1, self.third)
            case "belt":
                pen.line((-0.5, 0.15), (0.5, 0.15), 0.08, self.color)
                for k in range(5):
                    x = ((k / 5 + wave * 0.08) % 1) - 0.5
                    _box(pen, x - 0.06, -0.02, x + 0.06, 0.1, self.other)
            case _:
                teeth = self.count + 3
                self._gear(pen, -0.22, 0.2, wave, teeth, self.color)
                self._gear(pen, 0.24, 0.2, -wave + math.pi / teeth, teeth, self.other)

    def _gear(
        self, pen: Pen, x: float, radius: float, angle: float, teeth: int, color: Numbers
    ) -> None:
        pen.oval((x, 0), radius, radius, color)
        for k in range(teeth):
            cos, sin = math.cos(angle + k * TAU / teeth), math.sin(angle + k * TAU / teeth)
            inner, outer = radius * 0.9, radius * 1.2
            start, end = (x + inner * cos, 0 + inner * sin), (x + outer * cos, 0 + outer * sin)
            pen.line(start, end, radius * 0.3, color)
        pen.oval((x, 0), radius * 0.35, radius * 0.35, self.third)


def _box(pen: Pen, left: float, top: float, right: float, bottom: float, color: Numbers) -> None:
    pen.polygon([(left, top), (right, top), (right, bottom), (left, bottom)], color)


class Face(Figure):
    """A face from the front."""

    def __init__(self, rng: Rng) -> None:
        self.color, self.hair = random_skin(rng), random_color(rng) * 0.5
        self.lip = self.color * np.array([0.9, 0.6, 0.6])
        self.frequency, self.phase = log_uniform(rng, 0.7, 3), rng.uniform(0, TAU)
        self.width, self.mouth = rng.uniform(0.28, 0.38), rng.uniform(0.1, 0.17)
        self.speech = rng.normal(0, 1, 4)
        self.close = rng.random() < 0.4

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        wave = TAU * self.frequency * seconds + self.phase
        swing = math.sin(wave)
        dx = dy = smile = 0.0
        opened, wide, eye = 0.02, self.mouth, 0.03
        match action:
            case "talk":
                a, b, c, _ = self.speech
                sound = a * math.sin(wave) + b * math.sin(2.3 * wave)
                opened = 0.05 + 0.05 * (sound + c * math.sin(3.1 * wave + 1))
                wide *= 1 + 0.2 * math.sin(1.3 * wave)
            case "chew":
                opened, smile = 0.03, 0.02 * swing
                wide *= 1 + 0.1 * swing
            case "nod":
                dy = 0.08 * swing
            case "shake head":
                dx = 0.1 * swing
            case "blink":
                eye = 0.03 if swing < 0.6 else 0.004
            case "smile":
                much = smooth((share - 0.3) / 0.3)
                smile = 0.06 * much
                wide *= 1 + 0.4 * much
            case "turn head":
                dx = 0.16 * (2 * share - 1)
        if self.close:
            pen = pen.moved(np.array([[2.2, 0, 0], [0, 2.2, -0.35], [0, 0, 1.0]]))
        self._draw(pen, (dx, dy), max(opened, 0.008), wide, eye, smile)

    def _draw(
        self,
        pen: Pen,
        shift: tuple[float, float],
        opened: float,
        wide: float,
        eye: float,
        smile: float,
    ) -> None:
        dx, dy = shift
        pen.oval((0, -0.08), self.width * 1.1, 0.46, self.hair)
        pen.oval((0, 0), self.width, 0.44, self.color)
        for side in (-1, 1):
            pen.oval((side * 0.13 + dx, -0.1 + dy), 0.05, eye, EYE)
            pupil = side * 0.13 + dx * 1.1, -0.1 + dy
            pen.oval(pupil, min(0.02, eye), eye, self.hair * 0.5)
            brow = side * 0.08 + dx, -0.17 + dy
            pen.line(brow, (side * 0.18 + dx, -0.18 + dy), 0.02, self.hair)
        nose = dx * 1.3, -0.08 + dy
        pen.line(nose, (dx * 1.4, 0.07 + dy), 0.03, self.color * 0.85)
        y = 0.2 + dy + 0.25 * opened
        pen.oval((dx, y), wide, 0.025 + opened, self.lip)
        pen.oval((dx, y), wide * 0.8, opened, MOUTH)
        if smile:
            for side in (-1, 1):
                corner = dx + side * wide * 0.6, y
                end = dx + side * wide * 1.1, y - smile * 1.6
                pen.line(corner, end, 0.03, self.lip)
