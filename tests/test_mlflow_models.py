"""Models from a real MLflow registry on SQLite: resolved, trusted, scored, compared; nothing left behind."""

import os
import shutil
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

mlflow = pytest.importorskip("mlflow", reason="needs the extra mlflow")

from scipy.special import expit  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402

from pytest_readmit import DataError, Finding, SuiteError, run_suite  # noqa: E402
from pytest_readmit.api import Result  # noqa: E402
from pytest_readmit.models import mlflow as ours  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")

PROMOTION = "{guards: {brier: {max_rise: 0.002}}}"
GATE = "  - performance: {metrics: {roc_auc: {min: 0.6}}}\n"
PAIR = (
    "{champion: {mlflow: 'models:/readmission@champion'}, "
    "challenger: {mlflow: 'models:/readmission@challenger'}}"
)
FIRST = PAIR.replace("readmission", "newcomer")


def patients(rows: int = 4000, seed: int = 3) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age, stays = rng.normal(size=(2, rows))
    y = rng.random(rows) < expit(-1.5 + 0.8 * age + 0.7 * stays)
    return pd.DataFrame({"age": age, "stays": stays, "y": y.astype(int)})


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Make a store once: two versions of a model, one as a pickle, one of another flavour, and a newcomer."""
    folder = tmp_path_factory.mktemp("mlflow")
    uri = f"sqlite:///{folder}/store.db"
    frame = patients(seed=1)
    weak = LogisticRegression().fit(frame[["age"]], frame["y"])
    strong = LogisticRegression().fit(frame[["age", "stays"]], frame["y"])
    before = mlflow.get_tracking_uri()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        client = mlflow.MlflowClient(uri, uri)
        experiment = client.create_experiment("tests", artifact_location=(folder / "files").as_uri())
        runs = [
            _logged(experiment, model, auc, **keys)
            for model, auc, keys in (
                (weak, 0.70, {"registered_model_name": "readmission"}),
                (strong, 0.72, {"registered_model_name": "readmission"}),
                (
                    strong,
                    0.71,
                    {"registered_model_name": "readmission", "serialization_format": "cloudpickle"},
                ),
                (strong, float("nan"), {"registered_model_name": "newcomer"}),
            )
        ]
        mlflow.set_tracking_uri(before)
        mlflow.set_registry_uri(before)
    client.set_registered_model_alias("readmission", "champion", "1")
    client.set_registered_model_alias("readmission", "challenger", "2")
    client.set_registered_model_alias("newcomer", "challenger", "1")
    return SimpleNamespace(file=folder / "store.db", runs=runs)


def _logged(experiment: str, model: Any, auc: float, **keys: Any) -> str:
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_metric("roc_auc", auc)
        mlflow.sklearn.log_model(model, name="model", **keys)
        return str(run.info.run_id)


@pytest.fixture
def store(template: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Give each test its own registry, and an empty folder to run in."""
    (tmp_path / "store").mkdir()
    shutil.copy(template.file, tmp_path / "store" / "mlflow.db")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    uri = f"sqlite:///{tmp_path}/store/mlflow.db"
    client = mlflow.MlflowClient(tracking_uri=uri, registry_uri=uri)
    return SimpleNamespace(uri=uri, client=client, runs=template.runs, path=tmp_path)


@pytest.fixture
def run(store: Any) -> Callable[..., Result]:
    def ran(
        models: str = PAIR,
        keys: str = PROMOTION,
        *,
        more: str = "",
        uri: str | None = "store/mlflow.db",
        **given: Any,
    ) -> Result:
        place = "" if uri is None else f"mlflow: {{tracking_uri: 'sqlite:///{uri}'}}\n"
        text = (
            f"{place}columns: {{target: y, positive_label: 1}}\nmodels: {models}\n"
            f"checks:\n  - promotion: {keys}\n{more}"
        )
        suite = store.path / "promotion.yml"
        suite.write_text(text)
        data = {} if "logged" in keys else {"current": patients()}
        return run_suite(suite, data=data, **given)

    return ran


