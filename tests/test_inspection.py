"""Displays draw the arrays they were given, into the axes they were given; callbacks look on."""

from __future__ import annotations

import builtins
import itertools
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.integrate import trapezoid
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from noisyfit import (
    CoresetClassifier,
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    GradientMedoidSelector,
    RobustLossClassifier,
)
from noisyfit.callbacks import CoresetScoring, MemorizationScoring
from noisyfit.inspection import (
    CoresetHistoryDisplay,
    EmphasisDisplay,
    GradientSpaceDisplay,
    LabelQualityDisplay,
    MemorizationDisplay,
    TransitionMatrixDisplay,
)
from noisyfit.inspection.emphasis_curve import TALLEST_BAR
from noisyfit.inspection.gradient_space import principal_plane
from noisyfit.inspection.tick_names import CellSize, name_ticks
from noisyfit.losses import GeneralizedCrossEntropy
from noisyfit.noise import symmetric_noise, transition_matrix
from noisyfit.selection import logit_gradients
from noisyfit.weighting import DMEmphasis

matplotlib = pytest.importorskip("matplotlib", reason="displays draw with matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402  (after the backend is chosen)

NAMES = np.array(["setosa", "versicolor", "virginica"])
SMALL = {"max_epochs": 4, "module__hidden": (16,), "random_state": 0}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def iris():
    """X, true labels, given labels and the mask of the wrong ones."""
    X, codes = load_iris(return_X_y=True)
    y = NAMES[codes]
    given, wrong = symmetric_noise(y, 0.3, random_state=0)
    return X, y, given, wrong


@pytest.fixture(scope="module")
def crust(iris):
    """Fitted with both callbacks; not to be fitted again."""
    X, y, given, _ = iris
    callbacks = [MemorizationScoring(y, given), CoresetScoring(y, given)]
    return CRUSTClassifier(cross_fit=None, callbacks=callbacks, **SMALL).fit(X, given)


@pytest.fixture(scope="module")
def coreset(iris):
    X, _, given, _ = iris
    return CoresetClassifier(random_state=0).fit(X, given)


@pytest.fixture(scope="module")
def dm(iris):
    X, _, given, _ = iris
    return DMClassifier(**SMALL).fit(X, given)


def heights(bars):
    return np.array([bar.get_height() for bar in bars])


def legend_texts(ax):
    legend = ax.get_legend()
    return [legend.get_title().get_text(), *(text.get_text() for text in legend.get_texts())]


# ------------------------------------------------------------------------ what all have in common


def make_displays(iris, crust):
    """One display of each kind, from arrays alone, not drawn yet."""
    X, _, given, wrong = iris
    gradients = logit_gradients(crust.predict_proba(X), np.searchsorted(NAMES, given))
    coordinates, zero, explained = principal_plane(gradients)
    p = np.linspace(0, 1, 11)
    return [
        LabelQualityDisplay(crust.label_quality_, wrong=wrong),
        TransitionMatrixDisplay(crust.transition_matrix_, classes=NAMES),
        CoresetHistoryDisplay([3, 4, 5], [0.5, 0.6, 0.7], purity=[0.9, 0.8, 0.7]),
        EmphasisDisplay(p, p * (1 - p), name="mine", row_probabilities=p),
        GradientSpaceDisplay(
            coordinates, coreset=[1, 5], wrong=wrong, zero=zero, explained_variance_ratio=explained
        ),
        MemorizationDisplay([1, 2], [0.7, 0.9], [0.1, 0.3], [0.6, 0.5]),
    ]


def test_displays_draw_into_new_or_given_axes_and_leave_settings_alone(iris, crust):
    displays = make_displays(iris, crust)
    settings, backend = dict(matplotlib.rcParams), matplotlib.get_backend()
    figure, axes = plt.subplots(2, 3)
    for display, ax in zip(displays, axes.flat, strict=True):
        assert display.plot(ax=ax) is display
        assert display.ax_ is ax
        assert display.figure_ is figure
    n_open = len(plt.get_fignums())
    for display, ax in zip(displays, axes.flat, strict=True):
        display.plot()
        assert display.ax_ is not ax
        assert display.figure_ is display.ax_.figure
    assert len(plt.get_fignums()) == n_open + len(displays)
    assert all(display.ax_.get_xlabel() and display.ax_.get_ylabel() for display in displays)
    assert dict(matplotlib.rcParams) == settings
    assert matplotlib.get_backend() == backend


def test_displays_in_subfigures_can_be_drawn(iris, crust):
    left, right = plt.figure(figsize=(12, 6), layout="constrained").subfigures(1, 2)
    for display, sub in zip(make_displays(iris, crust)[:2], (left, right), strict=True):
        display.plot(ax=sub.subplots())
        assert display.figure_ is sub
    left.figure.draw_without_rendering()


def test_axes_have_to_be_axes(iris, crust):
    _, axes = plt.subplots(1, 2)
    for display in make_displays(iris, crust):
        with pytest.raises(TypeError, match=r"ax must be a matplotlib Axes, got ndarray"):
            display.plot(ax=axes)


def test_without_matplotlib_displays_can_be_made_and_plot_says_what_is_missing(monkeypatch):
    find = builtins.__import__

    def without(name, *args, **kwargs):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return find(name, *args, **kwargs)

    display = MemorizationDisplay([1, 2], [0.5, 0.6])
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        display.plot()


FROM_ESTIMATOR = [
    (LabelQualityDisplay, ()),
    (TransitionMatrixDisplay, ()),
    (CoresetHistoryDisplay, ()),
    (EmphasisDisplay, ()),
    (MemorizationDisplay, ()),
    (GradientSpaceDisplay, (np.ones((3, 2)), [0, 1, 0])),
]


@pytest.mark.parametrize(("kind", "arguments"), FROM_ESTIMATOR)
def test_an_estimator_that_is_not_fitted_is_refused(kind, arguments):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        kind.from_estimator(DMClassifier(), *arguments)


@pytest.mark.parametrize(("kind", "arguments"), FROM_ESTIMATOR[:5])
def test_an_estimator_without_the_attribute_is_refused(kind, arguments, iris):
    X, _, given, _ = iris
    pipeline = make_pipeline(LogisticRegression(max_iter=1000)).fit(X, given)
    with pytest.raises(AttributeError, match=r"Pipeline has no \w+_ after fit.*pass its last step"):
        kind.from_estimator(pipeline, *arguments)


# ----------------------------------------------------------------------------------- label quality


def test_label_quality_bars_are_the_histogram_by_truth(iris, coreset):
    _, y, given, wrong = iris
    display = LabelQualityDisplay.from_estimator(coreset, given, y_true=y, bins=8)
    right_bars, wrong_bars = display.bars_
    edges = np.linspace(0, 1, 9)
    quality = coreset.label_quality_
    expected = [np.histogram(quality[mask], edges)[0] for mask in (~wrong, wrong)]
    np.testing.assert_array_equal(heights(right_bars), expected[0])
    np.testing.assert_array_equal(heights(wrong_bars), expected[1])
    assert [bar.get_y() for bar in wrong_bars] == expected[0].tolist()  # stacked
    assert wrong_bars[0].get_hatch()
    assert not right_bars[0].get_hatch()
    title, *labels = legend_texts(display.ax_)
    judged = np.mean(coreset.transduction_ != given)
    assert f"judged wrong: {judged:.1%}" in title
    assert f"estimated noise rate: {coreset.noise_rate_:.1%}" in title
    assert labels == ["right (105)", "wrong (45)"]


def test_label_quality_without_truth_goes_by_judgement_or_by_nothing(iris, coreset):
    _, _, given, _ = iris
    judged = LabelQualityDisplay.from_estimator(coreset, given)
    n_judged = int(np.sum(coreset.transduction_ != given))
    assert legend_texts(judged.ax_)[1:] == [
        f"judged right ({150 - n_judged})", f"judged wrong ({n_judged})"
    ]  # fmt: skip
    plain = LabelQualityDisplay.from_estimator(coreset)
    assert legend_texts(plain.ax_)[1:] == ["all rows (150)"]
    assert heights(plain.bars_[0]).sum() == 150


def test_label_quality_from_predictions_of_any_classifier(iris):
    X, y, given, _ = iris
    p = LogisticRegression(max_iter=1000).fit(X, given).predict_proba(X)
    display = LabelQualityDisplay.from_predictions(p, given, classes=NAMES, y_true=y)
    norms = np.linalg.norm(p - (given[:, None] == NAMES), axis=1)
    np.testing.assert_allclose(display.label_quality, 1 - norms / np.sqrt(2))
    assert display.judged_wrong.sum() == pytest.approx(150 * display.noise_rate, abs=2)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.5, np.nan],), ValueError, r"label_quality must lie in \[0, 1\] without NaN, got nan"),
        (([0.5, 1.5],), ValueError, "got 1.5"),
        (([],), ValueError, "not empty"),
    ],
)
def test_label_quality_refuses_what_is_none(arguments, error, message):
    with pytest.raises(error, match=message):
        LabelQualityDisplay(*arguments).plot()


