"""Parameters and attributes that several estimators share, described once.

A class docstring names a block in braces, such as ``{network_parameters}``, where the text goes.
"""

from __future__ import annotations

from typing import TypeVar

Class = TypeVar("Class", bound=type)

NETWORK_PARAMETERS = """\
module : torch.nn.Module class or instance, callable, or None, default=None
        The network, giving logits of shape (n, n_classes). None is a multilayer perceptron with
        two hidden layers of 256, batch normalisation and standardised inputs, sized in `fit`,
        or, for images, a net of three convolutions with ``module__channels=(32, 64, 128)``
        (columns that are principal components, as PCA and TruncatedSVD give them, are divided by
        one scale instead of one each; sparse X of more than 512 columns, words say, is projected
        to its 256 leading components first, in `fit`, not in `partial_fit`). A class or function
        that has parameters ``in_features`` and ``out_features``, as ``torch.nn.Linear`` has, is
        given the sizes, and ``in_channels`` of images; its other arguments are set as
        ``module__<name>``. An instance is copied, so its weights are where training starts. Of
        several outputs the first, or that called ``logits``, counts.
    max_epochs : int, default=40
        Passes over the training rows; the fitted network is that of the last epoch.
    lr : float, default=1e-3
        Learning rate of the optimizer.
    lr_schedule : {"cosine", "constant"} or dict, default="cosine"
        Learning rate over the epochs of a phase: falling to zero along a cosine, unchanged, or
        multiplied by factors after certain epochs, ``{80: 0.1, 100: 0.1}`` say (not in phases that
        have a learning rate of their own).
    batch_size : int or "auto", default="auto"
        Rows of a training step; -1 puts all rows in one step. "auto" is 128, or less for small
        data, a fortieth of the rows, so that an epoch has some 40 steps; at least 16.
    optimizer : {"adam", "adamw", "sgd"} or torch.optim.Optimizer class, default="adam"
        "adam" has weight decay 1e-4, "adamw" 1e-2, "sgd" 5e-4 and momentum 0.9; change them
        with ``optimizer__<name>``. A class comes with torch's own defaults.
    class_weight : dict, "balanced" or None, default=None
        Weights of the classes, multiplied with `sample_weight`.
    train_transform : callable or None, default=None
        Augmentation: takes a training batch, as the module would get it (images as numbers of shape
        (n, channels, height, width), on the device), and gives one of the same rows, changed at
        random by torch's generators. Predictions see rows as they are. See
        `noisyfit.augmentation`.
    validation_fraction : float or None, default=None
        Share of the rows, stratified by class, that is not trained on; their loss and accuracy
        (under the given labels) are recorded in `history_` for early stopping.
    warm_start : bool, default=False
        Whether `fit` goes on from the current weights instead of starting anew.
    callbacks : list or None, default=None
        skorch callbacks, as instances or (name, instance) pairs.
    checkpoint : path or None, default=None
        Folder in which `fit` keeps checkpoints between its epochs. After a crash the same fit (same
        data, parameters and folder) goes on from the last one and ends, on the CPU, with the same
        result to the bit; any other fit is refused. ``{fit}`` in the name stands for letters that
        are another for each fit, as searches need it. `partial_fit` keeps none.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network; X is converted to it.
    autocast : {"bfloat16", "float16"} or None, default=None
        Type in which torch computes the network's products (``torch.autocast``), in training and in
        prediction; weights, losses and probabilities stay in `dtype`, which must be "float32".
        Meant for GPUs that are faster in it. With "float16" the loss is scaled so that small
        gradients don't vanish, but large values overflow; take "bfloat16" where the device has it.
    memory_format : {"channels_last"} or None, default=None
        Order of the weights of convolutions in memory, and so of what they compute. Convolutions
        are often faster with channels last, most of all in half precision.
    compile : bool or str, default=False
        Whether training steps are compiled (``torch.compile``); True, or a mode: "default",
        "reduce-overhead" (by CUDA graphs, for small networks on a GPU), "max-autotune" or
        "max-autotune-no-cudagraphs". It takes from seconds to minutes and pays for long trainings.
        Batches of another size than the usual one, and predictions, are not compiled. Results
        differ by rounding, and by what is drawn in dropout. Not for sparse X.
    device : str or torch.device, default="cpu"
        Where to train and predict: "cpu", "cuda", "cuda:1", "mps".
    accelerator : accelerate.Accelerator or None, default=None
        For scripts that run in several processes, on as many GPUs or machines (``torchrun``,
        ``accelerate launch``): all processes fit together, each on its share of every batch, and
        end with the same estimator. Its device takes the place of `device`. It is not copied with
        the estimator, nor saved.
    random_state : int, RandomState instance or None, default=None
        Source of initial weights, order of rows and all else random; an int makes fits
        reproducible. The global generators are left as they were.
    verbose : int, default=0
        1 prints a line per epoch.
    **prefixed : keywords
        Options by prefix: ``module__*``, ``optimizer__*``, ``callbacks__*``,
        ``iterator_train__*`` and ``iterator_valid__*`` (options of a torch DataLoader)."""


def _with_best_epochs(default: str, note: str) -> str:
    """The parameters of a method that keeps the best epoch on rows held out."""
    start, end = (NETWORK_PARAMETERS.index(name) for name in ("validation_fraction", "warm_start"))
    text = f"""\
validation_fraction : {default}
        Share of the rows, stratified by class, that is not trained on. Of all epochs of a phase the
        network is kept that explains their given labels best. {note}With None the network is that
        of the last epoch.
    """
    parameters = NETWORK_PARAMETERS[:start] + text + NETWORK_PARAMETERS[end:]
    return parameters.replace("rows; the fitted network is that of the last epoch.", "rows.")


