"""Routers of the bench: each one's equations on cases small enough to work out by hand, and the protocol's laws."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jouline.errors import ConfigError
from jouline.lab.queries import Encoder
from jouline.lab.routers.by_text import TAUGHT
from jouline.lab.routers.epsilon import ContextualEpsilonGreedy, EpsilonGreedy, LinearEpsilonGreedy, explores
from jouline.lab.routers.fixed import Fixed
from jouline.lab.routers.linucb import LinUcb
from jouline.lab.routers.matrix_factorisation import Factors, gradient, loss
from jouline.lab.routers.nearest import Nearest
from jouline.lab.routers.online import BANDITS
from jouline.lab.routers.quality_floor import QualityFloor
from jouline.lab.routers.router import battles
from jouline.lab.routers.similarity_ranking import ratings, weights, win_chance
from jouline.lab.routers.thompson import NOISE, PRIOR_VARIANCE, Thompson
from jouline.lab.routers.uniform import Uniform

THREE = ("a", "b", "c")
X = np.array([1.0, 2.0])


def rows(*texts):
    """Return rows of these texts."""
    return [{"query_id": str(n), "task": "t", "text": text, "cost_unit": "J"} for n, text in enumerate(texts)]


class Vectors:
    """Queries of which everything is one given matrix."""

    def __init__(self, matrix):
        self.described = self.embedded = self.contexts = np.array(matrix, dtype=float)

    def __len__(self):
        return len(self.contexts)


def test_battles_are_pairs_of_known_rewards():
    """One side did better, or a tie counts half for either; what is unknown fights nobody."""
    query, winner, loser, share = battles(np.array([[1.0, 0.0, np.nan], [0.5, 0.5, np.nan]]), ties=True)

    assert sorted(zip(query.tolist(), winner.tolist(), loser.tolist(), share.tolist(), strict=True)) == [
        (0, 0, 1, 1.0),
        (1, 0, 1, 0.5),
        (1, 1, 0, 0.5),
    ]


def test_knn_is_the_weighted_mean_of_the_near():
    """Of eight queries two are near; a model unknown among them takes the mean of all."""
    near = Nearest(("a", "b"))
    near.learn(Vectors([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4), np.array([[1.0, np.nan]] * 4 + [[0.0, 0.25]] * 4))

    assert near.count == 2
    assert near.worth(Vectors([[1.0, 0.1], [0.1, 1.0]])) == pytest.approx(
        np.array([[1.0, 0.25], [0.0, 0.25]]), abs=1e-6
    )


def test_a_factor_model_scores_as_its_equation_says():
    """Score = w . (v / |v| * W e), by hand."""
    factors = Factors(
        models=np.array([[3.0, 4.0]]), project=np.array([[1.0, 0.0], [0.0, 2.0]]), weigh=np.array([1.0, 10.0])
    )

    assert factors.scores(np.array([[1.0, 1.0]])) == pytest.approx(np.array([[0.6 + 10 * 0.8 * 2]]))


@given(st.integers(0, 10_000))
def test_the_gradient_of_a_factor_model_is_that_of_its_loss(seed):
    """Against finite differences in every matrix."""
    rng = np.random.default_rng(seed)
    at = {"models": rng.normal(size=(3, 2)), "project": rng.normal(size=(2, 4)), "weigh": rng.normal(size=2)}
    embedded, winner, loser = rng.normal(size=(3, 4)), np.array([0, 1, 2]), np.array([1, 2, 0])
    slope = gradient(Factors(**at), embedded, winner, loser)
    for name, value in at.items():
        step = np.zeros_like(value)
        step.flat[seed % value.size] = 1e-5
        up, down = (loss(Factors(**at | {name: value + sign * step}), embedded, winner, loser) for sign in (1, -1))
        assert getattr(slope, name).flat[seed % value.size] == pytest.approx((up - down) / 2e-5, abs=1e-6)


def test_similar_battles_weigh_more():
    """10 * 10^(cosine / largest cosine): 100 for the most similar one, 10 for one at a right angle."""
    assert weights(np.array([[0.5, 0.0, 0.25]])) == pytest.approx(np.array([[100.0, 10.0, 10 * 10**0.5]]))


def test_ratings_of_two_are_their_odds():
    """With 3 wins of 4 the chance to win is 3/4, which is 400 log10 3 points apart."""
    found = ratings(np.array([[0.0, 3.0], [1.0, 0.0]]))

    assert found[0] - found[1] == pytest.approx(400 * math.log10(3), abs=1e-3)
    assert win_chance(found)[0, 1] == pytest.approx(0.75)


def test_the_chance_to_explore_falls_to_its_least():
    """1, then the decay's powers, at least 0.01."""
    assert explores(0, 0.98) == 1.0
    assert explores(10, 0.98) == pytest.approx(0.98**10)
    assert explores(10_000, 0.98) == 0.01


