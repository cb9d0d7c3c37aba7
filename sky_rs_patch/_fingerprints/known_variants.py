"""Fingerprints of SkyPilot's functions by release.

Written by tools/release/known_fingerprints.py. The letters are those of docs/routes.md: A is the
oldest variant that was looked at, as far as it was looked at first.
"""

from __future__ import annotations

#: Function -> fingerprint -> (variant, first and last release that was looked at).
KNOWN: dict[str, dict[str, tuple[str, str, str]]] = {
    "sky.utils.common_utils._cpu_count": {
        "ed916194371995e7": ("A", "0.9.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils._get_cgroup_cpu_limit": {
        "092065f8033d2efc": ("A", "0.9.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils._get_cgroup_memory_limit": {
        "28c2a7d3fee297fb": ("A", "0.9.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils._is_cgroup_v2": {
        "18e8c93a338e32c0": ("A", "0.9.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils._mem_size_gb": {
        "a075d833f9da57e4": ("A", "0.9.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils._redact_secrets_values": {
        "3103e6f838395541": ("A", "0.10.0", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.base36_encode": {
        "6b2a68c293bddc17": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.check_cluster_name_is_valid": {
        "987faf4ef8694ded": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.check_workspace_name_is_valid": {
        "7c55eaab2725854d": ("A", "0.12.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.dump_yaml_str": {
        "6a9eca9a80e969e2": ("A", "0.8.1", "0.10.0"),
    },
    "sky.utils.common_utils.find_free_port": {
        "404ec093164a5c85": ("A", "0.8.1", "0.11.0"),
        "209887166f934fc2": ("B", "0.11.2", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.format_float": {
        "92aeccbe97d82e92": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.get_cpu_count": {
        "e7b743c29706b51f": ("A", "0.9.3", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.get_mem_size_gb": {
        "a4bc387848e9a296": ("A", "0.9.3", "0.10.0"),
        "5d8ef92ac29341b0": ("B", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.get_user_hash": {
        "374af58bf63481dc": ("A", "0.8.1", "0.8.1"),
        "216de72e202aca8b": ("B", "0.9.3", "0.10.0"),
        "079f27c110018672": ("C", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.hash_file": {
        "f039bfb36f62ac93": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.is_valid_env_var": {
        "c99e397bf8b002f1": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.is_valid_user_hash": {
        "4feb68a5a6e62501": ("A", "0.9.3", "0.9.3"),
        "145c3b6e95b65385": ("B", "0.10.0", "0.14.1"),
        "63196b5319f71249": ("C", "1.0.0.dev20261027", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.make_cluster_name_on_cloud": {
        "b694c76830bd5509": ("A", "0.8.1", "0.12.3"),
        "b1f67da007bd25fe": ("B", "0.13.0", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.read_last_n_lines": {
        "0f366352ebca77c5": ("A", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.release_memory": {
        "f7551be626d867da": ("A", "0.10.5", "0.14.1"),
        "d2ee4f4e85b31667": ("B", "1.0.0.dev20261027", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.remove_color": {
        "9649c508643b7e5d": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.truncate_long_string": {
        "c46a3941191cd48b": ("A", "0.8.1", "0.9.3"),
        "baa15ea1cc0a04ce": ("B", "0.10.0", "1.0.0.dev20261027"),
    },
    "sky.utils.common_utils.validate_schema": {
        "de3e22a4cd4d2095": ("A", "0.8.1", "0.8.1"),
        "08c860335b7bbe95": ("B", "0.9.3", "0.12.0"),
        "542f846a9a50fc11": ("C", "0.12.3", "1.0.0.dev20261027"),
    },
    "sky.utils.subprocess_utils._get_thread_multiplier": {
        "271cb6467e862897": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.subprocess_utils._safe_children": {
        "8d8488c4cc53253c": ("A", "0.13.0", "0.14.1"),
        "e392e42ba925e889": ("B", "1.0.0.dev20261027", "1.0.0.dev20261027"),
    },
    "sky.utils.subprocess_utils.get_max_workers_for_file_mounts": {
        "62aa0c6795ce32a2": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.subprocess_utils.get_parallel_threads": {
        "7c6512fb07622260": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.subprocess_utils.is_process_alive": {
        "1e090bfaeabb6143": ("A", "0.10.5", "0.10.5"),
    },
    "sky.utils.validator.case_insensitive_enum": {
        "c86aa4be86a8dc91": ("A", "0.8.1", "1.0.0.dev20261027"),
    },
    "sky.utils.validator.case_sensitive_enum": {
        "c53614547d7b75ac": ("A", "0.10.0", "1.0.0.dev20261027"),
    },
    "sky.utils.validator.get_schema_validator": {
        "11c18b27983a1d5f": ("A", "0.9.3", "0.9.3"),
        "3aa956da8800c032": ("B", "0.10.0", "0.13.0"),
        "51e28fb1cb7986bf": ("C", "0.14.1", "1.0.0.dev20261027"),
    },
    "sky.utils.yaml_utils.check_no_duplicate_keys": {
        "4399faa4c7d742b8": ("A", "0.12.3", "1.0.0.dev20261027"),
    },
    "sky.utils.yaml_utils.dump_yaml_str": {
        "6a9eca9a80e969e2": ("A", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.yaml_utils.read_yaml_all_str": {
        "9f31c25291e8b08d": ("A", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.yaml_utils.read_yaml_str": {
        "3514bafaf4067a6b": ("A", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.yaml_utils.safe_load": {
        "9b4cd6170910463f": ("A", "0.10.5", "1.0.0.dev20261027"),
    },
    "sky.utils.yaml_utils.safe_load_all": {
        "41eba95cfa0e39fe": ("A", "0.10.5", "1.0.0.dev20261027"),
    },
}

#: Those of functions whose definitions have decorators; the code doesn't tell.
DECORATED = frozenset(
    {
        "51e28fb1cb7986bf",
    }
)
