"""What the workflows, the action and the hook promise: who may do what, on which event, with whose values."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_readmit import cli

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted(
    [*(ROOT / ".github" / "workflows").glob("*.yml"), *(ROOT / "templates" / "workflows").iterdir()]
)
PIPELINES = [path for path in WORKFLOWS if path.name == "mlops.yml"]
ACTION = ROOT / "action.yml"
SELF = ("$/.github/workflows/ci.yml", "$/.github/workflows/gates.yml", "./.readmit")
EVIL = '[retrain] $(touch pwned); "; touch pwned; `touch pwned`\nretrain=maybe'

each_pipeline = pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.parts[-3])


def load(path: Path) -> dict[Any, Any]:
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = load(path)["jobs"]
    return found


def steps(path: Path) -> Iterator[dict[str, Any]]:
    if path == ACTION:
        yield from load(path)["runs"]["steps"]
        return
    for job in jobs(path).values():
        yield from job.get("steps", [{"uses": job.get("uses")}])


@pytest.mark.parametrize("path", [*WORKFLOWS, ACTION], ids=lambda path: "-".join(path.parts[-3:]))
def test_actions_are_pinned_and_no_expression_reaches_a_shell(path: Path) -> None:
    for step in steps(path):
        assert "${{" not in step.get("run", "")
        used = step.get("uses")
        assert used is None or used in SELF or re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40}", used), used
        if str(used).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: "-".join(path.parts[-3:]))
def test_jobs_have_least_permissions_and_an_end(path: Path) -> None:
    found = load(path)
    assert found["permissions"] == {}
    assert "pull_request_target" not in found[True]
    for name, job in found["jobs"].items():
        granted = dict(job["permissions"])
        assert granted.pop("contents", "read") == "read"
        signs = (
            {"id-token": "write", "attestations": "write"} if name == "gates" and path in PIPELINES else {}
        )
        assert granted == signs, name
        assert "uses" in job or 0 < job["timeout-minutes"] <= 120, name


@each_pipeline
def test_each_stage_waits_for_the_one_before_it(path: Path) -> None:
    found = jobs(path)
    assert load(path)[True].keys() == {"push", "pull_request", "schedule", "workflow_dispatch"}
    checks = ["ci"] if ".github" in path.parts else ["lint", "tests"]
    assert found["images"]["needs"] == [*checks, "demo-gates"]
    assert found["retrain"]["needs"] == ["plan", "images"]
    assert (found["gates"]["needs"], found["promote"]["needs"]) == ("retrain", "gates")
    # Without a status function a job runs only if those it needs went well.
    assert found["retrain"]["if"] == "needs.plan.outputs.retrain == 'true'"
    assert "if" not in found["gates"]
    assert found["promote"]["if"] == "github.ref == 'refs/heads/main' && github.event_name != 'pull_request'"
    assert not any("continue-on-error" in step for step in steps(path))


def test_nothing_is_checked_twice_because_only_the_pipeline_answers_to_events() -> None:
    others = [path for path in WORKFLOWS if path not in PIPELINES]
    assert [path.name for path in others] == ["ci.yml", "gates.yml"]
    assert all(load(path)[True].keys() == {"workflow_call"} for path in others)


@each_pipeline
def test_promotions_never_race_and_wait_for_the_environment(path: Path) -> None:
    job = jobs(path)["promote"]
    assert job["environment"] == "production"
    assert job["concurrency"]["cancel-in-progress"] is False
    assert "github" not in job["concurrency"]["group"], "one group for all runs"
    [download] = [step for step in job["steps"] if "download-artifact" in step.get("uses", "")]
    assert download["with"].keys() == {"name", "path"}, "only artifacts of its own run"


@each_pipeline
def test_a_pull_request_sees_no_secret(path: Path) -> None:
    for name, job in jobs(path).items():
        if name in ("retrain", "gates", "promote"):
            continue
        for step in job.get("steps", []):
            if "secrets." in str(step):
                assert step["if"].startswith("github.ref == 'refs/heads/main' && github.event_name == 'push'")


def test_the_template_does_what_is_tested_here() -> None:
    def told(path: Path, job: str) -> list[Any]:
        kept = [step for step in jobs(path)[job]["steps"] if "run" in step and "name" in step]
        return [(step["name"], step["run"], step.get("env")) for step in kept if "data" not in step["name"]]

    own, template = PIPELINES
    for job in ("retrain", "gates", "promote"):
        assert told(own, job) == told(template, job)
    assert jobs(own)["plan"] == jobs(template)["plan"]
    assert jobs(own)["images"]["steps"] == jobs(template)["images"]["steps"]


class TestPlan:
    """The job that decides whether to retrain."""

    @pytest.fixture
    def plan(self, steps: Any, tmp_path: Path) -> Any:
        workspace = tmp_path / "workspace"
        workspace.mkdir()
        runner = steps.Runner(tmp_path / "runner", workspace)
        runner.known["vars.MLFLOW_TRACKING_URI"] = "https://mlflow.hospital.example"

        def run(event: str, *, ref: str = "refs/heads/main", message: str = "", **known: str) -> str:
            runner.known |= {"github.event_name": event, "github.ref": ref}
            runner.known |= {"github.event.head_commit.message": message, **known}
            assert runner.job(steps.PIPELINE, "plan"), runner.said
            assert list(workspace.iterdir()) == []
            return str(runner.outputs["plan"]["retrain"])

        return run

    @pytest.mark.parametrize(
        ("event", "more", "expected"),
        [
            ("schedule", {}, "true"),
            ("push", {"message": "Mend the report"}, "false"),
            ("push", {"message": "Newer data [retrain]"}, "true"),
            ("push", {"message": "[retrain]", "ref": "refs/heads/develop"}, "false"),
            ("pull_request", {"message": "[retrain]", "ref": "refs/pull/7/merge"}, "false"),
            ("workflow_dispatch", {"inputs.retrain": "true"}, "true"),
            ("workflow_dispatch", {"inputs.retrain": "false"}, "false"),
            ("workflow_dispatch", {"inputs.retrain": "true", "ref": "refs/heads/develop"}, "false"),
            ("schedule", {"vars.MLFLOW_TRACKING_URI": ""}, "false"),
        ],
    )
    def test_retraining_is_for_main_and_only_when_asked_for(
        self, plan: Any, event: str, more: dict[str, str], expected: str
    ) -> None:
        assert plan(event, **more) == expected

    def test_a_commit_message_is_never_run(self, plan: Any) -> None:
        assert plan("push", message=EVIL) == "true"
        assert plan("push", message=EVIL.replace("[retrain]", "")) == "false"


class TestImages:
    """The job that builds and pushes images, with a `docker` that only notes how it was called."""

    SECRET = "token-of-the-registry"
    DOCKER = """#!/bin/sh
