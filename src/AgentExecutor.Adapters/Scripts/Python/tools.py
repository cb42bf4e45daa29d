"""Stand-ins for what tool scripts import from langchain_core, langchain and langgraph.

A stand-in is used only for a package that is not installed. The names and signatures are those of the packages.
"""

import importlib.machinery
import inspect
import os
import sys
import typing

import agent_executor_models as models
from agent_executor_schemas import bare, coerce, docstring_of, hints_of, is_annotated, is_class, schema_of

PACKAGES = ("langchain_core", "langchain", "langgraph", "deepagents")


class ToolException(Exception):
    """An error that a tool reports to the model."""


class InjectedToolArg:
    """Marks an argument that the runtime passes and that the model does not see."""


class InjectedToolCallId(InjectedToolArg):
    pass


class InjectedState(InjectedToolArg):
    def __init__(self, field=None):
        self.field = field


class InjectedStore(InjectedToolArg):
    pass


_STATE = typing.TypeVar("_STATE")
_CONTEXT = typing.TypeVar("_CONTEXT")


class ToolRuntime(typing.Generic[_CONTEXT, _STATE]):
    """What a tool can read of the run that calls it."""

    def __init__(self, state=None, context=None, config=None, stream_writer=None, tool_call_id=None, store=None, **others):
        self.state = state
        self.context = context
        self.config = config if config is not None else {}
        self.stream_writer = stream_writer or (lambda value: print(value))
        self.tool_call_id = tool_call_id
        self.store = store
        self.metadata = self.config.get("metadata", {})
        self.__dict__.update(others)


Runtime = ToolRuntime


class RunnableConfig(dict):
    """The configuration of a run: configurable, metadata and tags."""


class CallbackManagerForToolRun:
    """Is passed to tools that expect callbacks; it does nothing."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *arguments, **options: None


class AsyncCallbackManagerForToolRun(CallbackManagerForToolRun):
    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        async def nothing(*arguments, **options):
            return None

        return nothing


class Command(typing.Generic[_STATE]):
    """An update of the state. Where a tool may go next is decided by the agent."""

    PARENT = "__parent__"

    def __init__(self, *, graph=None, update=None, resume=None, goto=()):
        self.graph = graph
        self.update = update
        self.resume = resume
        self.goto = goto


class Send:
    def __init__(self, node, arg):
        self.node = node
        self.arg = arg


def interrupt(value):
    raise ToolException("a script tool cannot ask a person with interrupt(); set interrupt_on for the tool in the definition")


def add_messages(left, right):
    left = left if isinstance(left, list) else [left]
    right = right if isinstance(right, list) else [right]
    return left + right


class BaseMessage:
    type = "base"

    def __init__(self, content="", **fields):
        self.content = content
        self.id = fields.pop("id", None)
        self.name = fields.pop("name", None)
        self.additional_kwargs = fields.pop("additional_kwargs", {})
        self.response_metadata = fields.pop("response_metadata", {})
        fields.pop("type", None)
        fields.pop("role", None)
        self.__dict__.update(fields)

    @property
    def text(self):
        if isinstance(self.content, str):
            return self.content
        return "".join(part if isinstance(part, str) else part.get("text", "") for part in self.content or [])

    def model_dump(self, **_options):
        return {"type": self.type, **{name: value for name, value in self.__dict__.items()}}

    dict = model_dump

    def __eq__(self, other):
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None

    def __repr__(self):
        return f"{type(self).__name__}(content={self.content!r})"


class HumanMessage(BaseMessage):
    type = "human"


class SystemMessage(BaseMessage):
    type = "system"


class AIMessage(BaseMessage):
    type = "ai"

    def __init__(self, content="", **fields):
        self.tool_calls = []
        self.usage_metadata = None
        super().__init__(content, **fields)


class ToolMessage(BaseMessage):
    type = "tool"

    def __init__(self, content="", tool_call_id=None, **fields):
        self.tool_call_id = tool_call_id
        self.status = "success"
        self.artifact = None
        super().__init__(content, **fields)


class RemoveMessage(BaseMessage):
    type = "remove"

    def __init__(self, id=None, **fields):
        super().__init__("", id=id, **fields)


MESSAGES = {kind.type: kind for kind in (HumanMessage, SystemMessage, AIMessage, ToolMessage, RemoveMessage)}
ROLES = {"user": "human", "assistant": "ai", "developer": "system"}


def convert_to_messages(values):
    """Turns dictionaries, pairs and texts into messages."""
    found = []
    for value in values:
        if isinstance(value, str):
            value = HumanMessage(value)
        elif isinstance(value, (tuple, list)):
            value = MESSAGES[ROLES.get(value[0], value[0])](value[1])
        elif isinstance(value, dict):
            kind = value.get("type") or value.get("role")
            value = MESSAGES.get(ROLES.get(kind, kind), HumanMessage)(**value)
        found.append(value)
    return found


class Document:
    def __init__(self, page_content="", metadata=None, id=None, **_others):
        self.page_content = page_content
        self.metadata = metadata or {}
        self.id = id


class BaseStore:
    """Long-term memory is not available to script tools."""


class InMemoryStore(BaseStore):
    def __init__(self, **_options):
        self._values = {}

    def put(self, namespace, key, value):
        self._values[(tuple(namespace), key)] = value

    def get(self, namespace, key):
        return self._values.get((tuple(namespace), key))


class AgentState(dict):
    """The type of an agent's state in annotations."""


