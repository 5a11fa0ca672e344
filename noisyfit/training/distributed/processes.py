"""Several processes that train one network together, each on its share of every batch.

Every process runs the same code with the same seed on the same data. Of a batch each computes the
outputs of its share of the rows; the outputs are gathered, so that every process sees those of the
whole batch and computes the whole batch's loss, whatever the loss looks at. Each process then goes
back through its own rows, and the gradients are added up: the step is that of one process, but for
rounding. Predictions are shared and gathered in the same way, so that all processes decide alike.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from noisyfit.training.distributed.normalisation import WholeBatchNormalisation
from noisyfit.training.seeding import (
    generator_states,
    kept_generators,
    restore_generators,
    seed_generators,
)

Result = TypeVar("Result")
Item = TypeVar("Item")

# Ways to spread training in which each process holds the whole network.
_DATA_PARALLEL = ("NO", "MULTI_CPU", "MULTI_GPU", "MULTI_NPU", "MULTI_MLU", "MULTI_XPU")


@dataclass(frozen=True)
class Share:
    """Which part of any list of rows a process works on: the ``number``-th of ``count`` runs."""

    number: int = 0
    count: int = 1

    def sizes(self, n: int) -> list[int]:
        """Lengths of the runs that ``n`` rows are cut into, as even as they can be."""
        return [n // self.count + (number < n % self.count) for number in range(self.count)]

    def bounds(self, n: int) -> tuple[int, int]:
        """Where in ``n`` rows this run begins, and where it ends."""
        sizes = self.sizes(n)
        first = sum(sizes[: self.number])
        return first, first + sizes[self.number]

    def of_batch(self, positions: Tensor) -> Tensor:
        """The rows of a batch to compute; where there are too few for all, one that won't count."""
        first, end = self.bounds(len(positions))
        return positions[first:end] if end > first else positions[:1]


