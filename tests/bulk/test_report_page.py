import re
from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from leavo_async.bulk.history import Event, Run
from leavo_async.bulk.plots import COLOURS, short
from leavo_async.bulk.report import Reason, Report
from leavo_async.bulk.states import STATES, RowRecord

from .reports import BEGAN, CANARY, open_rows, report, slice_at, slices_of, week

SCRIPT = "<script>alert(1)</script>\x1b[31m"
ONE_RUN = Run(BEGAN, BEGAN + 600, "finished")


def short_job(**changes) -> Report:
    return report([Run(BEGAN, BEGAN + 4, "finished")], [slice_at(BEGAN, *[0.2] * 5, done=5)], **changes)


def hostile() -> Report:
    """Markup wherever text comes from others."""
    rows = [RowRecord(1, 2, "failed", reason=SCRIPT, code=SCRIPT, values={SCRIPT: CANARY})]
    run, second = Run(BEGAN, BEGAN + 60, SCRIPT), Run(BEGAN + 90, BEGAN + 150, SCRIPT)
    texts = dict.fromkeys(("job", "name", "source", "place", "limit", "stopped_by"), SCRIPT)
    return report(
        [run, second],
        slices_of(run) + slices_of(second),
        rows,
        counts={"pending": 1, "failed": 1},
        events=(Event(BEGAN, SCRIPT, SCRIPT),),
        reasons=(Reason("failed", 422, SCRIPT, SCRIPT, 1), Reason("failed", None, SCRIPT, "", 1)),
        **texts,
    )


JOBS = {
    "a week with three kills": week(),
    "one slice": short_job(),
    "no limit": report([ONE_RUN], slices_of(ONE_RUN, per_slice=900), limit_per_minute=None),
    "nothing but failures": report([ONE_RUN], slices_of(ONE_RUN, failing=1), open_rows(500)),
    "nothing but refusals": report([ONE_RUN], [slice_at(BEGAN, refused=9)]),
    "nothing sent": report([ONE_RUN], counts={"pending": 5}),
    "a run of no length": report([Run(BEGAN, BEGAN, "killed")], [slice_at(BEGAN, 0.1)]),
    "all unknown": report([ONE_RUN], [slice_at(BEGAN, 0.1, unknown=3)], counts={"unknown": 3}),
    "a slice without requests": report([ONE_RUN], [slice_at(BEGAN)], limit_per_minute=None),
    "counted a moment before": report(
        [ONE_RUN], [slice_at(BEGAN, 0.1)], reasons=(Reason("failed", 422, None, "no", 1),)
    ),
    "empty": report(),
    "hostile": hostile(),
}


def pictures(html: str) -> list[ET.Element]:
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]


def plots(job: Report) -> dict[str, ET.Element]:
    """The plots of a page by their headings."""
    found = re.findall(r"<figure><h2>([^<]+)</h2>(<svg.*?</svg>)", job.html(), re.DOTALL)
    return {title: ET.fromstring(picture) for title, picture in found}


def texts(picture: ET.Element) -> list[str]:
    return ["".join(text.itertext()) for text in picture.iter("text")]


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_each_picture_is_well_formed_and_says_what_it_is(job):
    """A screen reader reads its title; a viewer that takes XML strictly shows it."""
    for html in (job.html(), job._repr_html_()):
        found = pictures(html)
        assert found
        assert all(picture.get("role") == "img" and picture.findtext("title") for picture in found)


@pytest.mark.parametrize("job", JOBS.values(), ids=JOBS)
def test_no_number_is_broken_or_overlong(job):
    """A path with nan is not drawn, and a number with 12 digits says nothing more."""
    for html in (job.html(), job._repr_html_()):
        drawn = " ".join(re.findall(r"<svg.*?</svg>", html, re.DOTALL))
        assert not re.search(r"\bnan\b|\binf\b|None|e[+-]\d", re.sub("<title>.*?</title>", "", drawn))
        assert not re.search(r"\d[\d.]{9,}", html)


@pytest.mark.parametrize("show", [Report.html, Report._repr_html_])
def test_what_others_wrote_is_shown_and_not_run(show):
    """The server's words, a file's name: all of it is text."""
    html = show(hostile())

    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize("show", [Report.html, Report._repr_html_, str, repr, lambda job: repr([job])])
def test_no_value_of_a_row_is_shown(show):
    """Values are personal data, and a report is passed on."""
    assert CANARY not in show(week())


def test_a_page_asks_nobody_for_anything():
    """It can be read without a network, and opening it tells nobody; the browser is told to hold it to that."""
    html = week().html()

    assert not re.search(r"<(script|link|img|iframe|object|embed|base|form)|src=|href=|@import|url\((?!#)", html)
    assert "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'" in html


def test_a_page_is_small_however_long_the_job_was():
    """A week is as quickly opened as a minute."""
    assert len(week().html()) < 300_000


def test_a_page_suits_dark_and_light_phones_and_paper():
    """The reader's own settings decide."""
    html = week().html()

    for told in ("prefers-color-scheme: dark", 'name="viewport"', "@media print", "@media (max-width"):
        assert told in html


