"""The estimators of other methods: phases, what they promise, and how they train."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from itertools import groupby

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from skorch.callbacks import Callback, LRScheduler
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from noisyfit import (
    CoTeachingClassifier,
    CRUSTClassifier,
    DMClassifier,
    ForwardClassifier,
    LDMIClassifier,
    PENCILClassifier,
    RobustLossClassifier,
    TRevisionClassifier,
)
from noisyfit.losses import CrossEntropy, EarlyLearningRegularization, GeneralizedCrossEntropy
from noisyfit.noise import (
    asymmetric_noise,
    estimate_noise,
    symmetric_noise,
    transition_matrix,
)
from noisyfit.training.best_epoch import BestEpoch
from noisyfit.training.plan import BatchTargets, StratifiedPositions
from noisyfit.training.twins import TwinNet, Twins, easiest

quick = settings(deadline=None, max_examples=40)
seeds = st.integers(0, 2**31)

SMALL = {"module__hidden": (16,), "max_epochs": 4, "batch_size": 16, "random_state": 0}
OTHERS = {
    "forward": (ForwardClassifier, {}),
    "t_revision": (TRevisionClassifier, {}),
    "l_dmi": (LDMIClassifier, {}),
    "pencil": (PENCILClassifier, {}),
    "co_teaching": (CoTeachingClassifier, {}),
    "elr": (RobustLossClassifier, {}),
}


@pytest.fixture(scope="module")
def digits():
    """Half of the labels are wrong."""
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    given_labels, wrong = symmetric_noise(y, 0.5, random_state=0)
    return X, X_test, y, y_test, given_labels, wrong


@pytest.fixture(scope="module")
def plain_accuracy(digits):
    X, X_test, _, y_test, given_labels, _ = digits
    return RobustLossClassifier("ce", random_state=0).fit(X, given_labels).score(X_test, y_test)


def blobs(n=120, n_classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    return rng.normal(size=(n, 4)) + 4 * np.eye(4)[y], y


# ------------------------------------------------------------------------------- what they reach


@pytest.mark.parametrize("name", OTHERS)
def test_every_method_beats_plain_cross_entropy(name, digits, plain_accuracy):
    X, X_test, _, y_test, given_labels, wrong = digits
    make, options = OTHERS[name]
    classifier = make(random_state=0, **options).fit(X, given_labels)
    assert classifier.score(X_test, y_test) > plain_accuracy + 0.05
    quality = classifier.label_quality_
    assert quality.shape == wrong.shape
    assert quality[~wrong].mean() > quality[wrong].mean() + 0.1
    assert (classifier.transduction_ == digits[2]).mean() > (given_labels == digits[2]).mean()


def test_the_true_matrix_is_better_than_an_estimate_and_that_than_none():
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, random_state=0, stratify=y)
    given_labels, _ = asymmetric_noise(y, 0.4, random_state=0)
    true = transition_matrix(y, given_labels)
    scores = [
        ForwardClassifier(matrix, random_state=0).fit(X, given_labels).score(X_test, y_test)
        for matrix in (true, "confident_joint", np.eye(10))
    ]
    assert scores[0] > scores[1] > scores[2] + 0.05


def test_forward_with_the_identity_is_cross_entropy():
    X, y = blobs()
    options = {**SMALL, "validation_fraction": None}
    forward = ForwardClassifier(np.eye(3), **options).fit(X, y)
    plain = RobustLossClassifier("ce", **options).fit(X, y)
    np.testing.assert_allclose(forward.predict_proba(X), plain.predict_proba(X), atol=1e-5)


# --------------------------------------------------------------------------------------- phases


def phases(classifier):
    """Names of the phases in their order, with their epochs."""
    names = [record["phase"] for record in classifier.history_]
    return [(name, len(list(epochs))) for name, epochs in groupby(names)]


@pytest.mark.parametrize(
    ("make", "options", "expected"),
    [
        (ForwardClassifier, {"cross_fit": None}, [("estimation", 2), ("correction", 4)]),
        (ForwardClassifier, {"transition_matrix": np.eye(3)}, [("correction", 4)]),
        (
            TRevisionClassifier,
            {"cross_fit": None, "revision_epochs": 3},
            [("estimation", 2), ("reweighting", 4), ("revision", 3)],
        ),
        (
            TRevisionClassifier,
            {"cross_fit": None, "revision_epochs": 0},
            [("estimation", 2), ("reweighting", 4)],
        ),
        (LDMIClassifier, {}, [("pre-training", 6), ("information", 4)]),
        (
            PENCILClassifier,
            {"warmup_epochs": 2, "finetuning_epochs": 1},
            [("cross entropy", 2), ("label correction", 4), ("fine-tuning", 1)],
        ),
        (CoTeachingClassifier, {"cross_fit": None}, [("estimation", 2), ("co-teaching", 4)]),
        (CoTeachingClassifier, {"noise_rate": 0.2}, [("co-teaching", 4)]),
        (RobustLossClassifier, {"warmup_epochs": 1}, [("warm-up", 1), ("train", 3)]),
        (
            RobustLossClassifier,
            {"criterion": "gce", "criterion__truncation": 0.5, "max_epochs": 6},
            [("warm-up", 2), ("train", 4)],
        ),
    ],
)
def test_phases_are_named_in_the_history(make, options, expected):
    X, y = blobs()
    if make in (ForwardClassifier, TRevisionClassifier, CoTeachingClassifier):
        options = {"estimation_epochs": 2, **options}
    classifier = make(**{**SMALL, **options}).fit(X, y)
    assert phases(classifier) == expected
    assert classifier.n_iter_ == len(classifier.history_) == sum(n for _, n in expected)
    assert [record["epoch"] for record in classifier.history_] == [
        *range(1, classifier.n_iter_ + 1)
    ]


def test_cross_fitted_estimation_is_in_the_history():
    X, y = blobs()
    options = {**SMALL, "validation_fraction": None}
    classifier = ForwardClassifier(cross_fit=2, estimation_epochs=2, **options).fit(X, y)
    (first, n_epochs), second = phases(classifier)
    assert (first, second) == ("estimation", ("correction", 4))
    assert 2 + 5 <= n_epochs <= 8 + 5
    assert classifier.history_[0, "n_rows"] == 120  # two networks, each of half of the rows
    assert np.isfinite(classifier.history_[0, "train_loss"])


@pytest.mark.parametrize("name", OTHERS)
def test_warm_start_goes_on_from_the_weights(name):
    X, y = blobs()
    make, options = OTHERS[name]
    classifier = make(warm_start=True, **SMALL, **options).fit(X, y)
    net, n_epochs = classifier.net_, classifier.n_iter_
    weights = [weight.detach().clone() for weight in net.module_.parameters()]
    classifier.fit(X, y)
    assert classifier.net_ is net
    assert classifier.n_iter_ > n_epochs
    moved = [
        float((weight.detach() - before).abs().max())
        for weight, before in zip(net.module_.parameters(), weights, strict=True)
    ]
    assert 0 < max(moved) < 1  # not drawn anew, which would move a batch norm's ones to ones
    assert len(net.optimizer_.param_groups) == 1
    assert net.optimizer_.state_dict()["state"]  # can be written, as by skorch's Checkpoint


@pytest.mark.parametrize("name", OTHERS)
def test_they_can_be_pickled(name):
    X, y = blobs()
    make, options = OTHERS[name]
    classifier = make(**SMALL, **options).fit(X, y)
    loaded = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(loaded.predict_proba(X), classifier.predict_proba(X))


# ------------------------------------------------------------------- settings of the papers


@pytest.mark.parametrize(
    "make",
    [
        CRUSTClassifier.paper,
        CRUSTClassifier.official_code,
        DMClassifier.paper,
        *(make.paper for name, (make, _) in OTHERS.items() if name != "elr"),
    ],
)
def test_settings_of_the_papers_can_be_had_and_changed(make):
    assert make().get_params()["max_epochs"] >= 100
    short = {"max_epochs": 2, "lr_schedule": {1: 0.1}, "batch_size": 16, "random_state": 0}
    for name in ("estimation", "revision", "pretraining", "warmup", "finetuning"):
        if f"{name}_epochs" in make().get_params():
            short[f"{name}_epochs"] = 1
    X, y = blobs()
    classifier = make(module__hidden=(16,), **short).fit(X, y)
    assert classifier.predict_proba(X).shape == (120, 3)


def test_the_matrix_of_the_papers_settings_is_not_that_of_a_network_that_memorised():
    X, y = load_digits(return_X_y=True)
    given_labels, _ = symmetric_noise(y, 0.3, random_state=0)
    short = {"max_epochs": 1, "estimation_epochs": 40, "module__hidden": (64,), "lr": 0.03}
    for make in (ForwardClassifier, TRevisionClassifier):
        options = {"revision_epochs": 1} if make is TRevisionClassifier else {}
        classifier = make.paper(random_state=0, **short, **options).fit(X, given_labels)
        assert 0.1 < classifier.noise_rate_ < 0.5


def test_pencil_with_the_papers_settings_changes_labels():
    X, y = load_digits(return_X_y=True)
    given_labels, wrong = symmetric_noise(y, 0.3, random_state=0)
    short = {"warmup_epochs": 5, "max_epochs": 40, "finetuning_epochs": 2}
    classifier = PENCILClassifier.paper(random_state=0, **short).fit(X, given_labels)
    changed = classifier.transduction_ != given_labels
    assert changed[wrong].mean() > 0.2
    assert changed[wrong].mean() > 2 * changed[~wrong].mean()


def test_a_class_of_no_weight_is_left_out_of_the_estimation_too():
    X, y = blobs()
    options = {"cross_fit": None, "validation_fraction": None, "class_weight": {2: 0.0}, **SMALL}
    history = ForwardClassifier(**options).fit(X, y).history_
    assert set(history[:, "n_rows"]) == {80}


def test_a_scheduler_of_the_users_goes_through_the_phases():
    X, y = blobs()
    rates = []

    class Recorder(Callback):
        def on_epoch_begin(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    for make, expected in (
        (ForwardClassifier, [0.001, 0.001]),
        (TRevisionClassifier, [0.001, 0.001, 1e-4]),
        (LDMIClassifier, [0.001] * 6 + [3e-4] * 2),
    ):
        rates.clear()
        options = {"revision_epochs": 1} if make is TRevisionClassifier else {}
        make(
            lr_schedule="constant",
            callbacks=[("same", LRScheduler(LambdaLR, lr_lambda=same)), ("rates", Recorder())],
            **{**SMALL, "max_epochs": 2},
            **options,
        ).fit(X, y)
        np.testing.assert_allclose(rates, expected)


def same(epoch):
    return 1.0


def test_milestones_leave_a_phases_own_rate_alone():
    X, y = blobs()
    rates = []

    class Recorder(Callback):
        def on_epoch_begin(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    options = {**SMALL, "max_epochs": 3, "lr_schedule": {1: 0.1}, "callbacks": [Recorder()]}
    LDMIClassifier(2, **options).fit(X, y)
    np.testing.assert_allclose(rates, [1e-3, 1e-4, 3e-4, 3e-4, 3e-4])


def test_a_revision_that_fails_leaves_the_optimizer_as_it_was():
    X, y = blobs()

    class Fails(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if net.plan_.phase == "revision" and len(net.history) > 6:
                raise RuntimeError("revision")

    classifier = TRevisionClassifier(warm_start=True, revision_epochs=1, **SMALL).fit(X, y)
    classifier.net_.callbacks_.append(("fails", Fails()))
    optimizer = classifier.net_.optimizer_
    with pytest.raises(RuntimeError, match="revision"):
        classifier.fit(X, y)
    assert len(optimizer.param_groups) == 1
    optimizer.state_dict()


def test_the_official_crust_selects_otherwise_than_the_paper():
    paper, coded = CRUSTClassifier.paper(), CRUSTClassifier.official_code(fraction=0.3)
    assert (paper.selection, paper.group_by, paper.weights) == ("greedy", "predicted", "cluster")
    assert (coded.selection, coded.group_by, coded.weights) == ("central", "given", "uniform")
    assert (coded.mixup, coded.mixup_with, coded.fraction) == ((1.0, 0.1), "class", 0.3)


def test_rates_fall_at_milestones_anew_in_each_phase():
    X, y = blobs()
    rates = []

    class Recorder(Callback):
        def on_epoch_begin(self, net, **kwargs):
            rates.append(net.optimizer_.param_groups[0]["lr"])

    PENCILClassifier(
        lr=0.1,
        lr_schedule={1: 0.1, 2: 0.5},
        warmup_epochs=2,
        finetuning_epochs=0,
        callbacks=[("rates", Recorder())],
        **SMALL,
    ).fit(X, y)
    np.testing.assert_allclose(rates, [0.1, 0.01, 0.1, 0.01, 0.005, 0.005])


@pytest.mark.parametrize("schedule", [{0: 0.1}, {2: -1}, {2: 0}, {"a": 1.0}, {2.5: 0.1}, {1: None}])
def test_schedules_that_are_none(schedule):
    X, y = blobs()
    with pytest.raises(ValueError, match="lr_schedule as a dict"):
        RobustLossClassifier(lr_schedule=schedule, **SMALL).fit(X, y)


# ------------------------------------------------------------------------- estimating the matrix


def with_anchors(n_classes, seed):
    """Probabilities of given labels, exact, with one row that is surely of each class."""
    rng = np.random.default_rng(seed)
    matrix = 0.4 * rng.dirichlet(np.ones(n_classes), size=n_classes) + 0.6 * np.eye(n_classes)
    true = rng.dirichlet(np.full(n_classes, 0.3), size=40 * n_classes)
    true[:n_classes] = np.eye(n_classes)
    return matrix, true @ matrix, rng


@given(st.integers(2, 6), seeds)
@quick
def test_anchor_points_are_rows_of_the_matrix(n_classes, seed):
    matrix, probabilities, rng = with_anchors(n_classes, seed)
    y = np.array([rng.choice(n_classes, p=p) for p in probabilities])
    found = estimate_noise(probabilities, y, method="anchor_points")
    # The surest row of a class is an anchor unless another class is given its label more often.
    dominant = matrix.argmax(axis=0) == np.arange(n_classes)
    np.testing.assert_allclose(
        found.transition_matrix[dominant], matrix[dominant], rtol=1e-6, atol=1e-9
    )


def test_a_percentile_does_not_rest_on_one_row():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=1000)
    probabilities = np.where(y == 0, 0.8, 0.3)
    probabilities[0] = 1.0  # an outlier
    p = np.stack([probabilities, 1 - probabilities], axis=1)
    surest = estimate_noise(p, y, method="anchor_points").transition_matrix
    robust = estimate_noise(p, y, method="percentile").transition_matrix
    assert surest[0, 0] == pytest.approx(1.0)
    assert robust[0, 0] == pytest.approx(0.8)
    assert robust[1, 1] == pytest.approx(0.7)


@pytest.mark.parametrize("method", ["anchor_points", "percentile"])
def test_weights_count_rows_in_these_estimates_too(method):
    rng = np.random.default_rng(1)
    p = rng.dirichlet(np.ones(3), size=50)
    y = rng.integers(3, size=50)
    weight = rng.integers(1, 4, size=50)
    weighted = estimate_noise(p, y, method=method, sample_weight=weight)
    repeated = estimate_noise(np.repeat(p, weight, axis=0), np.repeat(y, weight), method=method)
    np.testing.assert_allclose(weighted.transition_matrix, repeated.transition_matrix)
    assert weighted.rate == pytest.approx(repeated.rate)


@pytest.mark.parametrize(
    "method", ["auto", "anchor", "joint", "confident_joint", "anchor_points", "percentile"]
)
def test_every_way_to_estimate_the_matrix_can_be_asked_for(method):
    X, y = blobs()
    classifier = ForwardClassifier(method, cross_fit=2, estimation_epochs=1, **SMALL).fit(X, y)
    matrix = classifier.transition_matrix_
    assert matrix.shape == (3, 3)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)


def test_a_matrix_that_is_given_is_used_and_reported():
    X, y = blobs()
    matrix = np.array([[0.8, 0.1, 0.1], [0.2, 0.8, 0], [0, 0.3, 0.7]])
    for make in (ForwardClassifier, TRevisionClassifier):
        options = {"revision_epochs": 0} if make is TRevisionClassifier else {}
        classifier = make(matrix, **SMALL, **options).fit(X, y)
        np.testing.assert_allclose(classifier.transition_matrix_, matrix)
    for wrong in (np.eye(2), np.ones((3, 3)), "elsewhere"):
        with pytest.raises(ValueError, match="transition_matrix"):
            ForwardClassifier(wrong, **SMALL).fit(X, y)


def test_revision_changes_the_matrix_and_leaves_probabilities():
    X, y = blobs()
    given_labels, _ = symmetric_noise(y, 0.3, random_state=0)
    start = np.full((3, 3), 0.05) + 0.85 * np.eye(3)
    classifier = TRevisionClassifier(
        start, revision_epochs=20, revision_lr=3e-3, **{**SMALL, "max_epochs": 10}
    ).fit(X, given_labels)
    np.testing.assert_allclose(classifier.initial_transition_matrix_, start)
    revised = classifier.transition_matrix_
    assert np.abs(revised - start).max() > 0.01
    assert (revised >= 0).all()
    np.testing.assert_allclose(revised.sum(axis=1), 1)


# ----------------------------------------------------------------------------------- validation


def test_the_network_is_that_of_the_best_epoch_on_held_out_rows():
    X, y = blobs()
    given_labels, _ = symmetric_noise(y, 0.4, random_state=0)
    options = {**SMALL, "max_epochs": 12, "lr": 0.03}
    kept = ForwardClassifier(np.eye(3), validation_fraction=0.2, **options).fit(X, given_labels)
    losses = kept.history_[:, "valid_loss"]
    best = int(np.argmin(losses)) + 1
    assert best < 12
    # The cosine is that of the whole run, so the run to the best epoch is stopped there.
    stopped = RobustLossClassifier(
        "ce",
        validation_fraction=0.2,
        callbacks=[("stop", StopAfter(best))],
        **options,
    ).fit(X, given_labels)
    np.testing.assert_allclose(kept.predict_proba(X), stopped.predict_proba(X), atol=1e-5)


class StopAfter(Callback):
    def __init__(self, n_epochs):
        self.n_epochs = n_epochs

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == self.n_epochs:
            raise KeyboardInterrupt


def test_rows_are_held_out_only_where_each_class_can_spare_some():
    X, y = blobs(n=120)
    ForwardClassifier(np.eye(3), **SMALL).fit(X, y).history_[:, "valid_loss"]
    X, y = blobs(n=24)
    with pytest.raises(KeyError, match="valid_loss"):
        ForwardClassifier(np.eye(3), **SMALL).fit(X, y).history_[:, "valid_loss"]


def test_best_epoch_by_accuracy_takes_the_highest():
    class Net:
        def __init__(self):
            self.module_ = nn.Linear(1, 1)
            self.history = {}

    class History(dict):
        def __getitem__(self, key):
            return super().__getitem__(key[1])

    for monitor, values, expected in (
        ("valid_loss", [3.0, 1.0, 2.0], 1),
        ("valid_acc", [0.3, 0.1, 0.9], 2),
        ("valid_acc", [0.3, 0.3, 0.3], 0),
    ):
        net, best = Net(), BestEpoch(monitor)
        best.on_train_begin(net)
        for epoch, value in enumerate(values):
            nn.init.constant_(net.module_.weight, float(epoch))
            net.history = History({monitor: value})
            best.on_epoch_end(net)
        best.on_train_end(net)
        assert net.module_.weight.item() == expected


# --------------------------------------------------------------------------------------- L_DMI


@given(seeds, st.integers(1, 40))
@quick
def test_stratified_batches_hold_every_class(seed, batch_size):
    rng = np.random.default_rng(seed)
    codes = torch.from_numpy(rng.integers(0, rng.integers(1, 8), size=rng.integers(1, 200)))
    positions = StratifiedPositions(codes, batch_size)
    batches = list(positions)
    assert len(batches) == len(positions)
    counts = Counter(torch.cat(batches).tolist())
    assert set(counts) == set(range(len(codes)))
    classes = set(codes.tolist())
    for batch in batches:
        assert set(codes[batch].tolist()) == classes
        for code in classes:
            expected = int((codes == code).sum()) / len(batches)
            assert abs(int((codes[batch] == code).sum()) - expected) <= 1
    # Rows come more than once only where their class has fewer than there are batches.
    for position, count in counts.items():
        if int((codes == codes[position]).sum()) >= len(batches):
            assert count == 1


# ------------------------------------------------------------------------------------- PENCIL


def test_learned_labels_are_reported(digits):
    X, _, y, _, given_labels, _ = digits
    classifier = PENCILClassifier(random_state=0).fit(X, given_labels)
    learned = classifier.label_distributions_
    assert learned.shape == (len(X), 10)
    assert (learned >= 0).all()
    np.testing.assert_allclose(learned.sum(axis=1), 1)
    np.testing.assert_array_equal(classifier.transduction_, learned.argmax(axis=1))
    np.testing.assert_allclose(
        classifier.label_quality_, learned[np.arange(len(X)), given_labels], atol=1e-6
    )
    assert (classifier.transduction_ == y).mean() > 0.75
    changed = (classifier.transduction_ != given_labels).mean()
    assert classifier.noise_rate_ == pytest.approx(changed, abs=0.01)


def test_rows_not_trained_on_have_the_labels_that_are_predicted():
    X, y = blobs()
    weight = np.ones(120)
    weight[:30] = 0
    classifier = PENCILClassifier(**{**SMALL, "max_epochs": 10}).fit(X, y, sample_weight=weight)
    predicted = classifier.predict_proba(X)[:30]
    np.testing.assert_allclose(classifier.label_distributions_[:30], predicted, atol=1e-5)


# --------------------------------------------------------------------------------- Co-teaching


@given(seeds, st.floats(0.05, 1.0))
@quick
def test_the_easiest_rows_hold_their_share_of_the_weight(seed, share):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    losses = torch.from_numpy(rng.normal(size=n))
    weights = torch.from_numpy(rng.uniform(0.1, 2, size=n))
    part = easiest(losses, weights, share)
    assert ((part >= 0) & (part <= 1)).all()
    assert float((part * weights).sum()) == pytest.approx(share * float(weights.sum()))
    taken, left = losses[part > 0], losses[part < 1]
    if len(left):
        assert taken.max() <= left.min() + 1e-12


def test_a_row_of_weight_two_is_easy_like_two_rows():
    losses = torch.tensor([0.5, 0.1, 0.3], dtype=torch.float64)
    weights = torch.tensor([1.0, 2.0, 1.0], dtype=torch.float64)
    copied = torch.tensor([0, 1, 1, 2])
    for share in (0.2, 0.5, 0.7, 1.0):
        part = easiest(losses, weights, share)
        parts = easiest(losses[copied], torch.ones(4, dtype=torch.float64), share)
        expected = torch.stack([parts[0], (parts[1] + parts[2]) / 2, parts[3]])
        torch.testing.assert_close(part, expected)


def test_each_network_learns_from_the_rows_that_the_other_finds_easy():
    """With one row dropped of two, the loss is that of the row which the *other* one keeps."""
    first = torch.tensor([[3.0, 0.0], [0.0, 0.0]], requires_grad=True)
    second = torch.tensor([[0.0, 0.0], [3.0, 0.0]], requires_grad=True)
    net = TwinNet(nn.Linear(1, 2), criterion=CrossEntropy()).initialize()
    net.drop_share = 0.5
    targets = BatchTargets(torch.tensor([0, 0]), torch.ones(2), torch.arange(2))
    loss = net.get_loss((first, first, second), targets, training=True)
    loss.backward()
    assert first.grad[0].abs().sum() == 0  # easy for the first itself, not for the second
    assert first.grad[1].abs().sum() > 0
    assert second.grad[1].abs().sum() == 0
    assert second.grad[0].abs().sum() > 0


@pytest.mark.parametrize("as_instance", [False, True])
def test_twins_start_from_different_weights_and_predict_their_mean(as_instance):
    X, y = blobs()
    module = nn.Linear(4, 3) if as_instance else nn.Linear
    options = {**SMALL, "module": module}
    del options["module__hidden"]
    classifier = CoTeachingClassifier(0.1, **options).fit(X, y)
    twins = classifier.net_.module_
    assert not torch.equal(twins.first.weight, twins.second.weight)
    rows = torch.from_numpy(X.astype(np.float32))
    mean = (twins.first(rows).softmax(1) + twins.second(rows).softmax(1)) / 2
    np.testing.assert_allclose(classifier.predict_proba(X), mean.detach().numpy(), atol=1e-6)


def test_two_networks_that_cannot_differ_are_refused():
    class Constant(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(4, 3))

        def forward(self, features):
            return features @ self.weight

    X, y = blobs()
    options = {**SMALL, "module": Constant}
    del options["module__hidden"]
    with pytest.raises(ValueError, match="two networks of the same weights"):
        CoTeachingClassifier(0.1, **options).fit(X, y)


def test_the_second_twin_keeps_layers_that_are_frozen_or_pretrained():
    body = nn.Sequential(nn.Linear(4, 5), nn.Linear(5, 5), nn.Linear(5, 3))
    body[0].requires_grad_(False)
    twins = Twins(lambda: copy.deepcopy(body))
    for number in (0, 1):
        assert torch.equal(twins.first[number].weight, twins.second[number].weight)
    assert not torch.equal(twins.first[2].weight, twins.second[2].weight)


def test_twins_of_one_instance_differ():
    layer = nn.Linear(2, 2)
    twins = Twins(lambda: nn.Linear(2, 2).requires_grad_(True))
    assert not torch.equal(twins.first.weight, twins.second.weight)

    def copied():
        return copy.deepcopy(layer)

    twins = Twins(copied)
    assert torch.equal(twins.first.weight, layer.weight)
    assert not torch.equal(twins.second.weight, layer.weight)


def test_the_share_left_out_rises_to_the_rate():
    X, y = blobs()
    shares = []

    class Watch(Callback):
        def on_epoch_begin(self, net, **kwargs):
            shares.append(net.drop_share)

    CoTeachingClassifier(0.4, ramp_epochs=4, callbacks=[Watch()], **{**SMALL, "max_epochs": 6}).fit(
        X, y
    )
    np.testing.assert_allclose(shares, [0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


# --------------------------------------------------------------------------------- robust losses


def test_a_criterion_of_rows_is_told_which_rows_it_sees():
    X, y = blobs()
    seen = []

    class Keep(Callback):
        def on_train_end(self, net, **kwargs):
            seen.append(net.criterion_)

    options = {**SMALL, "callbacks": [Keep()]}
    classifier = RobustLossClassifier("elr", criterion__strength=2.0, **options).fit(X, y)
    (criterion,) = seen
    assert isinstance(criterion, EarlyLearningRegularization)
    assert criterion.strength == 2.0
    assert criterion.targets.shape == (120, 3)
    # The averages are those of the rows' own predictions.
    agreement = (criterion.targets.argmax(1).numpy() == classifier.predict(X)).mean()
    assert agreement > 0.9


@pytest.mark.parametrize("make", [PENCILClassifier, RobustLossClassifier])
def test_a_fitted_estimator_does_not_carry_what_the_criterion_knew_of_every_row(make):
    sizes = []
    for n in (120, 1200):
        X, y = blobs(n)
        fitted = make(**SMALL).fit(X, y)
        assert not list(fitted.net_.criterion_.buffers())
        sizes.append(len(pickle.dumps(fitted.net_)))
    assert sizes[1] < sizes[0] + 1080 * 4  # a third of one float for each row and class


class Scaled(nn.Module):
    """A criterion with a parameter of its own."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, logits, target):
        return nn.functional.cross_entropy(self.scale * logits, target, reduction="none")


