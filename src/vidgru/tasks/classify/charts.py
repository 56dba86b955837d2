"""Draw charts as inline SVG for a web page, with colours from the page's CSS."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape

WIDTH, HEIGHT = 360, 240
LEFT, RIGHT, TOP, BOTTOM = 62, 20, 10, 42


@dataclass(frozen=True)
class Axis:
    """The range of an axis, from `low` to `high`; shares are labelled in percent."""

    label: str
    low: float
    high: float
    share: bool = False

    @property
    def step(self) -> float:
        """The round number between ticks."""
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        return next(power * n for n in (1, 2, 5, 10) if power * n >= rough * 0.999)

    def rounded(self) -> "Axis":
        """Return the axis with a tick at its upper end."""
        return replace(self, high=self.step * math.ceil(self.high / self.step - 1e-9))

    def ticks(self) -> list[float]:
        """Return about five round numbers from low to high."""
        step = self.step
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [step * number for number in range(first, last + 1)]

    def text(self, value: float) -> str:
        """Return the label of a tick."""
        return f"{100 * value:.0f} %" if self.share else f"{value:.6g}"


class Chart:
    """Axes with lines, points and bars; `svg()` returns it."""

    def __init__(self, title: str, x: Axis, y: Axis) -> None:
        self.title, self.x, self.y = title, x, y
        self.marks: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Return the position of a point, in the units of the picture."""
        across = (x - self.x.low) / (self.x.high - self.x.low)
        up = (y - self.y.low) / (self.y.high - self.y.low)
        width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        return round(LEFT + across * width, 2), round(HEIGHT - BOTTOM - up * height, 2)

    def line(self, points: Iterable[tuple[float, float]], kind: str) -> None:
        """Connect points by a line."""
        places = " ".join(f"{x},{y}" for x, y in (self.at(*point) for point in points))
        self.marks.append(f'<polyline class="line {kind}" points="{places}"/>')

    def dot(self, x: float, y: float, kind: str, title: str, data: dict[str, str]) -> None:
        """Draw a point with its numbers as a tooltip."""
        left, top = self.at(x, y)
        self.marks.append(
            f'<circle class="dot {kind}" cx="{left}" cy="{top}" r="2.5"{_attributes(data)}>'
            f"<title>{escape(title)}</title></circle>"
        )

    def bar(self, low: float, high: float, y: float, title: str, data: dict[str, str]) -> None:
        """Draw a bar from low to high, y tall, with its numbers as a tooltip."""
        (left, top), (right, bottom) = self.at(low, y), self.at(high, self.y.low)
        size = f'width="{max(right - left - 1, 1):.2f}" height="{bottom - top:.2f}"'
        self.marks.append(
            f'<rect class="column" x="{left}" y="{top}" {size}{_attributes(data)}>'
            f"<title>{escape(title)}</title></rect>"
        )

    def svg(self) -> str:
        """Return the chart as an <svg> element."""
        right, top = self.at(self.x.high, self.y.high)
        left, bottom = self.at(self.x.low, self.y.low)
        grid = []
        for tick in self.x.ticks():
            place, _ = self.at(tick, self.y.low)
            text = self.x.text(tick)
            grid.append(f'<text x="{place}" y="{bottom + 15}" class="middle">{text}</text>')
        for tick in self.y.ticks():
            _, place = self.at(self.x.low, tick)
            grid.append(f'<path class="grid" d="M{left} {place}H{right}"/>')
            grid.append(
                f'<text x="{left - 6}" y="{place + 4}" class="end">{self.y.text(tick)}</text>'
            )
        middle = f'x="{(left + right) / 2}" y="{HEIGHT - 6}" class="middle"'
        turned = f'transform="translate(11 {(top + bottom) / 2}) rotate(-90)" class="middle"'
        title = escape(self.title)
        return (
            f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{title}">'
            f"<title>{title}</title><desc>{escape(self.x.label)} across, {escape(self.y.label)} up"
            f"</desc>{''.join(grid)}{''.join(self.marks)}"
            f"<text {middle}>{escape(self.x.label)}</text>"
            f"<text {turned}>{escape(self.y.label)}</text></svg>"
        )


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return the legend of the colours, by (class, name), as a <figcaption>."""
    keys = (f'<span class="key {kind}"></span>{escape(name)}' for kind, name in entries)
    return f"<figcaption>{' &nbsp; '.join(keys)}</figcaption>"


def _attributes(data: dict[str, str]) -> str:
    return "".join(f' data-{key}="{escape(value)}"' for key, value in data.items())
