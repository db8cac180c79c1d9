"""How many attempts of one session may be in flight."""

from __future__ import annotations


class Slots:
    """A counter: each attempt in flight takes one slot."""

    __slots__ = ("__weakref__", "free", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size

    def __repr__(self) -> str:
        return f"<Slots {self.used} of {self.size} used>"

    @property
    def used(self) -> int:
        """Attempts in flight."""
        return self.size - self.free
