"""The files that run the suite elsewhere: a GitHub workflow, and a pre-commit hook that lints it."""

from importlib.metadata import version

from pytest_readmit.start.yaml_text import scalar

WORKFLOW = """\
# Runs the gates on every change of a suite, once a week, and by hand. Written by `readmit init`.
name: gates

on:
  push:
    branches: [main]
  pull_request:
  schedule:
    - cron: "23 5 * * 1"
  workflow_dispatch:

permissions: {}

concurrency:
  group: ${{ github.workflow }}-${{ github.ref }}
  cancel-in-progress: true

jobs:
  gates:
    runs-on: ubuntu-latest
    timeout-minutes: 30
    permissions:
      contents: read
@DEFAULTS@    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
        with:
          persist-credentials: false
      - uses: actions/setup-python@a26af69be951a213d495a4c3e4e4022e16d87065 # v5.6.0
        with:
          python-version: "3.12"
      - run: python -m pip install "pytest-readmit==@VERSION@"
      - run: readmit lint @SUITE@
@DATA@      - run: pytest --readmit-suite=@SUITE@ --readmit-json=record.json --readmit-report=report.html
      - uses: actions/upload-artifact@ea165f8d65b6e75b540449e92b4886f43607fa02 # v4.6.2
        if: always()
        with:
          name: gates
          path: |
            @FOLDER@record.json
            @FOLDER@report.html
"""
DATA = """\
      # Bring the data here, for instance with `dvc pull`, to where the suite's paths point: without it the
      # gates end in an error, which blocks.
"""
HOOK = """\
# `pre-commit install` makes every commit check the suites it changes. Written by `readmit init`.
repos:
  - repo: local
    hooks:
      - id: readmit-lint
        name: readmit lint
        entry: readmit lint
        language: python
        additional_dependencies: ["pytest-readmit==@VERSION@"]
        files: (^|/)suites/[^/]+\\.ya?ml$
"""


def workflow(suite: str, *, below: str, files: bool) -> str:
    """
    Return the GitHub workflow.

    Args:
        suite: The suite, from the folder that commands run in.
        below: That folder, from the repository's root; empty where they are the same.
        files: Whether the suite reads files, which the workflow has to bring.
    """
    defaults = f"    defaults:\n      run:\n        working-directory: {scalar(below)}\n" if below else ""
    parts = {
        "DEFAULTS": defaults,
        "VERSION": version("pytest-readmit"),
        "SUITE": suite,
        "DATA": DATA if files else "",
        "FOLDER": f"{below}/" if below else "",
    }
    return _filled(WORKFLOW, parts)


def hook() -> str:
    """Return the configuration of pre-commit."""
    return _filled(HOOK, {"VERSION": version("pytest-readmit")})


def _filled(text: str, parts: dict[str, str]) -> str:
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text
