"""Provides the stand-ins as the modules of langchain_core, langchain, langgraph and pydantic.

A stand-in is used only for a package that is not installed. The names and signatures are those of the packages.
"""

import importlib.machinery
import os
import sys
import typing

import agent_executor_kinds as kinds
import agent_executor_models as models
import agent_executor_tools as tools

PACKAGES = ("langchain_core", "langchain", "langgraph", "deepagents")


def _names(*values):
    return {value.__name__: value for value in values}


_TOOLS = {
    **_names(kinds.ToolException, kinds.InjectedToolArg, kinds.InjectedToolCallId, tools.BaseTool, tools.StructuredTool, tools.Tool),
    "tool": tools.tool,
    "BaseToolkit": object,
    "ArgsSchema": typing.Any,
}
_STATES = {"InjectedState": kinds.InjectedState, "InjectedStore": kinds.InjectedStore, "ToolRuntime": kinds.ToolRuntime}
_MESSAGES = {
    **_names(kinds.BaseMessage, kinds.HumanMessage, kinds.SystemMessage, kinds.AIMessage, kinds.ToolMessage, kinds.RemoveMessage),
    "AnyMessage": kinds.BaseMessage,
    "ToolCall": dict,
    "convert_to_messages": kinds.convert_to_messages,
    "add_messages": kinds.add_messages,
    "get_buffer_string": lambda messages, **_: "\n".join(f"{it.type}: {it.text}" for it in messages),
}
_CONFIG = {"RunnableConfig": kinds.RunnableConfig}
_CALLBACKS = _names(kinds.CallbackManagerForToolRun, kinds.AsyncCallbackManagerForToolRun)
_CALL = {}


def _current(name):
    return lambda *_arguments: _CALL[name]


_RUNTIME = {"get_runtime": _current("runtime"), "Runtime": kinds.ToolRuntime}
_CURRENT = {"get_stream_writer": _current("stream_writer"), "get_config": _current("config"), "get_store": _current("store")}
_STORE = {"BaseStore": kinds.BaseStore, "InMemoryStore": kinds.InMemoryStore}
_TYPES = {"Command": kinds.Command, "Send": kinds.Send, "interrupt": kinds.interrupt}
_AGENT = {"AgentState": kinds.AgentState}

MODULES = {
    "langchain_core": {},
    "langchain_core.tools": {**_TOOLS, **_CALLBACKS},
    "langchain_core.tools.base": _TOOLS,
    "langchain_core.tools.convert": {"tool": tools.tool},
    "langchain_core.tools.structured": {"StructuredTool": tools.StructuredTool},
    "langchain_core.messages": _MESSAGES,
    "langchain_core.messages.tool": _MESSAGES,
    "langchain_core.messages.utils": _MESSAGES,
    "langchain_core.runnables": {**_CONFIG},
    "langchain_core.runnables.config": _CONFIG,
    "langchain_core.callbacks": _CALLBACKS,
    "langchain_core.callbacks.manager": _CALLBACKS,
    "langchain_core.documents": {"Document": kinds.Document},
    "langchain_core.pydantic_v1": None,
    "langchain": {},
    "langchain.tools": {**_TOOLS, **_STATES},
    "langchain.tools.base": _TOOLS,
    "langchain.messages": _MESSAGES,
    "langchain.agents": _AGENT,
    "langchain.callbacks": {},
    "langchain.callbacks.manager": _CALLBACKS,
    "langchain.schema": {"Document": kinds.Document, **_MESSAGES},
    "langchain.pydantic_v1": None,
    "langgraph": {},
    "langgraph.prebuilt": {**_STATES, **_AGENT},
    "langgraph.prebuilt.tool_node": _STATES,
    "langgraph.prebuilt.chat_agent_executor": _AGENT,
    "langgraph.types": {**_TYPES, "StreamWriter": typing.Callable},
    "langgraph.config": _CURRENT,
    "langgraph.runtime": _RUNTIME,
    "langgraph.store": {},
    "langgraph.store.base": _STORE,
    "langgraph.store.memory": _STORE,
    "langgraph.graph": {"MessagesState": kinds.MessagesState, "add_messages": kinds.add_messages, "START": "__start__", "END": "__end__"},
    "langgraph.graph.message": {"add_messages": kinds.add_messages, "MessagesState": kinds.MessagesState},
    "langgraph.errors": {"GraphInterrupt": type("GraphInterrupt", (Exception,), {})},
    "deepagents": {},
    "deepagents.state": {"DeepAgentState": kinds.DeepAgentState, "Todo": dict, "FileData": dict},
}


class StandIns:
    """Provides the modules above. It is asked last, so that an installed package takes precedence."""

    def find_spec(self, fullname, path=None, target=None):
        root = fullname.partition(".")[0]
        if fullname in ("pydantic", "typing_extensions") or fullname in MODULES:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        if fullname.startswith("pydantic.") and getattr(sys.modules.get("pydantic"), "__agent_executor__", False):
            raise ModuleNotFoundError(f"the stand-in for pydantic has no module '{fullname}'; install pydantic", name=fullname)
        if root in PACKAGES and fullname != root:
            raise ModuleNotFoundError(f"the stand-in for {root} has no module '{fullname}'; install the package", name=fullname)
        return None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__name__
        if name == "pydantic" or MODULES.get(name, {}) is None:
            content = {key: value for key, value in vars(models).items() if not key.startswith("_")}
        elif name == "typing_extensions":
            content = {key: getattr(typing, key) for key in dir(typing) if not key.startswith("__")}
            for missing in ("NotRequired", "Required", "ReadOnly"):
                content.setdefault(missing, typing.Optional)
            content.setdefault("Self", typing.Any)
            content.setdefault("TypeAlias", typing.Any)
            content.setdefault("override", lambda function: function)
        else:
            content = MODULES[name]
        module.__dict__.update(content)
        module.__agent_executor__ = True
        module.__path__ = []

        def missing(attribute):
            if attribute.startswith("__"):
                raise AttributeError(attribute)
            raise ImportError(f"the stand-in for {name} has no '{attribute}'; install the package where scripts run", name=name)

        module.__getattr__ = missing


def install():
    sys.meta_path.append(StandIns())


def is_stand_in(name):
    return getattr(sys.modules.get(name), "__agent_executor__", False)


def set_current(values):
    _CALL.update(values)
    os.environ["AGENT_EXECUTOR_IDEMPOTENCY_KEY"] = values["config"]["metadata"]["idempotency_key"]
