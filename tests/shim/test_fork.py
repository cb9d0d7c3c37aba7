import os
import threading
import time
from pathlib import Path

import samples

import sky_rs_patch


def test_a_child_forked_while_another_thread_is_in_rust_is_served_by_rust(tmp_path: Path) -> None:
    """The guards of the child must not wait for a thread that stayed in the parent."""
    small, large = tmp_path / "small", tmp_path / "large"
    small.write_bytes(b"content")
    with large.open("wb") as file:
        file.truncate(512 << 20)
    with sky_rs_patch.enabled():
        from sky.utils import common_utils

        route = common_utils.hash_file._self_route
        common_utils.hash_file(str(small), "md5")
        hashing = threading.Thread(target=common_utils.hash_file, args=(str(large), "md5"))
        hashing.start()
        time.sleep(0.1)
        assert hashing.is_alive()
        child = os.fork()
        if child == 0:
            # A change in a watched namespace makes the guards look again.
            vars(common_utils)["a_new_name"] = None
            before = route.counts()[:2]
            common_utils.hash_file(str(small), "md5")
            after = route.counts()[:2]
            os._exit(0 if after == (before[0] + 1, before[1]) else 1)
        status = os.waitpid(child, 0)[1]
        hashing.join()
    assert os.waitstatus_to_exitcode(status) == 0


def test_every_route_goes_on_in_a_forked_child(tmp_path: Path) -> None:
    """The standard library makes some of its globals anew in a child: threading's locks."""

    def answered(target: str, arguments: tuple[object, ...]) -> bool:
        function = samples.function(target)
        before = function._self_route.counts()[0]
        function(*arguments)
        return bool(function._self_route.counts()[0] == before + 1)

    with sky_rs_patch.enabled():
        given = samples.calls(tmp_path)
        served = {target: args for target, args in given.items() if answered(target, args)}
        # What waits for others, or gives another answer each time, isn't always Rust's.
        assert len(served) >= len(given) - 2
        lost = tmp_path / "lost"
        child = os.fork()
        if child == 0:
            names = [target for target, args in served.items() if not answered(target, args)]
            lost.write_text(" ".join(names))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert lost.read_text() == ""
