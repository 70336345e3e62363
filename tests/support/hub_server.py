"""A local Hub: the part of its HTTP interface that the real client needs for downloads, and its cache layout."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

PLURAL = {"model": "models", "dataset": "datasets"}


def files_of(folder):
    """Return the files below a folder: relative path → bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def commit_of(files):
    """Return a commit hash computed from the contents."""
    return hashlib.sha1(
        repr(sorted((name, hashlib.sha1(data).hexdigest()) for name, data in files.items())).encode()
    ).hexdigest()


def put_in_cache(cache, kind, name, folder, *, leave_out=(), refs=("main",)):
    """Write a folder into a Hub cache in the layout of huggingface_hub; return the commit."""
    files = files_of(folder)
    commit = commit_of(files)
    repository = cache / "--".join([PLURAL[kind], *name.split("/")])
    for ref in refs:
        ref_file = repository / "refs" / ref
        ref_file.parent.mkdir(parents=True, exist_ok=True)
        ref_file.write_text(commit)
    for path, data in files.items():
        if path in leave_out:
            continue
        blob = repository / "blobs" / hashlib.sha256(data).hexdigest()
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        link = repository / "snapshots" / commit / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(blob)
    return commit


class HubServer:
    """HTTP server of repositories; `asked` lists every request, `gated` the names that need permission."""

    def __init__(self):
        self.repositories: dict[tuple[str, str], dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.gated: set[str] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self, body=True)

            def do_HEAD(self):
                server.answer(self, body=False)

            def log_message(self, *args):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"

    def close(self):
        """Stop the server."""
        self._http.shutdown()
        self._http.server_close()

    def put(self, kind, name, folder):
        """Serve a folder as a repository; return its commit."""
        self.repositories[kind, name] = files_of(folder)
        return commit_of(self.repositories[kind, name])

    def downloaded(self):
        """Return the names of the files whose content was requested."""
        return {line.rpartition("/")[2] for line in self.asked if line.startswith("GET ") and "/resolve/" in line}

    def answer(self, request, *, body):
        """Answer a request, with the headers only unless `body`."""
        path = unquote(urlsplit(request.path).path)
        self.asked.append(f"{'GET' if body else 'HEAD'} {path}")
        for pattern, reply in (
            (r"/api/(models|datasets)/(.+?)/revision/(.+)", self._info),
            (r"/api/(models|datasets)/(.+?)/tree/(\w+)", self._tree),
            (r"/(datasets/)?(.+?)/resolve/([^/]+)/(.+)", self._file),
        ):
            match = re.fullmatch(pattern, path)
            if match:
                status, headers, data = reply(*match.groups())
                break
        else:
            status, headers, data = 404, {}, b""
        request.send_response(status)
        for key, value in {**headers, "Content-Length": len(data)}.items():
            request.send_header(key, str(value))
        request.end_headers()
        if body:
            request.wfile.write(data)

    def _find(self, plural, name, revision):
        """Return the files of a repository and None, or None and the error reply."""
        kind = "dataset" if plural and plural.startswith("datasets") else "model"
        if name in self.gated:
            return None, (403, {"X-Error-Code": "GatedRepo"}, b"{}")
        files = self.repositories.get((kind, name))
        if files is None:
            return None, (404, {"X-Error-Code": "RepoNotFound"}, b"{}")
        if revision not in ("main", commit_of(files)):
            return None, (404, {"X-Error-Code": "RevisionNotFound"}, b"{}")
        return files, None

    def _info(self, plural, name, revision):
        files, refused = self._find(plural, name, revision)
        if files is None:
            return refused
        commit = commit_of(files)
        found = {
            "id": name,
            "modelId": name,
            "sha": commit,
            "private": False,
            "tags": [],
            "siblings": [{"rfilename": f} for f in files],
        }
        return 200, {"Content-Type": "application/json", "X-Repo-Commit": commit}, json.dumps(found).encode()

    def _tree(self, plural, name, revision):
        files, refused = self._find(plural, name, revision)
        if files is None:
            return refused
        rows = [
            {"type": "file", "path": f, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
            for f, data in files.items()
        ]
        return 200, {"Content-Type": "application/json"}, json.dumps(rows).encode()

    def _file(self, prefix, name, revision, path):
        files, refused = self._find(prefix, name, revision)
        if files is None:
            return refused
        if path not in files:
            return 404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit_of(files)}, b""
        data = files[path]
        return 200, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": commit_of(files)}, data
