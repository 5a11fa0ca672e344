"""Fits on torch data sets: items fetched as they are needed, labels where they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import make_blobs
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, Subset
from torch.utils.data import TensorDataset as Tensors

from noisyfit import CRUSTClassifier, DMClassifier


class Items(Dataset):
    """Any x and y by number, which remembers what was fetched."""

    def __init__(self, X: Any, y: Any = None) -> None:
        self.X, self.y = X, y
        self.fetched: list[int] = []

    def __len__(self) -> int:
        return len(self.X)

    def __getitem__(self, number: int) -> Any:
        self.fetched.append(number)
        return self.X[number] if self.y is None else (self.X[number], self.y[number])


class ItemsAtOnce(Items):
    def __getitems__(self, numbers: list[int]) -> list[Any]:
        return [(self.X[number], self.y[number]) for number in numbers]


@pytest.fixture(scope="module")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    X, y = make_blobs(150, 4, centers=3, random_state=0)
    return X.astype(np.float32), y


def crust(**options: Any) -> CRUSTClassifier:
    return CRUSTClassifier(
        cross_fit=None, warmup_epochs=1, max_epochs=2, batch_size=32, random_state=0, **options
    )


FORMS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "arrays": Items,
    "at once": ItemsAtOnce,
    "tensors": lambda X, y: Items(torch.from_numpy(X), torch.from_numpy(y)),
    "float64": lambda X, y: Items(X.astype(np.float64), y.tolist()),
    "vectors": lambda X, y: Items(X.tolist(), y),
    "TensorDataset": lambda X, y: Tensors(torch.from_numpy(X), torch.from_numpy(y)),
    "subset": lambda X, y: Subset(Items(np.vstack([X, X]), np.append(y, y)), range(150)),
    "joined": lambda X, y: ConcatDataset([Items(X[:60], y[:60]), Items(X[60:], y[60:])]),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_dataset_fits_and_predicts_like_its_arrays(form: str, blobs: Any) -> None:
    X, y = blobs
    dataset = FORMS[form](X, y)
    fitted, expected = crust().fit(dataset), crust().fit(X, y)
    np.testing.assert_array_equal(fitted.label_quality_, expected.label_quality_)
    np.testing.assert_array_equal(fitted.predict_proba(dataset), expected.predict_proba(X))
    np.testing.assert_array_equal(fitted.predict(X), expected.predict(X))
    assert fitted.score(dataset) == expected.score(X, y)
    assert fitted.n_features_in_ == 4


def test_labels_may_be_given_beside_a_dataset_without_any(blobs: Any) -> None:
    X, y = blobs
    names = np.array(["a", "b", "c"])[y]
    fitted = crust().fit(Items(X), names)
    np.testing.assert_array_equal(fitted.predict(Items(X)), crust().fit(X, names).predict(X))
    with pytest.raises(ValueError, match="requires y to be passed"):
        crust().fit(Items(X))
    with pytest.raises(ValueError, match="y is None and X holds no labels"):
        fitted.score(Items(X))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        crust().fit(Items(X), y[:-1])


def test_labels_that_a_dataset_keeps_are_not_fetched(blobs: Any) -> None:
    X, y = blobs

    class Kept(Items):
        targets = y.tolist()

    class Changed(Kept):
        target_transform = len

    kept, changed = Kept(X, y), Changed(X, y)
    DMClassifier(max_epochs=1).fit(kept)
    DMClassifier(max_epochs=1).fit(changed)
    assert len(changed.fetched) == len(kept.fetched) + len(X) + 1
    few = Subset(kept, [3, 1, 149])
    n_fetched = len(kept.fetched)
    assert DMClassifier(max_epochs=1).fit(kept).score(few) in (0, 1 / 3, 2 / 3, 1)
    assert kept.fetched.count(3) > 0
    assert n_fetched > 0


def test_workers_fetch_what_one_process_would(blobs: Any) -> None:
    X, y = blobs
    dataset = Items(X, y)
    fitted = DMClassifier(
        max_epochs=1, random_state=0, batch_size=64, iterator_train__num_workers=2
    ).fit(dataset)
    proba = fitted.predict_proba(dataset)
    # Here, the first items show what the others are like.
    assert max(dataset.fetched) <= 1
    np.testing.assert_array_equal(proba, fitted.predict_proba(X))


def test_instalments_may_be_datasets(blobs: Any) -> None:
    X, y = blobs
    one, other = (DMClassifier(random_state=0) for _ in range(2))
    one.partial_fit(Items(X, y)).partial_fit(Items(X[:40], y[:40]))
    other.partial_fit(X, y).partial_fit(X[:40], y[:40])
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_images_of_a_dataset_are_images(dtype: Any) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(dtype)
    y = np.arange(40) % 2
    fitted, expected = (
        DMClassifier(max_epochs=1, random_state=0).fit(*data)
        for data in ((Items(images, y),), (images, y))
    )
    assert type(fitted.net_.module_).__name__ == "ConvolutionNet"
    np.testing.assert_array_equal(fitted.predict_proba(images), expected.predict_proba(images))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.out = nn.Linear(4, 2)

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        assert ids.dtype == torch.int64
        return self.out((self.words(ids) * mask[..., None]).mean(1))


def test_items_of_named_parts_are_the_keywords_of_forward() -> None:
    rng = np.random.default_rng(0)
    ids, mask = rng.integers(0, 10, (60, 3)), rng.random((60, 3))
    parts = [{"ids": a, "mask": b} for a, b in zip(ids, mask, strict=True)]
    y = np.arange(60) % 2
    fitted, expected = (
        DMClassifier(module=Words, max_epochs=1, random_state=0).fit(*data)
        for data in ((Items(parts, y),), ({"ids": ids, "mask": mask}, y))
    )
    np.testing.assert_array_equal(
        fitted.predict(Items(parts)), expected.predict({"ids": ids, "mask": mask})
    )
    parts[7] = {"ids": ids[7]}
    with pytest.raises(ValueError, match=r"item 7 of the Dataset has the parts .'ids'."):
        fitted.predict(Items(parts))


def with_item(X: np.ndarray, number: int, item: Any) -> list[Any]:
    items: list[Any] = list(X)
    items[number] = item
    return items


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (np.array([1.0, np.nan, 0.0, 0.0]), "item 77 of the Dataset contains NaN"),
        (np.zeros(3), r"item 77 of the Dataset has shape \(3,\), but that of item 0 is \(4,\)"),
        ("words", "x of an item must be a tensor.* in item 77"),
        ((1, 2, 3), "got a tuple of 3 entries as item 77"),
    ],
)
def test_an_item_that_does_not_fit_is_named(item: Any, message: str, blobs: Any) -> None:
    X, y = blobs
    with pytest.raises((ValueError, TypeError), match=message):
        crust().fit(Items(with_item(X, 77, item)), y)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [
        (Items([]), "the Dataset has no items"),
        (Items([1.0, 2.0]), "must have at least one dimension"),
        (Items([[1.0], [2.0]], [[0, 1], [1, 0]]), r"y of item 0 of the Dataset must be one label"),
    ],
)
def test_datasets_without_rows_and_labels_are_refused(dataset: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        crust().fit(dataset, [0, 1] if dataset.y is None else None)


def test_rows_of_another_shape_are_refused_in_prediction(blobs: Any) -> None:
    X, y = blobs
    fitted = crust().fit(Items(X, y))
    with pytest.raises(ValueError, match="3 features, but CRUSTClassifier is expecting 4"):
        fitted.predict(Items(X[:, :3]))


class Stream(IterableDataset):
    def __iter__(self) -> Iterator[Any]:
        yield np.zeros(3), 0


@pytest.mark.parametrize("rows", [Stream(), iter([1]), (x for x in [1])])
def test_what_can_be_read_only_once_is_sent_to_memory_maps(rows: Any) -> None:
    for method in (crust().fit, crust().partial_fit):
        with pytest.raises(TypeError, match=r"noisyfit\.memory_maps\.map_rows"):
            method(rows, [0, 1])


def test_a_loader_and_a_dataset_without_length_are_refused() -> None:
    with pytest.raises(TypeError, match="X is a DataLoader: pass its dataset"):
        crust().fit(DataLoader(Items(np.zeros((4, 2)))), [0, 1, 0, 1])
    with pytest.raises(TypeError, match="without a length"):
        crust().fit(type("Endless", (Dataset,), {})(), [0, 1])
