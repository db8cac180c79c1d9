"""What a server says about waiting and quotas, in all the ways that servers say it."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import Headers
from leavo_async._sansio.advice import ServerAdvice, read_advice
from leavo_async._sansio.moments import milliseconds, seconds_from, server_now
from leavo_async._sansio.quotas import Quota, read_quotas

NOW = 1_750_000_000.0  # Sun, 15 Jun 2025 15:06:40 GMT
DAY = 86_400.0


def wait(fields: dict[str, str], details: object = None) -> float | None:
    return read_advice(Headers(fields.items()), details, now=NOW).wait


def quotas(fields: dict[str, str]) -> tuple[Quota, ...]:
    return read_quotas(Headers(fields.items()), now=NOW)


# Moments


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("120", 120.0),
        (" 7 ", 7.0),
        (" 1s ", 1.0),
        ("1.5", 1.5),
        ("0.30000000000000004", 0.30000000000000004),
        ("0", 0.0),
        (7, 7.0),
        (1.5, 1.5),
        ("1750000037", 37.0),
        ("1750000037.5", 37.5),
        (1_750_000_037, 37.0),
        ("1750000037500", 37.5),
        ("Sun, 15 Jun 2025 15:07:17 GMT", 37.0),
        ("Sunday, 15-Jun-25 15:07:17 GMT", 37.0),
        ("Sun Jun 15 15:07:17 2025", 37.0),
        ("Sun, 15 Jun 2025 17:07:17 +0200", 37.0),
        ("1s", 1.0),
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("250ms", 0.25),
        ("2m250ms", 120.25),
    ],
)
def test_a_wait_is_understood_in_each_form_that_servers_use(told: object, seconds: float) -> None:
    """A number of seconds, a moment as a number or as one of the three dates of HTTP, and a duration with units."""
    assert seconds == seconds_from(told, now=NOW)


@pytest.mark.parametrize(
    "told",
    [
        "",
        " ",
        "soon",
        "-5",
        "+5",
        "-0",
        "nan",
        "inf",
        "1e9",
        "1_000",
        "1,5",
        "1.",
        ".5",
        "5, 5",
        "٣",
        "5\x00",
        "9" * 16,
        "9" * 5000,
        "1." + "0" * 5000,
        "5 s",
        "5d",
        "s",
        "-5s",
        "1s-5s",
        "Sun, 99 Jun 2025 15:07:17 GMT",
        "Sun, 15 Jun 2025 15:07:61 GMT",
        "Sun, 15 Jun 2025 15:07:17 +9999",
        "Sun, 1٥ Jun 2025 15:07:17 GMT",
        "Sun, 1_5 Jun 2025 15:07:17 GMT",
        "15 Jun 2025 15:07:17 GMT",
        "Sun, 15 Jun 2025",
        "2025-06-15",
        None,
        True,
        -5,
        -0.001,
        float("nan"),
        float("inf"),
        1e15,
        10**400,
        [5],
        b"5",
    ],
)
def test_what_cannot_be_read_is_no_wait_at_all(told: object) -> None:
    """None, and not zero: zero would mean at once."""
    assert seconds_from(told, now=NOW) is None


@pytest.mark.parametrize("told", ["1749999990", "1749999990000", "Sun, 15 Jun 2025 15:06:30 GMT"])
def test_a_moment_in_the_past_means_at_once(told: str) -> None:
    """It was told for a wait that is over."""
    assert seconds_from(told, now=NOW) == 0.0


@pytest.mark.parametrize(
    "told",
    ["86401", "100h", "1699999999", "1750086401", "1750086401000", "9" * 15, "Tue, 15 Jun 2055 15:06:40 GMT", 1e14],
)
def test_nobody_is_told_to_wait_for_more_than_a_day(told: object) -> None:
    """Not even by a number that looks like a moment and is none: after a day the server is asked again."""
    assert seconds_from(told, now=NOW) == DAY


@pytest.mark.parametrize(
    ("told", "moment"), [("1700000000", 0.0), ("1699999999", DAY), ("1699999999999", DAY), ("1700000000000", 0.0)]
)
def test_the_size_of_a_number_tells_whether_it_is_a_moment(told: str, moment: float) -> None:
    """From 1.7e9 on it counts seconds since 1970, from 1.7e12 on milliseconds."""
    assert moment == seconds_from(told, now=1_700_000_000)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="only Unix can change its time zone")
def test_a_date_without_a_zone_means_greenwich_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 §5.6.7."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "NPT-05:45")
        time.tzset()
        seconds = seconds_from("Sun Jun 15 15:07:17 2025", now=NOW)
    time.tzset()

    assert seconds == 37.0


FORMS: dict[str, Callable[[datetime], object]] = {
    "delta": lambda moment: str(int(moment.timestamp() - NOW)),
    "delta as a number": lambda moment: moment.timestamp() - NOW,
    "duration": lambda moment: f"{int(moment.timestamp() - NOW) // 60}m{int(moment.timestamp() - NOW) % 60}s",
    "epoch": lambda moment: str(int(moment.timestamp())),
    "epoch in ms": lambda moment: str(int(moment.timestamp() * 1000)),
    "IMF-fixdate": lambda moment: format_datetime(moment, usegmt=True),
    "RFC 850": lambda moment: f"{moment:%A, %d-%b-%y %H:%M:%S} GMT",
    "asctime": lambda moment: time.asctime(moment.timetuple()),
}


@pytest.mark.parametrize("form", FORMS)
@given(seconds=st.integers(0, 86_400))
def test_a_moment_that_is_written_and_read_again_is_the_same(form: str, seconds: int) -> None:
    """In whichever form it is written."""
    assert seconds == seconds_from(FORMS[form](datetime.fromtimestamp(NOW + seconds, UTC)), now=NOW)


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("1500", 1.5), ("0.5", 0.0005), (250, 0.25), ("0", 0.0), ("1750000037000", DAY), ("soon", None), ("-1", None)],
)
def test_milliseconds_are_always_a_span(told: object, seconds: float | None) -> None:
    """A thousandth of the number, however large, up to a day."""
    assert seconds == milliseconds(told)


@pytest.mark.parametrize(
    ("date", "clock"),
    [
        ("Sun, 15 Jun 2025 15:06:10 GMT", NOW - 30),
        ("Sunday, 15-Jun-25 15:06:10 GMT", NOW - 30),
        ("Sun Jun 15 15:06:10 2025", NOW - 30),
        ("yesterday", NOW),
        ("1750000000", NOW),
        ("", NOW),
    ],
)
def test_the_servers_clock_is_the_date_of_its_answer(date: str, clock: float) -> None:
    """Ours is taken where that cannot be read."""
    assert clock == server_now(Headers([("Date", date)]), NOW)


@pytest.mark.parametrize(
    ("field", "value", "seconds"),
    [
        ("Retry-After", "1750000000", 30.0),
        ("Retry-After", "Sun, 15 Jun 2025 15:06:40 GMT", 30.0),
        ("Retry-After", "7", 7.0),
        ("X-RateLimit-Reset", "1750000000", 30.0),
        ("X-RateLimit-Reset", "1750000000000", 30.0),
        ("X-RateLimit-Reset", "7", 7.0),
    ],
)
def test_a_wait_is_right_although_the_servers_clock_is_late(field: str, value: str, seconds: float) -> None:
    """A moment is told by the server's clock, so its own Date is what it is counted from; a span needs no clock."""
    assert seconds == wait({"Date": "Sun, 15 Jun 2025 15:06:10 GMT", field: value})


