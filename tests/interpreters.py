"""Interpreters that tests start once and fork for each script, because importing torch takes seconds.

A child runs its script in a process of its own: what it imports, sets or breaks is gone with it. The server has
imported libraries only, so that a child imports this package, or does not find it, as a cold interpreter would.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_KEPT = ("PATH", "SYSTEMROOT", "TMPDIR", "LD_LIBRARY_PATH", "LANG", "LC_ALL")

# Reads requests, one JSON object a line, and answers each with one; the child's output goes to files.
_SERVER = """
import json, os, shutil, signal, sys, tempfile, time, traceback
requests, answers = sys.stdin, os.fdopen(os.dup(1), "w")
sys.stdin = open(os.devnull)
os.dup2(2, 1)
for line in {preload!r}.splitlines():
    exec(line)
if {purge!r}:
    for name in [name for name in sys.modules if name.split(".")[0] == {purge!r}]:
        del sys.modules[name]
modules_cache = os.path.join(os.environ["HF_HOME"], "modules")
for request in map(json.loads, requests):
    shutil.rmtree(modules_cache, ignore_errors=True)
    folder = tempfile.mkdtemp()
    paths = [os.path.join(folder, name) for name in ("out", "err")]
    child = os.fork()
    if child == 0:
        code = 1
        try:
            for number, path in enumerate(paths, start=1):
                os.dup2(os.open(path, os.O_CREAT | os.O_WRONLY), number)
            os.chdir(request["cwd"])
            sys.argv = ["-c", *request["arguments"]]
            exec(compile(request["script"], "<script>", "exec"), {{"__name__": "__main__"}})
            code = 0
        except SystemExit as exit:
            code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
            if isinstance(exit.code, str):
                print(exit.code, file=sys.stderr)
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    deadline = time.monotonic() + request["timeout"]
    while (status := os.waitpid(child, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.005)
    answer = [os.waitstatus_to_exitcode(status[1])]
    for path in paths:
        with open(path, encoding="utf-8") as file:
            answer.append(file.read())
    shutil.rmtree(folder)
    print(json.dumps(answer), file=answers, flush=True)
"""


def package_environment() -> dict[str, str]:
    """This process's environment, for an interpreter that finds the package wherever it is started."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def bare_environment(home: Path) -> dict[str, str]:
    """An environment without this package: offline, with an empty cache in `home`; for an interpreter with `-S`."""
    return {
        **{name: os.environ[name] for name in _KEPT if name in os.environ},
        "HOME": str(home),
        "HF_HOME": str(home / "huggingface"),
        "HF_HUB_OFFLINE": "1",
        "HF_EVALUATE_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_NUM_THREADS": "1",
        # An editable installation adds the repository to the path; -S leaves that out, and this brings the rest back.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path.rstrip("/").endswith("site-packages")),
    }


class Interpreter:
    """A process that forks a child for each script.

    Args:
        home: an empty folder, for caches.
        preload: import statements, one a line, that it has run.
        purge: name of a package that is forgotten again, so that a child imports it anew with all its requirements
            already there.
        path: folders in front of the path of the children.
        packages: a folder of packages in place of those that are installed here.
    """

    def __init__(
        self, home: Path, preload: str, purge: str = "", path: Sequence[Path] = (), packages: Path | None = None
    ):
        environment = bare_environment(home)
        if packages is not None:
            environment["PYTHONPATH"] = str(packages)
        environment["PYTHONPATH"] = os.pathsep.join([*map(str, path), environment["PYTHONPATH"]])
        self._home = home
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-W", "error::ImportWarning", "-c", _SERVER.format(preload=preload, purge=purge)],
            cwd=home,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def run(
        self, script: str, *arguments: str, cwd: Path | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[str]:
        """Runs a script in a child, from `cwd`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request = {"script": script, "arguments": arguments, "cwd": str(cwd or self._home), "timeout": timeout}
        print(json.dumps(request), file=self._process.stdin, flush=True)
        code, out, err = json.loads(self._process.stdout.readline())
        return subprocess.CompletedProcess([sys.executable, "-c", script, *arguments], code, out, err)

    def check(self, script: str, *arguments: str, cwd: Path | None = None) -> str:
        """As [`run`], of a script that must succeed; returns what it printed."""
        result = self.run(script, *arguments, cwd=cwd)
        assert result.returncode == 0, result.stderr[-4000:]
        assert "already registered" not in result.stderr
        return result.stdout

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
