import copy
import hashlib
import json
import os
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_readmit import run_suite
from pytest_readmit.errors import SuiteError

IN_CI = os.environ.get("CI") == "true"
GIT_SETTINGS = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
}


def needs(program: str, how: str) -> None:
    """Skip without a program; in CI its absence is a failure."""
    if shutil.which(program) is None:
        (pytest.fail if IN_CI else pytest.skip)(f"{program} is not installed: {how}")


def table(first: int, rows: int = 60) -> str:
    return "x,ward\n" + "".join(f"{first + i % 7},{'ab'[i % 2]}\n" for i in range(rows))


def sha256(text: str | bytes) -> str:
    return hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()


class Project:
    """A repository with data of two revisions and a suite in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.top = folder
        (folder / "suites").mkdir(parents=True)
        (folder / "data").mkdir()
        self.git("init", "-q", "-b", "main")
        (folder / "data" / "visits.csv").write_text(table(0))
        self.first = self.commit("one", tag="data-v1")
        (folder / "data" / "visits.csv").write_text(table(100))
        self.second = self.commit("two", tag="data-v2")

    def git(self, *arguments: str, folder: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder or self.top,
            env={**os.environ, **GIT_SETTINGS},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, message: str, tag: str | None = None) -> str:
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD")

    def run(self, source: str, **more: Any) -> Any:
        path = self.top / "suites" / "s.yml"
        path.write_text(
            f"data: {{current: {source}}}\nchecks:\n  - unique: {{on: current, columns: [x], max: 1}}\n"
        )
        return run_suite(path, **more)

    def facts(self, source: str, **more: Any) -> dict[str, Any]:
        found = self.run(source, **more)
        assert [one.verdict for one in found.findings] == ["pass"], found.findings[0].message
        facts: dict[str, Any] = found.record["provenance"]["datasets"]["current"]
        return facts

    def refused(self, source: str, **more: Any) -> str:
        (found,) = self.run(source, **more).findings
        assert found.verdict == "error"
        assert str(self.top) not in found.message
        return str(found.message)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Project:
    needs("git", "install git")
    return Project(tmp_path_factory.mktemp("git") / "repo")


@pytest.fixture
def project(template: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    for name, value in GIT_SETTINGS.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(template.top, tmp_path / "repo", symlinks=True)
    mine = copy.copy(template)
    mine.top = tmp_path / "repo"
    return mine


def left_over(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith("readmit-")]


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def test_a_file_is_read_as_it_was_at_a_tag_and_the_commit_is_recorded(project: Project) -> None:
    facts = project.facts("{git: ../data/visits.csv, rev: data-v1}")
    assert facts["version"] == project.first
    assert facts["sha256"] == sha256(table(0))
    assert facts["source"] == "git:../data/visits.csv@data-v1"
    assert facts["flow"]["read"] == 60


@pytest.mark.parametrize("rev", ["HEAD", "main", "data-v2", None])
def test_without_revision_the_checked_out_commit_is_read_not_the_work_tree(
    project: Project, rev: str | None
) -> None:
    (project.top / "data" / "visits.csv").write_text("x\nnot committed\n")
    facts = project.facts(
        "{git: ../data/visits.csv}" if rev is None else f"{{git: ../data/visits.csv, rev: {rev}}}"
    )
    assert (facts["version"], facts["sha256"]) == (project.second, sha256(table(100)))


def test_an_annotated_tag_and_a_short_hash_name_their_commit(project: Project) -> None:
    project.git("tag", "-a", "-m", "words", "signed", "data-v1")
    for rev in ("signed", project.first[:10]):
        assert project.facts(f"{{git: ../data/visits.csv, rev: '{rev}'}}")["version"] == project.first


def test_a_folder_of_parts_is_one_dataset(project: Project) -> None:
    parts = project.top / "parts"
    parts.mkdir()
    (parts / "a.csv").write_text(table(0, 30))
    (parts / "b.csv").write_text(table(7, 30))
    commit = project.commit("parts")
    shutil.rmtree(parts)
    facts = project.facts("{git: ../parts, rev: main}")
    assert (facts["version"], facts["flow"]["read"]) == (commit, 60)
    assert facts["sha256"] == sha256(f"a.csv {sha256(table(0, 30))}\nb.csv {sha256(table(7, 30))}\n")


def test_where_rename_and_read_hold_for_a_revision_too(project: Project) -> None:
    facts = project.facts(
        "{git: ../data/visits.csv, rev: data-v1, where: \"unit = 'a'\", rename: {ward: unit}}"
    )
    assert facts["flow"] == {"read": 60, "where": 30, "matured": 30}


def test_another_repository_is_named_by_folder_or_address(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "suites").mkdir(parents=True)
    project.git("init", "-q", folder=other)
    (other / "suites" / "s.yml").write_text("")
    bare = tmp_path / "bare.git"
    project.git("clone", "-q", "--bare", ".", str(bare))
    mine = project.top
    project.top = other
    for repo in ("../../repo", f"file://{mine}", f"file://{bare}"):
        facts = project.facts(f"{{git: data/visits.csv, rev: data-v1, repo: '{repo}'}}")
        assert (facts["version"], facts["sha256"]) == (project.first, sha256(table(0)))
    assert "is a bare repository: name it as repo: file://" in project.refused(
        "{git: data/visits.csv, repo: ../../bare.git}"
    )


def test_the_command_line_names_a_revision_after_an_at(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.top)
    for given, commit in (
        ("git:data/visits.csv@data-v1", project.first),
        ("git:data/visits.csv", project.second),
    ):
        assert project.facts("nothing.csv", data={"current": given})["version"] == commit
    with pytest.raises(SuiteError, match="give git:PATH@REV"):
        project.run("nothing.csv", data={"current": "git:data/visits.csv@"})


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{git: ../data/visits.csv, rev: data-v3}", "has no revision 'data-v3', did you mean 'data-v2'?"),
        ("{git: ../data/visits.csv, rev: zzz}", "no revision 'zzz' (its latest tags: data-v"),
        ("{git: ../data/visits.csv, rev: --output=x}", "no revision '--output=x'"),
        ("{git: ../data/visits.csv, rev: 'HEAD:data'}", "no revision 'HEAD:data'"),
        ("{git: ../data/visit.csv}", "there is no ../data/visit.csv at HEAD ("),
        ("{git: ../data/visit.csv}", "did you mean '../data/visits.csv'?"),
        ("{git: visits.csv}", "did you mean '../data/visits.csv'?"),
        ("{git: ../../visits.csv}", "../../visits.csv leads out of the repository"),
        ("{git: --help}", "there is no --help at HEAD"),
        ("{git: ':(top)data/visits.csv'}", "there is no :(top)data/visits.csv"),
        ("{git: '../data/*.csv'}", "there is no ../data/*.csv at HEAD"),
        ("{git: a.csv, repo: ../nowhere}", "there is no folder ../nowhere"),
        ("{git: a.csv, repo: 'ext::sh -c touch% x'}", "there is no folder ext::sh"),
        ("{git: a.csv, repo: 'http://user:pw@127.0.0.1:9/r.git'}", "by file, https, ssh, not by 'http'"),
        ("{git: a.csv, repo: 'https://u:CANARY@127.0.0.1:9/r.git?t=CANARY'}", "https://127.0.0.1:9/r.git"),
        ("{git: a.csv, repo: 'file:///no/such/r.git'}", "file:///no/such/r.git could not be fetched"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_told(project: Project, source: str, said: str) -> None:
    message = project.refused(source)
    assert said in message
    assert "CANARY" not in message
    assert "pw@" not in message


def test_outside_of_any_repository_and_without_git_it_is_said(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(project.top / ".git")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(project.top.parent))
    assert "the suite's folder lies in no Git repository" in project.refused("{git: a.csv}")
    monkeypatch.setenv("PATH", str(project.top))
    assert "Git is not installed" in project.refused("{git: a.csv}")


def test_a_shallow_clone_says_how_to_get_the_tag(project: Project, tmp_path: Path) -> None:
    project.git("clone", "-q", "--depth=1", "--no-tags", f"file://{project.top}", str(tmp_path / "ci"))
    project.top = tmp_path / "ci"
    (project.top / "suites").mkdir()
    assert "this clone is shallow: run `git fetch --unshallow --tags`" in project.refused(
        "{git: ../data/visits.csv, rev: data-v1}"
    )


def test_the_variables_of_an_outer_git_command_do_not_point_elsewhere(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))
    path = project.top / "suites" / "s.yml"
    path.write_text(
        "data: {current: {git: ../data/visits.csv}}\nchecks: [{unique: {columns: [x], max: 1}}]\n"
    )
    facts = run_suite(path).record["provenance"]["datasets"]["current"]
    assert facts["version"] == project.second


def test_links_and_submodules_are_refused(project: Project) -> None:
    (project.top / "data" / "link.csv").symlink_to("visits.csv")
    project.commit("link")
    assert "is a symbolic link there" in project.refused("{git: ../data/link.csv}")
    project.git("update-index", "--add", "--cacheinfo", f"160000,{project.first},sub")
    project.git("commit", "-q", "-m", "sub")
    assert "is a submodule" in project.refused("{git: ../sub}")


def test_a_damaged_object_is_an_error(project: Project) -> None:
    oid = project.git("rev-parse", "HEAD:data/visits.csv")
    loose = project.top / ".git" / "objects" / oid[:2] / oid[2:]
    loose.chmod(0o644)
    content = b"x\n1\n"
    loose.write_bytes(zlib.compress(b"blob %d\0" % len(content) + content))
    assert "is missing or damaged" in project.refused("{git: ../data/visits.csv}")
    loose.unlink()
    assert "is missing or damaged" in project.refused("{git: ../data/visits.csv}")


def test_nothing_that_a_repository_configures_runs(project: Project, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    script = project.top / ".git" / "run"
    script.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    script.chmod(0o755)
    for hook in ("post-checkout", "reference-transaction", "post-index-change"):
        shutil.copy(script, project.top / ".git" / "hooks" / hook)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "filter.x.smudge", "diff.x.textconv"):
        project.git("config", key, str(script))
    ran.unlink(missing_ok=True)
    project.facts("{git: ../data/visits.csv, rev: data-v1}")
    assert not ran.exists()


def test_nothing_is_left_behind(project: Project, scratch: Path) -> None:
    project.facts("{git: ../data/visits.csv, rev: data-v1}")
    project.refused("{git: ../data/visits.csv, rev: nope}")
    project.refused("{git: ../data/visits.csv, read: {format: parquet}}")
    assert left_over(scratch) == []
    assert project.git("status", "--porcelain") == "?? suites/"


def test_every_format_is_read_from_a_revision(project: Project) -> None:
    frame = pytest.importorskip("pandas").DataFrame({"x": np.arange(40.0), "ward": ["a", "b"] * 20})
    frame.to_parquet(project.top / "data" / "v.parquet")
    frame.to_feather(project.top / "data" / "v.feather")
    frame.to_csv(project.top / "data" / "v.csv.gz", index=False)
    frame.to_json(project.top / "data" / "v.jsonl", orient="records", lines=True)
    commit = project.commit("formats")
    for name in ("v.parquet", "v.feather", "v.csv.gz", "v.jsonl"):
        facts = project.facts(f"{{git: ../data/{name}}}")
        assert facts["flow"]["read"] == 40
        assert facts["version"] == commit
        assert facts["sha256"] == sha256((project.top / "data" / name).read_bytes())


@pytest.mark.slow
def test_workers_read_the_same_version(project: Project, scratch: Path, pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    suite = project.top / "suites" / "s.yml"
    suite.write_text(
        "data:\n"
        "  reference: {git: ../data/visits.csv, rev: data-v1}\n"
        "  current: {git: ../data/visits.csv, rev: data-v2}\n"
        "checks: [schema, {data_drift: {columns: [x, ward]}}]\n"
    )
    records = []
    for workers in ((), ("-n", "2")):
        out = pytester.path / f"record{len(workers)}.json"
        pytester.runpytest_subprocess(f"--readmit-suite={suite}", f"--readmit-json={out}", *workers)
        assert left_over(scratch) == []
        records.append(json.loads(out.read_text())["provenance"]["datasets"])
    assert records[0] == records[1]
    assert [records[0][name]["version"] for name in ("reference", "current")] == [
        project.first,
        project.second,
    ]


def test_a_model_is_loaded_from_a_revision_if_the_operator_trusts_that(project: Project) -> None:
    joblib = pytest.importorskip("joblib")
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    y = (rng.random(400) < 1 / (1 + np.exp(-x))).astype(int)
    lines = "".join(f"{a},{b}\n" for a, b in zip(x, y, strict=True))
    (project.top / "data" / "holdout.csv").write_text("x,y\n" + lines)
    pandas = pytest.importorskip("pandas")
    model = LogisticRegression().fit(pandas.DataFrame({"x": x}), y)
    joblib.dump(model, project.top / "m.joblib")
    digest = sha256((project.top / "m.joblib").read_bytes())
    commit = project.commit("model", tag="model-v1")
    (project.top / "m.joblib").write_bytes(b"another")
    path = project.top / "suites" / "s.yml"

    def run(more: str = "", **given: Any) -> Any:
        path.write_text(
            "data: {current: ../data/holdout.csv}\n"
            "columns: {target: y, positive_label: 1}\n"
            f"models: {{challenger: {{git: ../m.joblib, rev: model-v1{more}}}}}\n"
            "checks:\n  - performance: {metrics: {roc_auc: {min: 0.5}}}\n"
        )
        return run_suite(path, **given)

    (finding,) = run().findings
    assert finding.verdict == "error"
    assert "--readmit-trust=git:../m.joblib@model-v1" in finding.message
    for path_alone in ("m.joblib", "../m.joblib", "repo/**", "git:*", "git:../*@model-v2"):
        assert run(trust=[path_alone]).findings[0].verdict == "error"
    for found in (run(trust=["git:../m.joblib@model-v1"]), run(f", sha256: {digest}")):
        assert found.findings[0].verdict == "pass", found.findings[0].message
        assert found.record["provenance"]["models"]["challenger"] == {
            "source": "git: ../m.joblib",
            "name": "challenger",
            "version": commit,
            "run_id": None,
            "digest": f"sha256:{digest}",
        }
    assert "pins" in run(f", sha256: {'0' * 64}").findings[0].message


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            "{path: m.skops, rev: v1}",
            "models.m: `rev` is for git and dvc; a path has no revisions of its own",
        ),
        ("{score: risk, repo: x}", "models.m: `repo` is for git and dvc"),
        ("{git: m.skops, rev: 1.0}", "`rev` must be a tag, branch or commit, not 1.0; put it in quotes"),
        ("{dvc: m.skops, repo: [a]}", "`repo` must be a folder or an address"),
    ],
)
def test_a_wrong_revision_of_a_model_is_told_before_any_data_is_read(
    tmp_path: Path, model: str, said: str
) -> None:
    path = tmp_path / "s.yml"
    path.write_text(f"data: {{current: demo:x}}\nmodels: {{m: {model}}}\nchecks: [unique]\n")
    with pytest.raises(SuiteError) as caught:
        run_suite(path)
    assert said in str(caught.value)


def test_a_model_that_cannot_be_had_is_an_error_and_has_no_version(project: Project) -> None:
    path = project.top / "suites" / "s.yml"
    for source, said in (
        ("{git: ../m.skops, rev: v9}", "has no revision 'v9'"),
        ("{git: ../data}", "is a folder; name the model's file in it"),
        ("{git: ../data/visits.cs}", "did you mean '../data/visits.csv'?"),
        ("{dvc: ../m.skops}", "lies in no DVC repository"),
    ):
        path.write_text(
            "data: {current: ../data/visits.csv}\n"
            "columns: {target: ward, positive_label: a}\n"
            f"models: {{challenger: {source}}}\n"
            "checks:\n  - performance: {metrics: {roc_auc: {min: 0.5}}}\n"
        )
        found = run_suite(path)
        assert (found.findings[0].verdict, found.record["complete"]) == ("error", True)
        facts = found.record["provenance"]["models"]["challenger"]
        assert (facts["version"], facts["digest"]) == (None, None)
        assert (
            said in found.findings[0].message or "does not tell a model's format" in found.findings[0].message
        )


class Lfs(Project):
    """A repository whose tables lie in Git LFS, with a remote in a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.remote = folder.parent / "remote.git"
        self.git("init", "-q", "--bare", "-b", "main", str(self.remote))
        self.git("remote", "add", "origin", f"file://{self.remote}")
        self.git("lfs", "install", "--local")
        self.git("lfs", "track", "*.csv")
        (folder / "data" / "visits.csv").write_text(table(1))
        self.first = self.commit("lfs one", tag="lfs-v1")
        (folder / "data" / "visits.csv").write_text(table(2))
        self.second = self.commit("lfs two", tag="lfs-v2")
        self.git("push", "-q", "origin", "main", "--tags")

    def stored(self, where: Path, text: str) -> Path:
        oid = sha256(text)
        return where / "lfs" / "objects" / oid[:2] / oid[2:4] / oid


