"""The processes of calls, and the frames that are exchanged with the service."""

import json
import os
import select
import signal
import tempfile
import threading
import time


class Watch:
    """Collects what the process of a call writes, until it ends."""

    def __init__(self, child, result, log, limits, is_program, wake):
        self.child = child
        self.pipes = {result: "result", log: "log"}
        self.result = bytearray()
        self.log = bytearray()
        self.dropped = 0
        self.limit = limits["result_bytes"] + (0 if is_program else 2000)
        self.log_limit = limits["log_bytes"]
        self.wake = wake
        self.is_too_long = False

    def wait(self):
        status = None
        while status is None:
            ready, _, _ = select.select([*self.pipes, self.wake], [], [])
            self._read(ready)
            if self.is_too_long:
                kill_group(self.child)
            pid, code = os.waitpid(self.child, os.WNOHANG)
            status = code if pid else None
        while self.pipes:  # what was written before the end; a process that the script left behind may keep the pipe open
            ready, _, _ = select.select([*self.pipes], [], [], 0)
            if not ready:
                break
            self._read(ready)
        for pipe in self.pipes:
            os.close(pipe)
        return status

    def _read(self, ready):
        for pipe in ready:
            data = os.read(pipe, 65536)
            if pipe == self.wake:
                continue
            if not data:
                os.close(pipe)
                del self.pipes[pipe]
            elif self.pipes[pipe] == "result":
                self.result += data[: self.limit + 1 - len(self.result)]
                self.is_too_long = len(self.result) > self.limit
            else:
                room = max(0, self.log_limit - len(self.log))
                self.log += data[:room]
                self.dropped += max(0, len(data) - room)


def watch_children():
    """Returns a pipe that becomes readable when a child ends. Orphans of a call become children of this process."""
    out, into = os.pipe()
    os.set_blocking(into, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(into, warn_on_full_buffer=False)
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    except (ImportError, OSError, AttributeError):
        pass
    return out


def kill_group(leader):
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def end_group(leader):
    """Ends the processes that a call left behind. Returns false if some of them escaped."""
    kill_group(leader)
    for _ in range(50):
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return threading.active_count() == 1
        if pid == 0:
            time.sleep(0.002)
    return False


def left_over_files():
    """Lists the files that this and other calls can see."""
    found = []
    for folder in (tempfile.gettempdir(), os.curdir):
        try:
            found.append(sorted(os.listdir(folder)))
        except OSError:
            found.append([])
    return found


def read_frame(source):
    line = source.readline()
    return json.loads(source.read(int(line))) if line.strip() else None


def tell(sink, value):
    text = json.dumps(value).encode()
    data = b"%d\n%s" % (len(text), text)
    while data:
        data = data[os.write(sink, data) :]
