"""Ingredients: what methods are made of. Terms, memories, isolations and decisions are such."""

SCENARIOS = ("task", "domain", "class")


class Ingredient:
    """A part of a method, which says what it serves and goes along where θ goes.

    What it remembers is *replaced*, never changed in place: that is how a learner that fails in the
    middle of a task can go back to what it was.
    """

    #: the scenarios that it serves, and why no others
    scenarios = SCENARIOS
    reason = ""
    #: whether it works only where targets are classes
    of_classes = False

    def follow(self, move):
        """Bring what is remembered in θ's layout to where θ now is: a `Move`."""
        move.carry(self)
