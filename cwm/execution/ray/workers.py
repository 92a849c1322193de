"""Workers that are actors of a Ray cluster, one for each processor of its nodes."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any, Generic

from cwm.core.errors import ClusterError
from cwm.execution.crew import OnNote, PieceT, ResultT, SettingsT, Work, ignore
from cwm.execution.ray.actors import Station
from cwm.execution.ray.cluster import Cluster
from cwm.execution.slots import SlotCrew, TimeUp, WorkerDied

PATIENCE_S = 30.0
"""How long a crew without any worker waits for a node."""

LOOK_S = 1.0
"""How often who has no place looks for new nodes."""

NOTICE_S = 1.5
"""How long it may take until a cluster knows that a node is gone."""

CLOSE_S = 10.0
"""How long an actor may take to close what it opened."""


def ray_crew(
    cluster: Cluster,
    work: Work[SettingsT, PieceT, ResultT],
    *,
    max_workers: int | None = None,
    on_event: Callable[[str], None] = ignore,
) -> SlotCrew[PieceT, ResultT]:
    """Returns a crew on the nodes of a cluster that may be used; close it.

    The settings of the work go into the object store once, and from there to each node
    once.

    Args:
        cluster: The cluster.
        work: What they do.
        max_workers: How many at most; `None` for as many as there are processors.
        on_event: Is told of what is lost.

    Raises:
        ClusterError: If no node may be used.
    """
    num_slots = sum(cluster.usable().values())
    if max_workers is not None:
        num_slots = min(num_slots, max_workers)
    places = Places(cluster, work)
    return SlotCrew(
        places.open,
        num_slots=num_slots,
        is_fresh=work.is_fresh,
        max_deaths=work.max_deaths,
        on_event=on_event,
    )


class Places(Generic[PieceT, ResultT]):
    """Who is where; any number of threads may ask for a place.

    Args:
        cluster: The cluster.
        work: What workers do.
    """

    def __init__(self, cluster: Cluster, work: Work[Any, PieceT, ResultT]) -> None:
        self._cluster = cluster
        self._work = cluster.ray.put(work)
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    def open(self, is_wanted: Callable[[], bool]) -> "RayWorker[PieceT, ResultT]":
        """Returns a worker where there is room, as soon as there is.

        Args:
            is_wanted: Whether it still is.

        Raises:
            ClusterError: If nobody has a place and none is found for `PATIENCE_S`, or
                it is not wanted any more.
            CwmError: What the work raised when it was opened.
        """
        end = monotonic() + PATIENCE_S
        while is_wanted():
            node = self._take()
            if node is None:
                if not self._taken and monotonic() >= end:
                    raise ClusterError(
                        "No node of the Ray cluster is left that may be used. Add "
                        "nodes, and then start the command again."
                    )
                with self._changed:
                    self._changed.wait(LOOK_S)
                continue
            try:
                return RayWorker(self._cluster, self._work, node, self._give_back)
            except WorkerDied:
                self._give_back(node)
                if monotonic() >= end:
                    raise ClusterError(
                        f"Workers on node {node[:8]} of the Ray cluster end before "
                        "they have begun. Its memory may be too small."
                    ) from None
            except BaseException:
                self._give_back(node)
                raise
        raise ClusterError("The crew was closed.")

    def _take(self) -> str | None:
        """Returns the node with the most room; `None` if there is no room."""
        usable = self._cluster.usable()
        with self._changed:
            room = {node: number - self._taken[node] for node, number in usable.items()}
            node = max(room, key=room.__getitem__, default=None)
            if node is None or room[node] < 1:
                return None
            self._taken[node] += 1
            return node

    def _give_back(self, node: str) -> None:
        with self._changed:
            self._taken[node] -= 1
            self._taken += Counter()  # Drops those of whom there is none.
            self._changed.notify_all()


class RayWorker(Generic[PieceT, ResultT]):
    """An actor with one kind of work.

    Raises:
        CwmError: What the work raised when it was opened.
        WorkerDied: If the actor is gone before it is open.
        ClusterError: If the head of the cluster is gone.
    """

    def __init__(
        self, cluster: Cluster, work: Any, node: str, on_end: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._node = node
        self._on_end = on_end
        self._lock = threading.Lock()
        self._is_open = True
        self._is_busy = False
        make = cluster.ray.remote(Station)
        self._actor = make.options(**cluster.options(node, num_cpus=1)).remote()
        try:
            failure = cluster.ray.get(self._actor.open.remote(work))
        except cluster.ray.exceptions.RayError as error:
            raise self._death(error) from error
        if failure is not None:
            cluster.ray.kill(self._actor)
            raise failure.error()

    def do(self, piece: PieceT, on_note: OnNote, max_seconds: float | None) -> ResultT:
        """Returns the result of a piece; see `Worker`."""
        ray = self._cluster.ray
        end = None if max_seconds is None else monotonic() + max_seconds
        self._is_busy = True
        try:
            said = self._actor.do.options(num_returns="streaming").remote(piece)
            while True:
                left = None if end is None else max(0.0, end - monotonic())
                ready, _ = ray.wait([said], timeout=left)
                if not ready:
                    raise TimeUp
                kind, content = ray.get(next(said))
                if kind == "note":
                    on_note(content)
                    continue
                self._is_busy = False
                if kind == "failed":
                    raise content.error()
                result: ResultT = content
                return result
        except (ray.exceptions.RayError, StopIteration) as error:
            raise self._death(error) from error

    def close(self) -> None:
        """Ends the actor; what it had opened is closed first, if it is idle."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
        if not self._cluster.is_lost:
            ray = self._cluster.ray
            if not self._is_busy:
                with suppress(ray.exceptions.RayError):
                    ray.get(self._actor.close.remote(), timeout=CLOSE_S)
            with suppress(ray.exceptions.RayError):
                ray.kill(self._actor)
        self._on_end(self._node)

    def _death(self, error: BaseException) -> Exception:
        """Returns what an error of Ray's says of this worker and its node."""
        text = " ".join(str(error).split())[:300]
        end = monotonic() + NOTICE_S
        try:
            while self._node in self._cluster.alive():
                if monotonic() >= end:
                    return WorkerDied(f"on node {self._node[:8]}: {text}")
                threading.Event().wait(0.2)
        except ClusterError as gone:
            return gone
        return WorkerDied(f"node {self._node[:8]} is gone", is_machine=True)
