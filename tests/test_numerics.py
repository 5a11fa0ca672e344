"""Numbers at the edge: single against double precision, extreme logits, scales and class counts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from composition.common import CLASSIFIERS, NEWER, coreset, crust, dm
from sklearn.datasets import make_blobs
from torch import nn

from noisyfit import CoresetClassifier, CRUSTClassifier, DMClassifier, GradientMedoidSelector
from noisyfit._peaked import MANY_COLUMNS, PeakedRows
from noisyfit.losses import (
    CRITERION_NAMES,
    BackwardCorrection,
    DerivativeManipulation,
    DeterminantMutualInformation,
    EarlyLearningRegularization,
    ForwardCorrection,
    ImportanceReweighting,
    LabelDistributionLearning,
    LogitDerivative,
    resolve_criterion,
)
from noisyfit.noise import (
    believed_labels,
    estimate_noise,
    find_label_issues,
    label_quality,
    symmetric_noise,
)
from noisyfit.selection import (
    SELECTION_METHODS,
    facility_location,
    gradient_norms,
    greedy_medoids,
    keep_smallest,
    logit_gradients,
    select_coreset,
    swap_medoids,
    total_distance,
)
from noisyfit.weighting import EMPHASIS_NAMES

N_ROWS = 12


def noise_matrix(n_classes, rate=0.3):
    matrix = np.full((n_classes, n_classes), rate / (n_classes - 1))
    np.fill_diagonal(matrix, 1 - rate)
    return matrix


def learned_labels(n_classes):
    return LabelDistributionLearning(torch.arange(N_ROWS) % n_classes, n_classes)


def by_row(criterion):
    """The call of a criterion that knows its rows, as that of any other."""
    return lambda logits, target: criterion(logits, target, torch.arange(len(logits)))


def half_of(logits, target):
    return (logits.softmax(1) - nn.functional.one_hot(target, logits.shape[1])) / 2


# A criterion for so many classes; new ones for each test, since some learn.
CRITERIA = {
    **{name: lambda n, name=name: resolve_criterion(name) for name in CRITERION_NAMES},
    **{
        f"dm {name} {normalize}": lambda n, name=name, normalize=normalize: DerivativeManipulation(
            name, normalize=normalize
        )
        for name in EMPHASIS_NAMES
        for normalize in ("integral", "batch", None)
        if not (name == "sl" and normalize is None)
    },
    "forward": lambda n: ForwardCorrection(noise_matrix(n)),
    "backward": lambda n: BackwardCorrection(noise_matrix(n)),
    "reweighting": lambda n: ImportanceReweighting(noise_matrix(n)),
    "revised": lambda n: ImportanceReweighting(noise_matrix(n)).revise(),
    "determinant": lambda n: DeterminantMutualInformation(),
    "early learning": lambda n: by_row(EarlyLearningRegularization(N_ROWS, n)),
    "pencil": lambda n: by_row(learned_labels(n)),
    "derivative": lambda n: LogitDerivative(half_of),
}
every_criterion = pytest.mark.parametrize("make", CRITERIA.values(), ids=CRITERIA)


def losses_and_gradient(make, logits, target):
    leaf = logits.clone().requires_grad_()
    losses = make(logits.shape[1])(leaf, target)
    (gradient,) = torch.autograd.grad(losses.sum(), leaf)
    return losses.detach(), gradient


# ------------------------------------------------------------------------------------- criteria


@every_criterion
@pytest.mark.parametrize("n_classes", [2, 3, 10])
@pytest.mark.parametrize("spread", [0.1, 3.0, 30.0])
def test_losses_and_gradients_in_float32_agree_with_float64(make, n_classes, spread):
    generator = torch.Generator().manual_seed(n_classes)
    exact = spread * torch.randn(N_ROWS, n_classes, generator=generator, dtype=torch.float64)
    exact = exact.float().double()  # so that both start from the same logits
    target = torch.arange(N_ROWS) % n_classes
    double = losses_and_gradient(make, exact, target)
    single = losses_and_gradient(make, exact.float(), target)
    for found, expected in zip(single, double, strict=True):
        assert found.dtype == torch.float32
        assert expected.dtype == torch.float64
        # Of the largest entry: a weight that depends on 1 - p has no digits left of that near 1.
        tolerance = 5e-5 * max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=tolerance)


@every_criterion
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_logits_of_ten_thousand_give_finite_losses_and_gradients(make, dtype, n_classes):
    target = torch.arange(N_ROWS) % n_classes
    sure = -1e4 + 2e4 * nn.functional.one_hot(target, n_classes).to(dtype)
    patterns = {
        "right": sure,
        "wrong": sure.roll(1, dims=1),
        "all wrong but equal": -sure,
        "all high": torch.full_like(sure, 1e4),
        "all low": torch.full_like(sure, -1e4),
        "one in the middle": torch.where(torch.arange(n_classes) == 1, 0.0, sure),
    }
    for name, logits in patterns.items():
        losses, gradient = losses_and_gradient(make, logits, target)
        assert losses.isfinite().all(), name
        assert gradient.isfinite().all(), name


# Of a right and sure prediction the loss has its least value: there is nothing to learn, but for
LEARNS_FROM_SURE_ROWS = {
    *(name for name in CRITERIA if name.startswith(("dm dm", "dm normal", "dm exponential"))),
    "label_smoothing",  # is not to be sure
    "squared",  # of logits
    "backward",  # has a loss below zero for a sure row, and none that is least
    "pencil",  # its labels are never quite sure
    "derivative",
    "forward",  # knows that the label is as likely wrong as the noise matrix says: p has a maximum
}


@pytest.mark.parametrize("name", sorted(set(CRITERIA) - LEARNS_FROM_SURE_ROWS))
@pytest.mark.parametrize("n_classes", [2, 10])
def test_a_sure_and_right_prediction_teaches_nothing(name, n_classes):
    target = torch.arange(N_ROWS) % n_classes
    logits = -1e4 + 2e4 * nn.functional.one_hot(target, n_classes).float()
    _, gradient = losses_and_gradient(CRITERIA[name], logits, target)
    torch.testing.assert_close(gradient, torch.zeros_like(gradient), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "limit"),
    [("ce", 2e4), ("mae", 1.0), ("mse", 1.0), ("gce", 1 / 0.7), ("focal", 2e4), ("nce", 1.0)],
)
def test_losses_of_a_sure_and_wrong_prediction_have_their_limits(name, limit):
    losses = resolve_criterion(name)(torch.tensor([[1e4, -1e4]]), torch.tensor([1]))
    torch.testing.assert_close(losses, torch.tensor([limit]))


@every_criterion
def test_ten_thousand_classes_give_finite_losses_and_gradients(make, request):
    n_classes = 10_000
    if "dm" not in request.node.callspec.id and make in (
        CRITERIA["forward"],
        CRITERIA["backward"],
        CRITERIA["reweighting"],
        CRITERIA["revised"],
    ):
        n_classes = 500  # a matrix of 10,000 x 10,000 and its inverse take minutes
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(N_ROWS, n_classes, generator=generator)
    target = torch.randint(n_classes, (N_ROWS,), generator=generator)
    losses, gradient = losses_and_gradient(make, logits, target)
    assert losses.isfinite().all()
    assert gradient.isfinite().all()
    if make is not CRITERIA["determinant"]:  # of twelve labels of 10,000 it learns little
        assert (gradient != 0).any()


# ------------------------------------------------------------------------ selection and trimming

POINTS, GROUPS = make_blobs(300, n_features=6, centers=5, random_state=1)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e15], ids=str)
def test_the_objective_in_float32_agrees_with_float64(scale):
    single = (scale * POINTS).astype(np.float32)
    medoids = np.arange(0, 300, 30)
    for function in (total_distance, facility_location):
        found, exact = function(single, medoids), function(single.astype(np.float64), medoids)
        assert found == pytest.approx(exact, rel=1e-5)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [(np.float32, scale) for scale in (1e-20, 1e-10, 1e10, 1e15)]
    + [(np.float64, scale) for scale in (1e-150, 1e-30, 1e150)],
)
def test_greedy_medoids_do_not_depend_on_the_scale(dtype, scale):
    expected = greedy_medoids(POINTS, 20)
    found = greedy_medoids((scale * POINTS).astype(dtype), 20)
    reached = total_distance(POINTS, found.indices)
    assert reached == pytest.approx(total_distance(POINTS, expected.indices), rel=1e-3)


METHODS = [method for method in SELECTION_METHODS if method != "all"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "points",
    [np.zeros((60, 4)), np.full((60, 4), 1e15), np.full((60, 4), 1e-320), np.ones((60, 1))],
    ids=["zeros", "huge", "subnormal", "ones"],
)
def test_coresets_of_equal_points_are_as_large_as_asked_for(method, points):
    groups = np.arange(60) % 3
    found = select_coreset(points, groups=groups, fraction=0.1, method=method, random_state=0)
    assert len(found.indices) == len(set(found.indices.tolist())) == 6
    assert np.bincount(groups[found.indices]).tolist() == [2, 2, 2]
    assert found.weights.sum() == pytest.approx(60)


@pytest.mark.parametrize("method", METHODS)
def test_a_class_of_one_row_in_two_thousand_keeps_it(method):
    points = np.random.default_rng(0).normal(size=(2001, 3)).astype(np.float32)
    groups = (np.arange(2001) == 1234).astype(int)
    found = select_coreset(points, groups=groups, fraction=0.01, method=method, random_state=0)
    assert 1234 in found.indices


def test_trimming_keeps_the_rows_of_a_rare_class_and_agrees_in_both_precisions():
    rng = np.random.default_rng(0)
    norms = rng.random(10_001)
    groups = (np.arange(10_001) == 17).astype(int)
    norms[17] = 1e9
    kept = keep_smallest(norms, 0.5, groups)
    assert kept[17]
    assert kept.sum() == 5001
    single = norms.astype(np.float32)
    np.testing.assert_array_equal(
        keep_smallest(single, 0.5, groups), keep_smallest(single.astype(float), 0.5, groups)
    )


@pytest.mark.parametrize("n_classes", [2, 50, MANY_COLUMNS + 1])
def test_gradients_and_their_norms_agree_in_both_precisions(n_classes):
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.full(n_classes, 0.1), 40)
    codes = rng.integers(n_classes, size=40)
    double = gradient_norms(logit_gradients(probabilities, codes))
    single = gradient_norms(logit_gradients(probabilities.astype(np.float32), codes))
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-6)


def test_swaps_of_huge_and_tiny_points_do_not_lose_what_greedy_reached():
    for scale in (1e-30, 1.0, 1e15):
        points = (scale * POINTS).astype(np.float32)
        start = greedy_medoids(points, 8).indices
        swapped = swap_medoids(points, start).indices
        before, after = (total_distance(points.astype(float), m) for m in (start, swapped))
        assert after <= before * (1 + 1e-6)


# ------------------------------------------------------------------------------------- the noise


@pytest.mark.parametrize("n_classes", [2, 10, 300])
def test_what_probabilities_say_about_labels_agrees_in_both_precisions(n_classes):
    rng = np.random.default_rng(n_classes)
    codes = np.arange(3 * n_classes) % n_classes
    probabilities = 0.3 * rng.dirichlet(np.ones(n_classes), len(codes))
    probabilities[np.arange(len(codes)), codes] += 0.7
    single = probabilities.astype(np.float32)
    np.testing.assert_allclose(
        label_quality(single, codes), label_quality(probabilities, codes), atol=1e-5
    )
    one, other = estimate_noise(single, codes), estimate_noise(probabilities, codes)
    assert one.rate == pytest.approx(other.rate, abs=1e-4)
    np.testing.assert_allclose(one.transition_matrix, other.transition_matrix, atol=1e-3)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_probabilities_of_zero_and_one_give_finite_noise(n_classes):
    codes = np.arange(40) % n_classes
    for shift in (0, 1):
        probabilities = np.eye(n_classes)[(codes + shift) % n_classes]
        noise = estimate_noise(probabilities, codes)
        assert np.isfinite(noise.transition_matrix).all()
        np.testing.assert_allclose(noise.transition_matrix.sum(1), 1)
        assert 0 <= noise.rate <= 1
        assert np.isfinite(label_quality(probabilities, codes)).all()
        assert len(believed_labels(probabilities, codes, noise)) == 40
        find_label_issues(probabilities, codes)


# --------------------------------------------------------------------------------- whole fits

ALL = {**CLASSIFIERS, **NEWER}
NETWORKS = {name: make for name, make in ALL.items() if make is not coreset}
every_classifier = pytest.mark.parametrize("make", ALL.values(), ids=ALL)
X, Y = make_blobs(120, n_features=5, centers=3, cluster_std=1.0, random_state=3)
Y_GIVEN, _ = symmetric_noise(Y, 0.3, random_state=0)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
def test_a_fit_in_float32_is_close_to_one_in_float64(make):
    rows = X.astype(np.float32)
    single, double = (make(dtype=dtype).fit(rows, Y_GIVEN) for dtype in ("float32", "float64"))
    np.testing.assert_allclose(single.predict_proba(rows), double.predict_proba(rows), atol=0.02)
    assert single.noise_rate_ == pytest.approx(double.noise_rate_, abs=0.02)
    np.testing.assert_allclose(single.label_quality_, double.label_quality_, atol=0.02)


class Fixed(nn.Module):
    """A linear layer whose weights are given: what it predicts can be worked out."""

    def __init__(self, out_features, scale):
        super().__init__()
        self.linear = nn.Linear(5, out_features)
        with torch.no_grad():
            self.linear.weight.copy_(scale * torch.eye(out_features, 5))
            self.linear.bias.zero_()

    def forward(self, features):
        return self.linear(features)


@pytest.mark.parametrize("scale", [1.0, 1e3])
def test_predictions_in_float32_agree_with_a_softmax_in_float64(scale):
    classifier = DMClassifier(
        module=Fixed, module__scale=scale, max_epochs=1, lr=1e-12, optimizer="sgd", random_state=0
    )
    classifier.fit(X, Y)
    weight = classifier.net_.module_.linear.weight.detach().double()
    bias = classifier.net_.module_.linear.bias.detach().double()
    logits = torch.from_numpy(X.astype(np.float32)).double() @ weight.T + bias
    expected = logits.softmax(1).numpy()
    np.testing.assert_allclose(classifier.predict_proba(X), expected, atol=1e-6 * max(1, scale))


def sane(classifier, X, n_classes):
    """Whether all that a fit says consists of numbers, and of probabilities where it should."""
    probabilities = classifier.predict_proba(X)
    assert probabilities.shape == (len(X), n_classes)
    assert np.isfinite(probabilities).all()
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    quality = np.asarray(classifier.label_quality_)
    assert ((quality >= 0) & (quality <= 1)).all()
    assert 0 <= classifier.noise_rate_ <= 1
    matrix = classifier.transition_matrix_
    np.testing.assert_allclose(np.asarray(matrix).sum(1), 1, atol=1e-6)
    return True


FEATURES = {
    "constant columns": np.hstack([X, np.full((len(X), 2), 3.0), np.zeros((len(X), 1))]),
    "all rows equal": np.repeat(X[:1], len(X), axis=0),
    "zeros": np.zeros_like(X),
    "subnormal": 1e-40 * X,
    "beside huge": np.hstack([X, 1e30 * X]),
    "huge": 1e30 * X,
    "tiny beside": np.hstack([X, 1e-30 * X]),
}


@every_classifier
@pytest.mark.parametrize("kind", FEATURES)
def test_features_at_the_edge_give_sane_fits(make, kind):
    options = {"dtype": "float64"} if kind == "subnormal" and make is not coreset else {}
    assert sane(make(**options).fit(FEATURES[kind], Y_GIVEN), FEATURES[kind], 3)


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS)
@pytest.mark.parametrize("kind", ["constant columns", "huge", "tiny beside"])
def test_the_scale_of_features_does_not_matter_where_they_are_standardised(make, kind):
    classifier = make().fit(FEATURES[kind], Y)
    assert classifier.score(FEATURES[kind], Y) > 0.9


@every_classifier
def test_one_row_of_each_class_gives_sane_fits(make):
    rows, labels = np.eye(12) + 0.01, np.arange(12)
    sane(make().fit(rows, labels), rows, 12)


RARE = 1234


@pytest.fixture(scope="module")
def one_in_ten_thousand():
    """A class of a single row that lies apart, and one of 10,000."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10_001, 4)).astype(np.float32)
    rows[RARE] += 12
    return rows, (np.arange(len(rows)) == RARE).astype(int)


