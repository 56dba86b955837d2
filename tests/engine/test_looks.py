"""Picture encoders of others: what is read from their files, and what is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import needs_onnx
from looks_encoders import FEATURES, save, write_encoder

from vidgru.core.errors import ModelError, OptionError
from vidgru.engine import looks
from vidgru.engine.looks import PRESETS, LooksEncoder, parse_colour
from vidgru.engine.looks_views import VIEWS, fixed_view, nearest_view

pytestmark = needs_onnx


def pictures(count: int, side: int = 32) -> list[Any]:
    return list(np.random.default_rng(1).integers(0, 256, (count, side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", ["map", "nhwc", "nhwc-map", "tokens", "baked"])
def test_all_layouts_and_outputs_give_the_same_features(tmp_path: Path, kind: str) -> None:
    shown = pictures(19)
    pooled = LooksEncoder(write_encoder(tmp_path / "pooled.onnx")).encode(shown)
    assert pooled.shape == (19, FEATURES)
    assert pooled.std(0).min() > 0
    other = LooksEncoder(write_encoder(tmp_path / "other.onnx", kind)).encode(shown)
    np.testing.assert_allclose(other, pooled, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 4])
def test_a_fixed_batch_is_filled(tmp_path: Path, batch: int) -> None:
    shown = pictures(6)
    free = LooksEncoder(write_encoder(tmp_path / "free.onnx")).encode(shown)
    fixed = LooksEncoder(write_encoder(tmp_path / "fixed.onnx", batch=batch)).encode(shown)
    np.testing.assert_allclose(fixed, free, atol=1e-5)


def test_size_and_colours_come_from_the_file_or_are_given(tmp_path: Path) -> None:
    plain = LooksEncoder(write_encoder(tmp_path / "plain.onnx", side="s")).looks
    assert (plain.side, plain.features, plain.name) == (224, FEATURES, "plain.onnx")
    assert (plain.mean, plain.std) == PRESETS["imagenet"]
    metadata = {"mean": "[0.1, 0.2, 0.3]", "std": "0.5,0.5,0.6"}
    path = write_encoder(tmp_path / "known.onnx", metadata=metadata, side=48)
    known = LooksEncoder(path)
    assert known.looks.side == 48
    assert (known.looks.mean, known.looks.std) == ((0.1, 0.2, 0.3), (0.5, 0.5, 0.6))
    given = LooksEncoder(path, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    shown = pictures(1, 48)
    assert np.abs(given.encode(shown) - known.encode(shown)).max() > 0.1


def test_colours_of_options() -> None:
    assert parse_colour("--looks-mean", None, 0) is None
    assert parse_colour("--looks-mean", "clip", 0) == PRESETS["clip"][0]
    assert parse_colour("--looks-std", "clip", 1) == PRESETS["clip"][1]
    assert parse_colour("--looks-std", "1,2, 0.5", 1) == (1.0, 2.0, 0.5)
    for text in ("1,2", "a,b,c", "", "1,2,nan", "1,2,1e9"):
        with pytest.raises(OptionError, match=r"Invalid --looks-mean .* Give three numbers"):
            parse_colour("--looks-mean", text, 0)
    with pytest.raises(OptionError, match="positive"):
        parse_colour("--looks-std", "0,1,1", 1)


def odd(path: Path, what: str) -> None:
    """Write a file that is no encoder that can be used."""
    from onnx import TensorProto, helper, numpy_helper

    def value(name: str, shape: list[Any] | None, kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    mean = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[2, 3], keepdims=0)]
    picture, result = value("x", ["n", 3, 32, 32]), value("y", None)
    if what == "two inputs":
        save(path, mean, [picture, value("z", ["n"])], [result], [])
    elif what == "integers":
        nodes = [helper.make_node("Cast", ["x"], ["y"], to=1)]
        save(path, nodes, [value("x", ["n", 3, 32, 32], TensorProto.UINT8)], [result], [])
    elif what == "flat":
        save(path, [helper.make_node("Relu", ["x"], ["y"])], [value("x", ["n", 3])], [result], [])
    elif what == "grey":
        save(path, mean, [value("x", ["n", 1, 32, 32])], [result], [])
    elif what == "oblong":
        save(path, mean, [value("x", ["n", 3, 32, 48])], [result], [])
    elif what == "huge":
        save(path, mean, [value("x", ["n", 3, 4096, 4096])], [result], [])
    elif what == "infinite":
        zero = numpy_helper.from_array(np.zeros(1, np.float32), "zero")
        nodes = [*mean, helper.make_node("Div", ["y", "zero"], ["out"])]
        save(path, nodes, [picture], [value("out", None)], [zero])
    elif what == "one row":
        nodes = [helper.make_node("ReduceMean", ["x"], ["y"], axes=[0, 2, 3], keepdims=0)]
        save(path, nodes, [picture], [result], [])
    elif what == "rows":
        two = numpy_helper.from_array(np.array([-1, 3]), "two")
        nodes = [helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 3, 1])]
        save(path, [*nodes, helper.make_node("Reshape", ["t", "two"], ["y"])], [picture], [result],
             [two])  # fmt: skip
    elif what == "turned maps":
        nodes = [helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 3, 1])]
        save(path, nodes, [picture], [result], [])
    elif what == "up to 255":
        colours = {"mean": "[123.7, 116.3, 103.5]", "std": "[58.4, 57.1, 57.4]"}
        save(path, mean, [picture], [result], [], colours)
    elif what == "half":
        save(path, mean, [picture], [result], [], {"image_mean": "0,0,0"})
    elif what == "words":
        save(path, mean, [picture], [result], [], {"mean": "grey", "std": "1,1,1"})
    elif what == "no spread":
        save(path, mean, [picture], [result], [], {"mean": "0,0,0", "std": "1,0,1"})


ODD = {
    "two inputs": "it has 2 inputs",
    "integers": "not a float one",
    "flat": "with 2 axes",
    "grey": "no axis of three colours",
    "oblong": "48x32 pixels, not square",
    "huge": "16 to 1024 pixels are possible",
    "infinite": "not finite",
    "one row": "no output is of floats",
    "rows": "no row of features for each picture",
    "turned maps": "its maps have their axes in another order than its input",
    "up to 255": "'std' are not of pixels from 0 to 1. Give --looks-mean and --looks-std",
    "half": "its metadata has no 'image_std'. Give --looks-mean and --looks-std",
    "words": "'mean' and 'std' are not three numbers",
    "no spread": "'std' are not positive",
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_encoder_is_refused_in_a_sentence(tmp_path: Path, what: str) -> None:
    odd(path := tmp_path / "odd.onnx", what)
    with pytest.raises(ModelError, match=f"odd.onnx is no encoder .*{ODD[what]}"):
        LooksEncoder(path)
    if "Give" in ODD[what]:
        own = LooksEncoder(path, mean=(0.5,) * 3, std=(0.25,) * 3)
        assert (own.looks.mean, own.looks.std) == ((0.5,) * 3, (0.25,) * 3)


def test_what_is_no_such_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="No picture encoder at"):
        LooksEncoder(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ModelError, match="it is no ONNX file"):
        LooksEncoder(tmp_path / "text.onnx")
    path = write_encoder(tmp_path / "whole.onnx")
    monkeypatch.setattr(looks, "MAX_BYTES", 100)
    with pytest.raises(ModelError, match="too large"):
        LooksEncoder(path)
    monkeypatch.setattr(looks, "has_runtime", lambda: False)
    with pytest.raises(OptionError, match="needs onnxruntime"):
        LooksEncoder(path)


def test_weights_in_other_files_are_refused_and_the_word_alone_is_not(tmp_path: Path) -> None:
    import onnx

    path = write_encoder(tmp_path / "whole.onnx", metadata={"note": "location"})
    assert LooksEncoder(path).looks.features == FEATURES
    onnx.save(
        onnx.load(path), tmp_path / "parts.onnx", save_as_external_data=True,
        location="weights.bin", size_threshold=0,
    )  # fmt: skip
    with pytest.raises(ModelError, match=r"parts.onnx keeps weights in other files"):
        LooksEncoder(tmp_path / "parts.onnx")


def test_fixed_views() -> None:
    picture = pictures(1, 40)[0]
    whole, mirrored, crop, other = (fixed_view([picture], n)[0] for n in range(len(VIEWS)))
    assert np.array_equal(whole, picture)
    assert np.array_equal(mirrored, picture[:, ::-1])
    assert crop.shape == other.shape == picture.shape
    assert np.array_equal(crop[0, 0], picture[0, 0])
    assert np.array_equal(other[-1, 0], picture[-1, -1])


@pytest.mark.parametrize(("zoom", "mirror", "number"), [(0.9, 1, 0), (0.9, -1, 1), (0.7, 1, 2),
                                                        (0.7, -1, 3), (1.0, 1, 0)])  # fmt: skip
def test_the_nearest_fixed_view(zoom: float, mirror: int, number: int) -> None:
    view = np.array([[zoom * mirror, 0, 0.1], [0, zoom, 0]], np.float32)
    assert nearest_view(view, 0.9) == number
