"""A killed update leaves the old model or the new one; `python -m tests.kill_update 200` kills 200 times."""

import numpy as np

from .kill_update import kill_often


def test_a_killed_update_leaves_the_old_model_or_the_new_one(tmp_path):
    found = kill_often(tmp_path, 8, np.random.default_rng(1))
    assert found["other"] == 0
    assert sum(found.values()) == 8
