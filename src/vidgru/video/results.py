"""What a live source reports while it is read."""

from dataclasses import dataclass
from typing import Any

from vidgru.core.results import ToDict


@dataclass(frozen=True)
class LiveEvent(ToDict):
    """An event of a live source, such as a lost connection.

    event: "connected", "failed" for a try before the first connection, "lost" for a later one and
    for a connection that breaks, or "cut" for a recording that ends too early; source: without
    name, password and query; wall: unix seconds; error: what is wrong, unless it connected;
    retry_in: seconds until the next try.
    """

    event: str
    source: str
    wall: float
    error: str | None = None
    retry_in: float | None = None

    @property
    def sentence(self) -> str:
        """The event in words."""
        if self.event in ("failed", "lost"):
            what = "Lost" if self.event == "lost" else "Cannot connect to"
            return f"{what} {self.source}: {self.error}. Trying again in {self.retry_in:g} s."
        if self.event == "cut":
            return f"Only a part of {self.source} came: {self.error}."
        return f"Connected to {self.source}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON, without empty fields."""
        return {name: value for name, value in super().to_dict().items() if value is not None}