def test_epsilon_greedy_means():
    """Means by hand; a context's cell comes before the overall mean, which stands in for a cell never seen."""
    plain, tabled = EpsilonGreedy(THREE), ContextualEpsilonGreedy(THREE)
    for bandit in (plain, tabled):
        bandit.update(X, 0, 1.0)
        bandit.update(X, 0, 0.0)
        bandit.update(-X, 1, 0.9)

    assert plain.expected(X).tolist() == [0.5, 0.9, 0.5]
    assert tabled.expected(-X).tolist() == [0.5, 0.9, 0.5]
    tabled.update(-X, 0, 0.8)
    assert tabled.expected(-X)[0] == 0.8
    assert tabled.expected(X)[0] == 0.5


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1), st.floats(-1, 1)), min_size=1, max_size=12))
def test_ridge_bandits_solve_their_normal_equations(seen):
    """Theta = (reg I + sum x x')^-1 sum r x, however the observations came."""
    bandit = LinearEpsilonGreedy(("a", "b"), width=2)
    for column, reward, at in seen:
        bandit.update(np.array([1.0, at]), column, reward)
    for column in (0, 1):
        xs = np.array([[1.0, at] for which, _, at in seen if which == column]).reshape(-1, 2)
        rs = np.array([reward for which, reward, _ in seen if which == column])
        theta = np.linalg.solve(0.25 * np.eye(2) + xs.T @ xs, xs.T @ rs)
        assert bandit.weights[column] == pytest.approx(theta, abs=1e-8)


def test_linucb_adds_its_bound():
    """After one reward of 1 at x = (1, 0): A = diag(1.05, .05), theta = 1/1.05, bound .1 sqrt(1/1.05)."""
    bandit = LinUcb(("a",), width=2)
    x = np.array([1.0, 0.0])
    bandit.update(x, 0, 1.0)

    assert bandit.bounds(x)[0] == pytest.approx(1 / 1.05 + 0.1 * math.sqrt(1 / 1.05))
    assert bandit.bounds(np.array([0.0, 1.0]))[0] == pytest.approx(0.1 * math.sqrt(1 / 0.05))


def test_thompson_draws_from_the_posterior_scaled_once():
    """The variance at x is x' (I / prior + sum x x' / noise^2)^-1 x; draws have it."""
    bandit = Thompson(("a", "b"), width=2, seed=1)
    for _ in range(3):
        bandit.update(X, 0, 0.5)
    precision = np.eye(2) / PRIOR_VARIANCE + 3 * np.outer(X, X) / NOISE**2
    mean = np.linalg.solve(precision, 3 * 0.5 * X / NOISE**2)

    assert bandit.weights[0] == pytest.approx(mean)
    assert NOISE**2 * bandit.inverse[0] == pytest.approx(np.linalg.inv(precision))


def test_thompson_tries_what_it_does_not_know():
    """Of two models, one known to be middling and one unknown, both are asked."""
    bandit = Thompson(("a", "b"), width=2, seed=1)
    for _ in range(50):
        bandit.update(X, 0, 0.5)

    assert {bandit.pick(X, np.zeros(2)) for _ in range(50)} == {0, 1}


@pytest.mark.parametrize("name", BANDITS)
def test_models_come_and_go_while_it_runs(name):
    """A new model has the last column and is learnt like the others; with one gone the others keep what they know."""
    bandit = BANDITS[name](("a", "b"), 2, 0)
    bandit.update(X, 1, 0.7)
    before = bandit.expected(X)[1]
    bandit.add_model("c")
    bandit.update(X, 2, 0.4)
    known = bandit.expected(X)[2]
    bandit.remove_model("a")

    assert bandit.models == ("b", "c")
    assert bandit.expected(X) == pytest.approx([before, known])
    assert bandit.pick(X, np.zeros(2)) in {0, 1}
    with pytest.raises(ConfigError, match="no model a"):
        bandit.remove_model("a")
    with pytest.raises(ConfigError, match="already"):
        bandit.add_model("b")


