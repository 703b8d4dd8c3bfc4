"""Which pair the user's two model settings mean."""

from jouline.catalogue.card import Catalogue, PairCard, StageCard
from jouline.errors import CatalogueError


def choose_pair(catalogue: Catalogue, small_id: str = "", large_id: str = "") -> PairCard:
    """Return the pair of two catalogue ids; an empty one stands for the default pair's model of that tier.

    A pair that the catalogue lists is returned as listed, any other two complete models as a pair of their own.
    Raises `CatalogueError` for an unknown id and for half a network without its other half.
    """
    default = catalogue.pair()
    small = catalogue.stage(small_id) if small_id else default.small
    large = catalogue.stage(large_id) if large_id else default.large
    for pair in catalogue.pairs.values():
        if (pair.small.id, pair.large.id) == (small.id, large.id):
            return pair
    _refuse_half(small, "small", "large")
    _refuse_half(large, "large", "small")
    return PairCard(id=f"{small.id}+{large.id}", kind="separate", small=small, large=large)


def _refuse_half(stage: StageCard, tier: str, other: str) -> None:
    if stage.follows is not None:
        raise CatalogueError(
            f"The {tier} model {stage.id} works only behind {stage.follows}; set model.{tier} to a complete model, "
            f"or leave both model.{tier} and model.{other} empty for the pair that comes with Jouline."
        )
