import gzip
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, feather, parquet

from pytest_readmit.data.dataset import Roles
from pytest_readmit.data.source import SourceSpec, open_dataset
from pytest_readmit.errors import DataError, MissingExtra

CSV = "age,sex,flag\n61,F,true\n70,M,false\n,F,true\n"


def write(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def facts(dataset):
    age, sex, flag = (dataset.column(name).distribution for name in ("age", "sex", "flag"))
    return (
        dataset.rows,
        age.expanded().tolist(),
        age.missing,
        dict(zip(*(part.tolist() for part in sex.distinct()), strict=True)),
        dict(zip(*(part.tolist() for part in flag.distinct()), strict=True)),
    )


EXPECTED = (3, [61.0, 70.0], 1, {"F": 2, "M": 1}, {"false": 1, "true": 2})
TABLE = pa.table({"age": [61, 70, None], "sex": ["F", "M", "F"], "flag": [True, False, True]})


def as_csv(path):
    write(path, CSV)


def as_gzip(path):
    write(path, gzip.compress(CSV.encode()))


def as_zstd(path):
    write(path.with_suffix(".plain"), CSV)
    write(path, pa.compress(CSV.encode(), codec="zstd", asbytes=True))


def as_tsv(path):
    write(path, CSV.replace(",", "\t"))


def as_semicolons(path):
    write(path, CSV.replace(",", ";"))


def as_windows_lines(path):
    write(path, b"\xef\xbb\xbf" + CSV.replace("\n", "\r\n").encode())


def as_parquet(path):
    parquet.write_table(TABLE, path)


def as_feather(path):
    feather.write_feather(TABLE, str(path))


def as_json_lines(path):
    lines = [
        '{"age": 61, "sex": "F", "flag": true}',
        '{"age": 70, "sex": "M", "flag": false}',
        '{"age": null, "sex": "F", "flag": true}',
    ]
    write(path, "\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        ("t.csv", as_csv),
        ("t.csv.gz", as_gzip),
        ("t.csv.zst", as_zstd),
        ("t.tsv", as_tsv),
        ("semicolon.csv", as_semicolons),
        ("windows.csv", as_windows_lines),
        ("t.parquet", as_parquet),
        ("t.feather", as_feather),
        ("t.arrow", as_feather),
        ("t.jsonl", as_json_lines),
        ("with [brackets] and * 'quotes'.csv", as_csv),
        ("einsä 世界.parquet", as_parquet),
    ],
)
def test_every_format_gives_the_same_dataset(tmp_path, open_source, name, writer):
    writer(tmp_path / name)
    assert facts(open_source(name)) == EXPECTED


def test_an_extension_that_says_nothing_needs_read_format(tmp_path, open_source):
    write(tmp_path / "export.dat", CSV)
    with pytest.raises(DataError, match=r"export\.dat: its name does not tell the format; add read"):
        open_source("export.dat")
    assert facts(open_source("export.dat", read={"format": "csv"})) == EXPECTED
    with pytest.raises(DataError, match="unknown format 'parqet', did you mean 'parquet'"):
        open_source("export.dat", read={"format": "parqet"})


def test_parquet_without_extension_is_known_by_its_first_bytes(tmp_path, open_source):
    as_parquet(tmp_path / "table")
    assert facts(open_source("table")) == EXPECTED


@pytest.mark.parametrize("value", ["parts", "parts/*.csv", "parts/part-?.csv", "*/part-*.csv"])
def test_parts_are_read_sorted_by_name(tmp_path, open_source, value):
    write(tmp_path / "parts" / "part-2.csv", "age\n3\n4\n")
    write(tmp_path / "parts" / "part-1.csv", "age\n1\n2\n")
    write(tmp_path / "parts" / "_SUCCESS", "")
    write(tmp_path / "parts" / ".part-1.csv.crc", "x")
    dataset = open_source(value)
    assert dataset.column("age").distribution.expanded().tolist() == [1, 2, 3, 4]


