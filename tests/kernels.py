"""Real kernels, with JupyterLab's queries."""

import contextlib
import time
from queue import Empty

from jupyter_client import KernelManager


class Kernel:
    """One kernel; cells run and are counted, expressions are evaluated silently, in a subshell on request."""

    def __init__(self, environment, cwd):
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=environment, cwd=str(cwd))
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=120)
        self._replies = {}

    def run(self, *cells, check=True):
        """Run cells as a front end does; the last one's printed text."""
        said = []
        for cell in cells:
            said.clear()
            reply = self.client.execute_interactive(cell, timeout=180, output_hook=said.append, store_history=True)
            if check and reply["content"]["status"] != "ok":
                raise AssertionError(f"{cell}\n{reply['content']}")
        return "".join(one["content"].get("text", "") for one in said if one["msg_type"] == "stream")

    def begin(self, cell):
        """Have a cell run, and return at once."""
        return self.client.execute(cell, store_history=True)

    def ask(self, function, *arguments, subshell=None, timeout=180):
        """The value of one of the bridge's expressions, as JupyterLab reads it; and its output: none."""
        return self.result(self.begin_asking(function, *arguments, subshell=subshell), timeout)

    def begin_asking(self, function, *arguments, subshell=None):
        called = ", ".join(map(repr, arguments))
        place = "__import__('jupyter_deploy.faces.kernel.lab_bridge', fromlist=['bridge'])"
        content = {
            "code": "", "silent": True, "store_history": False, "allow_stdin": False, "stop_on_error": False,
            "user_expressions": {"asked": f"{place}.{function}({called})"},
        }  # fmt: skip
        message = self.client.session.msg("execute_request", content)
        if subshell is not None:
            message["header"]["subshell_id"] = subshell
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def result(self, asked, timeout=180):
        """The JSON of an evaluated expression."""
        content = self.reply(asked, timeout)
        assert content["status"] == "ok", content
        shown = content["user_expressions"]["asked"]
        assert shown["status"] == "ok", "\n".join(shown["traceback"])
        return shown["data"]["application/json"]

    def reply(self, asked, timeout=180):
        """The reply to one message, whatever comes before it."""
        until = time.monotonic() + timeout
        while asked not in self._replies:
            with contextlib.suppress(Empty):
                message = self.client.shell_channel.get_msg(timeout=1)
                self._replies[message["parent_header"]["msg_id"]] = message["content"]
            assert time.monotonic() < until, f"no reply to {asked}"
        return self._replies.pop(asked)

    def printed(self):
        """What the kernel has published until now, but its state."""
        found = []
        with contextlib.suppress(Empty):
            while True:
                message = self.client.iopub_channel.get_msg(timeout=0.5)
                if message["msg_type"] not in ("status", "execute_input"):
                    found.append(message)
        return found

    def subshell(self):
        """A new subshell's id."""
        message = self.client.session.msg("create_subshell_request", {})
        self.client.control_channel.send(message)
        while True:
            reply = self.client.control_channel.get_msg(timeout=60)
            if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                return reply["content"]["subshell_id"]

    def interrupt(self):
        self.manager.interrupt_kernel()

    def close(self):
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def kernel(environment, cwd):
    """A kernel that is gone afterwards."""
    cwd.mkdir(parents=True, exist_ok=True)
    made = Kernel(environment, cwd)
    try:
        yield made
    finally:
        made.close()
