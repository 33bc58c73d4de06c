"""Downloads from a hub on loopback."""

import json
import os
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

HUB = """
import sys
from pathlib import Path
from reasonrl.data.benchmarks import load_benchmark
from reasonrl.errors import DataError
try:
    print(len(load_benchmark(sys.argv[1])))
except DataError as error:
    sys.exit(str(error))
"""


class Hub(SimpleHTTPRequestHandler):
    """Serve files under the addresses of the hub, with the headers that its client needs."""

    def send_head(self):
        name = self.path.rpartition("/resolve/main/")[2]
        if not (path := self.server.files / name).is_file():
            self.send_error(404)
            return None
        self.send_response(200)
        self.send_header("Content-Length", str(path.stat().st_size))
        self.send_header("ETag", '"0123"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()
        return path.open("rb")

    def log_message(self, *_):
        pass


@pytest.fixture
def hub(tmp_path):
    """A hub on loopback; the function fetches a benchmark from it in a process of its own."""
    files = tmp_path / "files"
    files.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.files = files
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environment = os.environ | {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HOME": str(tmp_path / "home"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
    run = partial(subprocess.run, capture_output=True, text=True, check=False, timeout=60)
    yield (
        files,
        lambda name, **more: run([sys.executable, "-c", HUB, name], env=environment | more),
    )
    server.shutdown()
    server.server_close()


def test_a_benchmark_comes_from_the_hub_and_then_from_its_cache(hub):
    files, fetch = hub
    row = {"problem": "1 + 1?", "answer": "2"}
    (files / "test.jsonl").write_text((json.dumps(row) + "\n") * 30)
    done = fetch("aime25")
    assert (done.returncode, done.stdout.strip()) == (0, "30"), done.stderr
    (files / "test.jsonl").unlink()
    again = fetch("aime25", HF_HUB_OFFLINE="1")
    assert (again.returncode, again.stdout.strip()) == (0, "30"), again.stderr


def test_what_the_hub_does_not_have_is_said_with_a_way_out(hub):
    _, fetch = hub
    done = fetch("aime25")
    assert done.returncode == 1
    assert "cannot fetch aime25 from the hub" in done.stderr
    assert "--data DIR" in done.stderr