def test_parts_with_other_columns_are_an_error_that_names_the_part(tmp_path, open_source):
    write(tmp_path / "parts" / "a.csv", "age,sex\n1,F\n")
    write(tmp_path / "parts" / "b.csv", "sex,age\nF,1\n")
    with pytest.raises(DataError, match=r"parts \(b\.csv\) has other columns than the first part"):
        open_source("parts")
    (tmp_path / "other").mkdir()
    parquet.write_table(pa.table({"age": [1]}), tmp_path / "other" / "a.parquet")
    parquet.write_table(pa.table({"Age": [1]}), tmp_path / "other" / "b.parquet")
    with pytest.raises(DataError, match=r"other \(b\.parquet\) has other columns"):
        open_source("other")


def test_parts_that_hold_a_column_as_different_types_are_read_as_what_holds_both(tmp_path, open_source):
    (tmp_path / "parts").mkdir()
    for name, column in (("a", pa.array([1, 2])), ("b", pa.array([1.5])), ("c", pa.nulls(1))):
        parquet.write_table(pa.table({"x": column}), tmp_path / "parts" / f"{name}.parquet")
    distribution = open_source("parts").column("x").distribution
    assert distribution.expanded().tolist() == [1.0, 1.5, 2.0]
    assert distribution.missing == 1


def test_a_path_may_climb_and_follow_links(tmp_path, open_source):
    as_parquet(tmp_path / "t.parquet")
    (tmp_path / "suites").mkdir()
    assert facts(open_source("suites/../t.parquet")) == EXPECTED
    assert facts(open_source(str(tmp_path / "t.parquet"))) == EXPECTED
    if os.name != "nt":
        (tmp_path / "link.parquet").symlink_to(tmp_path / "t.parquet")
        (tmp_path / "linked").symlink_to(tmp_path / "suites", target_is_directory=True)
        assert facts(open_source("link.parquet")) == EXPECTED
        as_csv(tmp_path / "suites" / "t.csv")
        assert facts(open_source("linked/t.csv")) == EXPECTED
        assert facts(open_source("linked/*.csv")) == EXPECTED


def test_a_base_folder_may_be_relative(tmp_path, monkeypatch):
    as_csv(tmp_path / "suites" / "t.csv")
    monkeypatch.chdir(tmp_path)
    spec = SourceSpec(kind="path", value="t.csv", base=Path("suites"))
    dataset = open_dataset("current", spec, Roles())
    assert facts(dataset) == EXPECTED
    dataset.close()


def test_arrow_files_without_pyarrow_name_the_extra(tmp_path, open_source, monkeypatch):
    as_feather(tmp_path / "t.feather")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"pip install 'pytest-readmit\[arrow\]'"):
        open_source("t.feather")


def test_a_folder_of_several_kinds_is_an_error(tmp_path, open_source):
    write(tmp_path / "mixed" / "a.csv", CSV)
    as_parquet(tmp_path / "mixed" / "b.parquet")
    with pytest.raises(DataError, match="mixed mixes csv and parquet files"):
        open_source("mixed")


LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2\nsize 12345\n"
DVC = "outs:\n- md5: a304afb96060aad90176268345e10355\n  size: 37891850\n  path: data.csv\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("p.csv", LFS, r"p\.csv is a Git LFS pointer, not the data: run `git lfs pull`"),
        ("p.parquet", LFS, r"p\.parquet is a Git LFS pointer"),
        ("p.csv", DVC, r"p\.csv is a DVC pointer, not the data: run `dvc pull`"),
        ("data.csv.dvc", DVC, r"data\.csv\.dvc is a DVC pointer"),
        ("empty.csv", "", r"empty\.csv is empty \(0 bytes\)"),
        ("empty.parquet", "", r"empty\.parquet is empty"),
        ("page.csv", "\n<!DOCTYPE html><html><body>Sign in</body></html>", r"page\.csv is a web page"),
        ("page.parquet", "<html>", "is a web page"),
        ("header.csv", "age,sex\n", r"header\.csv holds 0 rows"),
        (
            "ragged.csv",
            "a,b\n1,2\n3\n",
            r"ragged\.csv cannot be read as delimited text: a line has more or fewer",
        ),
        ("ragged.csv", "a,b\n1,2\n3,4,5\n", "a line has more or fewer fields"),
        ("quote.csv", 'a,b\n1,"open\n2,x\n', "a quote is not closed"),
        ("latin.csv", "a,b\n1,café\n".encode("latin-1"), "is not UTF-8 text"),
        ("latin.csv", "é,b\n1,2\n".encode("latin-1"), "is not UTF-8 text; name its encoding"),
        ("twice.csv", "age,sex,age\n1,F,2\n", "two columns are named 'age'"),
        ("text.parquet", CSV, r"text\.parquet is not a Parquet file"),
        ("table.csv", b"PAR1xxxxxxxxPAR1", r"table\.csv is not text; add read: \{format: parquet\}"),
        ("plain.csv.gz", CSV, "is not compressed as its name says"),
        ("squeezed.csv", gzip.compress(b"a\n1\n", mtime=0), "is compressed, which its name must say"),
        ("broken.csv.gz", gzip.compress(CSV.encode() * 50, mtime=0)[:40], r"broken\.csv\.gz"),
        ("bad.jsonl", "age: 1\n", r"bad\.jsonl is not JSON Lines"),
        ("bad.feather", b"ARROW1\x00\x00xxxx", r"bad\.feather is no readable Arrow file"),
        ("blank.csv", "\n\n", r"blank\.csv has no header line"),
    ],
)
def test_a_bad_file_says_what_it_is_and_what_to_do(tmp_path, open_source, name, content, message):
    write(tmp_path / name, content)
    with pytest.raises(DataError, match=message) as caught:
        open_source(name)
    said = str(caught.value)
    assert not any(word in said for word in ("Error:", "LINE 1", "strict_mode", "café", "null_padding"))


