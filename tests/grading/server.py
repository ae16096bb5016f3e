"""JupyterLab with formgrader, as an instructor starts it."""

import http.cookiejar
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request

from lab import Lab


class Server:
    """JupyterLab as `tito course formgrader` starts it, and functions to send requests to it."""

    def __init__(self, lab: Lab, folder):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder.mkdir()
        (folder / "jupyter_server_config.py").write_text(
            f"c.ServerApp.port = {port}\nc.ServerApp.ip = '127.0.0.1'\nc.ServerApp.open_browser = False\n"
            "c.ServerApp.allow_root = True\nc.IdentityProvider.token = ''\nc.ServerApp.password = ''\n"
        )
        environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_DATA_DIR": str(folder / "data")}
        self.log = open(folder / "log", "w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tito", "course", "formgrader"],
            cwd=lab.root, env=environment, stdout=self.log, stderr=self.log, start_new_session=True,
        )  # fmt: skip
        self.address = f"http://127.0.0.1:{port}"
        self.cookies = http.cookiejar.CookieJar()
        self.browser = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(self.cookies)
        )

    def wait(self) -> None:
        until = time.monotonic() + 60
        while time.monotonic() < until and self.process.poll() is None:
            try:
                self.get("/formgrader")
                return
            except OSError:
                time.sleep(0.3)
        self.log.seek(0)
        raise AssertionError(self.log.read()[-3000:])

    def get(self, path: str) -> tuple[int, str]:
        with self.browser.open(self.address + path, timeout=60) as answer:
            return answer.status, answer.read().decode()

    def post(self, path: str) -> dict:
        token = next(cookie.value for cookie in self.cookies if cookie.name == "_xsrf")
        request = urllib.request.Request(self.address + path, data=b"{}", headers={"X-XSRFToken": token}, method="POST")
        with self.browser.open(request, timeout=120) as answer:
            return json.loads(answer.read())

    def stop(self) -> None:
        self.log.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, 15)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait(10)
