"""Settings and folders: what they are, where they come from, and which source wins.

Precedence: defaults < the user's file < each further layer in the order given (what the editor sends, then the
command line). Only the user's file and those layers are read: no file of a workspace is ever looked at, and model
settings are names in the catalogue, so a workspace can name neither an executable, nor a model file, nor a URL.
"""

import contextlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal, TypeGuard

import platformdirs

from jouline.pipeline.exclusions import Exclusions

PREFIX = "jouline"
OnBattery = Literal["same", "save", "pause"]

_CATALOGUE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


class _UnfitError(Exception):
    """A value that a setting cannot take; the text says what it must be."""


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError("true or false")
    return value


def _within_percent(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100


def _percent_saved(value: object) -> int:
    if not _within_percent(value) or value % 1:
        raise _UnfitError("a whole number from 0 to 100")
    return int(value)


def _quality_floor(value: object) -> float | None:
    if value == "off":
        return None
    if not _within_percent(value):
        raise _UnfitError('a number from 0 to 100, or "off"')
    return float(value)


def _catalogue_id(value: object) -> str:
    if value == "" or (isinstance(value, str) and _CATALOGUE_ID.fullmatch(value)):
        return str(value)
    raise _UnfitError("a name that `jouline models list` shows, not a file or an address")


def _languages(value: object) -> Mapping[str, bool]:
    if isinstance(value, Mapping) and all(isinstance(on, bool) for on in value.values()):
        return MappingProxyType({str(language): on for language, on in value.items()})
    raise _UnfitError('a map from languages to true or false, such as {"markdown": false}')


def _globs(value: object) -> tuple[str, ...]:
    if isinstance(value, list | tuple) and all(isinstance(glob, str) and glob.strip() for glob in value):
        with contextlib.suppress(ValueError):
            Exclusions(value)
            return tuple(value)
    raise _UnfitError('a list of patterns as in .gitignore, such as ["generated/", "*.min.js"]')


def _on_battery(value: object) -> str:
    if value not in ("same", "save", "pause"):
        raise _UnfitError('"same", "save" or "pause"')
    return str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What a user can set. Every field has a default, so any subset of settings makes a whole `Config`.

    `energy_saving`: percent, 0 = always the large model, 100 = the least energy. `quality_floor`: percent of the
    large model's calibrated quality that must be kept, or None for off. `shadow_evaluations`: whether, with a floor and
    on mains power, the large model is now and then asked too where the small one answered. `model_small`,
    `model_large`: names in the catalogue, "" for the pair that comes with the server. `languages`: language identifier
    to on or off; "*" stands for those not named. `exclude`: patterns, as in .gitignore, of files that no model is shown
    besides those of secrets.
    """

    enable: bool = True
    energy_saving: int = 50
    quality_floor: float | None = None
    shadow_evaluations: bool = True
    model_small: str = ""
    model_large: str = ""
    languages: Mapping[str, bool] = field(default_factory=lambda: MappingProxyType({}))
    exclude: tuple[str, ...] = ()
    on_battery: OnBattery = "same"
    debug_log: bool = False

    def completes(self, language: str) -> bool:
        """Return whether completions are wanted in this language."""
        return self.languages.get(language, self.languages.get("*", True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Folders:
    """Where Jouline keeps its files; none is created here."""

    config: Path
    data: Path
    cache: Path
    log: Path

    @classmethod
    def find(cls, environ: Mapping[str, str] = os.environ) -> "Folders":
        """Return this platform's folders, or those under `JOULINE_HOME` where that is set."""
        if home := environ.get("JOULINE_HOME"):
            root = Path(home).expanduser().absolute()
            return cls(config=root / "config", data=root / "data", cache=root / "cache", log=root / "log")
        return cls(
            config=platformdirs.user_config_path(PREFIX, appauthor=False),
            data=platformdirs.user_data_path(PREFIX, appauthor=False),
            cache=platformdirs.user_cache_path(PREFIX, appauthor=False),
            log=platformdirs.user_log_path(PREFIX, appauthor=False),
        )

    @property
    def user_file(self) -> Path:
        """The user's settings, in TOML; it need not exist."""
        return self.config / "config.toml"


SETTINGS: Mapping[str, Callable[[object], object]] = {
    "enable": _switch,
    "energySaving": _percent_saved,
    "qualityFloor": _quality_floor,
    "shadowEvaluations": _switch,
    "model.small": _catalogue_id,
    "model.large": _catalogue_id,
    "languages": _languages,
    "exclude": _globs,
    "onBattery": _on_battery,
    "debug.log": _switch,
}
"""Each setting's name, as an editor shows it after the prefix `jouline.`, and how its values are read."""


def field_name(setting: str) -> str:
    """Return the field of `Config` that a setting's name means: `jouline.model.small` is `model_small`."""
    snake = _CAPITAL.sub(lambda capital: "_" + capital[1].lower(), setting).replace(".", "_")
    return snake.removeprefix(PREFIX + "_")


_BY_FIELD = {field_name(setting): (setting, read) for setting, read in SETTINGS.items()}


def load(user_file: Path | None, *layers: Mapping[str, object]) -> tuple[Config, list[str]]:
    """Return the settings that result, and one sentence for each thing that could not be used.

    A setting may be nested (`{"model": {"small": …}}`), dotted (`"model.small"`), in camelCase or snake_case, with
    or without the prefix `jouline`. Unknown settings are ignored, null means not set, and a value that does not fit
    gives the setting's default.
    """
    problems: list[str] = []
    values: dict[str, object] = {}
    for layer in (_read_file(user_file, problems), *layers):
        values.update(_read_layer(layer, problems))
    return Config(**values), problems  # type: ignore[arg-type]  # each value went through its field's reader


def _read_file(user_file: Path | None, problems: list[str]) -> Mapping[str, object]:
    if user_file is None or not user_file.exists():
        return {}
    try:
        return tomllib.loads(user_file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(f"The settings file {user_file} cannot be read ({error.strerror}); make it readable.")
    except UnicodeDecodeError:
        problems.append(f"The settings file {user_file} is not UTF-8; save it as UTF-8.")
    except tomllib.TOMLDecodeError as error:
        problems.append(f"The settings file {user_file} is not valid TOML, correct it: {error}.")
    return {}


def _read_layer(layer: Mapping[str, object], problems: list[str]) -> dict[str, object]:
    values: dict[str, object] = {}
    for name, value in _flatten(layer):
        setting, read = _BY_FIELD[name]
        try:
            values[name] = read(value)
        except _UnfitError as unfit:
            values[name] = default = getattr(Config(), name)
            problems.append(
                f"The setting {PREFIX}.{setting} must be {unfit}, not {_shown(value)}; {_shown(default)} is used."
            )
    return values


def _flatten(layer: Mapping[str, object], path: str = "") -> Iterator[tuple[str, object]]:
    for key, value in layer.items():
        name = f"{path}.{key}" if path else str(key)
        if field_name(name) in _BY_FIELD:
            if value is not None:
                yield field_name(name), value
        elif isinstance(value, Mapping):
            yield from _flatten(value, name)


def _shown(value: object) -> str:
    """Return a value as it would stand in a settings file, kept short."""
    if isinstance(value, Mapping):
        value = dict(value)
    text = "off" if value is None else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def can_write(folder: Path) -> bool:
    """Return whether files can be made in a folder, or the folder itself in the nearest one that exists."""
    nearest = _nearest(folder)
    return nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)


def by_cause(problem: str, folders: Folders) -> str:
    """Return a problem as it is, or one sentence for all that come from a folder that cannot be written."""
    for folder in (folders.data, folders.cache, folders.log):
        if str(folder) in problem and not can_write(folder):
            return (
                f"Nothing can be kept in {_nearest(folder)}, so totals, costs and log are lost at the end; "
                "make it a folder that can be written, or set JOULINE_HOME to one."
            )
    return problem


def _nearest(folder: Path) -> Path:
    while not os.path.exists(folder) and folder != folder.parent:  # noqa: PTH110  Path.exists raises where one may not look
        folder = folder.parent
    return folder
