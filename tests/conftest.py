"""How Hypothesis searches: the same few examples every time, or many new ones.

HYPOTHESIS_PROFILE=thorough asks for the many.
"""

import os

from hypothesis import HealthCheck, settings

# no deadline and no complaint about slow drawing: the machine may be busy with something else
PATIENT = {"deadline": None, "database": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("default", derandomize=True, max_examples=50, **PATIENT)
settings.register_profile("thorough", max_examples=2000, **PATIENT)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))
