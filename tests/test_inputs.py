"""Data as users have them: strings, hashed words, frames with an index, images, named arrays."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import HashingVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch.helper import SliceDict
from torch import Tensor, nn

from noisyfit import (
    CoresetClassifier,
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    GradientMedoidSampler,
    GradientMedoidSelector,
    RobustLossClassifier,
)
from noisyfit.augmentation import RandomCropAndFlip
from noisyfit.training.modules import MLP, ConvolutionNet
from noisyfit.training.projection import principal_directions, project
from noisyfit.training.rows import ImageRows, as_rows, channel_axis

CPU = torch.device("cpu")
SMALL = {"max_epochs": 8, "batch_size": 16, "lr": 1e-2, "random_state": 0}
CRUST = {"cross_fit": 2, "warmup_epochs": 2, "screening_epochs": 1, **SMALL}
MAKERS = {
    "crust": lambda **options: CRUSTClassifier(**{**CRUST, **options}),
    "dm": lambda **options: DMClassifier(**{**SMALL, **options}),
    "robust loss": lambda **options: RobustLossClassifier(**{**SMALL, **options}),
    "co-teaching": lambda **options: CoTeachingClassifier(**{**SMALL, **options}),
}
every_network = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


# ------------------------------------------------------------------------------------------ text

WORDS = ["engine wheel road", "goal match team", "vote party law"]


@pytest.fixture(scope="module")
def texts() -> tuple[list[str], list[str]]:
    """Ninety sentences of three topics, some filler words in each."""
    rng = np.random.RandomState(0)
    topics = rng.randint(3, size=90)
    filler = ["the", "a", "of", "and", "day", "new"]
    sentences = [
        " ".join(rng.permutation([*WORDS[t].split(), *rng.choice(filler, 3)])) for t in topics
    ]
    return sentences, [["cars", "sport", "politics"][t] for t in topics]


VECTORIZERS = {
    "tf-idf": TfidfVectorizer(),
    "hashing": HashingVectorizer(),  # 1,048,576 columns
}
TEXT_CLASSIFIERS = {
    "crust": lambda: CRUSTClassifier(**CRUST),
    "dm": lambda: DMClassifier(**SMALL),
    "coreset": lambda: CoresetClassifier(LogisticRegression(), random_state=0),
}


@pytest.mark.parametrize("vectorizer", VECTORIZERS.values(), ids=VECTORIZERS)
@pytest.mark.parametrize("make", TEXT_CLASSIFIERS.values(), ids=TEXT_CLASSIFIERS)
def test_strings_through_a_vectorizer(vectorizer: Any, make: Any, texts: Any, monkeypatch) -> None:
    def refuse(self: Any, *arguments: Any, **options: Any) -> None:
        if self.shape[1] > 10_000:
            raise AssertionError("hashed words were made dense")
        return original(self, *arguments, **options)

    original = scipy.sparse.csr_matrix.toarray
    monkeypatch.setattr(scipy.sparse.csr_matrix, "toarray", refuse)
    sentences, topics = texts
    pipeline = make_pipeline(clone(vectorizer), make()).fit(sentences, topics)
    assert pipeline.score(sentences, topics) > 0.9
    assert set(pipeline.predict(["team goal", "law vote"])) <= {"cars", "sport", "politics"}


def test_directions_of_hashed_words_say_the_same_as_those_of_the_words_alone() -> None:
    rng = np.random.RandomState(0)
    words = scipy.sparse.random(200, 600, 0.05, format="csr", dtype=np.float32, random_state=rng)
    places = np.sort(rng.choice(1_000_000, 600, replace=False))
    hashed = scipy.sparse.csr_matrix(
        (words.data, places[words.indices], words.indptr), shape=(200, 1_000_000)
    )
    plain = principal_directions(words, np.ones(200))
    spread = principal_directions(hashed, np.ones(200))
    assert isinstance(plain, np.ndarray)
    assert scipy.sparse.issparse(spread)
    assert spread.shape == (1_000_000, plain.shape[1])
    assert spread.data.nbytes == plain.nbytes
    wanted, found = project(words, plain), project(hashed, spread)
    assert isinstance(found, np.ndarray)
    assert found.dtype == wanted.dtype == np.float32
    # The signs of singular vectors mean nothing.
    np.testing.assert_allclose(np.abs(found), np.abs(wanted), atol=1e-4)


# ---------------------------------------------------------------------------------------- tables


def mixed_table(n: int = 120) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.RandomState(0)
    y = rng.randint(2, size=n)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40 + 10 * y, 4),
            "job": np.where(rng.rand(n) < 0.9, np.array(["cook", "clerk"])[y], "none"),
            "city": pd.Categorical(rng.choice(["a", "b"], n)),
        },
        index=[f"row {number}" for number in rng.permutation(n)],
    )
    return frame, np.array(["no", "yes"])[y]


def preprocessing() -> Any:
    return make_column_transformer(
        (StandardScaler(), ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["job", "city"])
    )


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("make", TEXT_CLASSIFIERS.values(), ids=TEXT_CLASSIFIERS)
def test_mixed_columns_of_a_frame(library: str, make: Any) -> None:
    frame, y = mixed_table()
    table: Any = pl.from_pandas(frame) if library == "polars" else frame
    pipeline = make_pipeline(preprocessing(), make()).fit(table, y)
    assert pipeline.score(table, y) > 0.9


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_trees_take_categories_of_a_frame_as_they_are(library: str) -> None:
    frame, y = mixed_table()
    frame["job"] = frame["job"].astype("category")
    table: Any = pl.from_pandas(frame) if library == "polars" else frame
    trees = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=10)
    classifier = CoresetClassifier(trees, rounds=1, random_state=0).fit(table, y)
    assert classifier.score(table, y) > 0.9


def test_columns_chosen_by_their_type() -> None:
    frame, y = mixed_table()
    columns = make_column_transformer(
        (StandardScaler(), make_column_selector(dtype_include=np.number)),
        (OneHotEncoder(), make_column_selector(dtype_exclude=np.number)),
    )
    assert (
        cross_val_score(make_pipeline(columns, DMClassifier(**SMALL)), frame, y, cv=2).min() > 0.8
    )


# ----------------------------------------------------------------------------- index of the rows


def numbers_with_index() -> tuple[pd.DataFrame, pd.Series]:
    frame, y = mixed_table(60)
    # An index with duplicates, in no order: what a table looks like after filters and joins.
    index = pd.Index(["a", "b", "b", *range(57)], name="key")
    X = pd.DataFrame({"age": frame["age"].to_numpy(), "half": frame["age"].to_numpy() / 2})
    return X.set_axis(index), pd.Series(y, index=index)


def per_row_results(fitted: Any) -> list[Any]:
    names = ("label_quality_", "transduction_", "labels_")
    return [getattr(fitted, name) for name in names if hasattr(fitted, name)]


PER_ROW = {
    **MAKERS,
    "coreset": lambda: CoresetClassifier(rounds=1, random_state=0),
    "selector": lambda: GradientMedoidSelector(fraction=0.2),
    "sampler": lambda: GradientMedoidSampler(fraction=0.2),
}


@pytest.mark.parametrize("make", PER_ROW.values(), ids=PER_ROW)
def test_results_of_the_rows_keep_the_index(make: Any) -> None:
    X, y = numbers_with_index()
    expected = per_row_results(make().fit(X.to_numpy(), y.to_numpy()))
    assert expected
    assert all(isinstance(values, np.ndarray) for values in expected)
    for rows, labels in ((X, y), (X, y.to_numpy()), (X.to_numpy(), y)):
        for found, values in zip(per_row_results(make().fit(rows, labels)), expected, strict=True):
            assert isinstance(found, pd.Series)
            assert found.index.equals(X.index)
            if values.dtype.kind == "f":  # linear models round columns of a frame differently
                np.testing.assert_allclose(found.to_numpy(), values, rtol=1e-9)
            else:
                np.testing.assert_array_equal(found.to_numpy(), values)


def test_the_index_is_that_of_X_where_y_has_another() -> None:
    X, y = numbers_with_index()
    fitted = DMClassifier(**SMALL).fit(X, y.reset_index(drop=True))
    assert fitted.label_quality_.index.equals(X.index)
    assert fitted.label_quality_.index.name == "key"


def test_polars_has_no_index() -> None:
    X, y = numbers_with_index()
    fitted = DMClassifier(**SMALL).fit(pl.from_pandas(X), y.to_numpy())
    assert isinstance(fitted.label_quality_, np.ndarray)


def test_the_index_survives_preprocessing_by_way_of_the_labels() -> None:
    X, y = numbers_with_index()
    pipeline = make_pipeline(StandardScaler(), DMClassifier(**SMALL)).fit(X, y)
    assert pipeline[-1].label_quality_.index.equals(X.index)


def test_partial_fit_after_a_frame_goes_on() -> None:
    X, y = numbers_with_index()
    fitted = DMClassifier(**SMALL).fit(X, y)
    fitted.partial_fit(X, y)
    assert fitted.predict(X).shape == (60,)


# ---------------------------------------------------------------------------------------- images


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Grey bytes (300, 8, 8) of the digits 0, 1 and 2."""
    X, y = load_digits(n_class=3, return_X_y=True)
    return (X[:300].reshape(-1, 8, 8) * 15).astype(np.uint8), y[:300]


