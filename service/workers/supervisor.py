"""The process that keeps the workers, takes connections, and hands each to the worker that has the fewest.

It imports next to nothing and sees no request, so that it takes little memory and next to no time.
"""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections import deque
from typing import Final

from service import logs
from service.counters import shared_memory
from service.listener import refuse_handshakes
from service.signals import EndSignals, end_now
from service.workers import messages
from service.workers.channel import Channel
from service.workers.messages import Message
from service.workers.plan import Plan
from service.workers.restarts import LONGEST_DELAY_SECONDS, SHORT_SECONDS, delay_seconds, failures
from service.workers.standing import Standing, surplus

log = logging.getLogger(__name__)

_MOST_FAILURES: Final = 5  # in a row, where none has ever served
_BALANCE_SECONDS: Final = 1.0
_HANDSHAKE_SECONDS: Final = 0.01  # in which a handshake ends that has begun


class Worker:
    """A worker process, as the supervisor sees it.

    Args:
        number: Which one, from 1; one that takes its place has the same.
        process: The process.
        channel: The way to it.
    """

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.number = number
        self.process = process
        self.channel = channel
        self.standing = Standing()
        self.loaded: messages.Loaded | None = None
        self.begun = False
        self.refusal: str | None = None
        self._changes: deque[asyncio.Future[str | None]] = deque()

    def __str__(self) -> str:
        return f"worker {self.number} (process {self.process.pid})"

    def change(self, change: messages.Change) -> asyncio.Future[str | None]:
        """Have it load or unload a model; the result is why it failed, or None, also where the worker ends."""
        future = asyncio.get_running_loop().create_future()
        self._changes.append(future)
        self.channel.send(change)
        return future

    def changed(self, done: messages.Done) -> None:
        """It has done the first of the changes that it was told to do."""
        self.standing.ready = done.ready
        self._changes.popleft().set_result(done.error)

    def close(self) -> None:
        """Forget a process that has ended; the one in its place loads its models afresh, so that changes are done."""
        self.standing.up = False
        self.channel.close()
        for future in self._changes:
            future.set_result(None)


