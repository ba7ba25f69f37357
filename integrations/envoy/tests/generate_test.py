"""Tests of `generate.py`. `run.sh` sets MODULE, CERTIFICATE and KEY."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

GENERATE = pathlib.Path(__file__).resolve().parent.parent / "generate.py"

SITE = """
[[listener]]
address = "127.0.0.1:8443"
ports = [443]
default_virtual_host = "a"

[[group]]
name = "public"
coalesce = "strict-server-name"

[[group]]
name = "partners"
client_ca = "CERTIFICATE"
minimum_version = "1.3"

[[virtual_host]]
name = "a"
names = ["a.test", "**.w.test"]
group = "public"
certificate = "CERTIFICATE"
key = "KEY"
answer = { text = "a", status = 404 }

[[virtual_host]]
name = "m"
names = ["m.test"]
group = "partners"
certificate = "CERTIFICATE"
key = "KEY"
answer = { upstream = "h2c://127.0.0.1:3000" }

[[virtual_host]]
name = "o"
names = ["o.test"]
client_ca = "CERTIFICATE"
client_certificate = "optional"
observe = true
certificate = "CERTIFICATE"
key = "KEY"
answer = { text = "" }
"""


def generate(site):
    """Returns the exit status, the result as an object, and the lines on standard error."""
    for name in ("CERTIFICATE", "KEY"):
        site = site.replace(name, os.environ[name])
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "site.toml")
        path.write_text(site)
        done = subprocess.run([sys.executable, GENERATE, path], capture_output=True, text=True)
    return done.returncode, done.stdout and json.loads(done.stdout), done.stderr


def chains(result):
    (listener,) = result["static_resources"]["listeners"]
    return {chain["name"]: chain for chain in listener["filter_chains"]}


def filter_of(chain):
    (manager,) = chain["filters"]
    first = manager["typed_config"]["http_filters"][0]
    return first["typed_config"]["filter_config"]["value"]


class Generate(unittest.TestCase):
    def test_each_certificate_and_group_has_a_chain(self):
        status, result, errors = generate(SITE)
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(set(chains(result)), {"a", "m", "o", "other server names"})
        match = chains(result)["a"]["filter_chain_match"]
        self.assertEqual(match, {"server_names": ["*.w.test", "a.test"]})

    def test_filter_has_the_names_and_policies_of_the_site(self):
        made = filter_of(chains(generate(SITE)[1])["m"])
        self.assertEqual((made["group"], made["ports"]), ("partners", [443]))
        self.assertEqual(made["hosts"]["**.w.test"], "public")
        self.assertEqual(made["groups"]["public"], {"coalesce": "strict-server-name"})
        partners = {
            "client_ca": os.environ["CERTIFICATE"],
            "client_certificates": "required",
            "minimum_version": "1.3",
        }
        self.assertEqual(made["groups"]["partners"], partners)
        own = made["groups"][made["hosts"]["o.test"]]
        self.assertEqual((own["client_certificates"], own["mode"]), ("optional", "observe"))

    def test_fields_without_an_equal_in_envoy_are_named(self):
        for line, named in {
            'table = "x.bin"': "table",
            "announce_origins = true": "announce_origins",
            '[admin]\naddress = "127.0.0.1:1"': "admin",
        }.items():
            status, _, errors = generate(line + "\n" + SITE)
            self.assertEqual(status, 1)
            self.assertIn(f'found field "{named}", expected', errors)
        for old, new, named in (
            ('answer = { text = "" }', 'answer = { folder = "x" }', "folder"),
            ("observe = true", 'cipher_suites = ["x"]', "cipher_suites"),
            ("ports = [443]", 'hostname = "a.test"', "hostname"),
            ('coalesce = "strict-server-name"', 'client_crl = "x"', "client_crl"),
        ):
            status, _, errors = generate(SITE.replace(old, new))
            self.assertEqual(status, 1)
            self.assertIn(f'found field "{named}", expected', errors)

    def test_example_is_understood(self):
        example = GENERATE.parent / "example" / "site.toml"
        status, result, errors = generate(example.read_text())
        self.assertEqual((status, errors), (0, ""))
        self.assertEqual(len(result["static_resources"]["clusters"]), 2)

    def test_invalid_file_is_an_error(self):
        self.assertEqual(generate("[")[0], 1)
        self.assertEqual(generate(SITE.replace(":8443", ":x"))[0], 1)
        self.assertEqual(generate(SITE.replace('key = "KEY"', ""))[0], 1)

    @unittest.skipUnless(shutil.which("envoy"), "needs envoy")
    def test_envoy_accepts_the_result(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(generate(SITE)[1], file)
            file.flush()
            environment = {**os.environ, "ENVOY_DYNAMIC_MODULES_SEARCH_PATH": os.environ["MODULE"]}
            command = ["envoy", "--mode", "validate", "--log-level", "error", "-c", file.name]
            done = subprocess.run(command, capture_output=True, text=True, env=environment)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


unittest.main()
