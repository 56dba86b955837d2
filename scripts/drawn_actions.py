"""Short videos of figures that act before changing places, from a seed, and what they show."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from cv2.typing import MatLike
from drawn_figures import (
    ACTIONS,
    TAU,
    Animal,
    Figure,
    Numbers,
    Pen,
    Person,
    Rng,
    log_uniform,
    placed,
    random_color,
    smooth,
)
from drawn_scenes import texture
from drawn_things import Bird, Craft, Face, Hand, Machine, Shape
from numpy.typing import NDArray

Picture = MatLike  # float32 or float64 (h, w, 3), 0 to 255

DRAWN, SIDE, FRAMES = 144, 72, 24  # pixels a side while drawing and in the end; of a clip
PLACE, PATTERN, PATTERNS = 288, 192, 240  # pixels a side; number of patterns
KINDS = tuple(ACTIONS)
ALL = [(kind, action) for kind in KINDS for action in ACTIONS[kind]]
SHARES = [0.17, 0.1, 0.11, 0.16, 0.07, 0.09, 0.08, 0.06, 0.05, 0.05, 0.03, 0.03]  # of KINDS
CAMERAS = ("still", "pan", "zoom", "roll", "shake", "jump")
CAMERA_SHARES = [0.45, 0.2, 0.1, 0.06, 0.14, 0.05]
FIGURES: dict[str, Callable[[Rng], Figure]] = {
    "person": Person,
    "pair": Person,
    "animal": Animal,
    "hand": Hand,
    "bird": Bird,
    "craft": Craft,
    "shape": Shape,
    "machine": Machine,
    "face": Face,
}
PASSERS = ("shape", "person", "animal", "craft")  # besides what the video is about
TRAVELLING = {
    *("walk", "run", "march", "skip", "crouch", "hop", "trot", "gallop", "leap"),
    *("flap", "glide", "swoop", "cruise", "climb", "bank", "constant", "accelerate"),
}
# What the two of a pair do; of several, the second if the first person's `both` is set.
PAIRS = {
    "approach": ("walk", "stand", "walk"),
    "depart": ("walk", "stand", "walk"),
    "shake hands": ("point", "point"),
    "hug": ("reach", "reach"),
    "push": ("reach", "stand"),
    "kick": ("kick", "stand"),
    "punch": ("punch", "stand"),
    "point": ("point", "stand"),
    "idle": ("stand", "stand", "wave"),
}


@dataclass(frozen=True)
class Facts:
    """What a clip shows; lengths are in sides of the picture, angles in radians.

    facing: 1 right, -1 left, 0 neither; tilt: cosine and sine of the figure's angle, where `tilted`
    says that it has one; turning: radians a frame, clockwise, if it is `shown`; frequency: log of
    the repetitions in 12 frames; track: (FRAMES, 3), middle and size of the figure, if it is
    `shown`; camera_motion: over the clip, x, y, log of the zoom, angle; color: of the figure, -1 to
    1.
    """

    action: int
    kind: int
    camera: int
    facing: int
    fingers: NDArray[np.float32]
    tilt: Numbers
    tilted: bool
    turning: float
    frequency: float
    shown: bool
    track: Numbers
    camera_motion: Numbers
    color: Numbers


@cache
def _patterns() -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(7)
    return [texture(rng, PATTERN).astype(np.float32).mean(-1) for _ in range(PATTERNS)]


def _pattern(rng: Rng) -> NDArray[np.float32]:
    return _patterns()[int(rng.integers(PATTERNS))]


def _colored(rng: Rng, low: float = 0.0) -> NDArray[np.float32]:
    """Return a pattern in two colours, with a contrast from `low` to 1."""
    pattern = _pattern(rng)
    if rng.random() < 0.5:
        pattern = pattern[:, ::-1]
    if rng.random() < 0.5:
        pattern = pattern.T
    first, second = random_color(rng), random_color(rng)
    second = first + (second - first) * rng.uniform(low, 1)
    share = (pattern - pattern.min()) / max(np.ptp(pattern), 1e-6)
    mixed: NDArray[np.float32] = (first + (second - first) * share[..., None]).astype(np.float32)
    return mixed


def _resized(rng: Rng) -> Picture:
    return cv2.resize(_colored(rng), (PLACE, PLACE))


def _place(rng: Rng) -> Picture:
    """Return a picture of a place: a texture, a sky, a ground, a room or clutter."""
    kind = int(rng.integers(5))
    picture: Picture
    if kind == 0:
        picture = _resized(rng)
    elif kind == 1:
        first, second = random_color(rng), random_color(rng)
        second = first + (second - first) * rng.uniform(0, 0.6)
        angle = rng.uniform(0, TAU)
        y, x = np.mgrid[:PLACE, :PLACE] / PLACE - 0.5
        share = (x * math.cos(angle) + y * math.sin(angle) + 0.5).clip(0, 1)[..., None]
        picture = (first + (second - first) * share).astype(np.float32)
        if rng.random() < 0.5:
            picture = picture + (_resized(rng) - 128) * rng.uniform(0.05, 0.3)
    elif kind == 2:
        picture = np.empty((PLACE, PLACE, 3), np.float32)
        horizon = int(PLACE * rng.uniform(0.35, 0.75))
        picture[:] = random_color(rng)
        picture[horizon:] = random_color(rng)
        picture = picture + (_resized(rng) - 128) * rng.uniform(0.0, 0.4)
    elif kind == 3:
        picture = np.empty((PLACE, PLACE, 3), np.float32)
        picture[:] = random_color(rng)
        for _ in range(int(rng.integers(4, 22))):
            corner = rng.uniform(-0.1, 1, 2) * PLACE
            other = corner + np.exp(rng.uniform(-3.5, -0.5, 2)) * PLACE
            color = tuple(map(float, random_color(rng)))
            thick = -1 if rng.random() < 0.8 else int(rng.integers(1, 6))
            cv2.rectangle(picture, _whole(corner), _whole(other), color, thick)
        picture = picture + (_resized(rng) - 128) * rng.uniform(0, 0.25)
    else:
        picture = _resized(rng)
        for _ in range(int(rng.integers(3, 25))):
            at = rng.uniform(0, 1, 2) * PLACE
            if rng.random() < 0.5:
                radii, angle = _whole(np.exp(rng.uniform(1, 4.2, 2))), float(rng.uniform(0, 180))
                color = tuple(map(float, random_color(rng)))
                cv2.ellipse(picture, _whole(at), radii, angle, 0, 360, color, -1)
            else:
                end = at + rng.normal(0, 50, 2)
                color = tuple(map(float, random_color(rng)))
                cv2.line(picture, _whole(at), _whole(end), color, int(rng.integers(1, 9)))
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 4))
    return picture.clip(0, 255)


def _whole(point: Numbers) -> tuple[int, int]:
    return int(point[0]), int(point[1])


class _Camera:
    """Where the world is in the picture at a time."""

    def __init__(self, rng: Rng) -> None:
        self.kind = str(rng.choice(CAMERAS, p=CAMERA_SHARES))
        self.angle, self.speed = rng.uniform(0, TAU), log_uniform(rng, 0.05, 0.6)
        self.zoom = rng.uniform(0.05, 0.35) * rng.choice([-1, 1])
        self.roll = rng.uniform(0.1, 0.7) * rng.choice([-1, 1])
        self.waves, self.phases = rng.uniform(0.5, 4, 4), rng.uniform(0, TAU, 4)
        self.shaking, self.jump = log_uniform(rng, 0.01, 0.08), rng.uniform(0.2, 0.8)

    def world(self, share: float, seconds: float) -> Numbers:
        """Return the matrix (3, 3) of the world at a moment."""
        x = y = angle = 0.0
        scale = 1.0
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        if self.kind == "pan":
            x, y = self.speed * (share - 0.5) * cos, self.speed * (share - 0.5) * sin
        elif self.kind == "zoom":
            scale = math.exp(self.zoom * 2 * (share - 0.5))
        elif self.kind == "roll":
            angle = self.roll * (share - 0.5)
        elif self.kind == "shake":
            first, second, third, _ = self.waves
            a, b, c, d = self.phases
            much = self.shaking
            x = much * math.sin(TAU * first * seconds + a)
            x += 0.5 * much * math.sin(TAU * 2 * second * seconds + b)
            y = much * math.sin(TAU * second * seconds + c)
            angle = much * math.sin(TAU * third * seconds + d)
        elif self.kind == "jump" and share > self.jump:
            x, y = 0.3 * cos, 0.3 * sin
        matrix: Numbers = placed(0.5 + x, 0.5 + y, scale, angle) @ placed(-0.5, -0.5, 1)
        return matrix

    @property
    def motion(self) -> Numbers:
        """x, y, log of the zoom and angle over the clip."""
        pan = self.speed if self.kind == "pan" else 0.0
        zoom = self.zoom if self.kind == "zoom" else 0.0
        roll = self.roll if self.kind == "roll" else 0.0
        return np.array([pan * math.cos(self.angle), pan * math.sin(self.angle), zoom, roll])


class _Medium:
    """Waves, fire, smoke, rain, flicker or swaying, all over the picture."""

    def __init__(self, rng: Rng, action: str) -> None:
        self.action = action
        self.patterns = [_pattern(rng) for _ in range(2)]
        self.color, self.frequency = random_color(rng), log_uniform(rng, 0.4, 3)
        self.phase, self.angle = rng.uniform(0, TAU), rng.uniform(0, TAU)
        self.waves, self.speed = rng.uniform(4, 25), rng.uniform(20, 160)
        self.drops = rng.random((int(rng.integers(20, 200)), 3))
        self.much = rng.uniform(0.3, 1)

    def paint(self, picture: Picture, seconds: float) -> Picture:
        """Return the picture with it at a moment."""
        y, x = np.mgrid[:DRAWN, :DRAWN].astype(np.float32) / DRAWN
        turn = TAU * self.frequency * seconds
        result: Picture
        match self.action:
            case "waves":
                other = self.angle + 1
                along = x * math.cos(self.angle) + y * math.sin(self.angle)
                across = x * math.cos(other) + y * math.sin(other)
                height = np.sin(self.waves * along - turn)
                height = height + 0.6 * np.sin(1.7 * self.waves * across - turn * 1.4)
                result = picture + (self.much * 35 * height)[..., None]
            case "fire" | "smoke":
                burning = self.action == "fire"
                up = int(self.speed * seconds * (1 if burning else 0.4))
                rows, columns = np.arange(DRAWN), np.arange(DRAWN) + int(6 * math.sin(turn))
                first = self.patterns[0][(rows + up) % PATTERN][:, columns % PATTERN]
                second = self.patterns[1][(rows + int(1.6 * up)) % PATTERN][:, :DRAWN]
                thick = (first + second) / 510 - 0.35 + (y - 0.5) * 0.5
                alpha = (thick.clip(0, 0.5) * 2 * self.much)[..., None]
                color = np.array([255, 150, 40.0]) if burning else self.color
                result = picture * (1 - alpha) + color * alpha
            case "rain":
                result, sin = picture.copy(), math.sin(self.angle)
                drop, length = tuple(map(float, self.color)), 6 * (self.waves > 12)
                for x0, y0, near in self.drops:
                    left = ((x0 + 0.1 * sin * seconds) % 1) * DRAWN
                    top = ((y0 + (0.5 + near) * self.frequency * seconds) % 1) * DRAWN
                    end = int(left + 3 * sin), int(top + length)
                    cv2.line(result, (int(left), int(top)), end, drop, 1 + int(near * 2))
            case "flicker":
                factor = 1 + 0.5 * self.much * math.sin(turn + self.phase)
                result = picture * factor + self.much * 20 * math.sin(turn * 2.3)
            case _:
                bend = self.much * 9 * np.sin(turn + 4 * y + self.phase) * (1 - y)
                map_x, map_y = (x * DRAWN + bend).astype(np.float32), (y * DRAWN).astype(np.float32)
                border = cv2.BORDER_REFLECT
                result = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=border)
        return result


class _Flock(Figure):
    """Many small things that move together, or each for itself."""

    def __init__(self, rng: Rng, action: str) -> None:
        count = int(rng.integers(5, 60))
        self.places = rng.random((count, 2))
        if action in ("random", "burst"):
            angles = rng.uniform(0, TAU, count)
        else:
            angles = np.full(count, rng.uniform(0, TAU)) + rng.normal(0, 0.2, count)
        speed = rng.uniform(0.1, 0.5)
        self.velocity = np.stack([np.cos(angles), np.sin(angles)], 1) * speed
        self.velocity = self.velocity * rng.uniform(0.7, 1.3, (count, 1))
        self.radius = log_uniform(rng, 0.006, 0.03)
        self.paint, self.way = random_color(rng), rng.choice([-1, 1])
        self.jitter = rng.normal(0, 0.02, (FRAMES, count, 2))
        self.speed = rng.uniform(1, 4)
        self.frequency, self.color = 0.0, np.zeros(3)  # of each member, if at all

    def turning(self, action: str) -> float:
        """Return how fast it turns, in radians a second, clockwise."""
        return self.way * self.speed if action == "swirl" else 0.0

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw it at one moment of an action."""
        if action == "swirl":
            angle = self.way * self.speed * seconds
            cos, sin = math.cos(angle), math.sin(angle)
            places = (self.places - 0.5) @ np.array([[cos, sin], [-sin, cos]]) + 0.5
        elif action == "burst":
            places = 0.5 + (self.places - 0.5) * 0.2 + self.velocity * 2 * seconds
        elif action == "jitter":
            places = self.places + self.jitter[round(share * (FRAMES - 1))]
        else:
            places = (self.places + self.velocity * seconds) % 1
        for x, y in places - 0.5:
            pen.oval((x, y), self.radius, self.radius * 0.8, self.paint)


