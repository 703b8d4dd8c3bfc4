"""Tests of Jouline; a package of its own because a dependency installs another one called `tests`."""
