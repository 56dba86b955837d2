"""Jointed figures that act: people, animals, hands, birds, craft, shapes, machines and faces.

A figure draws itself through a `Pen` in coordinates of its own, about one unit tall, x to the front
and y down, at a share of the clip from 0 to 1 and a time in seconds.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Mask = NDArray[np.uint8]
Point = tuple[float, float]
Rng = np.random.Generator

TAU = 2 * math.pi
FAR = 3000.0  # pixels, beyond which OpenCV's fixed-point coordinates overflow
SUBPIXELS = 4  # bits

ACTIONS = {
    "person": (
        *("walk", "run", "march", "hop", "stand", "wave", "clap", "bend", "squat", "kick"),
        *("punch", "fall", "sit", "point", "reach", "jack", "skip", "throw", "crouch", "raise"),
    ),
    "pair": (
        *("approach", "depart", "shake hands", "hug", "push", "kick", "punch", "point", "idle"),
    ),
    "animal": ("trot", "gallop", "graze", "rear", "scratch", "leap", "lie", "groom", "sniff"),
    "hand": ("hold", "wag", "grasp", "push", "sweep", "circle", "beckon", "count"),
    "bird": ("flap", "glide", "swoop", "perch"),
    "craft": ("cruise", "hover", "bank", "climb", "rotor"),
    "shape": (
        *("constant", "bounce", "orbit", "accelerate", "spin", "pulse", "appear", "vanish"),
        "collide",
    ),
    "machine": ("wheel", "piston", "pendulum", "crank", "belt", "gears"),
    "medium": ("waves", "fire", "smoke", "rain", "flicker", "sway"),
    "face": ("talk", "chew", "nod", "shake head", "blink", "smile", "turn head"),
    "flock": ("coherent", "random", "swirl", "burst", "jitter"),
    "camera": ("none",),
}


def log_uniform(rng: Rng, low: float, high: float) -> float:
    """Return a random number whose logarithm is uniform."""
    return math.exp(rng.uniform(math.log(low), math.log(high)))


def random_color(rng: Rng) -> Numbers:
    """Return a random colour (3,), 0 to 255, from grey to vivid."""
    color = rng.uniform(0, 255, 3)
    grey = color.mean()
    mixed: Numbers = (grey + (color - grey) * rng.uniform(0, 1)).clip(0, 255)
    return mixed


def random_skin(rng: Rng) -> Numbers:
    """Return a random colour of skin (3,), 0 to 255."""
    base = np.array([224, 172, 140.0]) * rng.uniform(0.35, 1.08)
    skin: Numbers = (base + rng.normal(0, 10, 3)).clip(10, 255)
    return skin


def placed(x: float, y: float, scale: float, angle: float = 0.0, flip: int = 1) -> Numbers:
    """Return the matrix (3, 3) that mirrors (flip -1), scales, turns and moves."""
    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[cos * flip, -sin, x], [sin * flip, cos, y], [0, 0, 1.0]])


class Pen:
    """Draws in a figure's coordinates on a picture and on the mask of what was drawn."""

    def __init__(self, picture: MatLike, mask: Mask, matrix: Numbers) -> None:
        self.picture, self.mask, self.matrix = picture, mask, matrix
        self.scale = math.sqrt(abs(np.linalg.det(matrix[:2, :2])))

    def _pixel(self, point: Sequence[float] | Numbers) -> tuple[int, int]:
        at = self.matrix[:2, :2] @ np.asarray(point, float) + self.matrix[:2, 2]
        at = np.clip(at, -FAR, FAR)
        return round(at[0] * 16), round(at[1] * 16)

    def line(self, start: Point, end: Point, width: float, color: Numbers) -> None:
        """Draw a line with round ends."""
        thick = min(max(1, round(width * self.scale)), 250)
        first, last = self._pixel(start), self._pixel(end)
        cv2.line(self.picture, first, last, tuple(map(float, color)), thick, cv2.LINE_AA, SUBPIXELS)
        cv2.line(self.mask, first, last, 255, thick, cv2.LINE_AA, SUBPIXELS)

    def polygon(self, points: Sequence[Point] | Numbers, color: Numbers) -> None:
        """Draw a filled polygon."""
        corners = np.array([self._pixel(point) for point in points], np.int32)
        cv2.fillPoly(self.picture, [corners], tuple(map(float, color)), cv2.LINE_AA, SUBPIXELS)
        cv2.fillPoly(self.mask, [corners], 255, cv2.LINE_AA, SUBPIXELS)

    def oval(self, middle: Point, rx: float, ry: float, color: Numbers, angle: float = 0.0) -> None:
        """Draw a filled ellipse with these radii."""
        turn = np.linspace(0, TAU, 20, endpoint=False)
        cos, sin = math.cos(angle), math.sin(angle)
        x, y = rx * np.cos(turn), ry * np.sin(turn)
        points = [middle[0] + x * cos - y * sin, middle[1] + x * sin + y * cos]
        self.polygon(np.stack(points, 1), color)

    def moved(self, matrix: Numbers) -> "Pen":
        """Return a pen whose coordinates are brought into these by a matrix; as wide lines."""
        pen = Pen(self.picture, self.mask, self.matrix @ matrix)
        pen.scale = self.scale
        return pen


