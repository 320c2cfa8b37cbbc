"""What is said about fields, blocks, names and diagnostics, as Markdown for editors."""

from cimspec.diag import CODES, Diagnostic
from cimspec.spec.describe import BlockInfo, FieldInfo


def describe_field(field: FieldInfo) -> str:
    """A field: how it is written, what it means, its range, default and options."""
    options = "".join(f"\n- `{option.word}`: {option.meaning}" for option in field.options)
    meaning = f"{field.meaning}\n\n" if field.meaning else ""
    return f"`{field.form}` in `{field.path.rpartition('.')[0]}`\n\n{meaning}{field.summary}\n{options}".rstrip()


def describe_block(info: BlockInfo) -> str:
    """A block or a kind of layer: how it is written, what it is, its fields."""
    fields = "".join(f"\n- `{field.name}`: {field.meaning or field.summary}" for field in info.fields)
    return f"`{info.form}`\n\n{info.meaning}\n{fields}".rstrip()


def describe_code(code: str) -> str | None:
    """The page of a diagnostic; None if there is no such code."""
    found = CODES.get(code)
    if found is None:
        return None
    return (
        f"### {found.code}: {found.title}\n\n{found.what}\n\n{found.why}\n\n"
        f"Wrong:\n\n```cim\n{found.example}\n```\n\nRight:\n\n```cim\n{found.fix}\n```"
    )


def message_of(found: Diagnostic) -> str:
    """All that a diagnostic says, but for its related places."""
    parts = [found.message, found.label, *(f"note: {note}" for note in found.notes)]
    parts += [f"help: {found.help}"] if found.help else []
    return "\n".join(part for part in parts if part)
