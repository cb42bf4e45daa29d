"""Turns what a tool returns into its result and the updates of the state, as JSON."""

import dataclasses
import enum
import json
import math


CALL = "the tool's result"


class ResultError(Exception):
    """What a tool returned cannot be used."""


def outcome_of(value, call_id, response_format="content"):
    """Returns {"content", "is_error", "updates"} for what a tool returned."""
    if response_format == "content_and_artifact" and isinstance(value, (tuple, list)) and len(value) == 2:
        value = value[0]
    if is_command(value):
        return _of_commands([value], call_id)
    if isinstance(value, (list, tuple)) and any(is_command(item) for item in value):
        return _of_commands(value, call_id)
    if is_message(value):
        return {"content": text_of(value.content), "is_error": getattr(value, "status", "") == "error", "updates": []}
    return {"content": text_of(value), "is_error": False, "updates": []}


def is_command(value):
    return type(value).__name__ == "Command" and hasattr(value, "update") and hasattr(value, "goto")


def is_message(value):
    return hasattr(value, "content") and hasattr(value, "type") and isinstance(getattr(value, "type"), str) and not isinstance(value, dict)


def _of_commands(values, call_id):
    updates, messages = [], []
    for value in values:
        if is_message(value):
            messages.append(value)
        elif is_command(value):
            _refuse(value)
            for channel, update in _pairs(value.update):
                if channel == "messages":
                    messages.extend(update if isinstance(update, (list, tuple)) else [update])
                else:
                    updates.append([channel, plain(update, f"the update of '{channel}'")])
        else:
            raise ResultError("the tool returned a list of commands and other values; return one Command")
    answer, others = None, []
    for message in [message_json(message) for message in messages]:
        if answer is None and message.get("type") == "tool" and message.get("tool_call_id") == call_id:
            answer = message
        else:
            others.append(message)
    if others:
        updates.append(["messages", others])
    content = text_of(answer["content"]) if answer else ""
    return {"content": content, "is_error": bool(answer) and answer.get("status") == "error", "updates": updates}


def _refuse(command):
    if command.goto:
        raise ResultError("Command(goto=...) cannot be used in a tool; the agent decides what follows. Return Command(update=...)")
    if command.resume is not None:
        raise ResultError("Command(resume=...) cannot be used in a tool. Return Command(update=...)")
    if getattr(command, "graph", None) is not None:
        raise ResultError("Command(graph=...) cannot be used in a tool. Return Command(update=...)")


def _pairs(update):
    if update is None:
        return []
    if isinstance(update, dict):
        return list(update.items())
    if hasattr(update, "model_dump"):
        return list(update.model_dump().items())
    if dataclasses.is_dataclass(update):
        return [(field.name, getattr(update, field.name)) for field in dataclasses.fields(update)]
    if isinstance(update, (list, tuple)) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in update):
        return [tuple(pair) for pair in update]
    raise ResultError(f"the update of a Command is of the type {type(update).__name__}; return a dictionary by channel")


ROLES = {"user": "human", "assistant": "ai", "developer": "system"}


def message_json(message):
    """Returns a message as a dictionary."""
    if isinstance(message, str):
        return {"type": "human", "content": message}
    if isinstance(message, (tuple, list)) and len(message) == 2:
        return {"type": ROLES.get(message[0], message[0]), "content": plain(message[1], CALL)}
    if isinstance(message, dict):
        kind = message.get("type") or message.get("role")
        return {**plain(message, "a message"), "type": ROLES.get(kind, kind)}
    if not is_message(message):
        raise ResultError(f"'messages' contains a value of the type {type(message).__name__}, which is not a message")
    found = {"type": message.type, "content": plain(message.content, "a message")}
    for name in ("id", "name", "tool_call_id", "status", "tool_calls"):
        value = getattr(message, name, None)
        if value:
            found[name] = plain(value, "a message")
    return found


def text_of(value):
    """Returns the text of a result for the model: text as it is, other values as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, dict) and part.get("type") == "text" for part in value):
        return "\n".join(str(part.get("text", "")) for part in value)
    return json.dumps(plain(value, CALL), ensure_ascii=False, allow_nan=False)


def plain(value, where, depth=0):
    """Returns a value that JSON can express, or raises ResultError."""
    if depth > 60:
        raise ResultError(f"{where} is nested too deeply, or contains itself")
    if value is None or isinstance(value, (str, bool)):
        return value.value if isinstance(value, enum.Enum) else value
    if isinstance(value, enum.Enum):
        return plain(value.value, where, depth + 1)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ResultError(f"{where} contains {value}, which JSON cannot express; return None or a text instead")
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, dict):
        return {_key(key, where): plain(item, where, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)) and not hasattr(value, "_asdict"):
        return [plain(item, where, depth + 1) for item in value]
    if is_message(value):
        return message_json(value)
    for method in ("model_dump", "_asdict", "tolist"):
        if hasattr(value, method) and not isinstance(value, type):
            return plain(getattr(value, method)(), where, depth + 1)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name), where, depth + 1) for field in dataclasses.fields(value)}
    if type(value).__str__ is not object.__str__ and not isinstance(value, type):
        return str(value)
    raise ResultError(f"{where} contains a value of the type {type(value).__name__}, which is not JSON; return text or JSON values")


def _key(key, where):
    if isinstance(key, enum.Enum):
        key = key.value
    if isinstance(key, (str, int, bool, type(None))) or (isinstance(key, float) and math.isfinite(key)):
        return key if isinstance(key, str) else json.dumps(key)
    return plain_text(key, where)


def plain_text(key, where):
    text = plain(key, where)
    return text if isinstance(text, str) else json.dumps(text)
