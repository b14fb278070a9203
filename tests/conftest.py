"""How the tests run: in a process for every core, each with one thread, that they do not fight.

How Hypothesis searches: the same few examples every time; many new ones with HYPOTHESIS_PROFILE=thorough;
with `mutation` a failure is enough, and is not made smaller.
"""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything imports NumPy
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers

# Hypothesis also tries numbers that stand in the code of the modules loaded so far. Which these are depends
# on the tests that ran before in the same process, and the examples would not be the same every time.
providers.is_local_module_file = lambda file: False

# no deadline and no complaint about slow drawing: the machine may be busy with something else
PATIENT = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", derandomize=True, max_examples=50, **PATIENT)
settings.register_profile("thorough", max_examples=2000, **PATIENT)
settings.register_profile(
    "mutation", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
