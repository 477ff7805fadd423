"""Schemas in files that anybody may have written."""

import copy
import json

import pytest

from fastbp import FastbpError
from fastbp.schema import Feature, Schema

FEATURES = (
    Feature("f", "number", (), 1.0),
    Feature("c", "words", ("x", "y"), "x"),
    Feature("b", "boolean"),
)
SCHEMA = Schema(task="classification", outputs=("p", "q"), features=FEATURES, targets=("t",))
VALUES = [None, True, 1, -1, 1.5, 10**400, "", "c", "\ud800", [], [[]], ["a"], ["a", "b"], {}, [None], [{}]]


def read(found):
    return Schema.from_json(json.dumps(found), inputs=4, outputs=2)


def places(found, place=()):
    yield place
    pairs = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in pairs:
        yield from places(value, (*place, key))


def changed(place, value):
    found = copy.deepcopy(json.loads(SCHEMA.to_json()))
    inner = found
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return found


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_a_wrong_value_anywhere_is_refused_or_a_schema(value):
    assert read(json.loads(SCHEMA.to_json())) == SCHEMA
    for place in places(json.loads(SCHEMA.to_json())):
        try:
            found = read(changed(place, value) if place else value)
        except FastbpError:
            continue
        assert len(found.input_names) in (0, 4)
        assert read(json.loads(found.to_json())) == found


@pytest.mark.parametrize(
    ("place", "value", "says"),
    [
        (("features", 0, "name"), "c", "a column is given twice"),
        (("targets",), ["f"], "a column is given twice"),
        (("targets",), ["t", "u"], "there are 2 targets, expected one"),
        (("outputs", 0), "\ud800", "surrogates not allowed"),
        (("features", 0, "fill"), 10**400, "too large"),
    ],
)
def test_the_message(place, value, says):
    with pytest.raises(FastbpError, match=f"metadata schema: .*{says}"):
        read(changed(place, value))
