"""The properties of each route whose `RouteCases` say what it answers: of that, and of anything."""

import strategies
from cases import CASES
from differential import calls, compare, property_test

#: The properties of each, by the function's name.
PROPERTIES = {}


def properties_of(cases):
    """One of calls that Rust must answer all, and one of whatever somebody may pass."""

    def of_inputs(given):
        compare(cases.name, given)

    def of_anything(given):
        compare(cases.name, given)

    inputs = cases.inputs(strategies)
    anything = calls(inputs, odd=cases.odd(strategies), malformed=True)
    made = []
    for body, strategy, share in ((of_inputs, calls(inputs), 1.0), (of_anything, anything, 0.0)):
        body.__name__ = f"test_{cases.name.lstrip('_')}_{body.__name__}"
        made.append(property_test(strategy, examples=600, share=share)(body))
    return made


for _cases in CASES.values():
    if _cases.inputs is not None:
        PROPERTIES[_cases.name] = properties_of(_cases)
        globals().update({test.__name__: test for test in PROPERTIES[_cases.name]})
