"""GreenServ's context features, done right."""

import numpy as np
import pytest

from jouline.lab.contexts import CLUSTERS, Contexts, OnlineClusters, complexity

EASY = "The cat sat. The dog ran. He is big."
HARD = "Institutional epistemologies necessitate interdisciplinary reconceptualisation of methodological heterogeneity."


def row(text, task="a"):
    """Return a row."""
    return {"query_id": text, "task": task, "text": text}


def test_longer_words_and_sentences_are_harder():
    """100 less Flesch's reading ease, within 0..100; by hand for one sentence of three words of one syllable."""
    assert complexity("The cat sat.") == pytest.approx(max(0.0, 100 - (206.835 - 1.015 * 3 - 84.6)))
    assert complexity(EASY) < 20 < complexity(HARD) <= 100
    assert complexity("") == 0.0


def test_every_context_has_one_of_each_kind():
    """Bias, one task, one cluster, one bin of complexity: each of the three bins has a slot, a missing text its own."""
    texts = [EASY, HARD, "Many people usually consider happy memories. Certainly simple."]
    contexts = Contexts([row(text) for text in texts])
    found = contexts.of([row(EASY), row(HARD), {"query_id": "x", "task": "a"}, row(EASY, task="new")])
    clusters, bins = found[:, 2 : 2 + CLUSTERS + 1], found[:, -4:]

    assert found.shape == (4, 1 + 1 + CLUSTERS + 1 + 4)
    assert clusters.sum(axis=1).tolist() == bins.sum(axis=1).tolist() == [1.0] * 4
    assert bins[1].tolist() == [0.0, 0.0, 1.0, 0.0]  # the hardest bin, which is not "unknown"
    assert bins[2].tolist() == [0.0, 0.0, 0.0, 1.0]
    assert clusters[2, CLUSTERS] == 1.0
    assert found[3, 1] == 0.0


def test_clusters_are_means_of_what_joined_them():
    """The first that differ seed; the next joins the nearest by cosine and moves it to the mean."""
    clusters = OnlineClusters(2)
    joined = [clusters.learn(np.array(vector)) for vector in ([1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 3.0])]

    assert joined == [0, 0, 1, 1]
    assert clusters.nearest(np.array([0.1, 5.0])) == 1
    assert clusters._centroids[1].tolist() == [0.0, 2.0]
