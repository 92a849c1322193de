"""Completions that are shared between runs and processes."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cwm.core.errors import ConfigError, LLMError
from cwm.llm import completion_store
from cwm.llm.caching import CachedChatModel, PositionedCachedChatModel, cached
from cwm.llm.chat import ChatCompletion, ChatMessage, Positioned
from cwm.llm.notices import LLMWarning
from cwm.llm.openai_compatible import OpenAICompatibleModel
from cwm.llm.scripted import ScriptedChatModel
from tests.support.openai_client import MESSAGES, new_model
from tests.support.openai_server import OpenAIServer, Reply, answer, failure

PAID = answer("Hi.", prompt_tokens=11, completion_tokens=7)


class Counting:
    """Answers with the number of the call; says of itself what it is told to."""

    def __init__(self, **said: Any) -> None:
        self.num_calls = 0
        self.said = said
        self.name = "counting"

    def complete(
        self, messages: Sequence[ChatMessage], **settings: Any
    ) -> list[ChatCompletion]:
        self.num_calls += 1
        return [
            ChatCompletion(
                text=f"{self.num_calls}", prompt_tokens=5, completion_tokens=1, **said
            )
            for said in [self.said] * settings["num_completions"]
        ]


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_second_request_costs_nothing_and_says_what_it_saved(tmp_path: Path) -> None:
    with OpenAIServer([PAID]) as server:
        model = cached(new_model(server), tmp_path / "cache")
        (paid,) = model.complete(MESSAGES, seed=1)
        (free,) = model.complete(MESSAGES, seed=1)
        other_run = cached(new_model(server), tmp_path / "cache")
        assert other_run.complete(MESSAGES, seed=1) == [free]
    assert len(server.requests) == 1
    assert (paid.is_cached, paid.prompt_tokens, paid.completion_tokens) == (
        False,
        11,
        7,
    )
    assert free == ChatCompletion(
        text="Hi.",
        model="tiny",
        is_cached=True,
        saved_prompt_tokens=11,
        saved_completion_tokens=7,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"temperature": 0.1},
        {"max_tokens": 5},
        {"stop": ["END"]},
        {"num_completions": 2},
    ],
    ids=str,
)
def test_another_request_is_asked(tmp_path: Path, change: dict[str, Any]) -> None:
    inner = Counting()
    model = cached(inner, tmp_path)
    model.complete(MESSAGES, seed=1)
    model.complete(MESSAGES, **{"seed": 1, **change})
    assert inner.num_calls == 2


def test_same_model_at_another_endpoint_is_asked(tmp_path: Path) -> None:
    for _ in range(2):
        with OpenAIServer([PAID]) as server:
            cached(new_model(server), tmp_path).complete(MESSAGES, seed=1)
        assert len(server.requests) == 1


def test_request_without_a_seed_is_asked_each_time(tmp_path: Path) -> None:
    inner = Counting()
    model = cached(inner, tmp_path)
    texts = [model.complete(MESSAGES)[0].text for _ in range(3)]
    assert texts == ["1", "2", "3"]
    assert files(tmp_path) == []
    for _ in range(2):
        model.complete(MESSAGES, temperature=0.0)
    assert inner.num_calls == 4


def test_all_completions_of_a_request_are_kept(tmp_path: Path) -> None:
    model = cached(ScriptedChatModel(["a", "b", "c"]), tmp_path)
    model.complete(MESSAGES, num_completions=2, seed=1)
    again = model.complete(MESSAGES, num_completions=2, seed=1)
    assert [completion.text for completion in again] == ["a", "b"]


def test_errors_are_never_stored(tmp_path: Path) -> None:
    with OpenAIServer([failure(400, "No"), PAID]) as server:
        model = cached(new_model(server), tmp_path)
        with pytest.raises(LLMError, match="status 400"):
            model.complete(MESSAGES, seed=1)
        assert files(tmp_path) == []
        assert model.complete(MESSAGES, seed=1)[0].text == "Hi."
    assert len(server.requests) == 2


@pytest.mark.parametrize("reason", ["content_filter", None])
def test_completion_that_was_broken_off_is_not_stored(
    tmp_path: Path, reason: Any
) -> None:
    with OpenAIServer([answer("Hi", finish_reason=reason)]) as server:
        model = cached(new_model(server), tmp_path)
        for _ in range(2):
            assert not model.complete(MESSAGES, seed=1)[0].is_cached
    assert len(server.requests) == 2


def stored_entry(folder: Path) -> Path:
    cached(Counting(), folder).complete(MESSAGES, seed=1)
    (path,) = files(folder)
    return path


def spoil(path: Path, **changes: Any) -> None:
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, **changes}), encoding="utf-8")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda p: p.write_bytes(b""), "it is not whole"),
        (lambda p: p.write_bytes(p.read_bytes()[:-20]), "it is not whole"),
        (lambda p: p.write_bytes(b"\xff\xfe"), "it cannot be read"),
        (lambda p: p.write_text("[]"), "it is not a file of completions"),
        (lambda p: spoil(p, version=2), "it has version 2, not 1"),
        (lambda p: spoil(p, completions=[]), "its checksum does not match"),
        (
            lambda p: p.write_bytes(p.read_bytes().replace(b'"1"', b'"2"')),
            "its checksum does not match",
        ),
    ],
)
def test_damaged_entry_is_told_and_replaced(
    tmp_path: Path, damage: Any, reason: str
) -> None:
    damage(stored_entry(tmp_path))
    inner = Counting()
    model = cached(inner, tmp_path)
    with pytest.warns(LLMWarning, match=reason):
        assert not model.complete(MESSAGES, seed=1)[0].is_cached
    assert model.complete(MESSAGES, seed=1)[0].is_cached
    assert inner.num_calls == 1


def test_entry_of_another_request_is_not_used(tmp_path: Path) -> None:
    path = stored_entry(tmp_path)
    model = cached(Counting(), tmp_path)
    model.complete(MESSAGES, seed=2)
    (other,) = set(files(tmp_path)) - {path}
    path.rename(other)
    with pytest.warns(LLMWarning, match="it answers another request"):
        assert not model.complete(MESSAGES, seed=2)[0].is_cached


def test_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cache must be a folder that can be written"):
        cached(Counting(), tmp_path / "file" / "cache")


def test_answer_is_not_lost_where_it_cannot_be_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("cwm.llm.completion_store.write_atomically", full)
    model = cached(Counting(), tmp_path)
    with pytest.warns(LLMWarning, match="could not be stored .* No space left"):
        assert model.complete(MESSAGES, seed=1)[0].text == "1"


def test_same_request_from_several_threads_is_asked_once(tmp_path: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Counting):
        def complete(
            self, messages: Sequence[ChatMessage], **settings: Any
        ) -> list[ChatCompletion]:
            begun.set()
            assert go_on.wait(10.0)
            return super().complete(messages, **settings)

    inner = Slow()
    model = cached(inner, tmp_path)
    found: list[bool] = []

    def ask() -> None:
        found.append(model.complete(MESSAGES, seed=1)[0].is_cached)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    assert begun.wait(10.0)
    go_on.set()
    for thread in threads:
        thread.join()
    assert inner.num_calls == 1
    assert sorted(found) == [False, True, True, True]


def test_lock_of_a_file_that_was_removed_meanwhile_is_no_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.lock"
    open_file, opened = os.open, []

    def open_and_lose(name: Path, *how: int) -> int:
        opened.append(open_file(name, *how))
        if len(opened) == 1:
            path.unlink()  # Its holder has just finished.
        return opened[-1]

    monkeypatch.setattr("cwm.llm.completion_store.os.open", open_and_lose)
    descriptor = completion_store._lock(path, threading.Event())
    assert len(opened) == 2
    assert os.path.samestat(os.fstat(descriptor), path.stat())
    os.close(descriptor)


def test_who_waits_for_a_failure_asks_itself(tmp_path: Path) -> None:
    with OpenAIServer([failure(400, "No"), PAID]) as server:
        models = [cached(new_model(server), tmp_path) for _ in range(2)]
        with pytest.raises(LLMError):
            models[0].complete(MESSAGES, seed=1)
        assert models[1].complete(MESSAGES, seed=1)[0].text == "Hi."


def test_closing_ends_the_call_and_the_waiting_for_it(tmp_path: Path) -> None:
    with OpenAIServer([Reply(hangs=True)]) as server:
        asking = cached(new_model(server), tmp_path)
        waiting = cached(new_model(server), tmp_path)
        errors: list[str] = []

        def ask(model: CachedChatModel) -> None:
            with pytest.raises(LLMError) as caught:
                model.complete(MESSAGES, seed=1)
            errors.append(str(caught.value))

        threads = [threading.Thread(target=ask, args=[asking])]
        threads[0].start()
        server.wait_for_requests(1)
        threads.append(threading.Thread(target=ask, args=[waiting]))
        threads[1].start()
        waiting.close()
        threads[1].join(timeout=10.0)
        asking.close()
        threads[0].join(timeout=10.0)
        assert len(server.requests) == 1
    assert errors == ["The call to 'tiny' was given up: the model was closed."] * 2


def test_place_in_a_script_is_passed_on_and_only_there(tmp_path: Path) -> None:
    script = cached(ScriptedChatModel(["a", "b"]), tmp_path)
    assert isinstance(script, PositionedCachedChatModel)
    script.move_to(1)
    assert script.complete(MESSAGES, seed=1)[0].text == "b"
    assert not isinstance(cached(Counting(), tmp_path), Positioned)


def test_cached_model_is_what_the_other_one_is(tmp_path: Path) -> None:
    inner = OpenAICompatibleModel(
        model="tiny", base_url="http://localhost/v1", continue_prefix="on"
    )
    model = cached(inner, tmp_path)
    assert (model.name, model.identity) == ("tiny", inner.identity)
    assert model.continues_assistant


PROGRAM = """
import sys
from pathlib import Path
from cwm.llm.caching import cached
from cwm.llm.chat import ChatMessage
from cwm.llm.openai_compatible import OpenAICompatibleModel

