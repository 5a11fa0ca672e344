"""Rows of the table about files that `noisyfit.load` is given."""

from __future__ import annotations

from bad_input.estimators import FITTED
from bad_input.outcomes import DoesNotApply, Outcome, Row, TestedBy, row

AREA = "files"


def refused(kind: str, test: str, says: str = "refused: LoadError says why") -> Row:
    cells: dict[tuple[str, ...] | str, Outcome] = {
        FITTED: TestedBy(test, says),
        "CarriedWeights": DoesNotApply("is not saved"),
    }
    return row(AREA, kind, "path", cells)


ROWS = [
    refused("no file", "test_no_file", "refused: FileNotFoundError"),
    refused("a file of another program", "test_other_files_are_refused"),
    refused("a zip of another program", "test_other_zips_are_refused"),
    refused("a truncated file", "test_truncated_files_of_every_estimator_are_refused"),
    refused(
        "bytes flipped", "test_flipped_bytes_are_refused_or_do_no_harm", "refused, or harmless"
    ),
    refused("members missing or added", "test_missing_and_extra_members_are_refused"),
    refused("members edited", "test_edited_members_are_refused"),
    refused("a newer format", "test_newer_formats_are_refused"),
    refused("strange names", "test_strange_names_are_refused"),
    refused("a zip bomb", "test_zip_bombs_are_refused"),
    refused(
        "arrays that are not what they say", "test_arrays_that_are_not_what_they_say_are_refused"
    ),
    refused("weights that are not finite", "test_weights_that_are_not_finite_are_refused"),
    refused(
        "a network larger than its weights", "test_networks_larger_than_their_weights_are_refused"
    ),
    refused("forged records", "test_forged_files_are_refused"),
    refused(
        "records changed at random",
        "test_changed_records_are_refused_or_do_no_harm",
        "refused, or harmless",
    ),
]
