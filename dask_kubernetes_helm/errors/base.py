"""What all errors of this package have in common: where, what, and what to do next."""

from __future__ import annotations


class HelmClusterError(Exception):
    """Base of everything that this package raises on purpose.

    Parameters
    ----------
    message : str
        What failed, as one sentence without its full stop.
    cure : str, optional
        What to do next.
    release, namespace : str, optional
        Which release it concerns; said in the text as well.
    object : str
        Which Kubernetes object, as kubectl has it (``"pod/demo-worker-0"``); empty where it is about none.
    reason : str
        Kubernetes' own word for it (``"ImagePullBackOff"``); empty where there is none.

    Examples
    --------
    >>> str(HelmClusterError("no scheduler", cure="Look at its pod.", release="demo", namespace="lab"))
    'no scheduler (release demo, namespace lab). Look at its pod.'
    """

    def __init__(
        self,
        message: str,
        *,
        cure: str = "",
        release: str | None = None,
        namespace: str | None = None,
        object: str = "",  # noqa: A002 - Kubernetes' word
        reason: str = "",
    ) -> None:
        self.message, self.cure, self.release, self.namespace = message, cure, release, namespace
        self.object, self.reason = object, reason
        super().__init__(message)

    def __str__(self) -> str:
        named = {"release": self.release, "namespace": self.namespace}
        where = ", ".join(f"{word} {name}" for word, name in named.items() if name)
        text = f"{self.message} ({where})" if where else self.message
        stop = "" if text.endswith("?") else "."
        return f"{text}{stop} {self.cure}" if self.cure else text

    def concerning(self, release: str | None, namespace: str | None) -> HelmClusterError:
        """This error, told which release it concerns, where it does not know yet."""
        self.release = self.release or release
        self.namespace = self.namespace or namespace
        return self
