"""Which page is asked for next: for every style, size, page size, concurrency and order in which answers come."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ConfigError, ResponseValidationError
from leavo_async._sansio.paging import Before, Bookmark, Cursor, Offset, Page, Paging
from leavo_async._sansio.plan import Plan, Span, fitting_concurrency, plan_of, ready
from leavo_async._sansio.resume import bookmark_of, listing_id, token_of


@dataclass
class Server:
    """A listing of numbered items. gives: the most of a page, whatever is asked for. tells: what it says of the end.

    lapses: what single pages have at the most.
    """

    count: int
    gives: int = 1000
    tells: str = "nothing"
    requests: int = 0
    lapses: Iterator[int] = field(default_factory=lambda: repeat(1000))

    def items(self, start: int, size: int) -> list[dict[str, object]]:
        gives = min(self.gives, next(self.lapses))
        return [item(n) for n in range(start, min(self.count, start + min(size, gives)))]

    def numbered(self, span: Span) -> Page:
        found = self.items(span.start, span.size)
        reached = span.start + len(found)
        return Page(
            found,
            total=self.count if self.tells == "total" else None,
            has_more=reached < self.count if self.tells == "has_more" else None,
        )

    def chained(self, span: Span) -> Page:
        start = 0 if span.at.place is None else int(str(span.at.place).removeprefix("after "))
        found = self.items(start, span.size)
        reached = start + len(found)
        has_more = reached < self.count
        return Page(found, has_more=has_more if self.tells == "has_more" else None, next=f"after {reached}" * has_more)

    def older(self, span: Span) -> Page:
        """Back from the newest, that of number 0; a moment is a text that is greater the newer it is."""
        start = 0 if span.at.place is None else 1000 - int(str(span.at.place))
        found = self.items(start + (self.tells == "exclusive" and span.at.place is not None), span.size)[::-1]
        reached = start + len(found)
        oldest = None if not found or self.tells == "nothing" else str(found[0]["timestamp"])
        return Page(found, has_more=reached < self.count if self.tells == "has_more" else None, next=oldest)

    def page(self, paging: Paging, span: Span) -> Page:
        self.requests += 1
        if isinstance(paging, Offset):
            return self.numbered(span)
        return self.chained(span) if isinstance(paging, Cursor) else self.older(span)


def item(number: int) -> dict[str, object]:
    return {"id": str(number), "timestamp": f"{1000 - number:04}"}


@dataclass
class Reader:
    """What reads by a plan: at most `concurrency` pages in hand, which come in any order."""

    plan: Plan
    server: Server
    paging: Paging
    concurrency: int
    random: Random
    ordered: bool = True
    found: list[str] = field(default_factory=list)
    in_flight: list[Span] = field(default_factory=list)
    most: int = 0

    def run(self, pages: int = 10_000) -> list[str]:
        while not self.plan.is_over() and pages:
            self.ask()
            while (span := ready(self.plan.spans, ordered=self.ordered)) and pages:
                self.give(span)
                pages -= bool(span.items)
            if not self.plan.is_over() and pages:
                self.ask()
                self.come()
        return self.found

    def ask(self) -> None:
        while sum(span.is_asked for span in self.plan.spans) < self.concurrency and (span := self.plan.ask()):
            self.in_flight.append(span)
            self.most = max(self.most, len(self.in_flight))

    def come(self) -> None:
        assert self.in_flight, "nothing will ever come"
        span = self.in_flight.pop(self.random.randrange(len(self.in_flight)))
        page = self.server.page(self.paging, span)
        if not span.is_void:
            self.plan.received(span, page)
        starts = [span.start for span in self.plan.spans if isinstance(span.at.place, int)]
        assert sorted(starts) == starts

    def give(self, span: Span) -> None:
        self.plan.spans.remove(span)
        self.found += [found["id"] for found in span.items or ()]


START = Bookmark()


def reader(
    paging: Paging, server: Server, size: int, *, concurrency: int = 1, seed: int = 0, ordered: bool = True,
    most: int | None = None, begin: Bookmark = START,
) -> Reader:  # fmt: skip
    return Reader(plan_of(paging, size, most, begin), server, paging, concurrency, Random(seed), ordered)


def numbers(count: int) -> list[str]:
    return [str(n) for n in range(count)]


NUMBERED = Offset(1000)
CHAINED = Cursor(1000)
sizes = st.integers(0, 60)
page_sizes = st.integers(1, 20)
many = st.integers(1, 9)
seeds = st.integers(0, 2**32)
told = st.sampled_from(["nothing", "total", "has_more"])


@given(count=sizes, size=page_sizes, gives=page_sizes, tells=told, concurrency=many, seed=seeds, most=st.none() | sizes)
def test_numbered_pages_are_read_whole_once_and_in_order(
    count: int, size: int, gives: int, tells: str, concurrency: int, seed: int, most: int | None
) -> None:
    """Also from a server that gives fewer than asked, and in whatever order the answers come."""
    server = Server(count, gives, tells)
    one = reader(NUMBERED, server, size, concurrency=concurrency, seed=seed, most=most)

    assert numbers(count if most is None else min(count, most)) == one.run()
    assert one.most <= concurrency
    if most is None or most > count:
        assert one.plan.bookmark() is None
    elif most < count:
        assert Bookmark(most) == one.plan.bookmark()


@given(
    count=sizes, size=page_sizes, tells=told, concurrency=many, seed=seeds, lapses=st.lists(st.integers(1, 20)),
    ordered=st.booleans(), pages=st.integers(0, 20),
)  # fmt: skip
def test_pages_of_any_length_are_read_whole(
    count: int, size: int, tells: str, concurrency: int, seed: int, lapses: list[int], ordered: bool, pages: int
) -> None:
    """Each a little shorter than the others, at any time; also in two parts."""
    server = Server(count, tells=tells, lapses=chain(lapses, repeat(1000)))
    one = reader(NUMBERED, server, size, concurrency=concurrency, seed=seed, ordered=ordered)
    found = list(one.run(pages))
    mark = one.plan.bookmark()
    if not ordered:
        assert numbers(count) == sorted(one.run(), key=int)
    elif mark is not None:
        assert numbers(count) == found + reader(NUMBERED, server, size, begin=mark).run()


@given(count=sizes, size=page_sizes, gives=page_sizes, tells=told, concurrency=many, seed=seeds)
def test_without_order_the_items_are_the_same(
    count: int, size: int, gives: int, tells: str, concurrency: int, seed: int
) -> None:
    """Each once; only the order is that of the answers."""
    one = reader(NUMBERED, Server(count, gives, tells), size, concurrency=concurrency, seed=seed, ordered=False)

    assert numbers(count) == sorted(one.run(), key=int)


@given(count=sizes, size=page_sizes, gives=page_sizes, tells=told, concurrency=many, seed=seeds)
def test_requests_too_many_are_no_more_than_the_pages_that_were_read(
    count: int, size: int, gives: int, tells: str, concurrency: int, seed: int
) -> None:
    """Beside those of one after the other; and none at all if the server tells where the end is."""
    server, plain = Server(count, gives, tells), Server(count, gives, tells)
    one = reader(NUMBERED, server, size, concurrency=concurrency, seed=seed)
    one.run()
    made = server.requests + len(one.in_flight)
    reader(NUMBERED, plain, size).run()
    too_many = made - plain.requests

    assert too_many <= min(count // min(size, gives), concurrency - 1)
    if tells == "total":
        assert 0 == too_many


def test_as_many_are_asked_for_ahead_as_full_pages_have_come() -> None:
    """1, 2, 4, 8: where nobody knows the end, trust grows with what was there."""
    one = reader(NUMBERED, Server(10_000), 10, concurrency=8)
    waves = []
    for _ in range(5):
        one.ask()
        waves.append(len(one.in_flight))
        for span in list(one.in_flight):
            one.plan.received(span, one.server.page(NUMBERED, span))
            one.in_flight.remove(span)
        while span := ready(one.plan.spans, ordered=True):
            one.give(span)

    assert [1, 1, 2, 4, 8] == waves


@pytest.mark.parametrize("tells", ["total", "has_more"])
def test_three_hits_are_one_request(tells: str) -> None:
    """The first page says that it is the last."""
    server = Server(3, tells=tells)
    reader(NUMBERED, server, 100, concurrency=8).run()

    assert 1 == server.requests


def test_with_a_total_all_the_rest_is_asked_for_at_once() -> None:
    """As much of it as may be in hand."""
    one = reader(NUMBERED, Server(1000, tells="total"), 100, concurrency=6)
    one.ask()
    assert 1 == len(one.in_flight)
    one.come()
    one.ask()
    assert [100, 200, 300, 400, 500] == [span.start for span in one.in_flight]


# Chains


@given(
    count=sizes, size=page_sizes, gives=page_sizes, tells=st.sampled_from(["nothing", "has_more"]),
    most=st.none() | sizes, concurrency=many,
)  # fmt: skip
def test_pages_by_cursor_are_read_whole_once_and_in_order(
    count: int, size: int, gives: int, tells: str, most: int | None, concurrency: int
) -> None:
    """One at a time, because only the one before knows where the next is."""
    one = reader(CHAINED, Server(count, gives, tells), size, most=most, concurrency=concurrency)

    assert numbers(count if most is None else min(count, most)) == one.run()
    assert one.most <= 1


@given(
    count=sizes, size=st.integers(2, 20), gives=st.integers(2, 20), most=st.none() | sizes,
    tells=st.sampled_from(["nothing", "inclusive", "exclusive"]),
)  # fmt: skip
def test_pages_back_in_time_are_read_whole_and_once(
    count: int, size: int, gives: int, most: int | None, tells: str
) -> None:
    """Whether or not the server shows the oldest of a page again on the next one, or names its moment."""
    one = reader(Before(1000), Server(count, gives, tells), size, most=most)
    found = one.run()

    if most is None:
        assert set(numbers(count)) == set(found)
    assert len(found) == len(set(found)) == min(count, count if most is None else most)


# Taken up again


@given(
    count=sizes, size=page_sizes, gives=page_sizes, tells=told, concurrency=many, seed=seeds,
    pages=st.integers(0, 8), done=st.integers(0, 20), paging=st.sampled_from([NUMBERED, CHAINED, Before(1000)]),
)  # fmt: skip
def test_a_listing_goes_on_where_it_was_left(
    count: int, size: int, gives: int, tells: str, concurrency: int, seed: int, pages: int, done: int, paging: Paging
) -> None:
    """At any item, in any style; the token is all that is kept."""
    if isinstance(paging, Before):
        size, gives, tells = max(2, size), max(2, gives), "inclusive"
    whole = reader(paging, Server(count, gives, tells), size).run()
    one = reader(paging, Server(count, gives, tells), size, concurrency=concurrency, seed=seed)
    before = list(one.run(pages))
    mark = one.plan.bookmark()
    if mark is None:
        assert whole == before
        return
    one.ask()
    while ready(one.plan.spans, ordered=True) is None:
        one.come()
        one.ask()
    page = ready(one.plan.spans, ordered=True)
    assert page is not None
    one.give(page)
    taken = min(done, len(page.items or ()))
    given_ = one.found[: len(before) + taken]

    token = token_of(page.at.after(taken), "listing")
    rest = reader(paging, Server(count, gives, tells), size, begin=bookmark_of(token, "listing"))

    assert whole == given_ + rest.run()


def test_a_token_of_something_else_is_refused() -> None:
    """Before anything is sent: of another listing, other filters, or no token at all."""
    ours = listing_id(NUMBERED, "/leads", {"search": "ana", "status": None})
    token = token_of(Bookmark("made-up", 3, ("a", "b")), ours)

    assert Bookmark("made-up", 3, ("a", "b")) == bookmark_of(token, ours)
    assert ours == listing_id(NUMBERED, "/leads", {"search": "ana"})
    assert "ana" not in ours + token
    for other in (
        (CHAINED, "/leads", {"search": "ana"}),
        (NUMBERED, "/leads", {}),
        (NUMBERED, "/x", {"search": "ana"}),
    ):
        with pytest.raises(ConfigError, match="another listing"):
            bookmark_of(token, listing_id(*other))
    for wrong in (3, -1, True):
        with pytest.raises(ConfigError, match="the token is of a listing by"):
            Cursor(10).begin(Bookmark(wrong)) if wrong == 3 else Offset(10).begin(Bookmark(wrong))
    for wrong in ("", "x", "e30=", 3, None, token[:-8], token + "x", token_of(Bookmark(), "")[:12]):
        with pytest.raises(ConfigError, match="resume"):
            bookmark_of(wrong, ours)


# What servers do


def received(plan: Plan, *pages: Page) -> None:
    for page in pages:
        span = plan.ask()
        assert span is not None
        plan.received(span, page)
        plan.spans.clear()


PAGE = Page([item(1), item(2)])


@pytest.mark.parametrize("cycle", [1, 2, 3, 5])
def test_a_server_that_gives_the_same_pages_again_does_not_keep_us_for_ever(cycle: int) -> None:
    """Whether it has one page, or several in turn."""
    plan = plan_of(NUMBERED, 2, None, Bookmark())
    pages = [Page([item(2 * number), item(2 * number + 1)]) for number in range(cycle)]

    with pytest.raises(ResponseValidationError, match="the server ignores the offset"):
        received(plan, *pages, *pages, *pages, *pages, *pages)


@pytest.mark.parametrize("rows", [[[1, "a"], [2, "b"]], [None, {"id": 1}], ["vip", "new"], [7], [{"id": 1}]], ids=str)
def test_pages_are_compared_whatever_they_are_made_of(rows: list[object]) -> None:
    """Also a single hit, from a server that knows no offset."""
    with pytest.raises(ResponseValidationError, match="the server ignores the offset"):
        received(plan_of(NUMBERED, len(rows), None, Bookmark()), Page(rows), Page(rows))


def test_rows_that_are_all_alike_may_come_again() -> None:
    """Zeros are no names."""
    for row in (0, {"status": "open"}):
        received(plan_of(NUMBERED, 2, None, Bookmark()), *[Page([row, row])] * 5)


def test_what_the_server_has_written_tells_pages_apart() -> None:
    """A narrow type may leave out all that differs."""
    pages = [Page(["open", "won"], raw=lambda number=number: [{"id": number}, {"id": -number}]) for number in (1, 2, 2)]  # type: ignore[misc]
    plan = plan_of(NUMBERED, 2, None, Bookmark())
    received(plan, *pages[:2])
    with pytest.raises(ResponseValidationError):
        received(plan, pages[2])


def test_a_part_of_a_page_is_seen_as_well() -> None:
    """Of the last page fewer are asked for, if no more are wanted."""
    plan = plan_of(NUMBERED, 3, 5, Bookmark())
    with pytest.raises(ResponseValidationError):
        received(plan, Page([item(0), item(1), item(2)]), Page([item(0), item(1)]))


def test_a_server_that_gives_its_last_page_for_all_behind_it_is_seen_at_once() -> None:
    """However long the listing was until then."""
    plan = plan_of(NUMBERED, 1, None, Bookmark())
    received(plan, *[Page([item(number)]) for number in range(67)])
    with pytest.raises(ResponseValidationError):
        received(plan, Page([item(66)]))


def test_new_cursors_for_the_same_page_are_a_circle_too() -> None:
    """The pages tell."""
    plan = plan_of(CHAINED, 2, None, Bookmark())
    with pytest.raises(ResponseValidationError, match="the server ignores the cursor"):
        received(plan, *[Page([item(0)], has_more=True, next=f"c{number}") for number in range(2)])


@pytest.mark.parametrize("cycle", [1, 2, 7])
def test_a_cursor_that_was_there_already_is_an_error(cycle: int) -> None:
    """The server leads in a circle."""
    plan = plan_of(CHAINED, 2, None, Bookmark())
    pages = [Page([item(number)], has_more=True, next=str(number % cycle)) for number in range(2 * cycle + 2)]

    with pytest.raises(ResponseValidationError, match="in a circle"):
        received(plan, *pages)


@pytest.mark.parametrize(
    ("paging", "page", "said"),
    [
        (NUMBERED, Page([], total=7), "the page at 0 is empty, and yet the server says there are 7 in all"),
        (NUMBERED, Page([], has_more=True), "is empty, and yet the server says there are more"),
        (CHAINED, Page([1], has_more=True), "the answer names that there is more, and no cursor"),
        (CHAINED, Page([1]), "neither a cursor nor whether there is more"),
        (CHAINED, Page([1], has_more=True, next=""), "the answer names that there is more, and no cursor"),
        (Before(50), Page([{"id": 1}], has_more=True), "has no timestamp to go on from"),
        (Before(50), Page([], has_more=True), "has no timestamp to go on from"),
    ],
)
def test_an_answer_that_contradicts_itself_is_an_error(paging: Paging, page: Page, said: str) -> None:
    """It is not the end: something would be missing, and nobody would know."""
    with pytest.raises(ResponseValidationError, match=said):
        received(plan_of(paging, 10, None, Bookmark()), page)


def test_what_the_server_says_of_more_counts_before_its_total() -> None:
    """A total may be capped; and where `has_more` is always true, the total confirms that an empty page is the end."""
    capped = plan_of(NUMBERED, 2, None, Bookmark())
    received(capped, Page([item(0), item(1)], total=2, has_more=True), Page([item(2)], total=2, has_more=False))
    assert capped.is_over()

    always = plan_of(NUMBERED, 2, None, Bookmark())
    received(always, Page([item(0), item(1)], total=2, has_more=True), Page([], total=2, has_more=True))
    assert always.is_over()

    doubted = plan_of(NUMBERED, 2, None, Bookmark())
    received(doubted, Page([item(0), item(1)], total=9, has_more=False))
    assert not doubted.is_over()
    received(doubted, Page([], total=9, has_more=False))
    assert doubted.is_over()

    too_few = plan_of(NUMBERED, 2, None, Bookmark())
    received(too_few, Page([item(0), item(1)], total=0))
    assert not too_few.is_over()
    received(too_few, Page([], total=0))
    assert too_few.is_over()

    of_all = plan_of(NUMBERED, 2, None, Bookmark())
    received(of_all, Page([], total=7, has_more=False))
    assert of_all.is_over()


def test_a_total_that_grows_is_followed() -> None:
    """Leads are made while they are listed."""
    server = Server(25, tells="total")
    one = reader(NUMBERED, server, 10, concurrency=4)
    one.ask()
    one.come()
    server.count = 47

    assert numbers(47) == one.run()


def test_a_total_that_shrinks_is_followed() -> None:
    """What is not there any more is not missed, and the rest is."""
    server = Server(95, tells="total")
    one = reader(NUMBERED, server, 10, concurrency=9)
    one.ask()
    one.come()
    one.ask()
    server.count = 42

    assert numbers(42) == one.run()
    assert one.plan.bookmark() is None


def test_more_than_was_asked_for_is_taken_once() -> None:
    """From a server that ignores the limit, and gives 7 each time."""

    class Seven(Server):
        def numbered(self, span: Span) -> Page:
            return super().numbered(Span(span.at, 7))

    for tells in ("nothing", "total", "has_more"):
        server = Seven(50, tells=tells)
        assert numbers(50) == reader(NUMBERED, server, 3, concurrency=4).run()
        assert server.requests <= 16


def test_what_has_come_behind_an_empty_page_is_not_thrown_away() -> None:
    """A server that hides some of its items may give empty pages in the middle."""
    plan = plan_of(NUMBERED, 10, None, Bookmark())
    one = Reader(plan, Server(1000), NUMBERED, 8, Random(1))
    for _ in range(4):
        one.ask()
        one.come()
        while span := ready(plan.spans, ordered=True):
            one.give(span)
    one.ask()
    first, *_, last = [span for span in plan.spans if span.items is None]
    plan.received(last, one.server.numbered(last))
    plan.received(first, Page([]))

    assert last in plan.spans


def test_of_a_short_page_in_the_middle_all_is_asked_for_that_may_follow() -> None:
    """As a gap in front of what is behind it, which is not given twice."""
    one = reader(NUMBERED, Server(40, tells="total"), 10, concurrency=4)
    one.ask()
    one.come()
    one.ask()
    first = one.in_flight.pop(0)
    one.plan.received(first, Page([item(n) for n in range(10, 17)], total=40))
    gap = one.plan.ask()
    assert gap is not None
    assert (17, 3, True) == (gap.start, gap.size, gap.is_gap)
    one.plan.received(gap, Page([item(n) for n in range(17, 27)], total=40))

    assert numbers(40) == one.run()


def test_pages_stand_in_their_order_whatever_comes_first() -> None:
    """Else a token would skip items: here the end is known before what a short page lacks has come."""
    plan, rows = plan_of(NUMBERED, 10, None, Bookmark()), map(item, range(100))

    def come(span: Span | None, count: int) -> None:
        assert span is not None
        plan.received(span, Page([next(rows) for _ in range(count)]))

    come(plan.ask(), 10)
    come(plan.ask(), 10)
    short, behind = plan.ask(), plan.ask()
    come(short, 1)
    gap = plan.ask()
    come(behind, 0)
    come(gap, 1)
    plan.ask()

    assert [0, 10, 20, 21, 22, 30] == [span.start for span in plan.spans]


def test_more_than_was_asked_for_in_the_middle_is_left_to_the_page_behind() -> None:
    """That one has been asked for already."""
    one = reader(NUMBERED, Server(40, tells="total"), 10, concurrency=4)
    one.ask()
    one.come()
    one.ask()
    first = one.in_flight.pop(0)
    one.plan.received(first, Page([item(n) for n in range(10, 35)], total=40))

    assert 10 == len(first.items or ())
    assert numbers(40) == one.run()


def test_of_two_short_pages_the_longer_tells_how_many_a_page_has() -> None:
    """So many are asked for from then on."""
    plan = plan_of(NUMBERED, 10, None, Bookmark())
    received(plan, Page([item(n) for n in range(5)]), Page([item(5), item(6)]))
    span = plan.ask()

    assert span is not None
    assert (7, 5) == (span.start, span.size)


def test_an_end_that_is_far_behind_what_is_wanted_changes_nothing() -> None:
    """The token names what was not given."""
    plan = plan_of(NUMBERED, 10, 15, Bookmark())
    received(plan, Page([item(n) for n in range(10)]), Page([item(n) for n in range(10, 40)], has_more=False))

    assert plan.is_over()
    assert Bookmark(15) == plan.bookmark()


def test_what_a_chain_skips_is_asked_for_and_may_take_several_pages() -> None:
    """The page size may be another one than it was."""
    wanted = plan_of(CHAINED, 10, 1, Bookmark("a", 5)).ask()
    assert wanted is not None
    assert 6 == wanted.size

    plan, found = plan_of(CHAINED, 2, None, Bookmark("a", 3)), list[int]()
    for number, following in ((0, "b"), (2, "c"), (4, "")):
        span = plan.ask()
        assert span is not None
        plan.received(span, Page([number, number + 1], next=following))
        found += span.items or ()
        plan.spans.clear()
        if number == 0:
            assert Bookmark("b", 1) == plan.bookmark()
    assert [3, 4, 5] == found


def test_what_is_left_of_a_page_that_was_too_large_is_still_to_be_had() -> None:
    """A cursor leads to the page behind it, so the bookmark stays in this one."""
    plan = plan_of(CHAINED, 5, 3, Bookmark())
    received(plan, Page([0, 1, 2, 3, 4], next="b"))

    assert plan.is_over()
    assert Bookmark(None, 3) == plan.bookmark()


@pytest.mark.parametrize(
    ("at", "page", "size", "following"),
    [
        (Bookmark(), Page([{"id": 1, "timestamp": "5"}], has_more=False), 10, None),
        (Bookmark(), Page([{"id": None, "timestamp": "5"}], has_more=True), 10, Bookmark("5")),
        (Bookmark(), Page([{"id": 1, "timestamp": "5"}, {"id": 2}]), 10, Bookmark("5", seen=("1", "2"))),
        (Bookmark(), Page([{"id": 1, "timestamp": datetime(2026, 1, 1, tzinfo=UTC)}]), 1,
         Bookmark("2026-01-01T00:00:00+00:00", seen=("1",))),
        (Bookmark(), Page([{"id": 1, "timestamp": datetime(2026, 1, 1, 0, 0, 0, 7, UTC)}]), 1,
         Bookmark("2026-01-01T00:00:00.000008+00:00", seen=("1",))),
        (Bookmark("5", seen=("1",)), Page([{"id": 1, "timestamp": "5"}]), 10, None),
    ],
)  # fmt: skip
def test_a_page_back_in_time_names_the_next_one(
    at: Bookmark, page: Page, size: int, following: Bookmark | None
) -> None:
    """By the oldest of its items, if the answer does not; what was cut off its digits is asked for once more."""
    assert following == Before(10).following(at, page, size)


def test_more_items_of_one_moment_than_a_page_has_are_an_error() -> None:
    """There is no way to go on, and it is not the end."""
    page = Page([{"id": 1, "timestamp": "5"}, {"id": 2, "timestamp": "5"}])
    with pytest.raises(ResponseValidationError, match="ask for a larger page_size"):
        Before(10).following(Bookmark("5", seen=("1", "2")), page, 2)


# A page that never comes


def test_what_is_behind_a_page_that_failed_is_not_wanted_any_more() -> None:
    """And what is before it still is, gaps included."""
    one = reader(NUMBERED, Server(100, tells="total"), 10, concurrency=5)
    one.ask()
    one.come()
    one.ask()
    first, second, third, fourth = one.in_flight
    error = ResponseValidationError("broken")
    one.plan.failed(third, error)
    assert fourth.is_void
    one.plan.received(first, Page([item(n) for n in range(10, 14)], total=100))
    one.in_flight = [second]
    one.run(4)

    assert numbers(30) == one.found
    assert (third, error) == (ready(one.plan.spans, ordered=True), third.error)
    assert Bookmark(20 + 10 * 1) == one.plan.bookmark()


def test_a_page_that_failed_behind_the_end_is_of_no_account() -> None:
    """It was asked for in vain; the listing is read to its end."""
    one = reader(NUMBERED, Server(37), 10, concurrency=8)
    while one.plan.bookmark() != Bookmark(30) or len(one.in_flight) < 3:
        one.ask()
        if len(one.in_flight) < 3:
            one.come()
        while span := ready(one.plan.spans, ordered=True):
            one.give(span)
    third, fourth, fifth, *_ = sorted(one.in_flight, key=lambda span: span.start)
    one.plan.failed(fifth, ResponseValidationError("broken"))
    one.plan.received(fourth, one.server.numbered(fourth))
    one.in_flight = [third]

    assert numbers(37) == one.run()


def test_nothing_is_asked_for_behind_a_page_that_failed() -> None:
    """Whatever the style."""
    for paging in (NUMBERED, CHAINED):
        plan = plan_of(paging, 10, None, Bookmark())
        span = plan.ask()
        assert span is not None
        plan.failed(span, ResponseValidationError("broken"))
        assert plan.ask() is None


def test_without_order_the_first_that_has_come_goes_first() -> None:
    """Among those that have."""
    spans = deque([Span(Bookmark(0), 1), Span(Bookmark(1), 1, [1]), Span(Bookmark(2), 1, [2])])

    assert spans[1] is ready(spans, ordered=False)
    assert ready(spans, ordered=True) is None


# How many at a time


@pytest.mark.parametrize(
    ("rate", "seconds", "pages"),
    [(10, 0.3, 6), (100 / 60, 0.3, 2), (1000, 0.5, 32), (float("inf"), 5, 8), (0.001, 0.001, 2), (3, 0.3, 3)],
)
def test_pages_in_hand_follow_from_rate_and_latency(rate: float, seconds: float, pages: int) -> None:
    """Little's law, half as many more for latencies that vary, and the one that the consumer has."""
    assert pages == fitting_concurrency(rate, seconds)