MessagesState = DeepAgentState = AgentState


def parameters_of(function):
    """Returns the parameters of a function that can be passed by name, with their annotations."""
    hints = hints_of(function)
    found = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL) or parameter.name in ("self", "cls"):
            continue
        annotation = hints.get(parameter.name, parameter.annotation)
        found.append((parameter, typing.Any if annotation is inspect.Parameter.empty else annotation))
    return found


INJECTED_NAMES = ("run_manager", "callbacks")


def injection_of(name, annotation):
    """Returns what the runtime passes for a parameter, as (kind, field); None if the model gives the value.

    The markers are recognised by their names, so that those of the installed packages and of this module both count.
    """
    for extra in _metadata(annotation):
        for kind in (extra if is_class(extra) else type(extra)).__mro__:
            if kind.__name__ == "InjectedState":
                return ("state", None if is_class(extra) else getattr(extra, "field", None))
            if kind.__name__ == "InjectedToolCallId":
                return ("call_id", None)
            if kind.__name__ == "InjectedStore":
                return ("store", None)
            if kind.__name__ == "InjectedToolArg":
                return ("default", None)
    plain = bare(annotation)
    word = getattr(typing.get_origin(plain) or plain, "__name__", "")
    if word in ("ToolRuntime", "Runtime"):
        return ("runtime", None)
    if word == "RunnableConfig":
        return ("config", None)
    if word.endswith("CallbackManagerForToolRun") or name in INJECTED_NAMES:
        return ("callbacks", None)
    return None


def _metadata(annotation):
    if is_annotated(annotation):
        return annotation.__metadata__
    return [extra for member in typing.get_args(annotation) if is_annotated(member) for extra in member.__metadata__]


class BaseTool(models.BaseModel):
    """A tool as a class with the method _run or _arun."""

    name: str = ""
    description: str = ""
    args_schema: typing.Any = None
    return_direct: bool = False
    response_format: str = "content"
    handle_tool_error: typing.Any = False
    tags: typing.Any = None
    metadata: typing.Any = None

    def _run(self, *arguments, **options):
        raise NotImplementedError("the tool has neither _run nor _arun")

    @property
    def args(self):
        return self.get_input_schema_json().get("properties", {})

    def get_input_schema_json(self):
        return tool_schema(self)[1]

    def invoke(self, input, config=None, **_options):
        values = input.get("args", input) if isinstance(input, dict) and input.get("type") == "tool_call" else input
        function = function_of(self)
        names = [parameter.name for parameter, annotation in parameters_of(function) if not injection_of(parameter.name, annotation)]
        values = values if isinstance(values, dict) else {names[0]: values} if names else {}
        result = function(**values)
        return run_async(result) if inspect.isawaitable(result) else result

    async def ainvoke(self, input, config=None, **options):
        function = function_of(self, prefers_async=True)
        result = function(**(input if isinstance(input, dict) else {}))
        return await result if inspect.isawaitable(result) else result

    run = invoke
    arun = ainvoke

    def __call__(self, *arguments, **values):
        return function_of(self)(*arguments, **values)


class StructuredTool(BaseTool):
    func: typing.Any = None
    coroutine: typing.Any = None

    @classmethod
    def from_function(cls, func=None, coroutine=None, name=None, description=None, parse_docstring=False, infer_schema=True, **options):
        source = func or coroutine
        if source is None:
            raise ValueError("from_function needs func or coroutine")
        text = description if description is not None else docstring_of(source.__doc__)[0]
        options = {key: value for key, value in options.items() if key in cls.__agent_executor_fields__()}
        return cls(name=name or source.__name__, description=text, func=func, coroutine=coroutine, **options)


