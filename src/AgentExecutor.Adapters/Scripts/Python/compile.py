import binascii, json, marshal, sys
source = sys.stdin.buffer
start = json.loads(source.read(int(source.readline())))
codes = [[name, compile(text, f"<{name}>", "exec")] for name, text in start["modules"]]
modules = [[name, binascii.b2a_base64(marshal.dumps(code), newline=False).decode()] for name, code in codes]
answer = json.dumps({"version": sys.version, "modules": modules}).encode()
sys.stdout.buffer.write(b"%d\n%s" % (len(answer), answer))
