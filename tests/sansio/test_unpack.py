"""Packed bodies, taken apart piece by piece."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import ProtocolError, ResponseTooLargeError
from leavo_async._sansio.unpack import unpack

BIG = 1 << 30
members = st.lists(st.binary(max_size=300) | st.integers(0, 400_000).map(bytes), min_size=1, max_size=4)


@given(parts=members, level=st.sampled_from([0, 1, 9]), cut=st.integers(1, 19))
def test_all_members_are_unpacked_and_a_cut_is_seen(parts: list[bytes], level: int, cut: int) -> None:
    """However many, however large: the whole of it or an error."""
    packed = b"".join(gzip.compress(part, level) for part in parts)

    assert unpack(packed, "gzip", max_bytes=BIG) == b"".join(parts)
    with pytest.raises(ProtocolError):
        unpack(packed[:-cut], "gzip", max_bytes=BIG)


@pytest.mark.parametrize("size", [0, 1, 65_535, 65_536, 65_537, 200_000])
def test_the_largest_body_is_as_large_as_allowed(size: int) -> None:
    """And one byte more is too much."""
    packed = zlib.compress(bytes(size))

    assert len(unpack(packed, "deflate", max_bytes=size)) == size
    with pytest.raises(ResponseTooLargeError):
        unpack(zlib.compress(bytes(size + 1)), "deflate", max_bytes=size)


def test_a_hundred_members_are_enough() -> None:
    """Nobody packs in more, but to keep a client busy."""
    one = gzip.compress(b"")

    assert unpack(one * 100, "gzip", max_bytes=BIG) == b""
    with pytest.raises(ProtocolError, match="hundred"):
        unpack(one * 101, "gzip", max_bytes=BIG)
