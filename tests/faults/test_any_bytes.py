"""Whatever bytes a server answers with."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async import LeavoError, RetryPolicy

from .judge import HUNG, trial
from .wire import Wire, echo, http, pieces, then_close

GOOD = http(body=b'{"path": "/asked", "list": [1, 2, 3]}')
CHUNKED = b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n3\r\n 1}\r\n0\r\n\r\n'


async def answered(raw: bytes, *, sliced: bool = False) -> None:
    """The call ends in a value or an error of ours, in its time, and the next one has its own answer."""
    step = pieces([raw[n : n + 1] for n in range(len(raw))], pause=0) if sliced else then_close(raw)
    async with Wire(step, echo()) as wire, trial(wire.url, retry=RetryPolicy(max_attempts=1), later=HUNG) as one:
        ended = await one.call()
        assert isinstance(ended, (LeavoError, dict, list, str, int, float, type(None)))
        assert (await one.call("/next", timeout=HUNG))["path"] == "/next"
        assert one.connections() == 0


def mutated(raw: bytes, chance: random.Random) -> bytes:
    """A good answer with a few of its bytes lost, changed, doubled or moved."""
    data = bytearray(raw)
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randrange(len(data) + 1), chance.randint(0, 12)
        piece = data[at : at + length]
        match chance.randint(0, 4):
            case 0:
                del data[at : at + length]
            case 1:
                data[at:at] = piece
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                del data[at:]
            case 4:
                data[at:at] = chance.choice([b"\r\n", b"\0", b"\xff", b": ", b"0\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
    return bytes(data)


@settings(max_examples=60)
@given(raw=st.binary(max_size=200) | st.binary(max_size=80).map(lambda body: http(body=body)))
def test_any_bytes_end_in_a_value_or_an_error_of_ours(raw: bytes) -> None:
    """Never in another exception, never in somebody else's answer, never in nothing."""
    asyncio.run(answered(raw))


@settings(max_examples=80)
@given(good=st.sampled_from([GOOD, CHUNKED]), seed=st.integers(0, 2**32))
def test_a_good_answer_with_a_fault_in_it_is_no_harm(good: bytes, seed: int) -> None:
    """Wherever the fault is."""
    asyncio.run(answered(mutated(good, random.Random(seed))))


@pytest.mark.parametrize("good", [GOOD, CHUNKED], ids=["by length", "in chunks"])
def test_a_good_answer_is_good_in_slices_of_one_byte(good: bytes) -> None:
    """However the network has cut it."""
    asyncio.run(answered(good, sliced=True))


@pytest.mark.torture
@pytest.mark.timeout(300)
@pytest.mark.parametrize("block", range(50))
def test_many_faults_in_good_answers_are_no_harm(block: int) -> None:
    """A hundred seeds each."""
    for seed in range(block * 100, (block + 1) * 100):
        chance = random.Random(seed)
        try:
            asyncio.run(answered(mutated(chance.choice([GOOD, CHUNKED]), chance), sliced=chance.random() < 0.2))
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
