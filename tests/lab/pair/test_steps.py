"""The command line of the training program: steps in order, shapes read or refused."""

import pytest

from jouline.lab.pair import __main__ as program


def test_finishing_comes_after_making_and_ends_with_the_card() -> None:
    """`all` makes and finishes; neither trains shapes nor touches the tree."""
    names = list(program.TOGETHER["all"])
    assert names[: len(program.MAKING)] == list(program.MAKING)
    assert names[-1] == "card"
    assert {"shapes", "install"}.isdisjoint(names)


@pytest.mark.parametrize("name", [*program.TOGETHER, *program.MAKING, *program.FINISHING, *program.APART])
def test_every_name_on_the_command_line_stands_for_steps(name: str) -> None:
    """What the parser takes can be run."""
    assert program.parser().parse_args([name]).step == name
    assert program.steps(name)


def test_a_shape_is_the_layers_before_and_behind_the_exit() -> None:
    """Several are given at once."""
    assert program.parser().parse_args(["shapes", "--shapes", "3+6", "2+7"]).shapes == [(3, 6), (2, 7)]


@pytest.mark.parametrize("shape", ["36", "3+", "a+b", "3+-1", "0+4", ""])
def test_a_shape_that_cannot_be_read_is_wrong_usage(shape: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The status is 2 and the argument is named."""
    with pytest.raises(SystemExit) as ended:
        program.parser().parse_args(["shapes", "--shapes", shape])
    assert ended.value.code == 2
    assert "--shapes" in capsys.readouterr().err