def test_masks_have_to_fit():
    with pytest.raises(ValueError, match=r"wrong has shape \(2,\), expected \(3,\)"):
        LabelQualityDisplay([0.1, 0.2, 0.3], wrong=[True, False]).plot()
    with pytest.raises(TypeError, match="judged_wrong must hold a truth value"):
        LabelQualityDisplay([0.1, 0.2], judged_wrong=[0, 1]).plot()


def test_labels_have_to_be_those_of_fit(iris, coreset):
    _, y, given, _ = iris
    with pytest.raises(ValueError, match="y_given has 10 labels, expected 150"):
        LabelQualityDisplay.from_estimator(coreset, given[:10])
    with pytest.raises(ValueError, match=r"y_given contains labels that are not in classes"):
        LabelQualityDisplay.from_estimator(coreset, np.arange(150) % 3)
    with pytest.raises(ValueError, match="pass the labels given to fit too"):
        LabelQualityDisplay.from_estimator(coreset, y_true=y)
    with pytest.raises(ValueError, match="no label in common"):
        LabelQualityDisplay.from_estimator(coreset, given, y_true=np.arange(150) % 3)


# ------------------------------------------------------------------------------- transition matrix


def drawn_numbers(display):
    return np.array([[float(text.get_text() or 0) for text in row] for row in display.text_])