@pytest.fixture
def lfs(project: Project, tmp_path: Path) -> Lfs:
    needs("git-lfs", "apt-get install git-lfs")
    return Lfs(tmp_path / "lfs")


AT_FIRST = "{git: ../data/visits.csv, rev: lfs-v1}"


@pytest.mark.real
def test_lfs_gives_the_bytes_behind_the_pointer_and_fetches_what_a_clone_lacks(
    lfs: Lfs, tmp_path: Path
) -> None:
    def whole() -> None:
        facts = lfs.facts(AT_FIRST)
        assert (facts["version"], facts["sha256"]) == (lfs.first, sha256(table(1)))

    whole()
    lfs.git("-c", "filter.lfs.smudge=cat", "clone", "-q", f"file://{lfs.remote}", str(tmp_path / "fresh"))
    lfs.top = tmp_path / "fresh"
    (lfs.top / "suites").mkdir()
    assert (lfs.top / "data" / "visits.csv").read_text().startswith("version https://git-lfs")
    whole()
    assert "is a Git LFS pointer, not the data: run `git lfs pull`" in lfs.refused("../data/visits.csv")
    facts = lfs.facts(f"{{git: data/visits.csv, rev: lfs-v1, repo: 'file://{lfs.remote}'}}")
    assert (facts["version"], facts["sha256"]) == (lfs.first, sha256(table(1)))


