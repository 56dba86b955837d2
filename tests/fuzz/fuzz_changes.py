"""Change files so that readers may stumble: blindly, or with knowledge of their format.

Each takes a source of random numbers and a file's bytes, and returns other bytes.
"""

import copy
import csv
import io
import json
import math
import warnings
import zipfile
import zlib
from collections.abc import Callable
from random import Random
from typing import Any, Literal

import numpy as np
import torch

SIDE = 24  # of the pictures in cached arrays
ORDERS: tuple[Literal["big"], Literal["little"]] = ("big", "little")

Change = Callable[[Random, bytes], bytes]

DEEP = "nested as deep as nobody can read"
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 0.5, 4096, 100_000, 2**31 - 1, 2**31, 2**40, 2**63, -(2**63)),
    *(10**400, 1e308, -1e308, 1e-320, math.nan, math.inf, -math.inf),
    *("", "0", "\0", "\ud800", "\x1b[31m", "a\nb", "x" * 5000, "((" * 50, "a{99999999999}", DEEP),
    *([], {}, [[]], [None], ["a", "a"], {"a": 1}, [str(n) for n in range(100_000)]),
]
CELLS = [
    *("", '"', '"""', "\0", "a\0", "nan", "inf", "-inf", "1e999", "1e308", "-1e308", "1e-320"),
    *("0", "-1", "1_0", "0x10", "\u0661", "\ufeff", "\ud800", "a\nb", "a\rb", "=1+1", "\x1b[31m"),
    *("x" * 200_000, "9" * 5000, "x" * 100_000, ",", "../../x", "1e12", "1e5"),
]
NUMBERS = [0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**63 - 1]


def odd_tensor(chance: Random, like: torch.Tensor) -> torch.Tensor:
    """Return a tensor that is almost, or not at all, like another."""
    changes: list[Callable[[], torch.Tensor]] = [
        lambda: torch.full_like(like, math.nan if like.is_floating_point() else 99),
        lambda: like.double() if like.dtype != torch.float64 else like.half(),
        lambda: like.flatten()[:-1],
        lambda: like.unsqueeze(0),
        lambda: like.new_zeros(()).expand(like.shape),
        lambda: like.new_zeros(1).expand(2 ** chance.choice([28, 40])),
        lambda: like.to("meta"),
        lambda: like.to_sparse(),
        lambda: like.float().requires_grad_(),
        lambda: like.to(torch.complex64),
        lambda: like.new_empty(0),
        lambda: like.new_full((), 7),
        lambda: -like if like.dtype != torch.bool else ~like,
        lambda: like.clone().random_() if like.dtype == torch.uint8 else like * 1e30,
    ]
    return chance.choice(changes)()


