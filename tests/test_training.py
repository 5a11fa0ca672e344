"""Unit tests of noisyfit.training: rows, plans, networks, teachers and the phases of CRUST."""

from __future__ import annotations

import copy
import io
import pickle
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skorch.callbacks import Callback, EarlyStopping
from torch import nn
from torch.utils.data import DataLoader, Dataset

from noisyfit.losses import CrossEntropy, GeneralizedCrossEntropy, SymmetricCrossEntropy
from noisyfit.losses.expected import expected_losses
from noisyfit.noise import NoiseEstimate
from noisyfit.noise.belief import Belief
from noisyfit.training import screening
from noisyfit.training.averaging import WeightAverage
from noisyfit.training.checkpoint import NO_PROGRESS
from noisyfit.training.coreset import (
    GROWTH_EPOCHS,
    SHARE_LIMITS,
    TAKEOVER_EPOCHS,
    CoresetOptions,
    CoresetPhases,
)
from noisyfit.training.data import LabeledRows
from noisyfit.training.folds import assign_folds
from noisyfit.training.modules import MLP, SparseLinear, build_module
from noisyfit.training.network import PlannedNet
from noisyfit.training.plan import (
    BatchIterator,
    BatchPositions,
    BatchTargets,
    EpochPlan,
    Mixing,
    PlannedBatches,
)
from noisyfit.training.predictions import predict_logits, predict_probabilities
from noisyfit.training.recording import ProbabilityRecorder
from noisyfit.training.rows import DatasetItems, DenseRows, RowForm, Rows, SparseRows, as_rows
from noisyfit.training.screening import screen_rows
from noisyfit.training.seeding import draw_seed, isolated_seed
from noisyfit.training.settings import OPTIMIZERS, NetworkSettings
from noisyfit.training.surroundings import plain_torch

CPU = torch.device("cpu")