@pytest.mark.real
def test_lfs_is_resolved_even_where_the_environment_says_to_skip_it(
    lfs: Lfs, monkeypatch: pytest.MonkeyPatch
) -> None:
    lfs.stored(lfs.top / ".git", table(1)).unlink()
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    assert lfs.facts(AT_FIRST)["sha256"] == sha256(table(1))


@pytest.mark.real
def test_a_missing_lfs_object_is_an_error_not_its_pointer(lfs: Lfs, scratch: Path) -> None:
    lfs.stored(lfs.top / ".git", table(1)).unlink()
    lfs.stored(lfs.remote, table(1)).unlink()
    message = lfs.refused(AT_FIRST)
    assert "data/visits.csv is a Git LFS pointer whose object" in message
    assert "`git lfs pull`" in message
    assert left_over(scratch) == []
    assert lfs.facts("{git: ../data/visits.csv, rev: lfs-v2}")["sha256"] == sha256(table(2))


@pytest.mark.real
def test_a_damaged_lfs_object_is_an_error(lfs: Lfs) -> None:
    stored = lfs.stored(lfs.top / ".git", table(1))
    stored.chmod(0o644)
    content = bytearray(stored.read_bytes())
    content[-2] ^= 1
    stored.unlink()
    stored.write_bytes(content)
    assert "is damaged: the bytes do not match the oid; run `git lfs fsck`" in lfs.refused(AT_FIRST)
    stored.unlink()
    there = lfs.stored(lfs.remote, table(1))
    there.unlink()
    there.write_bytes(content)
    assert "could not be fetched; run `git lfs pull`" in lfs.refused(AT_FIRST)


def test_an_lfs_pointer_without_git_lfs_says_what_to_install(
    project: Project, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256('x')}\nsize 1\n"
    (project.top / "data" / "p.csv").write_text(pointer)
    project.commit("pointer")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "")
    monkeypatch.setenv("PATH", str(programs))
    assert "Git LFS is not installed; install git-lfs" in project.refused("{git: ../data/p.csv}")
