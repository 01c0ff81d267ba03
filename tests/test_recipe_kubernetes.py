"""The recipe for Kubernetes: its files are what the published schemas take, and its shell script does what it says.

No cluster runs here. The schema of NodeFeatureRule is in no registry of packages: GPUPROBE_NFD_CRDS names the file
`deployment/base/nfd-crds/nfd-api-crds.yaml` of node-feature-discovery, and without it that test is skipped.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests import engines
from tests.cli.terminal import REPOSITORY, Ran, piped

FILES = REPOSITORY / "docs" / "recipes" / "kubernetes"
THREE_VENDORS = str(REPOSITORY / "tests" / "scenarios" / "three-vendors" / "capture.json")
MIXED = str(REPOSITORY / "tests" / "scenarios" / "mixed-front-page" / "capture.json")


def validated(path: Path) -> Ran:
    """By the published schemas of Kubernetes' own kinds, unknown fields refused."""
    return engines.ran(engines.of_python("kubernetes-validate"), "--strict", path, environ={"PATH": os.environ["PATH"]})


def of_file(name: str) -> Any:
    return yaml.safe_load((FILES / name).read_text())


def test_the_daemon_set_is_one_that_kubernetes_takes() -> None:
    ran = validated(FILES / "daemonset.yaml")

    assert ran.code == 0, ran.out + ran.err


def test_a_pod_with_the_limits_that_env_writes_is_one_that_kubernetes_takes(tmp_path: Path) -> None:
    limits = yaml.safe_load(piped("env", "--for", "kubernetes", "--from", THREE_VENDORS).out)
    container = {"name": "server", "image": "registry.example/server", **limits}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "server"}, "spec": {"containers": [container]}}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))

    ran = validated(tmp_path / "pod.yaml")
    assert ran.code == 0, ran.out + ran.err


def test_a_field_that_kubernetes_does_not_know_would_be_noticed(tmp_path: Path) -> None:
    text = (FILES / "daemonset.yaml").read_text().replace("automountServiceAccountToken", "automountToken")
    (tmp_path / "wrong.yaml").write_text(text)

    assert validated(tmp_path / "wrong.yaml").code != 0


def test_the_rule_is_one_that_node_feature_discovery_takes() -> None:
    crds = os.environ.get("GPUPROBE_NFD_CRDS")
    if crds is None:
        pytest.skip("GPUPROBE_NFD_CRDS names no file with the schema of NodeFeatureRule")
    kinds = {each["spec"]["names"]["kind"]: each for each in yaml.safe_load_all(Path(crds).read_text()) if each}
    (version,) = kinds["NodeFeatureRule"]["spec"]["versions"]

    jsonschema.validate(of_file("node-feature-rule.yaml"), _closed(version["schema"]["openAPIV3Schema"]))


def _closed(schema: Any) -> Any:
    """As the server prunes what it does not know, here it is refused."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    known = {key: _closed(value) for key, value in schema.items()}
    open_ended = "properties" not in known or "additionalProperties" in known or "apiVersion" in known["properties"]
    return known if open_ended else {**known, "additionalProperties": False}


def test_the_rule_speaks_of_labels_that_gpuprobe_writes() -> None:
    written = {line.partition("=")[0] for line in piped("list", "--format", "labels", "--from", MIXED).out.splitlines()}
    rules = of_file("node-feature-rule.yaml")["spec"]["rules"]

    assert {name for rule in rules for each in rule["matchFeatures"] for name in each["matchExpressions"]} <= written


def test_the_pod_s_script_leaves_a_file_of_labels_that_expires(tmp_path: Path) -> None:
    (container,) = of_file("daemonset.yaml")["spec"]["template"]["spec"]["containers"]
    (script,) = container["args"]
    once = script.replace("cd /features", f"cd {tmp_path}/features").replace("sleep 300", "exit")
    machine = engines.a_machine(tmp_path / "bin", engines.an_h100())
    (tmp_path / "features").mkdir()
    ran = engines.ran(*container["command"], once, environ={"PATH": f"{machine}:/usr/bin:/bin"})

    assert ran.code == 0, ran.err
    assert [path.name for path in (tmp_path / "features").iterdir()] == ["gpuprobe"]
    *labels, expiry = (tmp_path / "features" / "gpuprobe").read_text().splitlines()
    assert "gpuprobe/usable=1" in labels
    assert all(re.fullmatch(r"gpuprobe/[A-Za-z0-9._-]+=[A-Za-z0-9._-]*", label) for label in labels)
    assert re.fullmatch(r"# \+expiry-time=[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z", expiry)
