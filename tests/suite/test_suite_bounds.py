"""Whatever stands in a file, reading it ends soon, in a Suite or a SuiteError."""

import random
import subprocess
import sys
import time

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_readmit.errors import SuiteError
from pytest_readmit.suite import Suite

WORDS = """
suite owner as_of schedule runs data reference current path demo where read types rename matured horizon
columns target positive_label features models model privacy min_cell defaults severity checks data_drift
missing_drift out_of_range max method ranges id on segments waiver until by reason tags timeout p_value
decide_by confidence warn_above
"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        ["30d", "2026-11-01", "ks", "block", "${READMIT_X}", "${X:-1}", "$${", "${", "a'${READMIT_X}'"]
    ),
    st.text(max_size=12),
    KEYS,
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=5)),
    max_leaves=30,
)


def _ends_well(read, text):
    try:
        found = read(text, environ={"READMIT_X": "0.5"})
    except SuiteError as error:
        found = error
    if isinstance(found, SuiteError):
        assert found.problems
        assert all("\n" not in str(problem) for problem in found.problems)
    else:
        assert isinstance(found, Suite)


quick = settings(
    max_examples=200,
    deadline=2000,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    print_blob=True,
)


@quick
@given(st.binary(max_size=200))
@example(b"\xff\xfe")
@example(b'"\\ud800"')
@example(b"%YAML 3.0\n---\n")
@example(b"%TAG ! tag:x,2000:\n---\n!a b\n")
@example(b"checks: [? a]")
@example(b"- &a")
@example(b"a: |2\n x")
def test_random_bytes_never_raise_anything_else(read, data):
    _ends_well(read, data)


@quick
@given(st.text(alphabet="abc:-?[]{}&*!|>'\"%@`#, \n\t${}~01.e", max_size=80))
def test_random_yaml_like_text_never_raises_anything_else(read, text):
    _ends_well(read, text)


@quick
@given(st.dictionaries(KEYS, TREES, max_size=6))
def test_random_trees_of_known_keys_never_raise_anything_else(read, tree):
    _ends_well(read, yaml.safe_dump(tree, allow_unicode=True))


@quick
@given(st.lists(st.dictionaries(KEYS, TREES, min_size=1, max_size=2), min_size=1, max_size=3))
def test_random_entries_never_raise_anything_else(read, entries):
    _ends_well(read, yaml.safe_dump({"checks": entries}, allow_unicode=True))


def test_a_valid_suite_cut_anywhere_never_raises_anything_else(read):
    text = (
        "suite: a\ndata: {current: {path: a, where: 'x > ${READMIT_X}'}}\nchecks:\n"
        "  - data_drift: &x {max: 0.1, tags: [a]}\n  - data_drift: *x\n"
    )
    for end in range(len(text)):
        _ends_well(read, text[:end])


def _laughs(levels: int, width: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, levels)]
    return "\n".join(lines) + "\nchecks: [data_drift]\n"


def _mapping_laughs(levels: int) -> str:
    lines = ["a0: &a0 {x: 1, y: 2}"]
    lines += [f"a{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}" for i in range(1, levels)]
    return "\n".join(lines) + "\nchecks: [data_drift]\n"


HOSTILE = {
    "a list of lists of aliases": (_laughs(20, 10), "more than 500,000 values, aliases expanded"),
    "mappings of aliases": (_mapping_laughs(40), "more than 500,000 values, aliases expanded"),
    "deep lists": ("[" * 100_000, "nested more than 60 deep"),
    "deep mappings": ("{a: " * 100_000, "nested more than 60 deep"),
    "deep blocks": ("\n".join(" " * i + "a:" for i in range(200)), "nested more than 60 deep"),
    "deep by alias": (
        "a0: &a0 [x]\n"
        + "".join(f"a{i}: &a{i} [*a{i - 1}]\n" for i in range(1, 100))
        + "checks: [data_drift]\n",
        "nested more than 60 deep",
    ),
    "a key within itself": ("a: &a {b: *a}\n", "stands inside what it repeats"),
    "a long digit string": (f"checks:\n  - missing_drift: {{max: {'9' * 100_000}}}\n", "must be finite"),
    "many documents": ("---\na: 1\n" * 10_000, "a second document"),
    "many anchors": (
        "".join(f"a{i}: &a{i} x\n" for i in range(20_000)) + "checks: []\n",
        "1,000 problems; reading stopped",
    ),
}


@pytest.mark.parametrize(("text", "said"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_refused_in_bounded_time(read, text, said):
    began = time.perf_counter()
    with pytest.raises(SuiteError, match=said):
        read(text)
    assert time.perf_counter() - began < 10


def test_a_huge_file_is_refused_unread(read, monkeypatch):
    monkeypatch.setattr("pytest_readmit.suite.read.MOST_BYTES", 100)
    with pytest.raises(SuiteError, match=r"s\.yml: 9,000 bytes; a suite has at most 100"):
        read("#" * 9000)


def test_the_pure_python_parser_gives_the_same_places(read, problems, monkeypatch):
    text = "checks:\n  - data_drift: {metod: ks}\n  - missing_drift: {max: 7}\n"
    with_libyaml = problems(text)
    monkeypatch.delattr(yaml, "CSafeLoader")
    assert problems(text) == with_libyaml
    assert read("checks: [data_drift]\n").entries[0].check == "data_drift"


def test_ten_thousand_entries_are_read_in_seconds(read):
    lines = [
        f"  - data_drift: {{columns: [c{i}], max: 0.1, method: ks, id: x{i}, because: protocol}}\n"
        for i in range(10_000)
    ]
    random.Random(0).shuffle(lines)
    began = time.perf_counter()
    assert len(read("checks:\n" + "".join(lines)).entries) == 10_000
    assert time.perf_counter() - began < 10  # 1.2 s on an idle machine


def test_importing_the_room_does_not_import_heavy_libraries():
    code = (
        "import sys; import pytest_readmit.suite; "
        "print(sorted({'yaml', 'pydantic', 'numpy', 'pandas', 'duckdb'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
