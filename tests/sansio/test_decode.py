from __future__ import annotations

import json
from contextlib import nullcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leavo_async import (
    APIError,
    ConfigError,
    Lead,
    LeavoError,
    ProtocolError,
    Request,
    Response,
    ResponseValidationError,
)
from leavo_async._sansio.decode import decode, decode_page
from leavo_async._sansio.paging import Before, Cursor, Offset, Page, Paging, Parts
from leavo_async.apis.leavo import LEAVO
from leavo_async.testing import reply

OFFSET = Offset(100)
GET = Request("GET", "/leads", "https://api.example.com/leads", {})
LEAD = {
    "id": "1",
    "name": "Ana",
    "status": {"id": "s", "name": "New"},
    "created_at": "2026-01-02T03:04:05Z",
    "session_id": 9,
}


def decoded(data: Any, cast_to: Any = None) -> Any:
    return decode(LEAVO, GET, reply(200, data), cast_to)


@pytest.mark.parametrize("body", [LEAD, {"success": True, "data": LEAD}, {"data": LEAD}])
def test_a_lead_is_the_same_in_each_dialect(body: Any) -> None:
    """Bare, enveloped, or under `data` alone; unknown fields are kept."""
    lead = decoded(body, Lead)

    assert (lead.id, lead.name, lead.status.name, lead.created_at.year) == ("1", "Ana", "New", 2026)
    assert lead.model_extra == {"session_id": 9}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ([1, 2], [1, 2]),
        ({"success": True, "data": [1]}, [1]),
        ({"data": {"id": 1}}, {"id": 1}),
        ({"data": None}, None),
        ({"event": "lead.created", "data": {"id": 1}}, {"event": "lead.created", "data": {"id": 1}}),
        ({"success": True, "message_id": "m"}, {"success": True, "message_id": "m"}),
        ("a text", "a text"),
    ],
)
def test_plain_json_is_taken_out_of_its_envelope(body: Any, value: Any) -> None:
    """Only where nothing but the envelope's own names stands beside `data`: else something would be lost."""
    assert value == decoded(body)


def test_a_mapping_is_a_type_like_any_other() -> None:
    """cast_to=dict takes a bare object, also without `data`."""
    assert decoded({"a": 1}, dict[str, int]) == {"a": 1}
    assert decoded({"data": {"a": 1}}, dict[str, int]) == {"a": 1}


def test_an_empty_answer_is_none() -> None:
    """204, and every other success without a body."""
    assert decode(LEAVO, GET, reply(204)) is None


def test_an_empty_answer_where_a_lead_was_promised_is_an_error() -> None:
    """It did happen: the outcome says so."""
    with pytest.raises(ProtocolError) as caught:
        decode(LEAVO, GET, reply(200), Lead)

    assert caught.value.outcome == "done"


def test_a_wrong_shape_is_told_without_the_values() -> None:
    """They may be personal data; the places are enough to find the fault."""
    with pytest.raises(ResponseValidationError, match=r"GET /leads: the answer is not what was promised") as caught:
        decoded({"success": True, "data": {"id": 5, "name": "Ana Souza"}}, Lead)

    assert any("id" in problem for problem in caught.value.problems)
    assert "Souza" not in "".join((str(caught.value), *caught.value.problems))
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


@pytest.mark.parametrize("cast_to", [Lead, list[Lead]])
def test_a_failure_in_the_clothes_of_a_success_is_an_error(cast_to: Any) -> None:
    """A 200 whose body says success: false."""
    with pytest.raises(APIError, match="NOT_FOUND: gone"):
        decoded({"success": False, "error": {"code": "NOT_FOUND", "message": "gone"}}, cast_to)


def test_a_failure_is_one_also_where_it_carries_data() -> None:
    """The half of a lead that came with it is not taken for a lead."""
    with pytest.raises(APIError, match="CONFLICT"):
        decoded({"success": False, "data": LEAD, "error": {"code": "CONFLICT"}}, Lead)


def test_a_failure_is_seen_without_a_type_as_well() -> None:
    """A delete that was refused in a 200 has not deleted anything."""
    with pytest.raises(APIError, match="NOPE"):
        decoded({"success": False, "error": {"code": "NOPE"}})


def test_a_word_deep_in_the_data_is_no_failure() -> None:
    """Only the envelope's own `success` counts: this lead was created."""
    with pytest.raises(ResponseValidationError) as caught:
        decoded({"success": True, "data": {"id": 5, "custom_fields": {"success": False}}}, Lead)

    assert caught.value.outcome == "done"