def sparse_array(n: int = 11, d: int = 5, seed: int = 0) -> np.ndarray:
    """A dense array with many zeros and one empty row."""
    rng = np.random.RandomState(seed)
    array = (rng.randn(n, d) * (rng.rand(n, d) < 0.4)).astype(np.float32)
    array[n // 2] = 0
    return array


def dense(batch: torch.Tensor) -> np.ndarray:
    return (batch.to_dense() if batch.layout == torch.sparse_csr else batch).numpy()


@pytest.fixture(params=["dense", "sparse", "memory map", "read-only", "images"])
def rows_and_array(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Rows, np.ndarray]:
    array = sparse_array()
    if request.param == "sparse":
        return as_rows(scipy.sparse.csr_matrix(array), CPU), array
    if request.param == "memory map":
        np.save(tmp_path / "rows.npy", array)
        return as_rows(np.load(tmp_path / "rows.npy", mmap_mode="r"), CPU), array
    if request.param == "read-only":
        array.setflags(write=False)
    if request.param == "images":
        array = np.arange(11 * 2 * 3 * 4, dtype=np.float32).reshape(11, 2, 3, 4)
    return as_rows(array, CPU), array


# --------------------------------------------------------------------------------------- rows


def test_rows_take_in_any_order_and_repeatedly(rows_and_array: tuple[Rows, np.ndarray]) -> None:
    rows, array = rows_and_array
    index = [7, 0, 5, 5, 10]
    np.testing.assert_array_equal(dense(rows.take(torch.tensor(index))), array[index])
    assert len(rows) == len(array)
    assert rows.shape == array.shape


def test_rows_pad_with_zeros(rows_and_array: tuple[Rows, np.ndarray]) -> None:
    rows, array = rows_and_array
    batch = rows.take(torch.tensor([1, 2]))
    padded = dense(rows.pad(batch, 6))
    np.testing.assert_array_equal(padded[:2], array[1:3])
    assert padded.shape == (6, *array.shape[1:])
    assert not padded[2:].any()
    assert rows.pad(batch, 2) is batch


@pytest.mark.parametrize("size", [1, 4, 11, 50])
@pytest.mark.parametrize("fixed_size", [True, False])
def test_rows_blocks_hold_every_row_in_order(
    rows_and_array: tuple[Rows, np.ndarray], size: int, fixed_size: bool
) -> None:
    rows, array = rows_and_array
    for index in (None, np.array([9, 3, 3, 0, 8])):
        blocks = list(rows.blocks(size, index, fixed_size=fixed_size))
        got = np.concatenate([dense(block)[:n_real] for block, n_real in blocks])
        np.testing.assert_array_equal(got, array if index is None else array[index])
        if fixed_size:
            assert {block.shape[0] for block, _ in blocks} == {size}
        else:
            assert all(block.shape[0] == n_real for block, n_real in blocks)


def test_a_memory_map_stays_on_disk(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", sparse_array())
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    rows = as_rows(mapped, CPU)
    assert isinstance(rows, DenseRows)
    assert rows.features.data_ptr() == mapped.ctypes.data


def test_sparse_rows_take_other_formats_and_wide_indices() -> None:
    array = sparse_array()
    wide = scipy.sparse.csr_matrix(array)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for matrix in (wide, scipy.sparse.coo_matrix(array), scipy.sparse.csr_array(array)):
        rows = as_rows(matrix, CPU)
        assert isinstance(rows, SparseRows)
        np.testing.assert_array_equal(dense(rows.take(torch.tensor([4, 5]))), array[[4, 5]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mean_and_scale_are_the_weighted_moments(dtype: type) -> None:
    rng = np.random.RandomState(0)
    array = (rng.randn(40, 3) * [1, 100, 1e-4] + [0, 1000, 5e-4]).astype(dtype)
    weight = rng.rand(40) * (rng.rand(40) < 0.7)
    found = as_rows(array, CPU).mean_and_scale(weight)
    assert found is not None
    mean = np.average(array.astype(np.float64), axis=0, weights=weight)
    variance = np.average((array.astype(np.float64) - mean) ** 2, axis=0, weights=weight)
    np.testing.assert_allclose(found[0].numpy(), mean, rtol=1e-9)
    np.testing.assert_allclose(found[1].numpy(), np.sqrt(variance), rtol=1e-9)


def test_mean_and_scale_in_pieces_equals_in_one_go() -> None:
    array = np.random.RandomState(0).randn(30, 2**18).astype(np.float32)  # 16 rows a piece
    found = as_rows(array, CPU).mean_and_scale(np.ones(30))
    assert found is not None
    np.testing.assert_allclose(found[0], array.mean(0, dtype=np.float64), atol=1e-12)
    np.testing.assert_allclose(found[1], array.std(0, dtype=np.float64), rtol=1e-9)


@pytest.mark.parametrize("value", [0.0, 3.0, 0.1, 1e6, -1e30])
def test_constant_columns_have_scale_one(value: float) -> None:
    array = np.full((50, 2), value, dtype=np.float32)
    array[:, 1] = np.arange(50)
    found = as_rows(array, CPU).mean_and_scale(np.linspace(1, 2, 50))
    assert found is not None
    assert found[1][0] == 1
    assert found[1][1] > 1


def test_a_small_spread_around_a_large_mean_is_seen_in_float64() -> None:
    # Seconds since 1970, a few minutes apart: float64 tells them apart easily.
    seconds = 1.7e9 + 50 * np.random.RandomState(0).randn(60, 1)
    found = as_rows(seconds, CPU).mean_and_scale(np.ones(60))
    assert found is not None
    np.testing.assert_allclose(found[1], seconds.std(0), rtol=1e-6)


def test_moments_do_not_apply_to_images_and_sparse_rows() -> None:
    assert as_rows(np.zeros((4, 1, 2, 2), np.float32), CPU).mean_and_scale(np.ones(4)) is None
    sparse = as_rows(scipy.sparse.csr_matrix(sparse_array()), CPU)
    assert sparse.mean_and_scale(np.ones(11)) is None


# --------------------------------------------------------------------------------------- plans

quick = settings(deadline=None, max_examples=50)


@quick
@given(n=st.integers(1, 60), size=st.integers(1, 25), shuffle=st.booleans())
def test_batches_hold_each_position_once(n: int, size: int, shuffle: bool) -> None:
    positions = BatchPositions(n, size, shuffle=shuffle)
    batches = list(positions)
    assert len(batches) == len(positions)
    assert sorted(torch.cat(batches).tolist()) == list(range(n))
    assert all(len(batch) in (size, size + 1) for batch in batches[:-1])
    if n > 1:
        assert len(batches[-1]) > 1, "batch normalisation can't train on a single row"
    if not shuffle or n <= size:
        assert torch.cat(batches).tolist() == list(range(n))


def test_batches_are_reshuffled_and_seeded() -> None:
    positions = BatchPositions(100, 10, shuffle=True)
    torch.manual_seed(3)
    first, second = torch.cat(list(positions)), torch.cat(list(positions))
    assert not torch.equal(first, second)
    torch.manual_seed(3)
    assert torch.equal(torch.cat(list(positions)), first)


def test_weights_of_a_plan_have_mean_one() -> None:
    weights = np.array([1.0, 0.5, 4.0, 2.5])
    plan = EpochPlan(np.array([3, 0, 2, 9]), np.array([1, 0, 1, 1]), weights)
    batches = PlannedBatches(as_rows(sparse_array(), CPU), plan, torch.float64, CPU)
    assert len(batches) == len(plan) == 4
    features, targets = batches[torch.tensor([2, 0])]
    np.testing.assert_array_equal(features.numpy(), sparse_array()[[2, 3]])
    assert targets.labels.tolist() == [1, 1]
    assert targets.rows.tolist() == [2, 3]
    assert targets.partner_codes is None
    np.testing.assert_allclose(targets.weights.numpy(), weights[[2, 0]] / weights.mean())


@pytest.mark.parametrize("kind", ["dense", "sparse", "images"])
def test_mixing_is_the_convex_combination(kind: str) -> None:
    array = sparse_array()
    if kind == "images":
        array = array.reshape(11, 1, 5, 1)
    rows = as_rows(scipy.sparse.csr_matrix(array) if kind == "sparse" else array, CPU)
    mixing = Mixing(np.array([4, 4, 7]), np.array([0, 1, 1]), np.array([0.25, 1.0, 0.0]))
    plan = EpochPlan(np.array([1, 2, 3]), np.array([1, 1, 0]), np.ones(3), mixing)
    features, targets = PlannedBatches(rows, plan, torch.float32, CPU)[torch.tensor([2, 0, 1])]
    expected = np.stack([array[7], 0.25 * array[1] + 0.75 * array[4], array[2]])
    np.testing.assert_allclose(dense(features), expected, rtol=1e-6)
    assert targets.labels.tolist() == [0, 1, 1]
    assert targets.partner_codes is not None
    assert targets.partner_codes.tolist() == [1, 0, 1]
    assert targets.share is not None
    assert targets.share.tolist() == [0.0, 0.25, 1.0]


@pytest.mark.parametrize("options", [{}, {"num_workers": 0}, {"num_workers": 1}])
def test_a_data_loader_gives_the_same_batches(options: dict[str, int]) -> None:
    rows = as_rows(sparse_array(), CPU)
    plan = EpochPlan(np.arange(11), np.arange(11) % 2, np.ones(11))
    batches = PlannedBatches(rows, plan, torch.float32, CPU)
    torch.manual_seed(0)
    iterator = BatchIterator(batches, 5, shuffle=True, loader_options=options)
    assert len(iterator) == 2
    torch.manual_seed(0)
    order = torch.cat(list(BatchPositions(11, 5, shuffle=True)))
    torch.manual_seed(0)
    assert torch.equal(torch.cat([targets.rows for _, targets in iterator]), order)


def test_sparse_rows_are_refused_where_torch_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError("Could not run 'new_compressed_tensor' from the 'mps:0' device.")

    monkeypatch.setattr(torch, "sparse_csr_tensor", refuse)
    with pytest.raises(ValueError, match=r"sparse X can't be used on device='cpu'.*or a dense X"):
        as_rows(scipy.sparse.csr_matrix(sparse_array()), CPU)


class Items(Dataset):
    """Rows that are fetched one by one."""

    def __len__(self) -> int:
        return 11

    def __getitem__(self, number: int) -> np.ndarray:
        return np.full(3, number, dtype=np.float32)


def test_workers_are_given_nothing_that_lies_on_a_device() -> None:
    # Tensors on Apple's GPUs can't be sent to other processes at all.
    rows = as_rows(DatasetItems(Items(), "float32", {}), torch.device("meta"))
    mixing = Mixing(np.arange(11)[::-1].copy(), np.zeros(11, dtype=int), np.full(11, 0.5))
    plan = EpochPlan(np.arange(11), np.arange(11) % 2, np.ones(11), mixing)
    batches = PlannedBatches(rows, plan, torch.float32, torch.device("meta"))
    found: list[str] = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, item: Any) -> None:
            if isinstance(item, torch.Tensor):
                found.append(item.device.type)

    file = io.BytesIO()
    Pickler(file).dump(batches.fetched)
    assert set(found) == {"cpu"}
    positions, features, partners = pickle.loads(file.getvalue())[torch.tensor([3, 1])]
    assert positions.tolist() == features[:, 0].tolist() == [3, 1]
    assert partners[:, 0].tolist() == [7, 9]


def test_features_on_a_device_are_not_fetched_by_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any) -> Any:
        raise AssertionError("a process of its own can't use the device")

    monkeypatch.setattr(DataLoader, "__iter__", refuse)
    device = torch.device("meta")
    plan = EpochPlan(np.arange(11), np.arange(11) % 2, np.ones(11))
    batches = PlannedBatches(as_rows(sparse_array(), device), plan, torch.float32, device)
    options = {"num_workers": 1, "pin_memory": True}
    iterator = BatchIterator(batches, 5, shuffle=True, loader_options=options)
    assert [len(targets.rows) for _, targets in iterator] == [5, 6]


# ------------------------------------------------------------------------------------- modules


@pytest.mark.parametrize("index", [[0, 1, 2, 3], [5], [5, 5], [10, 5, 0]])  # row 5 is empty
def test_sparse_linear_equals_a_dense_layer(index: list[int]) -> None:
    array = sparse_array()
    torch.manual_seed(0)
    layer = SparseLinear(5, 3)
    plain = nn.Linear(5, 3)
    with torch.no_grad():
        plain.weight.copy_(layer.weight.t())
        plain.bias.copy_(layer.bias)
    cotangent = torch.randn(len(index), 3)
    sparse = as_rows(scipy.sparse.csr_matrix(array), CPU).take(torch.tensor(index))
    expected = plain(torch.from_numpy(array[index]))
    (expected * cotangent).sum().backward()
    for batch in (sparse, torch.from_numpy(array[index])):
        layer.zero_grad()
        output = layer(batch)
        torch.testing.assert_close(output, expected)
        (output * cotangent).sum().backward()
        torch.testing.assert_close(layer.weight.grad, plain.weight.grad.t())
        torch.testing.assert_close(layer.bias.grad, plain.bias.grad)


def test_mlp_layers_follow_its_options() -> None:
    names = [type(layer).__name__ for layer in MLP(4, 3, hidden=(6, 5), dropout=0.5).layers]
    block = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    assert names == [*block, *block, "Linear"]
    bare = MLP(4, 3, hidden=(6,), batch_norm=False, sparse=True)
    assert [type(layer).__name__ for layer in bare.layers] == ["SparseLinear", "ReLU", "Linear"]
    assert isinstance(MLP(4, 3, hidden=(), sparse=True).layers[0], SparseLinear)
    assert MLP(12, 3)(torch.randn(5, 3, 2, 2)).shape == (5, 3)  # images are flattened


def test_mlp_standardizes_its_inputs_and_keeps_that_in_its_state() -> None:
    torch.manual_seed(0)
    module = MLP(2, 3, hidden=())
    features = torch.tensor([[1.0, 10.0], [3.0, 30.0]])
    mean = torch.tensor([2.0, 20.0], dtype=torch.float64)
    scale = torch.tensor([1.0, 10.0], dtype=torch.float64)
    expected = module(torch.tensor([[-1.0, -1.0], [1.0, 1.0]]))
    module.standardize_inputs(mean, scale)
    torch.testing.assert_close(module(features), expected)
    assert {"input_mean", "input_scale"} <= set(module.state_dict())
    torch.testing.assert_close(pickle.loads(pickle.dumps(module))(features), expected)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"dropout": 1.0}, "module__dropout"),
        ({"dropout": -0.1}, "module__dropout"),
        ({"hidden": (0,)}, "module__hidden"),
        ({"hidden": (8, -3)}, "module__hidden"),
    ],
)
def test_mlp_names_the_wrong_option(options: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        MLP(4, 3, **options)


SHAPE: dict[str, Any] = {
    "form": RowForm("table", (2, 3)),
    "n_classes": 4,
}


def test_build_module_from_a_class_a_function_and_nothing() -> None:
    linear = build_module(nn.Linear, {"bias": False}, **SHAPE)
    assert isinstance(linear, nn.Linear)
    assert (linear.in_features, linear.out_features, linear.bias) == (6, 4, None)
    default = build_module(None, {"hidden": (7,)}, **SHAPE | {"form": RowForm("sparse", (6,))})
    assert isinstance(default.layers[0], SparseLinear)
    assert default.layers[-1].out_features == 4

    def two_layers(out_features: int, width: int = 3) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(6, width), nn.Linear(width, out_features))

    built = build_module(two_layers, {"width": 9}, **SHAPE)
    assert built(torch.zeros(5, 2, 3)).shape == (5, 4)
    # What the user says beats what is known of the data.
    assert build_module(nn.Linear, {"in_features": 10}, **SHAPE).in_features == 10


