"""A shared index in a real Redis server."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

import pytest

from curate.dedup import dedup, restore
from curate.errors import CurateError

SERVER = shutil.which("redis-server")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The address of a server of our own, with a password."""
    if SERVER is None:
        pytest.skip("redis-server is not installed (Debian: apt install redis-server)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    options += ["--requirepass", "s3cret"]
    with subprocess.Popen([SERVER, *options], stdout=subprocess.DEVNULL) as process:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"redis://:s3cret@127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def address(server):
    import redis

    redis.Redis.from_url(server).flushall()
    return f"{server}/0"


@pytest.fixture
def old(workspace, words):
    dialogue = [(("user", "assistant")[i % 2], words(i + 1, (40, 60)[i % 2])) for i in range(4)]
    return workspace([dialogue, [("user", words(5, 80))], [("user", words(6, 80))]], name="old", shard_rows=2)


@pytest.fixture
def new(workspace, words):
    changed = words(5, 80).split()
    changed[10] = "changed"
    return workspace(
        [
            [("user", words(6, 80))],
            [("user", " ".join(changed) + " and a bit longer")],
            [("user", words(1, 40)), ("assistant", words(2, 60))],
            [("user", words(7, 80))],
            [("user", words(7, 80))],
        ]
    )


def gone(ws):
    frame = ws.scan("duplicates").drop_nulls("removed_by").collect()
    return frame.select("key", "removed_by", "kind").rows()


def test_one_workspace_writes_and_another_is_compared(old, new, address):
    dedup(old.path, index=address, quiet=True)
    result = dedup(new.path, against=[address], quiet=True)
    assert gone(new) == [(0, 2, "exact"), (1, 1, "near"), (2, 0, "prefix"), (4, 3, "exact")]
    assert (result.kept, result.against) == (1, 3)


def test_redis_says_the_same_as_the_workspace_itself(old, new, address):
    dedup(old.path, index=address, quiet=True)
    dedup(new.path, against=[address], quiet=True)
    shared = new.scan("duplicates").drop("against").collect()
    dedup(new.path, against=[old.path], quiet=True)
    assert new.scan("duplicates").drop("against").collect().equals(shared)


def test_a_workspace_that_writes_and_asks_does_not_meet_itself(old, new, address):
    for _ in range(2):
        assert dedup(old.path, against=[address], index=address, quiet=True).against == 0
        assert dedup(new.path, against=[address], index=address, quiet=True).against == 3


def test_what_no_longer_stays_leaves_the_index(workspace, words, address):
    short, long = [("user", words(1, 60))], [("user", words(1, 60) + " and longer")]
    ws, alone = workspace([short, long], name="near"), workspace([short], name="alone")

    def seen():
        dedup(ws.path, index=address, quiet=True)
        dedup(alone.path, against=[address], quiet=True)
        return gone(alone)

    assert seen() == [(0, 1, "near")]
    restore(ws.path, [0], quiet=True)
    assert seen() == [(0, 0, "exact")]
    restore(ws.path, again=[0], quiet=True)
    assert seen() == [(0, 1, "near")]


def test_datasketch_can_ask_the_index(old, address):
    """Another program finds our texts with datasketch alone."""
    import numpy as np
    from datasketch import MinHash, MinHashLSH
    from redis.connection import parse_url

    dedup(old.path, index=address, quiet=True)
    storage = {"type": "redis", "basename": b"curate:conversation:lsh:", "redis": parse_url(address)}
    lsh = MinHashLSH(num_perm=64, params=(16, 4), storage_config=storage, prepickle=False)
    signature = np.frombuffer(old.scan("signatures").collect()["signature"][1], "<u4")
    found = lsh.query(MinHash(seed=1, scheme="affine32", hashvalues=signature))
    assert [identity.split(b":")[1] for identity in found] == [b"1"]


def test_the_password_is_in_no_table_manifest_or_message(old, new, address, capfd):
    dedup(old.path, index=address)
    dedup(new.path, against=[address])
    assert new.scan("duplicates").collect()["against"][0] == address.replace(":s3cret@", "")
    files = [path for ws in (old, new) for path in ws.path.rglob("*") if path.is_file()]
    assert not any(b"s3cret" in path.read_bytes() for path in files)
    captured = capfd.readouterr()
    assert "s3cret" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_perm": 256}, "num_perm 64, not 256"),
        ({"threshold": 0.5}, "from a similarity of 0.7 on"),
    ],
)
def test_an_index_of_another_kind_is_refused(old, new, address, options, message):
    dedup(old.path, index=address, quiet=True)
    with pytest.raises(CurateError, match=message):
        dedup(new.path, against=[address], quiet=True, **options)


def test_an_empty_index_has_nothing(new, address):
    assert dedup(new.path, against=[address], quiet=True).against == 0


@pytest.mark.parametrize(
    ("kind", "key", "value"),
    [
        *(("meta", "parameters", value) for value in ("no json", "[]", "{}", '{"bands": "x"}', '{"bands": 1e9}')),
        ("hashes", None, "garbage"),
        ("hashes", None, f"x:{1 << 70}:0"),
    ],
)
def test_an_index_with_something_else_in_it_is_told(old, new, address, server, kind, key, value):
    import redis

    client = redis.Redis.from_url(address)
    dedup(old.path, index=address, quiet=True)
    if key:
        client.delete(f"curate:conversation:{kind}:{key}")
        client.rpush(f"curate:conversation:{kind}:{key}", value)
    else:
        for name in client.scan_iter(f"curate:conversation:{kind}:*", count=1000):
            if client.type(name) == b"set":
                client.delete(name)
                client.sadd(name, value)
    with pytest.raises(CurateError, match="no index of curate"):
        dedup(new.path, against=[address], quiet=True)


def test_entries_that_were_lost_do_not_stop_a_writer(old, address):
    import redis

    dedup(old.path, index=address, quiet=True)
    client = redis.Redis.from_url(address)
    client.delete("curate:conversation:lsh:_keys")
    restore(old.path, quiet=True)
    dedup(old.path, threshold=1.0, quiet=True)
    assert dedup(old.path, index=address, quiet=True).kept == 3


def test_few_permutations_make_an_index_too(old, new, address):
    dedup(old.path, num_perm=5, threshold=1.0, index=address, quiet=True)
    assert dedup(new.path, num_perm=5, threshold=1.0, against=[address], quiet=True).against == 2
    with pytest.raises(CurateError, match="makes no index"):
        dedup(old.path, num_perm=1, threshold=1.0, index=f"{address[:-1]}2", quiet=True)


@pytest.mark.parametrize(
    "place",
    ["redis://u:12/secret@localhost/0", "redis://:se/cret@localhost", "REDIS://:secret@localhost:1", "redis://h:abc",
     "foo://:secret@host"],
)
def test_a_password_shows_in_no_message_about_an_address(new, place, capfd):
    with pytest.raises(CurateError) as error:
        dedup(new.path, against=[place], quiet=True)
    shown = f"{error.value.what} {error.value.where} {error.value.hint}"
    assert not any(word in shown for word in ("secret", "se/cret", "cret@"))


@pytest.mark.parametrize("place", ["redis://127.0.0.1:1/0", "redis://:wrong@{server}/0"])
def test_a_server_that_does_not_answer_is_told(new, server, place):
    with pytest.raises(CurateError, match="Redis") as error:
        dedup(new.path, against=[place.format(server=server.split("@")[1])], quiet=True)
    assert "wrong" not in f"{error.value} {error.value.where}"
