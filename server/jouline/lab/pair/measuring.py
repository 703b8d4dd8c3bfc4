"""The steps from a trained network to files in the tree; every measurement is a JSON file of the run's own.

A step is skipped where what it writes is newer than what it reads.
"""

# ruff: noqa: PLC0415, T201 - torch is heavy and stays out until a step needs it; stdout is for results

import argparse
import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path

from jouline.catalogue.card import bundled_folder
from jouline.errors import JoulineError
from jouline.lab.pair.corpus import Document
from jouline.lab.pair.making import run_folder
from jouline.lab.pair.names import PRECISIONS, files

SAMPLE_BYTES = 150_000


def export(given: argparse.Namespace) -> None:
    """Write the trained network as GGUF files at every precision."""
    from jouline.lab.pair import card as card_text
    from jouline.lab.pair import checkpoint, quantise
    from jouline.lab.pair import export as step

    run = run_folder(given)
    if _done(run / "description.json", run / given.checkpoint):
        return
    pair, progress = checkpoint.network(run / given.checkpoint)
    for path in step.write(pair, given.folder / "tokenizer.json", run):
        for kind in PRECISIONS[1:]:
            quantise.quantise(path, path.with_name(path.name.replace("f16", kind)), kind)
    begun_from = " and ".join(path.name for path in given.begin) if given.begin else None
    _write(run / "description.json", card_text.describe(pair.shape, progress, begun_from))
    print(f"{run}: front and back after {progress.tokens / 1e6:.2f} M tokens")


def evaluate(given: argparse.Namespace) -> None:
    """Bits per byte and who is right where, by language; writes `evaluation.json`."""
    front, back = _pair(given)
    if _done(run_folder(given) / "evaluation.json", front, back):
        return
    groups = _held_out(given)
    pool = ProcessPoolExecutor(given.processes, mp_context=multiprocessing.get_context("spawn"))
    with pool:
        right = {name: pool.submit(_quality, front, back, found, given.places) for name, found in groups.items()}
        bits = {name: pool.submit(_bits, front, back, _tokenizer(given), found) for name, found in groups.items()}
        found = {name: {"bits_per_byte": bits[name].result(), **right[name].result()} for name in groups}
    _write(run_folder(given) / "evaluation.json", found)


def _quality(front: Path, back: Path, documents: list[Document], count: int) -> dict[str, object]:
    from jouline.lab.pair import evaluate as step

    return step.quality(front, back, documents, count)


def _bits(front: Path, back: Path, tokenizer: Path, documents: list[Document]) -> dict[str, object]:
    import torch

    from jouline.lab.pair import bits, export
    from jouline.lab.pair import tokenizer as vocabulary

    torch.set_num_threads(1)
    found = bits.bits_per_byte(export.read(front, back), vocabulary.load(tokenizer), documents)
    return {tier: asdict(value) for tier, value in found.items()}


def precisions(given: argparse.Namespace) -> None:
    """Compare what may ship at the same places, bits per byte of the rest too; writes `precisions.json`."""
    from jouline.lab.pair import comparison, places

    run = run_folder(given)
    kinds = {kind: files(run, kind) for kind in PRECISIONS}
    if _done(run / "precisions.json", *chain.from_iterable(kinds.values())):
        return
    held_out = _held_out(given)["Python"]
    sample = places.sample(held_out, SAMPLE_BYTES)
    shipped = {kind: comparison.Way(front=kinds[kind][0], back=kinds[kind][1]) for kind in PRECISIONS[1:]}
    outcomes = comparison.measure(shipped, places.draw(held_out, given.places, seed=given.seed))
    found = {
        kind: {
            "bytes": sum(path.stat().st_size for path in pair),
            "bits_per_byte": _bits(*pair, _tokenizer(given), sample),
            **(comparison.figures(outcomes[kind]) if kind in outcomes else {}),
            **(comparison.against(outcomes[kind], outcomes[PRECISIONS[1]]) if kind in PRECISIONS[2:] else {}),
        }
        for kind, pair in kinds.items()
    }
    _write(run / "precisions.json", found)


