"""The rules, in the order in which they report: each takes a State and yields Findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..finding import Finding
from ..state import State
from . import data, learning, structure, style

Rule = Callable[[State], Iterator[Finding]]

RULES: tuple[Rule, ...] = (
    structure.unknown_type,
    structure.missing_bottom,
    structure.duplicate_name,
    structure.empty_top,
    structure.no_loss,
    structure.unused_top,
    data.too_few_classes,
    data.mirrored_characters,
    data.raw_pixels,
    data.sorted_by_label,
    data.mean_of_another_size,
    learning.nothing_to_learn,
    learning.constant_weights,
    learning.not_under_a_loss,
    learning.batch_of_one,
    learning.statistics_that_never_start,
    learning.statistics_of_the_batch,
    learning.dropped_scores,
    learning.softmax_twice,
    learning.scores_as_probabilities,
    learning.activation_on_scores,
    style.batch_norm_without_scale,
    style.bias_before_batch_norm,
    style.dropout_before_batch_norm,
    style.linear_after_linear,
    style.skipped_elements,
    style.no_accuracy,
)


BEFORE: tuple[Rule, ...] = (
    structure.unknown_type,
    structure.missing_bottom,
)  # what they find, no net survives


def one(rule: Rule, state: State) -> Iterator[Finding]:
    """What one rule finds."""
    return (finding._replace(rule=rule.__name__) for finding in rule(state))


def apply(state: State) -> Iterator[Finding]:
    """What all rules find in a state."""
    for rule in RULES:
        yield from one(rule, state)
