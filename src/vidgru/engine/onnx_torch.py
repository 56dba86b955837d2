"""Export a torch module as an ONNX graph of one step, with torch's own exporter."""

import logging
import warnings
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from vidgru.core.errors import ModelError, OptionError
from vidgru.engine.onnx_file import EXTRA, NEXT


def step_of(
    module: nn.Module, inputs: dict[str, Tensor], state: dict[str, Tensor], results: Sequence[str]
) -> Callable[[dict[str, str]], bytes]:
    """Return what makes the content of a file, from its metadata.

    The module takes the inputs and then the state, and returns the results and then the next state.
    Nothing in it may depend on the values, and no axis is free. Raises OptionError where
    onnxscript is not installed, ModelError where torch cannot export the module.
    """
    import onnx

    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise OptionError(f"Exporting this task needs onnxscript: {EXTRA}") from error
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own code
            program = torch.onnx.export(
                module.eval(),
                (*inputs.values(), *state.values()),
                dynamo=True,
                verbose=False,
                optimize=False,
                input_names=[*inputs, *state],
                output_names=[*results, *(NEXT + name for name in state)],
            )
        if program is None:
            raise RuntimeError("no program")
        model = program.model_proto
    except Exception as error:  # of many types, without a common one
        raise ModelError(f"torch cannot export this model: {type(error).__name__}.") from error
    finally:
        log.setLevel(level)

    def make(metadata: dict[str, str]) -> bytes:
        onnx.helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        data: bytes = model.SerializeToString()
        return data

    return make