def test_a_hint_is_counted_from_the_servers_clock_too() -> None:
    """It comes from the same machine as the headers."""
    assert wait({"Date": "Sun, 15 Jun 2025 15:06:10 GMT"}, {"retry_after": 1_750_000_000}) == 30.0


# Quotas

NEW = {"RateLimit": '"default";r=50;t=30', "RateLimit-Policy": '"default";q=100;w=60'}
DRAFT_07 = {"RateLimit": "limit=10, remaining=1, reset=7", "RateLimit-Policy": "10;w=1, 50;w=60"}
DRAFT_06 = {"RateLimit-Limit": "20", "RateLimit-Remaining": "2", "RateLimit-Reset": "8"}
X = {"X-RateLimit-Limit": "30", "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "9"}
X_RATE = {"X-Rate-Limit-Limit": "40", "X-Rate-Limit-Remaining": "4", "X-Rate-Limit-Reset": "1750000010"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (NEW, [Quota(100, 60, 50, 30)]),
        (DRAFT_07, [Quota(10, 1, 1, 7), Quota(50, 60)]),
        (DRAFT_06, [Quota(20, None, 2, 8)]),
        (DRAFT_06 | {"RateLimit-Policy": "20;w=60, 500;w=3600"}, [Quota(20, 60, 2, 8), Quota(500, 3600)]),
        (DRAFT_06 | {"RateLimit-Limit": "20, 20;w=60, 500;w=3600"}, [Quota(20, 60, 2, 8), Quota(500, 3600)]),
        (DRAFT_06 | {"RateLimit-Limit": "20;w=60"}, [Quota(20, 60, 2, 8)]),
        (X, [Quota(30, None, 3, 9)]),
        (X | {"X-RateLimit-Limit": "30, 30;w=60"}, [Quota(30, 60, 3, 9)]),
        (X_RATE, [Quota(40, None, 4, 10)]),
        (X | {"X-RateLimit-Reset-After": "1.25"}, [Quota(30, None, 3, 1.25)]),
        (X | {"X-RateLimit-Reset-After": "soon"}, [Quota(30, None, 3, 9)]),
        ({"X-RateLimit-Reset": "6m0s"}, [Quota(reset=360)]),
        ({"RateLimit-Policy": "10;w=1, 50;w=60"}, [Quota(10, 1), Quota(50, 60)]),
        ({"x-ratelimit-limit": "5"}, [Quota(5)]),
        ({"RATELIMIT-LIMIT": "5"}, [Quota(5)]),
        ({"X-RATE-LIMIT-LIMIT": "5"}, [Quota(5)]),
    ],
)
def test_a_quota_is_understood_in_each_dialect(fields: dict[str, str], expected: list[Quota]) -> None:
    """Three generations of the IETF's draft, and the names from before it; header names in any case."""
    assert tuple(expected) == quotas(fields)


