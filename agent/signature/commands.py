"""``podtab signature make`` and ``check``.  No logic: that is beside this file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

signature = typer.Typer(
    help="Signatures of TLS libraries that are built in without symbols: make one from a build with symbols, see what fits. docs/signatures.md teaches it.",
    no_args_is_help=True,
)


@signature.command(
    epilog=(
        "For instance:\n"
        "  podtab signature make build/server --library openssl --version 3.0.19 > signatures/server.yaml"
    )
)
def make(
    binary: Annotated[
        Path, typer.Argument(help="A program or library that still has its symbols, as it is before strip.")
    ],
    library: Annotated[str, typer.Option(help="openssl or boringssl.")],
    version: Annotated[str, typer.Option(help="The library's, like 3.0.19; of BoringSSL a commit or a date.")],
    about: Annotated[str, typer.Option(help="A line on where the build is from: package, compiler, options.")] = "",
) -> None:
    """
    Print a signature made from BINARY, for a file in the folder that `capture.signatures` names.

    It holds the first bytes of SSL_read, SSL_write and their like, without what a linker changes, and only where no other function of BINARY begins so. It fits
    the same build after strip, and usually others by the same compiler with the same options.
    """
    from agent.signature.make import make as make_signature

    made = make_signature(binary, library=library, version=version, about=about)
    for line in made.left_out:
        typer.echo(f"left out: {line}", err=True)
    typer.echo(made.text, nl=False)


@signature.command(
    epilog=(
        "For instance:\n"
        "  podtab signature check ours /opt/app/server\n"
        "  podtab signature check signatures/ /opt/app/server"
    )
)
def check(
    file: Annotated[
        Path, typer.Argument(help="A signature, or a folder of them; 'ours' for those that podtab brings.")
    ],
    binaries: Annotated[list[Path], typer.Argument(help="Programs and libraries to try them on.")],
) -> None:
    """
    Say of each of BINARIES which signature fits, where it finds what, and whether the binary's symbols, if it has any, agree.

    Exit code 1 where one fits none, or symbols disagree.
    """
    from agent.capture.signature import SignatureError, load, read, shipped
    from agent.signature.check import check as check_signatures

    signatures = shipped() if str(file) == "ours" else tuple(load(file)) if file.is_dir() else (read(file),)
    if not signatures:
        raise SignatureError(f"{file}: a folder without signatures; they end in .yaml")
    good = True
    for verdict in check_signatures(signatures, binaries):
        good = good and verdict.good
        typer.echo(verdict.path)
        for line in verdict.lines:
            typer.echo(f"  {line}")
    raise typer.Exit(0 if good else 1)
