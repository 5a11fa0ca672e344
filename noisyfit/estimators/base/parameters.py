"""Parameters by prefix: ``module__hidden``, ``optimizer__weight_decay`` and their like."""

from __future__ import annotations

from typing import Any, TypeVar

Self = TypeVar("Self", bound="PrefixedParameters")


class PrefixedParameters:
    """Mixin that accepts keywords such as ``module__hidden`` beside the named parameters.

    scikit-learn reads an estimator's parameters off the signature of ``__init__`` and ignores
    ``**keywords``; so those with a known prefix are kept aside and added to `get_params` and
    `set_params`. They then survive `clone` and work in searches.
    """

    _parameter_prefixes: tuple[str, ...] = (
        "module",
        "optimizer",
        "callbacks",
        "iterator_train",
        "iterator_valid",
    )

    def _set_prefixed(self, keywords: dict[str, Any]) -> None:
        # scikit-learn's checks pass the name in the signature as if it were a parameter.
        keywords = {name: value for name, value in keywords.items() if name != "prefixed"}
        for name in keywords:
            if not self._is_prefixed(name):
                prefixes = ", ".join(prefix + "__" for prefix in self._parameter_prefixes)
                raise TypeError(
                    f"{type(self).__name__} has no parameter {name!r}. Beside its named "
                    f"parameters it takes keywords that begin with one of {prefixes}."
                )
        self._prefixed = keywords

    def _is_prefixed(self, name: str) -> bool:
        prefix, separator, rest = name.partition("__")
        return bool(separator and rest) and prefix in self._parameter_prefixes

    def _prefixed_options(self, prefix: str) -> dict[str, Any]:
        """The keywords of one prefix, without it: ``{"hidden": (64,)}`` for "module"."""
        start = prefix + "__"
        return {k[len(start) :]: v for k, v in self._prefixed.items() if k.startswith(start)}

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Also return the parameters of parameters that are estimators.

        Returns
        -------
        dict
            Parameter names, those given by prefix included, mapped to their values.
        """
        return {**super().get_params(deep=deep), **self._prefixed}  # type: ignore[misc]

    def set_params(self: Self, **params: Any) -> Self:
        """Set parameters of this estimator.

        Parameters
        ----------
        **params : dict
            Named parameters, or keywords by prefix such as ``module__hidden``.

        Returns
        -------
        self
            The estimator.
        """
        params.pop("prefixed", None)
        prefixed = {k: params.pop(k) for k in list(params) if self._is_prefixed(k)}
        self._prefixed = {**self._prefixed, **prefixed}
        return super().set_params(**params)  # type: ignore[misc]