def turned(angle: float, dx: float = 0.0, dy: float = 0.0, scale: float = 1.0) -> Numbers:
    """Return the matrix (3, 3) that turns and scales about the origin, then moves."""
    cos, sin = math.cos(angle) * scale, math.sin(angle) * scale
    return np.array([[cos, -sin, dx], [sin, cos, dy], [0, 0, 1.0]])


def limb(start: Point, angle: float, length: float) -> Point:
    """Return the end of a limb: angle 0 is down, positive to the front."""
    return start[0] + length * math.sin(angle), start[1] + length * math.cos(angle)


def smooth(share: float) -> float:
    """Return 0 below 0, 1 above 1, and a smooth step between."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


def bump_at(share: float, start: float) -> float:
    """Return 0 before `start`, 1 in the middle of the next 0.35, then 0 again."""
    return math.sin(math.pi * min(max((share - start) / 0.35, 0), 1))


class Figure:
    """What acts; frequency in 1/s of what it repeats; color (3,) of most of it."""

    frequency: float
    color: Numbers
    fingers: Sequence[float] = (0, 0, 0, 0, 0)  # 1: stretched

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        raise NotImplementedError

    def turning(self, action: str) -> float:
        """Return how fast an action turns it, in radians a second, clockwise."""
        return 0.0


class Person(Figure):
    """A person from the side or the front."""

    def __init__(self, rng: Rng) -> None:
        self.fat = rng.uniform(0.7, 1.5)
        self.color, self.trousers = random_color(rng), random_color(rng)
        self.skin, self.hair = random_skin(rng), random_color(rng) * 0.5
        self.sleeve = rng.random() < 0.5
        self.head = rng.uniform(0.06, 0.08)
        self.front = rng.random() < 0.35
        self.leg = rng.uniform(0.22, 0.27)
        self.frequency = log_uniform(rng, 0.6, 2.5)
        self.phase = rng.uniform(0, TAU)
        self.begin = rng.uniform(0.1, 0.6)
        self.strength = rng.uniform(0.7, 1.3)
        self.both = rng.random() < 0.5

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        wave = TAU * self.frequency * seconds + self.phase
        much, swing = self.strength, math.sin(wave)
        forth, back = max(0.0, math.cos(wave)), max(0.0, -math.cos(wave))
        cycle = 0.5 - 0.5 * math.cos(wave)
        once = smooth((share - self.begin) / 0.3)
        bump = bump_at(share, self.begin)
        # Angles of joints, left and right; how far apart the feet are, in jumping jacks.
        hips, knees, arms, elbows = (0.05, 0.05), (0.05, 0.05), (0.12, -0.12), (0.15, 0.15)
        lean = down = roll = apart = 0.0
        match action:
            case "walk":
                hips = 0.45 * much * swing, -0.45 * much * swing
                knees = 0.4 * much * forth, 0.4 * much * back
                arms = -0.4 * much * swing, 0.4 * much * swing
                down = -0.01 * abs(swing)
            case "run":
                hips = 0.8 * much * swing, -0.8 * much * swing
                knees = 0.3 + 0.9 * forth, 0.3 + 0.9 * back
                arms, elbows = (-0.7 * swing, 0.7 * swing), (1.3, 1.3)
                lean, down = 0.15, -0.04 * abs(swing)
            case "march":
                hips = 1.1 * max(0.0, swing), 1.1 * max(0.0, -swing)
                knees = 1.2 * max(0.0, swing), 1.2 * max(0.0, -swing)
                arms = -0.6 * swing, 0.6 * swing
            case "hop":
                down, low = -0.15 * much * abs(swing), 1 - abs(swing)
                knees, hips = (0.5 * low, 0.5 * low), (0.25 * low, 0.25 * low)
                arms = (0.3 + 1.5 * abs(swing) * self.both,) * 2
            case "stand":
                lean = 0.03 * swing
            case "wave":
                arms = 2.6 if self.both else 0.1, 2.6 + 0.15 * swing
                elbows = -0.5 * swing * much if self.both else 0.1, 0.5 * swing * much
            case "clap":
                arms = 1.2, 1.2
                elbows = 0.4 + 0.5 * swing * much, 0.4 - 0.5 * swing * much
            case "bend":
                lean, arms = 1.3 * much * bump, (0.2 + bump, 0.2 + bump)
            case "squat":
                hips, knees = (1.1 * cycle, 1.1 * cycle), (2.0 * cycle, 2.0 * cycle)
                down, arms = 0.2 * cycle, (1.3 * cycle, 1.3 * cycle)
            case "kick":
                hips = 0.05, 1.5 * much * bump
                knees = 0.05, 0.7 * (1 - bump) * bump
                lean, arms = -0.15 * bump, (0.7 * bump, -0.12)
            case "punch":
                arms, elbows = (0.5, 1.5 * bump + 0.3), (1.8, 1.8 * (1 - bump))
                lean = 0.15 * bump
            case "fall":
                fallen = smooth((share - self.begin) / 0.25)
                roll, down = 1.45 * fallen, 0.42 * fallen
                knees, arms = (0.5 * once, 0.5 * once), (1.2 * once, 1.2 * once)
            case "sit":
                hips = knees = 1.4 * once, 1.4 * once
                down, lean = 0.2 * once, 0.25 * bump
            case "point":
                arms = 0.12, 1.45 * once + (0.1 * swing if self.both else 0)
                elbows = 0.15, 0
            case "jack":
                arms, elbows = (0.2 + 2.5 * cycle,) * 2, (0.1, 0.1)
                hips, apart = (-0.5 * cycle, 0.5 * cycle), 0.5 * cycle
                down = -0.05 * abs(swing)
            case "skip":
                hips, knees = (0.3 * swing, 0.5 * much + 0.2 * swing), (0.05, 1.2)
                down, arms = -0.08 * abs(swing), (0.3 * swing, -0.3 * swing)
            case "throw":
                arms = 0.12, 2.8 - 2.3 * smooth((share - self.begin) / 0.2)
                elbows, lean = (0.15, 1.2 * (1 - once)), 0.25 * bump
                hips = 0.3 * once, 0.05
            case "crouch":
                hips = 1.0 + 0.3 * swing, 1.0 - 0.3 * swing
                knees = 1.5 + 0.2 * swing, 1.5 - 0.2 * swing
                down, lean = 0.16, 0.6
            case "raise":
                high = smooth((share - self.begin) / 0.3) if self.both else cycle
                arms = 0.1 + 2.9 * high, 0.1 + 2.9 * high
            case "reach":
                arms = (2.7 * bump if self.both else 1.5 * bump,) * 2
                elbows, down = (0.1, 0.1), -0.03 * bump
        self._draw(pen.moved(turned(roll, 0.0, down)), hips, knees, arms, elbows, lean, apart)

    def _draw(
        self,
        pen: Pen,
        hips: Point,
        knees: Point,
        arms: Point,
        elbows: Point,
        lean: float,
        apart: float,
    ) -> None:
        thick = 0.07 * self.fat
        neck = limb((0.0, 0.0), math.pi - lean, 0.3)
        wide = 0.06 * self.fat if self.front else 0.015

        def arm(side: int, angle: float, bent: float) -> None:
            shoulder = neck[0] + side * wide * 1.4, neck[1] + 0.04
            if self.front:
                angle = side * abs(angle) if abs(angle) > 0.3 else side * 0.1 + 0.2 * angle
                bent = side * bent
            elbow = limb(shoulder, angle, 0.15)
            hand = limb(elbow, angle + bent, 0.15)
            pen.line(shoulder, elbow, thick * 0.65, self.color)
            pen.line(elbow, hand, thick * 0.5, self.color * 0.95 if self.sleeve else self.skin)
            pen.oval(hand, 0.028, 0.028, self.skin)

        def leg(side: int, angle: float, bent: float) -> None:
            if self.front:
                hip = side * wide, 0.0
                knee = (
                    hip[0] + side * (0.02 + 0.25 * apart),
                    self.leg * math.cos(angle),
                )
                foot = (
                    knee[0] + side * 0.25 * apart,
                    knee[1] + self.leg * math.cos(angle - bent),
                )
            else:
                hip = 0.0, 0.0
                knee = limb(hip, angle, self.leg)
                foot = limb(knee, angle - bent, self.leg)
            color = self.trousers * (1 if side > 0 else 0.85)
            pen.line(hip, knee, thick, color)
            pen.line(knee, foot, thick * 0.8, color)
            toes = foot[0] + (0.05 if not self.front else 0), foot[1] + 0.01
            pen.line(foot, toes, 0.04, self.hair)

        leg(-1, hips[0], knees[0])
        arm(-1, arms[0], elbows[0])
        pen.line((0, 0.0), neck, thick * (1.9 if self.front else 1.5), self.color)
        head = neck[0] + 0.02 * lean, neck[1] - 0.09
        pen.line(neck, head, 0.05, self.skin)
        pen.oval(head, self.head * 0.85, self.head, self.skin)
        hair = head[0] - (0 if self.front else 0.02), head[1] - 0.03
        pen.oval(hair, self.head * 0.85, self.head * 0.6, self.hair)
        leg(1, hips[1], knees[1])
        arm(1, arms[1], elbows[1])


class Animal(Figure):
    """An animal on four legs from the side, or from above."""

    def __init__(self, rng: Rng) -> None:
        bright = rng.random() < 0.6
        self.color = random_color(rng) * (1 if bright else 0.4)
        self.other = self.color * rng.uniform(0.6, 1.2)
        self.length, self.fat = rng.uniform(0.25, 0.45), rng.uniform(0.08, 0.2)
        self.leg, self.neck = rng.uniform(0.05, 0.28), rng.uniform(0.05, 0.3)
        self.tail = rng.uniform(0.1, 0.5)
        self.frequency = log_uniform(rng, 0.7, 4)
        self.phase, self.begin = rng.uniform(0, TAU), rng.uniform(0.1, 0.6)
        self.ear = rng.uniform(0.02, 0.08)
        self.above = rng.random() < 0.25

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        wave = TAU * self.frequency * seconds + self.phase
        swing, fast = math.sin(wave), math.sin(3 * wave)
        bump = bump_at(share, self.begin)
        legs, pitch, down, neck = (0.0, 0.0, 0.0, 0.0), 0.0, 0.0, 0.8
        match action:
            case "trot":
                legs = 0.5 * swing, -0.5 * swing, -0.5 * swing, 0.5 * swing
            case "gallop":
                legs = 0.9 * swing, 0.8 * swing, -0.9 * swing, -0.8 * swing
                pitch, down = 0.12 * math.cos(wave), -0.05 * abs(swing)
            case "graze":
                neck = 2.2 + 0.15 * swing
            case "rear":
                pitch, neck = -0.9 * smooth((share - self.begin) / 0.25), 1.0
            case "scratch":
                neck, legs, pitch = 1.9 + 0.25 * fast, (0, 0, 0.8 + 0.4 * fast, 0), -0.3
            case "leap":
                down = -0.3 * bump
                legs = 0.9 * bump, 0.9 * bump, -0.9 * bump, -0.9 * bump
            case "groom":
                neck, pitch = 2.0 + 0.3 * fast, -0.7
                legs = 0.5 + 0.3 * fast, 0.5 - 0.3 * fast, 0, 0
            case "sniff":
                neck = 1.3 + 0.4 * swing
                legs = 0.2 * swing, -0.2 * swing, -0.2 * swing, 0.2 * swing
            case "lie":
                lain = smooth((share - self.begin) / 0.3)
                down, legs = self.leg * lain, (1.4 * lain,) * 4
        pen = pen.moved(turned(pitch, 0, down))
        if self.above:
            self._draw_from_above(pen, wave, legs)
        else:
            self._draw_from_the_side(pen, 0.3 * math.sin(wave * 0.5), neck, legs)

    def _draw_from_above(self, pen: Pen, wave: float, legs: Sequence[float]) -> None:
        length, fat = self.length, self.fat
        pen.oval((0, 0), length * 0.6, fat, self.color, 0)
        bend = 0.3 * math.sin(wave)
        pen.oval((length * 0.65, 0.1 * bend), fat * 0.7, fat * 0.55, self.other)
        for k in range(6):
            x, y = -length * 0.6 - k * self.tail / 6, 0.06 * math.sin(wave - k)
            end = -length * 0.6 - (k + 1) * self.tail / 6, 0.06 * math.sin(wave - k - 1)
            pen.line((x, y), end, 0.025, self.other)
        places = ((1, 1), (1, -1), (-1, 1), (-1, -1))
        for (front, side), angle in zip(places, legs, strict=True):
            x, y = front * length * 0.35, side * fat
            pen.line((x, y * 0.8), (x + 0.1 * angle, y * 1.3), 0.035, self.other)

    def _draw_from_the_side(
        self, pen: Pen, tail: float, neck: float, legs: Sequence[float]
    ) -> None:
        length, fat = self.length, self.fat

        def leg(x: float, angle: float, thick: float, thin: float, color: Numbers) -> None:
            hip = x, fat * 0.5
            knee = limb(hip, angle, self.leg * 0.6)
            pen.line(hip, knee, fat * thick, color)
            pen.line(knee, limb(knee, angle * 0.4 - 0.1, self.leg * 0.6), fat * thin, color)

        leg(length * 0.45, legs[1], 0.35, 0.25, self.color * 0.8)
        leg(-length * 0.45, legs[3], 0.35, 0.25, self.color * 0.8)
        for k in range(5):
            x = -length * 0.55 - k * self.tail / 5
            end = x - self.tail / 5, -0.03 * (k + 1) + 0.04 * tail * (k + 1)
            pen.line((x, -0.03 * k + 0.04 * tail * k), end, 0.03, self.other)
        pen.oval((0, 0), length * 0.62, fat, self.color)
        root = length * 0.5, -fat * 0.3
        top = root[0] + self.neck * math.sin(neck), root[1] - self.neck * math.cos(neck)
        pen.line(root, top, fat * 0.8, self.color)
        pen.oval((top[0] + 0.05, top[1]), fat * 0.65 + 0.03, fat * 0.45 + 0.01, self.other, 0.3)
        pen.oval((top[0], top[1] - fat * 0.45), self.ear * 0.5, self.ear, self.other)
        leg(length * 0.4, legs[0], 0.4, 0.28, self.other)
        leg(-length * 0.4, legs[2], 0.4, 0.28, self.other)
