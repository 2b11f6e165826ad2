"""Log training runs, dataset profiles and suite runs to MLflow: the public names of tracking."""

from pytest_readmit.tracking.profile import log_dataset_profile
from pytest_readmit.tracking.store import setup_experiment
from pytest_readmit.tracking.suites import log_suite_run
from pytest_readmit.tracking.training import log_training_run

__all__ = ["log_dataset_profile", "log_suite_run", "log_training_run", "setup_experiment"]