@pytest.mark.parametrize("warmup_epochs", [0, 1])
def test_parameters_of_a_criterion_are_trained(warmup_epochs):
    X, y = blobs()
    scales = []

    class Keep(Callback):
        def on_train_end(self, net, **kwargs):
            scales.append(net.criterion_.scale.item())

    classifier = RobustLossClassifier(
        Scaled, warmup_epochs=warmup_epochs, warm_start=True, callbacks=[Keep()], **SMALL
    )
    classifier.fit(X, y).fit(X, y)
    assert 1 != scales[0] != scales[1]


def test_criteria_as_name_class_instance_and_function_are_the_same():
    X, y = blobs()
    given_criteria = (
        ("gce", {"criterion__q": 0.5}),
        (GeneralizedCrossEntropy, {"criterion__q": 0.5}),
        (GeneralizedCrossEntropy(0.5), {}),
        (lambda logits, target: GeneralizedCrossEntropy(0.5)(logits, target), {}),
    )
    results = [
        RobustLossClassifier(criterion, **options, **SMALL).fit(X, y).predict_proba(X)
        for criterion, options in given_criteria
    ]
    for result in results[1:]:
        np.testing.assert_allclose(result, results[0], atol=1e-6)


def test_a_criterion_instance_is_not_changed_by_the_fit():
    X, y = blobs()
    criterion = EarlyLearningRegularization(120, 3)
    RobustLossClassifier(criterion, **SMALL).fit(X, y)
    assert criterion.targets.abs().sum() == 0


def test_options_of_the_criterion_survive_clone():
    classifier = clone(RobustLossClassifier("gce", criterion__q=0.4))
    assert classifier.get_params()["criterion__q"] == 0.4
    classifier.set_params(criterion__q=0.6)
    assert clone(classifier).get_params()["criterion__q"] == 0.6
