import base64
import io
import os
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe
import pytest

from leavo_async.bulk.rows import Row
from leavo_async.bulk.sources import open_source
from leavo_async.errors import ConfigError

TABLE = pa.table({"name": ["Ana", None], "age": [30, None]})
ROWS = [Row(1, {"name": "Ana", "age": 30}), Row(2, {"name": None, "age": None})]


@pytest.fixture
def leads(tmp_path) -> Path:
    path = tmp_path / "leads.parquet"
    pq.write_table(TABLE, path)
    return path


def refusal(path: Path | str, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        list(open_source(path, **options))
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    return str(caught.value)


def test_a_parquet_file_is_read_with_its_types(leads):
    """Rows are numbered from 1."""
    with open_source(leads) as source:
        assert ROWS == list(source)
    assert ("name", "age") == source.columns
    assert (str(leads), "Parquet", leads) == (source.name, source.description, source.path)


@pytest.mark.parametrize(("name", "given"), [("LEADS.PARQUET", None), ("leads", None), ("leads.txt", "parquet")])
def test_parquet_is_known_by_suffix_content_or_word(leads, name, given):
    """In the order of all formats: what is said, the suffix, the first bytes."""
    path = leads.rename(leads.with_name(name))
    with open_source(path, format=given) as source:
        assert ROWS == list(source)


def test_a_csv_file_may_begin_like_parquet(tmp_path):
    """Its suffix decides."""
    path = tmp_path / "leads.csv"
    path.write_text("PAR1,name\n1,Ana\n")
    with open_source(path) as source:
        assert ("PAR1", "name") == source.columns


def test_a_file_that_pandas_wrote_has_integers_and_no_nan(tmp_path):
    """Pandas makes floats of integers with gaps, and the file keeps them so."""
    path = tmp_path / "leads.parquet"
    pd.DataFrame({"age": [1, None], "score": [1.5, None]}).to_parquet(path)
    with open_source(path) as source:
        assert ["{'age': 1, 'score': 1.5}", "{'age': None, 'score': None}"] == [str(row.values) for row in source]


def test_a_file_without_rows_has_its_columns(tmp_path):
    """As a CSV file of nothing but a header."""
    pq.write_table(TABLE.slice(0, 0), tmp_path / "leads.parquet")
    with open_source(tmp_path / "leads.parquet") as source:
        assert (("name", "age"), []) == (source.columns, list(source))


@pytest.mark.parametrize("option", ["delimiter", "encoding"])
def test_parquet_has_no_delimiter_and_no_encoding(leads, option):
    """An option that would do nothing is refused."""
    assert "leave --delimiter and --encoding out" in refusal(leads, **{option: {"delimiter": ";"}.get(option, "utf-8")})


@pytest.mark.parametrize("missing", [("pyarrow",), ("pyarrow.parquet",)])
def test_without_pyarrow_it_is_named(leads, monkeypatch, missing):
    """With the command that installs it."""
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)

    assert f"cannot read {leads}: Parquet takes pyarrow; pip install 'leavo-async[parquet]'" == refusal(leads)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"name\nAna\n", b"PAR1 and then something else PAR1"])
def test_what_is_not_parquet_is_refused(tmp_path, data):
    """Whatever its name says."""
    path = tmp_path / "leads.parquet"
    path.write_bytes(data)

    assert f"cannot read {path}: it is not Parquet, or damaged (ArrowInvalid); write it again" == refusal(path)


def test_a_cut_file_is_refused(leads):
    """Its end has the schema; nothing can be read without it."""
    leads.write_bytes(leads.read_bytes()[:-20])

    assert "it is not Parquet, or damaged" in refusal(leads)


def test_a_file_that_is_damaged_further_down_is_refused_where_it_is(leads):
    """With the last row that could be read, and without the library's text."""
    data = bytearray(leads.read_bytes())
    data[4:60] = b"\xff" * 56
    leads.write_bytes(data)

    assert f"cannot read {leads} after row 0: it is damaged or encrypted (OSError)" == refusal(leads)


class Vault(pe.KmsClient):
    """Wraps nothing: the keys stand in the file. For tests, that is enough."""

    def wrap_key(self, key_bytes, master_key_identifier):
        return base64.b64encode(key_bytes)

    def unwrap_key(self, wrapped_key, master_key_identifier):
        return base64.b64decode(wrapped_key)


@pytest.mark.parametrize(
    ("is_plain", "words"),
    [(False, "it is encrypted; decrypt it first"), (True, "it is damaged or encrypted")],
)
def test_an_encrypted_file_is_refused(leads, is_plain, words):
    """The whole of it, or columns under a schema that can be read."""
    config = pe.EncryptionConfiguration(footer_key="f", column_keys={"c": ["name"]}, plaintext_footer=is_plain)
    factory = pe.CryptoFactory(lambda _: Vault())
    keys = factory.file_encryption_properties(pe.KmsConnectionConfig(), config)
    pq.write_table(TABLE, leads, encryption_properties=keys)

    assert words in refusal(leads)


def test_a_file_without_columns_is_refused(tmp_path):
    """There is nothing in its rows."""
    path = tmp_path / "leads.parquet"
    pq.write_table(pa.table({}), path)

    assert f"cannot use the columns of {path}: it has none" == refusal(path)


def test_parquet_is_not_read_from_a_pipe(leads):
    """It is read from its end: standard input would have to be in memory as a whole."""
    words = "Parquet is read from its end, so it must be a file; save it as one"
    stdin = io.BytesIO(leads.read_bytes())

    assert f"cannot read standard input: {words}" == refusal("-", stdin=stdin)
    assert not stdin.closed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
def test_parquet_is_not_read_from_a_named_pipe(leads):
    """Nor is it opened a second time, which would wait for ever."""
    pipe = leads.with_name("pipe")
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    try:
        os.write(writer, b"PAR1")
        assert "it must be a file" in refusal(pipe)
    finally:
        os.close(writer)


def test_a_source_can_be_closed_twice_and_then_gives_no_more(leads):
    """As other files."""
    with open_source(leads) as source:
        source.close()

    with pytest.raises(ConfigError):
        list(source)


def held() -> tuple[int, int]:
    """Python's blocks of memory, and Arrow's bytes. A row has three blocks or more."""
    return sys.getallocatedblocks(), pa.total_allocated_bytes()


def test_a_large_file_is_read_in_constant_memory(tmp_path):
    """200,000 rows in one row group: neither Python nor Arrow holds more than a part of them."""
    path = tmp_path / "leads.parquet"
    names = pa.array([f"{n:080d}" for n in range(200_000)])
    table = pa.table({"name": names})
    pq.write_table(table, path, row_group_size=200_000, use_dictionary=False, compression="none")
    del names, table
    before, most, count = held(), (0, 0), 0
    with open_source(path) as source:
        for row in source:
            count += 1
            if row.line % 1000 == 0:
                most = max(most[0], held()[0] - before[0]), max(most[1], held()[1] - before[1])

    assert 200_000 == count
    assert 16_000_000 < path.stat().st_size
    assert (True, True) == (most[0] < 50_000, most[1] < 10_000_000), most
