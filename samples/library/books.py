"""The HTTP service of the sample: a shelf of books. Usage: books.py PORT. Only needs Python."""
import http.server
import json
import sys
import urllib.parse

BOOKS = {"ada/1": {"title": "Notes on the Engine", "copies": 2}}
LOANS = {}


class Shelf(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        path, _, query = self.path.partition("?")
        book = BOOKS.get(urllib.parse.unquote(path.removeprefix("/books/")))
        if book is None:
            return self.answer(404, {"error": "there is no such book"})
        fields = urllib.parse.parse_qs(query).get("field", list(book))
        self.answer(200, {name: book[name] for name in fields})

    def do_POST(self):
        # A loan takes effect once for each key, so that a repeated request does not lend the book twice.
        loan = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        number = LOANS.setdefault(self.headers["Idempotency-Key"], len(LOANS) + 1)
        self.answer(201, {"loan": number, "reader": loan["reader"]})

    def answer(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Shelf)
print(f"books on http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
