import json
import sys
from datetime import UTC, datetime

import pytest

from leavo_async.bulk import report_frames
from leavo_async.bulk.states import RowRecord
from leavo_async.errors import ConfigError

from .reports import BEGAN, CANARY, open_rows, report

LINES = [
    RowRecord(1, 2, "done", "created", id="7", attempts=1, first_sent=BEGAN + 0.25),
    RowRecord(2, 3, "failed", status=422, code="invalid", reason="no", attempts=2, values={"email": CANARY, "n": 1}),
]
WAYS = {"pandas": "to_pandas", "polars": "to_polars", "pyarrow": "to_arrow"}
TYPES = {
    "to_pandas": ("Int64", "string", "datetime64[us, UTC]"),
    "to_polars": ("Int64", "String", "Datetime(time_unit='us', time_zone='UTC')"),
    "to_arrow": ("int64", "string", "timestamp[us, tz=UTC]"),
}
INTEGERS, TIMES = {"row", "line", "status", "attempts"}, {"first_sent"}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request):
    """The name of a way to get a frame, if its package is there."""
    pytest.importorskip(next(package for package, name in WAYS.items() if name == request.param))
    return request.param


def frame_of(way, rows, **options):
    return getattr(report(rows=rows), way)(**options)


def types_of(frame) -> dict[str, str]:
    if hasattr(frame, "schema") and hasattr(frame.schema, "types"):
        return dict(zip(frame.schema.names, map(str, frame.schema.types), strict=True))
    return {name: str(kind) for name, kind in zip(frame.columns, frame.dtypes, strict=True)}


def cells_of(frame) -> list[dict]:
    """The rows of a frame; what is missing is None."""
    if hasattr(frame, "to_pylist"):
        return frame.to_pylist()
    if hasattr(frame, "to_dicts"):
        return frame.to_dicts()
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def test_a_frame_has_all_rows(way):
    """In the order of the source, times in UTC, nothing for what there is not."""
    first, second = cells_of(frame_of(way, LINES))

    assert (1, "done", "created", "7", None) == tuple(first[k] for k in ("row", "state", "outcome", "id", "status"))
    assert datetime.fromtimestamp(BEGAN + 0.25, UTC) == first["first_sent"]
    assert (2, "failed", None, 422, None) == tuple(second[k] for k in ("row", "state", "id", "status", "first_sent"))


@pytest.mark.parametrize("rows", [LINES, LINES[:1], []], ids=["two rows", "columns without a value", "no rows"])
def test_types_do_not_depend_on_what_is_in_a_column(way, rows):
    """A column without any status is one of integers all the same, so that frames of two jobs fit together."""
    integer, text, time = TYPES[way]
    names = [name for name in RowRecord._fields if name != "values"]

    expected = {name: integer if name in INTEGERS else time if name in TIMES else text for name in names}
    assert expected == types_of(frame_of(way, rows))


def test_values_are_there_only_if_asked_for(way):
    """They are personal data; a done row has none any more."""
    assert CANARY not in str(cells_of(frame_of(way, LINES)))

    done, failed = cells_of(frame_of(way, LINES, values=True))
    assert done["values"] is None
    assert {"email": CANARY, "n": 1} == json.loads(failed["values"])


def test_frames_are_made_in_batches(way, monkeypatch):
    """A million rows are not a million Python objects at a time."""
    monkeypatch.setattr(report_frames, "_BATCH", 7)

    assert list(range(1, 31)) == [row["row"] for row in cells_of(frame_of(way, open_rows(30)))]


@pytest.mark.parametrize("package", WAYS)
def test_a_package_that_is_missing_is_named(package, monkeypatch):
    """With the line that installs it."""
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(ConfigError, match=rf"pip install {package}$"):
        frame_of(WAYS[package], LINES)