def test_a_page_tells_what_it_knows() -> None:
    """Total and has_more where the dialect has them, else None."""
    pagination = {"total": 9, "has_more": True}
    enveloped = decode_page(
        LEAVO, GET, reply(200, {"success": True, "data": [LEAD], "pagination": pagination}), OFFSET, Lead
    )
    bare = decode_page(LEAVO, GET, reply(200, [LEAD, LEAD]), OFFSET, Lead)

    assert (len(enveloped.items), enveloped.total, enveloped.has_more) == (1, 9, True)
    assert (len(bare.items), bare.total, bare.has_more) == (2, None, None)


BY_PATH = Offset(1000, in_path=True, parts=Parts("Data", total="Count"))


@pytest.mark.parametrize(
    ("paging", "data", "page"),
    [
        (BY_PATH, {"Count": 7, "Data": [1]}, Page([1], total=7)),
        (BY_PATH, {"Data": []}, Page([])),
        (Cursor(100), {"data": [1], "paging": {"next_cursor": "abc", "has_more": True}}, Page([1], None, True, "abc")),
        (Cursor(100), {"data": [1], "paging": {"next_cursor": None, "has_more": False}}, Page([1], None, False, "")),
        (Cursor(100), {"data": [1], "paging": {"next_cursor": 17}}, Page([1], None, None, "17")),
        (Cursor(100), {"data": [1], "paging": {}}, Page([1])),
        (Cursor(100), {"data": [1], "paging": None}, Page([1])),
        (Before(50), {"data": [1], "pagination": {"oldest_timestamp": "2026"}}, Page([1], None, None, "2026")),
        (Offset(100, parts=Parts("result.items", total="result.n")), {"result": {"items": [1], "n": 3}}, Page([1], 3)),
        (Offset(100, parts=Parts("result.items", total="n")), {"result": {"items": [1]}, "n": 3}, Page([1], 3)),
        (Offset(100, parts=Parts("rows", "n")), {"rows": [1], "n": 3, "success": True}, Page([1], total=3)),
    ],
)
def test_the_parts_of_a_page_are_where_the_api_has_them(paging: Paging, data: Any, page: Page) -> None:
    """A cursor that is named and empty is an end; one that is not named at all is none."""
    assert page == decode_page(LEAVO, GET, reply(200, data), paging)


@pytest.mark.parametrize(
    "data",
    [
        {"data": [1], "pagination": {"total": -1}},
        {"data": [1], "pagination": {"total": "many"}},
        {"data": [1], "pagination": {"has_more": "perhaps"}},
        {"data": [1], "pagination": [1]},
        {"data": {"1": 1}},
        {"Data": [1]},
    ],
)
def test_what_a_page_says_of_the_rest_is_checked(data: Any) -> None:
    """A listing goes by it."""
    with pytest.raises(ResponseValidationError):
        decode_page(LEAVO, GET, reply(200, data), OFFSET)


def test_a_part_that_is_too_deep_is_refused() -> None:
    """It would never be found."""
    with pytest.raises(ConfigError, match=r"'meta\.page\.total' is too deep"):
        Parts(total="meta.page.total")
    with pytest.raises(ResponseValidationError):
        decode_page(LEAVO, GET, reply(200, {"result": None}), Offset(100, parts=Parts("result.items")))


def test_a_page_keeps_the_rows_as_they_were_written() -> None:
    """Where a type has made something else of them."""
    for data in ([LEAD], {"data": [LEAD]}):
        assert [LEAD] == decode_page(LEAVO, GET, reply(200, data), OFFSET, Lead).rows()
        assert [LEAD] == decode_page(LEAVO, GET, reply(200, data), OFFSET).rows()


def test_a_page_that_reports_a_failure_is_one() -> None:
    """Also if it has items."""
    with pytest.raises(APIError):
        decode_page(LEAVO, GET, reply(200, {"success": False, "data": [1]}), OFFSET)


def test_an_answer_without_a_list_is_not_the_end_of_a_listing() -> None:
    """Null is not taken for "no leads"."""
    with pytest.raises(ResponseValidationError):
        decode_page(LEAVO, GET, reply(200, {"success": True, "data": None}), OFFSET, Lead)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"id": NaN}', b"\xff", b"<html>", b'{"id": "1"', b"\xef\xbb\xbf{}x"]
)
@pytest.mark.parametrize("cast_to", [None, Lead])
def test_what_is_not_json_is_an_error_of_ours(body: bytes, cast_to: Any) -> None:
    """Deep nesting, NaN, broken UTF-8, a login page, a cut."""
    with pytest.raises(ProtocolError):
        decode(LEAVO, GET, Response(200, reply().headers, body), cast_to)


