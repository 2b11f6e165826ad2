"""``${NAME}``: where its value comes from, what it means, and that the environment's stays hidden."""

# ruff: noqa: E501 - a message stands on one line, as the user sees it

import pytest

ENTRY = "checks:\n  - missing_drift: {max: 0.1}\n"


def test_a_variable_is_given_on_the_command_line(read):
    suite = read(f"owner: team-${{TEAM}}\n{ENTRY}", variables={"TEAM": "a"})
    assert suite.owner == "team-a"
    assert suite.secrets == {}


def test_the_command_line_wins_over_the_environment(read):
    suite = read(f"owner: ${{READMIT_X}}\n{ENTRY}", variables={"READMIT_X": "a"}, environ={"READMIT_X": "b"})
    assert suite.owner == "a"
    assert suite.secrets == {}


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("READMIT_SITE", {"environ": {"READMIT_SITE": "north"}}),
        ("SITE", {"environ": {"SITE": "north"}, "allowed_env": frozenset({"SITE"})}),
    ],
)
def test_a_value_of_the_environment_is_remembered_as_a_secret(read, name, settings):
    suite = read(f"owner: ${{{name}}}\n{ENTRY}", **settings)
    assert suite.owner == "north"
    assert suite.secrets == {name: "north"}
    assert "secrets" not in repr(suite)


@pytest.mark.parametrize(
    ("given", "environ", "owner", "secrets"),
    [
        ({}, {}, "north/a", {}),
        ({"READMIT_SITE": "south"}, {}, "south/a", {}),
        ({"TEAM": "b", "READMIT_SITE": "south"}, {}, "b", {}),
        ({}, {"READMIT_SITE": "s"}, "s/a", {"READMIT_SITE": "s", "TEAM": "s/a"}),
    ],
)
def test_a_default_may_hold_variables_and_is_as_secret_as_they_are(read, given, environ, owner, secrets):
    text = f"owner: '${{TEAM:-${{READMIT_SITE:-north}}/a}}'\n{ENTRY}"
    suite = read(text, variables=given, environ=environ)
    assert (suite.owner, suite.secrets) == (owner, secrets)


def test_an_unset_variable_in_a_default_is_named(problems):
    (told,) = problems("owner: '${TEAM:-${SITE}/a}'\n" + ENTRY)
    assert "variable ${SITE} is not set" in told


def test_a_default_is_used_where_nothing_is_set_and_is_no_secret(read):
    suite = read(f"owner: ${{READMIT_X:-nobody}}\n{ENTRY}")
    assert suite.owner == "nobody"
    assert suite.secrets == {}


def test_dollar_dollar_brace_is_the_text_itself(read):
    assert read(f"owner: $${{X}} and $5 and $ {{}}\n{ENTRY}").owner == "${X} and $5 and $ {}"


@pytest.mark.parametrize(
    ("written", "value"),
    [('"${V}"', 0.25), ("'${V}'", 0.25), ("${V:-0.5}", 0.25)],
)
def test_a_variable_alone_may_become_a_number(read, written, value):
    suite = read(f"checks:\n  - missing_drift:\n      max: {written}\n", variables={"V": "0.25"})
    assert suite.entries[0].parameters["max"] == value


def test_mixed_text_stays_text(problems):
    text = "checks:\n  - missing_drift:\n      max: ${V}5\n"
    assert problems(text, variables={"V": "0.2"}) == [
        "s.yml:3:12: missing_drift: `max` must be a number from 0 to 1, not '0.25'"
    ]


def test_a_number_is_text_where_text_is_wanted(read):
    suite = read(
        "suite: ${N}\ndata: {current: '${N}'}\nchecks:\n  - missing_drift: {because: '${N}'}\n",
        variables={"N": "2024"},
    )
    assert (suite.name, suite.data["current"].value, suite.entries[0].because) == ("2024", "2024", "2024")


def test_an_unset_variable_is_an_error_at_its_line(problems):
    text = "suite: a\nowner: ${OWNER}\nprotocol: ${READMIT_P}\ndescription: ${TAEM}\n" + ENTRY
    assert problems(text, environ={"OWNER": "x"}, variables={"TEAM": "a"}) == [
        (
            "s.yml:2:8: suite: variable ${OWNER} is not set; set it by --readmit-set OWNER=VALUE (the environment is "
            "read for READMIT_… and names in ini readmit_env)"
        ),
        "s.yml:3:11: suite: variable ${READMIT_P} is not set; set it by the environment or --readmit-set",
        "s.yml:4:14: suite: variable ${TAEM} is not set; set it by --readmit-set TAEM=VALUE, did you mean 'TEAM'?",
    ]


@pytest.mark.parametrize("written", ["${", "${}", "${1X}", "${A B}", "${A:b}", "${A-b}", "a ${ b"])
def test_a_broken_variable_is_an_error(problems, written):
    assert problems(f"owner: '{written}'\n{ENTRY}") == [
        "s.yml:1:8: suite: `${` begins a variable, ${NAME} or ${NAME:-default}; write `$${` for the text itself"
    ]


def test_keys_have_no_variables(problems):
    (said,) = problems("checks:\n  - missing_drift: {'${KEY}': 1}\n", variables={"KEY": "max"})
    assert "unknown parameter '${KEY}'" in said


def test_an_infinite_value_is_refused(problems):
    text = "checks:\n  - missing_drift:\n      max: ${V}\n"
    assert problems(text, variables={"V": "1e999"}) == [
        "s.yml:3:12: suite: a number must be finite, not '1e999'"
    ]


