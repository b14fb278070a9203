"""Reviews of films, products and restaurants, one domain after another: python -m tests.sentiment FOLDER

Sentiment Labelled Sentences (Kotzias et al., KDD 2015; UCI repository), 1000 sentences a domain, a fifth of
each held out. Text becomes a sparse matrix of 2¹⁸ columns in HashingVectorizer, and stays one.
"""

import sys
import time
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier

from incrlearn import IncrementalClassifier

DOMAINS = {"films": "imdb.txt", "products": "amazon.txt", "restaurants": "yelp.txt"}


def read(folder):
    """Return {domain: ((X, y) to learn from, (X, y) to test)}."""
    vectorize, domains = HashingVectorizer(n_features=2**18).transform, {}
    for name, file in DOMAINS.items():
        lines = [line for line in (Path(folder) / file).read_text().split("\n") if "\t" in line]
        sentences, labels = zip(*(line.rsplit("\t", 1) for line in lines), strict=True)
        X, y = vectorize([sentence.strip() for sentence in sentences]), np.array(labels, int)
        order = np.random.default_rng(0).permutation(len(y))
        learn, test = order[len(y) // 5 :], order[: len(y) // 5]
        domains[name] = (X[learn], y[learn]), (X[test], y[test])
    return domains


def in_turn(model, domains, passes=1, **first_call):
    """Let the model learn one domain after another; return its accuracy on each at the end."""
    for learn, _ in domains.values():
        for _ in range(passes):
            model.partial_fit(*learn, **first_call)
    return [model.score(*test) for _, test in domains.values()]


def main():
    """Print a line for every model."""
    domains = read(sys.argv[1])
    print(f"{'accuracy after all three':<34}" + "".join(f"{name:>13}" for name in domains) + "      seconds")
    for name, model, options in (
        ("IncrementalClassifier()", IncrementalClassifier(random_state=0), {}),
        ("hidden_layer_sizes=()", IncrementalClassifier(hidden_layer_sizes=(), random_state=0), {}),
        ('method="none"', IncrementalClassifier(method="none", random_state=0), {}),
        ("SGDClassifier, 50 passes each", SGDClassifier(random_state=0), {"passes": 50, "classes": [0, 1]}),
    ):
        start = time.perf_counter()
        scores = in_turn(model, domains, **options)
        print(f"{name:<34}" + "".join(f"{s:13.3f}" for s in scores) + f"{time.perf_counter() - start:13.1f}")


if __name__ == "__main__":
    main()
