"""Settings of the papers, to be had by name."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

Self = TypeVar("Self", bound="Published")


class Published:
    """Mixin for methods that were published with settings of their own."""

    _published: ClassVar[dict[str, Any]]

    @classmethod
    def paper(cls: type[Self], **parameters: Any) -> Self:
        """Make the estimator with the settings of its paper's CIFAR-10 experiments.

        Those of the method and of the training, as far as there are parameters for them: the epochs
        and learning rates of the phases, the optimizer of the main one, the batch size. The network
        is not among them; the papers train residual networks on augmented images.

        Parameters
        ----------
        **parameters : keywords
            Parameters that are to differ, such as ``max_epochs`` and ``module``.

        Returns
        -------
        estimator
            Not fitted.
        """
        return cls(**{**cls._published, **parameters})