def test_build_module_copies_an_instance() -> None:
    instance = nn.Linear(6, 4)
    built = build_module(instance, {}, **SHAPE)
    assert built is not instance
    with torch.no_grad():
        built.weight.zero_()
    assert instance.weight.any()


@pytest.mark.parametrize(
    ("module", "options", "error", "match"),
    [
        (nn.Linear(6, 4), {"bias": False}, ValueError, "instance of Linear.*module__bias"),
        (nn.Linear, {"biass": False}, TypeError, "module='Linear'.*biass.*module__<name>"),
        (None, {"hiden": 3}, TypeError, "module__hiden=3"),
        (lambda: None, {}, TypeError, r"make a torch\.nn\.Module, got NoneType"),
        (dict, {}, TypeError, r"make a torch\.nn\.Module, got dict"),
        ("MLP", {}, TypeError, "module must be None.*'MLP'"),
    ],
    ids=["instance", "unknown option", "typing error", "function", "class", "not callable"],
)
def test_build_module_explains(
    module: Any, options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        build_module(module, options, **SHAPE)


# -------------------------------------------------------------------------------------- teacher


def test_weight_average_equals_a_slow_reference() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    net = SimpleNamespace(module_=module)
    teacher = WeightAverage(decay=0.9).initialize()
    teacher.on_train_begin(net)
    expected: dict[str, torch.Tensor] = {}
    for step in range(1, 31):
        with torch.no_grad():
            for tensor in (*module.parameters(), *module.buffers()):
                if tensor.is_floating_point():
                    tensor.copy_(torch.randn_like(tensor))
                else:
                    tensor.fill_(step)
        teacher.on_batch_end(net, training=True)
        teacher.on_batch_end(net, training=False)  # a validation batch changes nothing
        decay = min(0.9, 1 - 1 / (step + 1))
        for name, value in module.state_dict().items():
            if step == 1 or not value.is_floating_point():
                expected[name] = value.clone()  # the first average is the weights themselves
            else:
                expected[name] = decay * expected[name] + (1 - decay) * value
    assert teacher.module_ is not None
    assert not teacher.module_.training
    assert teacher.module_[1].num_batches_tracked == 30
    for name, value in teacher.module_.state_dict().items():
        torch.testing.assert_close(value, expected[name], rtol=1e-4, atol=1e-5)


def test_weight_average_starts_as_the_plain_mean() -> None:
    module = nn.Linear(1, 1, bias=False)
    net = SimpleNamespace(module_=module)
    teacher = WeightAverage(decay=0.99).initialize()
    teacher.on_train_begin(net)
    for value in (1.0, 2.0, 6.0):
        nn.init.constant_(module.weight, value)
        teacher.on_batch_end(net, training=True)
    assert teacher.module_ is not None
    # 1; then thirds of it: (1 * 2 + 2) / 3; then quarters: (4 / 3 * 3 + 6) / 4.
    assert teacher.module_.weight.item() == pytest.approx(2.5)
    teacher.initialize()
    assert teacher.module_ is None


@pytest.mark.parametrize(
    "duplicate",
    [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))],
    ids=["deepcopy", "pickle"],
)
def test_weight_average_goes_on_after_a_copy(duplicate: Any) -> None:
    teacher, net = WeightAverage().initialize(), SimpleNamespace(module_=nn.Linear(2, 2))
    teacher.on_train_begin(net)
    teacher.on_batch_end(net, training=True)
    teacher, net = duplicate((teacher, net))
    nn.init.constant_(net.module_.weight, 100.0)
    teacher.on_batch_end(net, training=True)
    assert teacher.n_steps_ == 2
    assert teacher.module_.weight.min() > 10  # it has seen the copy's weights


# ------------------------------------------------------------------------------------- recorder


