"""How many pods a namespace has that are not on their way out, by one watch, so that looking costs no further call."""

from __future__ import annotations

import subprocess
import threading
import time

_FORMAT = '--output=jsonpath={.metadata.name} {.metadata.deletionTimestamp}{"\\n"}'


class Pods:
    """The pods of a namespace, from now on."""

    def __init__(self, namespace: str) -> None:
        self._alive: set[str] = set()
        #: When their number was seen to change.
        self.changed = time.time()
        command = ["kubectl", "--namespace", namespace, "get", "pods", "--watch", _FORMAT]
        self._watch = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        assert self._watch.stdout
        for line in self._watch.stdout:
            name, _, deleted = line.strip().partition(" ")
            if (name in self._alive) == bool(deleted):
                (self._alive.discard if deleted else self._alive.add)(name)
                self.changed = time.time()

    def __len__(self) -> int:
        return len(self._alive)
