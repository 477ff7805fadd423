"""What the command line says about options, commands and values that do not exist."""

import pytest
from typer.testing import CliRunner

from fastbp import cli


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("train --initialisation he", "no option --initialisation; did you mean --init?; see "),
        ("train --batchsize 8", "no option --batchsize; did you mean --batch-size?; see "),
        ("train --qqqq 1", "no option --qqqq; see "),
        ("trian", "no command 'trian'; did you mean train?; see "),
        ("data inf", "no command 'inf'; did you mean info?; see "),
        ("data qqqq", "no command 'qqqq'; see "),
        ("train --epochs abc", "--epochs is not a whole number; see "),
        ("train --weight-decay abc", "--weight-decay is not a number; see "),
        ("train --activation relo", "activation is 'relo'; expected one of: relu, "),
        ("train --augment bogus --data nowhere", "augment is 'bogus'; expected one of: none, "),
        ("train extra", "got unexpected extra argument(s) (extra); see "),
    ],
)
def test_one_line_says_what_was_mistyped(arguments, message):
    result = CliRunner().invoke(cli.app, arguments.split())
    assert result.exit_code == 2
    assert result.output.startswith(f"fastbp: error: {message}")
    assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "found"), [("this is text\n", "holds none"), ("\x89PNG", "single image")]
)
def test_a_file_named_like_an_image(content, found, tmp_path):
    path = tmp_path / "fake.png"
    path.write_bytes(content.encode("latin-1"))
    result = CliRunner().invoke(cli.app, ["train", "--data", str(path)])
    assert result.exit_code == 2
    assert found in result.output
