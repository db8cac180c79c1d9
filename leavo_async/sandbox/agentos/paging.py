"""Which part of a listing is wanted, and what it looks like.

V4 has offset and count at the end of the path, V3 has them in the query. That a count above 1,000 is an error and not
cut down is a guess; the vendor gives the number alone: https://hub.agentos.com/getting-started-with-the-agentos-api
"""

import re
from collections.abc import Mapping, Sequence

from leavo_async.sandbox.agentos.refused import invalid
from leavo_async.sandbox.messages import Json

MAX_COUNT = 1000

# No sign, no blank, no digits of other scripts, and short enough for any integer type.
_INTEGER = re.compile(r"[0-9]{1,9}")


def page(records: Sequence[Json], where: Mapping[str, str]) -> Json:
    """The part that `offset` and `count` ask for, with the number of all. `Refused` (400) if they cannot be.

    where: the names in the path, or the query; from 0 and 1,000 records where they are not there.
    """
    offset = _integer(where, "offset", 0)
    count = _integer(where, "count", MAX_COUNT)
    if not 1 <= count <= MAX_COUNT:
        raise invalid("count", f"must be 1 to {MAX_COUNT:,}")
    return {"Count": len(records), "Data": records[offset : offset + count]}


def _integer(where: Mapping[str, str], name: str, default: int) -> int:
    text = where.get(name)
    if text is None:
        return default
    if not _INTEGER.fullmatch(text):
        raise invalid(name, "must be a whole number, not negative")
    return int(text)
