"""The built-in check pack: importing it registers every check, as anybody's own module would."""

from readmit_checks import drift, integrity, missing, outcomes, quality, units

__all__ = ["drift", "integrity", "missing", "outcomes", "quality", "units"]
