"""The HTTP server of the recording: returns the exchange rate of {"from", "to"} to clients that send the key. Only needs Python."""
import http.server
import json

RATES = {"EUR": 1.0, "USD": 1.0842, "JPY": 162.37, "CHF": 0.9561}


class Desk(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer desk-key-4711":
            status, answer = 401, {"error": "the key is missing or wrong"}
        elif body["to"] not in RATES:
            status, answer = 404, {"error": f"there is no rate for {body['to']}"}
        else:
            status, answer = 200, {"pair": f"{body['from']}/{body['to']}", "rate": round(RATES[body["to"]] / RATES[body["from"]], 4)}
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


http.server.ThreadingHTTPServer(("127.0.0.1", 18099), Desk).serve_forever()