@pytest.mark.parametrize(
    "make",
    [
        lambda: crust(batch_size=500, max_epochs=2),
        lambda: dm(batch_size=500, max_epochs=2),
        lambda: coreset(cross_fit=2, rounds=1),
        *(
            lambda make=make: make(batch_size=500)
            for name, make in NEWER.items()
            if name in ("forward", "l_dmi", "robust_loss")
        ),
    ],
    ids=["crust", "dm", "coreset", "forward", "l_dmi", "robust_loss"],
)
def test_a_class_of_one_row_in_ten_thousand_is_not_lost(make, one_in_ten_thousand):
    rows, labels = one_in_ten_thousand
    classifier = make().fit(rows, labels)
    assert classifier.classes_.tolist() == [0, 1]
    sane(classifier, rows[:50], 2)
    if isinstance(classifier, CRUSTClassifier | CoresetClassifier):
        # The minimum that trimming leaves of each class; whether its label is believed is another.
        assert RARE in classifier.coreset_indices_


def test_a_balanced_weight_finds_the_one_row_in_ten_thousand(one_in_ten_thousand):
    rows, labels = one_in_ten_thousand
    classifier = DMClassifier(
        "cce",
        normalize=None,
        class_weight="balanced",
        module__hidden=(16,),
        batch_size=-1,
        max_epochs=40,
        lr=3e-2,
        random_state=0,
    ).fit(rows, labels)
    assert classifier.predict(rows)[RARE] == 1
    assert classifier.predict(rows).sum() < 20