echo "$*" >> "{log}"
case "$1" in login) cat > "{log}.stdin" ;; inspect) echo "exporter@sha256:local"; echo "{digest}" ;; esac
"""

    def job(self, steps: Any, folder: Path, digest: str, **known: str) -> Any:
        workspace = folder / "workspace"
        workspace.mkdir()
        runner = steps.Runner(folder / "runner", workspace)
        docker = runner.programs / "docker"
        docker.write_text(self.DOCKER.format(log=runner.log, digest=digest), encoding="utf-8")
        docker.chmod(0o755)
        runner.environ["GITHUB_SHA"] = "c" * 40
        runner.known |= {"matrix.name": "exporter", "matrix.file": "Dockerfile", "matrix.context": "."}
        runner.known |= {"github.ref": "refs/heads/main", "github.event_name": "push"}
        runner.known |= {"vars.IMAGE_REGISTRY": "registry.example/hospital"}
        runner.known |= {"secrets.REGISTRY_USERNAME": "ada"}
        runner.known |= {"secrets.REGISTRY_TOKEN": self.SECRET, **known}
        return runner, runner.job(steps.PIPELINE, "images")

    def test_main_pushes_by_digest_and_shows_the_token_to_nobody(self, steps: Any, tmp_path: Path) -> None:
        digest = "registry.example/hospital/exporter@sha256:" + "a" * 64
        runner, well = self.job(steps, tmp_path, digest)
        assert well, runner.said
        name = "registry.example/hospital/exporter:" + "c" * 40
        assert runner.calls == [
            "build --pull --file Dockerfile --tag exporter .",
            "login registry.example --username ada --password-stdin",
            f"tag exporter {name}",
            f"push --quiet {name}",
            f"inspect --format {{{{range .RepoDigests}}}}{{{{println .}}}}{{{{end}}}} {name}",
            "logout registry.example",
        ]
        assert (runner.folder / "calls.log.stdin").read_text() == self.SECRET
        assert (runner.artifacts / "image-exporter" / "exporter.digest").read_text() == f"{digest}\n"

    @pytest.mark.parametrize(
        "known",
        [
            {"github.ref": "refs/heads/develop"},
            {"github.event_name": "pull_request", "github.ref": "refs/pull/7/merge"},
            {"github.event_name": "schedule"},
            {"vars.IMAGE_REGISTRY": ""},
        ],
    )
    def test_elsewhere_images_are_only_built(self, steps: Any, tmp_path: Path, known: dict[str, str]) -> None:
        runner, well = self.job(steps, tmp_path, "", **known)
        assert well, runner.said
        assert [call.split()[0] for call in runner.calls] == ["build"]

    def test_an_image_without_a_digest_is_no_success(self, steps: Any, tmp_path: Path) -> None:
        _, well = self.job(steps, tmp_path, "")
        assert not well


class TestHook:
    """`.pre-commit-hooks.yaml`, as pre-commit reads it."""

    @pytest.fixture
    def hook(self) -> dict[str, Any]:
        [found] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
        return dict(found)

    @pytest.mark.parametrize(
        ("name", "wanted"),
        [
            ("suites/drift.yml", True),
            ("ward/suites/a/b.yaml", True),
            ("mysuites/a.yml", False),
            ("a.yml", False),
        ],
    )
    def test_it_takes_the_files_of_folders_named_suites(
        self, hook: dict[str, Any], name: str, wanted: bool
    ) -> None:
        assert hook["types"] == ["yaml"]
        assert bool(re.search(hook["files"], name)) is wanted

    def test_its_entry_passes_our_suites_and_names_what_is_wrong(
        self, hook: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wrong = tmp_path / "suites" / "wrong.yml"
        wrong.parent.mkdir()
        wrong.write_text("data: {current: a.csv}\nchecks: [missing_drif]\n", encoding="utf-8")
        program, *arguments = hook["entry"].split()
        assert program == "readmit"
        assert cli.main([*arguments, *map(str, (ROOT / "suites").glob("*.yml"))]) == cli.OK
        assert cli.main([*arguments, str(wrong)]) == cli.WRONG
        assert "did you mean 'missing_drift'" in capsys.readouterr().out


class TestPage:
    """What docs/pipeline.md tells people to copy."""

    @pytest.fixture
    def blocks(self) -> list[Any]:
        text = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
        return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]

    def test_it_uses_inputs_and_a_hook_that_exist(self, blocks: list[Any]) -> None:
        [step], workflow, hooks = blocks
        assert step["with"].keys() <= load(ACTION)["inputs"].keys()
        job = workflow["jobs"]["gates"]
        called = load(ROOT / job["uses"].partition("@")[0].removeprefix("OWNER/pytest-readmit/"))
        assert job["with"].keys() <= called[True]["workflow_call"]["inputs"].keys()
        [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
        assert hooks["repos"][0]["hooks"] == [{"id": hook["id"]}]

    def test_it_names_every_input_job_variable_and_secret(self) -> None:
        text = (ROOT / "docs" / "pipeline.md").read_text(encoding="utf-8")
        pipeline = PIPELINES[0].read_text(encoding="utf-8")
        named = {*load(ACTION)["inputs"], *jobs(PIPELINES[0])}
        named |= set(re.findall(r"(?:vars|secrets)\.(\w+)", pipeline))
        assert {name for name in named if f"`{name}`" not in text} == set()