LAYOUTS = {
    "grey": lambda images: images,
    "channels last": lambda images: images[:, :, :, None],
    "channels first": lambda images: images[:, None],
    "colour last": lambda images: np.repeat(images[:, :, :, None], 3, axis=3),
    "colour first": lambda images: np.repeat(images[:, None], 3, axis=1),
    "with opacity": lambda images: np.repeat(images[:, :, :, None], 4, axis=3),
}


@pytest.mark.parametrize("arrange", LAYOUTS.values(), ids=LAYOUTS)
def test_images_of_bytes_in_any_layout(arrange: Any, digits: Any) -> None:
    X, y = digits
    images = np.ascontiguousarray(arrange(X))
    before = images.copy()
    classifier = RobustLossClassifier(**SMALL).fit(images, y)
    assert isinstance(classifier.net_.module_, ConvolutionNet)
    assert classifier.score(images, y) > 0.95
    np.testing.assert_array_equal(images, before)


@every_network
def test_every_method_trains_on_images(make: Any, digits: Any) -> None:
    X, y = digits
    classifier = make(module__channels=(8, 16)).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert classifier.label_quality_.shape == (300,)


@pytest.mark.parametrize("layout", ["grey", "colour last", "colour first"])
def test_batches_of_images(layout: str, digits: Any) -> None:
    X, _ = digits
    images = np.ascontiguousarray(LAYOUTS[layout](X))
    rows = as_rows(images, CPU, torch.float64)
    channels = 1 if layout == "grey" else 3
    assert isinstance(rows, ImageRows)
    assert rows.features.dtype == torch.uint8  # no copy as numbers
    assert rows.shape == (300, channels, 8, 8)
    batch = rows.take(torch.tensor([5, 2]))
    wanted = np.repeat(X[[5, 2]][:, None], channels, axis=1) / 255
    np.testing.assert_array_equal(batch.numpy(), wanted)
    weight = np.linspace(0, 1, 300)
    mean, scale = rows.mean_and_scale(weight)
    values = np.repeat(X[:, None] / 255, channels, axis=1)
    share = (weight / weight.sum())[:, None, None, None] / 64
    centre = (share * values).sum(axis=(0, 2, 3))
    spread = np.sqrt((share * (values - centre[:, None, None]) ** 2).sum(axis=(0, 2, 3)))
    np.testing.assert_allclose(mean, centre)
    np.testing.assert_allclose(scale, spread)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((9, 28, 28), 0),
        ((9, 3, 32, 32), 1),
        ((9, 32, 32, 3), 3),
        ((9, 4, 4, 3), 3),
        ((9, 3, 4, 4), 1),
        ((9, 3, 8, 3), 1),
        ((9, 7, 7, 7), None),
        ((9, 3), None),
    ],
)
def test_where_the_channels_are(shape: tuple[int, ...], axis: int | None) -> None:
    assert channel_axis(shape) == axis