@pytest.mark.parametrize("name", ["crust", "coreset", "dm"])
def test_transition_matrix_of_an_estimator_is_drawn(name, request):
    estimator = request.getfixturevalue(name)
    display = TransitionMatrixDisplay.from_estimator(estimator)
    matrix = estimator.transition_matrix_
    np.testing.assert_array_equal(display.image_.get_array(), matrix)
    np.testing.assert_allclose(drawn_numbers(display), matrix, atol=0.0051)
    ticks = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert ticks == estimator.classes_.tolist()
    assert (display.ax_.get_xlabel(), display.ax_.get_ylabel()) == ("given label", "true label")
    assert display.image_.get_clim() == (0, 1)


def test_transition_matrix_against_the_true_one(iris, coreset):
    _, y, given, _ = iris
    true = transition_matrix(y, given)
    figure, axes = plt.subplots(1, 3, figsize=(15, 5))
    display = TransitionMatrixDisplay.from_estimator(coreset, y_true=y, y_given=given, ax=axes[0])
    np.testing.assert_array_equal(display.plot(ax=axes[1], show="true").image_.get_array(), true)
    display.plot(ax=axes[2], show="difference")
    difference = coreset.transition_matrix_ - true
    np.testing.assert_array_equal(display.image_.get_array(), difference)
    low, high = display.image_.get_clim()
    assert -low == high == np.abs(difference).max()
    signs = {text.get_text()[0] for text in display.text_.ravel()}
    assert signs <= {"+", "-", "0"}
    assert len(figure.axes) == 3 + 3  # with their scales
    with pytest.raises(ValueError, match="together"):
        TransitionMatrixDisplay.from_estimator(coreset, y_true=y)
    with pytest.raises(ValueError, match="needs the true matrix"):
        TransitionMatrixDisplay.from_estimator(coreset, show="difference")
    with pytest.raises(ValueError, match=r"show must be one of .* got 'both'"):
        TransitionMatrixDisplay.from_estimator(coreset, show="both")


def test_numbers_are_written_where_they_can_be_read(rng):
    for size in (None, (4.8, 4.0)):
        matrix = rng.dirichlet(np.ones(10), 10)
        ax = None if size is None else plt.figure(figsize=size, layout="constrained").subplots()
        display = TransitionMatrixDisplay(matrix).plot(ax=ax)
        display.figure_.draw_without_rendering()
        cell = display.ax_.get_window_extent().width / 10
        assert max(text.get_window_extent().width for text in display.text_.ravel()) < cell
    for n_classes, written in ((2, True), (10, True), (20, True), (40, False)):
        matrix = rng.dirichlet(np.ones(n_classes), n_classes)
        display = TransitionMatrixDisplay(matrix).plot()
        assert (display.text_ is not None) == written
        if written:
            np.testing.assert_allclose(drawn_numbers(display), matrix, atol=0.0051)
    small = plt.figure(figsize=(2, 2)).subplots()
    matrix = np.full((20, 20), 1 / 20)
    assert TransitionMatrixDisplay(matrix).plot(ax=small).text_ is None
    assert TransitionMatrixDisplay(matrix).plot(ax=small, include_values=True).text_ is not None
    assert TransitionMatrixDisplay(np.eye(2)).plot(include_values=False).text_ is None
    display = TransitionMatrixDisplay(np.eye(2)).plot(values_format=".0%", colorbar=False)
    assert display.text_[0, 0].get_text() == "100%"
    assert display.colorbar_ is None
    with pytest.raises(ValueError, match="include_values must be a bool or 'auto'"):
        display.plot(include_values="yes")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.mark.parametrize("size", [(3, 3), (6.4, 4.8)])
