"""A small stand-in for pydantic, for models that describe the arguments of tools.

It is used as the module "pydantic" where pydantic is not installed, and it is the base of the stand-in tools.
Supported are typed fields with defaults and constraints, nested models, validators, and dumps to dictionaries and JSON.
"""

import json
import typing

from agent_executor_schemas import coerce, hints_of, schema_of

_MISSING = object()
_OPEN = []


class ValidationError(ValueError):
    """Lists what is wrong with the values of a model."""

    def __init__(self, title, problems):
        self.title = title
        self.problems = problems
        super().__init__("; ".join(f"{title}.{name}: {text}" for name, text in problems))

    def errors(self):
        return [{"loc": (name,), "msg": text} for name, text in self.problems]


class FieldInfo:
    """What Field() says about a field."""

    def __init__(self, default=_MISSING, **options):
        self.default_factory = options.pop("default_factory", None)
        self.default = _MISSING if default is ... else default
        self.description = options.get("description")
        self.alias = options.get("alias")
        self.options = options

    def is_required(self):
        return self.default is _MISSING and self.default_factory is None

    def get_default(self):
        return self.default_factory() if self.default_factory is not None else self.default


def Field(default=_MISSING, **options):
    return FieldInfo(default, **options)


class ModelPrivateAttr:
    def __init__(self, default=None, default_factory=None):
        self.default = default
        self.default_factory = default_factory


def PrivateAttr(default=None, *, default_factory=None):
    return ModelPrivateAttr(default, default_factory)


def ConfigDict(**options):
    return options


def _marker(kind):
    def decorate(*names, **options):
        def mark(function):
            plain = function.__func__ if isinstance(function, (classmethod, staticmethod)) else function
            plain.__agent_executor_validator__ = (kind, names, options.get("mode", "before" if options.get("pre") else "after"))
            return function

        return mark

    return decorate


field_validator = _marker("field")
validator = _marker("field")
model_validator = _marker("model")


def root_validator(*functions, **options):
    if functions:
        functions[0].__agent_executor_validator__ = ("root", (), "after")
        return functions[0]
    return _marker("root")(**options)


def field_serializer(*_names, **_options):
    return lambda function: function


def computed_field(*functions, **_options):
    return functions[0] if functions else lambda function: function


CONSTRAINTS = {
    "ge": ("minimum", lambda value, limit: value >= limit, "must be at least {}"),
    "gt": ("exclusiveMinimum", lambda value, limit: value > limit, "must be greater than {}"),
    "le": ("maximum", lambda value, limit: value <= limit, "must be at most {}"),
    "lt": ("exclusiveMaximum", lambda value, limit: value < limit, "must be less than {}"),
    "min_length": (None, lambda value, limit: len(value) >= limit, "must have a length of at least {}"),
    "max_length": (None, lambda value, limit: len(value) <= limit, "must have a length of at most {}"),
}


def _default_of(info):
    """Returns the default of a field of this module or of pydantic, or _MISSING."""
    factory = getattr(info, "default_factory", None)
    if factory is not None:
        return factory()
    default = getattr(info, "default", _MISSING)
    return _MISSING if default is ... or type(default).__name__ == "PydanticUndefinedType" else default


