"""Every mistake in a suite is one line with its place, and all are told at once."""

# ruff: noqa: E501 - a message stands on one line, as the user sees it

import pytest

LONE = "checks:\n  - data_drift\n"

CASES = {
    # the file
    "": ["s.yml:1:1: suite: the file is empty"],
    "# only a comment\n": ["s.yml:1:1: suite: the file is empty"],
    "- data_drift\n": ["s.yml:1:1: suite: a suite is a mapping with `checks`, not a list"],
    "hello\n": ["s.yml:1:1: suite: a suite is a mapping with `checks`, not text"],
    "suite: a\n": ["s.yml:1:1: suite: `checks` is missing: a suite without checks would always pass"],
    "suite: a\nchecks: []\n": [
        "s.yml:2:9: suite: `checks` is empty: a suite without checks would always pass"
    ],
    "checks:\n": [
        "s.yml:1:8: suite: `checks` must be a list of checks, each line beginning with `-`, not nothing"
    ],
    "checks: {data_drift: }\n": [
        "s.yml:1:9: suite: `checks` must be a list of checks, each line beginning with `-`, not a mapping"
    ],
    f"{LONE}---\n{LONE}": ["s.yml:3:1: suite: a second document begins here; a suite is one document"],
    # YAML
    "checks:\n\t- data_drift\n": ["s.yml:2:1: suite: YAML: a tab cannot indent; use spaces"],
    "checks: [data_drift\n": [
        "s.yml:2:1: suite: YAML: did not find expected ',' or ']' (while parsing a flow sequence that began on line 1); a bracket is not closed, or text with a quote or a ',' is not in quotes"
    ],
    "suite: a: b\n": [
        "s.yml:1:9: suite: YAML: mapping values are not allowed in this context; put text with a ':' in quotes, or correct the indentation"
    ],
    'suite: "abc\nchecks:\n  - data_drift\n': [
        "s.yml:4:1: suite: YAML: found unexpected end of stream (while scanning a quoted scalar that began on line 1); a quote is not closed"
    ],
    "checks:\n  - data_drift: {max: ${MAX}}\n": [
        "s.yml:2:24: suite: YAML: did not find expected ',' or '}' (while parsing a flow mapping); inside [ ] and { } put ${NAME} in quotes"
    ],
    "checks:\n  - data_drift: {columns: *}\n": [
        "s.yml:2:28: suite: YAML: did not find expected alphabetic or numeric character (while scanning an alias); put text that begins with a special character in quotes"
    ],
    "checks:\n  - data_drift:\n      max: 1\n     bins: 3\n": [
        "s.yml:4:6: suite: YAML: did not find expected key (while parsing a block mapping that began on line 2); the indentation does not fit the lines above, or a ':' is missing"
    ],
    f"suite: !!str a\n{LONE}": ["s.yml:1:8: suite: tags such as 'tag:yaml.org,2002:str' are not allowed"],
    f"suite: !!python/object/apply:os.system [ls]\n{LONE}": [
        "s.yml:1:8: suite: `suite` must be text, not a list",
        "s.yml:1:8: suite: tags such as 'tag:yaml.org,2002:python/object/apply:os.system' are not allowed",
    ],
    f"suite: a\nsuite: b\n{LONE}": ["s.yml:2:1: suite: duplicate key 'suite', first on line 1"],
    f"? [a]\n: b\n{LONE}": ["s.yml:1:3: suite: a key is text, not a list"],
    f"?\n: b\n{LONE}": ["s.yml:1:2: suite: a key is missing before ':'"],
    f"<<: {{suite: a}}\n{LONE}": ["s.yml:1:1: suite: `<<` is not part of YAML 1.2; write the keys out"],
    "a: &a [*a]\n": ["s.yml:1:8: suite: alias *a stands inside what it repeats"],
    "a: *b\n": ["s.yml:1:4: suite: alias *b has no anchor before it"],
    "checks:\n  - missing_drift: {max: .inf}\n": ["s.yml:2:26: suite: a number must be finite, not .inf"],
    "checks:\n  - missing_drift: {max: 1e999}\n": ["s.yml:2:26: suite: a number must be finite, not 1e999"],
    # the top
    f"ownr: b\n{LONE}": ["s.yml:1:1: suite: unknown key 'ownr', did you mean 'owner'?"],
    f"suite: 3\n{LONE}": ["s.yml:1:8: suite: `suite` must be text, not 3; put it in quotes"],
    f"owner: [a]\n{LONE}": ["s.yml:1:8: suite: `owner` must be text, not a list"],
    f"owner:\n{LONE}": ["s.yml:1:7: suite: `owner` must be text, not nothing"],
    f"as_of: 2026-13-01\n{LONE}": [
        "s.yml:1:8: suite: `as_of` must be a date such as 2026-11-01, not '2026-13-01'"
    ],
    f"as_of: 20261101\n{LONE}": ["s.yml:1:8: suite: `as_of` must be a date such as 2026-11-01, not 20261101"],
    f"schedule: {{runs: 0}}\n{LONE}": [
        "s.yml:1:18: schedule: `runs` must be a whole number from 1 to 1,000,000, not 0"
    ],
    f"schedule: {{run: 2}}\n{LONE}": ["s.yml:1:12: schedule: unknown key 'run', did you mean 'runs'?"],
    f"schedule: weekly\n{LONE}": [
        "s.yml:1:11: suite: `schedule` must be a mapping such as {runs: 11}, not 'weekly'"
    ],
    f"privacy: {{min_cell: 5.5}}\n{LONE}": [
        "s.yml:1:21: privacy: `min_cell` must be a whole number from 1 to 1,000,000, not 5.5"
    ],
    f"defaults: {{severty: warn}}\n{LONE}": [
        "s.yml:1:12: defaults: unknown key 'severty', did you mean 'severity'?"
    ],
    f"defaults: {{p_value: 0.05}}\n{LONE}": [
        (
            "s.yml:1:12: defaults: unknown key 'p_value'; known: severity, inconclusive, confidence, correction, "
            "decide_by"
        )
    ],
    f"defaults: {{confidence: 95}}\n{LONE}": [
        "s.yml:1:24: defaults: `confidence` must be a number between 0.5 and 1, such as 0.95, not 95"
    ],
    # columns
    f"columns: [age]\n{LONE}": [
        "s.yml:1:10: suite: `columns` must be a mapping from role to column, not a list"
    ],
    f"columns: {{targt: y}}\n{LONE}": ["s.yml:1:11: columns: unknown key 'targt', did you mean 'target'?"],
    f"columns: {{target: 30}}\n{LONE}": [
        "s.yml:1:19: columns: `target` must be a column's name, not 30; put it in quotes"
    ],
    f"columns: {{features: [age, age]}}\n{LONE}": ["s.yml:1:27: columns: `features` names 'age' twice"],
    f"columns: {{positive_label: }}\n{LONE}": [
        "s.yml:1:27: columns: `positive_label` must be a value or a list of values, not nothing"
    ],
    f"columns: {{positive_label: [1, 2], negative_label: 2}}\n{LONE}": [
        "s.yml:1:51: columns: `negative_label` is also a `positive_label`"
    ],
    f"columns: {{numerical: [a], categorical: [a]}}\n{LONE}": [
        "s.yml:1:40: columns: 'a' is under `categorical` and under `numerical`"
    ],
    # checks
    "checks:\n  - data_drfit\n": [
        "s.yml:2:5: checks: unknown check 'data_drfit', did you mean 'data_drift'?"
    ],
    "checks:\n  - nonsense: {a: 1}\n": [
        "s.yml:2:5: checks: unknown check 'nonsense'; `readmit list` names the checks"
    ],
    "checks:\n  - data_drift:\n    columns: [age]\n": [
        "s.yml:3:5: data_drift: indent `columns` under `data_drift`"
    ],
    "checks:\n  - columns: [age]\n    data_drift:\n": [
        "s.yml:2:5: data_drift: indent `columns` under `data_drift`"
    ],
    "checks:\n  - data_drift:\n    missing_drift:\n": [
        "s.yml:3:5: data_drift: two checks in one entry; begin `missing_drift` with its own `-`"
    ],
    "checks:\n  - [data_drift]\n": [
        "s.yml:2:5: checks: an entry is a check's name, or its name with its keys under it, not a list"
    ],
    "checks:\n  - {}\n": [
        "s.yml:2:5: checks: an entry is a check's name, or its name with its keys under it, not an empty mapping"
    ],
    "checks:\n  -\n": [
        "s.yml:2:4: checks: an entry is a check's name, or its name with its keys under it, not nothing"
    ],
    "checks:\n  - data_drift: 0.1\n": [
        "s.yml:2:17: data_drift: its keys must be a mapping such as {max: 0.1}, not 0.1"
    ],
    "checks:\n  - data_drift: {metod: ks}\n": [
        "s.yml:2:18: data_drift: unknown parameter 'metod', did you mean 'method'?"
    ],
    "checks:\n  - missing_drift: {zzzzzz: 1}\n": [
        "s.yml:2:21: missing_drift: unknown parameter 'zzzzzz'; it takes max, direction and the keys of every entry"
    ],
    "checks:\n  - data_drift: {method: kss}\n": [
        "s.yml:2:26: data_drift: `method` must be 'auto', 'ks' or 'chi2', not 'kss', did you mean 'ks'?"
    ],
    "checks:\n  - data_drift: {max: -1}\n": [
        "s.yml:2:23: data_drift: `max` must be a number at least 0, not -1"
    ],
    "checks:\n  - missing_drift: {max: 2}\n": [
        "s.yml:2:26: missing_drift: `max` must be a number from 0 to 1, not 2"
    ],
    "checks:\n  - missing_drift: {max: true}\n": [
        "s.yml:2:26: missing_drift: `max` must be a number from 0 to 1, not true"
    ],
    "checks:\n  - missing_drift: {max: '0.1'}\n": [
        "s.yml:2:26: missing_drift: `max` must be a number from 0 to 1, not '0.1'"
    ],
    "checks:\n  - data_drift: {yates: no}\n": [
        "s.yml:2:25: data_drift: `yates` must be true or false, not 'no'"
    ],
    "checks:\n  - data_drift: {bins: 2.5}\n": [
        "s.yml:2:24: data_drift: `bins` must be a whole number from 2 to 1000, not 2.5"
    ],
    "checks:\n  - out_of_range\n": [
        (
            "s.yml:2:5: out_of_range: missing parameter 'ranges': a mapping of a list of 2 (a number or null, a number "
            "or null)"
        )
    ],
    "checks:\n  - out_of_range:\n      ranges:\n        age: [0, old]\n": [
        "s.yml:4:18: out_of_range: `ranges.age.1` must be a number or null, not 'old'"
    ],
    "checks:\n  - data_drift: {method: chi2}\n": [
        "s.yml:2:18: data_drift: chi2 needs `p_value` or `decide_by: estimate`"
    ],
    # the keys of every entry
    "checks:\n  - data_drift: {id: a b}\n": [
        "s.yml:2:22: data_drift: `id` must be letters, digits, '_', '.' and '-', not 'a b'"
    ],
    "checks:\n  - data_drift: {id: a}\n  - missing_drift: {id: a}\n": [
        "s.yml:3:25: missing_drift: `id` 'a' is already that of line 2"
    ],
    "checks:\n  - data_drift: {tags: [Nightly]}\n": [
        (
            "s.yml:2:25: data_drift: `tags` must be lower-case letters, digits, '_' and '-', beginning with a letter, "
            "not 'Nightly'"
        )
    ],
    "checks:\n  - data_drift: {tags: [nightly, xfail]}\n": [
        "s.yml:2:34: data_drift: `tags`: 'xfail' would change how pytest runs the case; choose another word"
    ],
    "checks:\n  - data_drift: {confidence: 0.5}\n": [
        "s.yml:2:30: data_drift: `confidence` must be a number between 0.5 and 1, such as 0.95, not 0.5"
    ],
    "checks:\n  - data_drift: {p_value: 1}\n": [
        "s.yml:2:27: data_drift: `p_value` must be a number between 0 and 1, such as 0.05, not 1"
    ],
    "checks:\n  - data_drift: {decide_by: p_value}\n": [
        "s.yml:2:29: data_drift: `decide_by: p_value` needs a threshold, such as `p_value: 0.05`"
    ],
    "checks:\n  - data_drift: {decide_by: interval, p_value: 0.05}\n": [
        "s.yml:2:48: data_drift: `p_value` decides by p-value; leave out `decide_by: interval`"
    ],
    "checks:\n  - data_drift: {severity: blok}\n": [
        "s.yml:2:28: data_drift: `severity` must be 'block' or 'warn', not 'blok', did you mean 'block'?"
    ],
    "checks:\n  - data_drift: {correction: all}\n": [
        "s.yml:2:30: data_drift: `correction` must be 'entry', 'suite' or 'none', not 'all'"
    ],
    "checks:\n  - data_drift: {warn_above: low}\n": [
        "s.yml:2:30: data_drift: `warn_above` must be a number, not 'low'"
    ],
    "checks:\n  - data_drift: {timeout: 0}\n": [
        "s.yml:2:27: data_drift: `timeout` must be seconds above 0, or a duration such as 30s or 5m, not 0"
    ],
    "checks:\n  - data_drift: {columns: []}\n": [
        "s.yml:2:27: data_drift: `columns` must be a column or a list with at least one, not a list"
    ],
    "checks:\n  - data_drift: {because: 2021}\n": [
        "s.yml:2:27: data_drift: `because` must be text, not 2021; put it in quotes"
    ],
    "data: {current: a}\nchecks:\n  - data_drift: {on: curent}\n": [
        "s.yml:3:22: data_drift: `on`: no dataset 'curent' under `data`, did you mean 'current'?"
    ],
    "checks:\n  - data_drift: {on: train}\n": [
        "s.yml:2:22: data_drift: `on`: no dataset 'train' under `data`; it has none"
    ],
    "models: {champion: {score: risk}}\nchecks:\n  - data_drift: {model: champoin}\n": [
        "s.yml:3:25: data_drift: `model`: no model 'champoin' under `models`, did you mean 'champion'?"
    ],
    "checks:\n  - data_drift: {segments: {values: [a]}}\n": [
        "s.yml:2:28: data_drift.segments: missing `column`"
    ],
    "checks:\n  - data_drift: {segments: {column: sex, min_row: 5}}\n": [
        "s.yml:2:42: data_drift.segments: unknown key 'min_row', did you mean 'min_rows'?"
    ],
    "checks:\n  - data_drift: {segments: [sex, sex]}\n": [
        "s.yml:2:34: data_drift: `segments` names a column twice"
    ],
    "checks:\n  - data_drift: {waiver: {until: 2026-12-01, by: me}}\n": [
        "s.yml:2:26: data_drift: `waiver` needs `reason`"
    ],
    "checks:\n  - data_drift: {waiver: {until: 2026-12-01, by: me, reason: ''}}\n": [
        "s.yml:2:62: data_drift.waiver: `reason` must be text, not ''"
    ],
    "as_of: 2026-01-01\nchecks:\n  - data_drift: {waiver: {until: 2026-07-01, by: me, reason: r}}\n": [
        (
            "s.yml:3:34: data_drift.waiver: `until` must be at most 180 days after 2026-01-01: 2026-06-30 or before, "
            "not '2026-07-01'"
        )
    ],
    "checks:\n  - data_drift: {waiver: {until: soon, by: me, reason: r}}\n": [
        "s.yml:2:34: data_drift.waiver: `until` must be a date such as 2026-11-01, not 'soon'"
    ],
    "checks:\n  - estimated_performance: {severity: block}\n": [
        "s.yml:2:39: estimated_performance: `severity: block` is not possible: it only ever warns; leave it out"
    ],
    "checks:\n  - estimated_performance: {inconclusive: block}\n": [
        (
            "s.yml:2:43: estimated_performance: `inconclusive: block` is not possible: it never passes; write "
            "`inconclusive: warn`"
        )
    ],
    "defaults: {inconclusive: block}\nchecks:\n  - estimated_performance\n": [
        (
            "s.yml:3:5: estimated_performance: `inconclusive: block` is not possible: it never passes; write "
            "`inconclusive: warn`"
        )
    ],
}


