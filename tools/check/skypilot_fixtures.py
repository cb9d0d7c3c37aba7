"""The fixtures that SkyPilot's tests need and that its sdist leaves out.

    PYTHONPATH=tools python -m pytest -p skypilot_fixtures ...

A sdist holds tests/test_*.py, but neither the conftest.py nor the module of fixtures beside it, so
that up to a third of the tests can't even be set up. What is here is written from what those tests
demand and from SkyPilot's own code. One file serves 0.10.5, 0.12.3 and 0.14.1.

The rule is to stand in for what is outside of SkyPilot and to leave SkyPilot itself alone: the
client still sends its requests, the server's application still answers them, the executor still
runs them and writes their logs. Replaced are the socket between the two, the worker processes,
the head node of a controller, and the answers of clouds and of a Kubernetes cluster.

Supplied:
- mock_client_requests: client and server in one process.
- enable_all_clouds: every cloud, or those of an indirect parameter, counts as enabled.
- mock_controller_accessible, mock_job_table_no_job, mock_job_table_one_job,
  mock_services_no_service, mock_services_one_service and the latter two with _grpc: a controller
  whose head node knows no job or one, no service or one. SkyPilot asks it by SSH unless
  SKYPILOT_ENABLE_GRPC is set; the fixtures unset it, hence _grpc gives the same head node.

Not supplied:
- mock_aws_backend: its only test, test_failover.py, needs moto, boto3, and AWS's catalog.

With these fixtures a test that needs a cloud's catalog of instance types and prices runs, and
fails without a network: SkyPilot downloads catalogs on first use, no package holds them, and an
invented one would decide what the optimizer's tests find. With a network, or with catalogs in
~/.sky/catalogs, the same fixtures serve. Dry runs on Kubernetes also ask for the command rsync
and for SkyPilot's extra "kubernetes".
"""

from __future__ import annotations

import base64
import contextlib
import io
import logging
import pickle
import queue
import signal
import sys
import tempfile
import threading
import time

import pytest

CONTEXT = "stand-in-cluster"
# A request may wait for a precondition before it is queued, such as a cluster that starts.
SECONDS_TO_BE_QUEUED = 60
VSPHERE_CATALOG = """\
InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,\
AvailabilityZone
cpu.xlarge,,,4,16,,0,0,vcenter.example.com,cluster-1
cpu.2xlarge,,,8,32,,0,0,vcenter.example.com,cluster-1
"""


@pytest.fixture(autouse=True)
def _start_as_server():
    """No test depends on whether an earlier one of the same process was a client."""
    # A test that hasn't imported SkyPilot has nothing to put back.
    annotations = sys.modules.get("sky.utils.annotations")
    if annotations is not None:
        annotations.is_on_api_server = True


## Client and server in one process


class _RequestQueue:
    """What the executor queues its requests in; the fixture runs them, not worker processes."""

    def __init__(self):
        self._queued = queue.SimpleQueue()
        # The client sends some requests from threads, and a worker has sys.stdout to itself.
        self.one_at_a_time = threading.RLock()

    def put(self, element):
        self._queued.put(element)

    async def put_async(self, element):
        self._queued.put(element)

    def get(self, timeout=None):
        if timeout is None:
            return self._queued.get_nowait()
        return self._queued.get(timeout=timeout)

    def __len__(self):
        return self._queued.qsize()