class _Pair(Figure):
    """Two people that face each other."""

    def __init__(self, rng: Rng) -> None:
        self.first, self.second = Person(rng), Person(rng)
        self.frequency, self.color = self.first.frequency, self.first.color
        self.apart = 0.0

    def draw(self, pen: Pen, action: str, share: float, seconds: float) -> None:
        """Draw them at one moment of an action."""
        gap = self.apart
        match action:
            case "approach":
                gap = self.apart * (1.3 - smooth(share * 1.2))
            case "depart":
                gap = self.apart * (0.3 + smooth(share))
            case "hug":
                gap = self.apart * max(0.12, 1 - 1.4 * smooth((share - 0.1) / 0.5))
            case "push" | "punch" | "kick":
                gap = self.apart * (0.55 + 0.6 * smooth((share - 0.45) / 0.3))
            case "shake hands":
                gap = max(0.4, self.apart * (1 - 0.4 * smooth(share / 0.3)))
        one, *others = PAIRS[action]
        other = others[-1] if self.first.both else others[0]
        self.second.draw(pen.moved(placed(gap / 2, 0, 1, 0, -1)), other, share, seconds)
        self.first.draw(pen.moved(placed(-gap / 2, 0, 1, 0, 1)), one, share, seconds)


class _Path:
    """Where a figure is, how large and how turned, by time."""

    def __init__(self, rng: Rng, kind: str, action: str, seconds: float) -> None:
        self.action, self.seconds = action, seconds
        size = log_uniform(rng, 0.3, 1.1)
        if kind in ("bird", "craft", "shape"):
            size = log_uniform(rng, 0.06, 0.9)
        elif kind == "face":
            size = rng.uniform(0.5, 1.3)
        elif kind == "flock":
            size = rng.uniform(0.7, 1.6)
        self.size = size
        self.flip = int(rng.choice([-1, 1]))
        self.middle, self.velocity = rng.uniform(0.3, 0.7, 2), np.zeros(2)
        self.tilt, self.spin, self.grow = rng.normal(0, 0.1), 0.0, 0.0
        self.speed = log_uniform(rng, 0.05, 1.2)
        if action in TRAVELLING and (action in ("constant", "accelerate") or rng.random() < 0.8):
            self._travel(rng, kind)
        elif rng.random() < 0.15:
            self.velocity = rng.normal(0, 0.08, 2)
        if kind == "hand" and rng.random() < 0.8:
            self.tilt = rng.uniform(-math.pi, math.pi)
        if rng.random() < 0.3:
            self.grow = rng.uniform(-1.2, 1.2)
        self.orbit = rng.uniform(0.08, 0.25)
        self.frequency = log_uniform(rng, 0.3, 1.5) * rng.choice([-1, 1])
        self.phase = rng.uniform(0, TAU)
        if kind in ("shape", "hand", "craft", "machine") and rng.random() < 0.15:
            self.spin = rng.uniform(0.3, 4) * rng.choice([-1, 1])

    def _travel(self, rng: Rng, kind: str) -> None:
        speed = self.speed
        self.velocity = np.array([self.flip * speed, rng.normal(0, 0.04)])
        if kind == "shape":
            angle = rng.uniform(0, TAU)
            self.velocity = speed * np.array([math.cos(angle), math.sin(angle)])
        if self.action in ("climb", "swoop"):
            self.velocity[1] = speed * rng.uniform(0.3, 1) * (-1 if self.action == "climb" else 1)
        if kind in ("bird", "craft") and rng.random() < 0.3:
            angle = rng.uniform(0, TAU)
            self.velocity = speed * np.array([math.cos(angle), math.sin(angle)])
            self.flip, self.tilt = 1, angle
        if self.action == "bank":
            self.spin = rng.uniform(0.3, 1.5) * rng.choice([-1, 1])

    @property
    def turning(self) -> float:
        """How fast its figure turns or goes round, in radians a second, clockwise."""
        return float(self.spin + (TAU * self.frequency if self.action == "orbit" else 0.0))

    def at(self, share: float, seconds: float) -> tuple[float, float, float, float]:
        """Return x, y, size and angle at a moment."""
        place = self.middle + self.velocity * (seconds - self.seconds / 2)
        towards = np.array([math.cos(self.phase), math.sin(self.phase)])
        if self.action == "accelerate":
            gone = seconds * seconds / self.seconds - self.seconds / 3
            place = self.middle + self.velocity * gone
        elif self.action == "bounce":
            far = (self.middle + self.speed * 2 * towards * seconds - 0.15) % 1.4
            place = 0.15 + np.where(far > 0.7, 1.4 - far, far)
        elif self.action == "orbit":
            angle = TAU * self.frequency * seconds + self.phase
            place = self.middle + self.orbit * np.array([math.cos(angle), math.sin(angle)])
        size = self.size * math.exp(self.grow * (share - 0.5))
        return place[0], place[1], size, self.tilt + self.spin * (seconds - self.seconds / 2)


