"""Tools as scripts define them: their functions, their declarations, and what the runtime passes to them.

Tools of the installed packages and stand-ins are treated alike, so they are recognised by what they have.
"""

import inspect
import typing

import agent_executor_models as models
from agent_executor_kinds import ToolException
from agent_executor_schemas import bare, coerce, docstring_of, hints_of, is_annotated, is_class, schema_of


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
