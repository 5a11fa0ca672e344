"""Work on several threads: the results of one, and torch left as it was."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from noisyfit.selection import (
    assign_to_medoids,
    distances,
    greedy_medoids,
    select_coreset,
    swap_medoids,
)
from noisyfit.selection import threads as threads_module
from noisyfit.selection.greedy import Group
from noisyfit.selection.methods import share_out
from noisyfit.selection.threads import one_thread, side_by_side


@contextmanager
def torch_threads(n):
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("n_threads", [1, 2, 3])
def test_calls_have_one_thread_each_and_results_keep_their_order(n_threads):
    with torch_threads(n_threads):
        found = side_by_side(lambda item: (item, torch.get_num_threads()), range(7))
        assert torch.get_num_threads() == n_threads
    assert found == [(item, 1) for item in range(7)]


def test_threads_are_used_and_calls_within_calls_make_no_more(monkeypatch):
    made = []

    class Counted(ThreadPoolExecutor):
        def __init__(self, n, **options):
            made.append(n)
            super().__init__(n, **options)

    monkeypatch.setattr(threads_module, "ThreadPoolExecutor", Counted)
    with torch_threads(3):
        nested = side_by_side(lambda item: side_by_side(abs, [-item, item]), range(5))
        side_by_side(abs, [1, 2])
        side_by_side(abs, [1])
        side_by_side(abs, range(5), at_most=1)
    assert nested == [[item, item] for item in range(5)]
    assert made == [3, 2]


def test_an_error_comes_through_and_the_number_of_threads_back():
    def fail(item):
        raise LookupError(item)

    with torch_threads(2):
        with pytest.raises(LookupError):
            side_by_side(fail, range(4))
        assert torch.get_num_threads() == 2
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
        # Threads begun later have torch's number, too.
        with ThreadPoolExecutor(1) as executor:
            assert executor.submit(torch.get_num_threads).result() == 2


@pytest.mark.parametrize("memory_budget", [2**30, 2**16])
def test_medoids_do_not_depend_on_the_number_of_threads(monkeypatch, memory_budget):
    rng = np.random.default_rng(0)
    points = rng.standard_normal((600, 5)).astype(np.float32)
    groups = rng.integers(0, 5, len(points))
    monkeypatch.setattr(distances, "_BLOCK_BYTES_CPU", 2**15)
    found = []
    for n_threads in (1, 2, 5):
        with torch_threads(n_threads):
            options = {"memory_budget": memory_budget}
            one = greedy_medoids(points, 200, **options)
            several = select_coreset(points, groups=groups, fraction=0.3, **options)
            swapped = swap_medoids(points, one.indices[:20], **options)
            assigned = assign_to_medoids(points, one.indices, **options)
        found.append(
            (one.indices, several.indices, several.assignment, swapped.indices, assigned[0])
        )
    for other in found[1:]:
        for first, second in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(first, second)


def shared_out(sizes, n_threads, memory_budget=2**30):
    groups = [Group(torch.zeros(n, 1), torch.ones(n), 1) for n in sizes]
    with torch_threads(n_threads):
        return share_out(groups, memory_budget)


def test_groups_are_shared_out_evenly_if_they_can_be():
    assert shared_out([50, 40, 30, 30, 10], 2) == [[0, 3], [1, 2, 4]]
    assert shared_out([50, 50, 50, 50, 50, 50], 3) == [[0, 3], [1, 4], [2, 5]]
    assert shared_out([50, 50, 10], 1) == [[0, 1, 2]]
    assert shared_out([90, 10, 10], 2) == [[0, 1, 2]], "its points had better be divided"
    # Each thread needs room for a matrix.
    assert shared_out([50, 50, 50], 3, memory_budget=2 * 50 * 50 * 4) == [[0, 1, 2]]
    assert shared_out([50, 50, 50, 50], 3, memory_budget=4 * 50 * 50 * 4) == [[0, 2], [1, 3]]
