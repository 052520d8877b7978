"""The verb's messages when an endpoint refuses some feedback; the service is a fake, since it seldom fails."""

from types import SimpleNamespace

import pytest

from jupyter_deploy.domain.errors import InvalidInput, TargetError
from jupyter_deploy.domain.evidence.ground_truth import Actual, Feedback
from jupyter_deploy.domain.release.endpoint import Endpoint
from jupyter_deploy.domain.release.traffic import Traffic
from jupyter_deploy.domain.requests import FeedbackRequest
from jupyter_deploy.verbs.feedback import feedback
from tests.releases import release

ENDPOINT = Endpoint(name="tumour", releases=(release("aaa"),), traffic=Traffic(stable="tumour:aaa"))


class Client:
    """Answers with the given statuses, one after the other; 200 accepts all."""

    def __init__(self, *statuses):
        self.statuses, self.posted = list(statuses), []

    def post(self, url, body, header_file=None):
        self.posted.append((url, body["feedback"]))
        status = self.statuses.pop(0) if self.statuses else 200
        if status is None:
            raise TargetError(
                "the gateway does not answer at http://gateway", "'nbdeploy reconcile' starts the endpoints"
            )
        answer = {"accepted": len(body["feedback"])} if status == 200 else {"detail": "the disk is full"}
        return status, {}, answer


def ports(client, count, endpoint=ENDPOINT):
    actuals = [Actual(request_id=f"r{number}", actual=number) for number in range(count)]
    target = SimpleNamespace(
        header_file=None, observe=lambda _: SimpleNamespace(gateway=True, url="http://gateway/tumour")
    )
    return SimpleNamespace(
        client=client,
        targets={"local": target},
        store=SimpleNamespace(endpoint=lambda _: endpoint, remembered=lambda _: None),
        truth=SimpleNamespace(
            read=lambda data, *, texts: actuals, counts=lambda name: Feedback(endpoint=name, posted=count)
        ),
    )


def send(client, count, **options):
    steps = []
    request = FeedbackRequest(name="tumour", data="truth.csv")
    return feedback(request, ports(client, count, **options), steps.append), steps


def test_all_of_it_is_sent_in_parts_with_progress():
    client = Client()
    found, steps = send(client, 2500)
    assert [len(items) for _, items in client.posted] == [1000, 1000, 500]
    assert client.posted[0][0] == "http://gateway/tumour/feedback"
    assert client.posted[2][1][-1] == {"request_id": "r2499", "row": 0, "actual": 2499}
    assert [(step.number, step.total, step.title) for step in steps] == [
        (1, 3, "feedback: sending 1 to 1000 of 2500"),
        (2, 3, "feedback: sending 1001 to 2000 of 2500"),
        (3, 3, "feedback: sending 2001 to 2500 of 2500"),
    ]
    assert (found.accepted, found.posted) == (2500, 2500)


@pytest.mark.parametrize("status", [503, None], ids=["a full disk", "nobody there"])
def test_what_fails_on_the_way_says_how_much_was_written_and_that_it_can_be_sent_again(status):
    with pytest.raises(TargetError, match="1000 of 2500 were recorded") as caught:
        send(Client(200, status), 2500)
    assert "an item that is sent twice counts once" in caught.value.remedy


def test_a_refusal_is_shown_in_the_services_words():
    with pytest.raises(InvalidInput, match="tumour answers 413: the disk is full; 0 of 3"):
        send(Client(413), 3)


@pytest.mark.parametrize("mode", ["meta", "off"])
def test_to_an_endpoint_that_keeps_no_data_nothing_is_sent(mode):
    client = Client()
    with pytest.raises(InvalidInput, match=f"records '{mode}'") as caught:
        send(client, 3, endpoint=ENDPOINT.model_copy(update={"record": mode}))
    assert client.posted == []
    assert "--record full" in caught.value.remedy