@pytest.mark.parametrize(
    ("limits", "policies", "expected"),
    [
        ('"a";r=1;t=2, "b";r=3;t=4', '"b";q=6;w=60,"a";q=5;w=50', [Quota(5, 50, 1, 2), Quota(6, 60, 3, 4)]),
        ('"day";r=9;t=4', '"hour";q=1;w=60, "day";q=5;w=50', [Quota(5, 50, 9, 4), Quota(1, 60)]),
        ("", '"a";q=5;w=50', [Quota(5, 50)]),
        ('"a";r=1;t=2', "", [Quota(remaining=1, reset=2)]),
        ('"a";r=999;pk=:dHJpYWwxMjEzMjM=:', '"a";q=999;pk=:cHsdsRa894==:', [Quota(999, None, 999)]),
        ("a;r=1;t=2", '"a";q=5;w=50', [Quota(5, 50, 1, 2)]),
        ('"a" ; r = 1; t = 2', ' "a"; q=5 ;W=50;acme-burst="x;q=9,y"', [Quota(5, 50, 1, 2)]),
        ('"a,b;c";r=1', '"a,b;c";q=5', [Quota(5, None, 1)]),
        ('"a";r=0;t=9;pk=:MQ==:, "a";r=1;t=2', '"a";q=5', [Quota(5, None, 0, 9), Quota(5, None, 1, 2)]),
        ('"a";r=1;t=2, "b";r=3;t=4', '"a";q=5;qu="content-bytes", "b";q=6', [Quota(6, None, 3, 4)]),
        ('"a";r=1;t=2', '"a";q=5;qu="requests"', [Quota(5, None, 1, 2)]),
        ('"a";r=1;t=2', "a;q=5;qu=requests", [Quota(5, None, 1, 2)]),
        ('"a";r=1;t=2', '"a";q=5;qu="concurrent-requests"', []),
    ],
)
def test_what_is_left_is_joined_with_its_policy_by_name(limits: str, policies: str, expected: list[Quota]) -> None:
    """A policy that is only announced tells its limit; one that does not count requests tells nothing."""
    assert tuple(expected) == quotas({"RateLimit": limits, "RateLimit-Policy": policies})


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([NEW, DRAFT_06, X, X_RATE], Quota(100, 60, 50, 30)),
        ([DRAFT_07, DRAFT_06, X, X_RATE], Quota(10, 1, 1, 7)),
        ([DRAFT_06, X, X_RATE], Quota(20, None, 2, 8)),
        ([X, X_RATE], Quota(30, None, 3, 9)),
        ([{"RateLimit": "?!", "RateLimit-Policy": "100"}, X], Quota(100)),
        ([{"RateLimit": "?!", "RateLimit-Reset": "soon"}, X], Quota(30, None, 3, 9)),
    ],
)
def test_the_newest_dialect_that_tells_anything_is_taken(present: list[dict[str, str]], expected: Quota) -> None:
    """Servers speak several for old clients, not because they mean several things."""
    fields = {name: value for dialect in reversed(present) for name, value in dialect.items()}

    assert expected == quotas(fields)[0]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"RateLimit": '"a";r=-1;t=-2', "RateLimit-Policy": '"a";q=5'}, [Quota(5)]),
        ({"RateLimit": '"a";r=1.5;t=x, "b";r=3'}, [Quota(remaining=3)]),
        ({"RateLimit": '"a";r="1";t=2'}, [Quota(reset=2)]),
        ({"RateLimit": '"a;r=1'}, []),
        ({"RateLimit": "a b;r=1"}, []),
        ({"RateLimit": ",;,;;=,=;,\\"}, []),
        ({"RateLimit": '"a";r;t, 5;r=1'}, []),
        ({"RateLimit-Policy": '"a";q=0;w=0'}, []),
        ({"RateLimit-Policy": '"a";q=5;w=0.5'}, [Quota(5)]),
        ({"RateLimit-Policy": "-1;w=60, 0;w=60, 7;w=60"}, [Quota(7, 60)]),
        ({"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0"}, [Quota(remaining=0)]),
        ({"X-RateLimit-Limit": "1000000000"}, [Quota(1_000_000_000)]),
        ({"X-RateLimit-Limit": "1000000001"}, []),
        ({"X-RateLimit-Limit": "٣", "X-RateLimit-Remaining": "1_0"}, []),
        ({"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "5, 0", "X-RateLimit-Reset": "9"}, [Quota(reset=9)]),
        ({"X-RateLimit-Reset": "99999999"}, [Quota(reset=DAY)]),
        ({"X-RateLimit-Used": "5", "RateLimiter": "on", "Cooperate-Limit": "5"}, []),
    ],
)
def test_what_is_malformed_is_passed_over(fields: dict[str, str], expected: list[Quota]) -> None:
    """And the rest of the answer still counts; a limit or a window of 0 is nobody's."""
    assert tuple(expected) == quotas(fields)