@pytest.mark.parametrize("n_classes", [2, 7, 30, 1000])
@pytest.mark.parametrize("length", [1, 9, 40])
def test_class_names_do_not_overlap(n_classes, length, size):
    names = [str(code).zfill(length)[-max(length, 4) :] for code in range(n_classes)]
    figure = plt.figure(figsize=size)
    ax = figure.subplots()
    ax.imshow(np.zeros((n_classes, n_classes)))
    name_ticks(ax, names, CellSize.of(ax, n_classes, n_classes))
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in ax.get_yticklabels()]
    assert all(one.y0 >= other.y1 for one, other in itertools.pairwise(boxes))
    across = ax.get_xticklabels()
    if across[0].get_rotation() == 0:
        boxes = [text.get_window_extent() for text in across]
        assert all(one.x1 <= other.x0 for one, other in itertools.pairwise(boxes))
    else:  # of leaning names it is the lines that must not touch
        apart = np.diff([ax.transData.transform((x, 0))[0] for x in ax.get_xticks()])
        assert (apart * np.sin(np.pi / 4) >= 0.7 * across[0].get_fontsize() * 100 / 72).all()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)) / 3, "square matrix"),
        ([[0.9, 0.3], [0.1, 0.7]], "rows sum to 1"),
        ([[np.nan, 1.0], [0.0, 1.0]], "without NaN"),
        ([[1.0]], "two classes at least"),
        ([["a", "b"], ["c", "d"]], "square matrix of numbers"),
    ],
)
def test_matrices_have_to_be_noise_matrices(matrix, message):
    with pytest.raises(ValueError, match=f"transition_matrix must .*{message}"):
        TransitionMatrixDisplay(matrix).plot()
    with pytest.raises(ValueError, match=f"true_matrix must .*{message}"):
        TransitionMatrixDisplay(np.eye(2), true_matrix=matrix).plot(show="true")


def test_names_and_true_matrix_have_to_fit():
    with pytest.raises(ValueError, match="classes has 3 names, but the matrix is for 2"):
        TransitionMatrixDisplay(np.eye(2), classes=NAMES).plot()
    with pytest.raises(ValueError, match=r"true_matrix has shape \(3, 3\)"):
        TransitionMatrixDisplay(np.eye(2), true_matrix=np.eye(3)).plot(show="true")


# --------------------------------------------------------------------------- coreset and callbacks


def test_coreset_history_lines_are_the_history(iris, crust):
    display = CoresetHistoryDisplay.from_estimator(crust)
    epochs = [epoch["epoch"] for epoch in crust.history_ if "coreset_size" in epoch]
    assert epochs == [4]  # three epochs of warm-up
    for line, name, scale in (
        ("size", "coreset_size", 150), ("purity", "coreset_purity", 1),
        ("recall", "coreset_recall", 1),
    ):  # fmt: skip
        drawn = display.lines_[line]
        assert drawn.get_xdata().tolist() == epochs
        assert drawn.get_ydata() * scale == pytest.approx([crust.history_[-1, name]])
    clean = display.lines_["clean share"].get_ydata()
    assert clean == pytest.approx([105 / 150] * 2)
    assert "no coreset yet" in legend_texts(display.ax_)


def test_without_the_callback_the_size_is_known(iris):
    X, _, given, _ = iris
    classifier = CRUSTClassifier.paper(fraction=0.5, batch_size=16, **{**SMALL, "max_epochs": 7})
    display = CoresetHistoryDisplay.from_estimator(classifier.fit(X, given))
    assert set(display.lines_) == {"size"}
    rows = [epoch["n_rows"] for epoch in classifier.history_ if epoch["phase"] == "coreset"]
    np.testing.assert_allclose(display.lines_["size"].get_ydata(), np.array(rows) / 150)


