"""The commands of `console` blocks are really typed."""

import subprocess
import sys

from tests.generated import ROOT

PAGE = """\
<!-- $ printf 'one\\n' > made.txt -->

```console
$ ltkm-inspect check missing.flow
$ echo $?
outdated
$ cat made.txt | tr o O
$ ltkm-inspect check missing.flow | grep -c .
```

```sh
echo not typed
```
"""
FILLED = """\
<!-- $ printf 'one\\n' > made.txt -->

```console
$ ltkm-inspect check missing.flow
ltkm-inspect: missing.flow: No such file or directory
$ echo $?
1
$ cat made.txt | tr o O
One
$ ltkm-inspect check missing.flow | grep -c .
ltkm-inspect: missing.flow: No such file or directory
0
```

```sh
echo not typed
```
"""


def typed(page: str) -> subprocess.CompletedProcess[str]:
    """Fill a page in a process of its own: it forks, which one with threads, as those of pytest-xdist are, must not."""
    code = "import sys; from tests.docs.console import with_output; sys.stdout.write(with_output(sys.stdin.read()))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, input=page, capture_output=True, encoding="utf-8", check=False
    )


def test_a_block_gets_what_its_commands_print_with_their_exit_codes() -> None:
    assert typed(PAGE).stdout == FILLED


def test_a_block_whose_commands_find_nothing_is_an_error() -> None:
    done = typed("```console\n$ ltkm-inspect rules | grep 'no such rule'\n```\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ValueError: a console block prints nothing: ")


def test_a_block_that_would_be_out_of_date_tomorrow_is_an_error() -> None:
    done = typed("```console\n$ date -u +%Y-%m-%d\n```\n")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("ValueError: a console block prints today's date: ")
