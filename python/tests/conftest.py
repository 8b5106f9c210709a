import pytest

import redline


@pytest.fixture(scope="session")
def aligner():
    return redline.Aligner.from_pretrained("embedded")


@pytest.fixture(scope="session")
def rows():
    return redline.Rows.embedded().distinct()


@pytest.fixture(scope="session")
def vector(aligner, rows):
    return aligner.extract(rows[:48], method="mean_diff", progress=False)
