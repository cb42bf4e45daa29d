"""The classes that tool scripts import from langchain_core, langchain and langgraph, apart from the tools themselves."""

import typing


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
