# make demo   set up and run the quickstart, from notebook to promoted endpoint
# make down   stop what the demo left
# make test   set up and run the tests, but for those marked exhaustive (DURATIONS=1)
# make test-all  set up and run all tests; those of tests/unit, golden and faces under a newer Python too (DURATIONS=1)
# make test-kubernetes  set up and run the tests that need a Kubernetes, on one of this machine's own (as root; CORE=1: those of CI)
# make cluster    build that Kubernetes where it is missing (some minutes, once), and start it; make cluster-down ends it
# make bench-kubernetes   figures of endpoints in that cluster, next to their aims (some fifteen minutes)
# make chaos  ten minutes of kill -9 under load (SEED=…, MINUTES=…)
# make fuzz   ten thousand requests made of releases' own OpenAPI documents (SEED=…, CASES=…)
# make hostile  a hundred thousand bodies with wrong bytes, and the workers that they cost (SEED=…, BODIES=…)
# make soak   ten minutes at 70 % of capacity, with toggles and kills, and whether memory stays flat (SEED=…, MINUTES=…, SHARE=…)
# make check  linters, types, import directions, prose, spelling, generated files
# make lab    build JupyterLab's extension, which .venv's JupyterLab then has (reload its page)
# make bench  measure, and write docs/performance.md (some minutes; leave the machine alone meanwhile)
# make screenshots  take the pictures of docs/images again, by the tests that drive JupyterLab (some minutes)
SHELL := /bin/bash
PYTHON := .venv/bin/python
NEWER := 3.13
# What images are made, moved, signed and run with.
IMAGES := podman uidmap nftables aardvark-dns skopeo cosign docker-registry mmdebstrap openssl runc
# What monitoring is tested with.
MONITORING := prometheus alertmanager
# What streams are tested with.
BROKERS := nats-server redis-server rabbitmq-server mosquitto
# What features by key are tested with, next to Redis.
DATABASES := postgresql
PYTEST := NBDEPLOY_REQUIRE_ALL=1 PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/python -m pytest
# The main job from deploy to down, by two users, and the cluster itself.
CLUSTER_CORE := tests/cluster/test_cluster.py tests/cluster/test_main_job.py
DEMO := NBDEPLOY_HOME=$(CURDIR)/.demo/nbdeploy BENTOML_HOME=$(CURDIR)/.demo/bentoml

.PHONY: demo down test test-all compiled check check-python check-lab lab bench chaos fuzz hostile soak screenshots setup docs clean \
  cluster cluster-down test-kubernetes bench-kubernetes

demo:
	@scripts/setup.sh demo
	@$(DEMO) $(PYTHON) -m scripts.demo

down:
	@test ! -x $(PYTHON) || $(DEMO) $(PYTHON) -m jupyter_deploy down

setup:
	@scripts/setup.sh demo,test git chromium-headless-shell r node $(IMAGES) $(MONITORING) $(BROKERS) $(DATABASES)

# The extension's checks run at the same time as Python's.
check: setup
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target check-python check-lab

check-python:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports --no-logo
	$(PYTHON) -m scripts.reference --check
	$(PYTHON) -m scripts.endpoint_schema --check
	$(PYTHON) -m scripts.typescript --check
	$(PYTHON) -m scripts.dashboard --check
	$(PYTHON) -m scripts.prose
	.venv/bin/codespell

check-lab:
	cd labextension && npm run --silent check

lab: setup

# Where PYTHONDONTWRITEBYTECODE is set, each of some thousand processes would compile this package again.
compiled: setup
	@$(PYTHON) -m compileall -q -j 0 jupyter_deploy tests scripts

# Most tests wait for other processes: three at a time keep two processors busy.
test: compiled
	@$(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder $(if $(DURATIONS),--durations=0) -m "not exhaustive"

# The newer Python's environment is installed while the tests of the older one run.
test-all: compiled
	@scripts/setup.sh demo,test,engines git chromium-headless-shell r r-models node java keyring onnxruntime $(IMAGES) $(MONITORING) $(BROKERS) $(DATABASES)
	@VENV=.venv-$(NEWER) PYTHON=python$(NEWER) scripts/setup.sh unit & installing=$$!; \
	NBDEPLOY_EXHAUSTIVE=1 $(PYTEST) -n 3 --dist loadfile --no-loadscope-reorder $(if $(DURATIONS),--durations=0) || { wait $$installing; exit 1; }; \
	wait $$installing && NBDEPLOY_EXHAUSTIVE=1 $(subst .venv,.venv-$(NEWER),$(PYTEST)) -n 3 --dist loadfile tests/unit tests/golden tests/faces

cluster: setup
	@scripts/cluster/build.sh
	@scripts/cluster/up.sh

cluster-down:
	@scripts/cluster/down.sh

# A cluster that this starts ends with the tests, also when they are interrupted.
test-kubernetes: compiled
	@scripts/cluster/build.sh
	@scripts/cluster/running.sh || trap scripts/cluster/down.sh EXIT; \
	scripts/cluster/up.sh && $(PYTEST) $(if $(CORE),--durations=0 $(CLUSTER_CORE),tests/cluster)

bench-kubernetes: compiled cluster
	@NBDEPLOY_REQUIRE_ALL=1 PATH="$(CURDIR)/.venv/bin:$$PATH" $(PYTHON) -m scripts.cluster.bench

bench:
	@scripts/setup.sh demo,test,bench git chromium-headless-shell r plumber node wrk $(IMAGES) $(MONITORING) $(BROKERS) $(DATABASES)
	@$(PYTHON) -m scripts.bench --write

screenshots: setup
	@PATH="$(CURDIR)/.venv/bin:$$PATH" $(PYTHON) -m scripts.screenshots

chaos: setup
	@$(PYTHON) -m scripts.chaos $(if $(SEED),--seed $(SEED)) --minutes $(or $(MINUTES),10)

fuzz: setup
	@$(PYTHON) -m scripts.fuzz $(if $(SEED),--seed $(SEED)) --cases $(or $(CASES),10000)

hostile: setup
	@$(PYTHON) -m scripts.hostile $(if $(SEED),--seed $(SEED)) --bodies $(or $(BODIES),100000)

soak: setup
	@$(PYTHON) -m scripts.soak $(if $(SEED),--seed $(SEED)) $(if $(SHARE),--share $(SHARE)) --minutes $(or $(MINUTES),10)

docs: setup
	$(PYTHON) -m scripts.reference
	$(PYTHON) -m scripts.endpoint_schema
	$(PYTHON) -m scripts.typescript
	$(PYTHON) -m scripts.dashboard
	$(PYTHON) -m scripts.supported_models

clean: down
	rm -rf .demo .venv .venv-$(NEWER) jupyter_deploy/labextension labextension/lib labextension/node_modules
