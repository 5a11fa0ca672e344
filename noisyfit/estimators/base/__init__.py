"""What the estimators share: parameters, validation, documentation, and fitting a network.

`network` is the base of all that train a network; `incremental` adds `partial_fit`, `whole_data`
is for methods that train on all rows in every epoch and judge them by what they predicted then.
"""
