"""The end of an import, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from leavo_async._sansio.text import printable
from leavo_async.bulk.results import State, Tally
from leavo_async.bulk.words import counted
from leavo_async.cli.exit_codes import ExitCode
from leavo_async.cli.open_rows import WORDS, open_row_lines, open_rows_json
from leavo_async.cli.traffic import Traffic


@dataclass(frozen=True, slots=True)
class Summary:
    """What an import has done.

    name: of the file. seconds: from the first request to the last answer. stopped_by: why it ended before the end of
    the file. code: what a real import ends with. read_back: leads that the sandbox had afterwards; None for a real
    import. rejects: the file with the rows to be mended, if it was written. asked: whether one was asked for.
    """

    name: str
    tally: Tally
    traffic: Traffic
    seconds: float
    limit: str
    stopped_by: str | None
    code: ExitCode
    read_back: int | None
    rejects: str | None
    asked: bool

    def lines(self) -> Iterator[str]:
        """The summary for people."""
        yield f"{self.name}: {counted(self.tally.rows, 'row')} in {self.seconds:.1f} s"
        for state, words in WORDS.items():
            if self._is_told(state):
                yield f"  {words:<16}{self.tally.counts[state]:>7,}"
        yield f"  requests {self.traffic.requests:,} · 429s seen {self.traffic.too_many:,} · limit {self.limit}"
        yield from open_row_lines(self.tally, self.rejects, self.asked)
        yield from self._early_end()
        yield from self._ending()

    def json(self) -> str:
        """The summary for programs: one JSON object."""
        told: dict[str, object] = {
            "file": self.name,
            "rows": self.tally.rows,
            **{str(state): self.tally.counts[state] for state in WORDS},
            "open_rows": open_rows_json(self.tally),
            "last_line": self.tally.last_line,
            "seconds": round(self.seconds, 3),
            "requests": self.traffic.requests,
            "responses_429": self.traffic.too_many,
            "stopped_by": self.stopped_by,
            "read_back": self.read_back,
            "rejects": self.rejects,
            "exit_code": int(self.code),
        }
        return json.dumps(told, ensure_ascii=False)

    def _is_told(self, state: State) -> bool:
        return state in ("created", "existing", "rejected") or self.tally.counts[state] > 0

    def _early_end(self) -> Iterator[str]:
        if self.stopped_by is not None:
            yield f"Stopped: {printable(self.stopped_by)}"
            yield f"Nothing after line {self.tally.last_line} was sent. Import the file again to go on: a lead that is"
            yield "there already is not created twice."
        if self.tally.counts["unknown"]:
            yield "Rows of unknown outcome may have been created: import them again, and see which are already there."

    def _ending(self) -> Iterator[str]:
        meaning = f"exit code {self.code}: {self.code.meaning}"
        if self.read_back is not None:
            yield f"Read back from the sandbox: {counted(self.read_back, 'lead')}."
            yield f"This was the sandbox. A real import would have ended with {meaning}."
        elif self.code:
            yield f"Ended with {meaning}."