class _Passer:
    """Something else in the picture, before or behind what the video is about."""

    def __init__(self, rng: Rng) -> None:
        kind = str(rng.choice(PASSERS))
        self.action = str(rng.choice(ACTIONS[kind]))
        self.figure = FIGURES[kind](rng)
        self.middle = rng.uniform(0, 1, 2)
        self.velocity = rng.normal(0, 0.2, 2) * (rng.random() < 0.5)
        self.size = log_uniform(rng, 0.1, 0.5)
        self.before = rng.random() < 0.3

    def paint(self, picture: Picture, matrix: Numbers, share: float, seconds: float) -> Picture:
        """Return the picture with it at a moment; matrix: from the world to pixels."""
        x, y = self.middle + self.velocity * seconds
        pen = Pen(picture.copy(), _blank(), matrix @ placed(x, y, self.size))
        self.figure.draw(pen, self.action, share, seconds)
        return pen.picture


class _Sensor:
    """What a camera makes of a picture: light, blur, noise, grey, compression."""

    def __init__(self, rng: Rng) -> None:
        self.light = rng.uniform(-0.15, 0.15) if rng.random() < 0.15 else 0.0
        self.noise = 7 * rng.random() ** 2
        self.blur = rng.uniform(0.3, 1.4) if rng.random() < 0.25 else 0
        self.grey = rng.random() < 0.12
        self.quality = int(rng.integers(25, 80)) if rng.random() < 0.3 else 0

    def take(self, picture: Picture, turn: float) -> NDArray[np.uint8]:
        """Return the picture as taken; `turn` is the phase of the light."""
        if self.blur:
            picture = cv2.GaussianBlur(picture, (0, 0), self.blur * 2)
        small = cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        small = small * (1 + self.light * math.sin(turn))
        if self.grey:
            small[:] = small.mean(-1, keepdims=True)
        if self.noise > 0.5:
            grain = np.empty(small.shape, np.float32)
            small = small + cv2.randn(grain, 0, self.noise)  # type: ignore[call-overload]
        taken: NDArray[np.uint8] = small.clip(0, 255).astype(np.uint8)
        if self.quality:
            code = cv2.imencode(".jpg", taken, [cv2.IMWRITE_JPEG_QUALITY, self.quality])[1]
            taken = cv2.imdecode(code, cv2.IMREAD_COLOR)  # type: ignore[assignment]
        return taken


