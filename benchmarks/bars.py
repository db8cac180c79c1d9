"""What a benchmark promises."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bar:
    """One promise and what was found."""

    what: str
    most: float
    found: float

    @property
    def is_held(self) -> bool:
        return self.found <= self.most

    def __str__(self) -> str:
        words = "held" if self.is_held else "above it: FAIL"
        return f"{self.what:<48}at most {self.most:>8,.2f}; {self.found:>8,.2f} is {words}"
