"""Selection in parts: what it promises, on every backend, and with workers that are killed."""

from __future__ import annotations

import os
import pickle
import tracemalloc
from contextlib import contextmanager
from unittest import mock

import joblib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from references import naive_distances, quick, random_points, seeds

import noisyfit.selection.parallel as parallel
import noisyfit.selection.partitioned as partitioned
from noisyfit.selection import greedy_medoids, select_coreset, total_distance
from noisyfit.selection.partitioned import partitioned_medoids

few = settings(deadline=None, max_examples=10)

POINTS = random_points(0, 1200, 4)
SETTINGS = ({"k": 300}, {"k": 0.1, "oversampling": 3.0})


@contextmanager
def recorded(*, fewest_winners=64, rows_per_task=20_000):
    """Note the parts that are made, in a list; parts of a few rows may be a task."""
    parts = []
    divide = partitioned._Work._divide

    def note(*arguments):
        parts.append(divide(*arguments))
        return parts[-1]

    with (
        mock.patch.object(partitioned._Work, "_divide", note),
        mock.patch.object(partitioned, "_FEWEST_WINNERS", fewest_winners),
        mock.patch.object(partitioned, "_ROWS_PER_TASK", rows_per_task),
    ):
        yield parts


@pytest.fixture
def small_tasks(monkeypatch):
    """Twelve parts of POINTS in six tasks."""
    monkeypatch.setattr(partitioned, "_ROWS_PER_TASK", 200)


def select(points=POINTS, **keywords):
    return partitioned_medoids(points, part_size=100, random_state=0, **keywords)


def assert_same(result, expected):
    for found, value in zip(result, expected, strict=True):
        np.testing.assert_array_equal(found, value)


# ------------------------------------------------------------------------------------- what it does


@quick
@given(
    seeds,
    st.floats(0, 1),
    st.integers(2, 120),
    st.floats(1, 4),
    st.booleans(),
    st.booleans(),
    st.integers(1, 64),
)
def test_result_is_a_weighted_selection(seed, share, part_size, oversampling, ties, weighted, few):
    rng = np.random.default_rng(seed)
    points = random_points(seed, rng.integers(2, 400))
    points = points.round() if ties else points
    n = len(points)
    weights = rng.integers(0, 3, n) * rng.random() + (np.arange(n) == 0) if weighted else np.ones(n)
    positive = np.flatnonzero(weights)
    k = max(1, round(share * len(positive)))
    with recorded(fewest_winners=few, rows_per_task=100):
        result = partitioned_medoids(
            points,
            k,
            sample_weight=weights,
            part_size=part_size,
            oversampling=oversampling,
            random_state=seed,
        )
    indices, medoid_weights, assignment, distance, total = result
    assert indices.dtype == assignment.dtype == np.int64
    assert medoid_weights.dtype == np.float64
    assert len(indices) == len(set(indices)) == k
    assert set(indices) <= set(positive)
    np.testing.assert_array_equal(assignment[indices], np.arange(k))
    np.testing.assert_array_equal(np.flatnonzero(assignment >= 0), positive)
    expected = np.bincount(assignment[positive], weights[positive], minlength=k)
    np.testing.assert_allclose(medoid_weights, expected)
    assert medoid_weights.sum() == pytest.approx(weights.sum())
    distance = np.linalg.norm(points - points[indices[assignment]], axis=1)
    assert total == pytest.approx(weights @ distance, abs=1e-6)