def test_a_truncated_parquet_file_says_so(tmp_path, open_source):
    as_parquet(tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    write(tmp_path / "cut.parquet", whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"cut\.parquet is a truncated Parquet file: its end is missing"):
        open_source("cut.parquet")
    write(tmp_path / "hole.parquet", whole[:20] + whole[-60:])
    with pytest.raises(DataError, match=r"hole\.parquet"):
        open_source("hole.parquet").column("age").distribution  # noqa: B018
    write(tmp_path / "magic.parquet", b"PAR1PAR1")
    with pytest.raises(DataError, match="truncated"):
        open_source("magic.parquet")


def test_a_missing_file_names_the_nearest_one(tmp_path, open_source, monkeypatch):
    as_parquet(tmp_path / "cohort_2025.parquet")
    if os.sep == "/":
        with pytest.raises(DataError, match="between folders write / on every system"):
            open_source("data\\cohort_2025.parquet")
    with pytest.raises(DataError, match=r"no file cohort_2026\.parquet, did you mean 'cohort_2025\.parquet'"):
        open_source("cohort_2026.parquet")
    with pytest.raises(DataError, match="its folder does not exist"):
        open_source("nowhere/cohort.parquet")
    (tmp_path / "cwd" / "demo").mkdir(parents=True)
    (tmp_path / "cwd" / "demo" / "cohort.parquet").touch()
    monkeypatch.chdir(tmp_path / "cwd")
    with pytest.raises(DataError, match="the current folder has such a file, so write its path in full"):
        open_source("demo/cohort.parquet")
    with pytest.raises(DataError, match=r"no file matches data/\*\.parquet"):
        open_source("data/*.parquet")
    (tmp_path / "void").mkdir()
    with pytest.raises(DataError, match="the folder void holds no data files"):
        open_source("void")
    with pytest.raises(DataError, match="path of a dataset is empty"):
        open_source(" ")


def test_a_file_that_dvc_has_not_pulled_says_dvc_pull(tmp_path, open_source):
    write(tmp_path / "cohort.csv.dvc", DVC)
    with pytest.raises(DataError, match=r"cohort\.csv is not here but cohort\.csv\.dvc is: run `dvc pull`"):
        open_source("cohort.csv")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_file_that_may_not_be_read_says_permission_denied(tmp_path, open_source):
    write(tmp_path / "secret.csv", CSV)
    (tmp_path / "secret.csv").chmod(0)
    with pytest.raises(DataError, match="permission denied"):
        open_source("secret.csv")


def test_an_address_is_refused_without_being_shown(open_source):
    with pytest.raises(DataError) as caught:
        open_source("https://user:hunter2@host/data.csv")
    assert "hunter2" not in str(caught.value)


def test_odd_column_names_are_just_names(tmp_path, open_source):
    names = [
        "a.b",
        "a b",
        'quo"te',
        "o'clock",
        "naïve 世界",
        "1",
        "select",
        "[x]",
        "a::b",
        "<script>",
        "c0",
        "Age",
        "age",
    ]
    parquet.write_table(
        pa.table({name: [float(i)] for i, name in enumerate(names)}), tmp_path / "odd.parquet"
    )
    with (tmp_path / "odd.csv").open("w") as stream:
        stream.write(",".join('"' + name.replace('"', '""') + '"' for name in names) + "\n")
        stream.write(",".join(str(i) for i in range(len(names))) + "\n")
    for file in ("odd.parquet", "odd.csv"):
        dataset = open_source(file)
        assert [field.name for field in dataset.fields] == names
        assert [dataset.column(name).distribution.support.tolist() for name in names] == [
            [float(i)] for i in range(len(names))
        ]


def test_nested_parquet_columns_are_left_out_and_the_others_work(tmp_path, open_source):
    table = pa.table(
        {
            "a": [{"x": 1, "y": [1, 2]}],
            "b": [[1, 2]],
            "c": [1.5],
            "d": [b"\x00"],
            "e": [{"k": {"a": 1}}],
            "f": ["z"],
        }
    )
    parquet.write_table(table, tmp_path / "nested.parquet")
    dataset = open_source("nested.parquet")
    assert dataset.features == ("c", "f")
    assert dict(dataset.left_out) == dict.fromkeys("abde", "nested values")
    assert dataset.column("c").distribution.support.tolist() == [1.5]
    with pytest.raises(DataError, match="column 'a' holds nested values"):
        dataset.column("a").distribution  # noqa: B018


def test_parquet_types_all_work(tmp_path, open_source):
    import decimal
    from datetime import UTC, date, datetime

    table = pa.table(
        {
            "i8": pa.array([1, None], pa.int8()),
            "u64": pa.array([2**64 - 1, 0], pa.uint64()),
            "f32": pa.array([1.5, None], pa.float32()),
            "dec": pa.array([decimal.Decimal("1.25"), None], pa.decimal128(8, 2)),
            "dict": pa.array(["a", None]).dictionary_encode(),
            "null": pa.nulls(2),
            "date": pa.array([date(1970, 1, 2), None]),
            "ns": pa.array([datetime(1970, 1, 1, 12), None], pa.timestamp("ns")),
            "tz": pa.array([datetime(1970, 1, 1, 12, tzinfo=UTC), None], pa.timestamp("us", tz="UTC")),
        }
    )
    parquet.write_table(table, tmp_path / "types.parquet")
    dataset = open_source("types.parquet")

    def held(name):
        return dataset.column(name).distribution.expanded().tolist()

    assert held("i8") == [1.0]
    assert held("u64") == [0.0, float(2**64 - 1)]
    assert held("f32") == [1.5]
    assert held("dec") == [1.25]
    assert held("dict") == ["a"]
    assert held("null") == []
    assert dataset.column("null").missing().share == 1
    assert held("date") == [1.0]
    assert held("ns") == held("tz") == [0.5]
    assert {field.name for field in dataset.fields if field.kind == "time"} == {"date", "ns", "tz"}


def test_rename_is_applied_and_checked(tmp_path, open_source):
    write(tmp_path / "t.csv", CSV)
    dataset = open_source("t.csv", rename={"age": "years"}, where="years > 61")
    assert dataset.features == ("years", "sex", "flag")
    assert dataset.rows == 1
    with pytest.raises(DataError, match="rename names 'agee', which is no column, did you mean 'age'"):
        open_source("t.csv", rename={"agee": "years"})
    with pytest.raises(DataError, match="two columns are named 'sex'"):
        open_source("t.csv", rename={"age": "sex"})


def test_digest_is_the_sha256_of_the_bytes(tmp_path, open_source):
    write(tmp_path / "t.csv", CSV)
    one = hashlib.sha256(CSV.encode()).hexdigest()
    assert open_source("t.csv").digest() == one
    write(tmp_path / "parts" / "b.csv", CSV)
    write(tmp_path / "parts" / "a.csv", CSV)
    lines = f"a.csv {one}\nb.csv {one}\n"
    assert open_source("parts").digest() == hashlib.sha256(lines.encode()).hexdigest()
    assert open_source("parts/*.csv").digest() == open_source("parts").digest()


def test_the_private_folder_is_only_for_this_user_and_goes_away(tmp_path, open_source, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "private"))
    (tmp_path / "private").mkdir()
    write(tmp_path / "t.csv", "a,b\n1,café\n".encode("latin-1"))
    dataset = open_source("t.csv", read={"encoding": "latin-1"})
    folders = list((tmp_path / "private").iterdir())
    assert len(folders) == 1
    if os.name != "nt":
        assert folders[0].stat().st_mode & 0o777 == 0o700
    dataset.close()
    assert list((tmp_path / "private").iterdir()) == []
    with pytest.raises(DataError):
        open_source("none.csv")
    write(tmp_path / "bad.csv", "a,b\n1\n")
    with pytest.raises(DataError):
        open_source("bad.csv")
    assert list((tmp_path / "private").iterdir()) == []


