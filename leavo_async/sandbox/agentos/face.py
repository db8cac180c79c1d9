"""agentOS as the layers see it: keys, tiers, agencies, errors."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Self, TypedDict, cast, get_args

from leavo_async.sandbox.agentos.agency import Agency, Kind
from leavo_async.sandbox.agentos.endpoints import Asked, Endpoint
from leavo_async.sandbox.agentos.made_up import born, fill
from leavo_async.sandbox.agentos.tiers import TIER_NAMES, TIERS, endpoint
from leavo_async.sandbox.bodies import json_answer
from leavo_async.sandbox.checks import not_negative, one_of
from leavo_async.sandbox.messages import Answer, Call, Done, Json, Refusal, World
from leavo_async.sandbox.refused import Refused


class AgentOSSettings(TypedDict, total=False):
    """What only this API can be told.

    tiers: those that the keys have a right to; None for all. short_names: of the agencies that they may ask about.
    search_lag: seconds until lists find a new record.
    """

    tiers: Collection[str] | None
    short_names: tuple[str, ...]
    search_lag: float


@dataclass(frozen=True, slots=True)
class AgentOSFace:
    """agentOS over made-up agencies, each with data of its own that all keys share.

    agencies: by short name; the first is the one that `fill` fills and `stored` shows. new: OIDs of records that were
    asked for, and from when on lists find them, in seconds on `clock`.
    """

    agencies: Mapping[str, Agency]
    tiers: frozenset[str]
    search_lag: float
    clock: Callable[[], float]
    wall: Callable[[], float]
    new: dict[str, float] = field(default_factory=dict[str, float])

    prefix = ""
    kinds = get_args(Kind)
    query_keys = frozenset({"api_key"})

    @classmethod
    def born(
        cls,
        world: World,
        *,
        tiers: Collection[str] | None = None,
        short_names: tuple[str, ...] = ("sandbox",),
        search_lag: float = 0.0,
    ) -> Self:
        """An API whose agencies have branches and little else. ValueError for an unknown tier, or without a name."""
        if not short_names or not all(short_names):
            raise ValueError(f"short_names must be names that are not empty, not {short_names!r}")
        rights = frozenset(one_of("a tier", tier, TIER_NAMES) for tier in (TIER_NAMES if tiers is None else tiers))
        agencies = {name: born(name, world.seed) for name in short_names}
        return cls(agencies, rights, not_negative("search_lag", search_lag), world.clock, world.wall)

    def credential(self, headers: Mapping[str, str], query: Mapping[str, str]) -> str | None:
        """The key from the header `api_key`, the query `api_key`, or V3's header `ApiKey`; None if there is none."""
        # The specs of V3 (see legacy.py) declare ApiKey; nothing says that V3 refuses the others, or V4 this one.
        return headers.get("api_key") or query.get("api_key") or headers.get("ApiKey")

    def groups(self, method: str, segments: tuple[str, ...]) -> tuple[str, ...]:
        """None: all routes share the key's limit."""
        return ()

    def perform(self, call: Call) -> Done:
        """The answer to a call, with its effect carried out; never raises `Refused`."""
        try:
            found, asked = self._found(call)
            done = found(asked)
        except Refused as refused:
            return Done(self.refuse(refused.refusal))
        if self.search_lag:
            listed_from = self.clock() + self.search_lag
            self.new.update({change.id: listed_from for change in done.changes if change.kind == "created"})
        return done

    def refuse(self, refusal: Refusal) -> Answer:
        """{"Message": …}, as ASP.NET has it by default: the true shape of agentOS's errors is unknown."""
        return json_answer(refusal.status, {"Message": refusal.message}, refusal.headers)

    def fill(self, kind: str, n: int, key: str) -> None:
        """Add n made-up records to the first agency."""
        fill(self._own, cast("Kind", kind), n, self._now().date())

    def stored(self, kind: str, key: str) -> list[Json]:
        """The records of the first agency; the links to parts that answers have are not among their fields."""
        return self._own.all(cast("Kind", kind))

    def _found(self, call: Call) -> tuple[Endpoint, Asked]:
        version, tier, short_name = (*call.segments, "", "", "")[:3]
        routes = TIERS.get((version, tier))
        if routes is None:
            raise Refused(Refusal(404, "There is no such version, or no such tier in it."))
        if tier not in self.tiers:
            raise Refused(Refusal(401, f"The API key has no right to the tier {tier}."))
        if short_name not in self.agencies:
            raise Refused(Refusal(403, "The API key has no right to the data of this agency."))
        found, path = endpoint(routes, replace(call, segments=_after_short_name(call.segments)))
        return found, Asked(self.agencies[short_name], call, path, self._now().date(), self._unlisted())

    def _unlisted(self) -> Collection[str]:
        now = self.clock()
        # In order of creation, so the first one that is still new ends it.
        while self.new and now >= self.new[first := next(iter(self.new))]:
            del self.new[first]
        return self.new

    @property
    def _own(self) -> Agency:
        return next(iter(self.agencies.values()))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.wall(), UTC)


def _after_short_name(segments: tuple[str, ...]) -> tuple[str, ...]:
    """The endpoint's part of the path; one guide writes a slash at its end, and it makes no difference."""
    return segments[3:-1] if segments[-1] == "" else segments[3:]
