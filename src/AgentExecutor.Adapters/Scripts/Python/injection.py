"""What the runtime passes to a tool."""

import inspect

import agent_executor_kinds as kinds
import agent_executor_results as results
import agent_executor_standins as standins
import agent_executor_tools as tools


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
        standins.set_current({"config": self.config, "stream_writer": print, "store": None, "runtime": self.runtime(kinds.ToolRuntime)})

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
        return kinds.CallbackManagerForToolRun() if kind == "callbacks" else None

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
