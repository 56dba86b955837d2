"""From what a model file says to the network itself."""

from typing import overload

from vidgru.nn.forecast import ForecastNetwork
from vidgru.nn.motion import MotionNetwork
from vidgru.nn.network import Network, NetworkConfig
from vidgru.nn.rows import RowsNetwork
from vidgru.nn.scenes import SceneNetwork
from vidgru.spec import AnySpec, ForecastSpec, ModelSpec, MotionSpec, SceneSpec

AnyNetwork = Network | RowsNetwork


@overload
def build(spec: ModelSpec) -> AnyNetwork: ...
@overload
def build(spec: MotionSpec) -> MotionNetwork: ...
@overload
def build(spec: ForecastSpec) -> ForecastNetwork: ...
@overload
def build(spec: SceneSpec) -> SceneNetwork: ...
@overload
def build(spec: AnySpec) -> AnyNetwork | MotionNetwork | ForecastNetwork | SceneNetwork: ...
def build(spec: AnySpec) -> AnyNetwork | MotionNetwork | ForecastNetwork | SceneNetwork:
    """Return a new network with random weights."""
    if isinstance(spec, MotionSpec):
        return MotionNetwork(spec.size, spec.hidden)
    if isinstance(spec, ForecastSpec):
        return ForecastNetwork(spec.size, spec.hidden, spec.channels)
    if isinstance(spec, SceneSpec):
        return SceneNetwork(spec.size, spec.hidden, spec.histogram)
    config = NetworkConfig(
        spec.input, spec.core, len(spec.labels), spec.hidden, spec.gated_update, spec.size
    )
    return RowsNetwork(config) if spec.encoder == "rows" else Network(config)