def test_a_field_that_is_sent_twice_is_one_list() -> None:
    """RFC 9651 §3.1."""
    pairs = [("RateLimit-Policy", '"a";q=5;w=50'), ("ratelimit-policy", '"b";q=6;w=60')]

    assert (Quota(5, 50), Quota(6, 60)) == read_quotas(Headers(pairs), now=NOW)


@pytest.mark.parametrize("hostile", ['"\\' * 200_000, '"' * 200_001, 'a;"\\";' * 100_000, ";," * 200_000])
def test_a_hostile_field_costs_no_more_than_its_length(hostile: str) -> None:
    """A search that began anew at each quote would take minutes."""
    assert quotas({"RateLimit": hostile}) == ()


def test_a_row_of_policies_without_end_is_cut() -> None:
    """Nobody has so many windows, and each answer is read."""
    assert len(quotas({"RateLimit-Policy": ",".join(f"{n};w=60" for n in range(1, 10_000))})) <= 21


def test_an_answer_that_tells_nothing_is_not_even_taken_apart() -> None:
    """It is the usual one, and should not pay for those that do."""

    class Untouched(Headers):
        def __getitem__(self, name: str) -> str:
            raise AssertionError(name)

    usual = {"Content-Type": "application/json", "Date": "Sun, 15 Jun 2025 15:06:10 GMT", "X-Request-Id": "r-1"}

    assert read_quotas(Untouched(usual.items()), now=NOW) == ()


# Advice


def test_no_advice_is_none_and_not_zero() -> None:
    """Zero would mean: at once."""
    assert ServerAdvice(None, ()) == read_advice(Headers(), None, now=NOW)


def test_advice_holds_the_quotas_that_were_told() -> None:
    """They tell how fast to go on after the wait."""
    headers = Headers([("Retry-After", "5"), *X.items()])

    assert ServerAdvice(5.0, (Quota(30, None, 3, 9),)) == read_advice(headers, None, now=NOW)


SPENT = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "9"}


