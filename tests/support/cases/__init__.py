"""`CASES`: what every route is called with, by the modules of SkyPilot that they are for."""

from cases import common_utils, rust_fallback, subprocess_utils, yaml_utils

MODULES = (common_utils, subprocess_utils, yaml_utils, rust_fallback)
CASES = {cases.name: cases for module in MODULES for cases in module.CASES}