@pytest.mark.parametrize("name", BANDITS)
def test_a_bandit_finds_the_better_model_of_each_context(name):
    """Where the context decides, the contextual ones learn it; the plain one at least finds the better on average."""
    contexts = np.array([[1.0, 0.0], [0.0, 1.0]])
    rewards = np.array([[0.9, 0.1], [0.2, 0.6]])
    bandit = BANDITS[name](("a", "b"), 2, 0)
    rng = np.random.default_rng(0)
    for _ in range(400):
        at = int(rng.integers(2))
        column = bandit.pick(contexts[at], np.zeros(2))
        bandit.update(contexts[at], column, rewards[at, column])
    chosen = bandit.worth(Vectors(contexts)).argmax(axis=1).tolist()

    assert chosen == ([0, 0] if name == "epsilon-greedy" else [0, 1])


def test_a_queue_grows_with_the_shortfall_and_never_falls_below_nothing():
    """Q <- max(0, Q + bound - quality), times what one sight stands for; the choice is argmin V c + Q (bound - p)."""
    floor = QualityFloor(Fixed(("a", "b"), "b"), np.array([1.0, 3.0]), bound=0.8, caution=0.5)
    expected = np.array([0.5, 0.9])

    assert floor.choose(expected) == 0
    floor.saw(0.0)
    assert floor.queue == pytest.approx(0.8)
    assert floor.choose(expected) == 0  # 0 + .8 * .3 = .24 against .5 + .8 * -.1 = .42
    floor.saw(0.0, stands_for=2.0)
    assert floor.queue == pytest.approx(2.4)
    assert floor.choose(expected) == 1  # .72 against .26
    for _ in range(20):
        floor.saw(1.0)
    assert floor.queue == 0.0


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.1, 0.9))
def test_the_queue_bounds_the_shortfall(right, bound):
    """Whatever is chosen, mean quality is at least the bound less Q / n."""
    floor = QualityFloor(Fixed(("a", "b"), "a"), np.array([1.0, 2.0]), bound=bound)
    for each in right:
        floor.saw(float(each))

    assert np.mean(right) >= bound - floor.queue / len(right) - 1e-9


@pytest.mark.parametrize("name", TAUGHT)
def test_a_taught_router_knows_the_better_of_three(name):
    """One word of the text tells which of three models is right; the router asks for it, and costs count by toll."""
    words = ["prove theorem", "greet friend", "boil water"] * 40
    texts = [f"{word} number {number}" for number, word in enumerate(words)]
    quality = np.tile(np.eye(3), (40, 1))
    encoder = Encoder(rows(*texts), ())
    router = TAUGHT[name](THREE, 0, 0)
    router.learn(encoder.queries(rows(*texts)), quality)
    asked = encoder.queries(rows("prove theorem number x", "greet friend number y", "boil water number z"))
    picked = router.route(asked, np.zeros(3)).tolist()

    assert picked[1:] == [1, 2] if name == "bert-like" else picked == [0, 1, 2]
    assert router.route(asked, np.array([0.0, 10.0, 10.0])).tolist() == [0, 0, 0]
    assert all(array.dtype != object for array in router.state().values())


@pytest.mark.parametrize("name", TAUGHT)
def test_what_was_not_asked_is_no_failure(name):
    """Rewards that are not there leave every router able to choose."""
    texts = rows(*(f"text {number}" for number in range(12)))
    encoder = Encoder(texts, ())
    rewards = np.full((12, 3), np.nan)
    rewards[:6, 0], rewards[3:, 1] = 1.0, 0.0
    rewards[0, 0] = 0.0
    router = TAUGHT[name](THREE, 0, 0)
    router.learn(encoder.queries(texts), rewards)

    assert np.isfinite(router.worth(encoder.queries(texts))).all()


def test_fixed_and_random_choose_without_learning():
    """Always the same, and about evenly."""
    texts = rows(*(f"text {number}" for number in range(300)))
    queries = Encoder(texts, ()).queries(texts)
    counts = np.bincount(Uniform(THREE, seed=1).route(queries, np.zeros(3)), minlength=3)

    assert set(Fixed(THREE, "b").route(queries, np.full(3, 9.0)).tolist()) == {1}
    assert counts.min() > 70