@contextlib.contextmanager
def _as_a_worker():
    """The surroundings of one request: a worker of the server, with a stdout of its own.

    The executor lays the request's log over the descriptors of sys.stdout and sys.stderr. Those
    of the test may have none, as under click's CliRunner, and what the server prints must reach
    the client through the log only.
    """
    from sky import sky_logging
    from sky.utils import annotations

    logger = logging.getLogger("sky")
    handlers = list(logger.handlers)
    default_handler = sky_logging._default_handler
    streams = {
        handler: handler.stream
        for handler in handlers
        if isinstance(handler, logging.StreamHandler) and not hasattr(handler, "baseFilename")
    }
    on_server = annotations.is_on_api_server
    on_sigterm = signal.getsignal(signal.SIGTERM)
    stdout, stderr = sys.stdout, sys.stderr
    with tempfile.TemporaryFile("w") as out, tempfile.TemporaryFile("w") as err:
        try:
            sys.stdout, sys.stderr = out, err
            for handler in streams:
                handler.setStream(out)
            annotations.is_on_api_server = True
            yield
        finally:
            # The executor makes itself a new handler, on a file that is about to be closed.
            logger.handlers[:] = handlers
            sky_logging._default_handler = default_handler
            sys.stdout, sys.stderr = stdout, stderr
            for handler, stream in streams.items():
                handler.setStream(stream)
            annotations.is_on_api_server = on_server
            with contextlib.suppress(ValueError):  # not the main thread, which set none either
                signal.signal(signal.SIGTERM, on_sigterm)


def _run_queued(requests, response):
    """Runs the request that the response announces, if it is one for a worker."""
    from sky.server.requests import executor
    from sky.server.requests import requests as api_requests

    request_id = response.headers.get("X-Skypilot-Request-ID")
    with requests.one_at_a_time:
        if not len(requests):
            request = api_requests.get_request(request_id) if request_id else None
            if request is None or request.status != api_requests.RequestStatus.PENDING:
                return
        while True:
            request_id, ignore_return_value, _ = requests.get(SECONDS_TO_BE_QUEUED)
            with _as_a_worker():
                executor._request_execution_wrapper(request_id, ignore_return_value)
            if not len(requests):
                return


class _Body(io.BytesIO):
    """A response's content for urllib3, which asks it whether the end is reached."""

    def isclosed(self):
        return self.closed or self.tell() == len(self.getbuffer())


def _transport(url, client, requests_to_run):
    """An adapter for `requests` that hands what is sent to the application behind the client."""
    import requests
    import urllib3
    from sky.utils import annotations

    class ToApplication(requests.adapters.HTTPAdapter):
        def send(self, request, **_):
            was_on_server, annotations.is_on_api_server = annotations.is_on_api_server, True
            try:
                answer = client.request(
                    request.method,
                    request.url[len(url) :],
                    content=request.body,
                    headers=dict(request.headers),
                    follow_redirects=False,
                )
            finally:
                annotations.is_on_api_server = was_on_server
            _run_queued(requests_to_run, answer)
            # The content is decoded already.
            encoded = ("content-encoding", "content-length", "transfer-encoding")
            headers = [(k, v) for k, v in answer.headers.multi_items() if k not in encoded]
            raw = urllib3.HTTPResponse(
                body=_Body(answer.content),
                headers=urllib3.HTTPHeaderDict(headers),
                status=answer.status_code,
                reason=answer.reason_phrase,
                preload_content=False,
            )
            return self.build_response(request, raw)

    return ToApplication()


@pytest.fixture(scope="session")
def _event_loop_of_the_server():
    # One loop for all tests: SkyPilot keeps asynchronous connections to its databases.
    from anyio import from_thread

    with from_thread.start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def mock_client_requests(monkeypatch, _event_loop_of_the_server):
    """What SkyPilot's client sends to its API server, SkyPilot's server in this process answers.

    A request that the server queues for its workers has run when the client gets the response,
    in the thread of the test and thus under the test's mocks.
    """
    from sky.server import common, rest
    from sky.server.requests import executor
    from sky.server.server import app
    from starlette import testclient

    requests_to_run = _RequestQueue()
    monkeypatch.setattr(executor, "_get_queue", lambda schedule_type: requests_to_run)
    url = common.get_server_url()
    # Not entered: the application's start-up would start SkyPilot's daemons.
    client = testclient.TestClient(
        app, base_url=url, raise_server_exceptions=False, client=("127.0.0.1", 50000)
    )
    client.portal = _event_loop_of_the_server
    # Whether a server answers is remembered for some seconds.
    health = getattr(common, "get_api_server_status_response", None)
    forget_health = getattr(health, "cache_clear", lambda: None)
    forget_health()
    rest._session.mount(url, _transport(url, client, requests_to_run))
    try:
        yield
    finally:
        del rest._session.adapters[url]
        forget_health()


