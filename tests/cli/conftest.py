import pytest


@pytest.fixture(scope="session")
def model_folder(build_model, tmp_path_factory):
    """A tiny model, saved."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build_model("bert").save_pretrained(folder)
    return folder
