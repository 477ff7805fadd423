"""Other names of optimizers, activation functions, initialisations, backends and export formats."""

import pytest

from fastbp import exports
from fastbp.errors import ConfigError
from fastbp.network import Network
from fastbp.recipe import initializers, optimizers
from fastbp.recipe.settings import Settings
from fastbp.reference import activations

REGISTRIES = {
    "optimizer": (optimizers.ALIASES, optimizers.OPTIMIZERS),
    "activation": (activations.ALIASES, activations.ACTIVATIONS),
    "init": (initializers.ALIASES, initializers.SCHEMES),
    "backend": ({"np": "numpy"}, ("numba", "numpy")),
}


@pytest.mark.parametrize("setting", REGISTRIES)
def test_the_name_of_the_entry_is_kept(setting):
    aliases, names = REGISTRIES[setting]
    for alias, name in aliases.items():
        assert alias not in names
        assert name in names
        assert getattr(Settings.from_mapping({setting: alias}), setting) == name


def test_an_alias_takes_the_numbers_of_its_rule():
    assert Settings(optimizer="adam:0.8").optimizer == "adamw:0.8"
    assert Settings(optimizer="adam").learning_rate == Settings(optimizer="adamw").learning_rate
    with pytest.raises(ConfigError, match=r"optimizer is 'adam:2': BETA1 is '2'; expected"):
        Settings(optimizer="adam:2")


def test_formats_have_aliases(tmp_path):
    assert not exports.ALIASES.keys() & exports.FORMATS.keys()
    Network((4, 2)).save(tmp_path / "net.safetensors")
    for alias, name in exports.ALIASES.items():
        written = exports.export(tmp_path / "net.safetensors", alias)
        assert written == exports.export(tmp_path / "net.safetensors", name)