def test_methods_on_all_rows_have_no_coreset_to_draw(dm, coreset):
    with pytest.raises(ValueError, match=r"history_ of DMClassifier tells of no coreset"):
        CoresetHistoryDisplay.from_estimator(dm)
    with pytest.raises(AttributeError, match="selected once can be drawn by GradientSpaceDisplay"):
        CoresetHistoryDisplay.from_estimator(coreset)


def test_coresets_of_an_own_loop():
    wrong = np.array([True, False, False, True])
    mask = np.array([False, True, True, False])
    display = CoresetHistoryDisplay.from_coresets([[0, 1, 3], mask], 4, wrong=wrong, epochs=[5, 7])
    assert display.lines_["size"].get_ydata().tolist() == [0.75, 0.5]
    assert display.lines_["purity"].get_ydata() == pytest.approx([1 / 3, 1])
    assert display.lines_["recall"].get_ydata().tolist() == [0.5, 1]
    assert display.lines_["purity"].get_xdata().tolist() == [5, 7]
    with pytest.raises(ValueError, match="coresets names row 4, but there are 4 rows"):
        CoresetHistoryDisplay.from_coresets([[4]], 4)
    with pytest.raises(ValueError, match=r"those at \[1\] are empty"):
        CoresetHistoryDisplay.from_coresets([[0], []], 4)


@pytest.mark.parametrize(
    ("epochs", "size", "message"),
    [
        ([1, 2], [0.5], r"size has shape \(1,\), expected \(2,\)"),
        ([2, 1], [0.5, 0.5], "epochs must rise"),
        ([1, 2], [0.5, np.nan], "size must lie in"),
        ([], [], "epochs must be a one-dimensional array of integers, not empty"),
    ],
)
def test_series_have_to_fit_the_epochs(epochs, size, message):
    with pytest.raises(ValueError, match=message):
        CoresetHistoryDisplay(epochs, size).plot()
    with pytest.raises(ValueError, match=message.replace("size", "memorized")):
        MemorizationDisplay(epochs, memorized=size).plot()


# ------------------------------------------------------------------------------------ memorization


def test_memorization_is_that_of_the_network_after_each_epoch(iris, crust):
    X, y, given, wrong = iris
    predicted = crust.predict(X)
    last = crust.history_[-1]
    assert last["clean_accuracy"] == pytest.approx(np.mean((predicted == y)[~wrong]))
    assert last["memorized"] == pytest.approx(np.mean((predicted == given)[wrong]))
    assert last["corrected"] == pytest.approx(np.mean((predicted == y)[wrong]))
    display = MemorizationDisplay.from_estimator(crust)
    for name, line in display.lines_.items():
        assert line.get_ydata().tolist() == [epoch[name] for epoch in crust.history_]
        assert line.get_xdata().tolist() == [1, 2, 3, 4]
    assert len({line.get_linestyle() for line in display.lines_.values()}) == 3


def test_memorization_begins_after_the_epochs_of_helper_networks(iris):
    X, y, given, _ = iris
    callbacks = [MemorizationScoring(y, given)]
    classifier = ForwardClassifier(
        callbacks=callbacks, estimation_epochs=1, cross_fit=None, **SMALL
    ).fit(X, given)
    display = MemorizationDisplay.from_estimator(classifier)
    n_epochs = len(classifier.history_)
    assert n_epochs > 4
    assert display.epochs.tolist() == list(range(n_epochs - 3, n_epochs + 1))


def test_memorization_of_an_own_loop():
    y_true, y_given = np.array(["a", "b", "b", "a"]), np.array(["a", "b", "a", "b"])
    predictions = [["a", "a", "b", "a"], ["a", "b", "a", "c"]]
    display = MemorizationDisplay.from_predictions(predictions, y_given, y_true)
    assert display.lines_["clean_accuracy"].get_ydata().tolist() == [0.5, 1]
    assert display.lines_["memorized"].get_ydata().tolist() == [0, 0.5]
    assert display.lines_["corrected"].get_ydata().tolist() == [1, 0]
    with pytest.raises(ValueError, match=r"predictions must have shape \(n_epochs, 4\)"):
        MemorizationDisplay.from_predictions([["a"]], y_given, y_true)
    with pytest.raises(ValueError, match="have no label in common"):
        MemorizationDisplay.from_predictions([[0, 1, 1, 0]], y_given, y_true)
    with pytest.raises(ValueError, match="nothing to draw"):
        MemorizationDisplay([1]).plot()


