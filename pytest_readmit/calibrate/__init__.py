"""How often each gate alarms with nothing wrong, and the smallest change that it would catch."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_readmit.calibrate.rates import calibrate
    from pytest_readmit.calibrate.results import Calibration, GateRate

__all__ = ["Calibration", "GateRate", "calibrate"]


def __getattr__(name: str) -> Any:
    # The command line reads its options from here; only a calibration loads what it works with.
    if name in __all__:
        from pytest_readmit.calibrate import rates

        return getattr(rates, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