model = cached(OpenAICompatibleModel(model="tiny", base_url=sys.argv[1]),
               Path(sys.argv[2]))
for seed in range(int(sys.argv[3])):
    (answer,) = model.complete([ChatMessage("user", "Hello?")], seed=seed)
    print(seed, answer.text, answer.is_cached, flush=True)
"""


def start(server: OpenAIServer, folder: Path, num: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, server.base_url, str(folder), str(num)],
        stdout=subprocess.PIPE,
        text=True,
    )


def echo(request: dict[str, Any]) -> Reply:
    time.sleep(0.02)
    return answer(f"answer-{request['seed']}")


def test_eight_processes_ask_for_each_completion_once(tmp_path: Path) -> None:
    with OpenAIServer(echo) as server:
        processes = [start(server, tmp_path, 12) for _ in range(8)]
        outputs = [process.communicate(timeout=120)[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 8
    assert sorted(request["seed"] for request in server.requests) == list(range(12))
    for output in outputs:
        texts = [line.split()[1] for line in output.splitlines()]
        assert texts == [f"answer-{seed}" for seed in range(12)]
    assert sum(output.count("False") for output in outputs) == 12
    assert [path.suffix for path in files(tmp_path)] == [".json"] * 12


KILLED = {
    "before it is on the disk": "os.fsync = lambda descriptor: os.kill(os.getpid(), 9)",
    "before it is in its place": "Path.replace = lambda *_: os.kill(os.getpid(), 9)",
}


@pytest.mark.parametrize("moment", KILLED)
def test_process_killed_while_it_writes_leaves_nothing_that_is_read(
    tmp_path: Path, moment: str
) -> None:
    program = PROGRAM.replace("model =", f"import os\n{KILLED[moment]}\nmodel =", 1)
    with OpenAIServer([PAID]) as server:
        done = subprocess.run(
            [sys.executable, "-c", program, server.base_url, str(tmp_path), "1"],
            check=False,
        )
        assert done.returncode == -signal.SIGKILL
        assert not [path for path in files(tmp_path) if path.suffix == ".json"]
        process = start(server, tmp_path, 1)
        output, _ = process.communicate(timeout=60)
    assert output == "0 Hi. False\n"
    assert len(server.requests) == 2


def test_killed_process_leaves_whole_entries_and_no_lock(tmp_path: Path) -> None:
    with OpenAIServer(echo) as server:
        for num_lines in (1, 3, 6):
            process = start(server, tmp_path, 200)
            assert process.stdout is not None
            for _ in range(num_lines):
                process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        entries = [p for p in files(tmp_path) if p.suffix == ".json"]
        asked = len(server.requests)
        assert len(entries) in (asked, asked - 1, asked - 2, asked - 3)
        num = len(entries) + 1
        process = start(server, tmp_path, num)
        output, _ = process.communicate(timeout=60)
    lines = output.splitlines()
    assert len(lines) == num
    assert sum("False" in line for line in lines) <= num - len(entries)