def test_a_fit_without_the_callback_tells_nothing_of_memorization(dm):
    with pytest.raises(ValueError, match=r"callbacks=\[MemorizationScoring\(y_true, y_given\)\]"):
        MemorizationDisplay.from_estimator(dm)


# ---------------------------------------------------------------------------------------- emphasis


def test_emphasis_curve_is_the_fitted_density_and_bars_are_the_rows(iris, dm):
    X, y, given, wrong = iris
    display = EmphasisDisplay.from_estimator(dm, X, given, y_true=y, bins=10)
    p, weight = display.line_.get_data()
    density = dm.emphasis_
    expected = density.weight(torch.from_numpy(p)).numpy() / density.integral()
    np.testing.assert_allclose(weight, expected)
    assert trapezoid(weight, p) == pytest.approx(1, abs=1e-3)
    marked = p[display.line_.get_markevery()[0]]
    assert marked == density.mode
    assert weight.max() == pytest.approx(weight[p == marked][0])
    own = dm.predict_proba(X)[np.arange(150), np.searchsorted(NAMES, given)]
    counts = [np.histogram(own[mask], np.linspace(0, 1, 11))[0] for mask in (~wrong, wrong)]
    scale = TALLEST_BAR / sum(counts).max()
    np.testing.assert_allclose(heights(display.bars_[0]), scale * counts[0])
    np.testing.assert_allclose(heights(display.bars_[1]), scale * counts[1])
    np.testing.assert_allclose([bar.get_y() for bar in display.bars_[1]], scale * counts[0])
    # heights are shares of the axes, whatever the scale of the weights
    tallest = max(bar.get_window_extent().y1 for bars in display.bars_ for bar in bars)
    top = display.ax_.transAxes.transform((0, TALLEST_BAR))[1]
    assert tallest == pytest.approx(top, abs=1)
    assert "mode" in display.name
    assert "variance" in display.name


def test_emphasis_shows_the_training_rows_by_default(dm):
    display = EmphasisDisplay.from_estimator(dm)
    np.testing.assert_array_equal(display.row_probabilities, dm.label_quality_)


def test_emphasis_curves_of_losses_share_axes_in_looks_of_their_own():
    first = EmphasisDisplay.from_criterion("gce", normalize=False)
    p, weight = first.line_.get_data()
    np.testing.assert_allclose(weight, 2 * p**0.7 * (1 - p), atol=1e-9)
    second = EmphasisDisplay.from_criterion(GeneralizedCrossEntropy(), ax=first.ax_)
    third = EmphasisDisplay.from_emphasis("dm", mode=0.25, variance=4.0, ax=first.ax_)
    lines = [first.line_, second.line_, third.line_]
    assert len({line.get_color() for line in lines}) == 3
    assert len({str(line.get_linestyle()) for line in lines}) == 3
    assert legend_texts(first.ax_)[1:] == [
        "gce", "generalized cross entropy", "DM: mode 0.25, variance 4"
    ]  # fmt: skip
    assert first.ax_.get_ylim()[1] > max(line.get_ydata().max() for line in lines)


def test_emphasis_of_a_function_of_ones_own():
    def window(p):
        return (p > 0.2).double()

    display = EmphasisDisplay.from_emphasis(window, row_probabilities=[0.1, 0.3])
    assert display.line_.get_label().startswith("window: mode")
    with pytest.raises(ValueError, match="normalize=False"):
        EmphasisDisplay.from_emphasis(lambda p: 0 * p)
    with pytest.raises(ValueError, match="row_probabilities must lie in"):
        EmphasisDisplay.from_emphasis(DMEmphasis(), row_probabilities=[np.nan])
    with pytest.raises(ValueError, match="weight must hold a finite"):
        EmphasisDisplay([0, 1], [1, np.inf]).plot()


def test_emphasis_errors_say_what_to_pass(iris, dm, crust):
    X, y, given, _ = iris
    with pytest.raises(AttributeError, match=r"EmphasisDisplay.from_criterion"):
        EmphasisDisplay.from_estimator(crust)
    with pytest.raises(ValueError, match="X without y_given"):
        EmphasisDisplay.from_estimator(dm, X)
    with pytest.raises(ValueError, match="y_given has 3 labels, X 150 rows"):
        EmphasisDisplay.from_estimator(dm, X, given[:3])
    with pytest.raises(ValueError, match="y_true without y_given"):
        EmphasisDisplay.from_estimator(dm, y_true=y)
    partial = DMClassifier(**SMALL).partial_fit(X, given)
    assert EmphasisDisplay.from_estimator(partial).bars_ == []
    with pytest.raises(ValueError, match="partial_fit kept none"):
        EmphasisDisplay.from_estimator(partial, y_given=given, y_true=y)