@few
@given(seeds, st.integers(20, 90), st.floats(0.2, 0.9))
def test_parts_are_random_and_each_is_covered_by_exact_greedy(seed, part_size, share):
    points = random_points(seed, 300, 3)
    with recorded(fewest_winners=1, rows_per_task=100) as divided:
        result = partitioned_medoids(points, share, part_size=part_size, random_state=seed)
    (parts,) = divided
    sizes = np.diff(parts.edges)
    assert len(sizes) == -(-300 // part_size)
    assert sizes.max() <= part_size
    assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(np.sort(parts.order), np.arange(300))
    assert (np.diff(parts.order) < 0).any()  # not the rows as they come
    found = []
    for part in range(len(sizes)):
        rows = parts.of(part, part + 1)
        assert (np.diff(rows) > 0).all()
        medoids = result.indices[np.isin(result.indices, rows)]
        found.append(len(medoids) - share * len(rows))
        np.testing.assert_array_equal(
            medoids, rows[greedy_medoids(points[rows], len(medoids)).indices]
        )
        distances = naive_distances(points[rows], points[medoids])
        nearest = medoids[distances.argmin(axis=1)]
        np.testing.assert_array_equal(result.indices[result.assignment[rows]], nearest)
    assert max(np.abs(found)) < 2  # largest remainders


@quick
@given(seeds, st.floats(0, 1), st.booleans())
def test_one_part_is_exact_greedy(seed, share, weighted):
    points = random_points(seed)
    n = len(points)
    k = max(1, round(share * n))
    weights = np.random.default_rng(seed).uniform(0.1, 5, n) if weighted else np.ones(n)
    result = partitioned_medoids(points, k, sample_weight=weights, oversampling=2.0, part_size=n)
    coreset = select_coreset(points, k=k, sample_weight=weights)
    np.testing.assert_array_equal(result.indices, coreset.indices)
    np.testing.assert_array_equal(result.assignment, coreset.assignment)
    np.testing.assert_allclose(result.weights, coreset.weights)
    assert result.total_distance == pytest.approx(coreset.total_distance, abs=1e-9)


@few
@given(seeds, st.integers(1, 100), st.floats(1.5, 4))
def test_rows_go_to_the_nearest_medoid_that_their_part_has_got(seed, k, oversampling):
    points = random_points(seed, 400, 3)
    with recorded(rows_per_task=100) as divided:
        result = partitioned_medoids(
            points, k, part_size=70, oversampling=oversampling, random_state=seed
        )
    assert len(divided) > 1
    parts = divided[0]
    medoids = result.indices[result.assignment]
    for part in range(len(parts.edges) - 1):
        rows = parts.of(part, part + 1)
        known = np.unique(medoids[rows])
        nearest = naive_distances(points[rows], points[known]).min(axis=1)
        ours = np.linalg.norm(points[rows] - points[medoids[rows]], axis=1)
        np.testing.assert_allclose(ours, nearest, atol=1e-9)


def test_winners_too_many_for_one_part_are_divided_again():
    with recorded() as divided:
        result = select(k=60, oversampling=5.0)
    numbers = [len(parts.order) for parts in divided]
    # Then each of the three parts of 100 winners has to choose 25, and 60 are chosen of these.
    assert numbers == [1200, 300, 75]
    assert len(set(result.indices)) == 60


def test_winners_stand_for_their_rows():
    """Two far clusters of very different size: only weights tell them apart among the winners."""
    rng = np.random.default_rng(0)
    points = np.concatenate([rng.normal(size=(990, 2)), rng.normal(size=(10, 2)) + 30])
    result = partitioned_medoids(points, 20, part_size=250, oversampling=4.0, random_state=0)
    in_small = (result.indices >= 990).sum()
    exact = (greedy_medoids(points, 20).indices >= 990).sum()
    assert abs(in_small - exact) <= 1


# ---------------------------------------------------------------------------------- how good it is


@pytest.mark.parametrize("k", [40, 400, 2000])
def test_total_distance_is_near_that_of_exact_greedy(k):
    points = random_points(1, 4000, 10).astype(np.float32)
    result = partitioned_medoids(points, k, random_state=0)
    found = total_distance(points, result.indices)
    exact = total_distance(points, greedy_medoids(points, k).indices)
    by_chance = [
        total_distance(points, np.random.default_rng(seed).choice(4000, k, replace=False))
        for seed in range(5)
    ]
    assert exact < found <= 1.05 * exact
    assert found < min(by_chance)
    assert found <= result.total_distance <= 1.15 * exact


@pytest.mark.parametrize("k", [5, 20, 80])
def test_few_medoids_are_chosen_well_from_many_parts(k):
    """One medoid of each part would be the centre of all rows, ten times."""
    points = random_points(2, 4000, 5)
    result = partitioned_medoids(points, k, part_size=400, random_state=0)
    exact = total_distance(points, greedy_medoids(points, k).indices)
    assert total_distance(points, result.indices) <= 1.05 * exact


def test_oversampling_pays_where_medoids_are_few():
    points = random_points(3, 4000, 10)
    plain, more = (
        partitioned_medoids(points, 300, part_size=500, oversampling=times, random_state=0)
        for times in (1.0, 4.0)
    )
    assert more.total_distance < 0.95 * plain.total_distance


# ----------------------------------------------------------------------------- on which workers


@settings(few, max_examples=6)
@given(seeds, st.permutations([1, 2, 3, 4]), st.sampled_from(SETTINGS))
def test_threads_give_the_same_result(seed, numbers, keywords):
    points = random_points(seed, 400, 3)
    threads = torch.get_num_threads()
    with recorded(rows_per_task=100):
        expected = select(points, **keywords)
        with joblib.parallel_config("threading"):
            for n_jobs in numbers[:2]:
                assert_same(select(points, n_jobs=n_jobs, **keywords), expected)
    assert torch.get_num_threads() == threads


def test_torch_threads_are_one_in_a_task_and_restored(monkeypatch, small_tasks):
    numbers = []
    nearest, cover = partitioned._nearest, partitioned.cover_greedily

    def note(function):
        def noting(*arguments, **keywords):
            numbers.append(torch.get_num_threads())
            return function(*arguments, **keywords)

        return noting

    monkeypatch.setattr(partitioned, "_nearest", note(nearest))
    monkeypatch.setattr(partitioned, "cover_greedily", note(cover))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        select(**SETTINGS[1])
        with joblib.parallel_config("threading", n_jobs=2):
            select(**SETTINGS[1])
        assert torch.get_num_threads() == 3
        with joblib.parallel_config("threading", n_jobs=2):
            in_new_threads = joblib.Parallel()(
                joblib.delayed(torch.get_num_threads)() for _ in range(4)
            )
        assert in_new_threads == [3] * 4
    finally:
        torch.set_num_threads(before)
    assert set(numbers) == {1}
    assert len(numbers) > 24


@pytest.mark.parametrize("keywords", SETTINGS)
def test_processes_give_the_same_result(keywords, small_tasks, tmp_path):
    expected = select(**keywords)
    with joblib.parallel_config("loky", n_jobs=2):
        assert_same(select(**keywords), expected)
        assert_same(select(in_file(tmp_path), **keywords), expected)


@pytest.fixture(scope="module")
def dask_client():
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("keywords", SETTINGS)
def test_dask_gives_the_same_result(keywords, small_tasks, dask_client, tmp_path):
    expected = select(**keywords)
    with joblib.parallel_config("dask"):
        assert_same(select(**keywords), expected)
        assert_same(select(in_file(tmp_path), **keywords), expected)


def killing_its_worker(flag):
    """`_solve` whose marked task kills its process; with a file's name, only the first time.

    It is sent to the workers by value, and finds there the function that it stands for here.
    """
    test_process = os.getpid()

    def solve(task):
        import os
        import signal
        import time

        from noisyfit.selection import partitioned

        assert os.getpid() != test_process
        if task.weights[0] == 2.0:
            try:
                if flag is not None:
                    os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
                time.sleep(0.5)  # so that the results of earlier tasks have arrived
                os.kill(os.getpid(), signal.SIGKILL)
            except FileExistsError:
                pass
        return partitioned._solve(task)

    return solve


def marked_weights():
    """Weights by which one task in the middle is known by its first row."""
    weights = np.ones(len(POINTS))
    with recorded() as divided:
        select(k=300)
    weights[divided[0].of(6, 12)[0]] = 2.0
    return weights


def test_a_killed_process_costs_time_but_not_the_result(small_tasks, monkeypatch, tmp_path):
    keywords = {"k": 300, "sample_weight": marked_weights()}
    expected = select(**keywords)
    flag = tmp_path / "killed"
    monkeypatch.setattr(partitioned, "_solve", killing_its_worker(str(flag)))
    made = []
    monkeypatch.setattr(partitioned, "run_tasks", spied(made))
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.warns(RuntimeWarning, match=r"A worker process was killed: 3 of 6 tasks"),
    ):
        assert_same(select(**keywords), expected)
    assert flag.exists()
    assert len(made) == 6 + 3  # what was done has not been done again


