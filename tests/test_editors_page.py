"""docs/editors.md: what it tells other editors to start, to set and to ask is what the server knows."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from jouline.cli.main import build_parser
from jouline.config import SETTINGS, load
from jouline.lsp import protocol

PAGE = (Path(__file__).parents[1] / "docs" / "editors.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """Return the page's code blocks in a language."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def commands() -> list[list[str]]:
    """Return every command line that starts the server, from shell, Lua and TOML."""
    shell = [shlex.split(line) for block in blocks("sh") for line in block.splitlines()]
    lua = [re.findall(r"'([^']*)'", found) for found in re.findall(r"cmd = \{(.*?)\}", PAGE)]
    helix = tomllib.loads(blocks("toml")[0])["language-server"]["jouline"]
    return [*shell, *lua, [helix["command"], *helix["args"]]]


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_every_command_is_one_of_ours(command):
    """The command line takes it."""
    assert command[0] == "jouline"
    assert build_parser().parse_args(command[1:]).stdio


def test_every_setting_is_known():
    """The settings of the examples are read without a complaint, and name what exists."""
    helix = tomllib.loads(blocks("toml")[0])["language-server"]["jouline"]["config"]
    config, problems = load(None, helix)
    assert (config.energy_saving, problems) == (50, [])
    options = re.search(r"init_options = \{ jouline = \{(.*?)\} \},", PAGE)
    assert options is not None
    names = re.findall(r"(\w+) = (?!\{ )", options[1].replace("languages = { markdown = false }", "languages = x"))
    assert names
    assert set(names) <= set(SETTINGS)


def test_every_message_is_told_and_exists():
    """The table has the server's own messages, all of them and no others."""
    ours = {value for name, value in vars(protocol).items() if name.isupper() and str(value).startswith("jouline/")}
    assert set(re.findall(r"`(jouline/\w+)`", PAGE)) == ours
