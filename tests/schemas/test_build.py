"""The published schemas."""

import json
import tomllib

import jsonschema
import pytest
from ftbench.data.new_suite import templates
from ftbench.schemas.build import schema, suite_schema


@pytest.fixture(scope="module")
def made(catalog):
    return suite_schema(catalog)


@pytest.fixture(scope="module")
def suites(made):
    """Validator of suites; the schema itself is checked once."""
    validator = jsonschema.validators.validator_for(made)
    validator.check_schema(made)
    return validator(made)


@pytest.mark.parametrize("name", sorted(templates()))
def test_every_shipped_suite_keeps_to_the_schema(name, suites):
    suites.validate(tomllib.loads(templates()[name].read_text(encoding="utf-8")))


def test_the_schema_refuses_what_the_reader_refuses(suites):
    suite = tomllib.loads(templates()["quickstart"].read_text(encoding="utf-8"))
    for broken in (
        {"seeds": [0, 0]},
        {"nome": "x"},
        {"task": [{"use": "digits", "trian_size": 3}]},
        {"training": {"epochs": 0}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            suites.validate({**suite, **broken})


def test_the_files_in_the_package_are_up_to_date(made):
    from pathlib import Path

    import ftbench

    folder = Path(ftbench.__file__).parent / "schemas"
    assert json.loads((folder / "record.json").read_text()) == schema("record")
    assert json.loads((folder / "suite.json").read_text()) == made
