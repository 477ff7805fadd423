"""Tables in files whose names hold what Polars takes for a pattern."""

import polars as pl
import pytest

from fastbp.data.tables.table import read_table


@pytest.mark.parametrize("name", ["a[1].x", "[ab].x", "*.x", "?.x", "a{0}%20$.x"])
@pytest.mark.parametrize("kind", ["csv", "parquet", "ipc", "ipc_stream"])
def test_a_name_stands_for_one_file(name, kind, tmp_path):
    for other in ("a.x", "a1.x", "ab.x", "b.x"):
        getattr(pl.DataFrame({"v": [0.5], "w": ["other"]}), f"write_{kind}")(tmp_path / other)
    getattr(pl.DataFrame({"v": [1.5], "w": ["mine"]}), f"write_{kind}")(tmp_path / name)
    assert read_table(tmp_path / name).frame.collect().rows() == [(1.5, "mine")]
