"""Each option has a mutation that ``fastbp verify`` must find, and each mutation still fits the code."""

from dataclasses import fields

import pytest

import verify_mutations
from fastbp.recipe.distortions import Variant
from fastbp.recipe.optimizers import OPTIMIZERS
from fastbp.reference.activations import ACTIVATIONS
from fastbp.reference.losses import OUTPUTS
from fastbp.verify.configurations import VALUES, configurations

MUTATIONS = verify_mutations.MUTATIONS
SHAPES = {"hidden", "batch_size", "warmup", "validation", "seed", "threads"}  # no kernel of their own
OPTIONS = [
    *(f"activation {name}" for name in ACTIVATIONS),
    *(f"optimizer {name}" for name in OPTIMIZERS),
    *(f"output {name}" for name in OUTPUTS),
    *(f"distortion {field.name}" for field in fields(Variant)),
    *sorted(set(VALUES) - SHAPES),
]


@pytest.mark.parametrize("option", OPTIONS)
def test_an_option_has_a_mutation(option):
    assert any(mutation.option.startswith(option) for mutation in MUTATIONS)


def test_mutations_fit_the_code():
    missing = [
        f"{mutation.option}, {mutation.fault}: {mutation.file}"
        for mutation in MUTATIONS
        if (verify_mutations.HERE / mutation.file).read_text("utf-8").count(mutation.text) != 1
    ]
    assert missing == []


def test_mutations_name_configurations():
    known = {one.name for one in configurations()}
    assert all({*mutation.configurations} <= known for mutation in MUTATIONS)
    assert all(mutation.text != mutation.replacement for mutation in MUTATIONS)
