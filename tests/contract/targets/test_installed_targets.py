"""An installed target is made once."""

import threading

from jupyter_deploy.targets.registry import InstalledTargets


def test_a_thread_that_needs_a_target_which_another_one_makes_gets_the_same():
    made, found = [], []
    others: list[threading.Thread] = []

    def make(target_class):
        made.append(target_class)
        if len(made) == 1:
            others.append(threading.Thread(target=lambda: found.append(targets["local"])))
            others[0].start()
            others[0].join(0.2)  # it has to wait: without that it ends at once, with a target of its own
        return object()

    targets = InstalledTargets(make)
    first = targets["local"]
    others[0].join()
    assert found == [first]
    assert len(made) == 1