class Processes:
    """All processes of a fit, as one of them sees them.

    Parameters
    ----------
    accelerator : accelerate.Accelerator or None
        What connects them; None stands for a process alone, whose methods do next to nothing.
    """

    def __init__(self, accelerator: Any = None) -> None:
        self._accelerator = accelerator
        self.share = Share()
        if accelerator is not None:
            self.share = Share(accelerator.process_index, accelerator.num_processes)
        self._own_states: dict[str, Tensor] | None = None

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return Processes, ()  # a copy, in a file or another process, is alone

    @property
    def are_many(self) -> bool:
        """Whether there are others."""
        return self.share.count > 1

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that prints and writes."""
        return self.share.number == 0

    @property
    def device(self) -> torch.device | None:
        """Where this process computes; None leaves it to the estimator."""
        if self._accelerator is None:
            return None
        device: torch.device = self._accelerator.device
        return torch.device("cpu") if device.type == "cpu" else device  # there is only one

    # -------------------------------------------------------------------------------- agreeing

    def from_main(self, value: Result) -> Result:
        """Return the main process's value in all of them."""
        return self.on_main(lambda: value)

    def on_main(self, compute: Callable[[], Result]) -> Result:
        """Have the main process compute something; all get the result, or the exception."""
        if not self.are_many:
            return compute()
        from accelerate.utils import broadcast_object_list

        outcome: list[Any] = [None, None]
        if self.is_main:
            try:
                outcome[0] = compute()
            except Exception as error:
                outcome[1] = error
        broadcast_object_list(outcome)
        if outcome[1] is not None:
            raise outcome[1]
        result: Result = outcome[0]
        return result

    def of_all(self, value: Result) -> list[Result]:
        """Return the values of all processes."""
        if not self.are_many:
            return [value]
        from accelerate.utils import gather_object

        values: list[Result] = gather_object([value])
        return values

    def any(self, asked: bool) -> bool:
        """Whether any process says yes."""
        return any(self.of_all(bool(asked)))

    def check_same_arrays(self, what: str, arrays: Iterable[np.ndarray]) -> None:
        """Raise in all processes if their arrays differ, instead of waiting for each other."""
        if not self.are_many:
            return
        digest = 0
        for array in arrays:
            digest = zlib.crc32(array.tobytes(), digest)
        if len(set(self.of_all(digest))) > 1:
            raise RuntimeError(
                f"The processes of this fit differ in {what}. They have to be given the same data "
                "and parameters, and machines that compute alike."
            )

    def start_alike(self, module: nn.Module) -> None:
        """Give the module of every process the weights and buffers of the main one's."""
        if not self.are_many:
            return
        from accelerate.utils import broadcast

        for tensor in [*module.parameters(), *module.buffers()]:
            tensor.data.copy_(broadcast(tensor.data.contiguous()))

    # --------------------------------------------------------------------------------- sharing

    def gather_rows(self, part: Tensor, n: int) -> Tensor:
        """All ``n`` rows of which each process has its share, in order, with gradients.

        Every process is to go back from the same loss of all rows: the gradient of its own share
        is then that of the loss.
        """
        if not self.are_many:
            return part
        gathered: Tensor = _Gathered.apply(part, self, n)
        return gathered

    def _gather(self, part: Tensor, n: int) -> Tensor:
        sizes = self.share.sizes(n)
        longest = max(sizes)
        padded = part.new_zeros((longest, *part.shape[1:]))
        own = sizes[self.share.number]
        padded[:own] = part[:own]
        blocks = self._accelerator.gather(padded).split(longest)
        return torch.cat([block[:size] for block, size in zip(blocks, sizes, strict=True)])

    def map_blocks(
        self, compute: Callable[[np.ndarray], Result], index: np.ndarray, size: int
    ) -> list[Result]:
        """Results for runs of ``index``, in order, of which each process computes one.

        The runs are made of blocks of ``size``, so that every row is in the same block as it is
        in a process alone, and gets the same result to the last bit.
        """
        n_blocks = -(-len(index) // size)
        first, end = (bound * size for bound in self.share.bounds(n_blocks))
        own = compute(index[first:end]) if end > first else None
        return [result for result in self.of_all(own) if result is not None]

    def sum(self, values: Tensor) -> Tensor:
        """Sum over all processes, with gradients."""
        if not self.are_many:
            return values
        total: Tensor = _Summed.apply(values, self)
        return total

    def _sum(self, values: Tensor) -> Tensor:
        total: Tensor = self._accelerator.reduce(values.contiguous(), reduction="sum")
        return total

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes; those that none has stay None."""
        if not self.are_many:
            return
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        kinds = {(parameter.dtype, parameter.device) for parameter in trained}
        for kind in sorted(kinds, key=str):
            self._add_gradients([p for p in trained if (p.dtype, p.device) == kind])

    def _add_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        flat = [
            parameter.new_zeros(parameter.numel())
            if parameter.grad is None
            else parameter.grad.reshape(-1)
            for parameter in parameters
        ]
        used = [float(parameter.grad is not None) for parameter in parameters]
        total = self._sum(torch.cat([*flat, parameters[0].new_tensor(used)]))
        *sums, n_users = total.split([*(len(part) for part in flat), len(used)])
        n_users = n_users if 0.0 in used else torch.ones(len(used))  # need not wait for a GPU
        for parameter, gradient, n in zip(parameters, sums, n_users.tolist(), strict=True):
            if n:
                parameter.grad = gradient.view_as(parameter)

    # ------------------------------------------------------------------------------- randomness

    def with_own_draws(self, items: Iterable[Item], *salt: Any) -> Iterator[Item]:
        """The items, each made with draws from a stream of this process's own (see `own_stream`).

        The stream begins anew, from ``salt`` and the state that torch's generator is in once all
        processes have begun to iterate. That is the same in all of them, and only draws that all
        make alike move it.
        """
        iterator = iter(items)
        if not self.are_many:
            yield from iterator
            return
        self._begin_own_stream(salt)
        while True:
            with self.own_stream():
                try:
                    item = next(iterator)
                except StopIteration:
                    return
            yield item

    def _begin_own_stream(self, salt: tuple[Any, ...]) -> None:
        state = torch.get_rng_state().numpy().tobytes() + repr((self.share.number, salt)).encode()
        seed = int.from_bytes(hashlib.sha256(state).digest()[:7], "little")
        device = self._accelerator.device
        with kept_generators(device):
            seed_generators(seed, device)
            self._own_states = generator_states(device)

    @contextmanager
    def _own_stream(self) -> Iterator[None]:
        device = self._accelerator.device
        with kept_generators(device):
            if self._own_states is not None:
                restore_generators(self._own_states, device)
            try:
                yield
            finally:
                self._own_states = generator_states(device)

    def own_stream(self) -> AbstractContextManager[None]:
        """Draw from this process's own stream inside the block."""
        return self._own_stream() if self.are_many else nullcontext()

    # ----------------------------------------------------------------------------- normalisation

    def whole_batch(self, n: int) -> AbstractContextManager[Any]:
        """Have batch normalisation, inside the block, go by all ``n`` rows of the batch."""
        if not self.are_many:
            return nullcontext()
        return WholeBatchNormalisation(self.sum, self.share.sizes(n)[self.share.number] > 0)


#: A process that has no others to share with.
ALONE = Processes()


def processes_of(accelerator: Any) -> Processes:
    """The processes that an estimator's ``accelerator`` connects.

    Raises
    ------
    TypeError
        If it is no Accelerator.
    ValueError
        If it is set to something that a fit can't do.
    """
    if accelerator is None:
        return ALONE
    try:
        from accelerate import Accelerator
    except ImportError:
        Accelerator = type(None)  # then it can't be one
    if not isinstance(accelerator, Accelerator):
        raise TypeError(
            f"accelerator={accelerator!r} must be an accelerate.Accelerator or None; accelerate is "
            "installed by pip install 'noisyfit[accelerate]'."
        )
    if accelerator.mixed_precision != "no":
        raise ValueError(
            f"accelerator has mixed_precision={accelerator.mixed_precision!r}; make it with "
            'mixed_precision="no" and set autocast="bfloat16" or "float16" instead.'
        )
    if accelerator.gradient_accumulation_steps != 1:
        raise ValueError(
            "accelerator has gradient_accumulation_steps="
            f"{accelerator.gradient_accumulation_steps}; make it with 1 and set batch_size, which "
            "is that of all processes together."
        )
    kind = accelerator.distributed_type.name
    if kind not in _DATA_PARALLEL:
        raise ValueError(
            f"accelerator spreads training by {kind}, which is not supported; every process has to "
            f"hold the whole network ({', '.join(_DATA_PARALLEL[1:])})."
        )
    return Processes(accelerator)


class _Gathered(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor, processes: Processes, n: int) -> Tensor:
        ctx.bounds, ctx.shape = processes.share.bounds(n), part.shape
        return processes._gather(part, n)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        first, end = ctx.bounds
        if first == end:  # the row that was computed to have something does not count
            return gradient.new_zeros(ctx.shape), None, None
        return gradient[first:end].contiguous(), None, None


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, processes: Processes) -> Tensor:
        ctx.processes = processes
        return processes._sum(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.processes._sum(gradient), None