VALIDATED_NETWORK_PARAMETERS = _with_best_epochs(
    '"auto", float or None, default="auto"',
    '"auto" is a tenth where each class\n        has ten rows at least, else none. ',
)
CHECKED_NETWORK_PARAMETERS = _with_best_epochs("float or None, default=None", "")

NETWORK_ATTRIBUTES = """\
classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X had string column names.
    n_iter_ : int
        Number of epochs run.
    history_ : skorch.history.History
        One record per epoch: losses, phase, number of rows, duration.
    net_ : skorch.NeuralNet
        The fitted net; the network itself is ``net_.module_``.
    projection_ : ndarray or CSR matrix of shape (`n_features_in_`, n_components), or None
        What sparse rows are multiplied with before the default network sees them.
    interrupted_ : bool
        Whether Ctrl-C ended `fit` before its last epoch; set by `fit`.
    label_quality_ : ndarray or Series of shape (n_samples,)
        How far each row's given label is to be trusted: the probability, as believed, that it
        is right; set by `fit`. A Series with the index of X (or else of y), where that is pandas'.
    transduction_ : ndarray or Series of shape (n_samples,)
        The label believed to be right for each training row, in the same form; set by `fit`.
    noise_rate_ : float
        Estimated share of wrong labels; set by `fit`.
    transition_matrix_ : ndarray of shape (n_classes, n_classes)
        Estimated probabilities of the given label (columns) for each true label (rows)."""

TRANSITION_PARAMETERS = """\
cross_fit : int or None, default=3
        Number of networks that estimate the noise, each of which judges the rows that it was not
        trained on. None: one network that judges the rows it was trained on, as in the papers.
    estimation_epochs : int, default=3
        Epochs of these networks on the labels as given: enough to learn something, too few to
        memorise wrong labels. With `cross_fit` up to four times as many, while they still learn
        fast, and with "auto" five more on what is then believed about the labels."""

SELECTION_PARAMETERS = """\
k : int or None, default=None
        Number of medoids in all, shared between the groups in proportion to their rows; None
        goes by `fraction`.
    fraction : float in (0, 1], default=0.5
        Share of each group's rows (those left after trimming) that become medoids.
    selection : str, default="auto"
        "greedy" is exact greedy facility location, the CRUST paper's algorithm; "auto" is that in
        groups of at most 20,000 rows, and "partitioned", greedy in random parts, in larger ones.
        "k_medoids" improves the exact choice by swaps, "stochastic" is greedy among random
        samples, "columns" takes rows that span all, "central" the rows nearest to all others, as
        the paper's code does, "random" any rows, and "all" every row that is left after trimming.
    trim : "auto", float in [0, 1) or None, default=None
        Share of each class (of all rows, without y) left out first: those whose gradients are
        farthest from zero. "auto" estimates it for each class and needs `estimator`.
    estimator : scikit-learn classifier or None, default=None
        Without it the rows of X are the gradients. With it they are features, and the gradients
        are p - onehot(y) with p from clones of the estimator that did not see the row.
    group_by : {"given", "predicted"}, default="given"
        Whether medoids are chosen for each given class (without y: from all rows at once) or,
        with `estimator`, for each predicted class.
    cross_fit : int or None, default=5
        Number of folds for the estimator's predictions; None judges rows by a model that was
        fitted on them, which hides the errors that it has memorised.
    n_jobs : int or None, default=None
        Number of folds fitted at the same time, through joblib.
    device : str or torch.device, default="cpu"
        Where medoids are chosen: "cpu", "cuda", "cuda:1", "mps". `transform` works on the CPU.
    random_state : int, RandomState instance or None, default=None
        Draws the folds, and whatever `selection` draws."""

SELECTION_ATTRIBUTES = """\
medoid_indices_ : ndarray of shape (n_medoids,)
        Rows chosen, class by class in the order of selection.
    sample_indices_ : ndarray of shape (n_medoids,)
        The same rows, sorted.
    weights_ : ndarray of shape (n_medoids,)
        Number of the rows that each of `medoid_indices_` stands for.
    labels_ : ndarray or Series of shape (n_samples,)
        Position in `medoid_indices_` of each row's medoid; -1 for rows trimmed away. A Series with
        the index of X (or else of y), where that is pandas'.
    n_features_in_ : int
        Number of features seen in `fit`."""


def share_documentation(cls: Class) -> Class:
    """Put the shared texts into a class docstring, indented as it is."""
    blocks = {
        "{network_parameters}": NETWORK_PARAMETERS,
        "{validated_network_parameters}": VALIDATED_NETWORK_PARAMETERS,
        "{checked_network_parameters}": CHECKED_NETWORK_PARAMETERS,
        "{network_attributes}": NETWORK_ATTRIBUTES,
        "{transition_parameters}": TRANSITION_PARAMETERS,
        "{selection_parameters}": SELECTION_PARAMETERS,
        "{selection_attributes}": SELECTION_ATTRIBUTES,
    }
    documentation = cls.__doc__ or ""
    # Python 3.13 strips the indentation of docstrings; the texts are written with it.
    indented = "\n    {" in documentation
    for name, text in blocks.items():
        text = text if indented else text.replace("\n    ", "\n")
        documentation = documentation.replace(name, text)
    cls.__doc__ = documentation
    return cls
