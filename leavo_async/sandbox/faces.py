"""The APIs the sandbox can speak: a new one is a line here, and its settings a base of `Settings`."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from leavo_async.sandbox.agentos.face import AgentOSFace, AgentOSSettings
from leavo_async.sandbox.blocking import Block
from leavo_async.sandbox.laabam.face import GROUPS, LaabamFace, LaabamSettings
from leavo_async.sandbox.language_confidence.face import LanguageConfidenceFace, LanguageConfidenceSettings
from leavo_async.sandbox.leavo.face import LeavoFace, LeavoSettings
from leavo_async.sandbox.messages import Face

ApiName = Literal["leavo", "laabam", "agentos", "language_confidence"]


class Settings(LeavoSettings, LaabamSettings, AgentOSSettings, LanguageConfidenceSettings, total=False):
    """What single APIs can be told when the sandbox is made."""


@dataclass(frozen=True, slots=True)
class Api:
    """How the sandbox becomes one API.

    face: makes it, from a `World` and its own settings. settings: their names.
    key: the parts of the sandbox's own key; the key itself is those joined by colons.
    groups: of routes that can have limits of their own.
    honours_keys: whether it keeps the promise of idempotency keys, if not told otherwise.
    marks_replays: whether a replayed answer has the header Idempotency-Replayed.
    retry_after: whether a 429 has Retry-After, if not told otherwise.
    block: when a key that goes on after a 429 is blocked, if not told otherwise; None for never.
    """

    face: Callable[..., Face]
    settings: Iterable[str] = ()
    key: tuple[str, ...] = ("sandbox-key",)
    groups: Iterable[str] = ()
    honours_keys: bool = False
    marks_replays: bool = True
    retry_after: bool = True
    block: Block | None = None

    def parts(self, key: str) -> tuple[str, ...]:
        """The key as a client is given it. ValueError if it has not all its parts."""
        parts = tuple(key.split(":", len(self.key) - 1))
        if len(parts) < len(self.key) or not all(parts):
            form = ":".join(f"<part {number}>" for number, _ in enumerate(self.key, 1))
            raise ValueError(f"a key must not be empty, and has the form {form}")
        return parts


APIS: Mapping[str, Api] = MappingProxyType(
    {
        "leavo": Api(LeavoFace.born, LeavoSettings.__annotations__),
        "laabam": Api(
            LaabamFace.born,
            LaabamSettings.__annotations__,
            key=("lk_id_sandbox", "lk_secret_sandbox"),
            groups=GROUPS,
            honours_keys=True,
            marks_replays=False,
        ),
        # Blocks are documented, their numbers and a Retry-After are not:
        # https://hub.agentos.com/api-throttle-limits-and-rate-limiting
        "agentos": Api(AgentOSFace.born, AgentOSSettings.__annotations__, retry_after=False, block=Block()),
        "language_confidence": Api(
            LanguageConfidenceFace.born, LanguageConfidenceSettings.__annotations__, retry_after=False
        ),
    }
)
"""Each by the name it has for `Sandbox(api=...)` and on the command line."""
