"""Runs the tools of one script.

The service starts this program in the sandbox and talks to it with frames on standard input and output. A frame is the length of a JSON
text in bytes, a line break, and the text. The first frame holds the script; the answer to it says what the script defines. Each further
frame is a call, which a forked child executes, so that nothing that a call leaves in globals is visible to another one. Scripts never see
the pipes of the service: their standard input is empty or holds the arguments, and what they print is collected.
"""

import ast
import importlib.machinery
import inspect
import io
import json
import linecache
import os
import re
import select
import signal
import sys
import tempfile
import threading
import time
import traceback
import types

import agent_executor_results as results
import agent_executor_tools as tools

LANGCHAIN = ("langchain", "langchain_core", "langgraph", "deepagents")
SATISFIED = {"langchain", "langchain-core", "langgraph", "langgraph-prebuilt", "langgraph-checkpoint", "deepagents"}
STAND_INS = {"pydantic", "typing-extensions"}
DIED = "the process of the script ended without a result"


class Script:
    """A script, and what running it has defined."""

    def __init__(self, source, name):
        self.source = source
        self.name = name
        self.file = f"<{name}>"
        self.tree = None
        self.tool = None
        self.code = None

    def compile(self):
        self.code = compile(self.source, self.file, "exec", dont_inherit=True)
        self.tree = ast.parse(self.source)
        linecache.cache[self.file] = (len(self.source), None, self.source.splitlines(True), self.file)

    @property
    def defines_tools(self):
        """Tells whether the script is written for a framework, rather than for standard input and output."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import) and any(it.name.partition(".")[0] in LANGCHAIN for it in node.names):
                return True
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in LANGCHAIN:
                return True
        return self.has_plain_function and not self.uses_input

    @property
    def has_plain_function(self):
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        is_program = any(isinstance(node, (ast.Expr, ast.If)) and not _is_docstring(node) for node in self.tree.body)
        return not is_program and any(isinstance(node, kinds) and node.name == self.name for node in self.tree.body)

    @property
    def uses_input(self):
        return re.search(r"\bstdin\b|\binput\s*\(|\bfileinput\b|\bopen\s*\(\s*0\b", self.source) is not None

    def load(self, main):
        """Runs the script, and returns its globals."""
        module = types.ModuleType("__main__" if main else "agent_executor_script")
        module.__file__ = self.file
        sys.modules[module.__name__] = module
        exec(self.code, module.__dict__)
        return vars(module)

    def find(self, names):
        """Returns the tool with the definition's name, or the only one."""
        found = []
        for value in list(names.values()):
            for item in value if isinstance(value, (list, tuple)) else [value]:
                if tools.is_tool(item) and not any(item is other for other in found):
                    found.append(item)
        for value in list(names.values()):
            if not isinstance(value, type) or value.__module__ != "agent_executor_script":
                continue
            is_tool = any(base.__name__ == "BaseTool" for base in value.__mro__[1:])
            if is_tool and not any(isinstance(item, value) for item in found):
                found.append(value())
        if not found and inspect.isroutine(names.get(self.name)):
            found.append(tools.tool(names[self.name]))
        same = [item for item in found if item.name == self.name]
        self.tool = (same or found or [None])[0] if len(found) == 1 or same else None
        if self.tool is None and found:
            listed = ", ".join(sorted(item.name for item in found))
            raise results.ResultError(f"the script defines the tools {listed}, but none with the name '{self.name}'")
        return self.tool


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(getattr(node, "value", None), ast.Constant)


def error_text(error, script):
    """Describes an exception: its type, its message, and the line of the script."""
    message = str(error)
    for folder in sorted({sys.prefix, sys.base_prefix, sys.exec_prefix, os.getcwd(), tempfile.gettempdir()}, key=len, reverse=True):
        if len(folder) > 1:
            message = message.replace(folder, "")
    line = None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == script.file:
            line = frame.lineno
    if isinstance(error, SyntaxError) and error.filename == script.file:
        message, line = error.msg, error.lineno
    kind = type(error).__name__
    text = f"{kind}: {message}" if message else kind
    return text, line


