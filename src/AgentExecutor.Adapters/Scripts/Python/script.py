"""A script: its form, its tools, and what is wrong with it."""

import ast
import importlib.machinery
import inspect
import linecache
import os
import re
import sys
import tempfile
import traceback
import types

import agent_executor_results as results
import agent_executor_tools as tools

LANGCHAIN = ("langchain", "langchain_core", "langgraph", "deepagents")
SATISFIED = {"langchain", "langchain-core", "langgraph", "langgraph-prebuilt", "langgraph-checkpoint", "deepagents"}
STAND_INS = {"pydantic", "typing-extensions"}


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
