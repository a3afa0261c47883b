"""What a YAML text means, and what is answered to one that means nothing."""

import pytest

from keras_evae.config_text import parse_yaml
from keras_evae.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-6", 1e-6),
        ("-1E+3", -1000.0),
        (".5", 0.5),
        ("2.", 2.0),
        ("-.inf", float("-inf")),
        ("010", 10),
        ("+7", 7),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("0x10", "0x10"),
        ("2026-11-23", "2026-11-23"),
        ("True", True),
        ("yes", "yes"),
        ("nullspace", "nullspace"),
        ("'1'", "1"),
        ("~", None),
        ("", None),
        ("a: {b: [1, 2.5, c]}", {"a": {"b": [1, 2.5, "c"]}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}),
    ],
)
def test_values(text, value):
    found = parse_yaml(text, "text")
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "text: line 3: key 'a' is given twice"),
        ("a: {b: 1, b: 1}", "text: line 1: key 'b' is given twice"),
        ("1: 2", "text: line 1: expected a name as key, found 1"),
        ("a: [", "text: line 1: "),
        ("!!bool maybe", "text: a value that does not fit its tag"),
        ("!!timestamp x", "text: "),
        ("a: \0", "text: unacceptable character #x0000"),
        ("a: 1\n---\nb: 2", "text: line 2: "),
        ("!!int x", "text: a value that does not fit its tag"),
        ("a: {<<: {b: 1}, <<: {c: 1}}", "text: line 1: key '<<' is given twice"),
        ("9" * 5000, "text: line 1: expected a number of at most 30 digits, found one of 5000"),
        ("[" * 1000 + "]" * 1000, "text: expected sections with keys, found lists or sections nested too deeply"),
        ("a: &x [*x]", "text: line 1: expected fewer than 100000 values"),
        (
            "a0: &a0 {k: 1}\n" + "".join(f"a{n + 1}: &a{n + 1} {{<<: [*a{n}, *a{n}]}}\n" for n in range(30)),
            "text: line 1",
        ),
        ("!!python/object/apply:os.system [ls]", "text: line 1: could not determine a constructor"),
    ],
)
def test_refused_in_one_line(text, message):
    with pytest.raises(ConfigError) as error:
        parse_yaml(text, "text")
    assert str(error.value).startswith(message) and "\n" not in str(error.value)
