"""The sides import libraries that need not be there: they are loaded by their own processes alone."""

collect_ignore_glob = ["sides/*.py"]