@given(
    st.binary()
    | st.recursive(
        st.none() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.sampled_from(["data", "id", "success"]), x)
    ).map(lambda v: json.dumps(v).encode())
)
@pytest.mark.parametrize("cast_to", [None, Lead, list[Lead], dict[str, Any]])
def test_decoding_raises_nothing_but_our_errors(cast_to: Any, body: bytes) -> None:
    """Whatever the bytes."""
    try:
        decode(LEAVO, GET, Response(200, reply().headers, body), cast_to)
        decode_page(LEAVO, GET, Response(200, reply().headers, body), OFFSET, cast_to)
    except LeavoError:
        pass


@pytest.mark.parametrize("cast_to", [None, Lead])
def test_a_byte_order_mark_is_no_part_of_the_json(cast_to: Any) -> None:
    """Some servers put one before it."""
    found = decode(LEAVO, GET, Response(200, reply().headers, b'\xef\xbb\xbf{"id": "1"}'), cast_to)

    assert found == {"id": "1"} if cast_to is None else found.id == "1"


@pytest.mark.parametrize("cast_to", [None, Lead, list[Any]])
def test_numbers_that_are_none_are_refused_however_deep(cast_to: Any) -> None:
    """NaN and Infinity are not JSON; in a text they are letters."""
    for body in (b'{"id": "1", "custom_fields": {"a": NaN}}', b'[{"a": [-Infinity]}]'):
        with pytest.raises(ProtocolError, match="not JSON"):
            decode(LEAVO, GET, Response(200, reply().headers, body), cast_to)
    assert decoded({"id": "1", "name": "NaN Infinity"}, Lead).name == "NaN Infinity"


def test_a_large_id_stays_whole() -> None:
    """As an int of Python's it has no largest value; as a float it would be another id."""
    assert decoded({"id": 2**70 + 1}) == {"id": 2**70 + 1}


@pytest.mark.parametrize(
    ("body", "max_repeats"), [(b"<html>Please log in</html>", 0), (b" \n<?xml", 0), (b'{"a', 1), (b"", 1), (b"\xff", 1)]
)
def test_a_page_of_html_is_believed_at_once_and_broken_json_the_second_time(body: bytes, max_repeats: int) -> None:
    """A login page says the same again; a byte may have been lost on the way."""
    with pytest.raises(ProtocolError) as caught:
        decode(LEAVO, GET, Response(200, reply().headers, body), Lead)

    assert (caught.value.max_repeats, caught.value.outcome) == (max_repeats, "done")


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a', b'{"a": NaN}', b'{"id": "2"}'])
def test_what_cannot_be_read_tells_its_status(body: bytes) -> None:
    """The head of the answer was read: whoever looks into it sees that it was called a success."""
    asked = Request("GET", "/leads/1", "https://api.example.com/leads/1", {}, echo=("id", "1"))
    with pytest.raises(ProtocolError) as caught:
        decode(LEAVO, asked, Response(201, reply().headers, body), dict[str, Any])

    assert 201 == caught.value.status


@pytest.mark.parametrize("cast_to", [None, Lead])
@pytest.mark.parametrize("enveloped", [True, False])
def test_an_answer_about_another_thing_is_refused(cast_to: Any, enveloped: bool) -> None:
    """Whatever has mixed the answers up, nobody gets somebody else's lead."""
    asked = Request("GET", "/leads/1", "https://api.example.com/leads/1", {}, echo=("id", "1"))

    def answered(lead: Any) -> Any:
        return decode(LEAVO, asked, reply(200, {"success": True, "data": lead} if enveloped else lead), cast_to)

    with pytest.raises(ProtocolError, match="another id"):
        answered({"id": "2"})
    assert answered({"id": "1"})


@pytest.mark.parametrize(
    ("asked", "found", "is_same"),
    [
        ("0198a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b", "0198A0B1-C2D3-7E4F-8A5B-6C7D8E9F0A1B", True),
        ("0198A0B1-C2D3-7E4F-8A5B-6C7D8E9F0A1B", "0198a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b", True),
        ("0198a0b1-c2d3-7e4f-8a5b-6c7d8e9f0a1b", "0198A0B1-C2D3-7E4F-8A5B-6C7D8E9F0A1C", False),
        ("aB3dE6gH9jK2", "Ab3De6Gh9Jk2", False),
        ("aBcDeF", "abcdef", False),
    ],
)
def test_a_uuid_is_the_same_in_other_letters(asked: str, found: str, is_same: bool) -> None:
    """Servers write them as they like; of other ids each letter counts."""
    request = Request("GET", f"/leads/{asked}", f"https://api.example.com/leads/{asked}", {}, echo=("id", asked))
    with nullcontext() if is_same else pytest.raises(ProtocolError, match="another id"):
        assert {"id": found} == decode(LEAVO, request, reply(200, {"id": found}))
