"""What the language server offers of the catalogue: the pairs, the one that suits this machine, and fetching one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jouline.config import Folders

if TYPE_CHECKING:
    from jouline.cancel import CancelToken
    from jouline.catalogue.card import PairCard
    from jouline.catalogue.store import ModelStore
    from jouline.lsp.protocol import Recommended

Tell = Callable[[str, int, int | None], None]
"""Hears the model, the bytes that are here, and all of them where that is known."""


def pairs(folders: Folders) -> list[dict[str, Any]]:
    """Return the catalogue's pairs as JSON data."""
    store = _store(folders)
    catalogue = store.catalogue()
    return [
        _pair_fields(pair, store, is_default=pair.id == catalogue.default_pair) for pair in catalogue.pairs.values()
    ]


def recommended(folders: Folders) -> "Recommended":
    """Time the models that came with Jouline, and name the pair that suits this machine; takes some seconds."""
    from jouline.catalogue.recommend import recommend
    from jouline.cli.machine import look_at_machine
    from jouline.lsp.protocol import Recommended

    store = _store(folders)
    catalogue = store.catalogue()
    advice = recommend(catalogue, look_at_machine([catalogue.pair()], folders))
    sizes = (advice.pair.small.size_bytes, advice.pair.large.size_bytes)
    return Recommended(
        pair=advice.pair.id,
        small=advice.pair.small.id,
        large=advice.pair.large.id,
        present=store.pair_complete(advice.pair),
        size_bytes=None if None in sizes else sum(size or 0 for size in sizes),
        reason=advice.reason,
    )


def pull_pair(folders: Folders, pair_id: str, tell: Tell, cancel: "CancelToken") -> None:
    """Fetch both models of a pair; raises CatalogueError with one sentence, or Cancelled."""
    from jouline.catalogue.hub import pull
    from jouline.errors import CatalogueError

    store = _store(folders)
    pair = store.catalogue().pairs.get(pair_id)
    if pair is None:
        raise CatalogueError(f"There is no pair called {pair_id!r}; see `jouline models list`.")
    for stage in (pair.small, pair.large):
        if store.presence(stage) != "bundled":
            pull(stage, store, _Told(stage.id, tell), cancel)


class _Told:
    """Passes on how a pull goes, at most once for each hundredth of it: the hub tells of every few kilobytes."""

    def __init__(self, model: str, tell: Tell) -> None:
        self._model = model
        self._tell = tell
        self._percent = -1

    def waiting(self) -> None:
        """Tell that nothing has come yet."""
        self._tell(self._model, 0, None)

    def bytes_done(self, done: int, total: int) -> None:
        """Tell what has come."""
        percent = 100 * done // max(1, total)
        if percent != self._percent:
            self._percent = percent
            self._tell(self._model, done, total)


def _store(folders: Folders) -> "ModelStore":
    from jouline.catalogue.store import ModelStore

    return ModelStore.under(folders.data)


def _pair_fields(pair: "PairCard", store: "ModelStore", *, is_default: bool) -> dict[str, Any]:
    tiers = {"small": pair.small, "large": pair.large}
    return {
        "id": pair.id,
        "kind": pair.kind,
        "isDefault": is_default,
        **{
            tier: {"id": stage.id, "sizeBytes": stage.size_bytes, "present": store.complete(stage)}
            for tier, stage in tiers.items()
        },
    }