class Supervisor:
    """Keeps the workers of a plan running until it is told to end.

    Args:
        plan: What to keep running.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._listeners = [socket.socket(fileno=file) for file in plan.listeners]
        self._memories = [shared_memory() for _ in plan.shares]
        self._workers: dict[int, Worker] = {}
        self._unloaded: set[str] = set()
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()
        self._signals = EndSignals()
        self._accepting = False
        self._served = False
        self._told_ready = False
        self._status = 0

    async def run(self) -> int:
        """Serve.  Returns the status of the process: 0 where every worker ended in order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)
        for listener in self._listeners:
            listener.settimeout(0)
        self._balance()
        log.info("Striate running on %s (press Ctrl-C to quit)", self._plan.url)
        await asyncio.gather(*(self._keep(number) for number in range(1, len(self._plan.shares) + 1)))
        log.info("all workers have ended")
        return self._status

    # The life of workers.

    async def _keep(self, number: int) -> None:
        """Run a worker; when it has ended, run another one in its place."""
        failed = 0
        while not self._ending.is_set():
            start = asyncio.get_running_loop().time()
            try:
                worker = await self._start(number)
            except OSError as error:
                log.error("worker %d cannot be started: %s", number, error)  # noqa: TRY400  (it is no fault of ours)
                await self._sleep(LONGEST_DELAY_SECONDS)
                continue
            status = await worker.process.wait()
            worker.close()
            if self._ending.is_set():
                self._on_end(worker, status)
                return
            lived = asyncio.get_running_loop().time() - start
            failed = failures(failed, status=status, lived_seconds=lived)
            if not self._served and (worker.refusal or failed == _MOST_FAILURES):
                self._give_up(worker.refusal or f"{worker} {_how(status)}, as did {failed - 1} others before it")
                return
            await self._wait(worker, status, failed)

    async def _start(self, number: int) -> Worker:
        channel, other = Channel.pair()
        with other, contextlib.ExitStack() as failed:
            failed.callback(channel.close)
            command = [*self._plan.command, str(other.fileno())]
            # A group of its own: Ctrl-C is for the supervisor, which tells the workers when nothing more will come.
            process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, pass_fds=[other.fileno()], process_group=0
            )
            failed.pop_all()
        worker = self._workers[number] = Worker(number, process, channel)
        channel.hand(messages.Assignment(number, self._plan.shares[number - 1]), self._memories)
        channel.listen(lambda message, _: self._on_message(worker, message), lambda: None)  # its process tells its end
        for model in sorted(self._unloaded):
            worker.change(messages.Change("unload", model))
        if self._ending.is_set():
            process.kill()
        return worker

    async def _wait(self, worker: Worker, status: int, failed: int) -> None:
        """Tell that a worker has ended, and wait before the next one starts where it fails again and again."""
        seconds = delay_seconds(failed)
        if not seconds:
            log.warning("%s %s: its connections are closed, another one takes its place", worker, _how(status))
            return
        log.error(
            "%s %s, the %d. in a row that does so within %g s of its start: the next one starts in %g s",
            worker,
            _how(status),
            failed,
            SHORT_SECONDS,
            seconds,
        )
        await self._sleep(seconds)

    async def _sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the service."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ending.wait(), seconds)

    def _give_up(self, reason: str) -> None:
        log.critical("cannot serve: %s", reason)
        self._status = 1
        self._end()

    # The end.

    def _on_signal(self, number: signal.Signals) -> None:
        if self._signals.is_second():
            for worker in self._workers.values():
                _kill(worker)
            end_now(number)
        if not self._ending.is_set():
            log.info("%s: what was accepted is answered; a second signal ends the service at once", number.name)
            self._end()

    def _end(self) -> None:
        self._ending.set()
        for listener in self._listeners:
            refuse_handshakes(listener)
        asyncio.get_running_loop().call_later(_HANDSHAKE_SECONDS, self._drain)

    def _drain(self) -> None:
        for listener in self._listeners:
            if self._accepting:
                self._accept(listener)  # whoever waits to be accepted has perhaps sent a request
            asyncio.get_running_loop().remove_reader(listener)
            listener.close()
        for worker in self._workers.values():
            if worker.begun:
                worker.channel.send(messages.Drain())
            else:
                _kill(worker)
        asyncio.get_running_loop().call_later(self._plan.patience_seconds, self._kill_the_late)

    def _kill_the_late(self) -> None:
        for worker in self._workers.values():
            if worker.process.returncode is None:
                log.error("%s has not ended in time, and is killed", worker)
                _kill(worker)

    def _on_end(self, worker: Worker, status: int) -> None:
        if status and worker.begun:
            log.error("%s %s while the service ended", worker, _how(status))
            self._status = 1

    # Connections.

    def _accept(self, listener: socket.socket) -> None:
        """Take and hand over what waits; stop listening while no worker can have it, or none can be accepted."""
        while self._best() is not None:
            try:
                connection, _ = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # none can be made: whoever waits goes on waiting, and it would fail at once again
                log.warning("a connection was not accepted: %s", error)
                break
            with connection:
                self._hand(connection)
        self._listen(wanted=False)

    def _hand(self, connection: socket.socket) -> None:
        while (worker := self._best()) is not None:
            if worker.channel.hand(messages.Connection(), [connection.fileno()]):
                worker.standing.hand(asyncio.get_running_loop().time())
                return
            worker.standing.blocked = True
        log.warning("a connection was closed: no worker can take it")

    def _best(self) -> Worker | None:
        now = asyncio.get_running_loop().time()
        able = (worker for worker in self._workers.values() if worker.standing.able)
        return min(able, key=lambda worker: worker.standing.rank(now), default=None)

    def _listen(self, *, wanted: bool) -> None:
        if wanted != self._accepting and not self._ending.is_set():
            self._accepting = wanted
            loop = asyncio.get_running_loop()
            for listener in self._listeners:
                if wanted:
                    loop.add_reader(listener, self._accept, listener)
                else:
                    loop.remove_reader(listener)

    def _balance(self) -> None:
        """Have workers with too many connections close some that are busy, so that their callers come again.

        Who waits since accepting failed is tried again.
        """
        workers = list(self._workers.values())
        now = asyncio.get_running_loop().time()
        for worker, count in zip(workers, surplus([worker.standing for worker in workers], now), strict=True):
            if count:
                worker.channel.send(messages.Shed(count))
        self._listen(wanted=self._best() is not None)
        asyncio.get_running_loop().call_later(_BALANCE_SECONDS, self._balance)

    # What workers tell.

    def _on_message(self, worker: Worker, message: Message) -> None:
        worker.standing.blocked = False
        match message:
            case messages.Counts():
                worker.standing.count(message, asyncio.get_running_loop().time())
            case messages.Up():
                worker.begun = worker.standing.up = self._served = True
            case messages.Loaded():
                self._on_loaded(worker, message)
            case messages.Draining():
                worker.standing.up = False
            case messages.Refused(reason):
                worker.refusal = reason
            case messages.Ask():
                task = asyncio.create_task(self._change(worker, message))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            case messages.Done():
                worker.changed(message)
        self._listen(wanted=self._best() is not None)

    def _on_loaded(self, worker: Worker, loaded: messages.Loaded) -> None:
        if worker.loaded is None:
            log.info("%s is ready", worker)
        worker.loaded = loaded
        worker.standing.ready = loaded.ready
        all_loaded = [found.loaded for found in self._workers.values() if found.loaded]
        if not self._told_ready and len(all_loaded) == len(self._plan.shares):
            self._told_ready = True
            ready = min(found.ready for found in all_loaded)
            if loaded.device_reason:
                log.info("device auto: running on the %s, since %s", loaded.device, loaded.device_reason)
            log.info(
                "%d of %d models ready on %s, %d threads in %d workers",
                ready,
                loaded.models,
                loaded.device,
                self._plan.threads,
                len(all_loaded),
            )

    async def _change(self, asker: Worker, ask: messages.Ask) -> None:
        """Have every worker load or unload a model, and tell who asked when all have; one change after the other."""
        async with self._changing:
            # A worker that starts from now on loads what the repository has, but for what was unloaded.
            before = set(self._unloaded)
            (self._unloaded.add if ask.verb == "unload" else self._unloaded.discard)(ask.model)
            workers = [worker for worker in self._workers.values() if worker.process.returncode is None]
            change = messages.Change(ask.verb, ask.model)
            errors = await asyncio.gather(*(worker.change(change) for worker in workers))
            if None not in errors:
                self._unloaded = before
            failures = {worker.number: error for worker, error in zip(workers, errors, strict=True) if error}
            reason = next(iter(failures.values()), None)
            asker.channel.send(messages.Changed(ask.token, list(failures), reason))


def _kill(worker: Worker) -> None:
    if worker.process.returncode is None:
        worker.process.kill()


def _how(status: int) -> str:
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def main() -> None:
    """Run the supervisor of the plan in the open file that the first argument tells."""
    plan = Plan.load(int(sys.argv[1]))
    logs.configure(plan.log_level, plan.log_format)
    sys.exit(asyncio.run(Supervisor(plan).run()))


if __name__ == "__main__":
    main()
