"""`cimspec show`: a spec with everything in it that is imported, extended, named or left out."""

from pathlib import Path

from cimspec.cli.common import AsJson, Overrides, SpecPath, print_json


def show_spec(spec: SpecPath, overrides: Overrides = None, as_json: AsJson = False) -> None:
    """Print a spec as one file, and where each value comes from.

    Saved beside the spec, the text means the same. Defaults stand in it as comments.

    Example: cimspec show specs/lossy.cim --set chip.adc.bits=7
    """
    from cimspec.spec import load
    from cimspec.spec.show import origins, show

    loaded = load(spec, overrides or ())
    if as_json:
        spec_json = loaded.spec.model_dump(mode="json")
        print_json({"spec": spec_json, "origins": origins(loaded), "points": loaded.points})
    else:
        print(show(loaded, Path(spec).parent), end="")