class Tool(StructuredTool):
    """A tool with one text as its argument."""

    def __init__(self, name=None, func=None, description="", **options):
        super().__init__(name=name, func=func, description=description, **options)

    @classmethod
    def from_function(cls, func=None, name=None, description="", **options):
        return cls(name, func, description, **options)


def tool(*arguments, description=None, return_direct=False, args_schema=None, infer_schema=True, **options):
    """Makes a tool of a function: @tool, @tool("name"), @tool(args_schema=...), tool("name", function)."""
    name = next((value for value in arguments if isinstance(value, str)), None)
    function = next((value for value in arguments if callable(value)), None)
    settings = {key: options[key] for key in ("response_format", "handle_tool_error", "tags", "metadata") if key in options}

    def make(function):
        if hasattr(function, "args_schema") and hasattr(function, "description"):
            return function
        is_async = inspect.iscoroutinefunction(function)
        return StructuredTool(
            name=name or getattr(function, "__name__", "tool"),
            description=description if description is not None else docstring_of(function.__doc__)[0],
            func=None if is_async else function,
            coroutine=function if is_async else None,
            args_schema=args_schema,
            return_direct=return_direct,
            **settings,
        )

    return make(function) if function is not None else make


def is_tool(value):
    """Tells whether a value is a tool, of this module or of an installed package."""
    names = ("name", "description", "args_schema", "invoke")
    return not is_class(value) and not inspect.ismodule(value) and all(_has(value, name) for name in names) and isinstance(value.name, str)


def _has(value, name):
    try:
        return hasattr(value, name)
    except Exception:
        return False


def function_of(value, prefers_async=False):
    """Returns the function that does the work of a tool."""
    func, coroutine = getattr(value, "func", None), getattr(value, "coroutine", None)
    if func is not None or coroutine is not None:
        return (coroutine or func) if prefers_async or func is None else func
    defines_run = any("_run" in vars(kind) for kind in type(value).__mro__ if kind.__name__ not in ("BaseTool", "StructuredTool", "Tool"))
    return value._run if defines_run or not hasattr(value, "_arun") else value._arun


def tool_schema(value):
    """Returns the description and the JSON Schema of a tool's arguments, without those that the runtime passes."""
    function = function_of(value)
    parameters = parameters_of(function)
    own, texts = docstring_of(getattr(function, "__doc__", "") if function else "")
    description = value.description or own or docstring_of(type(value).__doc__)[0]
    split, more = docstring_of(description)
    texts = {**more, **texts}
    hidden = {parameter.name for parameter, annotation in parameters if injection_of(parameter.name, annotation)}
    declared = value.args_schema
    if type(value).__name__ == "Tool" and declared is None:
        return split, {"type": "object", "properties": {"tool_input": {"type": "string"}}, "required": ["tool_input"]}
    if isinstance(declared, dict):
        return split, {"type": "object", **declared}
    is_own = isinstance(value, BaseTool)
    if declared is not None and (is_own or not _is_inferred(value, declared)):
        schema = schema_of(declared)
        hidden |= {name for name, annotation in hints_of(declared).items() if injection_of(name, annotation)}
        schema.pop("description", None)
        properties = {name: schema for name, schema in schema.get("properties", {}).items() if name not in hidden}
        found = {**schema, "properties": properties}
        required = [name for name in schema.get("required", []) if name not in hidden]
        found.pop("required", None)
        return split, {**found, "required": required} if required else found
    return split, _signature_schema(parameters, texts)


def _is_inferred(value, declared):
    """Tells whether an installed package made the model of the arguments from the signature."""
    function = function_of(value)
    return getattr(declared, "__name__", "") in (getattr(function, "__name__", ""), value.name, f"{value.name}Schema")


def _signature_schema(parameters, texts):
    properties, required = {}, []
    for parameter, annotation in parameters:
        if injection_of(parameter.name, annotation):
            continue
        schema = schema_of(annotation)
        if parameter.name in texts and "description" not in schema:
            schema["description"] = texts[parameter.name]
        default = parameter.default
        if hasattr(default, "default") and hasattr(default, "default_factory"):
            models._describe(schema, default)
            default = models._default_of(default)
        if default is inspect.Parameter.empty or default is models._MISSING:
            required.append(parameter.name)
        elif isinstance(default, (str, int, float, bool)):
            schema["default"] = getattr(default, "value", default)
        properties[parameter.name] = schema
    schema = {"type": "object", "properties": properties}
    return {**schema, "required": required} if required else schema


