"""Settings: which source wins, and what becomes of values that do not fit."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.config import SETTINGS, Config, Folders, by_cause, can_write, field_name, load

TEXT = st.sampled_from(["", "off", "save", "a/b", "https://x", "tiny-code", "50", "é\n", "python"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
EXAMPLE = {
    "jouline.enable": False,
    "jouline.energySaving": 75,
    "jouline.qualityFloor": 99,
    "jouline.model.small": "tiny-code",
    "jouline.model.large": "big-code.v2",
    "jouline.languages": {"markdown": False},
    "jouline.exclude": ["generated/"],
    "jouline.onBattery": "pause",
    "jouline.debug.log": True,
}


def nested(dotted: dict[str, object]) -> dict[str, object]:
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`."""
    tree: dict[str, object] = {}
    for name, value in dotted.items():
        *path, last = name.split(".")
        here = tree
        for part in path:
            here = here.setdefault(part, {})  # type: ignore[assignment]
        here[last] = value
    return tree


def test_the_defaults_are_those_of_the_contract():
    """With nothing set, Jouline is on at energy saving 50 with the pair that comes with it."""
    config, problems = load(None)
    assert problems == []
    assert dataclasses.asdict(dataclasses.replace(config, languages={})) == {
        "enable": True,
        "energy_saving": 50,
        "quality_floor": None,
        "shadow_evaluations": True,
        "model_small": "",
        "model_large": "",
        "languages": {},
        "exclude": (),
        "on_battery": "same",
        "debug_log": False,
    }


@pytest.mark.parametrize(
    "layer",
    [
        pytest.param(EXAMPLE, id="dotted with prefix"),
        pytest.param({name.removeprefix("jouline."): value for name, value in EXAMPLE.items()}, id="dotted"),
        pytest.param(nested(EXAMPLE), id="nested with prefix"),
        pytest.param({field_name(name): value for name, value in EXAMPLE.items()}, id="snake_case"),
    ],
)
def test_every_way_to_write_a_setting_means_the_same(layer):
    """Nested, dotted, camelCase and snake_case settings are read alike."""
    expected = Config(
        enable=False,
        energy_saving=75,
        quality_floor=99.0,
        model_small="tiny-code",
        model_large="big-code.v2",
        languages={"markdown": False},
        exclude=("generated/",),
        on_battery="pause",
        debug_log=True,
    )
    assert load(None, layer) == (expected, [])


def test_later_layers_win_over_earlier_ones_and_over_the_file(tmp_path: Path):
    """Defaults < file < editor < command line, setting by setting."""
    file = tmp_path / "config.toml"
    file.write_text('energy_saving = 10\nonBattery = "save"\n[model]\nsmall = "from-file"\n')
    config, problems = load(file, {"energySaving": 20, "model": {"small": "from-editor"}}, {"energy_saving": 30})
    assert problems == []
    assert (config.on_battery, config.model_small, config.energy_saving) == ("save", "from-editor", 30)


def test_unknown_settings_and_null_are_ignored():
    """A setting that Jouline does not know, or that is null, changes nothing and says nothing."""
    layer = {
        "jouline": {"server": {"path": "/bin/sh"}, "telemetry": True, "energySaving": None},
        "editor": {"a": 1},
    }
    assert load(None, layer) == (Config(), [])


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("enable", "yes"),
        ("energySaving", 101),
        ("energySaving", True),
        ("energySaving", 12.5),
        ("energySaving", float("nan")),
        ("qualityFloor", "high"),
        ("qualityFloor", -1),
        ("model.small", "/tmp/evil.gguf"),
        ("model.small", "../evil"),
        ("model.large", "https://example.org/model"),
        ("model.large", 3),
        ("languages", ["python"]),
        ("languages", {"python": "on"}),
        ("onBattery", "fast"),
        ("debug.log", 1),
    ],
)
def test_a_value_that_does_not_fit_gives_its_default_and_one_message(setting, value):
    """One sentence names the setting and what it must be; the others are kept."""
    config, problems = load(None, {setting: value, "onBattery" if setting != "onBattery" else "enable": "save"})
    kept = load(None, {"onBattery": "save"})[0] if setting != "onBattery" else Config()
    assert config == kept
    about = [problem for problem in problems if f"jouline.{setting} must be" in problem]
    assert len(about) == 1
    assert "\n" not in about[0]
    assert about[0].endswith(" is used.")


