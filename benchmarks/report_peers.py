"""What peers draw from the same two tables: one script each, run by an interpreter that has the peer."""

from pathlib import Path

from measure import Series

EVIDENTLY = """
import sys
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
reference, current = (pd.read_csv(path) for path in sys.argv[1:3])
report = Report([DataDriftPreset()]).run(current, reference)
if len(sys.argv) > 3:
    report.save_html(sys.argv[3])
"""
DEEPCHECKS = """
import sys
import pandas as pd
from deepchecks.tabular import Dataset
from deepchecks.tabular.checks import FeatureDrift
reference, current = (pd.read_csv(path) for path in sys.argv[1:3])
codes = [name for name in reference if name.startswith("code")]
check = FeatureDrift(n_top_columns=100)
result = check.run(Dataset(reference, cat_features=codes), Dataset(current, cat_features=codes))
if len(sys.argv) > 3:
    result.save_as_html(sys.argv[3])
"""
GREAT_EXPECTATIONS = """
import sys
import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd
from great_expectations.render.renderer import ValidationResultsPageRenderer
from great_expectations.render.view import DefaultJinjaPageView
reference, current = (pd.read_csv(path) for path in sys.argv[1:3])
context = gx.get_context(mode="ephemeral")
asset = context.data_sources.add_pandas("tables").add_dataframe_asset("current")
batch = asset.add_batch_definition_whole_dataframe("all")
suite = context.suites.add(gx.ExpectationSuite(name="drift"))
for name in reference:
    if name.startswith("code"):
        shares = reference[name].value_counts(normalize=True)
        partition = {"values": list(shares.index), "weights": list(shares)}
    else:
        edges = np.unique(np.quantile(reference[name], np.linspace(0, 1, 11)))
        counts, _ = np.histogram(reference[name], edges)
        partition = {"bins": list(edges), "weights": list(counts / counts.sum()),
                     "tail_weights": [0.0, 0.0]}
    suite.add_expectation(gxe.ExpectColumnKLDivergenceToBeLessThan(
        column=name, partition_object=partition, threshold=0.1,
        **({} if name.startswith("code") else {"tail_weight_holdout": 0.01, "internal_weight_holdout": 0.0})))
definition = gx.ValidationDefinition(data=batch, suite=suite, name="drift")
result = context.validation_definitions.add(definition).run(
    batch_parameters={"dataframe": current}, result_format="COMPLETE")
if len(sys.argv) > 3:
    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result))
    with open(sys.argv[3], "w", encoding="utf-8") as file:
        file.write(page)
"""
SCRIPTS = {"evidently": EVIDENTLY, "deepchecks": DEEPCHECKS, "great_expectations": GREAT_EXPECTATIONS}


def runs(peer: str, python: str, folder: Path) -> tuple[Series, Series]:
    """Return the runs of a peer's drift check on the two tables, without and with its HTML."""
    command = [python, "-c", SCRIPTS[peer], "reference.csv", "current.csv"]
    return (
        Series(peer, command, folder),
        Series(f"{peer} and report", [*command, f"{peer}.html"], folder),
    )
