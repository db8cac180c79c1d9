"""The plots of a report: values in, inline SVG out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import log10

from leavo_async._sansio.markup import escape_html
from leavo_async._sansio.text import printable
from leavo_async.bulk.axes import Corner, TimeAxis, band_path, log_ticks, step_path, ticks
from leavo_async.bulk.states import State
from leavo_async.bulk.summary import plain
from leavo_async.bulk.timeline import Point
from leavo_async.bulk.words import counted, duration

# The palette of Okabe and Ito, which colour-blind people can tell apart: https://jfly.uni-koeln.de/color/
# These can be seen on white and on black, so both themes share them.
BLUE, RED, PURPLE, GREEN = "#0072B2", "#D55E00", "#CC79A7", "#009E73"
COLOURS: dict[State, str] = {
    "done": BLUE,
    "failed": RED,
    "invalid": "#E69F00",
    "held": "#8C5A00",
    "unknown": PURPLE,
    "in_flight": "#56B4E9",
    "pending": "#9a9a9a",
    "skipped": "#6a6a6a",
}

# Units of the SVG. The labels leave room for the larger type that small screens get.
_WIDTH, _HEIGHT = 560, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 548, 40, 204

# Not by colour alone: what failed is hatched, what is unknown dotted.
_PATTERNS = (
    '<defs><pattern id="leavo-hatched" width="5" height="5" patternUnits="userSpaceOnUse" '
    f'patternTransform="rotate(45)"><rect width="5" height="5" fill="{RED}"/>'
    '<rect width="1.6" height="5" fill="#fff" opacity=".75"/></pattern>'
    '<pattern id="leavo-dotted" width="5" height="5" patternUnits="userSpaceOnUse">'
    f'<rect width="5" height="5" fill="{PURPLE}"/><circle cx="2.5" cy="2.5" r="1.1" fill="#fff"/></pattern></defs>'
)

Key = tuple[str, str]
"""An entry of a legend: how it is drawn, as SVG around (0, 0) to (16, 10), and what it is."""


@dataclass(frozen=True, slots=True)
class Plot:
    """The frame of a plot: its axes, and where a value stands on the vertical one, from 0 (bottom) to 1.

    marks: values with a line across, and their labels.
    """

    title: str
    axis: TimeAxis
    marks: Sequence[tuple[float, str]]
    share: Callable[[float], float]

    def x(self, at: float) -> float:
        """Where a moment stands."""
        return _LEFT + (_RIGHT - _LEFT) * self.axis.place(at)

    def y(self, value: float) -> float:
        """Where a value stands."""
        return _BOTTOM - (_BOTTOM - _TOP) * self.share(value)

    def svg(self, drawing: str, keys: Sequence[Key]) -> str:
        """The whole plot."""
        inside = (*map(self._line, self.marks), *self._pauses(), drawing, *self._times(), *_legend(keys))
        return svg(self.title, f"0 0 {_WIDTH} {_HEIGHT}", "".join(inside))

    def _line(self, mark: tuple[float, str]) -> str:
        y = f"{self.y(mark[0]):.4g}"
        line = f'<path class="grid" d="M{_LEFT} {y}H{_RIGHT}"/>'
        return f'{line}<text x="{_LEFT - 6}" y="{y}" dy=".35em" text-anchor="end">{mark[1]}</text>'

    def _pauses(self) -> Iterable[str]:
        for pause in self.axis.pauses:
            left, right = (_LEFT + (_RIGHT - _LEFT) * place for place in (pause.left, pause.right))
            said = f"{printable(pause.how)}; went on {duration(pause.seconds)} later"
            area = f'x="{left:.4g}" y="{_TOP}" width="{max(right - left, 1):.3g}" height="{_BOTTOM - _TOP}"'
            yield f'<rect class="pause" {area}><title>{escape_html(said)}</title></rect>'
            if right - left > 16:
                short = f"{'killed' if pause.how == 'killed' else 'stopped'}, {duration(pause.seconds)}"
                place = f"translate({(left + right) / 2:.4g} {(_TOP + _BOTTOM) / 2:.4g})rotate(-90)"
                yield f'<text class="small" transform="{place}" dy=".35em" text-anchor="middle">{short}</text>'

    def _times(self) -> Iterable[str]:
        for place, time, day in self.axis.ticks():
            x = f"{_LEFT + (_RIGHT - _LEFT) * place:.4g}"
            # The label of a tick at the very left would be cut at its middle on small screens.
            anchor = "start" if place < 0.02 else "end" if place > 0.98 else "middle"
            yield f'<path class="axis" d="M{x} {_BOTTOM}v5"/>'
            yield f'<text x="{x}" y="{_BOTTOM + 21}" text-anchor="{anchor}">{time}</text>'
            if day:
                yield f'<text x="{x}" y="{_BOTTOM + 41}" text-anchor="{anchor}">{day}</text>'
        yield f'<path class="axis" d="M{_LEFT} {_BOTTOM}H{_RIGHT}"/>'


def svg(title: str, view: str, content: str, *, attributes: str = "") -> str:
    """An inline picture that a screen reader reads as its title."""
    return f'<svg role="img" viewBox="{view}" {attributes}><title>{escape_html(title)}</title>{content}</svg>'


def rate_plot(points: Sequence[Point], axis: TimeAxis, limit: float | None) -> str:
    """Requests a minute as an area, the limit as a dashed line, 429s as triangles above."""
    marks = ticks(max(limit or 0.0, *(point.rate for point in points), 1.0))
    title = "Requests a minute" + ("" if limit is None else f", against the limit of {plain(limit)}")
    plot = Plot(title, axis, [(mark, short(mark)) for mark in marks], lambda value: value / marks[-1])
    keys = [(f'<rect width="16" height="10" {_area(BLUE)}/>', "requests a minute")]
    drawing = _steps(plot, [(point, point.rate) for point in points], BLUE, is_area=True)
    if limit is not None:
        drawing += f'<path d="M{_LEFT} {plot.y(limit):.4g}H{_RIGHT}" {_line("currentColor", dashed=True)}/>'
        keys.append((f'<path d="M0 5H16" {_line("currentColor", dashed=True)}/>', f"limit {plain(limit)}"))
    if any(point.refused for point in points):
        drawing += "".join(_refusals(plot, point) for point in points if point.refused)
        keys.append((_triangle(8, 9), "429"))
    return plot.svg(drawing, keys)


def latency_plot(points: Sequence[Point], axis: TimeAxis) -> str:
    """The latency that half of the attempts, and that 95% of them, did not exceed; on a logarithmic scale."""
    seen = [value for point in points for value in (point.p50, point.p95) if value is not None]
    marks = log_ticks(min(seen, default=0.1), max(seen, default=1.0))
    decades = log10(marks[-1] / marks[0])
    labels = [(mark, seconds(mark)) for mark in marks]
    plot = Plot("Latency, p50 and p95", axis, labels, lambda value: log10(value / marks[0]) / decades)
    drawing = _steps(plot, [(point, point.p95) for point in points], GREEN, dashed=True)
    drawing += _steps(plot, [(point, point.p50) for point in points], BLUE)
    keys = [(_line(BLUE), "p50"), (_line(GREEN, dashed=True), "p95")]
    return plot.svg(drawing, [(f'<path d="M0 5H16" {line}/>', name) for line, name in keys])


def outcome_plot(points: Sequence[Point], axis: TimeAxis) -> str:
    """Rows that were done, failed, or were left unknown so far, one above the other."""
    levels = [(0, point.done, point.done + point.failed, point.done + point.failed + point.unknown) for point in points]
    marks = ticks(max(levels[-1][-1], 4))
    plot = Plot("Rows so far", axis, [(mark, short(mark)) for mark in marks], lambda value: value / marks[-1])
    fills = (f'fill="{BLUE}"', 'fill="url(#leavo-hatched)"', 'fill="url(#leavo-dotted)"')
    parts, keys = [_PATTERNS], list[Key]()
    for number, (fill, name) in enumerate(zip(fills, ("done", "failed", "unknown"), strict=True)):
        if levels[-1][number + 1] > levels[-1][number]:
            parts.append(f'<path d="{band_path(_corners(plot, points, levels, number))}" {fill}/>')
            keys.append((f'<rect width="16" height="10" {fill}/>', name))
    return plot.svg("".join(parts), keys)


def state_bar(counts: Mapping[State, int]) -> str:
    """All rows as one bar, a piece for each state that has any."""
    rows = sum(counts.values())
    left, pieces = 0.0, list[str]()
    for state, colour in COLOURS.items():
        if width := 400 * counts[state] / max(rows, 1):
            # One row of a million must be seen, too.
            area = f'x="{left:.4g}" width="{max(width - 0.6, 0.8):.4g}" height="12" fill="{colour}"'
            pieces.append(f"<rect {area}><title>{told(state, counts[state])}</title></rect>")
            left += width
    said = ", ".join(told(state, counts[state]) for state in COLOURS if counts[state])
    return svg(f"Rows: {said or 'none'}", "0 0 400 12", "".join(pieces), attributes=_FLAT)


def sparkline(points: Sequence[Point], axis: TimeAxis, limit: float | None) -> str:
    """Requests a minute as a small area, under a dashed line for the limit."""
    top = max(limit or 0.0, *(point.rate for point in points), 1.0)
    spans = [(400 * axis.place(p.start), 400 * axis.place(p.end), 38 - 36 * p.rate / top) for p in points]
    drawing = f'<path d="{step_path(spans, base=38)}" fill="{BLUE}" fill-opacity=".55"/>'
    if limit is not None:
        drawing += f'<path d="M0 {38 - 36 * limit / top:.4g}H400" {_line("currentColor", dashed=True)}/>'
    return svg("Requests a minute over time", "0 0 400 40", drawing, attributes=_FLAT)


def share_bar(part: int, whole: int, colour: str) -> str:
    """A bar that is as long as the part of the whole."""
    bar = f'<rect width="{max(400 * part / max(whole, 1), 1):.4g}" height="8" fill="{colour}"/>'
    return svg(f"{part:,} of {counted(whole, 'row')}", "0 0 400 8", bar, attributes=_FLAT)


def told(state: State, rows: int) -> str:
    """How many rows are in a state."""
    return f"{rows:,} {state.replace('_', ' ')}"


def short(number: float) -> str:
    """A round number in a few characters: "50", "20 k", "1.5 M"."""
    for unit, sign in ((1e6, " M"), (1e3, " k")):
        if number >= unit:
            return f"{number / unit:.4g}{sign}"
    return f"{number:.4g}"


def seconds(value: float) -> str:
    """A latency in a few characters: "5 ms", "2 s"."""
    return f"{value * 1000:.3g} ms" if value < 0.9995 else f"{value:.3g} s"


# A bar is as wide as its place; what is inside keeps its height.
_FLAT = 'preserveAspectRatio="none" width="100%" style="display:block"'


def _area(colour: str) -> str:
    return f'fill="{colour}" fill-opacity=".35"'


def _line(colour: str, *, dashed: bool = False) -> str:
    dashes = ' stroke-dasharray="6 4"' if dashed else ""
    return f'fill="none" stroke="{colour}" stroke-width="1.8" vector-effect="non-scaling-stroke"{dashes}'


def _steps(
    plot: Plot,
    values: Iterable[tuple[Point, float | None]],
    colour: str,
    *,
    dashed: bool = False,
    is_area: bool = False,
) -> str:
    spans = [(plot.x(p.start), plot.x(p.end), plot.y(value)) for p, value in values if value is not None]
    area = f'<path d="{step_path(spans, base=_BOTTOM)}" {_area(colour)}/>' if is_area else ""
    return f'{area}<path d="{step_path(spans)}" {_line(colour, dashed=dashed)}/>'


def _refusals(plot: Plot, point: Point) -> str:
    said = f"{point.refused:,} refused with 429"
    return f"<g>{_triangle(plot.x((point.start + point.end) / 2), _TOP - 1)}<title>{said}</title></g>"


def _triangle(x: float, y: float) -> str:
    """A triangle that points down to (x, y)."""
    return f'<path d="M{x:.4g} {y:.4g}l-4 -8h8z" fill="{RED}"/>'


def _corners(
    plot: Plot, points: Sequence[Point], levels: Sequence[tuple[int, ...]], number: int
) -> Iterable[tuple[Corner, Corner]]:
    """Both ends of each stretch, in one area of the stack."""
    for point, before, after in zip(points, [(0, 0, 0, 0), *levels[:-1]], levels, strict=True):
        start, end = ((plot.y(level[number]), plot.y(level[number + 1])) for level in (before, after))
        yield (plot.x(point.start), *start), (plot.x(point.end), *end)


def _legend(keys: Sequence[Key]) -> Iterable[str]:
    x = float(_LEFT)
    for drawn, name in keys:
        yield f'<g transform="translate({x:.4g} 8)">{drawn}</g><text x="{x + 22:.4g}" y="13" dy=".35em">{name}</text>'
        x += 40 + 10.5 * len(name)
