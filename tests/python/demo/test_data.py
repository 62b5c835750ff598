"""Reading a user's CSV: what serves, and one clear line for what does not."""

from __future__ import annotations

import numpy as np
import pytest

from tapegrad.demo.data import load, read_csv
from tapegrad.demo.terminal import UserFault

GOOD = "age,weight,ill\n1,10,0\n2,30,1\n3,20,0\n4,60,1\n"


def write(folder, text):
    path = folder / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_columns_are_standardised_and_named(tmp_path):
    data = read_csv(write(tmp_path, GOOD))
    assert data.names == ("age", "weight") and data.title == "mine.csv"
    assert np.allclose(data.features.mean(axis=0), 0) and np.allclose(data.features.std(axis=0), 1)
    assert data.labels.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize(
    "text",
    [
        GOOD.split("\n", 1)[1],
        "\ufeff" + GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD + "\n\n",
        GOOD.rstrip("\n"),
        GOOD.replace(",", " , "),
        GOOD.replace(",0\n", ",0.0\n").replace(",1\n", ",1e0\n"),
        GOOD.replace("weight", '"weight, kg"'),
    ],
    ids=["no header", "mark", "crlf", "blank", "no end", "spaces", "floats", "quoted"],
)
def test_what_is_read_alike(tmp_path, text):
    data = read_csv(write(tmp_path, text))
    assert np.array_equal(data.labels, [0, 1, 0, 1])
    assert np.allclose(data.features[:, 0], np.array([-3, -1, 1, 3]) / np.sqrt(5))


def test_a_constant_column_becomes_zeros(tmp_path):
    data = read_csv(write(tmp_path, "0.1,5,0\n0.1,6,1\n0.1,9,1\n"))
    assert np.array_equal(data.features[:, 0], np.zeros(3))


def test_large_numbers_do_not_overflow(tmp_path):
    data = read_csv(write(tmp_path, "1e308,0\n-1e308,1\n"))
    assert data.features.ravel().tolist() == [1.0, -1.0]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no data"),
        ("\n  \n , \n", "no data"),
        ("a,b,y\n", "header line and no data"),
        ("a,y\n1,0\nx,1\n", r"line 3, column 1 \(a\) is 'x', not a number"),
        ("x,1,0\n2,3,1\n", "line 1, column 1 is 'x', not a number"),
        ("a,y\n1,0\nnan,1\n", r"line 3, column 1 \(a\) is nan, not a finite number"),
        ("1,inf,0\n1,2,1\n", "line 1, column 2 is inf"),
        ("1,2,0\n1,,1\n", "line 2, column 2 is empty"),
        ("1,2,0\n1,2,\n", r"line 2, column 3 \(the label\) is empty"),
        ("1,2,0\n1,1\n", "line 2: 2 columns where 3 were expected"),
        ("a,y\n1,0\n2,2\n", "line 3: the label, last column, is 2, not 0 or 1"),
        ("a,y\n1,no\n2,yes\n", "'no', not a number"),
        ("1,nan\n2,1\n", "the label.* is nan"),
        ("1,0\n2,0\n", "every label is 0"),
        ("1,1\n", "every label is 1"),
        ("0\n1\n", "a feature column before the label"),
        ("1;2;0\n3;4;1\n", "separated by commas"),
        (b"\xff\xfe1,0\n", "UTF-8"),
    ],
)
def test_what_cannot_serve_is_said_in_one_line(tmp_path, text, says):
    with pytest.raises(UserFault, match=says) as caught:
        read_csv(write(tmp_path, text))
    assert "\n" not in str(caught.value) and "mine.csv" in str(caught.value)


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(UserFault, match="No such file"):
        read_csv(tmp_path / "absent.csv")
    with pytest.raises(UserFault):
        read_csv(tmp_path)


def test_the_bundled_data():
    pytest.importorskip("sklearn")
    data = load(None)
    assert data.features.shape == (569, 30) and set(data.labels) == {0.0, 1.0}