def test_probability_recorder_averages_what_training_saw() -> None:
    recorder = ProbabilityRecorder(4, 2).initialize()
    p = np.array([[0.8, 0.2], [0.5, 0.5], [0.1, 0.9]])

    def batch_end(rows: list[int], probabilities: np.ndarray, training: bool = True) -> None:
        logits = torch.from_numpy(np.log(probabilities)).requires_grad_()
        codes = torch.zeros(len(rows), dtype=torch.int64)
        targets = BatchTargets(codes, torch.ones(len(rows)), torch.tensor(rows))
        recorder.on_batch_end(None, rows=targets.rows, training=training, y_pred=logits)

    batch_end([2, 0, 1], p)
    batch_end([0, 2], p[[2, 2]])
    batch_end([3, 0], p[:2], training=False)
    asked: list[list[int]] = []

    def predict(unseen: np.ndarray) -> np.ndarray:
        asked.append(unseen.tolist())
        return np.array([[0.3, 0.7]])

    expected = [(p[1] + p[2]) / 2, p[2], (p[0] + p[2]) / 2, [0.3, 0.7]]
    np.testing.assert_allclose(recorder.mean(predict), expected, rtol=1e-6)
    assert asked == [[3]]  # only rows that training never saw
    assert recorder.count_.tolist() == [2, 1, 2, 0]


# ------------------------------------------------------------------------------------ the net


def labeled_rows(n: int = 24, n_classes: int = 2, **options: Any) -> LabeledRows:
    rng = np.random.RandomState(0)
    codes = np.arange(n) % n_classes
    features = rng.randn(n, 3).astype(np.float32)
    features[:, 0] += 3 * codes
    weights = options.pop("weights", np.ones(n))
    return LabeledRows(as_rows(features, CPU), codes, weights, weights, n_classes, **options)


def network_settings(**options: Any) -> NetworkSettings:
    defaults: dict[str, Any] = {
        "module": None,
        "optimizer": "adam",
        "lr": 0.01,
        "lr_schedule": "constant",
        "batch_size": 8,
        "device": CPU,
        "dtype": torch.float32,
        "module_options": {"hidden": (4,)},
    }
    return NetworkSettings(**(defaults | options))


def build_net(data: LabeledRows, *callbacks: tuple[str, Callback], **options: Any) -> PlannedNet:
    with isolated_seed(0, CPU):
        return network_settings(**options).build(data, CrossEntropy(), 5, list(callbacks))


def every_row(data: LabeledRows, phase: str = "train") -> EpochPlan:
    return EpochPlan(data.used, data.codes[data.used], data.weights[data.used], phase=phase)


def test_fused_steps_are_left_out_where_torch_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(torch.optim.SGD):
        """Like that of torch 2.4 on Apple's GPUs."""

        def __init__(self, params: Any, fused: bool | None = None, **options: Any) -> None:
            if fused:
                raise RuntimeError("`fused=True` requires tensors of supported devices")
            super().__init__(params, **options)

    _, defaults = OPTIMIZERS["sgd"]
    monkeypatch.setitem(OPTIMIZERS, "sgd", (Refusing, defaults))
    group = build_net(labeled_rows(), optimizer="sgd").optimizer_.param_groups[0]
    assert group["momentum"] == 0.9


def test_plans_are_asked_for_one_epoch_at_a_time() -> None:
    data = labeled_rows()
    events: list[str] = []

    class Watcher(Callback):
        def on_epoch_end(self, net: Any, **kwargs: Any) -> None:
            events.append(f"trained {net.history[-1, 'phase']} on {net.history[-1, 'n_rows']}")

    def plans() -> Iterator[EpochPlan]:
        for number in range(3):
            events.append(f"asked {number}")
            yield EpochPlan(np.arange(4 + number), np.zeros(4 + number), np.ones(4 + number))

    net = build_net(data, ("watcher", Watcher()))
    assert net.train(data.rows, plans()) is net
    expected = []
    for number in range(3):
        expected += [f"asked {number}", f"trained train on {4 + number}"]
    assert events == expected
    assert [record["train_batch_count"] for record in net.history] == [1, 1, 1]


def test_training_learns_and_the_loss_of_a_full_batch_is_the_weighted_mean() -> None:
    data = labeled_rows(weights=np.linspace(0.5, 3, 24))
    net = build_net(data, batch_size=-1, module_options={"hidden": (4,), "batch_norm": False})
    logits = predict_logits(net.module_, data.rows)
    losses = nn.functional.cross_entropy(logits, torch.from_numpy(data.codes), reduction="none")
    net.train(data.rows, [every_row(data)] * 60)
    expected = np.average(losses.numpy(), weights=data.weights)
    assert net.history[0, "train_loss"] == pytest.approx(expected, rel=1e-5)
    assert net.history[-1, "train_loss"] < 0.5 * expected


def test_the_loss_of_a_mixed_batch_combines_both_targets() -> None:
    data = labeled_rows()
    net = build_net(data)
    logits = torch.randn(3, 2, requires_grad=True)
    codes, partners = torch.tensor([0, 1, 1]), torch.tensor([1, 1, 0])
    weights, share = torch.tensor([1.0, 2.0, 0.5]), torch.tensor([0.2, 1.0, 0.7])
    targets = BatchTargets(codes, weights, torch.arange(3), partners, share)
    log_p = logits.log_softmax(1)
    row = torch.arange(3)
    losses = -share * log_p[row, codes] - (1 - share) * log_p[row, partners]
    torch.testing.assert_close(net.get_loss(logits, targets), (weights * losses).mean())
    # A module may give other things after the logits.
    torch.testing.assert_close(net.get_loss((logits, None), targets), (weights * losses).mean())


@pytest.mark.parametrize(
    "criterion",
    [
        lambda logits, codes: nn.functional.cross_entropy(logits, codes),
        lambda logits, codes: nn.functional.cross_entropy(logits, codes, reduction="none")[:, None],
        lambda logits, codes: nn.functional.cross_entropy(logits, codes, reduction="none")[:1],
        lambda logits, codes: logits,
        lambda logits, codes: None,
        lambda logits, codes: np.ones(len(logits)),
    ],
    ids=["mean", "column", "first", "logits", "None", "numpy"],
)
def test_a_criterion_has_to_give_one_loss_per_row(criterion: Any) -> None:
    # Broadcasting would hide a mean (weights without effect) and a column (every row paired
    # with every weight).
    data = labeled_rows()
    net = build_net(data)
    net.criterion_ = criterion
    with pytest.raises((ValueError, TypeError), match="criterion"):
        net.train(data.rows, [every_row(data)])


def test_early_stopping_ends_training_between_epochs() -> None:
    data = labeled_rows()
    asked: list[int] = []

    def plans() -> Iterator[EpochPlan]:
        for number in range(50):
            asked.append(number)
            yield every_row(data)

    stopping = EarlyStopping(monitor="train_loss", patience=2, threshold=10.0, sink=lambda _: None)
    net = build_net(data, ("stopping", stopping)).train(data.rows, plans())
    assert len(net.history) == len(asked) < 6


def test_a_stopped_net_can_go_on() -> None:
    data = labeled_rows()
    stopping = EarlyStopping(monitor="train_loss", patience=1, threshold=10.0, sink=lambda _: None)
    net = build_net(data, ("stopping", stopping)).train(data.rows, [every_row(data)] * 9)
    n_epochs = len(net.history)
    net.train(data.rows, [every_row(data)])
    assert len(net.history) == n_epochs + 1


