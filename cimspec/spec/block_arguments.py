"""Gives the parameters of a block their values: the arguments of a use, and defaults -> the scope of the body."""

from cimspec.diag import Diagnostics, Fix, Label, respelled
from cimspec.lang import Argument, BlockDefinition, Section, Word, Wrong
from cimspec.spec.evaluate import Evaluator
from cimspec.spec.scopes import Named, Scope


def arguments_scope(
    use: Section, definition: BlockDefinition, outer: Scope, inner: Scope, evaluator: Evaluator
) -> Scope | None:
    """What the body of a block knows; arguments are evaluated in `outer`, defaults where the block is written, `inner`.

    A default may use the parameters before it. None after reporting arguments that do not fit.
    """
    given = _matched(use, definition, evaluator)
    if given is None:
        return None
    names: dict[str, Named] = {}
    scope = Scope(names, inner)
    missing: list[str] = []
    for parameter in definition.parameters:
        name = parameter.name.text
        if name in given:
            value = evaluator.value(given[name].value, outer)
            names[name] = Named(value, given[name].span)
        elif parameter.default is not None:
            names[name] = Named(evaluator.value(parameter.default, scope), parameter.span)
        else:
            missing.append(name)
            names[name] = Named(Wrong(use.span), use.span)
    if missing:
        words = ", ".join(f"`{name}`" for name in missing)
        label = f"write `{use.kind.text}({', '.join(f'{name} = ...' for name in missing)})`"
        related = [Label(definition.span, "the block is defined here")]
        message = f"the block `{use.kind.text}` needs {words}"
        evaluator.diagnostics.error("CIM231", message, use.span, label=label, related=related)
        return None
    return scope


def _matched(use: Section, definition: BlockDefinition, evaluator: Evaluator) -> dict[str, Argument] | None:
    """Arguments by the parameter that each is for."""
    known = [parameter.name.text for parameter in definition.parameters]
    given: dict[str, Argument] = {}
    is_right = True
    for position, argument in enumerate(use.arguments or ()):
        word, label, fixes = _parameter(position, argument, known, evaluator.diagnostics)
        message = f"the block `{use.kind.text}` has no parameter `{word.text}`"
        if argument.name is None and position >= len(known):
            count = f"{len(known) or 'no'} argument{'s' * (len(known) != 1)}"
            message, label = f"the block `{use.kind.text}` takes {count}", "remove this one"
        elif word.text in given:
            message, label = f"`{word.text}` is given twice", "remove one of them"
        elif word.text in known:
            given[word.text] = argument
            continue
        is_right = False
        related = [Label(definition.span, "the block is defined here")]
        span = argument.name.span if argument.name else argument.span
        evaluator.diagnostics.error("CIM231", message, span, label=label, related=related, fixes=fixes)
    return given if is_right else None


def _parameter(
    position: int, argument: Argument, known: list[str], diagnostics: Diagnostics
) -> tuple[Word, str, tuple[Fix, ...]]:
    """The parameter that an argument is for, and what to do if there is none."""
    if argument.name is None:
        return Word(known[position] if position < len(known) else "", argument.span), "", ()
    meant = diagnostics.did_you_mean(argument.name.text, known)
    label = f"did you mean `{meant}`?" if meant else f"write one of: {', '.join(known) or 'none'}"
    return argument.name, label, respelled(argument.name.span, argument.name.text, meant)
