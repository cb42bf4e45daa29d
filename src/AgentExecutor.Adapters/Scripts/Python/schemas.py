"""Turns Python annotations and docstrings into JSON Schema, and JSON values into the types that a function declares."""

import collections.abc
import dataclasses
import enum
import inspect
import re
import sys
import typing

try:
    from types import UnionType
except ImportError:  # before Python 3.10
    UnionType = None

NONE = type(None)
PLAIN = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    NONE: {"type": "null"},
    bytes: {"type": "string"},
    complex: {"type": "string"},
    list: {"type": "array", "items": {}},
    tuple: {"type": "array", "items": {}},
    set: {"type": "array", "items": {}, "uniqueItems": True},
    frozenset: {"type": "array", "items": {}, "uniqueItems": True},
    dict: {"type": "object"},
    object: {},
}
# Types of the standard library by their names, so that their modules are loaded only by scripts that use them.
NAMED = {
    "decimal.Decimal": {"type": "number"},
    "datetime.datetime": {"type": "string", "format": "date-time"},
    "datetime.date": {"type": "string", "format": "date"},
    "datetime.time": {"type": "string", "format": "time"},
    "datetime.timedelta": {"type": "number"},
    "uuid.UUID": {"type": "string", "format": "uuid"},
    "pathlib.PurePath": {"type": "string"},
}
LISTS = (list, set, frozenset, collections.abc.Sequence, collections.abc.Iterable, collections.abc.MutableSequence, collections.abc.Set)
MAPS = (dict, collections.abc.Mapping, collections.abc.MutableMapping, collections.defaultdict, collections.OrderedDict)


def name_of(kind):
    # pathlib's classes are in a module of another name in newer versions of Python
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def is_class(value):
    return isinstance(value, type) and value is not typing.Any and not hasattr(value, "__origin__")


def is_annotated(annotation):
    return hasattr(annotation, "__metadata__")


def is_union(annotation):
    origin = typing.get_origin(annotation)
    return origin is typing.Union or (UnionType is not None and origin is UnionType)


def is_typed_dict(annotation):
    return is_class(annotation) and issubclass(annotation, dict) and hasattr(annotation, "__total__")