# ---------------------------------------------------------------------------------- gradient space


def offsets(display):
    """All rows drawn, in no order."""
    return np.concatenate([points.get_offsets() for points in display.points_.values()])


@pytest.mark.parametrize("shape", [(40, 5), (5, 40)])
def test_principal_plane_is_that_of_scikit_learn(shape, rng):
    from sklearn.decomposition import PCA

    points = rng.normal(size=shape) * np.arange(1, shape[1] + 1)
    coordinates, zero, explained = principal_plane(points)
    pca = PCA(2).fit(points)
    np.testing.assert_allclose(np.abs(coordinates), np.abs(pca.transform(points)), atol=1e-8)
    np.testing.assert_allclose(np.abs(zero), np.abs(pca.transform(0 * points[:1])[0]), atol=1e-8)
    np.testing.assert_allclose(explained, pca.explained_variance_ratio_, atol=1e-8)
    np.testing.assert_array_equal(principal_plane(points)[0], coordinates)


def test_gradient_space_marks_coreset_and_truth(iris, crust):
    X, y, given, wrong = iris
    display = GradientSpaceDisplay.from_estimator(crust, X, given, y_true=y)
    gradients = logit_gradients(crust.predict_proba(X), np.searchsorted(NAMES, given))
    coordinates, zero, _ = principal_plane(gradients)
    chosen = np.isin(np.arange(150), crust.coreset_indices_)
    expected = {
        "right, left out": ~wrong & ~chosen, "wrong, left out": wrong & ~chosen,
        "wrong, in the coreset": wrong & chosen, "right, in the coreset": ~wrong & chosen,
    }  # fmt: skip
    drawn = {label.split(" (")[0]: points for label, points in display.points_.items()}
    for label, mask in expected.items():
        assert (label in drawn) == mask.any()
        if mask.any():
            np.testing.assert_allclose(drawn[label].get_offsets(), coordinates[mask])
            hollow = len(drawn[label].get_facecolors()) == 0
            assert hollow == ("left out" in label)
    (cross,) = [c for c in display.ax_.collections if c.get_label().startswith("zero")]
    np.testing.assert_allclose(cross.get_offsets()[0], zero)
    assert f"({display.explained_variance_ratio[0]:.0%} of variance)" in display.ax_.get_xlabel()


def test_few_medoids_are_drawn_larger(rng):
    points = rng.normal(size=(100, 4))
    few = GradientSpaceDisplay.from_gradients(points, coreset=[1, 2])
    many = GradientSpaceDisplay.from_gradients(points, coreset=np.arange(60))
    assert few.points_["coreset (2)"].get_sizes() > many.points_["coreset (60)"].get_sizes()


def test_gradient_space_of_other_estimators(iris, coreset, dm):
    X, y, given, _ = iris
    rows = coreset.coreset_indices_
    display = GradientSpaceDisplay.from_estimator(coreset, X, given)
    assert set(display.points_) == {f"left out ({150 - len(rows)})", f"coreset ({len(rows)})"}
    display = GradientSpaceDisplay.from_estimator(dm, X, given, y_true=y)
    assert set(display.points_) == {"right label (105)", "wrong label (45)"}
    display = GradientSpaceDisplay.from_estimator(dm, X, given)
    assert set(display.points_) == {"rows (150)"}
    np.testing.assert_allclose(offsets(display), display.coordinates)

    selector = GradientMedoidSelector(k=5).fit(X)
    display = GradientSpaceDisplay.from_estimator(selector, X)
    np.testing.assert_array_equal(np.unique(display.coreset), selector.sample_indices_)
    assert "coreset (5)" in display.points_
    selector = GradientMedoidSelector(k=5, estimator=LogisticRegression(max_iter=1000)).fit(
        X, given
    )
    with pytest.raises(TypeError, match="keeps no gradients"):
        GradientSpaceDisplay.from_estimator(selector, X)


