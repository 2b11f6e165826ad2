"""Has the share of missing values changed."""

from pytest_readmit import Claim, Column, Direction, Share, check
from readmit_checks import claims

USUAL = 0.05
NONE_BEFORE = 0.01


@check
def missing_drift(
    reference: Column, current: Column, *, max: Share | None = None, direction: Direction = "either"
) -> Claim:
    """
    Has the share of missing values changed by more than `max`?

    The change is the share in current less the share in the reference, from -1 to 1. What counts as missing
    is what the file calls missing: an empty CSV cell, a null, a NaN, and `read: {null_values: ...}`.

    Args:
        max: The most that is allowed. Default: 0.05, or 0.01 where no value of the reference is missing.
        direction: either, or only more (up) or fewer (down) missing values count.

    Raises:
        DataError: A dataset has no rows.

    References:
        Newcombe (1998), Stat. Med. 17, 873-890, method 10; where the reference has none missing, Zou and
        Donner (2008), Stat. Med. 27, 1693-1702.

    Example:
        data: {reference: {demo: reference}, current: {demo: current}}
        checks:
          - missing_drift: {columns: [lactate, sodium], direction: up}
    """
    from pytest_readmit.stats import proportion

    before, after = reference.missing(), current.missing()
    for column, missing in ((reference, before), (current, after)):
        claims.need_rows(column.dataset, column.source, missing.rows)
    usual = USUAL if before.events else NONE_BEFORE
    # Newcombe's limits err too often where a share this near to zero is at stake.
    difference = proportion.risk_difference if before.events else proportion.rare_difference
    return claims.of_shares(
        difference(before, after),
        before,
        after,
        method="risk_difference",
        summary=f"{reference.name}: missing values went {claims.went(before, after)}",
        **claims.limit_of(usual if max is None else max, direction),
    )
