"""Runs the tools of one script.

The service starts this program in the sandbox and talks to it with frames on standard input and output. A frame is the length of a JSON
text in bytes, a line break, and the text. The first frame holds the script; the answer to it says what the script defines. Each further
frame is a call, which a forked child executes, so that nothing that a call leaves in globals is visible to another one. Scripts never see
the pipes of the service: their standard input is empty or holds the arguments, and what they print is collected.
"""

import ast
import gc
import inspect
import io
import json
import os
import signal
import sys
import tempfile

import agent_executor_injection as injection
import agent_executor_kinds as kinds
import agent_executor_process as process
import agent_executor_results as results
import agent_executor_script as script
import agent_executor_standins as standins
import agent_executor_tools as tools

DIED = "the process of the script ended without a result"


class Runner:
    def __init__(self, source, sink, start):
        self.source = source
        self.sink = sink
        self.script = script.Script(start["script"], start["name"])
        self.limits = start["limits"]
        self.inspects = start["inspects"]
        self.dependencies = start["dependencies"]
        self.is_program = False

    def start(self):
        """Loads the script, and returns what it defines or what is wrong with it."""
        missing, replaced = script.missing_of(self.dependencies) if self.inspects else ([], [])
        answer = {"missing": missing, "replaced": replaced, "python": ".".join(map(str, sys.version_info[:3]))}
        try:
            self.script.compile()
            self.is_program = not self.script.defines_tools
            if self.is_program:
                return {**answer, "form": "program", "description": ast.get_docstring(self.script.tree) or ""}
            return {**answer, "form": "tool", **self._tool()}
        except ImportError as error:
            text, line = script.error_text(error, self.script)
            package = (error.name or "").partition(".")[0]
            if not isinstance(error, ModuleNotFoundError) and not standins.is_stand_in(package):
                return {**answer, "error": text, "line": line}
            return {**answer, "error": text, "line": line, "module": package, "is_stand_in": standins.is_stand_in(package)}
        except results.ResultError as error:
            return {**answer, "error": str(error), "line": None}
        except BaseException as error:  # the script is foreign code, and may raise everything
            text, line = script.error_text(error, self.script)
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
        process.tell(self.sink, self.start())
        if self.inspects:
            return
        wake = process.watch_children()
        gc.freeze()  # the children share the memory of what is loaded as long as nothing changes it
        while True:
            call = process.read_frame(self.source)
            if call is None:
                return
            process.tell(self.sink, self.execute(call, wake))

    def execute(self, call, wake):
        """Executes a call in a child, and returns its outcome."""
        result_out, result_in = os.pipe()
        log_out, log_in = os.pipe()
        before = process.left_over_files()
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
        watched = process.Watch(child, result_out, log_out, self.limits, self.is_program, wake)
        status = watched.wait()
        outcome = self.outcome(watched, status)
        outcome["log"] = watched.log.decode("utf-8", "replace")
        outcome["log_dropped"] = watched.dropped
        outcome["reusable"] = process.end_group(child) and process.left_over_files() == before
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
        if self.is_program:
            given = tempfile.TemporaryFile()
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
        passed = injection.Injection(call).values(list(self._parameters(tool)), call["arguments"])
        arguments = tools.arguments_of(tool, function, {k: v for k, v in call["arguments"].items() if k not in passed})
        value = function(**{**arguments, **passed})
        if inspect.isawaitable(value):
            value = tools.run_async(value)
        return results.outcome_of(value, call["call_id"], getattr(tool, "response_format", "content"))


def failed(text):
    return {"content": f"Error: {text}", "is_error": True, "updates": []}


def describe(error, source):
    if isinstance(error, (results.ResultError, kinds.ToolException)) or type(error).__name__ == "ToolException":
        return str(error)
    text, line = script.error_text(error, source)
    return f"{text} (line {line} of the script)" if line else text


def ended_with(code):
    return f"ended with exit code {code}" if code >= 0 else f"was ended by the signal {signal.Signals(-code).name}"


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass


def main(source, start):
    sink = os.dup(1)
    os.set_inheritable(sink, False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    standins.install()
    sys.dont_write_bytecode = True
    Runner(source, sink, start).serve()