def spied(made):
    """`run_tasks`, noting the tasks that are made."""
    run = partitioned.run_tasks

    def running(function, make_task, keys, **keywords):
        return run(function, lambda key: made.append(key) or make_task(key), keys, **keywords)

    return running


def test_processes_killed_again_and_again_are_an_error(small_tasks, monkeypatch):
    weights = marked_weights()
    monkeypatch.setattr(partitioned, "_solve", killing_its_worker(None))
    monkeypatch.setattr(parallel, "_REPETITIONS", 0)
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(RuntimeError, match=r"killed 1 times, with 3 of 6 tasks undone"),
    ):
        select(k=300, sample_weight=weights)


def test_a_killed_dask_worker_costs_time_but_not_the_result(
    small_tasks, monkeypatch, dask_client, tmp_path
):
    keywords = {"k": 300, "sample_weight": marked_weights()}
    expected = select(**keywords)
    flag = tmp_path / "killed"
    monkeypatch.setattr(partitioned, "_solve", killing_its_worker(str(flag)))
    with joblib.parallel_config("dask"):
        assert_same(select(**keywords), expected)
    assert flag.exists()


def test_a_backend_that_returns_lists_will_do(small_tasks, monkeypatch):
    backend = joblib.parallel.ThreadingBackend
    monkeypatch.setattr(backend, "supports_return_generator", False)
    expected = select(k=300)
    with joblib.parallel_config("threading", n_jobs=2):
        assert_same(select(k=300), expected)


