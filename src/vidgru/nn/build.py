"""From what a model file says to the network itself."""

from typing import overload

from vidgru.nn.motion import MotionNetwork
from vidgru.nn.network import Network, NetworkConfig
from vidgru.nn.rows import RowsNetwork
from vidgru.spec import ModelSpec, MotionSpec

AnyNetwork = Network | RowsNetwork


@overload
def build(spec: ModelSpec) -> AnyNetwork: ...
@overload
def build(spec: MotionSpec) -> MotionNetwork: ...
@overload
def build(spec: ModelSpec | MotionSpec) -> AnyNetwork | MotionNetwork: ...
def build(spec: ModelSpec | MotionSpec) -> AnyNetwork | MotionNetwork:
    """Return a new network with random weights."""
    if isinstance(spec, MotionSpec):
        return MotionNetwork(spec.size, spec.hidden)
    config = NetworkConfig(
        spec.input, spec.core, len(spec.labels), spec.hidden, spec.gated_update, spec.size
    )
    return RowsNetwork(config) if spec.encoder == "rows" else Network(config)
