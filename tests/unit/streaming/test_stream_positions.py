"""Positions of messages of brokers that count none."""

from jupyter_deploy.streaming.positions import position_of


def test_a_message_with_an_id_has_one_position_and_another_message_another_one():
    first = position_of("rows", "id", b"1")
    assert first == position_of("rows", "id", b"1")
    assert len({first, position_of("rows", "id", b"2"), position_of("rows", "other", b"1")}) == 3
    assert first.startswith("rows:id:")


def test_a_message_without_an_id_is_never_taken_for_another_one():
    positions = {position_of("rows", given, b"1") for given in (None, None, "", "")}
    assert len(positions) == 4
