import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leavo_async.bulk.mapping import MappingPlan, plan_mapping
from leavo_async.errors import ConfigError

FIELDS = {"name": True, "phone": True, "email": False, "company": False, "lead_source": False}
BASE = ("name", "phone")


def plan(*columns: str, ignored=(), open_prefix="custom_fields.", **mapped: str) -> MappingPlan:
    return plan_mapping(columns, FIELDS, mapped=mapped, ignored=ignored, open_prefix=open_prefix)


def refusal(*columns: str, ignored=(), mapped=None, open_prefix="custom_fields.") -> str:
    with pytest.raises(ConfigError) as caught:
        plan_mapping(columns, FIELDS, mapped=mapped or {}, ignored=ignored, open_prefix=open_prefix)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("column", ["lead_source", "Lead Source", "LEAD-SOURCE", "lead  source"])
def test_a_column_named_like_a_field_maps_by_itself(column):
    """Whatever its case, with blanks or dashes for underscores."""
    assert {"name": "name", "phone": "phone", "lead_source": column} == plan(*BASE, column).columns


def test_a_column_is_mapped_as_the_user_says():
    """--map email='E-mail address' feeds email from that column."""
    made = plan(*BASE, "E-mail address", email="E-mail address")

    assert {"email": "a@example.com"} == made.apply({"E-mail address": "a@example.com"})


def test_what_the_user_says_takes_a_column_from_the_field_it_is_named_like():
    """--map name=company: the column company then feeds name, and nothing else."""
    assert {"name": "company", "phone": "phone"} == plan("company", "phone", name="company").columns


def test_one_column_may_feed_two_fields_if_the_user_says_so():
    """--map name=Label --map company=Label fills both."""
    made = plan("Label", "phone", name="Label", company="Label")

    assert {"name": "x", "company": "x"} == made.apply({"Label": "x"})


def test_cells_are_stripped_and_blank_ones_left_out():
    """A blank cell is no value: it must not overwrite or fail."""
    made = plan(*BASE, "email", "company")

    assert {"name": "Ana"} == made.apply({"name": " Ana\t", "phone": "", "email": "  ", "company": None})


def test_values_of_json_are_kept_as_they_are():
    """Lists, objects, numbers, false and zero."""
    values = {"name": ["a"], "phone": 0, "email": False, "company": {"a": 1}}

    assert values == plan(*values).apply(values)


def test_custom_fields_are_nested():
    """custom_fields.plan fills plan in custom_fields; a dot in the name is part of it."""
    made = plan(*BASE, "custom_fields.plan", "Size", **{"custom_fields.a.b": "Size"})

    assert {"custom_fields": {"plan": "pro", "a.b": "9"}} == made.apply({"custom_fields.plan": "pro", "Size": "9"})


def test_custom_fields_may_come_as_an_object():
    """From JSON Lines as it is; from CSV as the JSON text that a rejects file has."""
    made = plan(*BASE, "custom_fields")

    assert {"custom_fields": {"plan": "pro"}} == made.apply({"custom_fields": {"plan": "pro"}})
    assert {"custom_fields": {"plan": "pro"}} == made.apply({"custom_fields": '{"plan": "pro"}'})
    assert {"custom_fields": "{oops"} == made.apply({"custom_fields": "{oops"})


def test_an_object_of_custom_fields_and_a_single_one_clash():
    """One would overwrite the other."""
    assert "both feed the field" in refusal(*BASE, "custom_fields", "custom_fields.plan")


def test_without_an_open_prefix_custom_fields_are_unknown():
    """Not every API has them."""
    assert "unknown column 'custom_fields.plan'" in refusal(*BASE, "custom_fields.plan", open_prefix=None)


def test_an_unknown_column_is_refused_with_both_ways_out():
    """Nothing in a file is dropped because of a spelling."""
    assert (
        "unknown column 'Notes2': map it with --map FIELD=Notes2 or leave it out with --ignore Notes2; "
        "in Python map={FIELD: COLUMN}, ignore=[COLUMN] "
        "(fields: name, phone, email, company, lead_source, custom_fields.NAME)"
    ) == refusal(*BASE, "Notes2")


def test_all_unknown_columns_are_named_at_once():
    """With the likely field, and quoted for the shell."""
    assert (
        "unknown columns 'E-mail', 'Full Text': map them with --map email=E-mail --map 'FIELD=Full Text' "
        "or leave them out with --ignore E-mail --ignore 'Full Text', or all of them with --ignore '*';"
    ) in refusal(*BASE, "E-mail", "Full Text")


def test_of_a_hundred_unknown_columns_a_few_are_named():
    """A wall of options helps nobody."""
    said = refusal(*BASE, *(f"X{n}" for n in range(100)))
    assert "'X4': map them" in said
    assert "--ignore X4 (and 95 more), or all of them with --ignore '*'" in said