def missing_of(dependencies):
    """Returns the packages that are not installed, and those that a stand-in replaces."""
    missing, replaced = [], []
    for written in dependencies:
        name = re.split(r"[\s\[<>=!~;@]", written.strip(), maxsplit=1)[0]
        normal = re.sub(r"[-_.]+", "-", name).lower()
        if not normal or normal in SATISFIED or _is_installed(name):
            continue
        (replaced if normal in STAND_INS else missing).append(written)
    return missing, replaced


def _is_installed(name):
    import importlib.metadata  # takes long to load, and is only needed once per script

    try:
        importlib.metadata.distribution(name)
        return True
    except (importlib.metadata.PackageNotFoundError, ValueError):
        pass
    module = name.replace("-", "_")
    return module in sys.builtin_module_names or importlib.machinery.PathFinder.find_spec(module) is not None


class Runner:
    def __init__(self, source, sink, start):
        self.source = source
        self.sink = sink
        self.script = Script(start["script"], start["name"])
        self.limits = start["limits"]
        self.inspects = start["inspects"]
        self.dependencies = start["dependencies"]
        self.is_program = False

    def start(self):
        """Loads the script, and returns what it defines or what is wrong with it."""
        missing, replaced = missing_of(self.dependencies) if self.inspects else ([], [])
        answer = {"missing": missing, "replaced": replaced, "python": ".".join(map(str, sys.version_info[:3]))}
        try:
            self.script.compile()
            self.is_program = not self.script.defines_tools
            if self.is_program:
                return {**answer, "form": "program", "description": ast.get_docstring(self.script.tree) or ""}
            return {**answer, "form": "tool", **self._tool()}
        except ImportError as error:
            text, line = error_text(error, self.script)
            package = (error.name or "").partition(".")[0]
            if not isinstance(error, ModuleNotFoundError) and not tools.is_stand_in(package):
                return {**answer, "error": text, "line": line}
            return {**answer, "error": text, "line": line, "module": package, "is_stand_in": tools.is_stand_in(package)}
        except results.ResultError as error:
            return {**answer, "error": str(error), "line": None}
        except BaseException as error:  # the script is foreign code, and may raise everything
            text, line = error_text(error, self.script)
            return {**answer, "error": text, "line": line, "is_syntax": isinstance(error, SyntaxError)}

    def _tool(self):
        names = self.script.load(main=False)
        tool = self.script.find(names)
        if tool is None:
            if self.script.uses_input:
                self.is_program = True
                return {"form": "program", "description": ast.get_docstring(self.script.tree) or ""}
            hint = "decorate a function with @tool, or read the arguments as JSON from standard input"
            raise results.ResultError(f"the script defines no tool; {hint}")
        if inspect.iscoroutinefunction(tools.function_of(tool)):
            import asyncio  # noqa: F401 - loaded once here, instead of in every call
        description, schema = tools.tool_schema(tool)
        injected = [tools.injection_of(it.name, annotation) for it, annotation in self._parameters(tool)]
        fields = [field for kind, field in filter(None, injected) if kind == "state" and field]
        is_whole = any(kind == "runtime" or (kind == "state" and not field) for kind, field in filter(None, injected))
        return {
            "tool": tool.name,
            "description": description,
            "parameters": results.plain(schema, "the schema of the arguments"),
            "state": None if is_whole else fields,
        }

    @staticmethod
    def _parameters(tool):
        """Returns the parameters of a tool, with the annotations that its model of arguments adds."""
        function = tools.function_of(tool)
        declared = getattr(tool, "args_schema", None)
        hints = tools.hints_of(declared) if isinstance(declared, type) else {}
        for parameter, annotation in tools.parameters_of(function):
            if not tools.injection_of(parameter.name, annotation) and parameter.name in hints:
                annotation = hints[parameter.name]
            yield parameter, annotation

    def serve(self):
        tell(self.sink, self.start())
        if self.inspects:
            return
        wake = watch_children()
        while True:
            call = read_frame(self.source)
            if call is None:
                return
            tell(self.sink, self.execute(call, wake))

    def execute(self, call, wake):
        """Executes a call in a child, and returns its outcome."""
        result_out, result_in = os.pipe()
        log_out, log_in = os.pipe()
        before = left_over_files()
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            try:
                os.close(result_out)
                os.close(log_out)
                os.close(self.sink)
                self.become_call(call, result_in, log_in)
            finally:
                os._exit(70)
        os.close(result_in)
        os.close(log_in)
        watched = Watch(child, result_out, log_out, self.limits, self.is_program, wake)
        status = watched.wait()
        outcome = self.outcome(watched, status)
        outcome["log"] = watched.log.decode("utf-8", "replace")
        outcome["log_dropped"] = watched.dropped
        outcome["reusable"] = end_group(child) and left_over_files() == before
        return outcome

    def outcome(self, watched, status):
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
        if watched.is_too_long:
            limit = self.limits["result_bytes"]
            return failed(f"the result is longer than the limit of {limit} bytes; return less, or write it to a file of the agent")
        if self.is_program:
            content = watched.result.decode("utf-8", "replace")
            if code == 0:
                return {"content": content[:-1] if content.endswith("\n") else content, "is_error": False, "updates": []}
            text = watched.log.decode("utf-8", "replace").strip() or content.strip()
            return failed(f"the script {ended_with(code)}" + (f": {text[-2000:]}" if text else ""))
        try:
            found = json.loads(watched.result)
            return found if isinstance(found, dict) else failed(DIED)
        except ValueError:
            return failed(f"{DIED}: it {ended_with(code)}")

    def become_call(self, call, result_in, log_in):
        """Continues as the process of a call. It never returns."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self.source.close()
        given = tempfile.TemporaryFile()
        if self.is_program:
            given.write(json.dumps(call["arguments"]).encode())
            given.seek(0)
        os.dup2(given.fileno(), 0)
        os.dup2(result_in if self.is_program else log_in, 1)
        os.dup2(log_in, 2)
        sys.stdin = io.TextIOWrapper(io.FileIO(0, closefd=False), "utf-8")
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
        sys.__stdin__, sys.__stdout__, sys.__stderr__ = sys.stdin, sys.stdout, sys.stderr
        os.environ["AGENT_EXECUTOR_IDEMPOTENCY_KEY"] = call["idempotency_key"]
        if self.is_program:
            self.run_program()
        try:
            outcome = self.run_tool(call)
        except BaseException as error:
            outcome = failed(describe(error, self.script))
        text = json.dumps(outcome).encode()
        limit = self.limits["result_bytes"]
        if len(text) > limit + 1000:
            text = json.dumps(failed(f"the result has {len(text)} bytes, and the limit is {limit}; return less")).encode()
        flush()
        with os.fdopen(result_in, "wb") as pipe:
            pipe.write(text)
        os._exit(0)

    def run_program(self):
        code = 0
        try:
            self.script.load(main=True)
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else 0 if error.code is None else 1
            if isinstance(error.code, str):
                print(error.code, file=sys.stderr)
        except BaseException as error:
            print(describe(error, self.script), file=sys.stderr)
            code = 1
        flush()
        os._exit(code & 0xFF)

    def run_tool(self, call):
        tool = self.script.tool
        function = tools.function_of(tool)
        passed = Injection(call).values(list(self._parameters(tool)), call["arguments"])
        arguments = tools.arguments_of(tool, function, {k: v for k, v in call["arguments"].items() if k not in passed})
        value = function(**{**arguments, **passed})
        if inspect.isawaitable(value):
            value = tools.run_async(value)
        return results.outcome_of(value, call["call_id"], getattr(tool, "response_format", "content"))


class Injection:
    """Makes what the runtime passes to a tool."""

    def __init__(self, call):
        self.call = call
        self.state = dict(call["state"])
        if "messages" in self.state:
            from langchain_core.messages import convert_to_messages

            self.state["messages"] = convert_to_messages(self.state["messages"])
        self.config = {
            "configurable": {"thread_id": call["thread_id"], "run_id": call["run_id"]},
            "metadata": {
                "idempotency_key": call["idempotency_key"],
                "thread_id": call["thread_id"],
                "run_id": call["run_id"],
                "agent": call["agent"],
                "tool": call["tool"],
            },
            "tags": [],
        }
        tools.set_current({"config": self.config, "stream_writer": print, "store": None, "runtime": self.runtime(tools.ToolRuntime)})

    def values(self, parameters, given):
        found = {}
        for parameter, annotation in parameters:
            injection = tools.injection_of(parameter.name, annotation)
            if injection is None:
                continue
            kind, field = injection
            if kind == "default":
                if parameter.default is inspect.Parameter.empty:
                    raise results.ResultError(f"nothing is known for the injected argument '{parameter.name}'; give it a default")
                continue
            found[parameter.name] = self.value(kind, field, annotation, parameter)
        return found

    def value(self, kind, field, annotation, parameter):
        if kind == "state":
            return self.field(field, annotation, parameter) if field else self.state
        if kind == "call_id":
            return self.call["call_id"]
        if kind == "config":
            return self.config
        if kind == "runtime":
            plain = tools.bare(annotation)
            return self.runtime(getattr(plain, "__origin__", plain))
        return tools.CallbackManagerForToolRun() if kind == "callbacks" else None

    def runtime(self, kind):
        values = {
            "state": self.state,
            "context": None,
            "config": self.config,
            "stream_writer": print,
            "tool_call_id": self.call["call_id"],
            "store": None,
        }
        accepted = inspect.signature(kind).parameters
        takes_all = any(it.kind == it.VAR_KEYWORD for it in accepted.values())
        values = {name: value for name, value in values.items() if takes_all or name in accepted}
        required = [n for n, it in accepted.items() if it.default is it.empty and it.kind == it.KEYWORD_ONLY and n not in values]
        return kind(**values, **{name: None for name in required})

    def field(self, field, annotation, parameter):
        if field in self.state:
            return self.state[field]
        if field not in self.call["channels"]:
            known = ", ".join(sorted(self.call["channels"]))
            raise results.ResultError(f"the state has no channel '{field}' for the argument '{parameter.name}'; the channels are {known}")
        if parameter.default is not inspect.Parameter.empty:
            return parameter.default
        plain = tools.bare(annotation)
        kind = getattr(plain, "__origin__", None) or plain
        return kind() if kind in (list, dict, set, tuple, str, int, float, bool) else None


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


def failed(text):
    return {"content": f"Error: {text}", "is_error": True, "updates": []}


def describe(error, script):
    if isinstance(error, (results.ResultError, tools.ToolException)) or type(error).__name__ == "ToolException":
        return str(error)
    text, line = error_text(error, script)
    return f"{text} (line {line} of the script)" if line else text


def ended_with(code):
    return f"ended with exit code {code}" if code >= 0 else f"was ended by the signal {signal.Signals(-code).name}"


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


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
    try:
        return sorted(os.listdir(tempfile.gettempdir()))
    except OSError:
        return []


def read_frame(source):
    line = source.readline()
    return json.loads(source.read(int(line))) if line.strip() else None


def tell(sink, value):
    text = json.dumps(value).encode()
    data = b"%d\n%s" % (len(text), text)
    while data:
        data = data[os.write(sink, data) :]


def main(source, start):
    sink = os.dup(1)
    os.set_inheritable(sink, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    tools.install()
    sys.dont_write_bytecode = True
    Runner(source, sink, start).serve()
