"""noisyfit.noise: corrupting labels, estimating noise, scoring labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from noisyfit.noise import (
    NoiseEstimate,
    anchor_noise,
    asymmetric_noise,
    believed_labels,
    corrupt_labels,
    estimate_noise,
    find_label_issues,
    instance_dependent_noise,
    label_quality,
    pairwise_noise,
    symmetric_noise,
    transition_matrix,
)

METHODS = ["anchor", "joint", "agreement", "confident_joint"]
KINDS = ["symmetric", "pairwise", "asymmetric", "instance_dependent"]
quick = settings(deadline=None, max_examples=15)


def corrupt(kind, y, rate, seed, **options):
    X = np.random.default_rng(0).normal(size=(len(y), 3)) if "instance" in kind else None
    return corrupt_labels(y, rate, kind, X=X, random_state=seed, **options)


# Corrupting ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "names",
    [
        np.array([3, 7, -1]),
        np.array(["a", "bb", "ccc"]),
        np.array([0.5, 1.5, 2.5]),
        np.array(["x", "yy", "z"], dtype=object),
        np.array([False, True]),
    ],
    ids=["int", "str", "float", "object", "bool"],
)
@quick
@given(
    seed=st.integers(0, 1000),
    rate=st.floats(0, 0.99),
    n=st.integers(1, 40),
)
def test_corruption_is_exact_honest_and_leaves_the_input_alone(kind, names, seed, rate, n):
    classes = len(names)
    y = names[
        np.concatenate([np.arange(classes), np.random.default_rng(seed).integers(classes, size=n)])
    ]
    before = y.copy()
    noisy, changed = corrupt(kind, y, rate, seed)
    np.testing.assert_array_equal(y, before)
    assert noisy.dtype == y.dtype
    assert changed.dtype == bool
    np.testing.assert_array_equal(changed, noisy != y)
    assert set(noisy.tolist()) <= set(names.tolist())
    if kind == "asymmetric":
        for name in names:
            assert changed[y == name].sum() == round(rate * (y == name).sum())
    else:
        assert changed.sum() == round(rate * len(y))


@pytest.mark.parametrize("kind", ["symmetric", "pairwise"])
def test_rate_is_exact_in_each_class_when_asked(kind):
    y = np.repeat([0, 1, 2], [50, 9, 3])
    changed = corrupt(kind, y, 0.3, 0, per_class=True).changed
    assert [changed[y == c].sum() for c in range(3)] == [15, 3, 1]


def test_symmetric_noise_is_uniform_over_the_other_classes():
    y = np.repeat(np.arange(4), 10_000)
    matrix = transition_matrix(y, symmetric_noise(y, 0.6, random_state=0).labels)
    expected = np.where(np.eye(4) == 1, 0.4, 0.2)
    np.testing.assert_allclose(matrix, expected, atol=0.02)


def test_pairwise_noise_goes_to_the_next_class_in_sorted_order():
    y = np.array(["b", "c", "a"] * 20)
    noisy, changed = pairwise_noise(y, 0.5, random_state=0)
    following = {"a": "b", "b": "c", "c": "a"}
    assert noisy[changed].tolist() == [following[label] for label in y[changed]]


def test_asymmetric_noise_touches_only_the_classes_of_the_mapping():
    y = np.repeat(["cat", "dog", "truck"], [10, 20, 30])
    noisy, changed = asymmetric_noise(y, 0.4, {"cat": "dog", "truck": "cat"}, random_state=0)
    assert [changed[y == c].sum() for c in ("cat", "dog", "truck")] == [4, 0, 12]
    assert set(noisy[changed & (y == "cat")]) == {"dog"}
    assert set(noisy[changed & (y == "truck")]) == {"cat"}


def test_asymmetric_noise_without_mapping_is_pairwise_per_class():
    y = np.arange(60) % 3
    np.testing.assert_array_equal(
        asymmetric_noise(y, 0.4, random_state=5).labels,
        pairwise_noise(y, 0.4, per_class=True, random_state=5).labels,
    )


def test_instance_dependent_noise_follows_the_features():
    # Rows of one class in two places of feature space: the favourite wrong label may differ.
    y = np.zeros(2000, dtype=int)
    y[-2:] = [1, 2]
    even = np.arange(2000) % 2 == 0
    X = np.where(even[:, None], [[3.0, 0.0]], [[0.0, 3.0]])
    difference = []
    for seed in range(10):
        noisy, changed = instance_dependent_noise(X, y, 0.5, random_state=seed)
        shares = [(noisy[changed & place] == 1).mean() for place in (even, ~even)]
        difference.append(abs(shares[0] - shares[1]))
        assert changed[even].sum() == pytest.approx(changed[~even].sum(), rel=0.2)
    assert np.mean(difference) > 0.2  # about 0.03 if the features played no part


def test_instance_dependent_noise_takes_images_and_sparse_matrices():
    sparse = pytest.importorskip("scipy.sparse")
    X = np.random.default_rng(0).normal(size=(30, 2, 3))
    y = np.arange(30) % 3
    images = instance_dependent_noise(X, y, 0.3, random_state=0).labels
    flat = instance_dependent_noise(sparse.csr_matrix(X.reshape(30, 6)), y, 0.3, random_state=0)
    np.testing.assert_array_equal(images, flat.labels)


@pytest.mark.parametrize("kind", KINDS)
def test_corruption_is_reproducible_and_keeps_the_global_generator(kind):
    y = np.arange(60) % 3
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first = corrupt(kind, y, 0.4, 1).labels
    corrupt(kind, y, 0.4, None)
    np.testing.assert_array_equal(first, corrupt(kind, y, 0.4, 1).labels)
    assert (first != corrupt(kind, y, 0.4, 2).labels).any()
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_generators_are_accepted_and_advanced(make):
    y = np.arange(100) % 5
    state = make(0)
    first, second = (symmetric_noise(y, 0.5, random_state=state).labels for _ in range(2))
    assert (first != second).any()
    np.testing.assert_array_equal(first, symmetric_noise(y, 0.5, random_state=make(0)).labels)


def test_transition_matrix_counts():
    matrix = transition_matrix(["a", "a", "b", "a"], ["a", "b", "b", "b"], classes=["b", "a", "z"])
    np.testing.assert_allclose(matrix, [[1, 0, 0], [2 / 3, 1 / 3, 0], [0, 0, 1]])


@pytest.mark.parametrize(
    ("call", "error", "match"),
    [
        (lambda: symmetric_noise([0, 1], 1.0), ValueError, r"rate must be in \[0, 1\)"),
        (lambda: symmetric_noise([0, 1], -0.1), ValueError, r"rate must be in"),
        (lambda: symmetric_noise([0, 1], float("nan")), ValueError, "rate must be in"),
        (lambda: symmetric_noise([0, 1], "0.2"), TypeError, "rate must be a number"),
        (lambda: symmetric_noise([1, 1], 0.2), ValueError, "y has one class only, 1"),
        (lambda: symmetric_noise([], 0.2), ValueError, "y is empty"),
        (lambda: symmetric_noise([[0], [1]], 0.2), ValueError, "y must be one-dimensional"),
        (lambda: symmetric_noise([0.0, np.nan], 0.2), ValueError, "y contains NaN"),
        (lambda: symmetric_noise(np.array(["a", None]), 0.2), TypeError, "y mixes labels"),
        (lambda: symmetric_noise([0, 1], 0.2, random_state="x"), TypeError, "random_state"),
        (lambda: symmetric_noise([0, 1], 0.2, random_state=-1), ValueError, "random_state"),
        (lambda: asymmetric_noise([0, 1], 0.2, {0: 2}), ValueError, "mapping names the class 2"),
        (lambda: asymmetric_noise([0, 1], 0.2, {0: 0}), ValueError, "mapping maps the class 0"),
        (lambda: corrupt_labels([0, 1], 0.2, "salt"), ValueError, "kind must be one of"),
        (lambda: corrupt_labels([0, 1], 0.2, "instance_dependent"), ValueError, "X is needed"),
        (lambda: corrupt_labels([0, 1], 0.2, mapping={0: 1}), ValueError, "mapping goes with"),
        (
            lambda: corrupt_labels([0, 1], 0.2, "instance_dependent", X=[[1], [2]], per_class=True),
            ValueError,
            "per_class cannot be used",
        ),
        (lambda: instance_dependent_noise([[1.0]], [0, 1], 0.2), ValueError, "X must have one row"),
        (
            lambda: instance_dependent_noise([[1.0], [np.nan]], [0, 1], 0.2),
            ValueError,
            "X contains NaN",
        ),
        (
            lambda: instance_dependent_noise([[1.0], [2.0]], [0, 1], 0.2, rate_std=-1),
            ValueError,
            "rate_std",
        ),
        (lambda: transition_matrix([0, 1], [0]), ValueError, "y_true has 2 labels but y_given"),
        (lambda: transition_matrix([0], [1], classes=[0]), ValueError, "y_given contains labels"),
        (lambda: transition_matrix([0], [0], classes=[0, 0]), ValueError, "classes must not"),
    ],
)
def test_bad_input_to_corruption_is_named(call, error, match):
    with pytest.raises(error, match=match):
        call()


# Estimating ---------------------------------------------------------------------------------------


def calibrated_problem(n, matrix, seed, prior=None, sharpness=3.0):
    """Return P(true | x), true labels drawn from it, and given labels drawn from the matrix."""
    rng = np.random.default_rng(seed)
    size = len(matrix)
    logits = rng.normal(size=(n, size)) * sharpness
    if prior is not None:
        logits += np.log(prior)
    true_probability = np.exp(logits - logits.max(axis=1, keepdims=True))
    true_probability /= true_probability.sum(axis=1, keepdims=True)

    def draw(p):
        return np.minimum((rng.random((n, 1)) > p.cumsum(axis=1)).sum(axis=1), size - 1)

    true = draw(true_probability)
    return true_probability, true, draw(matrix[true])


def noise_matrix(size, rate, kind):
    if kind == "symmetric":
        return (1 - rate) * np.eye(size) + rate * (1 - np.eye(size)) / (size - 1)
    if kind == "pairwise":
        return (1 - rate) * np.eye(size) + rate * np.roll(np.eye(size), 1, axis=1)
    one_sided = np.eye(size)
    one_sided[0, :2] = 1 - rate, rate
    return one_sided


def true_clean_share(true, codes, size):
    return np.array([(true[codes == c] == c).mean() for c in range(size)])


@pytest.mark.parametrize("kind", ["symmetric", "pairwise", "one-sided"])
@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("method", ["anchor", "joint"])
def test_known_noise_is_recovered_from_calibrated_probabilities(method, size, kind):
    matrix = noise_matrix(size, 0.3, kind)
    p, true, codes = calibrated_problem(10_000, matrix, seed=size, sharpness=6.0)
    estimate = estimate_noise(p, codes, method=method)
    assert estimate.rate == pytest.approx((true != codes).mean(), abs=0.03)
    np.testing.assert_allclose(estimate.transition_matrix, matrix, atol=0.08)
    np.testing.assert_allclose(estimate.prior, np.bincount(true) / len(true), atol=0.03)
    np.testing.assert_allclose(estimate.clean_share, true_clean_share(true, codes, size), atol=0.06)


@pytest.mark.parametrize("size", [2, 5])
def test_probabilities_of_the_noisy_label_serve_as_well(size):
    # A network trained on noisy labels learns P(given | x) rather than P(true | x).
    matrix = noise_matrix(size, 0.3, "one-sided")
    p, true, codes = calibrated_problem(10_000, matrix, seed=1, sharpness=6.0)
    estimate = estimate_noise(p @ matrix, codes)
    np.testing.assert_allclose(estimate.clean_share, true_clean_share(true, codes, size), atol=0.08)


def test_rare_classes_are_not_taken_for_noise():
    # One class in ten, noise in the other: the class factors of the model are needed here.
    matrix = np.array([[1.0, 0.0], [0.4, 0.6]])
    p, true, codes = calibrated_problem(10_000, matrix, seed=0, prior=[0.1, 0.9], sharpness=4.0)
    share = estimate_noise(p, codes).clean_share
    np.testing.assert_allclose(share, true_clean_share(true, codes, 2), atol=0.08)


def test_agreement_and_confident_joint_count_by_hand():
    p = [[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.45, 0.55]]
    y = [0, 0, 0, 1, 1]
    agreement = estimate_noise(p, y, method="agreement")
    np.testing.assert_allclose(agreement.clean_share, [2 / 3, 1])
    np.testing.assert_allclose(agreement.transition_matrix, [[1, 0], [1 / 3, 2 / 3]])
    assert agreement.rate == pytest.approx(1 / 5)
    # Thresholds 1.7 / 3 and 1.25 / 2: rows 0, 1 are truly 0, rows 2, 3 truly 1, row 4 neither.
    confident = estimate_noise(p, y, method="confident_joint")
    np.testing.assert_allclose(confident.clean_share, [2 / 3, 1])
    np.testing.assert_allclose(confident.prior, [2 / 5, 3 / 5])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("size", [2, 5])
def test_clean_labels_are_believed(method, size):
    codes = np.arange(400) % size
    p = np.full((400, size), 0.02 / (size - 1))
    p[np.arange(400), codes] = 0.98
    estimate = estimate_noise(p, codes, method=method)
    assert estimate.rate < 1e-3
    np.testing.assert_allclose(estimate.clean_share, 1, atol=1e-3)
    np.testing.assert_allclose(estimate.transition_matrix, np.eye(size), atol=1e-3)


def random_problem(seed, n, size):
    rng = np.random.default_rng(seed)
    p, _, codes = calibrated_problem(n, noise_matrix(size, 0.3, "symmetric"), seed, sharpness=2.0)
    return rng, p, codes


def assert_same(first, second, columns=slice(None), atol=1e-7):
    assert first.rate == pytest.approx(second.rate, abs=atol)
    np.testing.assert_allclose(first.prior[columns], second.prior, atol=atol)
    np.testing.assert_allclose(first.clean_share[columns], second.clean_share, atol=atol)
    matrix = first.transition_matrix[columns][:, columns]
    np.testing.assert_allclose(matrix, second.transition_matrix, atol=atol)


def assert_consistent(estimate):
    matrix, prior = estimate.transition_matrix, estimate.prior
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    assert matrix.min() >= 0
    assert prior.sum() == pytest.approx(1)
    assert 0 <= estimate.rate <= 1
    assert estimate.rate == pytest.approx(1 - prior @ matrix.diagonal(), abs=1e-9)
    given_share = prior @ matrix
    carried = given_share > 0
    expected = (prior * matrix.diagonal())[carried] / given_share[carried]
    np.testing.assert_allclose(estimate.clean_share[carried], expected, atol=1e-9)
    np.testing.assert_allclose(estimate.clean_share[~carried], 1)


@pytest.mark.parametrize("method", METHODS)
@quick
@given(seed=st.integers(0, 10_000), n=st.integers(30, 120), size=st.integers(2, 5))
def test_estimates_are_equivariant_and_consistent(method, seed, n, size):
    rng, p, codes = random_problem(seed, n, size)
    estimate = estimate_noise(p, codes, method=method)
    assert_consistent(estimate)
    np.testing.assert_allclose(
        estimate.prior @ estimate.transition_matrix,
        np.bincount(codes, minlength=size) / n,
        atol=1e-9,
        err_msg="the model must reproduce the shares of the given labels",
    )
    rows = rng.permutation(n)
    assert_same(estimate, estimate_noise(p[rows], codes[rows], method=method))
    columns = rng.permutation(size)
    relabelled = estimate_noise(p[:, columns], np.argsort(columns)[codes], method=method)
    assert_same(estimate, relabelled, columns)


@pytest.mark.parametrize("method", METHODS)
@quick
@given(seed=st.integers(0, 10_000), n=st.integers(20, 80), size=st.integers(2, 4))
def test_integer_weights_equal_copies(method, seed, n, size):
    rng, p, codes = random_problem(seed, n, size)
    weight = rng.integers(0, 4, size=n)
    weight[0] = 1
    copies = np.repeat(np.arange(n), weight)
    weighted = estimate_noise(p, codes, method=method, sample_weight=weight)
    assert_same(weighted, estimate_noise(p[copies], codes[copies], method=method))


@quick
@given(seed=st.integers(0, 10_000), top=st.floats(0.01, 1), shrinkage=st.floats(0, 200))
def test_anchor_matrix_matches_a_plain_count(seed, top, shrinkage):
    from noisyfit.noise.anchor import anchor_counts, shrunk_transition

    rng, p, codes = random_problem(seed, 90, 3)
    p = p.round(1) + 1e-9  # many ties in the confidence
    weight = rng.integers(1, 4, size=90).astype(float)
    found = anchor_counts(p, codes, weight, top)
    matrix = shrunk_transition(found, shrinkage)

    predicted, confidence = p.argmax(axis=1), p.max(axis=1)
    counts = np.zeros((3, 3))
    for k in range(3):
        total = weight[predicted == k].sum()
        needed = max(10, int(top * total))
        for i in range(90):
            if predicted[i] == k:
                surer = (predicted == k) & (confidence > confidence[i])
                if weight[surer].sum() < needed:
                    counts[k, codes[i]] += weight[i]
        counts[k] *= min(1, total / weight[codes == k].sum())
    np.testing.assert_allclose(found, counts)
    agreement = counts.trace() / counts.sum()
    for k in range(3):
        for j in range(3):
            pooled = agreement if j == k else (1 - agreement) / 2
            mass = counts[k].sum() + shrinkage
            expected = (counts[k, j] + shrinkage * pooled) / mass if mass else pooled
            assert matrix[k, j] == pytest.approx(expected)


def test_anchors_of_a_class_that_is_hardly_found_hardly_count():
    # One row in ten is labelled 1, but the classifier finds hardly any: of those it takes for class
    # 1 half are labelled 0. That says nothing about how class 1 is labelled.
    from noisyfit.noise.anchor import anchor_counts

    codes = np.repeat([0, 1], [900, 100])
    p = np.tile([0.9, 0.1], (1000, 1))
    p[895:905] = [0.4, 0.6]
    assert estimate_noise(p, codes).transition_matrix[1, 1] > 0.75
    np.testing.assert_allclose(anchor_counts(p, codes, np.ones(1000))[1], [0.5, 0.5])
    # The same anchors of a class that is found count in full.
    p[905:] = [0.45, 0.55]
    np.testing.assert_allclose(anchor_counts(p, codes, np.ones(1000))[1], [5, 5])


def test_an_estimated_matrix_leaves_doubt_and_a_known_one_none():
    from noisyfit.noise.belief import believe

    codes = np.arange(400) % 2
    p = np.where(np.eye(2)[codes] == 1, 0.9, 0.1)
    p[:3] = [[0.6, 0.4], [0.7, 0.3], [0.4, 0.6]]
    belief = believe(p, codes, np.ones(400))
    assert belief.noise.rate < 0.01
    quality = belief.posterior[np.arange(400), codes]
    assert quality[1] < quality[2] < quality[0] < quality[3:].min() < 1
    known = believe(p, codes, np.ones(400), np.eye(2))
    np.testing.assert_array_equal(known.posterior, np.eye(2)[codes])


@pytest.mark.parametrize("update", [False, True])
def test_latent_model_matches_a_plain_implementation(update):
    from noisyfit.noise import latent

    _, p, codes = random_problem(3, 60, 3)
    weight = np.random.default_rng(0).uniform(0.5, 2, size=60)
    start = noise_matrix(3, 0.3, "pairwise") * 0.9 + 0.1 / 3

    def plain(temperature, steps, factors, matrix):
        for step in range(steps + 1):
            joint, share, likelihood = np.zeros((3, 3)), np.zeros(3), 0.0
            for i in range(60):
                prior = factors * p[i] ** (1 / temperature)
                prior = prior / prior.sum()
                both = prior * matrix[:, codes[i]]
                joint[:, codes[i]] += weight[i] * both / both.sum()
                share += weight[i] * prior
                likelihood += weight[i] * np.log(both.sum())
            if step < steps:
                factors = factors * joint.sum(axis=1) / share
                factors = factors / factors.max()
                if update:
                    matrix = joint / joint.sum(axis=1, keepdims=True)
        return likelihood, factors, joint / weight.sum(), matrix

    screened = [plain(t, latent.SCREENING_STEPS, np.ones(3), start) for t in latent.TEMPERATURES]
    best = int(np.argmax([result[0] for result in screened]))
    _, factors, _, matrix = screened[best]
    expected = plain(latent.TEMPERATURES[best], latent.FINAL_STEPS, factors, matrix)[2]
    model = latent.fit_latent(p, codes, weight, start, update_transition=update)
    np.testing.assert_allclose(model.joint, expected, atol=1e-3)
    by_hand = model.factors * p ** (1 / latent.TEMPERATURES[best])
    np.testing.assert_allclose(
        model.calibrate(p), by_hand / by_hand.sum(axis=1, keepdims=True), atol=1e-9
    )
    assert not np.allclose(expected, screened[(best + 3) % 7][2], atol=1e-2)


@pytest.mark.parametrize("method", METHODS)
class TestHardCases:
    def check(self, p, y, method):
        estimate = estimate_noise(p, y, method=method)
        assert_consistent(estimate)
        assert np.isfinite(estimate.transition_matrix).all()
        return estimate

    def test_class_never_predicted(self, method):
        p = np.full((60, 3), 0.1)
        p[np.arange(60), np.arange(60) % 2] = 0.8
        self.check(p, np.arange(60) % 3, method)

    def test_class_with_one_row(self, method):
        _, p, codes = random_problem(0, 100, 3)
        self.check(p, np.where(np.arange(100) == 7, 2, codes % 2), method)

    def test_class_never_given(self, method):
        _, p, codes = random_problem(0, 100, 4)
        assert self.check(p, codes % 3, method).clean_share[3] == 1

    def test_one_class_only(self, method):
        self.check(np.tile([0.9, 0.1], (20, 1)), np.zeros(20, int), method)

    def test_probabilities_of_zero_and_one(self, method):
        rng = np.random.default_rng(0)
        self.check(np.eye(3)[rng.integers(3, size=90)], rng.integers(3, size=90), method)

    def test_every_prediction_contradicts_its_label(self, method):
        codes = np.arange(60) % 2
        assert self.check(np.eye(2)[1 - codes], codes, method).rate > 0.5

    def test_constant_probabilities(self, method):
        self.check(np.full((50, 2), 0.5), np.arange(50) % 2, method)

    def test_one_row(self, method):
        self.check([[0.3, 0.7]], [1], method)

    def test_many_classes(self, method):
        _, p, codes = random_problem(0, 1000, 100)
        self.check(p, codes, method)


def plain_log_likelihood(row, mean, strength):
    """Log probability of a sequence of labels under a Polya urn of ``strength`` initial balls."""
    seen, result = np.zeros(len(mean)), 0.0
    for label in np.repeat(np.arange(len(mean)), row):
        result += np.log((seen[label] + strength * mean[label]) / (seen.sum() + strength))
        seen[label] += 1
    return result


@quick
@given(seed=st.integers(0, 10_000), size=st.integers(2, 4), spread=st.floats(0.1, 50))
def test_concentration_is_the_likeliest_of_all_tried(seed, size, spread):
    from noisyfit.noise import anchor

    rng = np.random.default_rng(seed)
    mean = np.full(size, 1 / size)
    counts = np.array([rng.multinomial(20, rng.dirichlet(spread * mean)) for _ in range(5)])
    likelihood = [
        sum(plain_log_likelihood(row, mean, s) for row in counts) for s in anchor.CONCENTRATIONS
    ]
    found = anchor.likeliest_concentration(counts.astype(float), mean)
    assert found in anchor.CONCENTRATIONS
    index = int(np.flatnonzero(found == anchor.CONCENTRATIONS)[0])
    assert likelihood[index] == pytest.approx(max(likelihood), abs=1e-6)


@pytest.mark.parametrize("kind", ["symmetric", "pairwise"])
def test_smoothing_tells_even_noise_from_swapped_classes(kind):
    from noisyfit.noise.anchor import shrunk_transition, smoothed_transition

    matrix = noise_matrix(20, 0.4, kind)
    rng = np.random.default_rng(0)
    counts = np.array([rng.multinomial(60, row) for row in matrix]).astype(float)
    error = np.abs(smoothed_transition(counts) - matrix).sum(axis=1).mean()
    # The counts alone scatter around even noise, and a fixed shrinkage blunts swaps.
    raw, fixed = (
        np.abs(shrunk_transition(counts, s) - matrix).sum(axis=1).mean() for s in (0.0, 80.0)
    )
    assert error < 0.4 * (raw if kind == "symmetric" else fixed)
    np.testing.assert_allclose(smoothed_transition(counts).sum(axis=1), 1)


def test_smoothing_takes_the_agreement_from_its_own_counts():
    from noisyfit.noise.anchor import smoothed_transition

    counts = np.array([[80.0, 20, 0], [0, 80, 20], [20, 0, 80]])
    agreement = np.array([[50.0, 50, 0], [0, 50, 50], [50, 0, 50]])
    matrix = smoothed_transition(counts, agreement)
    np.testing.assert_allclose(matrix.diagonal(), 0.5, atol=0.01)
    profile = smoothed_transition(counts)
    np.testing.assert_allclose(
        matrix[0, 1] / (1 - matrix[0, 0]), profile[0, 1] / (1 - profile[0, 0])
    )
    # A class is never taken to be labelled as another more often than as itself.
    swapped = smoothed_transition(np.array([[10.0, 90, 0], [5, 90, 5], [5, 5, 90]]))
    np.testing.assert_allclose(swapped[0, :2], swapped[0, 0], rtol=1e-12)
    # A class without anchors is taken to be labelled as all others are.
    counts[2] = 0
    np.testing.assert_allclose(smoothed_transition(counts)[2], [0.1, 0.1, 0.8], atol=0.01)


def test_beliefs_follow_bayes_rule_and_sharpen_with_swapped_classes():
    from noisyfit.noise.belief import believe, posterior

    matrix = noise_matrix(5, 0.4, "pairwise")
    p, true, codes = calibrated_problem(5_000, matrix, seed=3, sharpness=3.0)
    belief = believe(p, codes, np.ones(len(p)))
    expected = belief.probabilities * belief.transition[:, codes].T
    np.testing.assert_allclose(
        belief.posterior, expected / expected.sum(axis=1, keepdims=True), atol=1e-12
    )
    right = (belief.posterior.argmax(axis=1) == true).mean()
    assert right > max((p.argmax(axis=1) == true).mean(), (codes == true).mean()) + 0.05
    # A label that cannot be leaves the probabilities as they are.
    np.testing.assert_array_equal(posterior(p[:1], codes[:1] * 0, np.zeros((5, 5))), p[:1])


def test_a_known_matrix_is_used_and_none_leaves_the_features_alone():
    from noisyfit.noise.belief import believe, check_matrix

    matrix = noise_matrix(3, 0.3, "pairwise")
    p, _, codes = calibrated_problem(500, noise_matrix(3, 0.3, "symmetric"), 5, sharpness=3.0)
    weight = np.ones(len(p))
    known = believe(p, codes, weight, check_matrix(matrix.tolist(), 3))
    np.testing.assert_array_equal(known.transition, matrix)
    assert (known.posterior[np.arange(500), (codes + 1) % 3] < 1e-9).all()
    features = believe(p, codes, weight, None)
    np.testing.assert_allclose(features.posterior, features.probabilities)
    estimated = believe(p, codes, weight)
    np.testing.assert_allclose(features.probabilities, estimated.probabilities)
    assert features.noise.rate == estimated.noise.rate


def test_a_second_belief_counts_wrong_labels_in_both_rounds():
    from noisyfit.noise.belief import believe

    p, _, codes = calibrated_problem(4_000, noise_matrix(3, 0.3, "symmetric"), 5, sharpness=6.0)
    blind = np.roll(p, 1, axis=0)  # knows nothing about its rows: finds everything wrong
    weight = np.ones(len(p))
    alone, first = believe(p, codes, weight), believe(blind, codes, weight)
    both = believe(p, codes, weight, earlier=first)
    assert first.noise.rate > both.noise.rate > alone.noise.rate + 0.02


def test_anchor_parameters_have_an_effect():
    _, p, codes = random_problem(0, 500, 3)
    default = anchor_noise(p, codes)
    assert_same(default, estimate_noise(p, codes))
    assert anchor_noise(p, codes, top=1.0).rate != pytest.approx(default.rate, abs=1e-3)
    free = anchor_noise(p, codes, shrinkage=0).transition_matrix
    assert np.abs(free - default.transition_matrix).max() > 1e-2


GOOD = np.array([[0.6, 0.4], [0.1, 0.9]])


@pytest.mark.parametrize(
    ("arguments", "options", "error", "match"),
    [
        ((GOOD[0], [0]), {}, ValueError, "probabilities must have shape"),
        ((GOOD[:, :1], [0, 0]), {}, ValueError, "probabilities must have shape"),
        ((GOOD * np.nan, [0, 1]), {}, ValueError, "probabilities contains NaN"),
        (
            (np.array([[1.6, -0.6], [0.1, 0.9]]), [0, 1]),
            {},
            ValueError,
            "probabilities contains a negative",
        ),
        ((GOOD * 2, [0, 1]), {}, ValueError, "must sum to 1, row 0 sums to 2"),
        ((np.array([["a", "b"]]), [0]), {}, TypeError, "probabilities must be real"),
        ((GOOD, [0]), {}, ValueError, "y has 1 labels but probabilities has 2 rows"),
        ((GOOD, [0, 2]), {}, ValueError, "y contains the label 2"),
        ((GOOD, [0, -1]), {}, ValueError, "y contains the label -1"),
        ((GOOD, ["a", "b"]), {}, TypeError, "y must hold integer codes"),
        ((GOOD, [[0], [1]]), {}, ValueError, "y must be one-dimensional"),
        ((GOOD, [0, 1]), {"method": "magic"}, ValueError, "method must be one of"),
        ((GOOD, [0, 1]), {"sample_weight": [1]}, ValueError, "sample_weight must have shape"),
        ((GOOD, [0, 1]), {"sample_weight": [1, -1]}, ValueError, "sample_weight must be finite"),
        ((GOOD, [0, 1]), {"sample_weight": [0, 0]}, ValueError, "sample_weight is zero"),
        ((GOOD, [0, 1]), {"sample_weight": ["a", "b"]}, TypeError, "sample_weight must be num"),
    ],
)
def test_bad_input_to_estimates_is_named(arguments, options, error, match):
    with pytest.raises(error, match=match):
        estimate_noise(*arguments, **options)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"top": 0}, ValueError, "top must be larger than 0"),
        ({"top": 1.5}, ValueError, "top must be a finite number"),
        ({"shrinkage": -1}, ValueError, "shrinkage must be"),
        ({"shrinkage": None}, TypeError, "shrinkage must be a number"),
        ({"shrinkage": "much"}, ValueError, "shrinkage must be 'auto' or a number"),
    ],
)
def test_bad_anchor_parameters_are_named(options, error, match):
    with pytest.raises(error, match=match):
        anchor_noise(GOOD, [0, 1], **options)


# Scoring and finding ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["gradient_norm", "self_confidence", "normalized_margin"])
@quick
@given(seed=st.integers(0, 1000), size=st.integers(2, 6))
def test_quality_by_its_formula(method, seed, size):
    _, p, codes = random_problem(seed, 30, size)
    expected = []
    for row, label in zip(p, codes, strict=True):
        others = np.delete(row, label)
        if method == "gradient_norm":
            expected.append(1 - np.linalg.norm(row - np.eye(size)[label]) / np.sqrt(2))
        elif method == "self_confidence":
            expected.append(row[label])
        else:
            expected.append((row[label] - others.max() + 1) / 2)
    quality = label_quality(p, codes, method)
    np.testing.assert_allclose(quality, expected, atol=1e-12)
    assert quality.min() >= 0
    assert quality.max() <= 1


@pytest.mark.parametrize("method", ["gradient_norm", "self_confidence", "normalized_margin"])
def test_quality_reaches_both_ends(method):
    np.testing.assert_array_equal(label_quality(np.eye(3), [0, 1, 0], method), [1, 1, 0])


def planted_errors(size=4, n=2000):
    p, true, _ = calibrated_problem(n, np.eye(size), seed=0, sharpness=8.0)
    codes, wrong = symmetric_noise(true, 0.2, random_state=0)
    return p, codes, wrong, true


def test_planted_errors_are_found_and_counted():
    p, codes, wrong, _ = planted_errors()
    found = find_label_issues(p, codes)
    assert len(found) == pytest.approx(wrong.sum(), rel=0.1)
    assert wrong[found].mean() > 0.85
    assert wrong[found[:100]].all()
    quality = label_quality(p, codes)[found]
    assert (np.diff(quality) >= 0).all()


def test_auto_takes_the_estimated_number_from_each_class():
    p, codes, _, _ = planted_errors(size=3, n=300)
    share = np.array([1.0, 0.9, 0.5])
    noise = NoiseEstimate(0.2, np.eye(3), np.full(3, 1 / 3), share)
    found = find_label_issues(p, codes, noise=noise)
    quality = label_quality(p, codes)
    for c in range(3):
        rows = np.flatnonzero(codes == c)
        number = int(np.rint((1 - share[c]) * len(rows)))
        worst = rows[np.argsort(quality[rows])[:number]]
        assert set(found[codes[found] == c]) == set(worst)


@pytest.mark.parametrize(
    ("n_issues", "number"), [(0, 0), (7, 7), (0.1, 20), (1.0, 200), (200, 200)]
)
def test_number_of_issues_may_be_set(n_issues, number):
    p, codes, _, _ = planted_errors(n=200)
    found = find_label_issues(p, codes, n_issues=n_issues, method="self_confidence")
    own = p[np.arange(200), codes]
    np.testing.assert_array_equal(own[found], np.sort(own)[:number])


def test_labels_of_any_type_give_the_same_issues():
    p, codes, _, _ = planted_errors()
    names = np.array(["zebra", "ant", "cow", "bee"])  # columns in an order that is not sorted
    for labels in (names[codes], names[codes].astype(object), names[codes].tolist()):
        np.testing.assert_array_equal(
            find_label_issues(p, labels, classes=names), find_label_issues(p, codes)
        )
        np.testing.assert_array_equal(
            label_quality(p, labels, classes=names), label_quality(p, codes)
        )


def test_believed_labels_mend_most_errors():
    p, codes, wrong, true = planted_errors()
    names = np.array(["d", "c", "b", "a"])
    noise = estimate_noise(p, codes)
    believed = believed_labels(p, names[codes], noise, classes=names)
    assert (believed == names[true]).mean() > 0.95 > 1 - wrong.mean()
    np.testing.assert_array_equal(names[believed_labels(p, codes, noise)], believed)


def test_believed_labels_weigh_prediction_against_label():
    even = np.full(2, 0.5)
    noise = NoiseEstimate(0.0, np.eye(2), even, np.ones(2))
    # Without noise the label wins, unless it is impossible.
    assert believed_labels([[0.9, 0.1], [0.0, 1.0]], [1, 0], noise).tolist() == [1, 1]
    # Class 0 is often labelled 1, never the other way: only the label 1 may be doubted.
    noise = NoiseEstimate(0.2, np.array([[0.6, 0.4], [0.0, 1.0]]), even, np.array([1.0, 0.7]))
    p = [[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]]
    assert believed_labels(p, [1, 1, 0], noise).tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"n_issues": "all"}, ValueError, "n_issues must be 'auto'"),
        ({"n_issues": 3}, ValueError, "n_issues must be between 0 and the 2 rows"),
        ({"n_issues": 1.5}, ValueError, "n_issues as a float"),
        ({"n_issues": True}, TypeError, "n_issues must be 'auto'"),
        ({"n_issues": None}, TypeError, "n_issues must be 'auto'"),
        ({"method": "loss"}, ValueError, "method must be one of"),
        ({"noise": 0.2}, TypeError, "noise must be a NoiseEstimate"),
        (
            {"noise": NoiseEstimate(0.0, np.eye(3), np.ones(3) / 3, np.ones(3))},
            ValueError,
            "noise is for 3 classes",
        ),
        ({"classes": ["a", "b"]}, ValueError, "y contains labels that are not in classes"),
        ({"classes": [0, 1, 2]}, ValueError, "classes has 3 entries"),
        ({"classes": [1, 1]}, ValueError, "classes must not repeat"),
    ],
)
def test_bad_input_to_finding_is_named(options, error, match):
    with pytest.raises(error, match=match):
        find_label_issues(GOOD, [0, 1], **options)
