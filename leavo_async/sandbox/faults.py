"""Scripted faults: what goes wrong, for which requests, how often.

Fault(status=503, times=2)                      # two answers 503, nothing done
Fault(reset="after", method="POST")             # the lead is there, the answer is not
Fault(status=500, commit=True)                  # done, and then a 500 all the same
Fault(delay=3.0, chance=0.1, times=None)        # every tenth answer is slow
Fault(body='{"id": "4', path="/backend/leads")  # done, and the answer cannot be read
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Literal

from leavo_async.sandbox.messages import Answer


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong.

    What: `status` is answered instead of doing the work; with `commit`, the work is done first. `body` and `headers` go
    with that status; without a status, the body replaces that of the true answer and the headers join its own. An error
    status without a body gets the API's own error. `reset` aborts the connection "before" or "after" the work is done,
    either way before the first byte of an answer. `delay` (seconds) is slept before the work, or after it where
    the fault comes after it (`commit`, reset="after").

    Which: requests of this `method` whose path begins with `path`, but not the first `skip` of them, `times` in all
    (None: for ever), each with this `chance` (0 to 1).

    name: what the ledger calls it; made from the rest if not given.
    """

    status: int | None = None
    delay: float = 0.0
    reset: Literal["before", "after"] | None = None
    body: bytes | str | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    method: str | None = None
    path: str | None = None
    times: int | None = 1
    chance: float = 1.0
    skip: int = 0
    commit: bool = False
    name: str = ""

    def __post_init__(self) -> None:
        for wrong, reason in self._objections():
            if wrong:
                raise ValueError(f"{reason}: {self!r}")
        # A frozen value may complete itself while it is made.
        object.__setattr__(self, "name", self.name or self._description())

    @property
    def instead(self) -> bool:
        """Whether it comes in place of the work, which is then not done."""
        return self.reset == "before" or (self.status is not None and not self.commit)

    @property
    def delay_before(self) -> float:
        """Seconds to sleep before the work."""
        return 0.0 if self._late() else self.delay

    @property
    def delay_after(self) -> float:
        """Seconds to sleep after the work."""
        return self.delay if self._late() else 0.0

    def over(self, answer: Answer) -> Answer:
        """The true answer as this fault lets it out."""
        status = self.status or answer.status
        body = answer.body if self.body is None else _encoded(self.body)
        replaced = {name.lower() for name in self.headers}
        kept = {name: value for name, value in answer.headers.items() if name.lower() not in replaced}
        return Answer(status, body, {**kept, **self.headers})

    def fits(self, method: str, path: str) -> bool:
        """Whether it is meant for such a request."""
        return self.method in (None, method) and path.startswith(self.path or "")

    def _late(self) -> bool:
        return self.commit or self.reset == "after"

    def _objections(self) -> tuple[tuple[bool, str], ...]:
        return (
            (self.status is not None and not 200 <= self.status <= 599, "status must be 200 to 599"),
            (not 0 <= self.delay < math.inf, "delay must be a finite number of seconds, not negative"),
            (self.reset not in (None, "before", "after"), 'reset must be "before" or "after"'),
            (self.reset is not None and self.status is not None, "a reset connection has no status"),
            (self.reset == "before" and self.commit, 'nothing is committed with reset="before"'),
            (self.path is not None and not self.path.startswith("/"), "path must begin with a slash"),
            (self.times is not None and self.times < 1, "times must be at least 1, or None for ever"),
            (not 0 <= self.chance <= 1, "chance must be 0 to 1"),
            (self.skip < 0, "skip must not be negative"),
        )

    def _description(self) -> str:
        done = " after commit" if self.commit else ""
        parts = [
            f"{self.status}{done}" if self.status else "",
            f"reset {self.reset}" if self.reset else "",
            f"delay {self.delay:g} s" if self.delay else "",
            "other body" if self.body is not None and not self.status else "",
            "other headers" if self.headers and not self.status else "",
        ]
        return ", ".join(part for part in parts if part) or "no fault"


NO_FAULT = Fault(name="none")
"""What strikes a request that goes well."""


class FaultScript:
    """The faults of one sandbox, in order: each request is struck by the first that wants it, or by none.

    A request that an earlier fault takes is not counted by a later one. Chance is drawn from `seed`, so that a run
    with the same requests in the same order goes wrong in the same places.
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self._random = Random(f"{seed} faults")
        self._lines: list[_Line] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Append faults to the script."""
        self._lines.extend(_Line(fault, fault.skip, fault.times) for fault in faults)

    def pick(self, method: str, path: str) -> Fault:
        """The fault for this request; NO_FAULT if it goes well."""
        struck = next((line for line in self._lines if line.strikes(method, path, self._random)), None)
        self._lines = [line for line in self._lines if line.times != 0]
        return struck.fault if struck else NO_FAULT


@dataclass(slots=True)
class _Line:
    """A fault, and what is left of its counts."""

    fault: Fault
    skip: int
    times: int | None

    def strikes(self, method: str, path: str, random: Random) -> bool:
        if not self.fault.fits(method, path):
            return False
        if self.skip:
            self.skip -= 1
            return False
        if self.fault.chance < 1 and random.random() >= self.fault.chance:
            return False
        self.times = None if self.times is None else self.times - 1
        return True


def _encoded(body: bytes | str) -> bytes:
    return body.encode() if isinstance(body, str) else body