def contexts(given: argparse.Namespace) -> None:
    """Compare `--contexts` of the pair at the same places, the longest first; writes `contexts.json`."""
    from jouline.lab.pair import comparison, places

    front, back = _pair(given)
    sizes = sorted(given.contexts, reverse=True)
    ways = {str(size): comparison.Way(front=front, back=back, context_tokens=size) for size in sizes}
    outcomes = comparison.measure(ways, places.draw(_held_out(given)["Python"], given.places, seed=given.seed))
    longest = outcomes[str(sizes[0])]
    found = {name: {**comparison.figures(of), **comparison.against(of, longest)} for name, of in outcomes.items()}
    _write(run_folder(given) / "contexts.json", found)
    print(comparison.table(found))


def humaneval(given: argparse.Namespace) -> None:
    """Score both models on the rows of `--human-eval`, if there are any; writes `humaneval.json`."""
    from jouline.lab.pair import humaneval as step

    run = run_folder(given)
    if not given.human_eval:
        print("no --human-eval files given: the card will say that it was not measured")
        return
    front, back = _pair(given)
    if _done(run / "humaneval.json", front, back):
        return
    _write(run / "humaneval.json", step.figures(front, back, given.human_eval, run / "humaneval", most=given.rows))


def tokens(given: argparse.Namespace) -> None:
    """Hold the tokenizer against llama.cpp on every file of the corpus; writes `tokens.json`."""
    from jouline.engine.llama import Weights
    from jouline.lab.pair import corpus as texts
    from jouline.lab.pair import equality
    from jouline.lab.pair import tokenizer as vocabulary

    corpus = [given.folder / name for name in ("held_out.jsonl", "train.jsonl")]
    if _done(run_folder(given) / "tokens.json", *corpus, _tokenizer(given)):
        return
    documents = [document for path in corpus for document in texts.read(path)]
    found = equality.check(vocabulary.load(_tokenizer(given)), Weights(_pair(given)[0]), documents)
    _write(run_folder(given) / "tokens.json", asdict(found))
    if found.different:
        raise JoulineError(f"llama.cpp reads {len(found.different)} files differently, {found.different[0]} among them")


def opening(given: argparse.Namespace) -> None:
    """Measure what it costs to open the pair and to get the first answer; writes `opening.json`."""
    from jouline.lab.pair import opening as step

    pair = _pair(given)
    if not _done(run_folder(given) / "opening.json", *pair):
        _write(run_folder(given) / "opening.json", step.figures(*pair))


def card(given: argparse.Namespace) -> None:
    """Write the model card, `CARD.md`, beside the files."""
    from jouline.lab.pair import card as step

    run = run_folder(given)
    (run / "CARD.md").write_text(step.render(run, given.precision), "utf-8")
    print(f"{run / 'CARD.md'} is written; `scripts/train_models install` puts the run into the tree")


def install(given: argparse.Namespace) -> None:
    """Put the run into the tree at `--precision`."""
    from jouline.lab.pair import installation

    print(installation.install(run_folder(given), given.precision, bundled_folder()))


def _held_out(given: argparse.Namespace) -> dict[str, list[Document]]:
    from jouline.lab.pair import corpus as texts
    from jouline.lab.pair import places

    return places.by_group(texts.read(given.folder / "held_out.jsonl"))


def _pair(given: argparse.Namespace) -> tuple[Path, Path]:
    if given.pair:
        return given.pair[0], given.pair[1]
    found = files(run_folder(given), given.precision)
    if not all(path.exists() for path in found):
        raise JoulineError(f"{found[0]} is missing; run `scripts/train_models export` first, or name files by --pair")
    return found


def _tokenizer(given: argparse.Namespace) -> Path:
    path: Path = given.pair[0].with_name("tokenizer.json") if given.pair else given.folder / "tokenizer.json"
    return path


def _done(target: Path, *sources: Path) -> bool:
    """Tell whether a file is newer than all that it was made from; what is missing is for its reader to say."""
    made = [path.stat().st_mtime for path in sources if path.exists()]
    return target.exists() and target.stat().st_mtime >= max(made, default=0.0)


def _write(path: Path, found: Mapping[str, object]) -> None:
    text = json.dumps(found, indent=1)
    path.write_text(text + "\n", "utf-8")
    print(f"{path.name}: {text}")