def _blank() -> NDArray[np.uint8]:
    return np.zeros((DRAWN, DRAWN), np.uint8)


def _warped(picture: Picture, matrix: Numbers) -> Picture:
    border = cv2.BORDER_REFLECT_101
    size = DRAWN, DRAWN
    return cv2.warpAffine(picture, matrix[:2], size, flags=cv2.INTER_LINEAR, borderMode=border)


def make_clip(seed: int, number: int) -> tuple[NDArray[np.uint8], Facts]:
    """Return the clip of a number, rgb uint8 (FRAMES, SIDE, SIDE, 3), and what it shows."""
    cv2.setRNGSeed(number + seed * 1000003)
    rng = np.random.default_rng([seed, number])
    if rng.random() < 0.5:
        kind, action = ALL[int(rng.integers(len(ALL)))]
    else:
        kind = str(rng.choice(KINDS, p=SHARES))
        action = str(rng.choice(ACTIONS[kind]))
    rate = log_uniform(rng, 8, 16)
    camera, ground, extent = _Camera(rng), _place(rng), rng.uniform(0.5, 0.9)
    medium = _Medium(rng, action) if kind == "medium" else None
    if medium is None and rng.random() < 0.08:
        medium = _Medium(rng, str(rng.choice(ACTIONS["medium"])))
    path = _Path(rng, kind, action, FRAMES / rate)
    figure: Figure | None = None
    if kind == "pair":
        figure = _Pair(rng)
        figure.apart = rng.uniform(0.35, 0.6)
    elif kind == "flock":
        figure = _Flock(rng, action)
    elif kind in FIGURES:
        figure = FIGURES[kind](rng)
    grain = (_colored(rng, 0.3) - 128) * rng.uniform(0, 0.5)
    passer = _Passer(rng) if rng.random() < 0.3 else None
    sensor = _Sensor(rng)
    frames = np.empty((FRAMES, SIDE, SIDE, 3), np.uint8)
    track = np.zeros((FRAMES, 3))
    angle = 0.0
    for k in range(FRAMES):
        share, seconds = k / (FRAMES - 1), k / rate
        world = camera.world(share, seconds)
        pixels = placed(0, 0, DRAWN) @ world
        view = pixels @ placed(0.5, 0.5, 1 / extent / PLACE) @ placed(-PLACE / 2, -PLACE / 2, 1)
        picture = _warped(ground, view)
        if medium is not None and kind == "medium":
            picture = medium.paint(picture, seconds)
        if passer is not None and not passer.before:
            picture = passer.paint(picture, pixels, share, seconds)
        if figure is not None:
            x, y, size, angle = path.at(share, seconds)
            pen = Pen(picture.copy(), _blank(), pixels @ placed(x, y, size, angle, path.flip))
            figure.draw(pen, action, share, seconds)
            if kind == "pair":
                size *= 0.9
            own = pixels @ placed(x, y, size / 90, angle, path.flip)
            texture_ = _warped(grain, own @ placed(-PATTERN / 2, -PATTERN / 2, 1))
            picture = pen.picture + texture_ * (pen.mask[..., None] / 255.0)
            at = (world @ np.array([x, y, 1.0]))[:2]
            track[k] = *at, size * math.sqrt(abs(np.linalg.det(world[:2, :2])))
        if passer is not None and passer.before:
            picture = passer.paint(picture, pixels, share, seconds)
        if medium is not None and kind != "medium":
            picture = medium.paint(picture, seconds)
        frames[k] = sensor.take(picture, TAU * path.frequency * seconds)
    frequency = figure.frequency if figure is not None else 0.0
    color = figure.color if figure is not None else np.zeros(3)
    turning = 0.0
    if figure is not None:
        turning = path.turning + camera.motion[3] * rate / (FRAMES - 1)
        turning += path.flip * figure.turning(action)
    shown = np.array([math.cos(angle), math.sin(angle)]) if figure is not None else np.zeros(2)
    return frames, Facts(
        action=ALL.index((kind, action)),
        kind=KINDS.index(kind),
        camera=CAMERAS.index(camera.kind),
        facing=path.flip if kind in ("person", "animal") else 0,
        fingers=np.array(figure.fingers if figure is not None else [0] * 5, np.float32),
        tilt=shown,
        tilted=kind in ("hand", "craft", "bird"),
        turning=turning / rate,
        frequency=math.log(max(abs(frequency), 0.05) / rate * 12),
        shown=figure is not None,
        track=track,
        camera_motion=camera.motion,
        color=color / 128 - 1,
    )