def arguments_of(value, function, given):
    """Turns the JSON arguments into what the function of a tool takes, without those that the runtime passes."""
    if type(value).__name__ == "Tool" and value.args_schema is None:
        name = parameters_of(function)[0][0].name
        return {name: given.get("tool_input", "")}
    parameters = {parameter.name: (parameter, annotation) for parameter, annotation in parameters_of(function)}
    declared = value.args_schema
    if declared is not None and hasattr(declared, "model_validate") and (isinstance(value, BaseTool) or not _is_inferred(value, declared)):
        injected = {name for name, annotation in hints_of(declared).items() if injection_of(name, annotation)}
        if not injected:
            model = declared.model_validate(given)
            fields = declared.model_fields
            return {name: getattr(model, name) for name in fields if name in given or name in parameters or not parameters}
    found = {}
    for name, item in given.items():
        if name not in parameters:
            found[name] = item
            continue
        try:
            found[name] = coerce(item, parameters[name][1])
        except (ValueError, TypeError) as error:
            raise ToolException(f"the argument '{name}' is not valid: {error}") from error
    for name, (parameter, annotation) in parameters.items():
        if name not in found and hasattr(parameter.default, "default_factory") and not injection_of(name, annotation):
            default = models._default_of(parameter.default)
            if default is not models._MISSING:
                found[name] = default
    return found


def run_async(awaitable):
    """Runs an async tool to its end. asyncio takes long to load, so only async tools load it."""
    import asyncio

    async def awaited():
        return await awaitable

    return asyncio.run(awaited())


def _names(*values):
    return {value.__name__: value for value in values}


_TOOLS = {
    **_names(ToolException, InjectedToolArg, InjectedToolCallId, BaseTool, StructuredTool, Tool),
    "tool": tool,
    "BaseToolkit": object,
    "ArgsSchema": typing.Any,
}
_STATES = {"InjectedState": InjectedState, "InjectedStore": InjectedStore, "ToolRuntime": ToolRuntime}
_MESSAGES = {
    **_names(BaseMessage, HumanMessage, SystemMessage, AIMessage, ToolMessage, RemoveMessage),
    "AnyMessage": BaseMessage,
    "ToolCall": dict,
    "convert_to_messages": convert_to_messages,
    "add_messages": add_messages,
    "get_buffer_string": lambda messages, **_: "\n".join(f"{it.type}: {it.text}" for it in messages),
}
_CONFIG = {"RunnableConfig": RunnableConfig}
_CALLBACKS = _names(CallbackManagerForToolRun, AsyncCallbackManagerForToolRun)
_CALL = {}


def _current(name):
    return lambda *_arguments: _CALL[name]


_RUNTIME = {"get_runtime": _current("runtime"), "Runtime": ToolRuntime}
_CURRENT = {"get_stream_writer": _current("stream_writer"), "get_config": _current("config"), "get_store": _current("store")}
_STORE = {"BaseStore": BaseStore, "InMemoryStore": InMemoryStore}
_TYPES = {"Command": Command, "Send": Send, "interrupt": interrupt}
_AGENT = {"AgentState": AgentState}

MODULES = {
    "langchain_core": {},
    "langchain_core.tools": {**_TOOLS, **_CALLBACKS},
    "langchain_core.tools.base": _TOOLS,
    "langchain_core.tools.convert": {"tool": tool},
    "langchain_core.tools.structured": {"StructuredTool": StructuredTool},
    "langchain_core.messages": _MESSAGES,
    "langchain_core.messages.tool": _MESSAGES,
    "langchain_core.messages.utils": _MESSAGES,
    "langchain_core.runnables": {**_CONFIG},
    "langchain_core.runnables.config": _CONFIG,
    "langchain_core.callbacks": _CALLBACKS,
    "langchain_core.callbacks.manager": _CALLBACKS,
    "langchain_core.documents": {"Document": Document},
    "langchain_core.pydantic_v1": None,
    "langchain": {},
    "langchain.tools": {**_TOOLS, **_STATES},
    "langchain.tools.base": _TOOLS,
    "langchain.messages": _MESSAGES,
    "langchain.agents": _AGENT,
    "langchain.callbacks": {},
    "langchain.callbacks.manager": _CALLBACKS,
    "langchain.schema": {"Document": Document, **_MESSAGES},
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
    "langgraph.graph": {"MessagesState": MessagesState, "add_messages": add_messages, "START": "__start__", "END": "__end__"},
    "langgraph.graph.message": {"add_messages": add_messages, "MessagesState": MessagesState},
    "langgraph.errors": {"GraphInterrupt": type("GraphInterrupt", (Exception,), {})},
    "deepagents": {},
    "deepagents.state": {"DeepAgentState": DeepAgentState, "Todo": dict, "FileData": dict},
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