def test_a_bad_value_wins_over_a_good_one_below_only_as_the_default():
    """A value that does not fit gives the default, not what an earlier layer said."""
    config, problems = load(None, {"energySaving": 80}, {"energySaving": "much"})
    assert config.energy_saving == 50
    assert len(problems) == 1


@pytest.mark.parametrize("content", [b"energy_saving = \n", b"\xff\xfe", b"= 3"])
def test_a_broken_settings_file_gives_defaults_and_one_message(tmp_path: Path, content: bytes):
    """The file is named, so that the person finds it; the other layers still count."""
    file = tmp_path / "config.toml"
    file.write_bytes(content)
    config, problems = load(file, {"energySaving": 5})
    assert config == Config(energy_saving=5)
    assert len(problems) == 1
    assert str(file) in problems[0]


def test_a_settings_file_that_is_a_folder_gives_one_message(tmp_path: Path):
    """What cannot be read is said once and does not stop anything."""
    config, problems = load(tmp_path)
    assert config == Config()
    assert len(problems) == 1


@given(st.dictionaries(st.sampled_from([*EXAMPLE, "jouline", "model", "x.y", ""]), JSON, max_size=5))
def test_whatever_an_editor_sends_makes_a_whole_config(layer):
    """Any JSON gives a `Config` whose values are within bounds, and messages of one line each."""
    config, problems = load(None, layer)
    assert 0 <= config.energy_saving <= 100
    assert config.on_battery in {"same", "save", "pause"}
    assert not any(character in config.model_small + config.model_large for character in "/\\:")
    assert all(problem and "\n" not in problem for problem in problems)


def test_languages_not_named_follow_the_star():
    """`"*": false` switches all off but those named; without it all are on but those named."""
    assert Config(languages={"markdown": False}).completes("python")
    assert not Config(languages={"markdown": False}).completes("markdown")
    assert not Config(languages={"*": False, "python": True}).completes("ruby")
    assert Config(languages={"*": False, "python": True}).completes("python")


def test_jouline_home_holds_all_four_folders(tmp_path: Path):
    """With JOULINE_HOME nothing lies outside it; without it the platform decides."""
    folders = Folders.find({"JOULINE_HOME": str(tmp_path)})
    places = {folders.config, folders.data, folders.cache, folders.log}
    assert {place.parent for place in places} == {tmp_path}
    assert len(places) == 4
    assert all("jouline" in str(place).lower() for place in dataclasses.astuple(Folders.find({})))


def test_the_extension_offers_the_same_settings_with_the_same_defaults():
    """package.json and `Config` agree, so that what the editor shows is what the server does."""
    package = json.loads((Path(__file__).parents[1] / "vscode-extension" / "package.json").read_text("utf-8"))
    offered = {
        name.removeprefix("jouline."): about["default"]
        for name, about in package["contributes"]["configuration"]["properties"].items()
        if not name.startswith("jouline.server.")  # the client starts the server, the server never reads them
    }
    defaults = {setting: getattr(Config(), field_name(setting)) for setting in SETTINGS}
    known = {setting: list(value) if isinstance(value, tuple) else value for setting, value in defaults.items()}
    assert known == offered


def test_problems_of_one_folder_are_one_sentence(tmp_path):
    """What fails because a folder cannot be written has one cause; what fails in one that can, is told as it is."""
    home = tmp_path / "home"
    folders = Folders.find({"JOULINE_HOME": str(home)})
    problems = [f"{folders.data / 'a'} is bad.", f"{folders.data / 'b'} is bad.", f"{folders.log} is bad.", "Else."]
    assert can_write(folders.data)
    assert [by_cause(problem, folders) for problem in problems] == problems

    home.write_text("a file")
    assert not can_write(folders.data)
    first, second, third, last = (by_cause(problem, folders) for problem in problems)
    assert first == second == third
    assert first.startswith(f"Nothing can be kept in {home}, ")
    assert last == "Else."