@pytest.mark.parametrize(("text", "said"), CASES.items(), ids=[repr(text)[:60] for text in CASES])
def test_a_mistake_is_told_with_its_place(problems, text, said):
    assert problems(text) == said


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(problems):
    text = (
        "ownr: a\n"
        "data: {current: {pth: a.csv}}\n"
        "columns: {targt: y}\n"
        "checks:\n"
        "  - data_drift: {metod: ks, max: x}\n"
        "  - mising_drift\n"
        "  - missing_drift: {max: 7, on: nowhere}\n"
    )
    found = problems(text)
    places = [tuple(int(part) for part in line.split(":")[1:3]) for line in found]
    assert places == sorted(places)
    assert [line for line, _ in places] == [1, 2, 3, 5, 5, 6, 7, 7]


def test_a_value_that_is_used_twice_is_told_once(problems):
    text = "checks:\n  - data_drift: &a {max: x}\n  - data_drift: *a\n"
    assert problems(text) == ["s.yml:2:26: data_drift: `max` must be a number at least 0, not 'x'"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"suite: caf\xe9\n", "s.yml:1:11: suite: byte 0xe9 is not UTF-8; save the file as UTF-8"),
        (b"\xef\xbb\xbfa: 1\nb: \xff\n", "s.yml:2:4: suite: byte 0xff is not UTF-8; save the file as UTF-8"),
        ("suite: a\n".encode("utf-16"), "s.yml:1:1: suite: UTF-16; save the file as UTF-8"),
        (b"suite: a\r\nowner: \x00\r\n", "s.yml:2:8: suite: character U+0000 is not allowed in YAML"),
        (b"\x1b[31m: a\n", "s.yml:1:1: suite: character U+001B is not allowed in YAML"),
    ],
)
def test_bytes_that_are_no_text_are_told_with_their_place(problems, data, said):
    assert problems(data) == [said]


def test_a_byte_order_mark_and_windows_line_ends_are_welcome(read, problems):
    assert read(b"\xef\xbb\xbfsuite: a\r\nchecks:\r\n  - data_drift\r\n").name == "a"
    assert problems(b"\xef\xbb\xbfsuite: a\r\nchecks:\r\n  - data_drif\r\n") == [
        "s.yml:3:5: checks: unknown check 'data_drif', did you mean 'data_drift'?"
    ]


def test_more_entries_than_allowed_is_an_error(problems):
    text = "checks: [data_drift, data_drift, data_drift]\n"
    assert problems(text, max_cases=2) == [
        "s.yml:1:9: suite: `checks` has 3 entries; at most 2 (ini readmit_max_cases)"
    ]


def test_a_name_with_a_line_break_stays_on_one_line(problems):
    found = problems('data: {"a\\nb\\e[31m": {pth: x}}\nchecks: [data_drift]\n')
    assert found == [r"s.yml:1:23: data.a\nb\x1b[31m: unknown source 'pth', did you mean 'path'?"]


def test_a_long_value_is_cut_in_the_message(problems):
    (said,) = problems(f"checks:\n  - data_drift: {{method: {'x' * 5000}}}\n")
    assert len(said) < 200
