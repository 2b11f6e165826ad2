"""The built-in check pack: importing it registers every check, as anybody's own module would."""

from readmit_checks import (
    behavior,
    calibration,
    concept,
    drift,
    estimated,
    fairness,
    integrity,
    joint,
    missing,
    outcomes,
    performance,
    promotion,
    quality,
    units,
)

__all__ = [
    "behavior",
    "calibration",
    "concept",
    "drift",
    "estimated",
    "fairness",
    "integrity",
    "joint",
    "missing",
    "outcomes",
    "performance",
    "promotion",
    "quality",
    "units",
]
