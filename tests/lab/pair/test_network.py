"""The network's losses, its growth, its checkpoints and its files; needs the extra `train`."""

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from jouline.cancel import CancelToken  # noqa: E402
from jouline.catalogue.card import bundled_folder  # noqa: E402
from jouline.completion import Prompt  # noqa: E402
from jouline.engine.generate import Limits  # noqa: E402
from jouline.engine.options import EngineOptions  # noqa: E402
from jouline.engine.pair import Pair as EnginePair  # noqa: E402
from jouline.engine.pair import PairFiles  # noqa: E402
from jouline.lab.pair import checkpoint, export  # noqa: E402
from jouline.lab.pair.lattice import on_lattice, rounded  # noqa: E402
from jouline.lab.pair.loss import ExitLoss, Plan, Weights  # noqa: E402
from jouline.lab.pair.network import Pair, Shape, causal_attention, deepened  # noqa: E402
from jouline.lab.pair.optimise import Rates, optimisers, orthogonalised  # noqa: E402

TINY = Shape(vocabulary=8192, width=128, hidden=192, front=1, back=2, head=64, context=256)


def random_pair(seed: int = 0) -> Pair:
    """Return a tiny network in which every layer does something."""
    torch.manual_seed(seed)
    pair = Pair(TINY)
    for name, parameter in pair.named_parameters():
        if parameter.dim() == 2 and "embedding" not in name:
            torch.nn.init.normal_(parameter, std=0.15)
    torch.nn.init.normal_(pair.embedding.weight, std=0.5)
    return pair.eval()


