"""Ansible's collection community.sops: its vars plugin, lookup, filter and modules.

The collection comes out of PyPI's package ``ansible``; ansible-core runs it.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import installed
import pytest
import yaml
from oracle import sops_binary

from .conftest import Desk

pytestmark = pytest.mark.services
HOSTS = "[all]\nlocalhost ansible_connection=local ansible_python_interpreter={}\n"
PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.copy:
        dest: out.json
        content: "{{ what | to_json }}"
      vars:
        what:
          host_var: "{{ secret }}"
          group_var: "{{ shared.token }}"
          lookup: "{{ lookup('community.sops.sops', 'text.enc') }}"
          part: "{{ lookup('community.sops.sops', 'vars/v.sops.yaml', extract='[\\"v\\"][\\"w\\"]') }}"
          raw: "{{ lookup('community.sops.sops', 'text.enc', rstrip=false, base64=true) }}"
          filter: "{{ lookup('ansible.builtin.file', 'vars/v.sops.yaml')
            | community.sops.decrypt(output_type='json') | from_json }}"
    - community.sops.load_vars:
        file: vars/v.sops.yaml
        name: loaded
    - ansible.builtin.copy: {dest: loaded.json, content: "{{ loaded | to_json }}"}
    - community.sops.sops_encrypt:
        path: made.sops.yaml
        content_yaml: {made: [1, by ansible]}
      register: first
    - community.sops.sops_encrypt:
        path: made.sops.yaml
        content_yaml: {made: [1, by ansible]}
      register: second
    - community.sops.sops_encrypt: {path: made.bin, content_binary: "AAEC/w=="}
    - community.sops.sops_encrypt: {path: made.json, content_json: {a: {b: true}}}
    - community.sops.sops_encrypt: {path: made.txt, content_text: "a text\\n"}
    - ansible.builtin.copy:
        dest: changed.json
        content: "{{ [first is changed, second is changed] | to_json }}"
    - community.sops.load_vars: {file: plain.yaml, name: nothing}
      register: failed
      ignore_errors: true
    - ansible.builtin.copy: {dest: failed.txt, content: "{{ failed.msg | default(failed.exception) }}"}
"""


@pytest.fixture(scope="module")
def ansible() -> dict[str, str]:
    core = installed.pip("ansible-core", "ansible-core>=2.19.4,<2.20")
    collection = installed.part_of_wheel("ansible==12.3.0", "ansible_collections/community/sops/")
    return {
        "PYTHONPATH": str(core),
        "ANSIBLE_COLLECTIONS_PATH": str(collection),
        "ANSIBLE_VARS_ENABLED": "host_group_vars,community.sops.sops",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }


def test_community_sops(desk: Desk, ansible: dict[str, str]) -> None:
    desk.write("hosts", HOSTS.format(sys.executable))
    desk.write("play.yaml", PLAY)
    desk.write("plain.yaml", "a: 1\n")
    desk.encrypted("host_vars/localhost.sops.yaml", "secret: of the host\n")
    desk.encrypted("group_vars/all.sops.yaml", "shared:\n    token: of the group\n")
    desk.encrypted("vars/v.sops.yaml", "v:\n    w: part\n    n: 5\n")
    desk.encrypted("text.enc", "two\nlines\n")
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts", "play.yaml"]
    desk.run(*command, environ={**ansible, "HOME": str(desk.home)})

    def made(name: str) -> Any:
        return json.loads(desk.read(name))

    assert made("out.json") == {
        "host_var": "of the host",
        "group_var": "of the group",
        "lookup": "two\nlines",
        "part": "part",
        "raw": "dHdvCmxpbmVzCg==",
        "filter": {"v": {"w": "part", "n": 5}},
    }
    assert made("loaded.json") == {"v": {"w": "part", "n": 5}}
    assert made("changed.json") == [True, False]
    assert "sops metadata not found" in desk.read("failed.txt")
    as_json = ["decrypt", "--output-type", "json", "made.sops.yaml"]
    assert json.loads(desk.sops(*as_json)) == {"made": [1, "by ansible"]}
    assert json.loads(desk.sops("decrypt", "made.json")) == {"a": {"b": True}}
    assert desk.sops("decrypt", "made.txt") == "a text\n"
    if desk.name == "encconf":  # what it wrote is what the real one reads
        assert json.loads(desk.run(sops_binary(), *as_json)) == {"made": [1, "by ansible"]}
    desk.sops("decrypt", "--output", "made.out", "made.bin")
    assert (desk.folder / "made.out").read_bytes() == b"\0\1\2\xff"


JSON_PLAY = """\
- hosts: localhost
  gather_facts: false
  tasks:
    - community.sops.load_vars: {file: vars/v.sops.yaml, name: loaded}
    - ansible.builtin.copy: {dest: loaded.json, content: "{{ loaded | to_json }}"}
    - community.sops.sops_encrypt: {path: vars/v.sops.yaml, content_yaml: {v: {w: part, n: 5}}}
      register: same
    - community.sops.sops_encrypt: {path: vars/v.sops.yaml, content_yaml: {v: {w: other}}}
      register: other
    - ansible.builtin.copy:
        dest: changed.json
        content: "{{ [same is changed, other is changed] | to_json }}"
"""


def test_json_under_a_yaml_name(desk: Desk, ansible: dict[str, str]) -> None:
    """Files that older releases of the collection wrote: sops_encrypt reads them as YAML to compare."""
    desk.write("hosts", HOSTS.format(sys.executable))
    desk.write("play.yaml", JSON_PLAY)
    types = ["--input-type", "json", "--output-type", "json", "--filename-override", "v.json"]
    text = desk.run(sops_binary(), "encrypt", *types, input='{"v": {"w": "part", "n": 5}}')
    desk.write("vars/v.sops.yaml", text)
    command = [sys.executable, "-m", "ansible", "playbook", "-i", "hosts", "play.yaml"]
    desk.run(*command, environ={**ansible, "HOME": str(desk.home)})
    assert json.loads(desk.read("loaded.json")) == {"v": {"w": "part", "n": 5}}
    assert json.loads(desk.read("changed.json")) == [False, True]
    assert yaml.safe_load(desk.sops("decrypt", "vars/v.sops.yaml")) == {"v": {"w": "other"}}