class BaseModel:
    """Has the annotated attributes of its class as fields."""

    model_config = {}

    def __init__(self, **values):
        kind = type(self)
        for validate in _validators(kind, "model", "before") + _validators(kind, "root", "before"):
            values = _call(validate, kind, values)
        problems = []
        for name, (annotation, info) in kind.__agent_executor_fields__().items():
            key = info.alias if isinstance(info, FieldInfo) and info.alias in values else name
            try:
                if key in values:
                    value = values[key]
                    for validate in _validators(kind, "field", "before", name):
                        value = _call(validate, kind, value)
                    value = coerce(value, annotation)
                    _check(value, info)
                else:
                    value = _default_of(info)
                    if value is _MISSING:
                        problems.append((name, "the value is missing"))
                        continue
                for validate in _validators(kind, "field", "after", name) if key in values else []:
                    value = _call(validate, kind, value)
            except (ValueError, TypeError, AssertionError) as error:
                problems.append((name, str(error)))
                continue
            object.__setattr__(self, name, value)
        if problems:
            raise ValidationError(kind.__name__, problems)
        self.__agent_executor_set__(values)
        for validate in _validators(kind, "model", "after"):
            validate(self)
        if hasattr(self, "model_post_init"):
            self.model_post_init(None)

    def __agent_executor_set__(self, values):
        """Sets private attributes, and values without a field where the model allows them."""
        kind = type(self)
        fields = kind.__agent_executor_fields__()
        self.model_fields_set = {name for name in fields if name in values}
        for owner in reversed(kind.__mro__):
            for name, value in list(vars(owner).items()):
                if type(value).__name__ == "ModelPrivateAttr":
                    default = value.default_factory() if value.default_factory else value.default
                    object.__setattr__(self, name, default)
        extra = kind.model_config.get("extra") if isinstance(kind.model_config, dict) else None
        unknown = [name for name in values if name not in fields]
        if extra == "forbid" and unknown:
            raise ValidationError(kind.__name__, [(name, "there is no such field") for name in unknown])
        if extra == "allow":
            for name in unknown:
                object.__setattr__(self, name, values[name])

    @classmethod
    def __agent_executor_fields__(cls):
        """Returns the fields: name -> (annotation, field info)."""
        found = cls.__dict__.get("__agent_executor_cache__")
        if found is None:
            found = {}
            for name, annotation in hints_of(cls).items():
                if name.startswith("_") or name in ("model_config", "model_fields_set") or typing.get_origin(annotation) is typing.ClassVar:
                    continue
                value = _attribute(cls, name)
                info = value if hasattr(value, "default_factory") and hasattr(value, "default") else FieldInfo(value)
                if typing.get_origin(annotation) is typing.Annotated or hasattr(annotation, "__metadata__"):
                    for extra in annotation.__metadata__:
                        if isinstance(extra, FieldInfo):
                            extra.default = value if value is not _MISSING and value is not extra else extra.default
                            info = extra
                found[name] = (annotation, info)
            cls.__agent_executor_cache__ = found
        return found

    @classmethod
    def model_validate(cls, value):
        return value if isinstance(value, cls) else cls(**value)

    parse_obj = model_validate

    @classmethod
    def model_validate_json(cls, text):
        return cls(**json.loads(text))

    parse_raw = model_validate_json

    @classmethod
    def model_json_schema(cls, **_options):
        if cls in _OPEN:
            return {"type": "object"}  # a model that contains itself
        _OPEN.append(cls)
        try:
            return cls.__agent_executor_schema__()
        finally:
            _OPEN.remove(cls)

    @classmethod
    def __agent_executor_schema__(cls):
        properties, required = {}, []
        for name, (annotation, info) in cls.__agent_executor_fields__().items():
            schema = schema_of(annotation)
            _describe(schema, info)
            default = _default_of(info)
            if default is _MISSING:
                required.append(name)
            elif default is not None and getattr(info, "default_factory", None) is None:
                try:
                    schema.setdefault("default", json.loads(json.dumps(_plain(default), allow_nan=False)))
                except (TypeError, ValueError):
                    pass
            properties[name] = schema
        schema = {"type": "object", "properties": properties}
        if required:
            schema["required"] = required
        if cls.__doc__ and cls.__doc__ != BaseModel.__doc__:
            schema["description"] = cls.__doc__.strip()
        return schema

    schema = model_json_schema

    def model_dump(self, exclude_none=False, exclude_unset=False, exclude=(), **_options):
        names = [name for name in type(self).__agent_executor_fields__() if name not in (exclude or ())]
        values = {name: _plain(getattr(self, name)) for name in names if not exclude_unset or name in self.model_fields_set}
        return {name: value for name, value in values.items() if value is not None or not exclude_none}

    dict = model_dump

    def model_dump_json(self, indent=None, **options):
        return json.dumps(self.model_dump(**options), default=str, ensure_ascii=False, indent=indent)

    json = model_dump_json

    def model_copy(self, update=None, **_options):
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.__dict__.update(update or {})
        return copy

    copy = model_copy

    def __eq__(self, other):
        return type(self) is type(other) and self.model_dump() == other.model_dump()

    def __hash__(self):
        return id(self)

    def __repr__(self):
        names = type(self).__agent_executor_fields__()
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name, None)!r}' for name in names)})"


class _Fields:
    """Makes the fields readable as model_fields of a class."""

    def __get__(self, _instance, owner):
        return {name: info for name, (_, info) in owner.__agent_executor_fields__().items()}


BaseModel.model_fields = _Fields()
RootModel = BaseModel


def _attribute(cls, name):
    for owner in cls.__mro__:
        if name in vars(owner):
            return vars(owner)[name]
    return _MISSING


def _describe(schema, info):
    if getattr(info, "description", None):
        schema["description"] = info.description
    options = getattr(info, "options", {})
    for name, limit in options.items():
        if name in ("min_length", "max_length"):
            noun = "Items" if schema.get("type") == "array" else "Length"
            schema[f"{name[:3]}{noun}"] = limit
        elif name in CONSTRAINTS:
            schema[CONSTRAINTS[name][0]] = limit
        elif name in ("pattern", "regex"):
            schema["pattern"] = limit
        elif name == "examples":
            schema["examples"] = limit


def _check(value, info):
    for name, limit in getattr(info, "options", {}).items():
        if name in CONSTRAINTS and value is not None and not CONSTRAINTS[name][1](value, limit):
            raise ValueError(f"the value {CONSTRAINTS[name][2].format(limit)}")


def _validators(cls, kind, mode, field=None):
    found = []
    for name in dir(cls):
        if name.startswith("__"):
            continue
        function = _attribute(cls, name)
        plain = function.__func__ if isinstance(function, (classmethod, staticmethod)) else function
        mark = getattr(plain, "__agent_executor_validator__", None)
        if mark and mark[0] == kind and mark[2] == mode and (field is None or field in mark[1] or "*" in mark[1]):
            found.append(plain)
    return found


def _call(function, cls, value):
    """Calls a validator. Validators of both major versions of pydantic take the class and the value first."""
    count = function.__code__.co_argcount
    return function(value) if count == 1 else function(cls, value) if count == 2 else function(cls, value, {})


def _plain(value):
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.value if hasattr(value, "value") and type(value).__mro__[-2].__name__ == "Enum" else value


def create_model(name, **fields):
    annotations, values = {}, {}
    for field, declared in fields.items():
        if field.startswith("__"):
            continue
        annotations[field], default = declared if isinstance(declared, tuple) else (type(declared), declared)
        if default is not ...:
            values[field] = default
    return type(name, (BaseModel,), {"__annotations__": annotations, **values})


def _constrained(base):
    def make(**options):
        return typing.Annotated[base, FieldInfo(**options)]

    return make


constr, conint, confloat = _constrained(str), _constrained(int), _constrained(float)
StrictStr, StrictInt, StrictBool, StrictFloat = str, int, bool, float
EmailStr = HttpUrl = AnyUrl = SecretStr = str
PositiveInt = conint(gt=0)
NonNegativeInt = conint(ge=0)
PositiveFloat = confloat(gt=0)
