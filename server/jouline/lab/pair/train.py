"""The training run: two processes of one thread on a CPU, one process on a GPU; stopped and resumed at will.

Two one-thread processes that meet once a step beat one process of two threads, which meet in every operation, most of
all on a machine that has other work. Rows are read in the order in which they were packed, so that a checkpoint needs
only their number to go on.
"""

# mypy: allow-subclassing-any, allow-untyped-decorators

import argparse
import contextlib
import json
import logging
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from jouline.lab.pair import checkpoint, export, rows, schedule
from jouline.lab.pair.checkpoint import Progress
from jouline.lab.pair.lattice import on_lattice
from jouline.lab.pair.loss import ExitLoss, Plan, Weights, taught_chunk, whole_chunk
from jouline.lab.pair.network import Pair, Shape, deepened
from jouline.lab.pair.optimise import Optimisers, Rates, optimisers

MODULE = "jouline.lab.pair.train"  # what `launch` starts
DEADLINE, LAST, STABLE, FINAL = "deadline.json", "last.pt", "stable.pt", "final.pt"
VALIDATION_ROWS = 50

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """A run: its folder (rows, deadline, checkpoints, log), the network, and how it is trained.

    `begin` names front and back files of a pair to begin from instead of random weights; `peak` scales all rates;
    where they have fallen below `lattice_below` of it, losses are those of weights rounded as q4_0 rounds them.
    """

    folder: Path
    shape: Shape = field(default_factory=Shape)
    rates: Rates = field(default_factory=Rates)
    weights: Weights = field(default_factory=Weights)
    batch: int = 10
    begin: tuple[Path, Path] | None = None
    peak: float = 1.0
    lattice_below: float = 0.3
    middle_weight: float = 2.0
    teach_steps: int = 1000
    seed: int = 0
    checkpoint_seconds: float = 240.0
    log_steps: int = 25
    validate_steps: int = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Team:
    """The processes that train together: this one's rank, their number, the device of each."""

    rank: int
    world: int
    device: torch.device

    def mean(self, values: Tensor) -> Tensor:
        """Average a tensor over all processes, in place, and return it."""
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values

    def agree(self, value: float) -> float:
        """Return the first process's value."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64)
        dist.broadcast(shared, 0)
        return float(shared)


def join(store: Path | None) -> Team:
    """Join the processes that `launch` started; alone, and on the GPU where there is one, if none were."""
    rank, world = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if world > 1:
        torch.set_num_threads(1)
        # a day: a process may be held for as long as somebody measures something else on the machine
        dist.init_process_group(
            "gloo", init_method=f"file://{store}", rank=rank, world_size=world, timeout=timedelta(days=1)
        )
    return Team(rank=rank, world=world, device=torch.device("cuda" if torch.cuda.is_available() else "cpu"))


class Batches:
    """The rows of one process, batch after batch, over as many epochs as there are files, then from the first again."""

    def __init__(self, options: Options, team: Team) -> None:
        self._files = sorted(options.folder.glob("rows-*.npz"))
        self._counts = [len(np.load(f)["tokens"]) // options.batch for f in self._files]
        self._options, self._team = options, team
        self._open: tuple[int, rows.Rows] | None = None

    def at(self, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Batch of an optimiser step: inputs (rows, length), targets and weights, both flat."""
        step %= sum(self._counts)
        epoch = 0
        while step >= self._counts[epoch]:
            step, epoch = step - self._counts[epoch], epoch + 1
        if self._open is None or self._open[0] != epoch:
            self._open = epoch, rows.load(self._files[epoch])
        first = step * self._options.batch
        mine = slice(first + self._team.rank, first + self._options.batch, self._team.world)
        return tensors(self._open[1], mine, self._options.middle_weight, self._team.device)


