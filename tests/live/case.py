# SPDX-License-Identifier: BSD-3-Clause
"""The register of live tests. A test is a function; the decorator says in which surroundings it
runs and what it shows.

    @pair(...)  two peers of their own behind a verge that is shared by all pairs, side by side
    @lab(...)   namespaces and a verge of its own; `load` tests load the machine one at a time

What a test returns is a note that is printed with its result."""

import threading

PAIRS, LABS = {}, {}
_turn, _mine = threading.Lock(), threading.local()


class Case:
    def __init__(self, function, **about):
        self.function, self.about = function, about
        self.name = function.__name__.replace("_", "-")
        self.shows = (function.__doc__ or "").split("\n")[0]

    def get(self, key, default=None):
        return self.about.get(key, default)


def pair(access=None, core=None, slow=False, profile=None):
    """access, core: session_timer keys of the two trunks; slow: takes minutes, not in --quick."""
    def register(function):
        made = Case(function, access=access, core=core, slow=slow, profile=profile)
        PAIRS[made.name] = made
        return function
    return register


def lab(load=False, slow=False, quick=False):
    """load: loads the machine; slow: takes minutes, not in --quick; quick: in --quick only."""
    def register(function):
        made = Case(function, load=load, slow=slow, quick=quick)
        LABS[made.name] = made
        return function
    return register


def take_turn():
    """Wait until no other test loads the machine."""
    _turn.acquire()
    _mine.turn = True


def end_turn():
    """This test's load is over, what is left waits for timers: the next one may begin."""
    if getattr(_mine, "turn", False):
        _mine.turn = False
        _turn.release()


def expect(condition, text):
    """An assertion with the words for its failure."""
    if not condition:
        raise AssertionError(text() if callable(text) else text)


def near(what, value, low, high):
    expect(low <= value <= high, f"{what}: {value}, not in {low}..{high}")