def test_the_head_has_the_numbers():
    """Rows, time, runs, requests, and how much of the limit was used."""
    html = re.sub(r"<[^>]+>", " ", week().html())
    told = " ".join(html.split())

    for number in (
        "900,000 of 930,100, 31 were there already",
        "6 d 12 h 4 runs, 3 kills",
        "112 refused with 429",
        "96% of the limit of 100",
        "28,000 failed",
    ):
        assert number in told


def test_requests_are_drawn_against_the_limit_with_the_429s():
    """What people ask first: was it as fast as it may be, and was anything refused."""
    refused = slice_at(BEGAN + 100, *[0.1] * 10, refused=3)
    plot = plots(report([ONE_RUN], [*slices_of(ONE_RUN, per_slice=8), refused]))["Requests a minute"]

    assert {"requests a minute", "limit 100", "429"} <= set(texts(plot))
    assert "3 refused with 429" in [title.text for title in plot.iter("title")]


def test_without_a_limit_none_is_drawn():
    """Nor is a share of it told."""
    job = JOBS["no limit"]

    assert not any("limit" in text for text in texts(plots(job)["Requests a minute"]))
    assert "without a limit" in job.html()


def test_pauses_are_named():
    """A gap in a plot raises a question: what ended the run, and for how long."""
    for title, plot in plots(week()).items():
        assert {"killed, 14 min", "killed, 14 h 24 min", "killed, 9 s"} <= set(texts(plot)), title
        assert "killed; went on 14 h 24 min later" in [each.text for each in plot.iter("title")]


def test_many_kills_have_no_room_for_names():
    """Their names are in the tooltips and in the list of events."""
    runs = [Run(BEGAN + 400 * n, BEGAN + 400 * n + 300, "killed") for n in range(40)]
    job = report(runs, [piece for run in runs for piece in slices_of(run)])

    assert not any("killed" in text for text in texts(plots(job)["Latency"]))
    assert 39 == sum("killed" in str(title.text) for title in plots(job)["Latency"].iter("title"))
    assert "run 40: killed" in job.html()


def test_results_are_told_apart_without_colour():
    """What failed is hatched and what is unknown dotted, in the plot and in its legend."""
    slices = [slice_at(BEGAN, *[0.1] * 9, done=5, failed=3, unknown=1)]
    plot = plots(report([ONE_RUN], slices))["Results so far"]
    fills = [element.get("fill") for element in plot.iter() if "leavo-" in str(element.get("fill"))]

    assert ["done", "failed", "unknown"] == [text for text in texts(plot) if text.isalpha()]
    assert 2 == fills.count("url(#leavo-hatched)")
    assert 2 == fills.count("url(#leavo-dotted)")


def test_a_job_of_failures_has_no_done_in_its_plot():
    """Nor in its legend."""
    assert "done" not in texts(plots(JOBS["nothing but failures"])["Results so far"])


@pytest.mark.parametrize("name", ["empty", "nothing sent"])
def test_a_job_that_sent_nothing_says_so(name):
    """Empty axes would look like a defect."""
    html = JOBS[name].html()

    assert "Nothing was sent" in html
    assert plots(JOBS[name]) == {}


def test_reasons_are_bars_by_their_rows():
    """The first is the one to mend first; what has no room is counted."""
    reasons = tuple(Reason("failed", 422, None, f"reason {n}", 20 - n) for n in range(12))
    html = replace(week(), reasons=reasons).html()

    assert "422 reason 9" in html
    assert "422 reason 10" not in html
    assert "and 2 more reasons" in html
    assert "20 of 28,000 rows" in html


def test_the_first_hundred_open_rows_are_listed():
    """With what a person needs to find them in the file; the rest is in the failures file."""
    html = week().html()

    assert "The first 100 of 30,100 rows to look at" in html
    assert '<td class="short">100</td><td class="short">101</td><td class="short">failed</td>' in html
    assert '<td class="short">102</td>' not in html


def test_rows_that_are_only_waiting_are_not_listed():
    """A hundred thousand of them would hide those to look at."""
    rows = [RowRecord(1, 2, "pending"), RowRecord(2, 3, "done"), RowRecord(3, 4, "held", reason="two match")]
    html = report(rows=rows).html()

    assert "two match" in html
    assert '<td class="short">4</td>' in html
    assert '<td class="short">2</td>' not in html


def test_what_happened_is_told_in_order():
    """Runs and events in one list, the last ones if there are many."""
    events = tuple(Event(BEGAN + n, "429", f"wait {n} s") for n in range(1, 100))
    html = report([ONE_RUN], slices_of(ONE_RUN), events=events).html()

    assert "the last 60 of 101 events" in html
    assert "run 1 began" not in html
    assert html.index("429: wait 98 s") < html.index("429: wait 99 s") < html.index("run 1: finished")
    assert "2026-11-21 20:20:00" in html


def test_each_state_has_a_colour_of_its_own():
    """A state without one would be missing from the bar."""
    assert set(COLOURS) == set(STATES)
    assert len(set(COLOURS.values())) == len(COLOURS)


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0"), (0.5, "0.5"), (50, "50"), (1500, "1.5 k"), (20_000, "20 k"), (1e6, "1 M")]
)
def test_numbers_on_an_axis_are_short(number, text):
    """They must fit beside it on a phone."""
    assert text == short(number)