def test_reading_parquet_imports_neither_pandas_nor_scipy(tmp_path):
    as_parquet(tmp_path / "t.parquet")
    program = (
        "import sys; from pathlib import Path\n"
        "from pytest_readmit.data.dataset import Roles\n"
        "from pytest_readmit.data.source import SourceSpec, open_dataset\n"
        f"spec = SourceSpec(kind='path', value='t.parquet', base=Path({str(tmp_path)!r}), where='flag')\n"
        "d = open_dataset('current', spec, Roles(patient='sex'))\n"
        "[d.column(n).distribution for n in d.features]; d.segment({'sex': 'F'}).column('age').missing()\n"
        "print([m for m in ('pandas', 'scipy', 'sklearn', 'pyarrow', 'pytest') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_columns_can_be_read_by_several_threads_at_once(tmp_path, open_source):
    from concurrent.futures import ThreadPoolExecutor

    values = {f"c{i}": np.random.default_rng(i).normal(size=5000) for i in range(12)}
    parquet.write_table(pa.table(values), tmp_path / "t.parquet")
    dataset = open_source("t.parquet")
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda name: dataset.column(name).distribution.support, values))
    for name, support in zip(values, found, strict=True):
        np.testing.assert_array_equal(support, np.sort(values[name]))


def test_a_released_column_is_read_again(tmp_path, open_source):
    as_parquet(tmp_path / "t.parquet")
    dataset = open_source("t.parquet")
    first = dataset.column("age")
    assert dataset.column("age") is first
    dataset.release("age")
    assert dataset.column("age") is not first
    assert dataset.column("age").distribution.expanded().tolist() == [61.0, 70.0]


