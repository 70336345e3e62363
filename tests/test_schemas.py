"""The published schemas."""

import json
import tomllib

import jsonschema
import pytest
from ftbench.schema import schema, suite_schema
from ftbench.templates import templates


@pytest.mark.parametrize("name", sorted(templates()))
def test_every_shipped_suite_keeps_to_the_schema(name, catalog):
    jsonschema.validate(tomllib.loads(templates()[name].read_text(encoding="utf-8")), suite_schema(catalog))


def test_the_schema_refuses_what_the_reader_refuses(catalog):
    suite = tomllib.loads(templates()["quickstart"].read_text(encoding="utf-8"))
    for broken in ({"seeds": [0, 0]}, {"nome": "x"}, {"task": [{"use": "digits", "trian_size": 3}]}, {"training": {"epochs": 0}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**suite, **broken}, suite_schema(catalog))


def test_the_files_in_the_package_are_up_to_date(catalog):
    from pathlib import Path

    import ftbench

    folder = Path(ftbench.__file__).parent / "schemas"
    assert json.loads((folder / "record.json").read_text()) == schema("record")
    assert json.loads((folder / "suite.json").read_text()) == suite_schema(catalog)
