"""Who may ask, and how often: each key with its label and a limiter of its own."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from leavo_async.sandbox.blocking import Block, Patience
from leavo_async.sandbox.limits import Limiter


@dataclass(frozen=True, slots=True)
class Holder:
    """The owner of one key.

    label: what the ledger calls it, so that no key is ever written there.
    limiter: of all its requests; None for no limit. groups: limiters of groups of routes, on top of that.
    patience: with a key that goes on after a 429; None if it has no end.
    """

    label: str
    limiter: Limiter | None
    groups: Mapping[str, Limiter] = field(default_factory=dict[str, Limiter])
    patience: Patience | None = None

    def limiters(self, groups: Iterable[str]) -> list[Limiter]:
        """All that a request in these groups has to pass."""
        own = [] if self.limiter is None else [self.limiter]
        return own + [self.groups[group] for group in groups if group in self.groups]


class KeyRing:
    """The keys the sandbox knows; the first is "key-1". Equal keys are one."""

    def __init__(
        self,
        keys: Iterable[str],
        limit: Callable[[], Limiter] | None,
        group_limits: Mapping[str, Callable[[], Limiter]],
        block: Block | None = None,
    ) -> None:
        self._holders = {
            key: Holder(
                f"key-{position}",
                limit() if limit else None,
                {group: make() for group, make in group_limits.items()},
                Patience(block) if block else None,
            )
            for position, key in enumerate(dict.fromkeys(keys), 1)
        }

    @property
    def labels(self) -> tuple[str, ...]:
        """What the keys are called, in order."""
        return tuple(holder.label for holder in self._holders.values())

    def holder(self, credential: str | None) -> Holder | None:
        """Whose key it is; None if nobody's."""
        return None if credential is None else self._holders.get(credential)
