"""Finding entry points: the quick look says no only where there are none."""

import sys
import zipfile
from importlib import metadata

import pytest

from sky_rs_patch._binding import entry_points

GROUP = "somebody.routes"
TEXT = f"[other]\na = b:c\n\n[{GROUP}]\nthis = that:other\n"


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A directory on the path."""
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return tmp_path


def names():
    return [entry_point.name for entry_point in entry_points.of_group(GROUP)]


def installed(place, folder="a_package-1.0.dist-info", text=TEXT):
    home = place / folder
    home.mkdir(parents=True)
    (home / "METADATA").write_text("Metadata-Version: 2.1\nName: a-package\nVersion: 1.0\n")
    (home / "PKG-INFO").write_text("Metadata-Version: 2.1\nName: a-package\nVersion: 1.0\n")
    (home / "entry_points.txt").write_text(text)


@pytest.mark.usefixtures("place")
def test_nobody_is_asked_where_there_are_none(monkeypatch):
    monkeypatch.setattr(metadata, "entry_points", None)
    assert names() == []


@pytest.mark.parametrize(
    "folder", ["a_package-1.0.dist-info", "a_package-1.0.egg-info", "A_Package-1.0.Dist-Info"]
)
def test_packages_in_a_directory(place, folder):
    installed(place, folder)
    assert names() == ["this"]


def test_a_package_that_is_a_directory_of_the_path(place, monkeypatch):
    installed(place, "a_package-1.0.egg/EGG-INFO")
    monkeypatch.setattr(sys, "path", [str(place / "a_package-1.0.egg")])
    assert names() == ["this"]


def test_a_package_in_an_archive(place, monkeypatch):
    with zipfile.ZipFile(place / "a_package.zip", "w") as archive:
        archive.writestr("a_package-1.0.dist-info/entry_points.txt", TEXT)
        archive.writestr("a_package-1.0.dist-info/METADATA", "Name: a-package\nVersion: 1.0\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(place / "a_package.zip")])
    assert names() == ["this"]


def test_the_current_directory(place, monkeypatch):
    installed(place)
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "path", ["", *sys.path[:-1]])
    assert names() == ["this"]


def test_somebody_elses_way_to_keep_packages(tmp_path, monkeypatch):
    class Keeper(metadata.DistributionFinder):
        def find_distributions(self, context=None):
            return [metadata.PathDistribution(tmp_path / "a_package-1.0.dist-info")]

        def find_spec(self, *_):
            return None

    installed(tmp_path)
    assert names() == []
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Keeper()])
    assert names() == ["this"]


def test_places_that_are_not_there(place, monkeypatch):
    installed(place)
    monkeypatch.setattr(sys, "path", [str(place / "nowhere"), None, *sys.path])
    assert entry_points.may_exist(GROUP)
    (place / "a_package-1.0.dist-info" / "entry_points.txt").unlink()
    assert not entry_points.may_exist(GROUP)
