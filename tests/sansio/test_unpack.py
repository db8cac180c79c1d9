"""Packed bodies, taken apart piece by piece."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

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


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "deflate"])
@pytest.mark.parametrize("plain", [b'{"id": "1"}', b"[]", b"<html>", b"\x4b\x04\x00"])
def test_what_is_not_packed_at_all_is_believed_the_second_time(plain: bytes, coding: str) -> None:
    """A server that names a coding and does not use it will do so again; a wrong bit would pass."""
    with pytest.raises(ProtocolError, match=f"calls itself {coding}, and is not") as caught:
        unpack(plain, coding, max_bytes=BIG)

    assert 1 == caught.value.max_repeats


@pytest.mark.parametrize(("pack", "coding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_what_is_packed_and_damaged_may_pass(pack: Callable[[bytes], bytes], coding: str) -> None:
    """Cut after any byte, or with another byte in the middle: it was lost on the way."""
    good = pack(b'{"id": "1"}')
    for bad in [*(good[:at] for at in range(1, len(good))), good[:12] + bytes([good[12] ^ 1]) + good[13:]]:
        with pytest.raises(ProtocolError, match=r"cut short|corrupt") as caught:
            unpack(bad, coding, max_bytes=BIG)
        assert caught.value.max_repeats is None


@given(st.binary(max_size=50), st.integers(0, 9), st.integers(9, 15))
def test_whatever_zlib_packs_is_unpacked(plain: bytes, level: int, window: int) -> None:
    """With each size of window and each level, whatever its first bytes are then."""
    packer = zlib.compressobj(level, wbits=window)

    assert plain == unpack(packer.compress(plain) + packer.flush(), "deflate", max_bytes=BIG)