def hints_of(owner):
    """Returns the annotations of a function or class, also of a class whose annotations are text."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except Exception:  # one annotation that cannot be resolved must not hide the others
        found = {}
        scopes = reversed(owner.__mro__) if is_class(owner) else [owner]
        for scope in scopes:
            names = vars(sys.modules.get(scope.__module__, typing)) if hasattr(scope, "__module__") else {}
            for name, annotation in getattr(scope, "__annotations__", {}).items():
                found[name] = _resolved(annotation, names)
        return found


def _resolved(annotation, names):
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, dict(names))  # the script's own annotation, in the process of the script
    except Exception:
        return typing.Any


def bare(annotation):
    """Returns an annotation without Annotated and without Optional."""
    while True:
        if is_annotated(annotation):
            annotation = annotation.__origin__
        elif is_union(annotation):
            members = [member for member in typing.get_args(annotation) if member is not NONE]
            if len(members) != 1:
                return annotation
            annotation = members[0]
        else:
            return annotation


def schema_of(annotation, seen=()):
    """Returns the JSON Schema of an annotation."""
    if annotation in (typing.Any, inspect.Parameter.empty, None) or isinstance(annotation, typing.TypeVar):
        return {"type": "null"} if annotation is None else {}
    if is_annotated(annotation):
        return _annotated(annotation, seen)
    if is_union(annotation):
        return _union(typing.get_args(annotation), seen)
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return _enumeration(list(arguments))
    name = getattr(origin, "__name__", "") or getattr(origin, "_name", "")
    if name in ("Required", "NotRequired", "ReadOnly", "Final", "ClassVar"):
        return schema_of(arguments[0], seen)
    if origin is tuple:
        return _tuple(arguments, seen)
    if origin in LISTS:
        schema = {"type": "array", "items": schema_of(arguments[0], seen) if arguments else {}}
        return {**schema, "uniqueItems": True} if origin in (set, frozenset) else schema
    if origin in MAPS:
        values = schema_of(arguments[1], seen) if len(arguments) == 2 else {}
        return {"type": "object", "additionalProperties": values} if values else {"type": "object"}
    if hasattr(annotation, "__supertype__"):
        return schema_of(annotation.__supertype__, seen)
    return _class_schema(origin if is_class(origin) else annotation, seen)


def _annotated(annotation, seen):
    schema = schema_of(annotation.__origin__, seen)
    for extra in annotation.__metadata__:
        text = extra if isinstance(extra, str) else getattr(extra, "description", None) or getattr(extra, "documentation", None)
        if isinstance(text, str):
            schema["description"] = text
        for name, word in (("ge", "minimum"), ("gt", "exclusiveMinimum"), ("le", "maximum"), ("lt", "exclusiveMaximum")):
            limit = getattr(extra, name, None) or getattr(extra, "options", {}).get(name)
            if isinstance(limit, (int, float)):
                schema[word] = limit
    return schema


def _union(members, seen):
    schemas = []
    for member in members:
        schema = schema_of(member, seen)
        if schema not in schemas:
            schemas.append(schema)
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _enumeration(values):
    values = [value.value if isinstance(value, enum.Enum) else value for value in values]
    kinds = {PLAIN.get(type(value), {}).get("type") for value in values}
    schema = {"enum": values}
    return {"type": kinds.pop(), **schema} if len(kinds) == 1 and None not in kinds else schema


def _tuple(arguments, seen):
    if len(arguments) == 2 and arguments[1] is ...:
        return {"type": "array", "items": schema_of(arguments[0], seen)}
    items = [schema_of(item, seen) for item in arguments if item != ()]
    return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}


def _class_schema(kind, seen):
    if not is_class(kind):
        return {}
    if issubclass(kind, enum.Enum):
        return _enumeration([member.value for member in kind])
    for known in kind.__mro__:
        if name_of(known) in NAMED:
            return dict(NAMED[name_of(known)])
        if known in PLAIN and known is not object and not is_typed_dict(kind) and (known is not tuple or not hasattr(kind, "_fields")):
            return dict(PLAIN[known])
    if kind in seen:
        return {"type": "object"}  # a type that contains itself
    inner = (*seen, kind)
    if hasattr(kind, "model_json_schema"):
        return inlined(kind.model_json_schema())
    if hasattr(kind, "__fields__") and hasattr(kind, "schema"):
        return inlined(kind.schema())
    if is_typed_dict(kind):
        required = getattr(kind, "__required_keys__", None)
        hints = hints_of(kind)
        return _object(kind, {name: schema_of(hint, inner) for name, hint in hints.items()}, [n for n in hints if n in (required or ())])
    if dataclasses.is_dataclass(kind):
        hints, fields = hints_of(kind), dataclasses.fields(kind)
        required = [f.name for f in fields if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING]
        return _object(kind, {f.name: schema_of(hints.get(f.name, typing.Any), inner) for f in fields if f.init}, required)
    if hasattr(kind, "_fields") and issubclass(kind, tuple):
        hints = hints_of(kind)
        return _object(kind, {name: schema_of(hints.get(name, typing.Any), inner) for name in kind._fields}, list(kind._fields))
    return {"type": "object"} if kind.__module__ != "builtins" and issubclass(kind, dict) else {}


def _object(kind, properties, required):
    schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = required
    text = (kind.__doc__ or "").strip()
    if text and not text.startswith(kind.__name__ + "(") and not is_typed_dict(kind):
        schema["description"] = text
    return schema


def inlined(schema):
    """Replaces references to $defs by what they refer to. A type that contains itself is any object at the second level."""
    definitions = schema.get("$defs") or schema.get("definitions") or {}

    def walk(node, above):
        if isinstance(node, list):
            return [walk(item, above) for item in node]
        if not isinstance(node, dict):
            return node
        name = str(node.get("$ref", "")).rsplit("/", 1)[-1]
        if name in definitions:
            extra = {key: walk(value, above) for key, value in node.items() if key != "$ref"}
            return {**({"type": "object"} if name in above else walk(definitions[name], (*above, name))), **extra}
        return {key: walk(value, above) for key, value in node.items() if key not in ("$defs", "definitions")}

    return _untitled(walk(schema, ()))


def _untitled(node, is_map=False):
    """Removes the titles that pydantic generates, which only cost tokens."""
    if isinstance(node, list):
        return [_untitled(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if is_map or key != "title" or not isinstance(value, str)}
    return {key: _untitled(value, key == "properties") for key, value in kept.items()}


ARGUMENTS = re.compile(r"^[ \t]*(Args|Arguments|Parameters|Params|Keyword Args)[ \t]*:?[ \t]*$", re.IGNORECASE)
SECTION = re.compile(r"^(Returns?|Raises|Yields?|Examples?|Notes?|Warnings?|See Also|References|Attributes)[ \t]*:?[ \t]*$", re.IGNORECASE)
GOOGLE = re.compile(r"^\*{0,2}(\w+)[ \t]*(\([^)]*\))?[ \t]*:[ \t]*(.*)$")
SPHINX = re.compile(r"^:param[ \t]+(?:[^:]*[ \t])?(\w+)[ \t]*:[ \t]*(.*)$")
NUMPY = re.compile(r"^(\w+)[ \t]*:[ \t]*\S.*$|^(\w+)$")


def docstring_of(text):
    """Splits a docstring into the description and the texts of its arguments."""
    lines = inspect.cleandoc(text or "").splitlines()
    kept, arguments, index = [], {}, 0
    while index < len(lines):
        sphinx = SPHINX.match(lines[index])
        if sphinx:
            arguments[sphinx.group(1)] = sphinx.group(2)
            index += 1
            while index < len(lines) and lines[index].startswith((" ", "\t")):
                arguments[sphinx.group(1)] += " " + lines[index].strip()
                index += 1
        elif ARGUMENTS.match(lines[index]) and index + 1 < len(lines):
            is_numpy = set(lines[index + 1].strip()) == {"-"}
            index = _numpy(lines, index + 2, arguments) if is_numpy else _google(lines, index + 1, arguments)
        else:
            kept.append(lines[index])
            index += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), {name: text.strip() for name, text in arguments.items()}


def _google(lines, index, arguments):
    indent, name = None, None
    while index < len(lines):
        line = lines[index]
        if line.strip():
            depth = len(line) - len(line.lstrip())
            if depth == 0:
                break
            indent = depth if indent is None else indent
            found = GOOGLE.match(line.strip()) if depth <= indent else None
            if found:
                name = found.group(1)
                arguments[name] = found.group(3)
            elif name:
                arguments[name] += " " + line.strip()
        index += 1
    return index


def _numpy(lines, index, arguments):
    name = None
    while index < len(lines):
        line = lines[index]
        if SECTION.match(line) and index + 1 < len(lines) and set(lines[index + 1].strip()) == {"-"}:
            break
        found = NUMPY.match(line)
        if found:
            name = found.group(1) or found.group(2)
            arguments[name] = ""
        elif line.strip() and name:
            arguments[name] += " " + line.strip()
        index += 1
    return index


def coerce(value, annotation):
    """Turns a JSON value into the type of an annotation. A value of another type is an error only where the type is needed."""
    if is_annotated(annotation):
        return coerce(value, annotation.__origin__)
    if is_union(annotation):
        return _coerce_union(value, typing.get_args(annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        if value not in arguments:
            raise ValueError(f"{value!r} is not one of {', '.join(map(repr, arguments))}")
        return value
    if origin in LISTS or origin is tuple:
        if not isinstance(value, (list, tuple, set)):
            raise ValueError(f"{value!r} is not a list")
        if origin is tuple and arguments and arguments[-1] is not ...:
            return tuple(coerce(item, kind) for item, kind in zip(value, arguments))
        items = [coerce(item, arguments[0]) for item in value] if arguments else list(value)
        return origin(items) if origin in (set, frozenset, tuple) else items
    if origin in MAPS:
        if not isinstance(value, dict):
            raise ValueError(f"{value!r} is not an object")
        return {key: coerce(item, arguments[1]) for key, item in value.items()} if len(arguments) == 2 else value
    if hasattr(annotation, "__supertype__"):
        return coerce(value, annotation.__supertype__)
    return _coerce_class(value, annotation)


def _coerce_union(value, members):
    if value is None and NONE in members:
        return None
    problem = None
    exact = [member for member in members if is_class(member) and type(value) is member]
    for member in exact or [member for member in members if member is not NONE]:
        try:
            return coerce(value, member)
        except (ValueError, TypeError) as error:
            problem = error
    raise problem or ValueError(f"{value!r} has the wrong type")


def _coerce_class(value, kind):
    if not is_class(kind) or kind is object:
        return value
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    if hasattr(kind, "__fields__") and hasattr(kind, "parse_obj"):
        return value if isinstance(value, kind) else kind.parse_obj(value)
    if is_typed_dict(kind):
        hints = hints_of(kind)
        return {key: coerce(item, hints[key]) if key in hints else item for key, item in value.items()}
    if isinstance(value, kind) and not isinstance(value, bool):
        return value
    if dataclasses.is_dataclass(kind) and isinstance(value, dict):
        hints = hints_of(kind)
        return kind(**{key: coerce(item, hints[key]) if key in hints else item for key, item in value.items()})
    if issubclass(kind, tuple) and hasattr(kind, "_fields") and isinstance(value, dict):
        return kind(**value)
    if issubclass(kind, enum.Enum):
        return _enum_member(value, kind)
    name = name_of(kind)
    if name in ("datetime.datetime", "datetime.date", "datetime.time") and isinstance(value, str):
        return kind.fromisoformat(value[:-1] + "+00:00" if value.endswith("Z") and name == "datetime.datetime" else value)
    if name == "datetime.timedelta" and isinstance(value, (int, float)):
        return kind(seconds=value)
    if name in ("decimal.Decimal", "uuid.UUID"):
        return kind(str(value))
    if isinstance(value, str) and any(name_of(known) == "pathlib.PurePath" for known in kind.__mro__):
        return kind(value)
    return _coerce_plain(value, kind)


def _coerce_plain(value, kind):
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind is int and isinstance(value, float) and value.is_integer():
        return int(value)
    if kind in (int, float) and isinstance(value, str):
        return kind(value)
    if kind in (set, frozenset, tuple) and isinstance(value, list):
        return kind(value)
    if kind is bytes and isinstance(value, str):
        return value.encode()
    if kind in (str, int, float, bool, list, dict) and not isinstance(value, kind):
        raise ValueError(f"{value!r} is not of the type {kind.__name__}")
    return value


def _enum_member(value, kind):
    for member in kind:
        if member.value == value or member.name == value:
            return member
    raise ValueError(f"{value!r} is not one of {', '.join(repr(member.value) for member in kind)}")