@pytest.mark.parametrize("ignored", [{"Notes2"}, {"*"}])
def test_columns_can_be_ignored_by_name_or_all(ignored):
    """They stay in the plan as left out, so that it can be shown."""
    assert ("Notes2",) == plan(*BASE, "Notes2", ignored=ignored).left_out


def test_ignoring_all_leaves_no_known_column_out():
    """The star is for columns that feed no field."""
    assert {"name": "name", "phone": "phone", "email": "Email"} == plan(*BASE, "Email", ignored={"*"}).columns


def test_a_column_named_like_a_field_can_be_ignored():
    """A bad e-mail column is left out by name."""
    assert ("email",) == plan(*BASE, "email", ignored={"email"}).left_out


def test_columns_of_a_rejects_file_are_left_out():
    """A mended rejects file imports like the first one."""
    assert ("_line", "_reason") == plan(*BASE, "_line", "_reason").left_out


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        (
            BASE,
            {"mapped": {"emial": "name"}},
            "map emial=name: unknown field 'emial', did you mean 'email'? (fields:",
        ),
        (BASE, {"mapped": {"email": "Phon"}}, "map email=Phon: there is no column 'Phon', did you mean 'phone'?"),
        (("Nome", "phone"), {"mapped": {"Nome": "name"}}, "unknown field 'Nome', did you mean name=Nome?"),
        (BASE, {"mapped": {"email": "zzz"}}, "there is no column 'zzz' (columns: name, phone)"),
        (BASE, {"mapped": {"custom_fields.": "name"}}, "unknown field 'custom_fields.'"),
        ((*BASE, "x"), {"mapped": {"email": "x"}, "ignored": {"x"}}, "column 'x' is both mapped and ignored"),
        ((*BASE, "Phone"), {}, "columns 'phone' and 'Phone' both feed the field 'phone'; leave one out"),
        ((*BASE, "x", "email"), {"mapped": {"email": "x"}}, "columns 'x' and 'email' both feed the field 'email'"),
        (("name",), {}, "no column for the required field 'phone': say which one with --map phone=COLUMN"),
        (("_x",), {}, "no column for the required fields 'name', 'phone'"),
        (("name", "Telephone"), {"ignored": {"*"}}, "--map phone=Telephone"),
    ],
)
def test_a_plan_that_could_lose_or_mix_data_is_refused(columns, options, words):
    """With what was found and the option that mends it."""
    assert words in refusal(*columns, **options)


def test_a_new_key_of_a_later_row_feeds_the_field_it_is_named_like():
    """JSON Lines may leave out an e-mail in the first row."""
    made = plan(*BASE)
    values = {"name": "Ana", "Email": "a@example.com", "custom_fields.plan": "pro"}

    assert () == made.unknown(values)
    assert {"name": "Ana", "email": "a@example.com", "custom_fields": {"plan": "pro"}} == made.apply(values)


def test_a_new_key_that_feeds_nothing_is_reported():
    """The row can be rejected with it: nothing is lost silently."""
    assert ("Notes", "misc") == plan(*BASE).unknown({"name": "Ana", "Notes": "x", "misc": 1})


@pytest.mark.parametrize("values", [{"name": "A", "Name": "B"}, {"email": "A", "EMAIL": "B"}])
def test_a_second_key_for_one_field_is_reported(values):
    """Two values for one field: we do not choose."""
    made = plan(*BASE)

    assert (list(values)[1],) == made.unknown(values)
    assert list(values.values())[:1] == list(made.apply(values).values())


def test_new_keys_that_are_ignored_are_not_reported():
    """By name, by the star, or by their underscore."""
    assert () == plan(*BASE, ignored={"Notes"}).unknown({"Notes": "x", "_line": 3})
    assert () == plan(*BASE, ignored={"*"}).unknown({"Notes": "x", "misc": 1})


KEY = st.sampled_from(["name", "Name", "phone", "email", "E mail", "x", "_y", "custom_fields", "custom_fields.a"])


@settings(deadline=None)
@given(values=st.dictionaries(KEY, st.text(min_size=1, max_size=3)), ignored=st.sets(KEY | st.just("*")))
def test_each_value_is_sent_reported_or_left_out_on_purpose(values, ignored):
    """No value of a row ever vanishes."""
    made = plan(*BASE, ignored=ignored - {"name", "phone"})
    distinct = {key: f"{number}!" for number, key in enumerate(values)}
    sent = str(made.apply(distinct))

    for key, value in distinct.items():
        is_left_out = key.startswith("_") or key in ignored or "*" in ignored
        assert (value in sent) + (key in made.unknown(distinct)) == 1 or is_left_out
