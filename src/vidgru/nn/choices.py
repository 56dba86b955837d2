"""Cores and sizes of networks: for options and model files."""

MAP_CORE = "convgru"  # the core that works on maps
CORES = ("gru", "lstm", "rnn", "gated", MAP_CORE)
CORE, SIZE = CORES[0], 64  # of a classifier
SEEDS = 3  # of each network that is compared
GATED_UPDATES = ("blend", "printed")
ENCODERS = ("cnn", "rows")
INPUTS = ("diff", "rgb", "both")
AUTO = "auto"  # the input is chosen by the clips
LOOKS = "looks"  # the input of a network that gets the features of a picture encoder alone
MAP_SIZES = range(32, 257, 16)  # sides of pictures for encoders with maps, in pixels


def stored_side(size: int) -> int:
    """Return the side of stored pictures from which views of this side are cut, in pixels."""
    return size * 3 // 2


def map_side(side: int) -> int:
    """Return the side of a frame encoder's maps: four strides of 2, each rounding up."""
    return -(-side // 16)
