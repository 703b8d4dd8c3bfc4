"""What was offered lately, and what the person did with it.

A client that can tell sends `jouline/didShow` and the like; from one that cannot, an answer that was not cancelled
counts as shown. Each outcome of an offer is reported once.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from jouline.completion import Feedback
from jouline.lsp.positions import code_points

REMEMBERED = 100


@dataclass(slots=True, kw_only=True)
class _Offer:
    lead: str
    text: str
    told: set[str] = field(default_factory=set)


class Offers:
    """The latest offers by id. Every method returns the feedback to pass on, or None if there is no news."""

    def __init__(self) -> None:
        self._offers: OrderedDict[str, _Offer] = OrderedDict()
        self._client_tells = False

    def offered(self, completion_id: str, lead: str, text: str) -> Feedback | None:
        """Remember an answer that went out; `lead` is the part of the item before the completion's text."""
        self._offers[completion_id] = _Offer(lead=lead, text=text)
        while len(self._offers) > REMEMBERED:
            self._offers.popitem(last=False)
        return None if self._client_tells else self._once(completion_id, "shown", 0)

    def shown(self, completion_id: str) -> Feedback | None:
        """Note that the client showed it, and that this client tells."""
        self._client_tells = True
        return self._once(completion_id, "shown", 0)

    def accepted(self, completion_id: str) -> Feedback | None:
        """Note that all of it was taken."""
        offer = self._offers.get(completion_id)
        return self._once(completion_id, "accepted", len(offer.text)) if offer else None

    def partially_accepted(self, completion_id: str, accepted_length: int) -> Feedback | None:
        """Note that the item's first `accepted_length` UTF-16 units were taken; each time it grows is news."""
        offer = self._offers.get(completion_id)
        if offer is None or "accepted" in offer.told:
            return None
        chars = code_points(offer.lead + offer.text, accepted_length, "utf-16") - len(offer.lead)
        return self._once(completion_id, "partial", chars, f"partial {chars}") if chars > 0 else None

    def rejected(self, completion_id: str) -> Feedback | None:
        """Note that it was turned away; what was accepted before stays accepted."""
        offer = self._offers.get(completion_id)
        return None if offer is None or "accepted" in offer.told else self._once(completion_id, "rejected", 0)

    def _once(self, completion_id: str, outcome: str, chars: int, mark: str = "") -> Feedback | None:
        offer = self._offers.get(completion_id)
        if offer is None or (mark or outcome) in offer.told:
            return None
        offer.told.add(mark or outcome)
        return Feedback(completion_id=completion_id, outcome=outcome, chars=chars)  # type: ignore[arg-type]
