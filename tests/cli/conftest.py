import pytest


@pytest.fixture(scope="session")
def model_folder(build_model, tmp_path_factory):
    """A tiny model, saved."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    build_model("bert").save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def joint_folder(joint_model, tmp_path_factory):
    """A tiny model that finds entities, saved."""
    folder = tmp_path_factory.mktemp("models") / "joint"
    joint_model.save_pretrained(folder)
    return folder