def test_progress_is_printed(small_tasks, capfd):
    select(k=300)
    assert capfd.readouterr() == ("", "")
    for n_jobs in (None, 2):
        select(k=300, verbose=2, n_jobs=n_jobs)
        printed = capfd.readouterr().out
        assert "[partitioned] 6 of 6 done in " in printed


# ------------------------------------------------------------------------ what the workers are sent


def in_file(tmp_path, points=POINTS, name="points.npy"):
    """The points as a memory map."""
    np.save(tmp_path / name, points)
    return np.load(tmp_path / name, mmap_mode="r")


def test_views_of_a_memory_map_are_read_from_its_file(tmp_path):
    points = in_file(tmp_path, np.random.default_rng(0).normal(size=(60, 40)))
    columns = in_file(tmp_path, np.asfortranarray(points), "columns.npy")
    swapped = in_file(tmp_path, np.asarray(points).astype(">f8"), "swapped.npy")
    rows = np.array([1, 4, 5])
    views = [points, np.asarray(points), points[7:], points[5:][::3, 2:9], points.T, points[::-1]]
    for view in [*views, np.asarray(points)[10:40, ::2], columns, columns[4:, 3:], swapped]:
        taken = parallel.Rows(view).take(rows)
        assert callable(taken)
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(taken))(), view[rows])
        np.testing.assert_array_equal(parallel.as_rows(taken), view[rows])


def test_what_is_only_in_memory_is_not_read_from_a_file(tmp_path):
    in_file(tmp_path)
    changed = np.load(tmp_path / "points.npy", mmap_mode="c")
    changed[:] = 7.0
    for points in (changed, in_file(tmp_path)[np.arange(20)], in_file(tmp_path) + 1):
        taken = parallel.Rows(points).take(np.array([3, 4]))
        assert isinstance(taken, np.ndarray)
        np.testing.assert_array_equal(taken, points[[3, 4]])


def test_a_memory_map_gives_the_same_result_as_an_array(small_tasks, tmp_path):
    for keywords in SETTINGS:
        assert_same(select(in_file(tmp_path), **keywords), select(**keywords))


def sizes_of_tasks(points, monkeypatch, **keywords):
    sizes = []
    run = partitioned.run_tasks

    def running(function, make_task, keys, **options):
        def make(key):
            task = make_task(key)
            sizes.append(len(pickle.dumps(task)))
            return task

        return run(function, make, keys, **options)

    with monkeypatch.context() as patch:
        patch.setattr(partitioned, "run_tasks", running)
        select(points, **keywords)
    return sizes


@pytest.mark.parametrize("keywords", [{"k": 300}, {"k": 0.1, "oversampling": 3.0}])
def test_tasks_carry_their_own_rows_only(keywords, small_tasks, monkeypatch, tmp_path):
    points = np.random.default_rng(0).normal(size=(1200, 64))
    of_array = sizes_of_tasks(points, monkeypatch, **keywords)
    of_file = sizes_of_tasks(in_file(tmp_path, points), monkeypatch, **keywords)
    assert len(of_array) == len(of_file) >= 6
    # 200 of 1200 rows, and medoids for them.
    assert max(of_array) < 0.4 * points.nbytes
    assert max(of_file) < 400 * 8 * 2 + 2000


def test_a_memory_map_is_not_copied_into_memory(small_tasks, tmp_path):
    points = in_file(tmp_path, np.random.default_rng(0).normal(size=(1200, 1000)))
    tracemalloc.start()
    try:
        select(points, k=120)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0.5 * points.nbytes


@pytest.mark.parametrize(
    "convert",
    [
        torch.from_numpy,
        lambda points: torch.from_numpy(points).requires_grad_(),
        lambda points: points.tolist(),
        np.asfortranarray,
    ],
)
def test_other_kinds_of_points(convert):
    assert_same(select(convert(POINTS), k=300), select(k=300))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.int32])