def test_a_channel_of_one_value_is_not_blown_up() -> None:
    images = np.full((6, 4, 4, 3), 77, dtype=np.uint8)
    _, scale = as_rows(images, CPU).mean_and_scale(np.ones(6))
    assert scale.tolist() == [1.0, 1.0, 1.0]


def test_images_as_numbers_get_the_default_network_too(digits: Any) -> None:
    X, y = digits
    numbers = (X[:, None] / 255).astype(np.float32)
    classifier = RobustLossClassifier(**SMALL).fit(numbers, y)
    assert isinstance(classifier.net_.module_, ConvolutionNet)
    assert classifier.score(numbers, y) > 0.95
    # Bytes of the same images are those numbers: as good as equal probabilities.
    of_bytes = RobustLossClassifier(**SMALL).fit(X, y)
    np.testing.assert_allclose(
        of_bytes.predict_proba(X), classifier.predict_proba(numbers), atol=1e-4
    )


def test_sequences_of_numbers_are_not_taken_for_images() -> None:
    rng = np.random.RandomState(0)
    X, y = rng.rand(40, 6, 5).astype(np.float32), np.arange(40) % 2
    assert isinstance(RobustLossClassifier(**SMALL).fit(X, y).net_.module_, MLP)


def test_a_module_of_ones_own_is_told_the_channels(digits: Any) -> None:
    X, y = digits

    def network(in_channels: int, out_features: int) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(in_channels, 4, 3), nn.Flatten(), nn.Linear(4 * 36, out_features)
        )

    colour = np.repeat(X[..., None], 3, axis=3)
    classifier = RobustLossClassifier(module=network, **SMALL).fit(colour, y)
    assert classifier.net_.module_[0].in_channels == 3
    assert classifier.score(colour, y) > 0.9


