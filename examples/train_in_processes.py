"""One fit in several processes
============================

CRUST trained by two processes together, which end with the same coreset as one.

What you learn: a script that runs in several processes needs one line more, an Accelerator; each
process computes its share of every batch and of every row's prediction; with a folder for
checkpoints, the fit survives the loss of a process.

Started by itself, the script fits in one process. torchrun, which comes with torch, starts it in
two (`accelerate launch` does so on GPUs); on several machines each runs torchrun. As follows::

    python examples/train_in_processes.py
    torchrun --nproc-per-node 2 examples/train_in_processes.py
    torchrun --nproc-per-node 2 --max-restarts 1 examples/train_in_processes.py OPTIONS

With `--checkpoint checkpoints --kill-in-epoch 12` as OPTIONS the second process is killed in epoch
12. torchrun ends the other one too and starts both again; the fit goes on from the last epoch in
the folder.
"""

from __future__ import annotations

import argparse
import os
import signal
import time
from typing import Any

import numpy as np
from _shared import require, use_one_thread
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback

from noisyfit import CRUSTClassifier
from noisyfit.noise import symmetric_noise


class KillInEpoch(Callback):
    """Kills its process when an epoch ends, unless torchrun has started it again."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_epoch_end(self, net: Any, **kwargs: Any) -> None:  # noqa: D102
        again = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"
        if len(net.history) == self.epoch and not again:
            print(f"process {os.environ['RANK']} is killed in epoch {self.epoch}", flush=True)
            os.kill(os.getpid(), signal.SIGKILL)


class SayWhereFitGoesOn(Callback):
    """Says so where a fit goes on from a checkpoint."""

    def __init__(self) -> None:
        self.has_begun = False

    def on_epoch_begin(self, net: Any, **kwargs: Any) -> None:  # noqa: D102
        n_done = len(net.history) - 1
        if n_done and not self.has_begun:
            print(f"the fit goes on after epoch {n_done}", flush=True)
        self.has_begun = True


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--checkpoint", help="folder for checkpoints, reachable by all processes")
    parser.add_argument("--kill-in-epoch", type=int, help="kill the second process in this epoch")
    parser.add_argument("--rows", type=int, default=1797, help=argparse.SUPPRESS)
    args = parser.parse_args()
    require("accelerate")
    from accelerate import Accelerator

    use_one_thread()
    accelerator = Accelerator(cpu=True)  # without cpu=True it takes the GPU of its process
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X[: args.rows], y[: args.rows], random_state=0)
    y_given, wrong = symmetric_noise(y, 0.4, random_state=0)

    callbacks: list[Any] = []
    if args.kill_in_epoch is not None and accelerator.process_index == 1:
        callbacks.append(KillInEpoch(args.kill_in_epoch))
    if accelerator.is_main_process:
        callbacks.append(SayWhereFitGoesOn())
    classifier = CRUSTClassifier(
        max_epochs=args.epochs,
        selection="greedy",
        fraction=0.8,
        accelerator=accelerator,
        checkpoint=args.checkpoint,
        callbacks=callbacks,
        dtype="float64",
        random_state=0,
    )
    start = time.perf_counter()
    classifier.fit(X, y_given)
    seconds = time.perf_counter() - start

    # All processes hold the same estimator; one is enough to say so, or to save it.
    if accelerator.is_main_process:
        coreset = classifier.coreset_indices_
        print(f"{accelerator.num_processes} process(es), {seconds:.1f} s")
        print(f"accuracy {classifier.score(X_test, y_test):.4f}")
        print(f"coreset of {len(coreset)} rows, {(~wrong[coreset]).mean():.4f} of them right")
        print(f"sum of the rows' numbers {coreset.sum()}")
        print(f"mean quality of the labels {np.mean(classifier.label_quality_):.10f}")
    accelerator.end_training()


if __name__ == "__main__":
    main()
