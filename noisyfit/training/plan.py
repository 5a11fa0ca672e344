"""Which rows one epoch trains on, with which targets and weights, and their batches."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from noisyfit._peaked import Matrix, PeakedRows
from noisyfit.training.rows import Features, Rows, moved
from noisyfit.training.transform import apply_transform


@dataclass(frozen=True)
class Mixing:
    """A second row for each row of a plan, to train on convex combinations (mixup).

    The features become ``share * row + (1 - share) * partner`` and the loss the same
    combination of the losses of both targets.
    """

    rows: np.ndarray
    targets: np.ndarray
    share: np.ndarray


@dataclass(frozen=True)
class EpochPlan:
    """The rows of one epoch (row numbers of the data set), their targets and weights.

    ``targets`` are class codes (n,) or, where the label is a belief, probabilities (n, C).
    ``stratified`` asks for batches that hold each class in proportion, and at least one row of it;
    ``batch_size`` for batches of another size than the network's.
    """

    rows: np.ndarray
    targets: Matrix
    weights: np.ndarray
    mixing: Mixing | None = None
    phase: str = "train"
    stratified: bool = False
    batch_size: int | None = None

    def __len__(self) -> int:
        return len(self.rows)


@dataclass
class BatchTargets:
    """What the loss of a batch needs beside the logits; every field has one entry per row.

    ``labels`` are class codes (n,), integers, or probabilities (n, C).
    """

    labels: Tensor
    weights: Tensor
    rows: Tensor
    partner_codes: Tensor | None = None
    share: Tensor | None = None


Batch = tuple[Features, BatchTargets]
# Positions, features, and the features of the rows to mix with.
FetchedBatch = tuple[Tensor, Features, Features]


class FetchedBatches(Dataset):
    """Features of the entries ``positions`` of a plan, and of those to mix with, where they lie.

    That is what takes time where features are not in memory, and what the workers of a
    ``DataLoader`` do: nothing in here is on a GPU unless the features are.
    """

    def __init__(self, rows: Rows, plan: EpochPlan) -> None:
        self.rows = rows
        self.part = rows.processes.share
        self.numbers = self._located(plan.rows)
        self.partners = None if plan.mixing is None else self._located(plan.mixing.rows)

    def _located(self, numbers: np.ndarray) -> Tensor:
        return torch.from_numpy(np.asarray(numbers, dtype=np.int64)).to(self.rows.index_device)

    def __getitem__(self, positions: Tensor) -> FetchedBatch:
        own = moved(self.part.of_batch(positions), self.numbers.device)
        features = self.rows.fetch(self.numbers[own])
        partner = None if self.partners is None else self.rows.fetch(self.partners[own])
        return positions, features, partner


class PlannedBatches(Dataset):
    """Batches of an `EpochPlan`: item ``positions`` is the batch of those plan entries.

    Where several processes train together, the features are those of this one's share of the batch,
    the targets those of all of it. All but the features goes to the device once for the epoch:
    copies batch by batch would have a GPU waited for.
    """

    def __init__(
        self,
        rows: Rows,
        plan: EpochPlan,
        dtype: torch.dtype,
        device: torch.device,
        transform: Callable[[Features], Features] | None = None,
    ) -> None:
        self.rows = rows
        self.part = rows.processes.share
        self.transform = transform
        self.device = device
        self.fetched = FetchedBatches(rows, plan)
        self.row_numbers = self.fetched.numbers.to(device)
        self.labels: PeakedRows | Tensor
        if isinstance(plan.targets, PeakedRows):
            self.labels = plan.targets
        else:
            labels = torch.from_numpy(np.asarray(plan.targets))
            self.labels = labels.to(dtype if labels.ndim == 2 else torch.int64).to(device)
        self.dtype = dtype
        weights = np.asarray(plan.weights, dtype=np.float64)
        # Mean one over the epoch: the loss of a full batch is then the weighted mean.
        self.weights = torch.from_numpy(weights / weights.mean()).to(dtype).to(device)
        self.stratified = plan.stratified
        self.batch_size = plan.batch_size
        self.mixing = plan.mixing
        if plan.mixing is not None:
            codes = torch.from_numpy(np.asarray(plan.mixing.targets, dtype=np.int64))
            self.partner_codes = codes.to(device)
            self.share = torch.from_numpy(np.asarray(plan.mixing.share)).to(dtype).to(device)

    def __len__(self) -> int:
        return len(self.row_numbers)

    def located(self, positions: list[Tensor]) -> Sequence[Tensor]:
        """The positions of all batches where they are to be given to this."""
        device = self.rows.index_device
        if device.type == "cpu" or isinstance(self.labels, PeakedRows):
            return positions
        return torch.cat(positions).to(device).split([len(some) for some in positions])

    def __getitem__(self, positions: Tensor) -> Batch:
        return self.finish(self.fetched[positions])

    def finish(self, fetched: FetchedBatch) -> Batch:
        """The batch on the device, with all that the loss needs."""
        positions, features, partner = fetched
        place = moved(positions, self.device)
        labels = self.labels
        targets = BatchTargets(
            labels[place] if isinstance(labels, Tensor) else self._believed(labels, positions),
            self.weights[place],
            self.row_numbers[place],
        )
        features = self._put(features)
        if self.mixing is not None:
            share = self.share[self.part.of_batch(place)]
            features = self.rows.mix(features, self._put(partner), share)
            targets.partner_codes = self.partner_codes[place]
            targets.share = self.share[place]
        return features, targets

    def _put(self, features: Features) -> Features:
        features = self.rows.put(features)
        return features if self.transform is None else apply_transform(self.transform, features)

    def _believed(self, labels: PeakedRows, positions: Tensor) -> Tensor:
        dense = torch.from_numpy(labels[positions.numpy()].toarray()).to(self.dtype)
        return moved(dense, self.device)


class BatchPositions:
    """Positions of each batch of an epoch, reshuffled on every iteration.

    A last batch of a single row is merged into the one before: batch normalisation can't
    train on one row. One batch that holds everything is not shuffled, so that full-batch
    training does not depend on the seed or the order in more than rounding.
    """

    def __init__(self, n_entries: int, batch_size: int, *, shuffle: bool) -> None:
        self.n_entries = n_entries
        self.batch_size = batch_size
        self.shuffle = shuffle and n_entries > batch_size

    def __len__(self) -> int:
        n_batches, rest = divmod(self.n_entries, self.batch_size)
        return max(1, n_batches + (rest > 1) - (self.batch_size == 1))

    def __iter__(self) -> Iterator[Tensor]:
        order = torch.randperm(self.n_entries) if self.shuffle else torch.arange(self.n_entries)
        batches = list(order.split(self.batch_size))
        if len(batches) > 1 and len(batches[-1]) == 1:
            batches[-2:] = [torch.cat(batches[-2:])]
        yield from batches


class StratifiedPositions:
    """Positions of each batch of an epoch, every class spread over all batches as it can be.

    A class of fewer rows than there are batches has rows that come more than once.
    """

    def __init__(self, codes: Tensor, batch_size: int) -> None:
        self.codes = codes
        self.n_batches = max(1, round(len(codes) / batch_size))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Tensor]:
        batches: list[list[Tensor]] = [[] for _ in range(self.n_batches)]
        first = 0  # so that not always the same batches are the larger ones
        for code in self.codes.unique():
            positions = (self.codes == code).nonzero().squeeze(1)
            positions = positions[torch.randperm(len(positions))]
            if len(positions) < self.n_batches:
                positions = positions.repeat(-(-self.n_batches // len(positions)))[: self.n_batches]
            for number, part in enumerate(positions.tensor_split(self.n_batches)):
                batches[(first + number) % self.n_batches].append(part)
            first += len(positions)
        yield from (torch.cat(parts) for parts in batches)


class BatchIterator:
    """Iterates over the batches; a ``DataLoader`` only where its options are asked for."""

    def __init__(
        self, batches: PlannedBatches, batch_size: int, *, shuffle: bool, loader_options: dict
    ) -> None:
        self.batches = batches
        self.batch_size = None if batches.stratified else batch_size
        self.positions: BatchPositions | StratifiedPositions
        if batches.stratified:
            assert isinstance(batches.labels, Tensor), "only class codes can be stratified by"
            self.positions = StratifiedPositions(batches.labels.cpu(), batch_size)
        else:
            self.positions = BatchPositions(len(batches), batch_size, shuffle=shuffle)
        self.loader_options = loader_options

    def __len__(self) -> int:
        return len(self.positions)

    def __iter__(self) -> Iterator[Batch]:
        positions = list(self.positions)  # all drawn now, before anything else is
        # Where rows lie on a GPU, workers would have nothing to do, and could not.
        if self.loader_options and self.batches.rows.index_device.type == "cpu":
            try:
                loader = DataLoader(
                    self.batches.fetched,
                    sampler=positions,
                    batch_size=None,
                    **self.loader_options,
                )
            except (TypeError, ValueError) as error:
                raise type(error)(
                    f"iterator_train__* or iterator_valid__* are {self.loader_options!r}: {error}"
                ) from error
            return (self.batches.finish(fetched) for fetched in loader)
        return (self.batches[some] for some in self.batches.located(positions))
