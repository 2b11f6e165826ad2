import pytest

from pytest_readmit.errors import DataError


def write(path, text):
    path.write_text(text, encoding="utf-8")


def kinds(dataset):
    return {field.name: field.kind for field in dataset.fields}


def test_types_are_decided_over_the_whole_file(tmp_path, open_source):
    rows = "\n".join(f"{i},{i},true,2020-01-01,{i}" for i in range(5000))
    write(tmp_path / "t.csv", f"whole,late_text,late_flag,late_date,late_float\n{rows}\n1,x,maybe,soon,0.5\n")
    dataset = open_source("t.csv")
    assert kinds(dataset) == {
        "whole": "numerical",
        "late_text": "categorical",
        "late_flag": "categorical",
        "late_date": "categorical",
        "late_float": "numerical",
    }
    assert dataset.field("whole").integer
    assert not dataset.field("late_float").integer
    assert "maybe" in dataset.column("late_flag").distribution.support


def test_codes_with_leading_zeros_stay_text(tmp_path, open_source):
    write(tmp_path / "t.csv", "icd,zip,n,zero\n0389,02134,10,0\n0412,90210,20,0.5\n")
    dataset = open_source("t.csv")
    assert kinds(dataset) == {
        "icd": "categorical",
        "zip": "categorical",
        "n": "numerical",
        "zero": "numerical",
    }
    assert dataset.column("icd").distribution.support.tolist() == ["0389", "0412"]


def test_yes_and_no_stay_text_but_true_and_false_are_booleans(tmp_path, open_source):
    write(tmp_path / "t.csv", "a,b,c\nyes,True,Y\nno,False,N\n")
    dataset = open_source("t.csv")
    assert dataset.column("a").distribution.support.tolist() == ["no", "yes"]
    assert dataset.column("c").distribution.support.tolist() == ["N", "Y"]
    assert dataset.column("b").distribution.support.tolist() == ["false", "true"]
    assert set(kinds(dataset).values()) == {"categorical"}


def test_only_iso_dates_are_dates(tmp_path, open_source):
    write(
        tmp_path / "t.csv",
        "iso,stamp,us,year\n"
        "2020-01-31,2020-01-31 10:30:00,01/02/2020,2020\n"
        "2020-02-01,2020-02-01T11:00,03/04/2020,2021\n",
    )
    assert kinds(open_source("t.csv")) == {
        "iso": "time",
        "stamp": "time",
        "us": "categorical",
        "year": "numerical",
    }


def test_missing_is_an_empty_field_or_one_of_the_usual_words(tmp_path, open_source):
    write(tmp_path / "t.csv", 'a,b,c\n1,x,None\nNA,,None\nNaN,"",x\n,null,\n')
    dataset = open_source("t.csv")
    assert [dataset.column(name).missing().events for name in "abc"] == [3, 3, 1]
    assert dataset.column("a").kind == "numerical"
    listed = open_source("t.csv", read={"null_values": ["None"]})
    assert [listed.column(name).missing().events for name in "abc"] == [1, 2, 3]


@pytest.mark.parametrize(("end", "inside"), [("\r\n", "\n"), ("\n", "\r\n"), ("\r\n", "\r\n")])
def test_a_quoted_field_may_hold_any_line_break(tmp_path, open_source, end, inside):
    lines = ["a,note", f'1,"one{inside}two"', "2,x", ""]
    (tmp_path / "notes.csv").write_bytes(end.join(lines).encode())
    dataset = open_source("notes.csv")
    assert dataset.rows == 2
    assert f"one{inside}two" in dataset.column("note").distribution.support.tolist()
    (tmp_path / "mixed.csv").write_bytes(b"a,b\r\n1,2\n3,4\r\n")
    with pytest.raises(DataError, match="lines end in different ways"):
        open_source("mixed.csv")


def test_header_delimiter_and_encoding_can_be_given(tmp_path, open_source):
    write(tmp_path / "bare.csv", "1|a,b\n2|c\n")
    dataset = open_source("bare.csv", read={"header": False, "delimiter": "|"}, rename={"column0": "n"})
    assert dataset.column("n").distribution.expanded().tolist() == [1, 2]
    assert dataset.column("column1").distribution.support.tolist() == ["a,b", "c"]
    (tmp_path / "latin.csv").write_bytes("größe\n1\n".encode("latin-1"))
    assert open_source("latin.csv", read={"encoding": "latin-1"}).features == ("größe",)
    (tmp_path / "utf16.csv").write_bytes("a\n1\n".encode("utf-16"))
    assert open_source("utf16.csv", read={"encoding": "utf-16"}).rows == 1
    with pytest.raises(DataError, match="unknown encoding 'latin-99'"):
        open_source("latin.csv", read={"encoding": "latin-99"})
    with pytest.raises(DataError, match="unknown encoding 'rot13'"):
        open_source("latin.csv", read={"encoding": "rot13"})
    with pytest.raises(DataError, match="is not encoded as utf-16"):
        open_source("latin.csv", read={"encoding": "utf-16"})
    with pytest.raises(DataError, match="delimiter must be one character"):
        open_source("bare.csv", read={"delimiter": "||"})