## Clouds


def _stand_in_kubernetes(monkeypatch):
    """A Kubernetes cluster with one context, on which everything fits."""
    from sky.provision.kubernetes import utils

    answers = {
        "get_all_kube_context_names": [CONTEXT],
        "get_current_kube_config_context_name": CONTEXT,
        "is_incluster_config_available": False,
        "is_kubeconfig_exec_auth": (False, None),
        "check_instance_fits": (True, None),
        "get_kubernetes_nodes": [],
        "get_spot_label": (None, None),
        "detect_gpu_label_formatter": (utils.SkyPilotLabelFormatter(), {}),
        "detect_accelerator_resource": (True, set()),
    }
    for name, answer in answers.items():
        monkeypatch.setattr(utils, name, lambda *_, _answer=answer, **__: _answer)


def _zone_names(aws_user_hash):
    """Which zone of an account is called us-east-1a: AWS deals the names out at random."""
    del aws_user_hash
    from sky.catalog import aws_catalog

    zones = aws_catalog._default_df[["Region", "AvailabilityZone"]].dropna().drop_duplicates()
    zones = zones.sort_values(["Region", "AvailabilityZone"])
    letters = zones.groupby("Region").cumcount().map(lambda n: chr(ord("a") + n))
    zones["AvailabilityZoneName"] = zones["Region"] + letters
    return zones[["AvailabilityZone", "AvailabilityZoneName"]]


@pytest.fixture
def enable_all_clouds(monkeypatch, request, tmp_path, mock_client_requests):
    """Every cloud is enabled, or those of the indirect parameter, as after `sky check`.

    Nothing is asked of the clouds themselves: not who the user is, nor quotas and reservations.
    """
    del mock_client_requests
    from sky.catalog import vsphere_catalog
    from sky.clouds.utils import gcp_utils
    from sky.utils import registry

    enabled = getattr(request, "param", None)
    if enabled is None:
        enabled = list(registry.CLOUD_REGISTRY.values())

    monkeypatch.setattr(
        "sky.check.get_cached_enabled_clouds_or_refresh", lambda *_, **__: list(enabled)
    )
    monkeypatch.setattr("sky.check.check_capability", lambda *_, **__: None)
    monkeypatch.setenv("SKYPILOT_SKIP_CLOUD_IDENTITY_CHECK", "1")
    for cloud in enabled:
        monkeypatch.setattr(
            type(cloud), "check_quota_available", classmethod(lambda cls, resources: True)
        )
    monkeypatch.setattr(
        gcp_utils, "list_reservations_for_instance_type_in_zone", lambda *_, **__: []
    )
    monkeypatch.setattr("sky.catalog.aws_catalog._get_az_mappings", _zone_names)
    # SkyPilot has no catalog for vSphere: it lists what the user's own installation offers.
    catalog = tmp_path / "vsphere.csv"
    catalog.write_text(VSPHERE_CATALOG)
    monkeypatch.setattr(vsphere_catalog, "_LOCAL_CATALOG", str(catalog))
    monkeypatch.setattr(vsphere_catalog, "_df", None)
    _stand_in_kubernetes(monkeypatch)


## Controllers of managed jobs and of services


class _HeadNode:
    """The head node of a controller: answers the commands that SkyPilot would send by SSH."""

    def __init__(self):
        self.jobs = []
        self.services = []

    def run(self, command):
        from sky.utils import message_utils

        if "get_service_status" in command:
            services = [
                {k: base64.b64encode(pickle.dumps(v)).decode() for k, v in service.items()}
                for service in self.services
            ]
            return message_utils.encode_payload(services, payload_type="service_status")
        if "dump_managed_job_queue" in command:
            counts = {}
            for job in self.jobs:
                counts[job["status"]] = counts.get(job["status"], 0) + 1
            total = len(self.jobs)
            return message_utils.encode_payload(
                {
                    "jobs": self.jobs,
                    "total": total,
                    "total_no_filter": total,
                    "status_counts": counts,
                }
            )
        raise NotImplementedError(f"the stand-in for a head node is asked to run {command}")


