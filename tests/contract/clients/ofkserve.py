"""What KServe's own SDK gets; run in an environment of its own."""

import asyncio
import json
import sys

import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


def tensors(binary):
    """The three columns of the frame."""
    found = []
    for name, values, datatype in (
        ("age", np.array([30, 40, 50], np.int64), "INT64"),
        ("weight", np.array([60.5, 70.0, 80.25]), "FP64"),
        ("sex", np.array(["F", "M", "F"], dtype=object), "BYTES"),
    ):
        tensor = InferInput(name, [3], datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        found.append(tensor)
    return found


async def main():
    base, host = sys.argv[1:]
    own = {"host": host} if host else {}
    rows = [{"age": 30, "weight": 60.5, "sex": "F"}, {"age": 40, "weight": 70.0, "sex": "M"}]
    v1, v2 = InferenceRESTClient(RESTConfig(protocol="v1")), InferenceRESTClient(RESTConfig(protocol="v2"))
    told = {
        "v1": await v1.infer(base, {"instances": rows}, model_name="churn", headers=dict(own), timeout=60),
        "v1 ready": await v1.is_model_ready(base, "churn", headers=dict(own)),
        "v2 ready": await v2.is_model_ready(base, "churn", headers=dict(own)),
        "server ready": await v2.is_server_ready(base, headers=dict(own)),
        "server live": await v2.is_server_live(base, headers=dict(own)),
    }
    for binary in (False, True):
        request = InferRequest("churn", tensors(binary), request_id="mine", parameters={"binary_data_output": binary})
        answer = await v2.infer(base, request, model_name="churn", headers=dict(own), timeout=60)
        output = answer.outputs[0]
        told[f"{binary}"] = [output.datatype, output.shape, output.as_numpy().tolist(), answer.id]
    try:
        await v1.infer(base, {"instances": [{"age": "old"}]}, model_name="churn", headers=dict(own))
    except Exception as refused:  # noqa: BLE001  its kind is the SDK's own affair
        told["unfit"] = str(refused)
    print(json.dumps(told))


asyncio.run(main())