def test_very_many_classes_are_fitted_in_few_peaks(monkeypatch):
    n_classes = 1_000  # the estimate of the noise is quadratic in them
    made = []
    from_dense = PeakedRows.from_dense.__func__

    def noting(cls, dense, *others):
        made.append(dense.shape)
        return from_dense(cls, dense, *others)

    monkeypatch.setattr(PeakedRows, "from_dense", classmethod(noting))
    labels = np.arange(3 * n_classes) % n_classes
    rows = np.random.default_rng(0).normal(size=(n_classes, 8)).astype(np.float32)[labels]
    classifier = CRUSTClassifier(
        cross_fit=None,
        warmup_epochs=1,
        max_epochs=2,
        batch_size=500,
        module__hidden=(16,),
        random_state=0,
    ).fit(rows, labels)
    assert made, "no dense matrix was made small"
    assert max(n_rows for n_rows, _ in made) < len(labels)
    sane(classifier, rows[:20], n_classes)


def test_rows_of_ten_thousand_classes_are_peaked_and_predicted():
    n_classes = 10_000
    rng = np.random.default_rng(0)
    labels = rng.integers(n_classes, size=300)
    rows = rng.normal(size=(300, 8)).astype(np.float32)
    classifier = CRUSTClassifier(module__hidden=(16,), random_state=0)
    classifier.partial_fit(rows, labels, classes=np.arange(n_classes))
    probabilities = classifier.predict_proba(rows)
    assert probabilities.shape == (300, n_classes)
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-6)
    peaked = PeakedRows.from_dense(probabilities, labels)
    np.testing.assert_allclose(peaked.toarray().sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(
        label_quality(peaked.toarray(), labels), label_quality(probabilities, labels), atol=1e-4
    )


@pytest.mark.parametrize("n_classes", [2, 100])
@pytest.mark.parametrize("make", [crust, dm, coreset], ids=["crust", "dm", "coreset"])
def test_few_and_many_classes_are_learned(make, n_classes):
    rng = np.random.default_rng(n_classes)
    labels = np.arange(max(60, 3 * n_classes)) % n_classes
    rows = 3 * rng.normal(size=(n_classes, 8))[labels] + 0.1 * rng.normal(size=(len(labels), 8))
    options = {} if make is coreset else {"module__hidden": (32,), "max_epochs": 30}
    classifier = make(**options).fit(rows, labels)
    sane(classifier, rows, n_classes)
    assert classifier.score(rows, labels) > 0.8


def test_medoids_of_features_of_any_scale_are_the_same():
    expected = GradientMedoidSelector(k=9, random_state=0).fit(POINTS, GROUPS).medoid_indices_
    for scale in (1e-100, 1e100):
        found = GradientMedoidSelector(k=9, random_state=0).fit(scale * POINTS, GROUPS)
        np.testing.assert_array_equal(found.medoid_indices_, expected)
