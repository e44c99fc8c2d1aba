"""What the editor's work is judged by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.writeback.editor.readers import GoYaml, find_goyaml

_GOYAML = find_goyaml()


@pytest.fixture(scope="session")
def goyaml() -> Iterator[GoYaml]:
    """Go's readers of YAML."""
    if _GOYAML is None:
        pytest.skip("goyaml is not built; make test-tools (needs Go)")
    reader = GoYaml(_GOYAML)
    yield reader
    reader.close()
