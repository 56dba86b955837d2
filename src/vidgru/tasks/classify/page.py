"""The parts of a self-contained web page: its frame, style, names, numbers and tables."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from vidgru.tasks.classify.scores import Evaluation

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'"
)
STYLE = """
:root{color-scheme:light dark;--page:#fff;--ink:#1b1f24;--dim:#57606a;--rule:#d5dbe1;
--soft:#f3f5f7;--one:#1f6feb;--two:#b4470b;--hit:31 111 235;--miss:214 84 20}
@media (prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e7eaee;--dim:#9da7b1;
--rule:#343b43;--soft:#1e2329;--one:#6ea8ff;--two:#ff9c5b;--hit:59 130 246;--miss:234 108 40}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:62rem;background:var(--page);color:var(--ink);
font:16px/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.2rem;margin:2.2rem 0 .4rem;border-top:1px solid var(--rule);padding-top:1rem}
p{margin:.5rem 0;max-width:46rem}
.dim,figcaption,summary{color:var(--dim)}
.warn{border-left:4px solid var(--two);padding-left:.7rem}
.scroll{overflow-x:auto;max-width:100%}
data{white-space:nowrap}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .6rem;text-align:right;border-bottom:1px solid var(--rule);white-space:nowrap}
thead th{color:var(--dim);font-weight:normal;vertical-align:bottom}
th:first-child{text-align:left;padding-left:0}
tbody th{font-weight:normal;white-space:normal;min-width:8rem;max-width:24rem}
.bars{width:100%;table-layout:fixed}
.bars th:first-child{width:40%;min-width:0}
.bars th:last-child{width:5.5rem}
.bar{display:block;height:.8rem;background:var(--soft)}
.bar i{display:block;height:100%;background:var(--dim)}
.bar i.own{background:var(--one)}
.matrix th,.matrix td{padding:0;border:1px solid var(--page)}
.matrix td{min-width:2rem;text-align:center}
.matrix thead bdi{writing-mode:vertical-rl;transform:rotate(180deg);max-height:9rem}
.matrix tbody bdi{max-width:9rem;vertical-align:middle}
.matrix bdi{display:inline-block;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.matrix thead th{text-align:center;padding:.2rem 0}
.matrix tbody th{position:sticky;left:0;background:var(--page);min-width:0;padding-right:.4rem}
.cell{display:block;padding:.25rem .3rem}
.none{background:var(--soft);color:var(--dim)}.none data{opacity:.5}
.hit{background:rgb(var(--hit) / calc(.08 + .5*var(--s)))}
.miss{background:rgb(var(--miss) / calc(.08 + .5*var(--s)))}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr));gap:1rem}
figure{margin:.8rem 0;min-width:0}
svg{width:100%;max-width:32rem;height:auto;display:block}
svg text{fill:var(--dim);font-size:12px}
.middle{text-anchor:middle}.end{text-anchor:end}
.grid{stroke:var(--rule)}
.line{fill:none;stroke-width:2}.line.one{stroke:var(--one)}
.line.two{stroke:var(--two);stroke-width:5;opacity:.5}
.even{stroke:var(--dim);stroke-width:1;stroke-dasharray:4 4}
.dot.one{fill:var(--one)}.dot.two{fill:var(--two)}
.column{fill:var(--one);opacity:.3}
.key{display:inline-block;width:.8rem;height:.8rem;margin-right:.35rem}
.key.one{background:var(--one)}.key.two{background:var(--two)}
.strip{display:flex;flex-wrap:wrap;gap:3px;margin-top:.3rem}
.strip img{display:block;width:96px;height:96px}
@media (max-width:30rem){table{font-size:.9rem}th,td{padding:.25rem .3rem}
tbody th{min-width:6.5rem}}
summary{cursor:pointer;padding:.3rem 0}
"""


def whole_page(
    title: str, sections: Iterable[str], content: str, style: str = "", script: str = ""
) -> str:
    """Return an HTML document of sections, with JSON in its element `data`.

    `style` comes after that of all pages. Of scripts, only this one may run.
    """
    policy, program = POLICY, ""
    if script:
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = f"{POLICY}; script-src 'sha256-{digest}'"
        program = f"<script>{script}</script>\n"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(visible(title))}</title>\n'
        f"<style>{STYLE}{style}</style>\n</head>\n<body>\n<main>\n{''.join(sections)}</main>\n"
        f'<script type="application/json" id="data">{content}</script>\n'
        f"{program}</body>\n</html>\n"
    )


def visible(text: str) -> str:
    r"""Return text with everything that a page would hide or be misled by written as an escape.

    Control characters, direction marks and broken surrogates become \n, \x1b, \u202e and the
    like; letters of all scripts stay, and so do the joiners that some of them are written with.
    """
    return "".join(
        c if c.isprintable() or c in "\u200c\u200d" else c.encode("unicode_escape").decode()
        for c in text
    )


def shown(path: str, value: float | None) -> str:
    """Return the displayed number at `path`: counts, shares in percent, None as a dash."""
    if value is None:
        return "–"  # noqa: RUF001
    if isinstance(value, int):
        return f"{value:,}"
    if path in ("calibration.temperature", "scores.loss"):
        return f"{value:.3f}"
    return f"{100 * value:.1f} %"


def embedded(content: Any) -> str:
    """Return JSON so that no part of it can end or open a script element."""
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c")


class Numbers:
    """The JSON of an evaluation, and its numbers as HTML with their path in it.

    A path is dotted, such as `shortcuts.0.accuracy`; keys with other characters than ASCII
    letters, digits, - and _ are written as JSON strings: `scores.recall."left hand"`. `length`
    stands for the length of a list. Numbers that are not finite become null.
    """

    def __init__(self, evaluation: Evaluation) -> None:
        text = json.dumps(evaluation.to_dict())
        self.content = json.loads(text, parse_constant=lambda _: None)

    def __getitem__(self, keys: tuple[str | int, ...]) -> Any:
        found = self.content
        for key in keys:
            found = len(found) if isinstance(found, list) and key == "length" else found[key]
        return found

    def __call__(self, *keys: str | int) -> str:
        """Return a <data> element with the number at a path, or a dash for null."""
        plain = re.compile(r"[\w-]+", re.ASCII)
        path = ".".join(str(key) if plain.fullmatch(str(key)) else json.dumps(key) for key in keys)
        value = self[keys]
        return (
            f'<data value="{json.dumps(value)}" data-path="{escape(path)}">'
            f"{shown(path, value)}</data>"
        )

    def embedded(self) -> str:
        """Return the JSON as `embedded` does."""
        return embedded(self.content)

    @property
    def labels(self) -> list[str]:
        """The classes, in the order of the confusion matrix."""
        return list(self.content["scores"]["labels"])


def named(text: str) -> str:
    """Return an untrusted name as harmless HTML."""
    # With a direction of its own, so that a name cannot reverse the text around it.
    return f"<bdi>{escape(visible(text))}</bdi>"


def shortened(text: str) -> str:
    """Return a name as `named` does, truncated by the page's style; the tooltip shows it whole."""
    name = escape(visible(text))
    return f'<bdi title="{name}">{name}</bdi>'


def counted(numbers: Numbers, *keys: str | int, noun: str = "clip") -> str:
    """Return a number with its noun, in the plural where it is not one."""
    return f"{numbers(*keys)} {noun}{'' if numbers[keys] == 1 else 's'}"


def as_table(label: str, head: Sequence[str], rows: Iterable[Sequence[str]], kind: str = "") -> str:
    """Return a table that scrolls sideways; the first cell of a row is its header."""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>\n'
        for first, *cells in rows
    )
    return (
        f'<div class="scroll" role="region" aria-label="{label}" tabindex="0">'
        f'<table class="{kind}">\n<thead><tr>{top}</tr></thead>\n<tbody>{body}</tbody>\n'
        "</table></div>\n"
    )


def as_section(name: str, title: str, *parts: str) -> str:
    """Return a part of the page under its heading; `name` is its id."""
    return f'<section id="{name}">\n<h2>{title}</h2>\n{"".join(parts)}</section>\n'
