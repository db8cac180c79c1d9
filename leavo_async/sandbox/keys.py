"""Who may ask, and how often: each key with its label and a limiter of its own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from leavo_async.sandbox.limits import Limiter


@dataclass(frozen=True, slots=True)
class Holder:
    """The owner of one key. label: what the ledger calls it, so that no key is ever written there."""

    label: str
    limiter: Limiter | None


class KeyRing:
    """The keys the sandbox knows; the first is "key-1". Equal keys are one."""

    def __init__(self, keys: Iterable[str], limit: Callable[[], Limiter] | None) -> None:
        self._holders = {
            _checked(key): Holder(f"key-{position}", limit() if limit else None)
            for position, key in enumerate(dict.fromkeys(keys), 1)
        }

    def holder(self, credential: str | None) -> Holder | None:
        """Whose key it is; None if nobody's."""
        return None if credential is None else self._holders.get(credential)


def _checked(key: str) -> str:
    if not key:
        raise ValueError("a key must not be empty")
    return key