def test_a_value_that_does_not_fit_the_reference_is_an_error_of_that_column_alone(tmp_path, open_source):
    write(tmp_path / "r.csv", "age,sex,when,flag\n61,F,2020-01-01,true\n70,M,2020-01-02,false\n")
    write(
        tmp_path / "c.csv",
        "age,sex,when,flag\nCANARY,F,CANARY,CANARY\n70,1,2020-01-02,false\n55,2,2020-01-03,true\n",
    )
    reference = open_source("r.csv", name="reference")
    current = open_source("c.csv", like=reference)
    for name in ("age", "when", "flag"):
        with pytest.raises(DataError, match=f"1 values of column '{name}' do not fit") as caught:
            current.column(name)
        assert "CANARY" not in str(caught.value)
        assert reference.column(name).distribution.n == 2
    assert current.column("sex").distribution.support.tolist() == ["1", "2", "F"]
    assert kinds(current) == kinds(reference)


def test_numbers_of_a_text_column_of_the_reference_stay_text(tmp_path, open_source):
    write(tmp_path / "r.csv", "code\nV57\n0389\n")
    write(tmp_path / "c.csv", "code\n57\n389\n")
    current = open_source("c.csv", like=open_source("r.csv"))
    assert current.field("code").kind == "categorical"
    assert current.column("code").distribution.support.tolist() == ["389", "57"]


def test_a_decimal_in_a_column_of_whole_numbers_still_is_a_number(tmp_path, open_source):
    write(tmp_path / "r.csv", "age\n61\n70\n")
    write(tmp_path / "c.csv", "age\n61.5\n007\n")
    current = open_source("c.csv", like=open_source("r.csv"))
    assert current.column("age").distribution.expanded().tolist() == [7.0, 61.5]


def test_a_new_level_of_a_categorical_code_is_no_misfit(tmp_path, open_source):
    write(tmp_path / "r.csv", "kind\n1\n2\n")
    write(tmp_path / "c.csv", "kind\n1\nX\n")
    reference = open_source("r.csv", categorical=("kind",))
    current = open_source("c.csv", like=reference, categorical=("kind",))
    assert current.column("kind").distribution.support.tolist() == ["1", "X"]


def test_read_types_names_kinds(tmp_path, open_source):
    write(tmp_path / "t.csv", "zip,lab,day\n2134,1.5,2020-01-01\n2135,hemolysed,2020-01-02\n")
    dataset = open_source("t.csv", read={"types": {"zip": "categorical", "lab": "numerical"}})
    assert dataset.column("zip").distribution.support.tolist() == ["2134", "2135"]
    with pytest.raises(DataError, match="1 values of column 'lab'"):
        dataset.column("lab")
    with pytest.raises(DataError, match=r"read\.types names 'zap', which is no column, did you mean 'zip'"):
        open_source("t.csv", read={"types": {"zap": "categorical"}})
    with pytest.raises(DataError, match="'float' is not one of"):
        open_source("t.csv", read={"types": {"lab": "float"}})


def test_a_column_of_the_reference_without_values_does_not_stop_the_others(tmp_path, open_source):
    write(tmp_path / "r.csv", "a,b\n,1\n,2\n")
    write(tmp_path / "c.csv", "a,b\n5,1\n6,2\n")
    reference = open_source("r.csv")
    current = open_source("c.csv", like=reference)
    assert reference.column("a").distribution.n == 0
    assert current.column("a").distribution.n == 2
    assert current.column("b").distribution.n == 2


def test_hash_signs_quotes_and_line_breaks_in_fields_are_data(tmp_path, open_source):
    write(tmp_path / "t.csv", 'a,b\n"x, ""y""",1\n"two\nlines",2\n# not a comment,3\n')
    dataset = open_source("t.csv")
    assert dataset.column("a").distribution.support.tolist() == ["# not a comment", "two\nlines", 'x, "y"']
