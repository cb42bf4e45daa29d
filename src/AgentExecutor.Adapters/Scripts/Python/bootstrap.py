import json, os, sys, types
source = os.fdopen(os.dup(0), "rb")
start = json.loads(source.read(int(source.readline())))
for name, text in start.pop("modules"):
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, f"<{name}>", "exec"), vars(module))
sys.modules["agent_executor_runner"].main(source, start)