def by_subject(result: Result) -> Mapping[str, Finding]:
    return {str(case.subject): case for case in result.findings if case.check == "promotion"}


def test_two_versions_are_compared_on_the_same_rows(run: Callable[..., Result], store: Any) -> None:
    result = run()
    found = by_subject(result)
    assert {case.verdict for case in found.values()} == {"pass"}, [case.message for case in found.values()]
    told = result.record["provenance"]["models"]
    assert told["champion"]["source"] == "mlflow: models:/readmission@champion"
    assert [told[role]["version"] for role in ("champion", "challenger")] == ["1", "2"]
    assert [told[role]["run_id"] for role in ("champion", "challenger")] == store.runs[:2]
    assert told["challenger"]["name"] == "readmission"
    assert told["challenger"]["digest"].startswith("sha256:")
    assert told["challenger"]["digest"] != told["champion"]["digest"]
    assert found["roc_auc"].details["holdout"]["uses"] == 0
    assert os.listdir() == []


def test_uses_of_the_holdout_are_counted_from_the_tags_of_versions(
    run: Callable[..., Result], store: Any
) -> None:
    digest = run().record["provenance"]["datasets"]["current"]["sha256"]
    store.client.set_model_version_tag("readmission", "1", "readmit.holdout", digest)
    assert by_subject(run())["roc_auc"].details["holdout"]["uses"] == 1


@pytest.mark.parametrize("source", ["models:/readmission/2", "models:/newcomer/latest", "runs:/RUN/model"])
def test_a_model_may_be_named_by_version_latest_or_run(
    source: str, run: Callable[..., Result], store: Any
) -> None:
    source = source.replace("RUN", store.runs[1])
    result = run(PAIR.replace("models:/readmission@challenger", source))
    assert {case.verdict for case in result.findings} == {"pass"}, result.findings[0].message


def test_candidates_may_be_versions(run: Callable[..., Result]) -> None:
    models = "{champion: {mlflow: 'models:/readmission@champion'}}"
    result = run(
        models, "{candidates: [{mlflow: 'models:/readmission/1'}, {mlflow: 'models:/readmission/2'}]}"
    )
    (found,) = result.findings
    assert found.verdict == "pass", found.message
    assert found.details["challenger"] == "candidate-2"
    assert result.record["provenance"]["models"]["candidate-2"]["version"] == "2"


def test_a_pickle_in_the_registry_is_loaded_only_if_the_operator_trusts_it(
    run: Callable[..., Result],
) -> None:
    models = PAIR.replace("readmission@challenger", "readmission/3")
    refused = run(models).findings[0]
    assert refused.verdict == "error"
    assert "--readmit-trust=models:/readmission/3" in refused.message
    trusted = run(models, trust=["models:/readmission/*"]).findings[0]
    assert trusted.verdict == "pass", trusted.message


def test_a_pin_holds_the_digest_of_the_whole_model_and_is_trust(
    run: Callable[..., Result], store: Any
) -> None:
    digest = ours.resolve("models:/readmission/3", store.uri).digest
    pinned = "{mlflow: 'models:/readmission/3', sha256: 'DIGEST'}"
    models = PAIR.replace("{mlflow: 'models:/readmission@challenger'}", pinned)
    assert run(models.replace("DIGEST", digest)).findings[0].verdict == "pass"
    wrong = run(models.replace("DIGEST", "sha256:" + "0" * 64)).findings[0]
    assert "is not the model that its sha256: pins" in wrong.message


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("models:/readmision@champion", "did you mean 'readmission'?"),
        ("models:/readmission@challengr", "did you mean 'challenger'?"),
        ("models:/readmission/9", "has no version 9"),
        ("models:/readmission/Production", "use an alias"),
        ("models:/readmission", "names no model in MLflow"),
        ("readmission@champion", "names no model in MLflow"),
        ("runs:/0123456789/model", "could not be had from MLflow"),
        ("runs:/RUN/nothing", "could not be had from MLflow"),
        ("models:/x' or name like '%@champion", "names no model in MLflow"),
    ],
)
def test_a_model_that_is_not_there_is_an_error(
    source: str, says: str, run: Callable[..., Result], store: Any
) -> None:
    source = source.replace("RUN", store.runs[0]).replace("'", "''")
    found = run(PAIR.replace("models:/readmission@challenger", source)).findings[0]
    assert found.verdict == "error"
    assert says in found.message