# Where a page is asked for


@pytest.mark.parametrize(
    ("paging", "place", "path", "params"),
    [
        (Offset(100), 200, "/x", {"a": 1, "limit": 10, "offset": 200}),
        (Offset(100, limit="count"), 0, "/x", {"a": 1, "count": 10, "offset": 0}),
        (Offset(1000, in_path=True), 200, "/x/200/10", {"a": 1}),
        (Cursor(100), None, "/x", {"a": 1, "limit": 10}),
        (Cursor(100), "abc", "/x", {"a": 1, "limit": 10, "cursor": "abc"}),
        (Before(50), "2025-01-01T00:00:00Z", "/x", {"a": 1, "limit": 10, "before": "2025-01-01T00:00:00Z"}),
    ],
)
def test_each_style_has_its_address(
    paging: Paging, place: int | str | None, path: str, params: dict[str, object]
) -> None:
    """Filters are on every page."""
    assert (path, params) == paging.address("/x", {"a": 1}, place, 10)


@pytest.mark.parametrize("paging", [Offset(100), Cursor(100), Before(100)])
def test_filters_cannot_name_the_place(paging: Paging) -> None:
    """That is ours to say."""
    for name in paging.names():
        with pytest.raises(ConfigError, match=name):
            paging.check({name: 1})
    paging.check({"search": "ana"})
    Offset(1000, in_path=True).check({"limit": 1})


@pytest.mark.parametrize("size", [0, -1, 101, True, 1.5, "10"])
def test_a_page_size_the_api_does_not_have_is_refused(size: int) -> None:
    """Nobody knows whether a server clamps it or fails."""
    with pytest.raises(ConfigError, match="page_size"):
        Offset(max_size=100).size(size)