@pytest.mark.parametrize("moment", ["on_batch_end", "on_batch_begin", "on_epoch_begin"])
def test_an_interrupt_by_the_user_comes_through(moment: str) -> None:
    data = labeled_rows()

    def interrupt(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    callback = Callback()
    setattr(callback, moment, interrupt)
    with pytest.raises(KeyboardInterrupt):
        build_net(data, ("interrupt", callback)).train(data.rows, [every_row(data)] * 3)


def test_a_loss_that_is_not_a_number_stops_with_advice() -> None:
    data = labeled_rows()
    net = build_net(data, lr=1e30, optimizer="sgd")
    with pytest.raises(ValueError, match=r"train loss became .* in epoch [1-3].*Lower lr.*1e\+30"):
        net.train(data.rows, [every_row(data)] * 10)


def test_weights_that_are_not_finite_after_the_last_step_stop_too() -> None:
    # One step in one epoch: its loss was computed before the step and is fine.
    data = labeled_rows()
    plain = {"hidden": (4,), "batch_norm": False}
    net = build_net(data, lr=1e38, optimizer="sgd", batch_size=-1, module_options=plain)
    net.criterion_ = lambda logits, codes: 1e4 * logits.square().sum(1)
    with pytest.raises(ValueError, match="diverged"):
        net.train(data.rows, [every_row(data)])


def test_validation_is_recorded_and_not_trained_on() -> None:
    held_out = np.array([0, 1, 2, 3])
    data = labeled_rows(validation=held_out)
    seen: set[int] = set()

    class Watcher(Callback):
        def on_batch_end(self, net: Any, rows: Any, training: bool, **kwargs: Any) -> None:
            if training:
                seen.update(rows.tolist())

    net = build_net(data, ("watcher", Watcher()))
    validation = EpochPlan(held_out, data.codes[held_out], np.ones(4))
    net.train(data.rows, [every_row(data)] * 2, validation)
    assert seen == set(range(4, 24))
    logits = predict_logits(net.module_, data.rows, held_out)
    codes = torch.from_numpy(data.codes[held_out])
    assert net.history[-1, "valid_acc"] == (logits.argmax(1) == codes).float().mean()
    expected = nn.functional.cross_entropy(logits, codes).item()
    assert net.history[-1, "valid_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_recorded_loss_weighs_batches_by_their_rows() -> None:
    data = labeled_rows(n=10)
    net = build_net(data, lr=1e-12, module_options={"hidden": (), "batch_norm": False})
    logits = predict_logits(net.module_, data.rows)
    expected = nn.functional.cross_entropy(logits, torch.from_numpy(data.codes)).item()
    net.train(data.rows, [every_row(data)])  # batches of 8 and 2
    assert net.history[-1, "train_loss"] == pytest.approx(expected, rel=1e-5)
    assert net.history[-1, "train_batch_count"] == 2


def test_a_temporary_callback_is_gone_after_the_block() -> None:
    data = labeled_rows()
    net = build_net(data)
    before = list(net.callbacks_)
    recorder = ProbabilityRecorder(24, 2)
    with net.temporary_callback("recorder", recorder):
        net.train(data.rows, [every_row(data)])
    assert recorder.count_.tolist() == [1] * 24
    assert net.callbacks_ == before
    with pytest.raises(RuntimeError, match="boom"), net.temporary_callback("again", recorder):
        raise RuntimeError("boom")
    assert net.callbacks_ == before
    net.train(data.rows, [every_row(data)])
    assert not recorder.count_.any()  # initialised by the second block, not called since


def test_prediction_keeps_the_mode_and_does_not_depend_on_the_company() -> None:
    data = labeled_rows()
    module = build_net(data).module_
    module.train()
    probabilities = predict_probabilities(module, data.rows)
    assert module.training
    assert probabilities.dtype == np.float64
    np.testing.assert_allclose(probabilities.sum(1), 1)
    for row in (0, 17):
        alone = predict_probabilities(module, data.rows, np.array([row]))
        np.testing.assert_array_equal(alone[0], probabilities[row])


def test_helper_networks_are_quiet() -> None:
    loud = network_settings(
        callbacks=[EarlyStopping()],
        verbose=1,
        lr_schedule="cosine",
        net_options={"callbacks__print_log": None, "iterator_train__shuffle": False},
    )
    quiet = loud.quiet()
    assert (quiet.callbacks, quiet.verbose, quiet.lr_schedule) == ([], 0, "constant")
    assert quiet.net_options == {"iterator_train__shuffle": False}
    assert loud.verbose == 1


def test_a_cosine_schedule_ends_near_zero() -> None:
    data = labeled_rows()
    net = build_net(data, lr_schedule="cosine")  # over five epochs
    rates = []
    for _ in range(5):
        rates.append(net.optimizer_.param_groups[0]["lr"])
        net.train(data.rows, [every_row(data)])
    assert rates[0] == pytest.approx(0.01)
    # Training in five calls starts the schedule anew each time, training in one does not.
    net = build_net(data, lr_schedule="cosine").train(data.rows, [every_row(data)] * 5)
    assert net.optimizer_.param_groups[0]["lr"] == pytest.approx(0, abs=1e-9)


# ------------------------------------------------------------------------------ cross-fitting


@quick
@given(
    codes=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    n_folds=st.integers(2, 8),
    seed=st.integers(0, 9),
)
def test_folds_are_balanced_in_all_and_in_each_class(
    codes: list[int], n_folds: int, seed: int
) -> None:
    array = np.array(codes)
    folds = assign_folds(array, n_folds, np.random.RandomState(seed))
    n_used = min(n_folds, len(array))
    for part in (folds, *(folds[array == code] for code in set(codes))):
        sizes = np.bincount(part, minlength=n_used)
        assert len(sizes) == n_used
        assert sizes.max() - sizes.min() <= 1
    np.testing.assert_array_equal(folds, assign_folds(array, n_folds, np.random.RandomState(seed)))


def test_folds_are_random() -> None:
    codes = np.repeat([0, 1], 20)
    one, two = (assign_folds(codes, 4, np.random.RandomState(seed)) for seed in (0, 1))
    assert not np.array_equal(one, two)


@pytest.mark.parametrize("n_folds", [2, 3, 100])
@pytest.mark.parametrize("believed_epochs", [0, 2])
def test_no_network_trains_on_a_row_it_judges(
    monkeypatch: pytest.MonkeyPatch, n_folds: int, believed_epochs: int
) -> None:
    weights = np.ones(24)
    weights[[5, 6]] = 0
    data = labeled_rows(weights=weights, validation=np.array([0, 1]))
    trained: dict[int, set[int]] = {}  # teacher's module: rows its network was trained on
    judged: list[int] = []
    soft: dict[int, list[bool]] = {}
    real_train, real_predict = PlannedNet.train, screening.predict_labeled

    def train(self: PlannedNet, rows: Rows, plans: Any, validation: Any = None) -> PlannedNet:
        plans = list(plans)
        plan = plans[0]
        assert validation is None
        assert plans == [plan] * min(5, -(-20 // -(-len(plan) // 8)))  # batches of 8, 20 steps
        soft.setdefault(id(self), []).append(plan.targets.ndim == 2)
        real_train(self, rows, plans)
        teacher = dict(self.callbacks_)["teacher"]
        trained.setdefault(id(teacher.module_), set()).update(plan.rows.tolist())
        return self

    def predict(module: nn.Module, rows: LabeledRows, index: np.ndarray, **options: Any) -> Any:
        assert trained[id(module)].isdisjoint(index.tolist())
        assert trained[id(module)] | set(index.tolist()) == set(data.used.tolist())
        judged.extend(index.tolist())
        return real_predict(module, rows, index, **options)

    monkeypatch.setattr(PlannedNet, "train", train)
    monkeypatch.setattr(screening, "predict_labeled", predict)
    belief = screen_rows(
        data,
        network_settings(module_options={"hidden": (4,), "batch_norm": False}),
        CrossEntropy(),
        n_folds=n_folds,
        given_epochs=2,
        believed_epochs=believed_epochs,
        matrix="auto",
        rng=np.random.RandomState(0),
    )
    (phases,) = {tuple(flags) for flags in soft.values()}
    n_given = len(phases) - believed_epochs
    assert phases == (False,) * n_given + (True,) * believed_epochs
    assert 2 <= n_given <= 8
    # Judged from the last but one of the epochs asked for on.
    assert sorted(judged) == sorted(data.used.tolist() * (n_given + believed_epochs))
    assert len(trained) == min(n_folds, len(data.used))
    assert belief.probabilities.shape == belief.posterior.shape == (len(data.used), 2)
    np.testing.assert_allclose(belief.probabilities.sum(1), 1)


@pytest.mark.parametrize(
    ("agreements", "longest", "n_epochs"),
    [
        ([0.6, 0.64], 12, 3),  # the third epoch adds less than .05 to the second
        ([0.6, 0.66, 0.70], 12, 4),
        ([0.6, 0.7, 0.8, 0.9, 0.85], 12, 6),
        ([0.06 * k for k in range(1, 20)], 12, 12),  # four times as long at most
        # Those that may take longer are slow.
        ([0.9, 0.905], 20, 3),  # 2 % of the .405 above chance are .0081
        ([0.9, 0.91, 0.911], 20, 4),  # 2 % an epoch of .411 in two epochs are .0164
        ([0.6, 0.64, 0.66, 0.662, 0.674, 0.674], 20, 7),  # .674 has an error of .0148
        ([0.8, 0.7, 0.6, 0.5], 20, 3),
        ([0.5 + 0.02 * k for k in range(1, 30)], 20, 20),
        ([0.5] * 12, 20, 3),
    ],
)
def test_screening_goes_on_while_the_networks_learn(
    agreements: list[float], longest: int, n_epochs: int
) -> None:
    codes = np.arange(1000) % 2

    class Scripted:
        n_trained = n_judged = 0

        def train(self, targets: np.ndarray, weights: np.ndarray) -> None:
            self.n_trained += 1

        def judge(self) -> np.ndarray:
            agreeing = np.arange(1000) < 1000 * agreements[self.n_judged]
            self.n_judged += 1
            return np.eye(2)[np.where(agreeing, codes, 1 - codes)]

    ones = np.ones(1000)
    data = LabeledRows(as_rows(np.zeros((1000, 1), np.float32), CPU), codes, ones, ones, 2)
    rng = np.random.RandomState(0)
    under_test = screening._Screening(data, network_settings(), CrossEntropy(), 3, rng)
    nets: Any = Scripted()
    under_test.nets = nets
    judged: Any = under_test.learn_given_labels(3, longest, NO_PROGRESS)
    assert nets.n_trained == n_epochs
    assert nets.n_judged == n_epochs - 1
    agreement = (judged.argmax(1) == codes).mean()
    assert agreement == pytest.approx(min(1.0, agreements[n_epochs - 2]), abs=0.001)


def test_screening_learns_from_what_it_finds() -> None:
    rng = np.random.RandomState(0)
    true = rng.randint(4, size=600)
    features = (np.eye(4)[true] * 2 + rng.randn(600, 4)).astype(np.float32)
    given = np.where(rng.random_sample(600) < 0.4, (true + 1) % 4, true)
    ones = np.ones(600)
    data = LabeledRows(as_rows(features, CPU), given, ones, ones, 4)

    def share_right(believed_epochs: int) -> float:
        belief = screen_rows(
            data,
            network_settings(batch_size=16, lr=0.001, module_options={}),
            SymmetricCrossEntropy(0.04, 0.43),
            n_folds=3,
            given_epochs=3,
            believed_epochs=believed_epochs,
            matrix="auto",
            rng=np.random.RandomState(1),
        )
        return float((belief.posterior.argmax(1) == true).mean())

    with isolated_seed(0, CPU):
        assert share_right(5) > share_right(0) + 0.02 > (given == true).mean() + 0.1


def test_targets_may_be_probabilities_for_any_criterion() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    soft = torch.rand(7, 3, generator=generator, dtype=torch.float64).softmax(1)
    criterion = GeneralizedCrossEntropy(0.4)
    expected = sum(soft[:, code] * criterion(logits, torch.full((7,), code)) for code in range(3))
    for same in (criterion, lambda z, y: criterion(z, y)):
        torch.testing.assert_close(expected_losses(same, logits, soft), expected)


# -------------------------------------------------------------------------------- CRUST's phases

N_CLASSES = 3


class ScriptedPhases(CoresetPhases):
    """Phases whose teacher says what the test wants, and is counted."""

    def __init__(self, data: LabeledRows, probabilities: np.ndarray, **options: Any) -> None:
        belief = options.pop("belief", None)
        defaults: dict[str, Any] = {
            "trim": 0.3,
            "selection": "all",
            "fraction": 0.5,
            "group_by": "given",
            "weights": "uniform",
            "warmup_epochs": 2,
            "refresh_every": 1,
            "mixup": None,
            "pseudo_label": None,
        }
        chosen = CoresetOptions(**(defaults | options))
        super().__init__(data, chosen, WeightAverage(), belief, np.random.RandomState(0))
        self.scripted = probabilities
        self.n_asked = 0
        self.teacher.module_ = nn.Linear(1, 1)  # there is one, from the first epoch on

    def predict(self) -> np.ndarray:
        self.n_asked += 1
        return self.scripted.copy()


def phases_data(n: int = 60, seed: int = 0, **options: Any) -> tuple[LabeledRows, np.ndarray]:
    """Rows of three classes of unequal size, and probabilities of the used ones."""
    rng = np.random.RandomState(seed)
    codes = rng.choice(N_CLASSES, size=n, p=[0.5, 0.3, 0.2])
    features = rng.randn(n, 2).astype(np.float32)
    weights = options.pop("weights", np.ones(n))
    data = LabeledRows(as_rows(features, CPU), codes, weights, weights, N_CLASSES, **options)
    return data, rng.dirichlet([0.5] * N_CLASSES, size=len(data.used))


def n_kept(share: float, n: int) -> int:
    return min(n, max(4, round(share * n)))


def last_plan(phases: CoresetPhases, n_epochs: int = 3) -> EpochPlan:
    return list(phases.plans(n_epochs))[-1]


def test_warm_up_trains_on_every_row_and_does_not_ask_the_teacher() -> None:
    weights = np.ones(60)
    weights[:4] = [0, 2, 0, 3]
    data, p = phases_data(weights=weights, validation=np.array([9]))
    phases = ScriptedPhases(data, p)
    plans = list(phases.plans(2))
    assert phases.n_asked == 0
    assert phases.coreset is None
    for plan in plans:
        assert plan.phase == "warm-up"
        np.testing.assert_array_equal(plan.rows, data.used)
        assert not {0, 2, 9} & set(plan.rows.tolist())
        np.testing.assert_array_equal(plan.targets, data.codes[data.used])
        np.testing.assert_array_equal(plan.weights, weights[data.used])


@pytest.mark.parametrize("trim", [0, 0.0, 0.25, 0.6, 0.99])
def test_a_given_share_of_each_class_is_trimmed(trim: float) -> None:
    data, p = phases_data()
    plan = last_plan(ScriptedPhases(data, p, trim=trim))
    norm = np.linalg.norm(p - np.eye(N_CLASSES)[data.codes], axis=1)
    assert plan.phase == "coreset"
    for code in range(N_CLASSES):
        members = np.flatnonzero(data.codes == code)
        smallest = members[np.argsort(norm[members])][: n_kept(1 - trim, len(members))]
        assert set(plan.rows[plan.targets == code]) == set(smallest)
    np.testing.assert_array_equal(plan.targets, data.codes[plan.rows])


def a_belief(p: np.ndarray, codes: np.ndarray, **changes: Any) -> Belief:
    """Says what the test wants; the labels are mistaken for the next class at random."""
    transition = 0.7 * np.eye(N_CLASSES) + 0.3 * np.roll(np.eye(N_CLASSES), 1, axis=1)
    noise = NoiseEstimate(0.3, transition, np.full(N_CLASSES, 1 / 3), np.full(N_CLASSES, 0.7))
    parts = {"probabilities": p, "posterior": p, "transition": transition, "noise": noise}
    return Belief(**(parts | {"anchors": transition} | changes))


def test_shares_are_half_estimated_and_half_believed_within_limits() -> None:
    data, p = phases_data(n=400)
    shares = np.array([0.5, 1.0, 0.0])
    noise = NoiseEstimate(0.3, np.eye(3), np.full(3, 1 / 3), shares)
    even = np.full((3, 3), 1 / 3)  # the labels are no evidence
    given = np.eye(3)[data.codes]
    for q in (p, 0.9 * given + 0.1 * p, 0.9 * (1 - given) / 2 + 0.1 * p):
        belief = a_belief(q, data.codes, noise=noise, transition=even)
        plan = last_plan(ScriptedPhases(data, q, trim="auto", belief=belief))
        for code in range(3):
            of_class = data.codes == code
            share = np.clip((shares[code] + q[of_class, code].mean()) / 2, *SHARE_LIMITS)
            assert (plan.targets == code).sum() == n_kept(share, of_class.sum())


def test_with_a_belief_there_is_no_warm_up_and_the_posterior_decides() -> None:
    data, p = phases_data(n=200)
    held_out = phases_data(n=200, seed=7)[1]
    belief = a_belief(held_out, data.codes)
    phases = ScriptedPhases(data, p, trim="auto", belief=belief, pseudo_label=0.6)
    # The network has not learned anything yet: only held-out predictions count.
    phases.teacher.module_ = None
    plans = phases.plans(TAKEOVER_EPOCHS + 3)
    plan = next(plans)
    assert phases.n_asked == 0

    def check(plan: EpochPlan, probabilities: np.ndarray) -> None:
        joint = probabilities * belief.transition[:, data.codes].T
        joint /= joint.sum(1, keepdims=True)
        norm = np.linalg.norm(joint - np.eye(N_CLASSES)[data.codes], axis=1)
        kept = np.concatenate(
            [
                (members := np.flatnonzero(data.codes == code))[
                    np.argsort(norm[members])[
                        : n_kept((0.7 + joint[members, code].mean()) / 2, len(members))
                    ]
                ]
                for code in range(N_CLASSES)
            ]
        )
        joining = set(np.flatnonzero(joint.max(1) > 0.6)) - set(kept)
        assert len(joining) > 3
        assert set(plan.rows) == set(kept) | joining
        for row, target in zip(plan.rows, plan.targets, strict=True):
            assert target == (joint[row].argmax() if row in joining else data.codes[row])

    check(plan, held_out)
    phases.teacher.module_ = nn.Linear(1, 1)
    share = 1 / TAKEOVER_EPOCHS
    check(next(plans), (1 - share) * held_out + share * p)
    plan = list(plans)[-1]
    check(plan, p)
    mean = (held_out + sum((1 - a) * held_out + a * p for a in np.arange(1, 9) / 8) + 2 * p) / 11
    joint = mean * belief.transition[:, data.codes].T
    np.testing.assert_allclose(phases.end(), joint / joint.sum(1, keepdims=True))


def test_without_an_estimate_the_share_is_the_agreement_as_it_grows() -> None:
    weights = np.random.RandomState(1).randint(1, 4, 400).astype(float)
    data, p = phases_data(n=400, weights=weights)
    phases = ScriptedPhases(data, p, trim="auto", warmup_epochs=1)
    list(phases.plans(2))
    agrees = p.argmax(1) == data.codes
    by_class = [
        np.average(agrees[data.codes == c], weights=weights[data.codes == c]) for c in range(3)
    ]
    for epochs, growth in ((0, 0.6 + 0.4 / GROWTH_EPOCHS), (GROWTH_EPOCHS, 1.0)):
        expected = (growth * np.array(by_class)).clip(*SHARE_LIMITS)
        np.testing.assert_allclose(phases.clean_share_now(epochs), expected)


def test_trim_none_leaves_out_nothing() -> None:
    data, p = phases_data()
    plan = last_plan(ScriptedPhases(data, p, trim=None))
    assert sorted(plan.rows) == data.used.tolist()


@pytest.mark.parametrize("selection", ["greedy", "central", "random"])
@pytest.mark.parametrize("group_by", ["given", "predicted"])
@pytest.mark.parametrize("fraction", [0.001, 0.3, 1.0])
def test_coresets_have_the_size_asked_for_and_cover_the_kept_rows(
    selection: str, group_by: str, fraction: float
) -> None:
    data, p = phases_data()
    phases = ScriptedPhases(
        data, p, selection=selection, fraction=fraction, group_by=group_by, weights="cluster"
    )
    plan = last_plan(phases)
    groups = p.argmax(1) if group_by == "predicted" else data.codes
    assert len(set(plan.rows)) == len(plan.rows)
    for group in np.unique(groups[phases.kept]):
        n_candidates = int((phases.kept & (groups == group)).sum())
        of_group = groups[plan.rows] == group
        assert of_group.sum() == max(1, round(fraction * n_candidates))
        assert plan.weights[of_group].sum() == pytest.approx(n_candidates)
    assert phases.kept[plan.rows].all()
    np.testing.assert_array_equal(plan.targets, data.codes[plan.rows])


def test_cluster_weights_count_sample_weights_once() -> None:
    weights = np.random.RandomState(2).randint(0, 4, 60).astype(float)
    data, p = phases_data(weights=weights)
    phases = ScriptedPhases(data, p, selection="greedy", weights="cluster")
    plan = last_plan(phases)
    assert plan.weights.sum() == pytest.approx(data.weights[data.used][phases.kept].sum())
    assert (plan.weights > 0).all()
    phases = ScriptedPhases(data, p, selection="greedy", weights="uniform")
    plan = last_plan(phases)
    np.testing.assert_array_equal(plan.weights, data.weights[plan.rows])


def test_a_row_that_copies_a_medoid_is_not_trained_on_with_weight_zero() -> None:
    data, p = phases_data()
    p[:] = np.eye(N_CLASSES)[0]  # within a class all gradients are the same
    for mixup in (None, (1.0, 1.0)):
        plan = last_plan(
            ScriptedPhases(data, p, trim=None, selection="greedy", weights="cluster", mixup=mixup)
        )
        assert (plan.weights > 0).all()
        assert plan.weights.sum() == pytest.approx(60)


def test_left_out_rows_join_under_the_predicted_label() -> None:
    data, p = phases_data()
    phases = ScriptedPhases(data, p, trim=0.5, pseudo_label=0.6, warmup_epochs=2)
    plans = list(phases.plans(6))
    n_trusted = int(phases.kept.sum())
    # As many epochs on coresets alone as there were in the warm-up.
    assert [len(plan) for plan in plans[2:4]] == [n_trusted, n_trusted]
    joining = np.flatnonzero(~phases.kept & (p.max(1) > 0.6))
    assert len(joining) > 3
    for plan in plans[4:]:
        np.testing.assert_array_equal(plan.targets[:n_trusted], data.codes[plan.rows[:n_trusted]])
        np.testing.assert_array_equal(plan.rows[n_trusted:], joining)
        np.testing.assert_array_equal(plan.targets[n_trusted:], p[joining].argmax(1))


@pytest.mark.parametrize("selection", ["greedy", "central"])
def test_rows_that_medoids_stand_for_do_not_join(selection: str) -> None:
    data, p = phases_data()
    phases = ScriptedPhases(data, p, selection=selection, fraction=0.2, pseudo_label=0.01)
    plan = last_plan(phases, n_epochs=6)
    assert phases.coreset is not None
    added = plan.rows[len(phases.coreset.indices) :]
    assert set(added) == set(np.flatnonzero(~phases.kept))


@pytest.mark.parametrize("selection", ["all", "greedy", "central"])
def test_mixing_partners_come_from_the_same_cluster(selection: str) -> None:
    weights = np.ones(60)
    weights[[1, 2]] = 0  # row numbers and positions among the used rows differ from here on
    data, p = phases_data(weights=weights)
    phases = ScriptedPhases(
        data,
        p,
        selection=selection,
        fraction=0.2,
        mixup=(0.7, 0.7),
        pseudo_label=0.6,
        warmup_epochs=1,
    )
    partners: Counter[int] = Counter()
    for plan in list(phases.plans(40))[5:]:
        mixing = plan.mixing
        assert mixing is not None
        assert len(mixing.rows) == len(mixing.targets) == len(mixing.share) == len(plan)
        coreset = phases.coreset
        assert coreset is not None
        n = len(coreset.indices)
        position = {row: place for place, row in enumerate(data.used)}
        for row, partner in zip(plan.rows[:n], mixing.rows[:n], strict=True):
            own, other = position[row], position[partner]
            assert phases.kept[other]
            if selection == "all":
                assert data.codes[row] == data.codes[partner]
            else:
                assert coreset.indices[coreset.assignment[other]] == own
            partners[partner] += 1
        np.testing.assert_array_equal(mixing.targets[:n], data.codes[mixing.rows[:n]])
        assert ((mixing.share >= 0) & (mixing.share <= 1)).all()
        # Rows under a predicted label are left as they are.
        np.testing.assert_array_equal(mixing.rows[n:], plan.rows[n:])
        np.testing.assert_array_equal(mixing.targets[n:], plan.targets[n:])
        assert (mixing.share[n:] == 1).all()
        assert len(plan) > n
    assert set(partners) == set(data.used[phases.kept]), "every kept row is a partner some time"


@pytest.mark.parametrize(("refresh_every", "n_asked"), [(1, 7), (2, 4), (3, 3), (10, 1)])
def test_coresets_are_refreshed_as_often_as_asked(refresh_every: int, n_asked: int) -> None:
    data, p = phases_data()
    phases = ScriptedPhases(data, p, refresh_every=refresh_every)
    list(phases.plans(9))
    assert phases.n_asked == n_asked


def test_training_that_goes_on_skips_the_warm_up() -> None:
    data, p = phases_data()
    phases = ScriptedPhases(data, p, refresh_every=4)
    assert [plan.phase for plan in phases.plans(3, first_epoch=1)] == ["warm-up", *["coreset"] * 2]
    phases = ScriptedPhases(data, p, refresh_every=4)
    # Epoch 3 is not a turn to refresh, but there is no coreset yet.
    assert [plan.phase for plan in phases.plans(1, first_epoch=3)] == ["coreset"]
    assert phases.n_asked == 1


def test_the_teacher_is_asked_after_the_warm_up_is_over() -> None:
    data, p = phases_data()
    phases = ScriptedPhases(data, p)
    plans = phases.plans(3)
    next(plans), next(plans)
    assert phases.n_asked == 0
    next(plans)
    assert phases.n_asked == 1


def test_real_phases_follow_a_real_teacher() -> None:
    data = labeled_rows(n=40)
    teacher = WeightAverage()
    net = build_net(data, ("teacher", teacher))
    options = ScriptedPhases(data, np.empty(0)).options
    phases = CoresetPhases(data, options, teacher, None, np.random.RandomState(0))
    net.train(data.rows, phases.plans(4))
    assert [record["phase"] for record in net.history] == ["warm-up"] * 2 + ["coreset"] * 2
    assert teacher.module_ is not None
    np.testing.assert_allclose(
        phases.predict(), predict_probabilities(teacher.module_, data.rows), rtol=1e-5
    )


# -------------------------------------------------------------------------------------- seeding


def test_isolated_seed_repeats_and_gives_the_stream_back() -> None:
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    draws = []
    for _ in range(2):
        with isolated_seed(7, CPU):
            draws.append(torch.rand(3))
    with pytest.raises(RuntimeError, match="size"), isolated_seed(7, CPU):
        torch.rand(3) + torch.rand(2)
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_isolated_seed_on_the_cpu_does_not_seed_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    # torch.manual_seed seeds every GPU, and only that of the fit gets its state back.
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    with isolated_seed(7, CPU):
        pass
    assert seeded == []


def test_isolated_seed_on_an_apple_gpu_seeds_it_and_gives_its_stream_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    done: list[Any] = []
    state = torch.tensor([5], dtype=torch.uint8)
    monkeypatch.setattr(torch.mps, "get_rng_state", lambda: state)
    monkeypatch.setattr(torch.mps, "manual_seed", done.append)
    monkeypatch.setattr(torch.mps, "set_rng_state", done.append)
    with isolated_seed(7, torch.device("mps")):
        assert done == [7]
    assert done == [7, state]


def test_a_device_without_autocast_needs_none_to_be_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = torch.autocast

    def autocast(kind: str, **options: Any) -> Any:
        if kind != "cpu":  # as torch 2.4 does for Apple's GPUs
            raise RuntimeError("unsupported scalarType")
        return real(kind, **options)

    monkeypatch.setattr(torch, "autocast", autocast)
    monkeypatch.setattr(torch.amp, "is_autocast_available", lambda kind: kind == "cpu")
    with plain_torch(torch.device("mps")):
        pass


def test_draw_seed_takes_every_random_state() -> None:
    assert draw_seed(3) == draw_seed(3) == draw_seed(np.random.RandomState(3))
    generator = np.random.RandomState(3)
    assert draw_seed(generator) != draw_seed(generator)
    assert isinstance(draw_seed(None), int)
    with pytest.raises(ValueError, match="seed"):
        draw_seed("three")
