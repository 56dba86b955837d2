"""What reading a live source tells of on the way."""

from dataclasses import dataclass
from typing import Any

from vidgru.core.results import ToDict


@dataclass(frozen=True)
class LiveEvent(ToDict):
    """What happens to a live source beside its frames.

    event: "connected", "failed" for a try that did not connect, before any did, "lost" for later
    ones and for a connection that breaks, or "cut" for a recording that ends too early; source:
    without name, password and query; wall: unix seconds; error: what is wrong, unless it connected;
    retry_in: seconds until the next try.
    """

    event: str
    source: str
    wall: float
    error: str | None = None
    retry_in: float | None = None

    @property
    def sentence(self) -> str:
        """The same in words."""
        if self.event in ("failed", "lost"):
            what = "Lost" if self.event == "lost" else "Cannot connect to"
            return f"{what} {self.source}: {self.error}. Trying again in {self.retry_in:g} s."
        if self.event == "cut":
            return f"Only a part of {self.source} came: {self.error}."
        return f"Connected to {self.source}."

    def to_dict(self) -> dict[str, Any]:
        """Return plain values only, ready for JSON, and only of what there is to tell."""
        return {name: value for name, value in super().to_dict().items() if value is not None}
