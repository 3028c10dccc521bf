"""The picture of questions in the plane."""

import polars as pl

from assets import pictures


def test_a_map_is_drawn_the_same_twice_with_labels_and_names():
    places = pl.DataFrame(
        {
            "label": [" Yes", " No", " Yes", "<script>"],
            "x": [0.0, 1.0, 0.25, 3.0],
            "y": [0.5, 0.25, 0.75, 2.0],
            "cluster": [0, 0, 0, 1],
            "name": ["tea, rain"] * 3 + ["<b>"],
        }
    )
    drawn, again = (pictures.svg(pictures.question_map(places)) for _ in range(2))
    assert drawn == again
    assert drawn.count("tea, rain") >= 1
    assert "<script>" not in drawn
    assert "<b>" not in drawn
    names = pictures.question_map(places).to_dict()
    (middles,) = [rows for rows in names["datasets"].values() if "name" in rows[0]]
    assert middles == [
        {"cluster": 0, "name": "tea, rain", "x": 0.25, "y": 0.5},
        {"cluster": 1, "name": "<b>", "x": 3.0, "y": 2.0},
    ]
