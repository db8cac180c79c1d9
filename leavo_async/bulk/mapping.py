"""Which column feeds which field: decided once for a file, refused when in doubt, then applied to each row."""

import difflib
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from leavo_async.bulk.jsonl_source import read_object
from leavo_async.errors import ConfigError

# Both read the same errors: who types commands, and who writes programs.
_IN_PYTHON = "; in Python map={FIELD: COLUMN}, ignore=[COLUMN]"
_NAMED = 5  # unknown columns with a word of their own; exports of CRMs have a hundred

ALL = "*"  # among the ignored: every column that feeds no field


@dataclass(frozen=True)
class Fields:
    """The fields a row may fill.

    required: field name -> whether no row may go without it.
    open_prefix: ends with a dot; "custom_fields." adds every field that starts so, and custom_fields itself
        for a whole object.
    """

    required: Mapping[str, bool]
    open_prefix: str | None = None

    @property
    def stem(self) -> str | None:
        """The field that holds all fields of the open prefix: "custom_fields"."""
        return None if self.open_prefix is None else self.open_prefix.removesuffix(".")

    def __contains__(self, name: str) -> bool:
        return name in self.required or name == self.stem or self.inner(name) is not None

    def __str__(self) -> str:
        return ", ".join([*self.required, *([f"{self.open_prefix}NAME"] if self.open_prefix else [])])

    def inner(self, name: str) -> str | None:
        """The name behind the open prefix: "plan" for custom_fields.plan; None for any other field."""
        if self.open_prefix is None or not name.startswith(self.open_prefix):
            return None
        return name.removeprefix(self.open_prefix) or None

    def named_like(self, column: str) -> str | None:
        """The field that a column of this name feeds without being told; None if there is none."""
        if column in self:
            return column
        return next((name for name in self.required if _plain(name) == _plain(column)), None)

    def clash(self, one: str, other: str) -> bool:
        """True if both would write the same place: the same field, or custom_fields and custom_fields.plan."""
        pair = {one, other}
        return one == other or (self.stem in pair and any(self.inner(name) for name in pair))


