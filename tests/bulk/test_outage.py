"""How long a server that does not answer is waited for."""

from __future__ import annotations

from leavo_async.bulk.outage import Outage


def test_a_server_that_never_answered_is_given_up_at_once() -> None:
    """Its address is wrong, or it is down: nobody waits for a quarter of an hour to be told so."""
    assert Outage(900.0).failed(0.0, is_unknown=False) is None


def test_ten_rows_of_unknown_outcome_are_the_most_that_a_new_server_gets() -> None:
    """One that fails each write leaves each row unknown."""
    outage = Outage(900.0)

    assert [outage.failed(0.0, is_unknown=True) for _ in range(10)] == [0.0] * 9 + [None]


def test_a_server_that_has_answered_is_waited_for_longer_and_longer() -> None:
    """Twice as long each time, up to a minute."""
    outage = Outage(900.0)
    outage.answered()
    now, waits = 0.0, []
    for _ in range(9):
        waits.append(outage.failed(now, is_unknown=True))
        now += waits[-1] or 0.0

    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]


def test_rows_that_were_under_way_together_fail_together() -> None:
    """They make the wait no longer."""
    outage = Outage(900.0)
    outage.answered()

    assert [outage.failed(now, is_unknown=True) for now in (0.0, 0.25, 0.5)] == [1.0, 0.75, 0.5]


def test_patience_has_an_end() -> None:
    """Counted from the first failure; an answer begins it anew."""
    outage = Outage(100.0)
    outage.answered()
    outage.failed(0.0, is_unknown=False)

    assert outage.failed(100.0, is_unknown=False) == 2.0
    assert outage.failed(100.1, is_unknown=False) is None
    outage.answered()
    assert outage.failed(200.0, is_unknown=False) == 1.0


def test_it_is_answering_between_an_answer_and_a_failure() -> None:
    """Else one row at a time is enough to find out."""
    outage = Outage(100.0)
    seen = [outage.is_answering]
    outage.answered()
    seen.append(outage.is_answering)
    outage.failed(0.0, is_unknown=False)
    seen.append(outage.is_answering)
    outage.answered()

    assert [*seen, outage.is_answering] == [False, True, False, True]
