import subprocess
import sys
from pathlib import Path

import pytest
from interpreters import package_environment

ROOT = Path(__file__).parents[2]
PARAGRAPHS = """\
The city of Oslo lies in Norway. The painter Edvard Munch lived in Oslo, where he painted The Scream for many years.
In 1903 the physicist Marie Curie received a prize in Stockholm. Her husband Pierre Curie worked with her in Paris.

The river Danube rises in Germany and flows through the city of Vienna. The composer Franz Schubert was born in Vienna.
The writer Selma Lagerlöf grew up in Sweden. Her novel about Nils Holgersson was published in Stockholm in 1906.
"""


@pytest.fixture
def run():
    """Runs a script of the examples as a user runs it."""

    def run(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        environment = package_environment()
        command = [sys.executable, str(ROOT / "examples" / script), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)

    return run


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    file = tmp_path_factory.mktemp("corpus") / "text.txt"
    file.write_text("\n".join([PARAGRAPHS] * 40), encoding="utf-8")
    return file
