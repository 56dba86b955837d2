"""Whether a stream may hold interlaced frames though its first is not, by its codec's header."""

HIGH_PROFILES = frozenset((44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244))
SEQUENCE = 7  # type of H.264 unit
MAX_HEADER = 4096  # bytes that are looked at; a file may have as many as it likes


class _Bits:
    def __init__(self, data: bytes) -> None:
        self._number, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise ValueError("The header ends early.")
        return self._number >> self._left & (1 << count) - 1

    def golomb(self) -> int:
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def may_interlace(codec: str, header: bytes | None) -> bool:
    """Return whether a decoder's extra data allow interlaced frames; False if malformed."""
    try:
        if header and codec == "h264":
            return _h264_may(header)
        if header and codec == "mpeg2video":
            return _mpeg2_may(header)
    except ValueError:
        return False
    return False


def _mpeg2_may(header: bytes) -> bool:
    place = header.find(b"\0\0\1\xb5")
    # Where the sequence extension declares `progressive`, every frame is.
    found = 0 <= place < len(header) - 5 and header[place + 4] >> 4 == 1
    return found and not header[place + 5] & 8


def _h264_may(header: bytes) -> bool:
    if header[0] == 1:  # as in MP4: the number of sequence headers, and the first one's length
        unit = header[8 : 8 + int.from_bytes(header[6:8], "big")]
    else:
        units = header.split(b"\0\0\1")[1:]
        unit = next((unit for unit in units if unit and unit[0] & 31 == SEQUENCE), b"")
    if len(unit) < 4:
        return False
    # A 3 after two zeros prevents false start codes.
    bits = _Bits(unit[:MAX_HEADER].replace(b"\0\0\3", b"\0\0")[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    if profile in HIGH_PROFILES:
        colours = bits.golomb()
        if colours == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.take(1):
            for number in range(12 if colours == 3 else 8):
                _skip_matrix(bits, 16 if number < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    return not bits.take(1)  # whether all pictures are whole frames


def _skip_matrix(bits: _Bits, size: int) -> None:
    last = coming = 8
    for _ in range(size if bits.take(1) else 0):
        if coming:
            number = bits.golomb()
            coming = (last + ((number + 1) // 2 if number % 2 else -number // 2)) % 256
        last = coming or last
