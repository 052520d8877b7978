"""What ``scripts.attacks`` reads from pytest's report."""

from scripts.attacks import counted

REPORT = """<testsuites><testsuite>
<testcase name="held"/>
<testcase name="broke"><failure message="no"/></testcase>
<testcase name="never_began"><error message="no"/></testcase>
<testcase name="was_not_tried"><skipped message="no registry"/></testcase>
</testsuite></testsuites>"""


def test_only_what_was_tried_and_held_counts_as_held():
    assert counted(REPORT) == (4, ["broke", "never_began", "was_not_tried"])