@pytest.fixture
def _head_node(monkeypatch):
    from sky.backends import cloud_vm_ray_backend

    head_node = _HeadNode()

    def run_on_head(self, handle, cmd, *_, require_outputs=False, **__):
        del self, handle
        output = head_node.run(cmd)
        return (0, output, "") if require_outputs else 0

    monkeypatch.setattr(cloud_vm_ray_backend.CloudVmRayBackend, "run_on_head", run_on_head)
    monkeypatch.delenv("SKYPILOT_ENABLE_GRPC", raising=False)
    return head_node


@pytest.fixture
def mock_controller_accessible(monkeypatch):
    """Controllers that are in the table of clusters are up, and there is a network to them."""
    from sky import global_user_state
    from sky.backends import backend_utils

    really_accessible = backend_utils.is_controller_accessible

    def is_controller_accessible(controller, *args, **kwargs):
        record = global_user_state.get_cluster_from_name(controller.value.cluster_name)
        if record is None:
            return really_accessible(controller, *args, **kwargs)
        return record["handle"]

    monkeypatch.setattr(backend_utils, "is_controller_accessible", is_controller_accessible)
    monkeypatch.setattr(backend_utils, "check_network_connection", lambda: None)


@pytest.fixture
def mock_job_table_no_job(_head_node):
    """The jobs controller has no managed job."""
    _head_node.jobs = []


@pytest.fixture
def mock_job_table_one_job(_head_node):
    """The jobs controller has one managed job, which runs."""
    now = time.time()
    _head_node.jobs = [
        {
            "job_id": 1,
            "task_id": 0,
            "job_name": "stand-in-job",
            "task_name": "stand-in-task",
            "status": "RUNNING",
            "schedule_state": "ALIVE",
            "resources": "1x[CPU:1+]",
            "cluster_resources": "1x(vCPU=1)",
            "cluster_resources_full": "1x(vCPU=1)",
            "cloud": "AWS",
            "region": "us-east-1",
            "zone": None,
            "infra": "AWS (us-east-1)",
            "accelerators": None,
            "submitted_at": now - 20,
            "start_at": now - 20,
            "end_at": None,
            "last_recovered_at": now - 20,
            "job_duration": 20,
            "recovery_count": 0,
            "failure_reason": None,
            "details": None,
            "workspace": "default",
            "user_hash": None,
            "user_name": None,
            "entrypoint": None,
            "metadata": {},
            "priority": 500,
            "pool": None,
            "pool_hash": None,
            "current_cluster_name": None,
            "job_id_on_pool_cluster": None,
        }
    ]


@pytest.fixture
def mock_services_no_service(_head_node):
    """The serve controller, and the jobs controller for its pools, has no service."""
    _head_node.services = []


@pytest.fixture
def mock_services_one_service(_head_node):
    """The serve controller has one service, which is ready."""
    from sky.serve import serve_state

    _head_node.services = [
        {
            "name": "stand-in-service",
            "controller_job_id": 1,
            "uptime": 20,
            "status": serve_state.ServiceStatus.READY,
            "controller_port": 20001,
            "load_balancer_port": 30001,
            "policy": None,
            "requested_resources_str": "",
            "replica_info": [],
            "tls_encrypted": False,
        }
    ]


@pytest.fixture
def mock_services_no_service_grpc(mock_services_no_service):
    """As mock_services_no_service: see the module's docstring."""


@pytest.fixture
def mock_services_one_service_grpc(mock_services_one_service):
    """As mock_services_one_service: see the module's docstring."""
