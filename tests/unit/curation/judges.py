"""A judge on loopback that speaks the protocol of OpenAI, and can time out, fail and lie."""

import json
import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reasonrl.curation.ratings.quality import BAD

VALID, INVALID = "Nothing is wrong.\nRATING: VALID", "It lacks its options.\nRATING: INVALID"


def honest(prompt, _n):
    """Rate a prompt with a broken text, or with a problem that is known to be bad, as invalid."""
    is_bad = "broken" in prompt or any(known.problem in prompt for known in BAD)
    return INVALID if is_bad else VALID


@contextmanager
def judge(answer):
    """Serve a judge; yield its address and the requests that it got.

    `answer(prompt, n)` returns the text that answers the n-th request, or (status, body, headers),
    or the seconds to sleep before the connection is cut.
    """
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            prompt = body["messages"][0]["content"]
            asked.append((self.path, dict(self.headers), body))
            reply = answer(prompt, len(asked))
            if isinstance(reply, int | float):
                time.sleep(reply)
                self.connection.close()
                return
            status, text, headers = 200, reply, {}
            if isinstance(reply, tuple):
                status, text, headers = reply
            else:
                text = json.dumps({"choices": [{"message": {"content": reply}}]})
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with suppress(OSError):  # the client may have closed the connection
                self.wfile.write(text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", asked
    finally:
        server.shutdown()
        server.server_close()
