"""The limits that hold for one kind of call, taken all at once."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field

from leavo_async._io.bucket import Bucket
from leavo_async._io.counter import Counter
from leavo_async._sansio.limits import Limit


@dataclass(frozen=True, slots=True, eq=False)
class Scopes:
    """Buckets and counters of the key and of the groups of a call.

    kept: the counters whose caps hold now; the others only count. own: the buckets of the narrowest scope.
    """

    buckets: tuple[Bucket, ...]
    counters: tuple[Counter, ...]
    kept: tuple[Counter, ...]
    own: tuple[Bucket, ...] = field(init=False)

    def __post_init__(self) -> None:
        of_groups = tuple(bucket for bucket in self.buckets if bucket.limit.group is not None)
        object.__setattr__(self, "own", of_groups or self.buckets)

    @classmethod
    def of(
        cls, buckets: Iterable[Bucket], counters: Iterable[Counter], limits: Container[Limit], groups: tuple[str, ...]
    ) -> Scopes:
        """Those of a call in these groups. limits: all that hold now."""
        named = (None, *groups)
        counting = tuple(counter for counter in counters if counter.cap.group in named)
        return cls(
            tuple(bucket for bucket in buckets if bucket.limit.group in named),
            counting,
            tuple(counter for counter in counting if counter.cap in limits),
        )

    def delay(self, tokens: int = 1) -> float:
        """Seconds until every bucket has room for so many, one after the other."""
        longest = 0.0
        for bucket in self.buckets:
            if (delay := bucket.delay(tokens)) > longest:
                longest = delay
        return longest

    def take_if_free(self) -> bool:
        """Whether there was room in all; then it is taken."""
        for bucket in self.buckets:
            if bucket.delay():
                return False
        if self.kept and self.reset_at() is not None:
            return False
        self.take()
        return True

    def reset_at(self) -> float | None:
        """When the last of the used-up caps has room again; None if there is room in all."""
        ends = [end for counter in self.kept if (end := counter.reset_at()) is not None]
        return max(ends, default=None)

    def take(self) -> None:
        """A token of every bucket, and one more in every count."""
        for bucket in self.buckets:
            bucket.take()
        for counter in self.counters:
            counter.take()

    def give_back(self, taken_at: float) -> None:
        """All of it back, as if it had not been taken at that moment."""
        for bucket in self.buckets:
            bucket.give_back(taken_at)
        for counter in self.counters:
            counter.give_back()
