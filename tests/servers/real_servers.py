"""Real server processes in the folder that `setup.sh` made."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_S = 300.0
STOP_S = 20.0


@dataclass(frozen=True, kw_only=True)
class RealServer:
    """A server that runs.

    Attributes:
        base_url: Its address.
        model: The name of its model.
    """

    base_url: str
    model: str


def command(kind: str, folder: Path, port: int) -> list[str]:
    """Returns the command line of a server."""
    python = str(folder / kind / "bin" / "python")
    address = ["--host", "127.0.0.1", "--port", str(port)]
    if kind == "vllm":
        # `vllm serve` looks for a distribution of that name; this one has another.
        module = ["-m", "vllm.entrypoints.openai.api_server"]
        model = ["--model", str(folder / "smollm2"), "--served-model-name", "smollm2"]
        small = ["--dtype", "bfloat16", "--max-model-len", "2048", "--max-num-seqs"]
        return [python, *module, *model, *address, *small, "8", "--enforce-eager"]
    if kind == "llama-cpp-python":
        module = ["-m", "llama_cpp.server", "--model", str(folder / "smollm2.gguf")]
        settings = ["--model_alias", "smollm2", "--n_ctx", "2048"]
        threads = ["--n_threads", "1", "--n_threads_batch", "1", "--logits_all", "true"]
        return [python, *module, *settings, *threads, *address]
    serve = [str(folder / kind / "bin" / "transformers"), "serve"]
    device = ["--device", "cpu", "--dtype", "bfloat16"]
    return [*serve, str(folder / "smollm2"), *address, *device]


VARIABLES: Mapping[str, str] = {
    "HF_HUB_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}


@contextmanager
def running(kind: str, folder: Path, log: Path) -> Iterator[RealServer]:
    """Runs a server while the `with` block lasts."""
    port = free_port()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command(kind, folder, port),
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **VARIABLES},
            start_new_session=True,
        )
    try:
        base_url = f"http://127.0.0.1:{port}/v1"
        wait_until_ready(f"{base_url}/models", process, log)
        is_named = kind != "transformers"
        model = "smollm2" if is_named else str(folder / "smollm2")
        yield RealServer(base_url=base_url, model=model)
    finally:
        stop(process)


def free_port() -> int:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        return int(reserved.getsockname()[1])


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with opener.open(url, timeout=5.0):
                return
        except urllib.error.HTTPError as error:
            error.close()
            return  # It is there; not every server has a list of models.
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.5)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"The server did not start: {tail}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server and what it started."""
    for signal in (15, 9):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)


def is_set_up(kind: str, folder: Path) -> bool:
    return (folder / kind / "bin" / "python").exists()