@pytest.mark.parametrize(("stride", "phase"), [(1, 0), (2, 0), (2, 1)])
def test_the_chunked_loss_has_the_gradients_of_the_plain_one(stride: int, phase: int) -> None:
    """Cutting the work and computing gradients ahead changes nothing but memory."""
    torch.manual_seed(0)
    states = [torch.randn(12, 8, requires_grad=True) for _ in range(2)]
    head = torch.randn(20, 8, requires_grad=True)
    targets, w = torch.randint(0, 20, (12,)), torch.rand(12) + 0.5
    plan = Plan(chunk=4, stride=stride, phase=phase)
    ours, *_ = ExitLoss.apply(*states, head, targets, w, Weights(front=0.5, teach=0.3), plan)
    gradients = torch.autograd.grad(ours, [*states, head])

    front, whole = (s @ head.T for s in states)
    wanted = 0.7 * torch.nn.functional.one_hot(targets, 20) + 0.3 * whole.softmax(-1).detach()
    shown = torch.tensor([float(i // 4 % stride == phase) for i in range(12)]) * w
    taught = -(wanted * front.log_softmax(-1)).sum(-1)
    plain = torch.nn.functional.cross_entropy(whole, targets, reduction="none")
    expected = torch.autograd.grad(
        (plain * w).sum() / w.sum() + 0.5 * (taught * shown).sum() / shown.sum(), [*states, head]
    )
    for mine, theirs in zip(gradients, expected, strict=True):
        assert torch.allclose(mine, theirs, atol=1e-6)


def test_no_token_sees_what_comes_after_it() -> None:
    """Changing a token leaves all states before it as they were."""
    pair, tokens = random_pair(), torch.randint(0, 8192, (1, 20))
    changed = tokens.clone()
    changed[0, 12] += 1
    with torch.no_grad():
        for before, after in zip(pair(tokens), pair(changed), strict=True):
            assert torch.allclose(before[:, :12], after[:, :12], atol=1e-5)
            assert not torch.allclose(before[:, 12:], after[:, 12:], atol=1e-3)


@pytest.mark.parametrize("count", [4, 9, 64])
def test_attention_in_blocks_is_attention(count: int) -> None:
    """The blocks and their gradients are those of the library's attention, whether or not the blocks come out even."""
    torch.manual_seed(0)
    qkv = [torch.randn(2, 3, count, 16, dtype=torch.float64, requires_grad=True) for _ in range(3)]
    plain = torch.nn.functional.scaled_dot_product_attention(*qkv, is_causal=True)
    ours, weight = causal_attention(*qkv), torch.randn_like(plain)
    assert torch.allclose(ours, plain)
    theirs = torch.autograd.grad((plain * weight).sum(), qkv)
    for a, b in zip(torch.autograd.grad((ours * weight).sum(), qkv), theirs, strict=True):
        assert torch.allclose(a, b)


def test_added_layers_change_nothing_at_first() -> None:
    """A pair can be made deeper and trained on; it cannot be made shallower by the same road."""
    pair, tokens = random_pair(), torch.randint(0, 8192, (1, 20))
    grown = deepened(pair, 4)
    with torch.no_grad():
        assert torch.allclose(pair(tokens)[1], grown(tokens)[1], atol=1e-6)
    with pytest.raises(ValueError, match="cannot be cut"):
        deepened(pair, 1)


def test_orthogonalised_matrices_have_singular_values_near_one() -> None:
    """Muon's steps are of one size in every direction."""
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalised(torch.randn(3, 64, 48)).float())
    assert 0.5 < values.min() < values.max() < 1.4


def test_a_run_goes_on_from_its_checkpoint_as_if_it_had_not_stopped(tmp_path: Path) -> None:
    """One step after a resume equals the step without it, momentum included."""

    def step(pair: Pair, both: object, number: int) -> None:
        torch.manual_seed(number)
        front, whole = pair(torch.randint(0, 8192, (2, 16)))
        (front.square().mean() + whole.sin().mean()).backward()
        both.step(number=number, factor=0.5)  # type: ignore[attr-defined]

    pair = random_pair()
    both = optimisers(pair, Rates())
    step(pair, both, 0)
    checkpoint.save(tmp_path / "last.pt", pair, both, checkpoint.Progress(step=1, tokens=32))
    step(pair, both, 1)
    other = Pair(TINY)
    others = optimisers(other, Rates())
    assert checkpoint.resume(tmp_path / "last.pt", other, others) == checkpoint.Progress(step=1, tokens=32)
    step(other, others, 1)
    for a, b in zip(pair.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("half", [True, False])
def test_a_pair_survives_its_files(tmp_path: Path, half: bool) -> None:  # noqa: FBT001
    """What is written as GGUF is read again, to the files' precision."""
    pair = random_pair()
    again = export.read(*export.write(pair, bundled_folder() / "tokenizer.json", tmp_path, half=half))
    assert again.shape == replace(pair.shape, epsilon=again.shape.epsilon)
    for a, b in zip(pair.parameters(), again.parameters(), strict=True):
        assert torch.allclose(a, b, atol=2e-3 if half else 0)


@pytest.mark.model
def test_the_engine_writes_what_the_network_would(tmp_path: Path) -> None:
    """Front alone and front with back, greedily, in float32: llama.cpp chooses the network's own tokens."""
    pair = random_pair(1)
    front, back = export.write(pair, bundled_folder() / "tokenizer.json", tmp_path, half=False)
    options = EngineOptions(context_tokens=256)
    engine = EnginePair(PairFiles(kind="exit", small=front, large=back, small_options=options, large_options=options))
    prompt = tuple(int(i) for i in np.random.default_rng(0).integers(300, 8000, 40))
    try:
        for exit_number, tier in enumerate(("small", "large")):
            limits = Limits(max_tokens=8, single_line=False)
            made = engine.generate(tier, Prompt(tokens=prompt), limits, CancelToken())
            assert greedy(pair, prompt, exit_number, len(made.tokens)) == list(made.tokens)
    finally:
        engine.close()


def greedy(pair: Pair, prompt: tuple[int, ...], exit_number: int, count: int) -> list[int]:
    """Return the network's own likeliest tokens after a prompt."""
    tokens = list(prompt)
    with torch.no_grad():
        for _ in range(count):
            state = pair(torch.tensor([tokens]))[exit_number][0, -1]
            tokens.append(int((state @ pair.embedding.weight.T).argmax()))
    return tokens[len(prompt) :]


def test_weights_are_rounded_as_llama_cpp_rounds_them() -> None:
    """What training sees is bit for bit what a q4_0 file holds, blocks of nothing included."""
    weights = torch.randn(8, 256) * torch.logspace(-4, 2, 8)[:, None]
    weights[3, 32:64] = 0
    kind = gguf.GGMLQuantizationType.Q4_0
    kept = gguf.dequantize(gguf.quantize(weights.numpy(), kind), kind)
    np.testing.assert_array_equal(rounded(weights).numpy(), kept)


def test_rounded_weights_are_lent_to_the_matrices_of_layers_alone() -> None:
    """Within, they are rounded and have gradients; behind, the exact ones are back; the head is never touched."""
    pair = random_pair()
    before = {name: value.clone() for name, value in pair.state_dict().items()}
    with on_lattice(pair):
        assert torch.equal(pair.front[0].q.weight, rounded(before["front.0.q.weight"]))
        assert torch.equal(pair.embedding.weight, before["embedding.weight"])
        pair(torch.zeros(1, 4, dtype=torch.long))[1].sum().backward()
    assert pair.front[0].q.weight.grad is not None
    assert all(torch.equal(value, before[name]) for name, value in pair.state_dict().items())