SECRET = "hunter2-canary"
EVERYWHERE = [
    "suite: ${READMIT_S}\nownr: a\n" + ENTRY,
    "as_of: ${READMIT_S}\n" + ENTRY,
    "schedule: {runs: '${READMIT_S}'}\n" + ENTRY,
    "data: {current: {path: a, read: {format: '${READMIT_S}', delimiter: '${READMIT_S}'}}}\n" + ENTRY,
    "data: {current: {path: a, matured: {horizon: '${READMIT_S}', index_time: t}}}\n" + ENTRY,
    "data: {current: {path: a, rename: {x: '${READMIT_S}', y: '${READMIT_S}'}}}\n" + ENTRY,
    "data: {current: {path: a, read: {types: {x: '${READMIT_S}'}}}}\n" + ENTRY,
    "columns: {features: ['${READMIT_S}', '${READMIT_S}']}\n" + ENTRY,
    "columns: {numerical: ['${READMIT_S}'], categorical: ['${READMIT_S}']}\n" + ENTRY,
    "defaults: {severity: '${READMIT_S}'}\n" + ENTRY,
    "checks: ['${READMIT_S}']\n",
    "checks: '${READMIT_S}'\n",
    "'${READMIT_S}'\n",
    "checks:\n  - missing_drift: '${READMIT_S}'\n",
    "checks:\n  - missing_drift: {max: '${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {direction: '${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {direction: 'x${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {id: '${READMIT_S} '}\n",
    "checks:\n  - missing_drift: {tags: ['A${READMIT_S}']}\n",
    "checks:\n  - missing_drift: {on: '${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {model: '${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {timeout: '${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {severity: '${READMIT_S}'}\n",
    "checks:\n  - missing_drift: {columns: ['${READMIT_S}', '${READMIT_S}']}\n",
    "checks:\n  - missing_drift: {segments: ['${READMIT_S}', '${READMIT_S}']}\n",
    "checks:\n  - missing_drift: {waiver: {until: '${READMIT_S}', by: b, reason: r}}\n",
    "checks:\n  - data_drift: {method: '${READMIT_S}'}\n",
    "checks:\n  - out_of_range: {ranges: {age: ['${READMIT_S}', 1]}}\n",
    "checks:\n  - out_of_range: {ranges: ['${READMIT_S}']}\n",
]


@pytest.mark.parametrize("text", EVERYWHERE)
def test_no_message_shows_a_value_of_the_environment(problems, text):
    found = problems(text, environ={"READMIT_S": SECRET})
    assert found
    assert SECRET not in "\n".join(found)


def test_a_hint_does_not_tell_what_a_hidden_value_is_close_to(problems):
    text = "checks:\n  - missing_drift: {direction: '${READMIT_S}'}\n"
    (said,) = problems(text, environ={"READMIT_S": "dwn"})
    assert said == "s.yml:2:32: missing_drift: `direction` must be 'either', 'up' or 'down', not ${READMIT_S}"


def test_a_message_of_the_check_itself_hides_it_too(problems):
    text = "checks:\n  - data_drift: {method: '${READMIT_S}'}\n"
    (said,) = problems(text, environ={"READMIT_S": "chi2"})
    assert "chi2" not in said
    assert said.endswith("data_drift: ${READMIT_S} needs `p_value` or `decide_by: estimate`")


def _where(read, condition, **settings):
    return read(f"data:\n  current:\n    path: a\n    where: {condition}\n{ENTRY}", **settings).data[
        "current"
    ]


def test_in_where_a_variable_is_bound_and_never_pasted(read):
    attack = "1 or 1=1; drop table x"
    source = _where(read, "age >= ${READMIT_MIN} and site = ${SITE:-a}", environ={"READMIT_MIN": attack})
    assert source.where == "age >= $READMIT_MIN and site = $SITE"
    assert source.where_parameters == {"READMIT_MIN": attack, "SITE": "a"}


def test_a_bound_value_of_the_environment_is_a_secret(read):
    suite = read(
        f"data: {{current: {{path: a, where: 'x > ${{READMIT_MIN}}'}}}}\n{ENTRY}",
        environ={"READMIT_MIN": "7"},
    )
    assert suite.secrets == {"READMIT_MIN": "7"}


def test_two_defaults_of_one_name_in_where_are_refused(problems):
    text = f"data: {{current: {{path: a, where: 'a > ${{X:-1}} or b > ${{X:-2}}'}}}}\n{ENTRY}"
    assert problems(text) == ["s.yml:1:34: data.current: `where`: ${X} has two defaults here; keep one"]
    assert problems(text, variables={"X": "3"}) == []


def test_a_literal_brace_in_where_stays(read):
    assert _where(read, "a = '$${X}'").where == "a = '${X}'"


def test_a_bound_variable_in_quotes_is_refused_because_it_would_be_text(problems):
    text = f"data: {{current: {{path: a, where: \"a = '${{X}}'\"}}}}\n{ENTRY}"
    assert problems(text, variables={"X": "b"}) == [
        "s.yml:1:34: data.current: `where`: write ${X} without quotes: it is bound as a value, not pasted"
    ]


def test_an_unset_variable_in_where_is_told(problems):
    (said,) = problems(f"data: {{current: {{path: a, where: 'x > ${{READMIT_MIN}}'}}}}\n{ENTRY}")
    assert said.startswith("s.yml:1:34: suite: variable ${READMIT_MIN} is not set")


def test_where_is_bound_even_if_its_text_is_an_alias_that_other_keys_share(read):
    text = f'description: &w "age > ${{READMIT_MIN}}"\ndata: {{current: {{path: a, where: *w}}}}\n{ENTRY}'
    suite = read(text, environ={"READMIT_MIN": "1 or true"})
    assert suite.data["current"].where == "age > $READMIT_MIN"
