"""The commands of `console` blocks are really typed."""

import pytest

from tests.docs.console import with_output

PAGE = """\
<!-- $ printf 'one\\n' > made.txt -->

```console
$ ltkm-inspect check missing.flow
$ echo $?
outdated
$ cat made.txt | tr o O
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
```

```sh
echo not typed
```
"""


def test_a_block_gets_what_its_commands_print_with_their_exit_codes() -> None:
    assert with_output(PAGE) == FILLED
    assert with_output(FILLED) == FILLED


def test_output_is_piped_and_errors_are_not() -> None:
    page = "```console\n$ ltkm-inspect check missing.flow flows/mbs.flow | grep -c summary:\n```\n"
    lines = with_output(page).splitlines()
    assert lines[2] == "ltkm-inspect: missing.flow: No such file or directory"
    assert int(lines[3]) > 0


def test_a_block_whose_commands_find_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="prints nothing"):
        with_output("```console\n$ ltkm-inspect rules | grep 'no such rule'\n```\n")
