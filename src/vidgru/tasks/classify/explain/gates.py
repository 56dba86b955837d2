"""How much of a core's state is kept at each frame, and what its gates do."""

from torch import Tensor

from vidgru.nn.unroll import trace
from vidgru.tasks.classify.network import Network

KEPT_MAPS = "kept maps"
GATES = ("input", "forget", "reset", "update", "output")


def gate_curves(network: Network, read: Tensor) -> dict[str, Tensor]:
    """Return the mean over units of each gate at each frame (B, T), for what the core reads.

    Of a core of maps there is also KEPT_MAPS, (B, T, h, w): what is kept, place by place.

    "kept" is the share of the old state that goes into the new one; an rnn has neither that nor
    gates. Values are from 0 (closed) to 1 (open).
    """
    found = trace(network.core, read)
    gates = {name: found[name] for name in GATES if name in found}
    match network.config.core:
        case "gru" | "convgru":
            gates["kept"] = gates["update"]
        case "gated" if network.config.gated_update == "blend":
            update = gates["update"]
            gates["kept"] = update * gates["forget"] + 1 - update
        case "lstm" | "gated":
            gates["kept"] = gates["forget"]
    curves = {name: values.flatten(2).mean(2) for name, values in gates.items()}
    if network.maps:
        curves[KEPT_MAPS] = gates["kept"].mean(2)
    return curves