def blind(chance: Random, data: bytes) -> bytes:
    """Flip, set, cut, repeat or remove some bytes anywhere, more often near either end."""
    out = bytearray(data or b"\0")
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        near = chance.choice((64, 1024, len(out)))
        at = min(chance.randrange(near), len(out) - 1)
        at = len(out) - 1 - at if chance.random() < 0.3 else at
        length = min(chance.choice((1, 2, 4, 8, 64, 1024)), len(out) - at)
        kind = chance.randrange(7)
        if kind == 0:
            out[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            size, order = chance.choice((1, 2, 4, 8)), chance.choice(ORDERS)
            number = chance.choice(NUMBERS) % 256**size
            out[at : at + size] = number.to_bytes(size, order)
        elif kind == 2:
            out[at : at + length] = chance.randbytes(length)
        elif kind == 3:
            out[at:at] = out[at : at + length] * chance.choice((1, 1, 20))
        elif kind == 4:
            del out[at : at + length]
        elif kind == 5:
            out[at : at + length] = bytes(length)
        elif chance.random() < 0.3:
            del out[at:]
        out = out or bytearray(1)
    return bytes(out)


def edit_tree(chance: Random, tree: Any) -> Any:
    """Change one value somewhere in nested dicts and lists; return the whole."""
    tree = {"": tree}
    places: list[tuple[Any, Any]] = [(tree, "")]
    for inside, key in places:  # grows on the way
        value = inside[key]
        if isinstance(value, dict | list):
            some = list(value) if isinstance(value, dict) else range(min(len(value), 20))
            places += [(value, k) for k in some]
    inside, key = chance.choice(places)
    value, kind = inside[key], chance.randrange(8)
    if kind == 0 and inside is not tree:
        del inside[key]
    elif kind == 1:
        other, place = chance.choice(places)
        inside[key] = copy.deepcopy(other[place])
    elif kind == 2:
        inside[key] = [value]
    elif kind == 3 and isinstance(inside, dict):
        inside[chance.choice((key + "x", "", "class", 0) if isinstance(key, str) else (-1,))] = (
            value
        )
    elif isinstance(value, torch.Tensor) and kind < 7:
        inside[key] = odd_tensor(chance, value)
    elif isinstance(value, int | float) and kind < 6 and abs(value) < 2**900:
        inside[key] = chance.choice((-value, value + 1, value * 1000, float(value), str(value)))
    else:
        inside[key] = copy.deepcopy(chance.choice(ODD))
    return tree[""]


def to_json(tree: Any) -> str:
    """Return JSON, with nesting that no parser of ours can follow where DEEP stands."""
    return json.dumps(tree).replace(json.dumps(DEEP), "[" * 100_000 + "]" * 100_000)


def edit_json(chance: Random, data: bytes) -> bytes:
    """Change values of a JSON file."""
    tree = json.loads(data)
    for _ in range(chance.choice((1, 1, 3))):
        tree = edit_tree(chance, tree)
    return to_json(tree).encode()


def edit_annotations(chance: Random, data: bytes) -> bytes:
    """Change values of a file that is JSON, or else cells of one that is a table of some kind."""
    return (edit_json if data[:1] in (b"{", b"[") else edit_table)(chance, data)


def edit_line(chance: Random, data: bytes) -> bytes:
    """Change values in one line of a file of JSON lines."""
    lines = data.splitlines(keepends=True)
    at = chance.randrange(len(lines))
    lines[at] = edit_json(chance, lines[at]) + b"\n"
    return b"".join(lines)


def edit_model(chance: Random, data: bytes) -> bytes:
    """Change the header of a safetensors file, or the JSON inside it, or numbers of the weights."""
    start = 8 + int.from_bytes(data[:8], "little")
    header, rest = json.loads(data[8:start]), bytearray(data[start:])
    kind = chance.randrange(4)
    if kind == 0:
        at = chance.randrange(len(rest) // 4) * 4
        odd = chance.choice((np.nan, np.inf, -1.0, 3e38, -3e38, 1e-40))
        rest[at : at + 4 * chance.choice((1, 16, 4096))] = np.float32(odd).tobytes()
    elif kind == 1:
        header = edit_tree(chance, header)
    else:
        about = header["__metadata__"]
        about["vidgru"] = edit_json(chance, about["vidgru"].encode()).decode()
    text = to_json(header).encode()
    return len(text).to_bytes(8, "little") + text + rest


def edit_state(chance: Random, data: bytes) -> bytes:
    """Change values of a checkpoint and save it as torch does."""
    state = torch.load(io.BytesIO(data), weights_only=True)
    for _ in range(chance.choice((1, 1, 2))):
        state = edit_tree(chance, state)
    out = io.BytesIO()
    torch.save(state, out)
    return out.getvalue()


def edit_zip(chance: Random, data: bytes) -> bytes:
    """Drop, rename, repeat, compress or change files in a zip archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        names = old.namelist()
        picked = names[0] if chance.random() < 0.5 else chance.choice(names)  # first: the structure
        for name in names:
            content, kind = old.read(name), chance.randrange(6) if name == picked else -1
            if kind == 0:
                continue
            if kind == 1:
                name = chance.choice((name + "x", "../" + name, name.split("/")[-1], names[-1]))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that occur twice
                way = zipfile.ZIP_DEFLATED if kind == 2 else zipfile.ZIP_STORED
                new.writestr(name, blind(chance, content) if kind > 2 else content, way)
    return out.getvalue()


def edit_table(chance: Random, data: bytes) -> bytes:
    """Change cells, rows, quoting and encoding of a table, whatever parts its cells."""
    first = data.decode().partition("\n")[0]
    own = max(",;\t", key=first.count)
    rows = list(csv.reader(io.StringIO(data.decode()), delimiter=own))
    for _ in range(chance.choice((1, 1, 1, 5))):
        row = chance.choice(rows)
        kind, at = chance.randrange(8), chance.randrange(len(row) + 1)
        if kind == 0:
            row.insert(at, chance.choice(CELLS))
        elif kind == 1:
            rows.insert(chance.randrange(len(rows)), list(row))
        elif kind == 2:
            rows.append(["", *row][: chance.randrange(3)])
        else:
            row[at : at + 1] = [chance.choice(CELLS)]
    text = io.StringIO()
    if chance.random() < 0.5:
        end = chance.choice(("\n", "\r\n", "\r"))
        csv.writer(text, lineterminator=end, delimiter=own).writerows(rows)
    else:
        text.write("\n".join(chance.choice((own, own, own, ";", "\t")).join(r) for r in rows))
    code = chance.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1", "cp037"))
    return text.getvalue().encode(code, "surrogatepass" if "utf" in code else "replace")


def edit_array(chance: Random, data: bytes) -> bytes:
    """Change what the header of an .npy file says of the array."""
    length = int.from_bytes(data[8:10], "little")
    side, odd = SIDE, chance.choice(ODD)
    shape = [1, 8, side, side, 3]
    shape[chance.randrange(5)] = chance.choice((odd, *NUMBERS))
    text = chance.choice(
        (
            repr({"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}),
            repr({"descr": odd, "fortran_order": False, "shape": (1, 8, side, side, 3)}),
            repr({"descr": "|O", "fortran_order": odd, "shape": (1, 8, side, side, 3)}),
            repr({"descr": [("a", "|u1", 2**40)], "fortran_order": False, "shape": odd}),
            "(" * 9000,
        )
    ).encode(errors="replace")[:60_000]
    size = chance.choice((len(text), len(text), length, 65_535))
    return data[:8] + size.to_bytes(2, "little") + text + data[10 + length :]


def edit_png(chance: Random, data: bytes) -> bytes:
    """Change one of the numbers of a PNG file's header, with the right checksum."""
    if data[12:16] != b"IHDR":
        return blind(chance, data)
    header = bytearray(data[12:29])
    at, size = chance.choice(((4, 4), (8, 4), (12, 1), (13, 1), (16, 1)))
    header[at : at + size] = (chance.choice(NUMBERS) % 256**size).to_bytes(size, "big")
    return data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
