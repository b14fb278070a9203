"""Python code in a process of its own: what is imported, printed and set there is nobody else's."""

import os
import subprocess
import sys


def run_python(code, **environment):
    """Return what the code prints; it must not fail."""
    environment = {**os.environ, **environment}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert not done.returncode, done.stderr
    return done.stdout