def test_row_order_is_the_same_for_every_column_of_a_large_csv(tmp_path, open_source):
    duckdb.execute(
        f"COPY (SELECT i AS a, i * 2 AS b, 'x' || i AS c FROM range(300000) t(i)) TO '{tmp_path}/big.csv'"
    )
    dataset = open_source("big.csv", where="a % 3 = 0")
    a, b = (dataset._rows.numbers(dataset.field(name)).values for name in "ab")
    np.testing.assert_array_equal(a * 2, b)
    assert dataset._rows.codes("c").levels[0] == "x0"
    assert dataset.flow["where"] == 100000


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_two_parts_of_one_file_are_what_parts_of_two_files_are(tmp_path, open_source, ending) -> None:
    columns = {"age": [61, 70, None, 40, 50, 66], "sex": list("FMFFMM"), "flag": [True, False] * 3}
    whole = pa.table(columns | {"late": [0, 0, 0, 1, 1, 1]})
    writer = csv.write_csv if ending == "csv" else parquet.write_table
    for name in ("one", "two"):
        writer(whole, tmp_path / f"{name}.{ending}")
    before = open_source(f"one.{ending}", name="reference", where="late = 0")
    same = open_source(f"one.{ending}", like=before, where="late = 1")
    apart = open_source(f"two.{ending}", like=before, where="late = 1")
    assert facts(same) == facts(apart) != facts(before)
    assert (same.flow, same.fields, same.digest()) == (apart.flow, apart.fields, apart.digest())
    with pytest.raises(DataError, match="where keeps 0"):
        open_source(f"one.{ending}", like=before, where="late = 2")
    assert before.column("age").distribution.expanded().tolist() == [61, 70]