def test_other_precisions(dtype):
    tensor = (4 * torch.from_numpy(POINTS)).to(dtype)
    expected = select(tensor.double() if dtype == torch.int32 else tensor.float(), k=300)
    assert_same(select(tensor, k=300), expected)
    if dtype != torch.bfloat16:
        assert_same(select(tensor.numpy(), k=300), expected)


def test_points_on_a_device_stay_in_this_process(small_tasks, monkeypatch):
    class OnDevice(parallel.Rows):
        def __init__(self, points):
            super().__init__(points)
            self.values = torch.from_numpy(self.values)

    expected = [select(**keywords) for keywords in SETTINGS]
    monkeypatch.setattr(partitioned, "Rows", OnDevice)
    monkeypatch.setattr(partitioned, "run_tasks", None)
    for keywords, same in zip(SETTINGS, expected, strict=True):
        assert_same(select(**keywords), same)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_points_on_a_gpu():
    result = select(torch.tensor(POINTS, device="cuda"), k=300)
    assert result.total_distance == pytest.approx(select(k=300).total_distance, rel=1e-3)


# ------------------------------------------------------------------------------ seeds and mistakes


def test_the_seed_determines_the_parts():
    first = partitioned_medoids(POINTS, 300, part_size=100, random_state=1)
    for same in (1, np.random.RandomState(1)):
        assert_same(partitioned_medoids(POINTS, 300, part_size=100, random_state=same), first)
    other = partitioned_medoids(POINTS, 300, part_size=100, random_state=2)
    assert set(other.indices) != set(first.indices)
    generators = [np.random.default_rng(3), np.random.default_rng(3)]
    one, two = (
        partitioned_medoids(POINTS, 300, part_size=100, random_state=generator)
        for generator in generators
    )
    assert_same(one, two)


def test_k_counts_rows_of_positive_weight():
    weights = np.ones(len(POINTS))
    weights[::3] = 0
    result = select(k=0.5, sample_weight=weights)
    assert len(result.indices) == 400
    with pytest.raises(ValueError, match="k must lie between 1 and the number of rows n=800"):
        select(k=801, sample_weight=weights)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"k": 1201}, "k must lie between 1 and the number of rows n=1200"),
        ({"k": 0}, "k must lie between 1"),
        ({"k": 1.5}, "k=1.5 is a float and so a share"),
        ({"part_size": 0}, "part_size must be an integer of at least 2, got 0"),
        ({"part_size": 1}, "part_size must be an integer of at least 2, got 1"),
        ({"part_size": 10.0}, "part_size must be an integer of at least 2, got 10.0"),
        ({"oversampling": 0.9}, "oversampling must be a number of at least 1, got 0.9"),
        ({"oversampling": float("nan")}, "oversampling must be a number of at least 1, got nan"),
        ({"oversampling": float("inf")}, "oversampling must be a number of at least 1, got inf"),
        ({"memory_budget": 0}, "memory_budget must be a positive number"),
        ({"sample_weight": [1.0, 2.0]}, "sample_weight must have shape"),
        ({"points": POINTS[:, 0]}, "points must have 2 dimension"),
        ({"points": POINTS[:0]}, "points must not be empty"),
        ({"points": POINTS.astype(str)}, "points must be a numeric"),
        ({"points": POINTS + 1j}, "points must be a numeric"),
        ({"points": torch.from_numpy(POINTS + 1j)}, "points must be"),
    ],
)
def test_mistakes_are_explained(keywords, message):
    with pytest.raises(ValueError, match=message):
        partitioned_medoids(**{"points": POINTS, "k": 10, **keywords})


@pytest.mark.parametrize("kind", ["array", "tensor", "file", "file on threads"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_points_must_be_finite(kind, value, small_tasks, tmp_path):
    points = POINTS.copy()
    points[777, 2] = value
    if kind == "tensor":
        points = torch.from_numpy(points)
    elif kind != "array":
        points = in_file(tmp_path, points)
    with (
        joblib.parallel_config("threading", n_jobs=2 if "threads" in kind else 1),
        pytest.raises(ValueError, match="points must be finite, but contains NaN"),
    ):
        select(points, k=300)


def test_an_array_is_checked_before_any_part_is_worked_on(monkeypatch):
    points = POINTS.copy()
    points[-1, -1] = np.nan
    monkeypatch.setattr(parallel, "_ROWS_AT_A_TIME", 100)
    monkeypatch.setattr(partitioned, "_solve", None)
    with pytest.raises(ValueError, match="points must be finite"):
        select(points, k=300)
