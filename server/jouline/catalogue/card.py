"""Cards: what is known of each model before it is opened, read from `catalogue.toml`.

A family says how a model is asked for the text at a cursor, a stage is one file, a pair is the two stages that
run together.
"""

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from jouline.errors import CatalogueError

Layout = Literal["suffix-prefix", "prefix-suffix-middle", "suffix-prefix-middle"]
Kind = Literal["exit", "separate"]

CATALOGUE_FILE = "catalogue.toml"

# Bits a weight takes on average, block scales included (llama.cpp, tools/quantize/README.md, Llama 3.1 8B).
BITS_PER_WEIGHT: Mapping[str, float] = MappingProxyType({"q8_0": 8.5, "q6_k": 6.56, "q5_k_m": 5.7, "q4_k_m": 4.89})
ESTIMATE_CONTEXT_TOKENS = 4096

SUFFIX_TOKENS: Mapping[Layout, int] = MappingProxyType(
    {"suffix-prefix": 256, "suffix-prefix-middle": 256, "prefix-suffix-middle": 64}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FimCard:
    """How a prompt for the text at a cursor is laid out.

    `suffix-prefix` is SUFFIX s PREFIX p; `prefix-suffix-middle` is PREFIX p SUFFIX s MIDDLE; `suffix-prefix-middle`
    is SUFFIX s PREFIX p MIDDLE. The markers are names of tokens in the model's vocabulary; any token of `end` ends
    the middle. The suffix given is cut to `suffix_tokens`. In front of it all stand pieces of other files, of at most
    `excerpt_tokens` in all, where that is not 0; where `file` names a marker, each behind it with its file's name, as
    the completed file then is too.
    """

    layout: Layout
    prefix: str
    suffix: str
    middle: str | None
    end: tuple[str, ...]
    suffix_tokens: int
    excerpt_tokens: int = 0
    file: str | None = None

    @property
    def markers(self) -> tuple[str, ...]:
        """The tokens that a vocabulary must hold for this layout."""
        return (self.prefix, self.suffix) if self.middle is None else (self.prefix, self.suffix, self.middle)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyCard:
    """Models that are asked alike. `names` and `architectures` tell from a file's metadata that it is one of them."""

    id: str
    fim: FimCard
    healing: bool
    architectures: tuple[str, ...]
    names: tuple[str, ...]
    sources: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubFile:
    """A file on the Hugging Face hub."""

    repo: str
    file: str
    revision: str = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageCard:
    """One model file. What is not known is None.

    `file` is relative to the folder that holds it, or absolute for a file of the user's own. `follows` names the
    stage whose hidden states this one takes; it is None for a complete model. `memory_bytes` is an estimate with
    4,096 tokens of context (fewer where the model takes fewer), except for the embedded pair, where it was measured.
    `prompt_tokens` is the most that a prompt and its answer should hold where that is less than the model's context.
    """

    id: str
    file: str
    family: str
    fim: FimCard
    healing: bool
    sha256: str | None = None
    size_bytes: int | None = None
    quantisation: str | None = None
    licence: str | None = None
    context_tokens: int | None = None
    prompt_tokens: int | None = None
    memory_bytes: int | None = None
    parameters: int | None = None
    hub: HubFile | None = None
    languages: tuple[str, ...] | None = None
    follows: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCard:
    """A small and a large model that run together.

    For kind `exit` the two are front and back of one network: `large` takes the hidden states of `small`. `tokenizer`
    (a file) and `router` (a folder) lie beside the catalogue; None where the pair has none of its own.
    """

    id: str
    kind: Kind
    small: StageCard
    large: StageCard
    tokenizer: Path | None = None
    router: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """All that is known, by id."""

    families: Mapping[str, FamilyCard]
    stages: Mapping[str, StageCard]
    pairs: Mapping[str, PairCard]
    default_pair: str

    def stage(self, stage_id: str) -> StageCard:
        """Return the stage of that id; raise `CatalogueError` naming the nearest ids if there is none."""
        return _look_up(self.stages, stage_id, "model")

    def pair(self, pair_id: str | None = None) -> PairCard:
        """Return the pair of that id, or the default one; raise `CatalogueError` if there is none."""
        return _look_up(self.pairs, pair_id or self.default_pair, "pair")

    def family(self, family_id: str) -> FamilyCard:
        """Return the family of that id; raise `CatalogueError` naming the nearest ids if there is none."""
        return _look_up(self.families, family_id, "model family")


def bundled_folder() -> Path:
    """Return the folder that came with the program: inside the package when installed, else the source tree's."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "models", package.parents[1] / "models"):
        if (folder / CATALOGUE_FILE).is_file():
            return folder
    raise CatalogueError("The model catalogue that comes with Jouline is missing; install Jouline again.")


def load_catalogue(paths: Iterable[Path] | None = None) -> Catalogue:
    """Read catalogue files, later ones adding to and replacing entries of earlier ones; by default the bundled one.

    Raises `CatalogueError` with the file and the entry for anything that cannot be used.
    """
    tables: dict[str, dict[str, tuple[Path, dict[str, Any]]]] = {"family": {}, "stage": {}, "pair": {}}
    default = ""
    for path in paths if paths is not None else [bundled_folder() / CATALOGUE_FILE]:
        text = _read(path)
        for kind, entries in tables.items():
            entries |= {key: (path, dict(row)) for key, row in text.get(kind, {}).items()}
        default = text.get("default_pair", default)
    families = {key: _family(key, *row) for key, row in tables["family"].items()}
    stages = {key: _stage(key, *row, families) for key, row in tables["stage"].items()}
    pairs = {key: _pair(key, *row, stages) for key, row in tables["pair"].items()}
    return Catalogue(families=families, stages=stages, pairs=pairs, default_pair=default)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CatalogueError(f"There is no model catalogue at {path}.") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"The model catalogue {path} cannot be read ({error}).") from error


def _family(family_id: str, path: Path, row: dict[str, Any]) -> FamilyCard:
    try:
        fim = FimCard(
            layout=row["layout"],
            prefix=row.pop("prefix"),
            suffix=row.pop("suffix"),
            middle=row.pop("middle", None),
            end=tuple(row.pop("end")),
            suffix_tokens=row.pop("suffix_tokens", SUFFIX_TOKENS[row["layout"]]),
            excerpt_tokens=row.pop("excerpt_tokens", 0),
            file=row.pop("file", None),
        )
        del row["layout"]
        lists = {key: tuple(row.pop(key)) for key in ("architectures", "names", "sources")}
        return FamilyCard(id=family_id, fim=fim, healing=row.pop("healing"), **lists, **row)
    except (KeyError, TypeError) as error:
        raise _unusable(path, "family", family_id, error) from error


def _stage(stage_id: str, path: Path, row: dict[str, Any], families: Mapping[str, FamilyCard]) -> StageCard:
    try:
        family = families[row.pop("family")]
        hub = HubFile(**row.pop("hub")) if "hub" in row else None
        languages = tuple(row.pop("languages")) if "languages" in row else None
        estimate = estimate_memory(row, row.pop("kv_bytes_per_token", None))
        row = {"healing": family.healing, "memory_bytes": estimate, **row}
        fim = replace(family.fim, **row.pop("fim", {}))
        return StageCard(id=stage_id, family=family.id, fim=fim, hub=hub, languages=languages, **row)
    except (KeyError, TypeError) as error:
        raise _unusable(path, "stage", stage_id, error) from error


def estimate_memory(row: Mapping[str, Any], kv_bytes_per_token: int | None) -> int | None:
    """Estimate the bytes that weights and keys and values take; None unless all that it needs is known."""
    bits, parameters = BITS_PER_WEIGHT.get(row.get("quantisation", "")), row.get("parameters")
    if bits is None or parameters is None or kv_bytes_per_token is None:
        return None
    tokens = min(ESTIMATE_CONTEXT_TOKENS, row.get("context_tokens", ESTIMATE_CONTEXT_TOKENS))
    return int(parameters * bits / 8 + kv_bytes_per_token * tokens)


def _pair(pair_id: str, path: Path, row: dict[str, Any], stages: Mapping[str, StageCard]) -> PairCard:
    try:
        small, large = stages[row.pop("small")], stages[row.pop("large")]
        beside = {key: path.parent / row.pop(key) for key in ("tokenizer", "router") if key in row}
        return PairCard(id=pair_id, small=small, large=large, **beside, **row)
    except (KeyError, TypeError) as error:
        raise _unusable(path, "pair", pair_id, error) from error


def _unusable(path: Path, kind: str, entry_id: str, error: Exception) -> CatalogueError:
    return CatalogueError(f"Entry [{kind}.{entry_id}] of the model catalogue {path} cannot be used ({error}).")


Entry = TypeVar("Entry")


def _look_up(entries: Mapping[str, Entry], entry_id: str, noun: str) -> Entry:
    if entry_id in entries:
        return entries[entry_id]
    near = difflib.get_close_matches(entry_id, entries, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(near)}?" if near else "see `jouline models list`."
    raise CatalogueError(f"There is no {noun} called {entry_id!r} in the catalogue; {hint}")
