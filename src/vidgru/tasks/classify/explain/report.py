"""Write an explanation as one self-contained web page."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidgru.core.files import write_bytes
from vidgru.tasks.classify.charts import Axis, Chart, legend
from vidgru.tasks.classify.explain.heat import colored, stretched, with_heat
from vidgru.tasks.classify.explain.results import Explanation
from vidgru.tasks.classify.explain.script import SCRIPT, STYLE
from vidgru.tasks.classify.page import (
    as_section,
    as_table,
    embedded,
    named,
    visible,
    whole_page,
)
from vidgru.video.read import Image, shrink
from vidgru.video.write import encode_image

MAX_SHOWN = 160  # frames in the page
BUDGET = 3_300_000  # bytes of their pictures: the page stays below 5 MB
SIZES = ((480, 82), (400, 75), (320, 70), (240, 65), (160, 60), (96, 50))  # side, quality
STRIP = 8
COLORS = ("one", "two", "three", "four", "five")
MEANING = {
    "kept": "share of the state that is kept",
    "input": "input gate",
    "forget": "forget gate",
    "reset": "reset gate",
    "update": "update gate",
    "output": "output gate",
}


def shown_frames(count: int) -> range:
    """Return which of so many frames are shown in the page."""
    return range(0, count, -(-count // MAX_SHOWN))


def write_page(path: Path, found: Explanation, model: Path, pictures: Sequence[Image]) -> None:
    """Write a page that shows an explanation, of at most 5 MB, which needs nothing else.

    pictures: rgb uint8 (H, W, 3) of the frames of `shown_frames`. Raises OutputError.
    """
    numbers = shown_frames(len(found.seconds))
    spread = _spread(len(pictures))
    few = [pictures[n] for n in spread], [numbers[n] for n in spread]
    sections = (
        _headline(found, model),
        _player(found),
        _when(found, *few),
        _how(found, *few),
        _held(found),
        _classes(found),
        _nearest(found),
    )
    title = f"Why {found.label}? {found.source}"
    content = {"player": _player_data(found, pictures, numbers)}
    write_bytes(path, whole_page(title, sections, embedded(content), STYLE, SCRIPT).encode())


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _spread(count: int) -> list[int]:
    """Return up to STRIP numbers, evenly spread."""
    few = min(STRIP, count)
    return [round(n * (count - 1) / max(few - 1, 1)) for n in range(few)]


def _headline(found: Explanation, model: Path) -> str:
    said = found.prediction
    share = said.probabilities[found.labels.index(found.label)]
    other = "" if found.against is None else f", and not {named(found.against)}"
    method = "the gradient" if found.method == "gradient" else "hiding each part in turn"
    predicted = "" if found.label == said.likeliest else f"It predicts {named(said.likeliest)}. "
    return (
        f'<header id="headline">\n<h1>Why {named(found.label)}{other}?</h1>\n'
        f"<p>The model {named(str(model))} gives {named(found.label)} {_percent(share)} for "
        f"{named(found.source)}. {predicted}Explained by {method}.</p>\n</header>\n"
    )


def _player(found: Explanation) -> str:
    last = len(shown_frames(len(found.seconds))) - 1
    pixel = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
    kind = ""
    if found.pictures is not None:
        kind = (
            f" Of this relevance, {_percent(found.pictures)} is from single pictures, the rest "
            "from changes between frames."
        )
    return as_section(
        "where",
        "Where",
        '<div class="player hot" id="player">\n'
        f'<img class="frame" id="frame" alt="The frame at this time" src="{pixel}">'
        f'<img class="heat" id="heat" alt="" src="{pixel}"></div>\n'
        '<div class="controls"><button type="button" id="play">Play</button>'
        f'<input type="range" id="slider" min="0" max="{last}" value="0" aria-label="Time">'
        '<output id="time"></output>'
        '<label><input type="checkbox" id="hot" checked> relevance</label></div>\n',
        '<p class="dim">The brighter, the more this place speaks for '
        f"{named(found.label)} in this frame, for the model.{kind}</p>\n",
    )


def _player_data(
    found: Explanation, pictures: Sequence[Image], numbers: range
) -> dict[str, object]:
    heats = [
        _jpeg(_heat(found, number, (96, max(round(96 * p.shape[0] / p.shape[1]), 1))), 70)
        for number, p in zip(numbers, pictures, strict=True)
    ]
    for side, quality in SIZES:
        frames = [_jpeg(_fitted(picture, side), quality) for picture in pictures]
        if sum(map(len, frames)) <= BUDGET:
            break
    step = 1000 * numbers.step * found.step
    return {
        "frames": frames,
        "heats": heats,
        "seconds": [round(found.seconds[n], 3) for n in numbers],
        "begin": found.seconds[0],
        "end": _end(found),
        "step": max(round(step), 40),
    }


def _heat(found: Explanation, number: int, size: tuple[int, int]) -> Image:
    whole = stretched(found.maps[number], size, found.view)
    heat: Image = (colored(whole) * 0.95).astype("uint8")
    return heat


def _fitted(picture: Image, side: int) -> Image:
    """Return a picture whose longer side has at most so many pixels."""
    height, width = picture.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return picture
    return shrink(picture, (max(round(width * scale), 1), max(round(height * scale), 1)))


def _jpeg(picture: Image, quality: int) -> str:
    return _base64(encode_image(picture, ".jpg", quality))


def _base64(data: bytes | memoryview) -> str:
    return base64.b64encode(data).decode()


def _end(found: Explanation) -> float:
    return max(found.seconds[-1], found.seconds[0] + 1e-3)


def _time_chart(
    found: Explanation, title: str, y: Axis, curves: Mapping[str, Sequence[float]]
) -> str:
    """Return a chart of curves over time by their colour, with a line at the shown frame."""
    chart = Chart(title, Axis("seconds", found.seconds[0], _end(found)), y)
    for kind, values in curves.items():
        chart.line(zip(found.seconds, values, strict=True), kind)
    (left, top), (right, bottom) = chart.at(found.seconds[0], y.high), chart.at(_end(found), y.low)
    chart.marks.append(
        f'<path class="cursor" d="M0 {top}V{bottom}" data-left="{left}" data-right="{right}" '
        f'transform="translate({left} 0)"/>'
    )
    return chart.svg()


def _when(found: Explanation, pictures: Sequence[Image], numbers: Sequence[int]) -> str:
    curves = {"one": found.curve(found.label), "two": found.curve(found.second)}
    values = [value for curve in curves.values() for value in curve]
    low, high = min(0.0, *values), max(0.0, *values)
    y = Axis("adds to the logit", low, high if high > low else low + 1)
    chart = _time_chart(found, "What each frame adds", y, curves)
    keys = legend([("one", visible(found.label)), ("two", visible(found.second))])
    relevance = _time_chart(
        found,
        "Relevance of each frame",
        Axis("share of relevance", 0, max(*found.relevance, 1e-3), share=True),
        {"one": found.relevance},
    )
    images = _strip(found, found.maps, pictures, numbers)
    return as_section(
        "when",
        "When",
        f'<div class="charts">\n<figure>{chart}{keys}</figure>\n'
        f"<figure>{relevance}<figcaption>How much of the maps' relevance is in each frame"
        "</figcaption></figure>\n</div>\n",
        '<p class="dim">Left: the sum over frames is exactly the logit of the class. The core '
        "remembers: a frame adds what was found up to then. Right: what the frame itself "
        "changed, then and later.</p>\n",
        f'<div class="strip wide">{images}</div>\n',
    )


def _how(found: Explanation, pictures: Sequence[Image], numbers: Sequence[int]) -> str:
    if not found.gates:
        return as_section("how", "How", "<p>This core has no gates.</p>\n")
    kept = found.gates["kept"]
    # A gate that is what is kept would only hide behind it.
    gates = [name for name, values in found.gates.items() if values != kept]
    same = [MEANING[name] for name in found.gates if name not in [*gates, "kept"]]
    kinds = {**dict(zip(gates, COLORS, strict=False)), "kept": "kept"}
    shown = {kind: found.gates[name] for name, kind in kinds.items()}
    chart = _time_chart(found, "Gates over time", Axis("open", 0, 1, share=True), shown)
    what = {**MEANING, "kept": " = ".join([MEANING["kept"], *same])}
    keys = legend([(kind, what[name]) for name, kind in kinds.items()])
    lowest = min(range(len(kept)), key=kept.__getitem__)
    return as_section(
        "how",
        "How",
        f"<figure>{chart}{keys}</figure>\n",
        f"<p>Most is overwritten at {found.seconds[lowest]:.2f} s, where {_percent(kept[lowest])} "
        "of the state is kept. Gates are means over units.</p>\n",
        _overwritten(found, pictures, numbers),
    )


def _overwritten(found: Explanation, pictures: Sequence[Image], numbers: Sequence[int]) -> str:
    """Return pictures of where a core of maps overwrites its state, empty for other cores."""
    if found.kept_maps is None:
        return ""
    maps = 1 - found.kept_maps
    least, most = float(maps.min()), float(maps.max())
    maps = (maps - least) / max(most - least, 1e-6)
    return (
        f'<div class="strip wide">{_strip(found, maps, pictures, numbers)}</div>\n'
        '<p class="dim">The brighter, the more of the state is overwritten there: from '
        f"{_percent(least)} to {_percent(most)}.</p>\n"
    )


def _strip(
    found: Explanation,
    maps: NDArray[np.float32],
    pictures: Sequence[Image],
    numbers: Sequence[int],
) -> str:
    """Return images of frames with maps (N, h, w) on them."""
    return "".join(
        f'<img alt="{found.seconds[n]:.2f} s" src="data:image/jpeg;base64,'
        f'{_jpeg(with_heat(_fitted(picture, 170), maps[n], found.view), 80)}">'
        for n, picture in zip(numbers, pictures, strict=True)
    )


def _held(found: Explanation) -> str:
    held = found.held_still
    rows = [
        ("Whole video", _percent(held.whole)),
        ("Most relevant tenth of the frames held still", _percent(held.frames)),
        ("Most relevant tenth of the picture held still", _percent(held.area)),
    ]
    note = (
        '<p class="dim">A test of the maps: where they are right, and no other part shows the '
        "same, the probability falls.</p>\n"
    )
    table = as_table("held still", [f"probability of {escape(visible(found.label))}", ""], rows)
    return as_section("test", "Does it matter?", table, note)


def _classes(found: Explanation) -> str:
    shares = dict(zip(found.labels, found.prediction.probabilities, strict=True))
    order = sorted(shares, key=lambda label: -shares[label])[:10]
    rows = [
        (
            named(label),
            _percent(shares[label]),
            f"{found.logits[found.labels.index(label)]:.3f}",
            f"{found.bias[found.labels.index(label)]:.3f}",
        )
        for label in order
    ]
    head = ["class", "probability", "logit", "bias"]
    more = "" if len(order) == len(shares) else "<p>The ten likeliest.</p>\n"
    return as_section("classes", "Classes", as_table("classes", head, rows), more)


def _nearest(found: Explanation) -> str:
    figures = "".join(
        f'<figure><img alt="" src="data:image/jpeg;base64,{_base64(one.picture)}">'
        f"<b>{named(one.label)}</b> {one.similarity:.2f}<figcaption>{named(one.clip)}</figcaption>"
        "</figure>\n"
        for one in found.nearest
    )
    if not figures:
        note = "<p>Unknown: the run folder has no training_clips.safetensors for this model.</p>\n"
        return as_section("nearest", "It looks like these", note)
    return as_section(
        "nearest",
        "It looks like these",
        f'<div class="near">{figures}</div>\n',
        '<p class="dim">The training clips that look most like it to the model, by the mean of '
        "the core's outputs. Similarity is 1 for the same, and 0 for no more alike than any clips."
        "</p>\n",
    )
