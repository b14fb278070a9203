"""Python code in a process of its own: what is imported, printed and set there is nobody else's."""

import os
import subprocess
import sys


def run_python(code, **environment):
    """Return what the code prints; it must not fail. A variable that is None is taken away."""
    environment = {name: value for name, value in {**os.environ, **environment}.items() if value is not None}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert not done.returncode, done.stderr
    return done.stdout
