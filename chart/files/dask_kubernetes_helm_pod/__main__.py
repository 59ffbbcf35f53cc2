"""What `python -m dask_kubernetes_helm_pod ADDRESS` runs in a pod of its own: the reaper (reaper.py).

Belongs here: its start, which takes nothing away from workers that start at the same time. Never here: anything else.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time

#: Seconds until Dask is imported, which takes a core for one.
_AFTER = 10.0


def main() -> None:
    """Wait a moment, then watch."""
    began = time.monotonic()
    time.sleep(_AFTER)
    from dask_kubernetes_helm_pod import reaper  # noqa: PLC0415 - see above

    logging.basicConfig(level=logging.INFO, format="%(asctime)s - %(message)s")
    asyncio.run(reaper.main(sys.argv[1], began))


if __name__ == "__main__":
    main()