def test_bytes_and_numbers_are_not_confused(digits: Any) -> None:
    X, y = digits
    classifier = RobustLossClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match=r"fitted on images of bytes \(uint8"):
        classifier.predict(X / 255)
    with pytest.raises(ValueError, match="rows of shape"):
        classifier.predict(X[:, :, :4])


def test_options_of_the_default_network_are_checked(digits: Any) -> None:
    X, y = digits
    for channels in ((), (8, 0), (4.5,)):
        with pytest.raises(ValueError, match="module__channels"):
            RobustLossClassifier(module__channels=channels, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="module__dropout"):
        RobustLossClassifier(module__dropout=1.0, **SMALL).fit(X, y)


def test_images_of_one_pixel() -> None:
    X = np.array([0, 255] * 20, dtype=np.uint8).reshape(40, 1, 1)
    assert RobustLossClassifier(**SMALL).fit(X, np.arange(40) % 2).score(X, np.arange(40) % 2) == 1


# ------------------------------------------------------------------------------------ transforms


class Recorder:
    """A transform that notes what it is given."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, ...]] = []
        self.largest = 0.0

    def __call__(self, batch: Tensor) -> Tensor:
        self.seen.append(tuple(batch.shape))
        self.largest = max(self.largest, float(batch.max()))
        return batch


@every_network
def test_a_transform_sees_training_batches_only(make: Any, digits: Any) -> None:
    X, y = digits
    recorder = Recorder()
    classifier = make(train_transform=recorder, max_epochs=2, validation_fraction=0.2).fit(X, y)
    assert recorder.seen
    assert all(shape[1:] == (1, 8, 8) for shape in recorder.seen)
    assert 0.5 < recorder.largest <= 1.0
    n_calls = len(recorder.seen)
    classifier.predict(X)
    assert len(recorder.seen) == n_calls
    if make is MAKERS["dm"]:  # one pass an epoch over the 240 rows not held out
        assert sum(shape[0] for shape in recorder.seen) == 2 * 240


def test_a_transform_that_does_nothing_changes_nothing(digits: Any) -> None:
    X, y = digits
    plain = DMClassifier(**SMALL).fit(X, y).predict_proba(X)
    np.testing.assert_array_equal(
        DMClassifier(train_transform=Recorder(), **SMALL).fit(X, y).predict_proba(X), plain
    )


def test_augmented_fits_repeat_by_seed_and_leave_the_generators_alone(digits: Any) -> None:
    X, y = digits
    state = torch.get_rng_state()
    options = {**SMALL, "max_epochs": 3, "train_transform": RandomCropAndFlip(1)}
    fits = [DMClassifier(**options).fit(X, y).predict_proba(X) for _ in range(2)]
    np.testing.assert_array_equal(*fits)
    assert torch.equal(torch.get_rng_state(), state)
    plain = DMClassifier(**{**options, "train_transform": None}).fit(X, y).predict_proba(X)
    assert not np.array_equal(fits[0], plain)


@pytest.mark.parametrize(
    ("transform", "found"),
    [
        (lambda batch: batch[:-1], r"shape \("),
        (lambda batch: batch.double(), "float64"),
        (lambda batch: batch.numpy(), "ndarray"),
        (lambda batch: None, "NoneType"),
    ],
    ids=["rows lost", "type", "no tensor", "nothing"],
)
def test_transforms_that_lose_rows_are_named(transform: Any, found: str, digits: Any) -> None:
    with pytest.raises(ValueError, match=f"train_transform must give a batch.*got.*{found}"):
        DMClassifier(train_transform=transform, **SMALL).fit(*digits)


def test_transform_must_be_callable(digits: Any) -> None:
    with pytest.raises(ValueError, match="'train_transform' parameter"):
        DMClassifier(train_transform="flip", **SMALL).fit(*digits)


def test_rows_of_a_table_can_be_transformed() -> None:
    X, y = load_digits(n_class=2, return_X_y=True)

    def jitter(batch: Tensor) -> Tensor:
        return batch + 0.1 * torch.randn_like(batch)

    assert CRUSTClassifier(train_transform=jitter, **CRUST).fit(X, y).score(X, y) > 0.95


@settings(max_examples=30, deadline=None)
@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    channels=st.integers(1, 3),
    padding=st.integers(0, 3),
    flip=st.booleans(),
    seed=st.integers(0, 100),
)
def test_every_image_is_a_shift_of_itself_or_of_its_mirror_image(
    height: int, width: int, channels: int, padding: int, flip: bool, seed: int
) -> None:
    n = 5
    images = torch.arange(1.0, 1 + n * channels * height * width).reshape(
        n, channels, height, width
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        changed = RandomCropAndFlip(padding, flip)(images)
    assert changed.shape == images.shape
    for image, found in zip(images, changed, strict=True):
        candidates = []
        # What is mirrored is read from right to left in the padded image.
        for mirrored in (False, True) if flip else (False,):
            seen = image.flip(2) if mirrored else image
            padded = nn.functional.pad(seen, [padding] * 4)
            candidates += [
                padded[:, top : top + height, left : left + width]
                for top in range(2 * padding + 1)
                for left in range(2 * padding + 1)
            ]
        assert any(torch.equal(found, candidate) for candidate in candidates)


def test_crops_and_flips_differ_from_image_to_image() -> None:
    images = torch.arange(64.0).reshape(1, 1, 8, 8).expand(200, 1, 8, 8)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        changed = RandomCropAndFlip(2)(images)
    kinds = {tuple(image.flatten().tolist()) for image in changed}
    assert len(kinds) > 40  # of fifty
    mirrored = (changed[:, 0, 3, 3] > changed[:, 0, 3, 4]).double().mean()
    assert 0.35 < mirrored < 0.65


@pytest.mark.parametrize("padding", [-1, 1.5, True, "2"])
def test_crops_name_a_wrong_padding(padding: Any) -> None:
    with pytest.raises(ValueError, match="padding must be a whole number"):
        RandomCropAndFlip(padding)


def test_crops_need_images() -> None:
    with pytest.raises(ValueError, match=r"needs images of shape .* \(4, 3\)"):
        RandomCropAndFlip()(torch.zeros(4, 3))


# ------------------------------------------------------------------------------------ named arrays


class Output(dict):
    """What encoders of the Hugging Face kind return: fields by key and by name."""

    __getattr__ = dict.__getitem__


class TinyEncoder(nn.Module):
    """Mean of the embeddings that the mask lets through, then a linear layer."""

    def __init__(self, out_features: int, vocabulary: int = 40, width: int = 16) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.classify = nn.Linear(width, out_features)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Output:
        assert input_ids.dtype == torch.int64
        mask = attention_mask.to(self.classify.weight.dtype).unsqueeze(-1)
        pooled = (self.embed(input_ids) * mask).sum(1) / mask.sum(1)
        return Output(logits=self.classify(pooled), hidden=pooled)


@pytest.fixture(scope="module")
def tokens() -> tuple[dict[str, np.ndarray], np.ndarray]:
    """120 sequences of word numbers, padded with zeros; the class shows in the words."""
    rng = np.random.RandomState(0)
    y = rng.randint(3, size=120)
    ids = rng.randint(1, 12, size=(120, 7)) + 12 * y[:, None]
    mask = np.arange(7) < rng.randint(3, 8, size=120)[:, None]
    return {"input_ids": np.where(mask, ids, 0), "attention_mask": mask.astype(np.int32)}, y


@every_network
def test_named_arrays_are_the_keywords_of_forward(make: Any, tokens: Any) -> None:
    X, y = tokens
    classifier = make(module=TinyEncoder, module__width=8, max_epochs=15).fit(X, y)
    assert classifier.score(X, y) > 0.9
    assert not hasattr(classifier, "n_features_in_")
    # Row by row: neither order nor company matters, and rows that fill a block up do no harm.
    some = {name: values[[7, 3]] for name, values in X.items()}
    np.testing.assert_allclose(
        classifier.predict_proba(some), classifier.predict_proba(X)[[7, 3]], atol=1e-6
    )


def test_named_arrays_as_tensors_or_of_a_tokenizer(tokens: Any) -> None:
    from collections import UserDict

    X, y = tokens
    wanted = DMClassifier(module=TinyEncoder, **SMALL).fit(X, y).predict_proba(X)
    tensors = {name: torch.from_numpy(values) for name, values in X.items()}
    for kind in (tensors, UserDict(tensors), SliceDict(**X)):
        found = DMClassifier(module=TinyEncoder, **SMALL).fit(kind, y).predict_proba(kind)
        np.testing.assert_array_equal(found, wanted)


def test_named_arrays_in_a_search(tokens: Any) -> None:
    X, y = tokens
    search = GridSearchCV(
        DMClassifier(module=TinyEncoder, **{**SMALL, "max_epochs": 15}),
        {"module__width": [4, 16]},
        cv=2,
        error_score="raise",
    )
    search.fit(SliceDict(**X), y)
    assert search.best_score_ > 0.8


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (lambda X: {}, ValueError, "names of the keywords"),
        (lambda X: {0: X["input_ids"]}, ValueError, "names of the keywords"),
        (lambda X: {**X, "input_ids": X["input_ids"][:5]}, ValueError, "inconsistent numbers"),
        (lambda X: {**X, "input_ids": [["a"]] * 120}, TypeError, r"X\['input_ids'\] must hold num"),
        (lambda X: {**X, "attention_mask": np.full((120, 7), np.nan)}, ValueError, "NaN"),
        (lambda X: {**X, "input_ids": 3}, ValueError, r"X\['input_ids'\] must have one entry"),
        (lambda X: {"input_ids": X["input_ids"]}, ValueError, "attention_mask"),
    ],
    ids=["empty", "no name", "lengths", "strings", "nan", "a number", "a keyword missing"],
)
def test_named_arrays_that_will_not_do(change: Any, error: Any, match: str, tokens: Any) -> None:
    X, y = tokens
    with pytest.raises(error, match=match):
        DMClassifier(module=TinyEncoder, **SMALL).fit(change(X), y)


def test_named_arrays_need_a_module_and_no_mixup(tokens: Any) -> None:
    X, y = tokens
    with pytest.raises(ValueError, match=r"no default network: pass a module"):
        DMClassifier(**SMALL).fit(X, y)
    with pytest.raises(ValueError, match="use mixup=0"):
        CRUSTClassifier(module=TinyEncoder, mixup=1.0, **CRUST).fit(X, y)


def test_named_arrays_of_other_shapes_are_refused_at_predict(tokens: Any) -> None:
    X, y = tokens
    classifier = DMClassifier(module=TinyEncoder, **SMALL).fit(X, y)
    with pytest.raises(ValueError, match="rows of shape"):
        classifier.predict({name: values[:, :4] for name, values in X.items()})


def test_a_table_after_named_arrays_and_back(tokens: Any) -> None:
    X, y = tokens
    classifier = DMClassifier(**SMALL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.fit(pd.DataFrame(X["input_ids"].astype(float)).add_prefix("word"), y)
        classifier.set_params(module=TinyEncoder).fit(X, y)
    assert not hasattr(classifier, "feature_names_in_")
    classifier.set_params(module=None).fit(X["input_ids"].astype(float), y)
    assert classifier.n_features_in_ == 7


# ------------------------------------------------------------------------------- the page of inputs


def test_every_test_that_the_page_names_exists() -> None:
    root = Path(__file__).parent
    page = (root.parent / "docs" / "inputs.md").read_text()
    named = set(re.findall(r"`(test_\w+)`", page))
    defined = {
        name
        for path in root.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), flags=re.MULTILINE)
    }
    assert len(named) > 15
    assert named <= defined