def tensors(
    source: rows.Rows, part: slice, middle_weight: float, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """Return inputs (rows, length), and flat targets and weights, of a slice of rows."""
    tokens = torch.from_numpy(source.tokens[part].astype(np.int64)).to(device)
    middle = torch.from_numpy(source.middle[part, 1:].astype(np.float32)).reshape(-1).to(device)
    return tokens[:, :-1].contiguous(), tokens[:, 1:].reshape(-1), 1 + (middle_weight - 1) * middle


def first_network(options: Options) -> Pair:
    """Random weights, or those of the pair to begin from with the layers that it lacks."""
    if options.begin is None:
        return Pair(options.shape)
    return deepened(export.read(*options.begin), options.shape.back)


class Run:
    """One process of a training run."""

    def __init__(self, options: Options, team: Team) -> None:
        torch.manual_seed(options.seed)
        self.options, self.team = options, team
        self.network = first_network(options).to(team.device)
        self.optimisers: Optimisers = optimisers(self.network, options.rates)
        self.progress = Progress()
        if (options.folder / LAST).exists():
            self.progress = checkpoint.resume(options.folder / LAST, self.network, self.optimisers)
        for layer in (*self.network.front, *self.network.back):
            layer.compile(dynamic=False)  # all layers share what is compiled for one
        cpu = team.device.type == "cpu"
        self._chunk, self._stride = (640, 2) if cpu else (8192, 1)
        self._whole, self._taught = (torch.compile(f, dynamic=False) for f in (whole_chunk, taught_chunk))
        self._batches = Batches(options, team)
        self._on_lattice = False
        self._validation = rows.load(options.folder / "validation.npz")

    def loop(self) -> None:
        """Train until the deadline file's time; write checkpoints and the log; leave `final.pt`."""
        if not self.progress.step:
            self._write({**self._position(), "validation": self.validate()})
        begun, saved, cooling = time.monotonic(), time.monotonic(), False
        before = self.progress.seconds
        recent: list[tuple[float, float]] = []
        while factor := self.team.agree(self._factor()):
            if factor < 1 and not cooling:
                cooling = True
                self._save(STABLE)
            self._on_lattice = factor < self.options.lattice_below
            recent.append(self._step(factor))
            self.progress.seconds = before + time.monotonic() - begun
            if self.progress.step % self.options.log_steps == 0:
                self._report(factor, recent)
                recent = []
            if time.monotonic() - saved > self.options.checkpoint_seconds:
                self._save(LAST)
                saved = time.monotonic()
        self._save(LAST)
        self._save(FINAL)
        self._write({"final": True, **self._position(), "validation": self.validate()})

    def _factor(self) -> float:
        deadline = schedule.read(self.options.folder / DEADLINE)
        return deadline.factor(datetime.now()) if deadline else 1.0  # noqa: DTZ005 - local time of day

    def _step(self, factor: float) -> tuple[float, float]:
        """One optimiser step; returns the mean losses of front and whole on this process's rows, nats per token."""
        step = self.progress.step
        inputs, targets, weights = self._batches.at(step)
        teach = self.options.weights.teach * min(1.0, step / self.options.teach_steps)
        weighting = Weights(front=self.options.weights.front, teach=teach)
        plan = Plan(chunk=self._chunk, stride=self._stride, phase=step, whole=self._whole, taught=self._taught)
        with self._lattice():
            loss, front, whole = self._losses(inputs, targets, weights, weighting, plan)
            loss.backward()
        self._average_gradients()
        self.optimisers.step(number=step, factor=factor * self.options.peak)
        self.progress.step += 1
        self.progress.rows += self.options.batch
        seen = inputs.numel() * self.team.world
        self.progress.tokens += seen
        self.progress.lattice_tokens += seen if self._on_lattice else 0
        return front.nanmean().item(), whole.mean().item()

    def _lattice(self) -> contextlib.AbstractContextManager[None]:
        return on_lattice(self.network) if self._on_lattice else contextlib.nullcontext()

    def _losses(
        self, inputs: Tensor, targets: Tensor, token_weights: Tensor, weights: Weights, plan: Plan
    ) -> tuple[Tensor, Tensor, Tensor]:
        with torch.autocast(self.team.device.type, torch.bfloat16):
            front, whole = self.network(inputs)
        width = self.options.shape.width
        front, whole = (h.reshape(-1, width).to(torch.bfloat16) for h in (front, whole))
        losses: tuple[Tensor, Tensor, Tensor] = ExitLoss.apply(
            front, whole, self.network.embedding.weight, targets, token_weights, weights, plan
        )
        return losses

    def _average_gradients(self) -> None:
        if self.team.world == 1:
            return
        gradients = [p.grad for p in self.network.parameters() if p.grad is not None]
        mean = self.team.mean(torch.cat([g.reshape(-1) for g in gradients]))
        for gradient, part in zip(gradients, mean.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(part.view_as(gradient))

    def validate(self) -> dict[str, float]:
        """Losses on validation rows, nats per token: of all tokens and of the middles, of both exits."""
        with self._lattice(), torch.no_grad():
            return self._validated()

    def _validated(self) -> dict[str, float]:
        share = self.options.batch // self.team.world
        plan = Plan(chunk=self._chunk, whole=self._whole, taught=self._taught)
        sums = torch.zeros(6, dtype=torch.float64)
        for start in range(self.team.rank * share, VALIDATION_ROWS, self.options.batch):
            part = tensors(self._validation, slice(start, start + share), 2.0, self.team.device)
            _, front, whole = self._losses(*part, Weights(), plan)
            middle = part[2] > 1
            sums += (
                torch.stack(
                    [
                        front.sum(),
                        whole.sum(),
                        front[middle].sum(),
                        whole[middle].sum(),
                        torch.tensor(float(len(middle))),
                        middle.sum().float(),
                    ]
                )
                .cpu()
                .double()
            )
        f, w, fm, wm, count, middles = self.team.mean(sums).tolist()
        return {"front": f / count, "whole": w / count, "front_middle": fm / middles, "whole_middle": wm / middles}

    def _position(self) -> dict[str, float]:
        p = self.progress
        return {"step": p.step, "minutes": round(p.seconds / 60, 2), "tokens_millions": round(p.tokens / 1e6, 3)}

    def _report(self, factor: float, recent: list[tuple[float, float]]) -> None:
        front, whole = np.mean(recent, axis=0)
        entry = {**self._position(), "rate": round(factor, 3), "front": round(front, 4), "whole": round(whole, 4)}
        if self.progress.step % self.options.validate_steps == 0:
            entry["validation"] = {name: round(value, 4) for name, value in self.validate().items()}
        self._write(entry)

    def _write(self, entry: dict[str, object]) -> None:
        if self.team.rank:
            return
        line = json.dumps({"at": f"{datetime.now():%H:%M:%S}", **entry})  # noqa: DTZ005 - local time of day
        print(line, flush=True)  # noqa: T201 - the loss curve, live
        with (self.options.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def _save(self, name: str) -> None:
        if self.team.rank == 0:
            checkpoint.save(self.options.folder / name, self.network, self.optimisers, self.progress)


def launch(arguments: list[str], folder: Path, world: int) -> int:
    """Start `world` processes of a run and wait for all; returns the first exit status that is not 0."""
    store = folder / f"rendezvous-{os.getpid()}"
    store.unlink(missing_ok=True)
    base = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
                         "TORCHINDUCTOR_COMPILE_THREADS": "1", "WORLD_SIZE": str(world)}  # fmt: skip
    command = [sys.executable, "-m", MODULE, *arguments, "--processes=0", f"--store={store}"]
    workers = [subprocess.Popen(command, env=base | {"RANK": str(rank)}) for rank in range(world)]
    (folder / "pids").write_text("".join(f"{worker.pid}\n" for worker in workers), "utf-8")
    return next((code for code in [worker.wait() for worker in workers] if code), 0)


def main(arguments: list[str] | None = None) -> int:
    """Command line of one process, or of the launcher where `--processes` says how many."""
    parser = argparse.ArgumentParser(prog="train", description="train the embedded pair until the deadline file's time")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=0)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--front", type=int, default=3)
    parser.add_argument("--back", type=int, default=6)
    parser.add_argument("--peak", type=float, default=1.0, help="scales the learning rates")
    parser.add_argument(
        "--lattice-below", type=float, default=0.3, help="share of the rates below which weights are rounded"
    )
    parser.add_argument("--begin", type=Path, nargs=2, metavar=("FRONT", "BACK"), help="GGUF files to begin from")
    given = parser.parse_args(arguments)
    if given.processes:
        return launch(list(sys.argv[1:] if arguments is None else arguments), given.folder, given.processes)
    options = Options(
        folder=given.folder,
        shape=Shape(front=given.front, back=given.back),
        begin=tuple(given.begin) if given.begin else None,
        peak=given.peak,
        lattice_below=given.lattice_below,
    )
    Run(options, join(given.store)).loop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