@dataclass(frozen=True)
class MappingPlan:
    """What becomes of each column: `columns` feed a field (field -> column), `left_out` feed none."""

    columns: Mapping[str, str]
    left_out: tuple[str, ...]
    fields: Fields
    ignored: frozenset[str]

    def apply(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of one row. Text is stripped, blank cells and nulls are left out, the rest is untouched.

        A field of the open prefix is nested: custom_fields.plan -> {"custom_fields": {"plan": …}}.
        """
        body: dict[str, Any] = {}
        for field, column in self._feeding(values).items():
            value = values.get(column)
            if isinstance(value, str):
                value = value.strip()
            if value is None or value == "":
                continue
            if field in self._plain_fields:
                body[field] = value
            else:
                self._put(body, field, value)
        return body

    def unknown(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Keys of this row that feed no field and that nobody said to ignore: to send it would lose them.

        Never any for CSV; a row of JSON Lines may have keys that the first one had not.
        """
        if values.keys() <= self._seen:
            return ()
        fed = set(self._feeding(values).values())
        return tuple(key for key in values if key not in fed and not self._is_left_out(key))

    def _feeding(self, values: Mapping[str, Any]) -> Mapping[str, str]:
        """Field -> column for this row: the plan, and new keys whose name says which field is meant."""
        if values.keys() <= self._seen:
            return self.columns
        new = [key for key in values if key not in self._seen and not self._is_left_out(key)]
        feeding = {field: column for field, column in self.columns.items() if column in values}
        for key in new:
            field = self.fields.named_like(key)
            if field is not None and not any(self.fields.clash(field, taken) for taken in feeding):
                feeding[field] = key
        return feeding

    @cached_property
    def _plain_fields(self) -> frozenset[str]:
        """The fields that are neither under the open prefix nor all of it."""
        fields = self.fields
        return frozenset(name for name in fields.required if name != fields.stem and fields.inner(name) is None)

    @cached_property
    def _seen(self) -> frozenset[str]:
        return frozenset({*self.columns.values(), *self.left_out})

    def _is_left_out(self, key: str) -> bool:
        if key in self.left_out or key.startswith("_") or key in self.ignored:
            return True
        return ALL in self.ignored and self.fields.named_like(key) is None

    def _put(self, body: dict[str, Any], field: str, value: object) -> None:
        stem, inner = self.fields.stem, self.fields.inner(field)
        if stem is None or inner is None:
            body[field] = _object_in(value) if field == stem else value
        else:
            body.setdefault(stem, {})[inner] = value


def plan_mapping(
    columns: Sequence[str],
    fields: Mapping[str, bool],
    *,
    mapped: Mapping[str, str],
    ignored: Collection[str],
    open_prefix: str | None = None,
) -> MappingPlan:
    """The plan for a file with these columns; refused with ConfigError unless every column has its place.

    fields: field name -> whether it is required.
    mapped: field -> column, said by the user. Other columns feed the field they are named like.
    ignored: columns to leave out; "*" for all that feed no field. Those that start with "_" always are.
    """
    known = Fields(fields, open_prefix)
    _check_mapped(columns, known, mapped, ignored)
    feeding = _feeding(columns, known, mapped, ignored)
    left_out = tuple(column for column in columns if column not in {column for _, column in feeding})
    _check_clashes(known, feeding)
    _check_unknown([c for c in left_out if not _is_ignored(c, ignored)], known, feeding)
    _check_required(columns, known, feeding)
    return MappingPlan(dict(feeding), left_out, known, frozenset(ignored))


def _feeding(
    columns: Sequence[str], fields: Fields, mapped: Mapping[str, str], ignored: Collection[str]
) -> list[tuple[str, str]]:
    """(field, column) as the user said, then by name; a field may still be there twice."""
    feeding = list(mapped.items())
    for column in columns:
        if column not in mapped.values() and column not in ignored and not column.startswith("_"):
            field = fields.named_like(column)
            feeding += [] if field is None else [(field, column)]
    return feeding


def _check_mapped(columns: Sequence[str], fields: Fields, mapped: Mapping[str, str], ignored: Collection[str]) -> None:
    for field, column in mapped.items():
        said = f"map {_quoted(field, column)}"
        if field not in fields:
            meant = _did_you_mean(field, fields.required)
            if column in fields and field in columns:
                meant = f", did you mean {_quoted(column, field)}?"
            raise ConfigError(f"{said}: unknown field {field!r}{meant} (fields: {fields})")
        if column not in columns:
            meant = _did_you_mean(column, columns)
            raise ConfigError(f"{said}: there is no column {column!r}{meant} (columns: {', '.join(columns)})")
        if column in ignored:
            raise ConfigError(f"column {column!r} is both mapped and ignored; leave out one of the two")


def _check_clashes(fields: Fields, feeding: Sequence[tuple[str, str]]) -> None:
    for number, (field, column) in enumerate(feeding):
        for other_field, other in feeding[:number]:
            if fields.clash(field, other_field):
                raise ConfigError(
                    f"columns {other!r} and {column!r} both feed the field {field!r}; "
                    f"leave one out, for example with --ignore {shlex.quote(column)}{_IN_PYTHON}"
                )


def _check_unknown(unknown: Sequence[str], fields: Fields, feeding: Sequence[tuple[str, str]]) -> None:
    if not unknown:
        return
    every = "" if len(unknown) == 1 else ", or all of them with --ignore '*'"
    if len(unknown) > _NAMED:
        unknown, every = unknown[:_NAMED], f" (and {len(unknown) - _NAMED} more){every}"
    fed = {field for field, _ in feeding}
    free = [field for field in fields.required if field not in fed]
    maps = " ".join(f"--map {_quoted(_closest(column, free) or 'FIELD', column)}" for column in unknown)
    ignores = " ".join(f"--ignore {shlex.quote(column)}" for column in unknown)
    names = ", ".join(repr(column) for column in unknown)
    what, them = ("column", "it") if len(unknown) == 1 else ("columns", "them")
    raise ConfigError(
        f"unknown {what} {names}: map {them} with {maps} or leave {them} out with {ignores}{every}{_IN_PYTHON} "
        f"(fields: {fields})"
    )


def _check_required(columns: Sequence[str], fields: Fields, feeding: Sequence[tuple[str, str]]) -> None:
    fed = {field for field, _ in feeding}
    if missing := [field for field, is_needed in fields.required.items() if is_needed and field not in fed]:
        maps = " ".join(f"--map {_quoted(field, _closest(field, columns) or 'COLUMN')}" for field in missing)
        names = ", ".join(repr(field) for field in missing)
        what = "field" if len(missing) == 1 else "fields"
        raise ConfigError(
            f"no column for the required {what} {names}: say which one with {maps}{_IN_PYTHON} "
            f"(columns: {', '.join(columns)})"
        )


def _is_ignored(column: str, ignored: Collection[str]) -> bool:
    return column.startswith("_") or column in ignored or ALL in ignored


def _plain(name: str) -> str:
    """The name without what people vary: case, and white space or dashes for underscores."""
    return re.sub(r"[\s-]+", "_", name.strip().casefold())


def _closest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate that is spelled most like the name; None if none is like it."""
    by_plain = {_plain(candidate): candidate for candidate in candidates}
    found = difflib.get_close_matches(_plain(name), by_plain, n=1)
    return by_plain[found[0]] if found else None


def _did_you_mean(name: str, candidates: Iterable[str]) -> str:
    closest = _closest(name, candidates)
    return "" if closest is None else f", did you mean {closest!r}?"


def _quoted(field: str, column: str) -> str:
    """FIELD=COLUMN as a shell takes it."""
    return shlex.quote(f"{field}={column}")


def _object_in(value: object) -> object:
    """The object that a text cell spells in JSON, as a rejects file writes it; else the value itself."""
    if not isinstance(value, str):
        return value
    try:
        return read_object(value)
    except ValueError:
        return value
