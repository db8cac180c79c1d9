"""What became of a job."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from leavo_async.bulk.card import card
from leavo_async.bulk.findings import Findings, Reason
from leavo_async.bulk.html import page
from leavo_async.bulk.report_frames import arrow_table, pandas_frame, polars_frame
from leavo_async.bulk.summary import headline, summary
from leavo_async.bulk.whole import write_whole

__all__ = ["Reason", "Report"]

# Enough to see what is wrong; the failures file has them all.
_KEPT = 1000


@dataclass(frozen=True, slots=True, repr=False)
class Report(Findings):
    """What became of the rows of a job so far. It prints as a few lines, and shows as a card in notebooks.

    job: its id. name: of what is imported, such as "leads". source: the file's name, or what the rows were.
    place: where they go. limit: what the key may send, in words; limit_per_minute: as a number, None without a limit.
    counts: rows by state; all states are there. outcomes: done rows by how they got done. empty: rows without content.
    requests: attempts, look-ups included; refused: 429s among them. seconds: of running time, all runs together.
    reasons: why rows are not done. stopped_by: why the last run ended before the job was finished; None if it is.
    journal: the file that has it all.
    """

    def __repr__(self) -> str:
        # The slices of a week would fill the screen.
        return f"<Report of job {self.job}: {headline(self)}>"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _repr_html_(self) -> str:
        return card(self)

    def lines(self) -> Iterator[str]:
        """The report as lines of text: headline, rows, requests, the three most frequent reasons, what to do next."""
        return summary(self)

    @property
    def failed(self) -> list[dict[str, Any]]:
        """The first 1000 rows that failed, are invalid or are held, with the fields of RowRecord and so with values."""
        return [row._asdict() for row in islice(self.rows("failed", "invalid", "held"), _KEPT)]

    def html(self) -> str:
        """The report as one page of HTML, with plots; it needs no network and holds no values of rows.

        What the server said of rows is shown, and may repeat what is in them.
        """
        return page(self)

    def write_html(self, path: str | Path) -> None:
        """Write the page to a file that only you can read, whole or not at all; an older one is replaced.

        Raises ConfigError if it cannot be written.
        """
        write_whole(path, self.html(), what="the report")

    def to_pandas(self, *, values: bool = False) -> Any:
        """All rows as a pandas.DataFrame: a column for each field of RowRecord, times in UTC.

        values: adds the source's values as JSON text, in a column `values`: personal data; empty once a row is done.
        Raises ConfigError if pandas is not installed.
        """
        return pandas_frame(self.rows(), values=values)

    def to_polars(self, *, values: bool = False) -> Any:
        """All rows as a polars.DataFrame; see `to_pandas`. Raises ConfigError if polars is not installed."""
        return polars_frame(self.rows(), values=values)

    def to_arrow(self, *, values: bool = False) -> Any:
        """All rows as a pyarrow.Table; see `to_pandas`. Raises ConfigError if pyarrow is not installed."""
        return arrow_table(self.rows(), values=values)
