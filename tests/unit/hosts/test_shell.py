import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rancheros_ec2_metadata.hosts.rancheros import shell

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)


def through_bash(*items: str) -> list[bytes]:
    """Return the words that a real bash makes of items joined as RancherOS joins them."""
    script = "printf '%s\\0' " + " ".join(items)
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, env={})
    return done.stdout.split(b"\0")[:-1]


@given(st.lists(TEXT, min_size=1, max_size=20))
@settings(max_examples=150, deadline=None)
def test_any_text_comes_out_of_a_real_bash_byte_for_byte(texts: list[str]) -> None:
    words = [shell.quote(text) for text in texts]
    assert through_bash(*words) == [text.encode() for text in texts]


@given(TEXT)
def test_a_quoted_word_is_printable_ascii_in_which_ros_finds_nothing_to_replace(text: str) -> None:
    word = shell.quote(text + "$private_ipv4")
    assert word.isascii()
    assert word.isprintable()
    assert "$private_ipv4" not in word


@given(TEXT)
def test_what_is_quoted_reads_as_one_word_of_that_text(text: str) -> None:
    word = shell.quote(text)
    assert [found.text for found in shell.split([word])] == [text]


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_what_no_argument_can_hold_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"NUL|surrogate"):
        shell.quote(text)


@pytest.mark.parametrize(
    ("item", "texts"),
    [
        ("--label a=b", ["--label", "a=b"]),
        ("  -D \t --x", ["-D", "--x"]),
        ("--label='a=b c'", ["--label=a=b c"]),
        ('--label="a=\\"b\\" \\x"', ['--label=a="b" \\x']),
        ('--label="a\\\nb"', ["--label=ab"]),
        ("--label=it\\'s", ["--label=it's"]),
        ("'a'\"b\"c", ["abc"]),
        (r"$'a\x62\x0a\\\'\xc3\xa9'", ["ab\n\\'é"]),
        ("a#b", ["a#b"]),
        ("''", [""]),
        ("a$", ["a$"]),
        ("a$é,%", ["a$é,%"]),
        ("a\r\u00a0b", ["a\r\u00a0b"]),
        ('"a$"', ["a$"]),
        ("\"a$'b'\"", ["a$'b'"]),
        ("tag={{.Name}},{{.ID}}", ["tag={{.Name}},{{.ID}}"]),
        ("{'a,b'}{}{a\\,b}{a", ["{a,b}{}{a,b}{a"]),
        ("", []),
    ],
)
def test_words_are_read_as_bash_reads_them(item: str, texts: list[str]) -> None:
    assert [word.text for word in shell.split([item])] == texts
    if texts:
        assert through_bash(item) == [text.encode() for text in texts]


@pytest.mark.parametrize(
    "item",
    [
        "--label=h=$(hostname)",
        "--label=h=$(echo 'a \"' \"b '\" $HOME | tr -d x)",
        "--label=h=`echo x`",
        "--label=h=${HOME}",
        "--label=h=$HOME",
        "--label=h=$1",
        '--label="h=$(a b)"',
        '--label="h=`a b`"',
        '--label="h=$(a "b c")"',
        "--label=h=${HOME:-a b}",
        "--label=h=$?",
    ],
)
def test_what_only_bash_can_know_is_one_word_with_its_key_readable(item: str) -> None:
    (word,) = shell.split([item])
    assert word.text == "--label=h=" + shell.EXPANDED


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("--a;b", "a ;"),
        ("--a&b", "an &"),
        ("a|b", "a |"),
        ("a>b", "a >"),
        ("a<b", "a <"),
        ("--label=(x)", "a ("),
        ("a)", "a )"),
        ("a\nb", "a line break"),
        ("# a", "a comment"),
        ("a #b", "a comment"),
        ("'a", "an open '"),
        ('"a', 'a " that is not closed, or not plain'),
        ('"$A' + "A" * 5000, 'a " that is not closed, or not plain'),
        ('"' + "$AAAA" * 5000, 'a " that is not closed, or not plain'),
        ('"`a"`"', 'a " that is not closed, or not plain'),
        ("$'a", "a $ that is not closed, or not plain"),
        ("$'\\t'", "a $ that is not closed, or not plain"),
        ('$"a"', "a $ that is not closed, or not plain"),
        ("`a", "a ` that is not closed, or not plain"),
        ("$(a", "a $ that is not closed, or not plain"),
        ("$(echo ')')", "a $ that is not closed, or not plain"),
        ("$((1 + 2))", "a $ that is not closed, or not plain"),
        ("${a", "a $ that is not closed, or not plain"),
        ("$[1]", "a $ that is not closed, or not plain"),
        ("a\\", "a \\ at its end"),
        ("--label={a,b}=c", "braces, of which bash makes several words"),
        ("--dns=1.1.1.{1..3}", "braces, of which bash makes several words"),
        ("'a b'{c,d}", "braces, of which bash makes several words"),
        ("{{'x y',b}", "braces, of which bash makes several words"),
        ("{a},b}", "braces, of which bash makes several words"),
        ("{{.A}},b}", "braces, of which bash makes several words"),
        ("{{1..3}}", "braces, of which bash makes several words"),
        ('"$(' * 2000 + ')"' * 2000, 'a " that is not closed, or not plain'),
    ],
)
def test_an_item_that_is_more_or_less_than_words_is_named(item: str, reason: str) -> None:
    with pytest.raises(shell.NotWordsError) as caught:
        shell.split(["--fine", item])
    assert (caught.value.item, caught.value.reason) == (1, reason)


@given(
    st.text(alphabet=" \t'\"\\$`(){},.;&|<>[]#ab1=-\n", max_size=12)
    | st.text(alphabet="{}{},.a1'\"\\$ ", max_size=12)
)
@settings(max_examples=400, deadline=None)
def test_whatever_reads_as_words_without_expansion_is_what_bash_reads(item: str) -> None:
    try:
        words = shell.split([item])
    except shell.NotWordsError:
        return
    if any(shell.EXPANDED in word.text for word in words):
        return
    assert through_bash(item + " last") == [*(word.text.encode() for word in words), b"last"]