@pytest.mark.parametrize(
    ("fields", "details", "seconds"),
    [
        ({"Retry-After-Ms": "1500.5", "Retry-After": "7", **SPENT}, {"retry_after": 30}, 1.5005),
        ({"Retry-After": "7", **SPENT}, {"retry_after": 30}, 7.0),
        (SPENT, {"retry_after": 30}, 9.0),
        ({}, {"retry_after": 30, "retry_after_ms": 40_000, "retryAfter": 50}, 30.0),
        ({}, {"retry_after_ms": 40_000, "retryAfter": 50}, 40.0),
        ({}, {"retryAfter": 50}, 50.0),
        ({}, {"retry_after": "30"}, 30.0),
        ({}, {"retry_after_ms": "250.0"}, 0.25),
        ({}, {}, None),
        ({"Retry-After-Ms": "soon", "Retry-After": "7"}, None, 7.0),
        ({"Retry-After": "soon", **SPENT}, None, 9.0),
        ({"Retry-After": "0"}, {"retry_after": 30}, 0.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, {"retry_after": 30}, 30.0),
        ({}, {"retry_after": "soon", "retryAfter": 50}, 50.0),
        ({}, {"retry_after": True}, None),
        ({}, {"retry_after": 10**400}, None),
        ({}, ["retry_after"], None),
        ({}, "retry_after", None),
        ({"Retry-After-Ms": "90000000"}, None, DAY),
        ({}, {"retry_after": 90_000}, DAY),
        ({}, {"retry_after_ms": 90_000_000}, DAY),
    ],
)
def test_the_first_wait_that_can_be_read_is_taken(
    fields: dict[str, str], details: object, seconds: float | None
) -> None:
    """Milliseconds, Retry-After, the quota that is used up, the details of the error: in this order."""
    assert seconds == wait(fields, details)


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        ('"a";r=0;t=5, "b";r=0;t=8, "c";r=0;t=6', 8.0),
        ('"a";r=0;t=5, "b";r=1;t=3600', 5.0),
        ('"a";r=1;t=5', None),
        ('"a";t=5', 5.0),
        ('"a";t=5, "b";r=0;t=3', 5.0),
        ('"a";r=0', None),
        ('"a";r=0;t=0', 0.0),
    ],
)
def test_a_refusal_is_waited_for_until_all_used_up_quotas_are_new(limits: str, seconds: float | None) -> None:
    """The longest counts; a quota of which something is left has refused nobody."""
    assert seconds == wait({"RateLimit": limits})


# Laws

NAMES = [
    "Date",
    "Retry-After",
    "Retry-After-Ms",
    "RateLimit",
    "RateLimit-Policy",
    *DRAFT_06,
    *X,
    "X-RateLimit-Reset-After",
    *X_RATE,
]
PIECES = [
    '"a"',
    "b",
    ";r=",
    ";t=",
    ";q=",
    ";w=",
    ";qu=",
    ",",
    "limit=",
    "reset=",
    '"',
    "\\",
    "0",
    "7",
    "9" * 9,
    "ms",
    "-",
]
VALUES = (
    st.text()
    | st.lists(st.sampled_from(PIECES)).map("".join)
    | st.integers(-(10**16), 10**16).map(str)
    | st.floats().map(str)
    | st.datetimes().map(lambda moment: moment.strftime("%a, %d %b %Y %H:%M:%S GMT"))
    | st.from_regex(r"[A-Z][a-z]{2,8},? [0-9A-Za-z :+-]{20,26}", fullmatch=True)
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), VALUES)
HINTS = st.dictionaries(
    st.sampled_from(["retry_after", "retry_after_ms", "retryAfter"]),
    st.none() | st.booleans() | st.integers() | st.floats() | VALUES | st.lists(st.integers()),
)


@given(FIELDS, HINTS | st.text() | st.none(), st.floats(0, 1e11))
def test_whatever_a_server_says_the_numbers_can_be_used(fields: dict[str, str], details: Any, now: float) -> None:
    """Nothing raises, no wait is below zero or above a day, and no count is absurd."""
    advice = read_advice(Headers(fields.items()), details, now=now)

    for seconds in (advice.wait, *(quota.reset for quota in advice.quotas)):
        assert seconds is None or 0 <= seconds <= DAY
    for quota in advice.quotas:
        assert quota.limit is None or 1 <= quota.limit <= 10**9
        assert quota.window is None or 1 <= quota.window <= 10**9
        assert quota.remaining is None or 0 <= quota.remaining <= 10**9
        assert quota != Quota()


@given(FIELDS, HINTS, st.integers(0, 86_400))
def test_retry_after_goes_before_all_but_its_milliseconds(fields: dict[str, str], details: Any, seconds: int) -> None:
    """Whatever else is told."""
    said = {name: value for name, value in fields.items() if name != "Retry-After-Ms"} | {"Retry-After": str(seconds)}

    assert seconds == wait(said, details)
    assert wait(said | {"Retry-After-Ms": "1"}, details) == 0.001


@given(st.permutations([*NEW.items(), *X.items()]))
def test_the_order_of_the_fields_does_not_matter(pairs: list[tuple[str, str]]) -> None:
    """Proxies reorder them."""
    assert (Quota(100, 60, 50, 30),) == read_quotas(Headers(pairs), now=NOW)
