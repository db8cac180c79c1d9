import json
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum, StrEnum
from uuid import UUID

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from leavo_async.bulk.plain import NotPlainError, plain, plain_row
from leavo_async.bulk.rows import Row


class Plan(StrEnum):
    GOLD = "gold"


class OldPlan(str, Enum):  # noqa: UP042  # its str() is not its value
    GOLD = "gold"


class Lead(BaseModel):
    name: str
    since: date


class Odd(BaseModel):
    held: object


def nested(levels: int) -> object:
    return [nested(levels - 1)] if levels else None


def nested_objects(levels: int) -> object:
    return {"a": nested_objects(levels - 1)} if levels else None


BRASILIA = timezone(timedelta(hours=-3))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        ("Ana", "Ana"),
        (Plan.GOLD, "gold"),
        (OldPlan.GOLD, "gold"),
        (7, 7),
        (1.5, 1.5),
        (float("nan"), None),
        (Decimal("1.50"), "1.50"),
        (Decimal("0E-10"), "0.0000000000"),
        (Decimal("1E+2"), "100"),
        (Decimal("1E+999999"), "1E+999999"),
        (Decimal("NaN"), None),
        (Decimal("sNaN"), None),
        (date(2026, 1, 2), "2026-01-02"),
        (time(8, 30), "08:30:00"),
        (datetime(2026, 1, 2, 8, 30), "2026-01-02T08:30:00"),
        (datetime(2026, 1, 2, 8, 30, tzinfo=BRASILIA), "2026-01-02T08:30:00-03:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ((1, [2.5]), [1, [2.5]]),
        ({"a": {"b": date(2026, 1, 2)}}, {"a": {"b": "2026-01-02"}}),
        ([Lead(name="Ana", since=date(2026, 1, 2))], [{"name": "Ana", "since": "2026-01-02"}]),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2026-01-02T08:30", tz="America/Sao_Paulo"), "2026-01-02T08:30:00-03:00"),
        (pd.Timestamp("2026-01-02T08:30:00.123456789"), "2026-01-02T08:30:00.123456"),
        (np.int64(7), 7),
        (np.float64(1.5), 1.5),
        (np.float64("nan"), None),
        (np.float32(1.5), 1.5),
        (np.longdouble(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("Ana"), "Ana"),
        (np.datetime64("2026-01-02T08:30"), "2026-01-02T08:30"),
        (np.datetime64("2026-01-02", "ns"), "2026-01-02T00:00:00.000000000"),
        (np.datetime64("NaT", "ns"), None),
        (np.array([[1, 2]]), [[1, 2]]),
        (np.array(7), 7),
    ],
)
def test_each_kind_of_value_has_its_form_in_json(value, expected):
    """Of exactly the types that the json module reads: nothing of numpy or pandas leaks."""
    found = plain(value)

    assert (expected, type(expected)) == (found, type(found))
    assert expected == json.loads(json.dumps(found))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(1.0, 1), (-3.0, -3), (2.0**53, 2**53), (2.0**53 + 2, 2.0**53 + 2), (1e300, 1e300), (1.5, 1.5)],
)
def test_a_float_without_a_fraction_is_an_integer(value, expected):
    """So pandas' 1.0 of an integer column with gaps is 1; beyond 2**53 nobody knows which integer it was."""
    found = plain(value)

    assert (expected, type(expected)) == (found, type(found))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"x", "holds bytes, which JSON has no form for; decode them to text first"),
        (np.bytes_(b"x"), "holds bytes, which JSON has no form for; decode them to text first"),
        (float("inf"), "holds infinity, which JSON has no form for; use null"),
        (Decimal("-Infinity"), "holds infinity, which JSON has no form for; use null"),
        (timedelta(1), "holds timedelta, which JSON has no form for"),
        (np.timedelta64(1, "D"), "holds timedelta64, which JSON has no form for"),
        (1j, "holds complex, which JSON has no form for"),
        ({1}, "holds set, which JSON has no form for"),
        (np.add, "holds ufunc, which JSON has no form for"),
        ("\ud800", "holds half of a surrogate pair (\\ud800 to \\udfff) without the other half"),
        ({"\ud800": 1}, "holds half of a surrogate pair (\\ud800 to \\udfff) without the other half"),
        ({1: 2}, "holds an object with a key that is not text"),
        ([10**5000], "holds a number with too many digits"),
        (Odd(held=object()), "holds Odd, a model that pydantic cannot write as JSON"),
        (nested_objects(64), "is nested deeper than 64 levels"),
        (nested(64), "is nested deeper than 64 levels"),
    ],
)
def test_a_value_without_a_form_in_json_is_named_by_its_type(value, words):
    """Wherever it is in the row: the row has a problem and no values."""
    assert Row(3, {}, f"column 'a' {words}") == plain_row(3, [("b", 1), ("a", value)])
    with pytest.raises(NotPlainError):
        plain([value])


def test_no_problem_shows_a_value():
    """Cells are personal data; problems end up in logs."""
    for value in (b"SECRET", {b"SECRET": 1}, Odd(held=b"\xffSECRET"), "SECRET\ud800"):
        assert "SECRET" not in repr(plain_row(1, [("a", value)]))


def test_nesting_up_to_the_limit_is_plain():
    """The row is the first of 64 levels, as in JSON Lines."""
    assert nested(63) == plain(nested(63))
    assert nested_objects(63) == plain(nested_objects(63))


def test_what_holds_itself_is_a_problem_and_no_crash():
    """It is nested without an end."""
    loop: list[object] = []
    loop.append(loop)

    assert "column 'a' is nested deeper than 64 levels" == plain_row(1, [("a", loop)]).problem


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@given(value=JSON)
def test_what_is_json_already_stays_equal(value):
    """Any value that the json module can write."""
    assert value == plain(value)


@given(moment=st.datetimes(timezones=st.none() | st.just(UTC)))
def test_a_moment_can_be_read_back(moment):
    """ISO 8601 keeps all of it."""
    assert moment == datetime.fromisoformat(plain(moment))
