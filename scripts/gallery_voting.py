"""How a gallery votes: the commands ``emotions gallery vote`` and ``emphasise``. Needs no torch."""

from __future__ import annotations

from pathlib import Path
from typing import Optional

import typer

from emotions_cli import console
from emotions_cli.gallery_facts import tell, warn_uncalibrated

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)


@app.command(
    epilog="Example:  emotions gallery vote mine    (then)  emotions gallery vote mine mean    "
    "(or once)  emotions query mine photo.jpg --weights mean"
)
def vote(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    way: Optional[str] = typer.Argument(None, help="distance, majority or mean. [default: try all three]"),
    neighbors: int = typer.Option(5, "--neighbors", "-k", help="How many vote where all three are tried."),
    seed: int = typer.Option(0, help="Of the 5,000 references that are tried where there are more."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """See which way of voting suits a gallery, or let it vote in one from here on.

    By distance (or majority) the nearest references vote. By mean every emotion has one voice, that of the mean of its
    references: steadier with a few shots of each emotion, and with other cameras and people than the references', and
    five pictures of a new emotion are heard among thousands. The answer still shows the nearest references.

    Without a way all three are tried on the gallery's own references, each asked without those of its person or film.
    A tower is more right of references that it was trained on than of faces it never saw: ask those with emotions
    evaluate --weights.
    """
    from galleries.gallery import Gallery
    from galleries.vote_trial import try_votes

    held = Gallery.load(gallery)
    if way is not None:
        held.vote_by(way)
        held.save(gallery)
        tell(held, gallery, json)
        warn_uncalibrated(held, gallery)
        return
    with console.bar("asking its own references"):
        found = try_votes(held, neighbors, seed)
    if json:
        console.print_json({"path": str(gallery), "weights": held.weights, **found.to_json()})
        return
    rows = []
    for name, share in found.accuracy.items():
        called = f"{name} (now)" if name == held.weights else name
        rows.append([called, console.percent(share), console.percent(found.balanced[name])])
    alone = "" if found.left_out == "reference" else f" and all others of its {found.left_out}"
    title = f"{found.asked} references, each left out{alone}, k = {found.n_neighbors}"
    console.table(title, ["vote", "right", "balanced"], rows)
    if found.best != held.weights:
        console.say(f"To vote so from here on: emotions gallery vote {gallery} {found.best}")


@app.command(epilog="Example:  emotions gallery emphasise faces boredom --taken 0.05")
def emphasise(
    gallery: Path = typer.Argument(..., help="The gallery's folder."),
    emotion: str = typer.Argument(..., help="The emotion, as emotions gallery info names it."),
    taken: Optional[float] = typer.Option(
        None,
        help="Share of the others' references that it may take. [default: 0.1; 0.001 of typical ones or means]",
    ),
    factor: Optional[float] = typer.Option(
        None, help="Instead of fitting it: how many times nearer, 1 (as it is) to 100."
    ),
    neighbors: int = typer.Option(5, "--neighbors", "-k", help="How many vote."),
    json: bool = typer.Option(False, "--json", help="Print the result as JSON."),
) -> None:
    """Let an emotion with few references be heard among many: they count as nearer than they are.

    How much nearer is fitted on the gallery: as much as takes at most the given share of the other emotions' references
    from them, each asked with itself left out. What it does to faces: emotions fewshot --enrol.
    """
    from emotions_cli.gallery_emphasis import told
    from galleries.emphasis import fit_emphasis
    from galleries.gallery import Gallery
    from galleries.vocabulary import canonical

    held, name = Gallery.load(gallery), canonical(emotion)
    fitted = None
    if factor is None:
        fitted = fit_emphasis(held, name, neighbors, taken)
        factor = fitted.factor
    held.emphasise(name, factor)
    held.save(gallery)
    if json:
        console.print_json({"path": str(gallery), **held.info(), "emphasised": fitted and fitted.to_json()})
    else:
        tell(held, gallery, json, None if fitted is None else told(fitted))