def test_two_classes_lie_on_a_line_and_are_spread_out(rng):
    p = rng.uniform(size=50)
    display = GradientSpaceDisplay.from_predictions(np.column_stack([p, 1 - p]), np.arange(50) % 2)
    assert np.ptp(display.coordinates[:, 1]) == 0
    drawn = offsets(display)
    np.testing.assert_allclose(drawn[:, 0], display.coordinates[:, 0])
    assert np.ptp(drawn[:, 1]) > 0.9
    assert len(display.ax_.get_yticks()) == 0
    assert display.explained_variance_ratio == pytest.approx([1, 0])


def test_gradient_space_errors_say_what_does_not_fit(iris, crust, dm):
    X, _, given, _ = iris
    with pytest.raises(ValueError, match="X has 20 rows, but coreset_indices_ are rows of the 150"):
        GradientSpaceDisplay.from_estimator(crust, X[:20], given[:20])
    with pytest.raises(ValueError, match="need the given labels"):
        GradientSpaceDisplay.from_estimator(dm, X)
    with pytest.raises(ValueError, match="y has 20 labels but probabilities has 150"):
        GradientSpaceDisplay.from_estimator(dm, X, given[:20])
    with pytest.raises(ValueError, match="coreset names row 3, but there are 3 rows"):
        GradientSpaceDisplay.from_gradients(np.eye(3), coreset=[3])
    with pytest.raises(ValueError, match="coreset names row -1"):
        GradientSpaceDisplay.from_gradients(np.eye(3), coreset=[-1])
    with pytest.raises(ValueError, match="contains NaN"):
        GradientSpaceDisplay.from_gradients([[np.nan, 1], [0, 1]])
    with pytest.raises(ValueError, match="two rows and two columns"):
        GradientSpaceDisplay.from_gradients([[1.0, 2.0]])
    with pytest.raises(ValueError, match=r"coordinates must be finite and of shape \(n, 2\)"):
        GradientSpaceDisplay(np.ones((4, 3))).plot()


# ------------------------------------------------------------------------------- many, and legends


def test_legends_do_not_cover_the_data(iris, crust):
    """Of displays with a legend inside the axes, drawn at a usual and at a small size."""
    for size in ((6.4, 4.8), (3.2, 3.0)):
        figure = plt.figure(figsize=(3 * size[0], 2 * size[1]), layout="constrained")
        displays = make_displays(iris, crust)
        for display, ax in zip(displays, figure.subplots(2, 3).flat, strict=True):
            display.plot(ax=ax)
        figure.draw_without_rendering()
        for display in displays:
            ax = display.ax_
            if ax.get_legend() is None:
                assert isinstance(display, TransitionMatrixDisplay)
                continue
            bottom = ax.get_legend().get_window_extent().y0
            data = [line.get_window_extent().y1 for line in ax.lines]
            for bars in getattr(display, "bars_", ()):
                data += [bar.get_window_extent().y1 for bar in bars]
            for points in getattr(display, "points_", {}).values():
                data.append(ax.transData.transform(points.get_offsets())[:, 1].max())
            assert max(data) <= bottom + 6


def test_digits_of_ten_classes_from_a_robust_loss():
    X, y = (part[:300] for part in load_digits(return_X_y=True))
    given, wrong = symmetric_noise(y, 0.4, random_state=0)
    callbacks = [MemorizationScoring(y, given)]
    classifier = RobustLossClassifier("ce", callbacks=callbacks, **SMALL).fit(X, given)
    display = TransitionMatrixDisplay.from_estimator(classifier)
    assert display.text_.shape == (10, 10)
    first, last = classifier.history_[0], classifier.history_[-1]
    assert last["clean_accuracy"] > first["clean_accuracy"]
    predicted = classifier.predict(X)
    assert last["memorized"] == pytest.approx(np.mean((predicted == given)[wrong]))


def test_the_example_draws_all_of_them(monkeypatch, tmp_path, capsys):
    script = Path(__file__).resolve().parents[1] / "examples" / "inspection.py"
    monkeypatch.setattr(sys, "argv", [str(script), "--epochs", "1", "--output", str(tmp_path)])
    X, y = load_digits(return_X_y=True)
    monkeypatch.setattr("sklearn.datasets.load_digits", lambda return_X_y: (X[:400], y[:400]))
    n_threads = torch.get_num_threads()
    try:
        runpy.run_path(str(script), run_name="__main__")
    finally:
        torch.set_num_threads(n_threads)
    names = {"learning", "label_quality", "transition_matrix", "coreset", "emphasis"}
    assert {path.stem for path in tmp_path.glob("*.png")} == names
    assert capsys.readouterr().out.count("test accuracy 0.") == 3
