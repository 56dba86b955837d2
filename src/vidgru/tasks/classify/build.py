"""From a model file's spec to the network itself."""

from vidgru.tasks.classify.network import Network, NetworkConfig
from vidgru.tasks.classify.rows import RowsNetwork
from vidgru.tasks.classify.spec import ModelSpec

AnyNetwork = Network | RowsNetwork


def build(spec: ModelSpec) -> AnyNetwork:
    """Return a new network with random weights."""
    config = NetworkConfig(
        spec.input,
        spec.core,
        len(spec.labels),
        spec.hidden,
        spec.gated_update,
        spec.size,
        spec.looks_features,
    )
    return RowsNetwork(config) if spec.encoder == "rows" else Network(config)
