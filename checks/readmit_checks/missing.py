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

    Args:
        max: The most that is allowed. Default: 0.05, or 0.01 where no value of the reference is missing.
        direction: either, or only more (up) or fewer (down) missing values count.
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
        summary=f"{reference.name}: missing values went {claims.went(before.share, after.share)}",
        **claims.limit_of(usual if max is None else max, direction),
    )