@pytest.mark.parametrize("uri", ["nowhere.db", "store"])
def test_a_store_that_is_not_there_is_an_error_and_is_not_made(
    uri: str, run: Callable[..., Result], store: Any
) -> None:
    found = run(uri=uri).findings[0]
    assert found.verdict == "error"
    assert "the MLflow store is not there" in found.message
    assert sorted(path.name for path in store.path.iterdir()) == ["cwd", "promotion.yml", "store"]


def test_a_server_that_does_not_answer_is_an_error_at_once(store: Any) -> None:
    with pytest.raises(DataError, match="does not answer"):
        ours.resolve("models:/readmission/1", "http://user:secret@127.0.0.1:9")


def test_the_store_may_come_from_the_environment_alone(
    run: Callable[..., Result], store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SuiteError, match="no MLflow store is named"):
        run(uri=None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    assert run(uri=None).verdict == "pass"


def test_a_model_that_never_had_a_champion_passes_if_another_gate_stops_a_bad_one(
    run: Callable[..., Result],
) -> None:
    found = by_subject(run(FIRST, more=GATE))
    assert found["roc_auc"].verdict == "pass", found["roc_auc"].message
    assert "never had a champion, so performance of the suite decide" in found["roc_auc"].message
    assert found["roc_auc"].details["first"] is True
    assert found["roc_auc"].decide_by == "estimate"
    assert found["guard:brier"].verdict == "pass"


@pytest.mark.parametrize(
    "gate",
    [
        "",
        "  - performance: {metrics: {roc_auc: {}}}\n",
        "  - performance: {metrics: {roc_auc: {min: 0.6}}, severity: warn}\n",
    ],
)
def test_without_such_a_gate_a_first_model_is_an_error(gate: str, run: Callable[..., Result]) -> None:
    found = by_subject(run(FIRST, more=gate))["roc_auc"]
    assert found.verdict == "error"
    assert "add a `performance` or `calibration` entry" in found.message


@pytest.mark.parametrize("trace", ["status", "previous", "history", "stage"])
def test_a_missing_alias_is_an_error_where_history_names_a_champion(
    trace: str, run: Callable[..., Result], store: Any
) -> None:
    if trace == "status":
        store.client.set_model_version_tag("newcomer", "1", "readmit.status", "archived")
    elif trace == "previous":
        store.client.set_registered_model_alias("newcomer", "previous", "1")
    elif trace == "history":
        store.client.set_registered_model_tag("newcomer", "readmit.history.1", "{}")
    else:
        store.client.transition_model_version_stage("newcomer", "1", "Production")
    found = by_subject(run(FIRST, more=GATE))["roc_auc"]
    assert found.verdict == "error"
    assert "the alias is missing although the history of 'newcomer' names a champion" in found.message


def test_a_wrong_name_does_not_pass_for_a_first_model(run: Callable[..., Result]) -> None:
    models = PAIR.replace("readmission@champion", "newcomer@champion")
    found = by_subject(run(models, more=GATE))["roc_auc"]
    assert found.verdict == "error"
    assert "the challenger is no version of it" in found.message


LOGGED = "{metric: roc_auc, min_improvement: 0.01, evidence: logged, decide_by: estimate}"


@pytest.mark.parametrize(("new", "verdict"), [(0.72, "pass"), (0.71, "pass"), (0.709, "fail"), (0.5, "fail")])
def test_the_plain_rule_is_strict_to_the_letter(
    new: float, verdict: str, run: Callable[..., Result], store: Any
) -> None:
    store.client.log_metric(store.runs[1], "roc_auc", new)
    assert ("pass" if new - 0.70 > 0.01 else "fail") == verdict
    (found,) = run(keys=LOGGED).findings
    assert found.verdict == verdict, found.message
    assert found.estimate == new - 0.70
    assert found.interval is None


def test_an_improvement_of_exactly_the_minimum_is_not_above_it(
    run: Callable[..., Result], store: Any
) -> None:
    store.client.log_metric(store.runs[0], "roc_auc", 0.5)
    store.client.log_metric(store.runs[1], "roc_auc", 0.75)
    assert run(keys=LOGGED.replace("0.01", "0.25")).findings[0].verdict == "fail"


def test_a_metric_missing_from_either_run_is_an_error(run: Callable[..., Result], store: Any) -> None:
    keys = LOGGED.replace("evidence", "logged_as: {roc_auc: val_auc}, evidence")
    found = run(keys=keys).findings[0]
    assert found.verdict == "error"
    assert "the run of challenger logged no metric 'val_auc' (it logged roc_auc)" in found.message
    store.client.log_metric(store.runs[1], "val_auc", 0.9)
    assert "the run of champion logged no metric 'val_auc'" in run(keys=keys).findings[0].message
    store.client.log_metric(store.runs[0], "val_auc", 0.8)
    assert run(keys=keys).findings[0].verdict == "pass"


def test_a_logged_metric_that_is_no_number_is_an_error(run: Callable[..., Result]) -> None:
    found = run(PAIR.replace("readmission@challenger", "newcomer@challenger"), LOGGED).findings[0]
    assert found.verdict == "error"
    assert "no finite number" in found.message


def test_a_first_model_passes_by_the_plain_rule(run: Callable[..., Result], store: Any) -> None:
    store.client.log_metric(store.runs[3], "roc_auc", 0.6)
    (found,) = run(FIRST, LOGGED).findings
    assert found.verdict == "pass", found.message
    assert found.details["first"] is True


def test_data_may_be_what_a_run_logged(store: Any) -> None:
    frame = patients().assign(old=0.2, new=0.2)
    frame.to_csv(store.path / "current.csv", index=False)
    store.client.log_artifact(store.runs[0], str(store.path / "current.csv"), "data")
    source = f"runs:/{store.runs[0]}/data/current.csv"
    suite = store.path / "s.yml"
    suite.write_text(
        "mlflow: {tracking_uri: 'sqlite:///store/mlflow.db'}\n"
        f"data: {{current: {{mlflow: '{source}', where: 'age > 0'}}}}\n"
        "checks: [unique: {columns: [age, stays]}]\n"
    )
    result = run_suite(suite)
    assert result.verdict == "pass", result.findings[0].message
    told = result.record["provenance"]["datasets"]["current"]
    assert (told["source"], told["version"]) == (f"mlflow: {source}", store.runs[0])
    suite.write_text(suite.read_text().replace("current.csv", "gone.csv"))
    assert "could not be had from MLflow" in run_suite(suite).findings[0].message
    suite.write_text(suite.read_text().replace("mlflow: {tracking_uri: 'sqlite:///store/mlflow.db'}\n", ""))
    with pytest.raises(SuiteError, match=r"data.current: no MLflow store is named"):
        run_suite(suite)


def test_an_alias_that_moves_while_processes_start_is_read_where_it_stood(
    run: Callable[..., Result], store: Any
) -> None:
    from pytest_readmit import cases
    from pytest_readmit.run import decide_all
    from pytest_readmit.settings import PlanSettings

    run()
    paths, data = [store.path / "promotion.yml"], {"current": patients()}
    pins = cases.plan(paths, PlanSettings(data=data)).pins()
    assert [pin for name, pin in pins.items() if "champion" in name] == ["models:/readmission/1"]
    store.client.set_registered_model_alias("readmission", "champion", "2")
    _, told = decide_all(cases.plan(paths, PlanSettings(data=data, pins=pins)))
    assert told["models"]["champion"]["version"] == "1"
    assert told["models"]["champion"]["source"] == "mlflow: models:/readmission@champion"
