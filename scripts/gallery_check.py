"""What ``emotions gallery check`` and ``condense`` read, write and print."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import List, Optional

from emotions_cli import console
from galleries.atomic import write_text
from galleries.errors import ConfigError, DataError
from galleries.gallery import Gallery
from galleries.hygiene import Fix, Hygiene
from galleries.identity import IdentityProbe, OwnPersonProbe

COLUMNS = ("number", "action", "emotion", "suggested", "suspicion", "source")
ACTIONS = ("keep", "relabel", "remove")


def tell(gallery: Gallery, found: Hygiene, shown: int) -> None:
    """Print what was found."""
    place = {number: index for index, number in enumerate(gallery.numbers.tolist())}
    rows = [
        [s.number, s.emotion, s.suggested, f"{s.suspicion:.2f}", gallery.references[place[s.number]].source]
        for s in found.suspects[:shown]
    ]
    console.table(
        f"{len(found.suspects)} of {found.size} references are outvoted by their {found.n_neighbors} nearest others",
        ["number", "called", "neighbours say", "suspicion", "source"],
        rows,
    )
    conflicting = [group for group in found.duplicates if group.conflicting]
    lines = [
        f"agreement: the neighbours of {console.percent(found.agreement)} vote for what it is called",
        f"duplicates: {len(found.duplicates)} groups, {len(conflicting)} with conflicting labels",
        *(
            f"  conflicting: {', '.join(f'#{n} {e}' for n, e in zip(group.numbers, group.emotions))}"
            for group in conflicting[:5]
        ),
        f"lonely: {len(found.lonely)} references are further from their own emotion than 99 % are",
        f"imbalance: {found.imbalance:.1f} times as many of the most frequent emotion as of the rarest",
    ]
    if found.one_person:
        lines.append(f"one person alone shows: {', '.join(found.one_person)}")
    if found.missing:
        some = ", ".join(f"{emotion} of {person}" for person, emotion in found.missing[:8])
        lines.append(f"missing although most people show it: {some}{' …' if len(found.missing) > 8 else ''}")
    for line in lines:
        console.out.print(line, markup=False)


def tell_identity(probe: Optional[IdentityProbe]) -> None:
    """Print how well the vectors tell people apart."""
    if probe is None:
        console.out.print("identity: not enough named people to say whether the vectors tell them apart")
        return
    console.out.print(
        f"identity: the nearest other reference shows the same person for {console.percent(probe.recovered)} "
        f"(chance {console.percent(probe.chance)}; {probe.people} people); the lower, the less the vectors give away"
    )


def tell_own_person(probe: Optional[OwnPersonProbe]) -> None:
    """Print what knowing the person is worth to the vote; nothing where people are not named."""
    if probe is None:
        return
    console.out.print(
        f"own person: {console.percent(probe.accuracy)} of {probe.references} references are answered rightly by the "
        f"others, {console.percent(probe.accuracy_without)} without those of the same person ({probe.people} people, "
        f"{probe.n_neighbors} neighbours); the second is what a stranger may expect"
    )


def write_suspects(path: Path, gallery: Gallery, found: Hygiene) -> None:
    """Every suspect as a row whose action a person may change."""
    place = {number: index for index, number in enumerate(gallery.numbers.tolist())}
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for suspect in found.suspects:
        source = gallery.references[place[suspect.number]].source.encode("utf-8", "backslashreplace").decode()
        row = [suspect.number, "keep", suspect.emotion, suspect.suggested, f"{suspect.suspicion:.4f}", source]
        writer.writerow(row)
    write_text(path, out.getvalue())


def read_fixes(path: Path) -> List[Fix]:
    """The rows of a file of suspects whose action is relabel (to its suggestion) or remove.

    Raises:
        DataError: It cannot be read, lacks a column, or a row is wrong.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} cannot be read as a table of fixes ({error}); write one with --csv.") from error
    fixes = []
    for line, row in enumerate(rows, start=2):
        number, action, suggested = (str(row.get(key) or "").strip() for key in ("number", "action", "suggested"))
        if action not in ACTIONS or not number.isdecimal() or (action == "relabel" and not suggested):
            raise DataError(
                f"Line {line} of {path} holds number {number!r}, action {action!r} and suggested {suggested!r}; a "
                "number, one of keep, relabel and remove, and for relabel the new emotion were expected."
            )
        if action != "keep":
            fixes.append(Fix(int(number), action, suggested if action == "relabel" else None))
    if not fixes:
        raise DataError(f"No row of {path} says relabel or remove, so there is nothing to carry out.")
    return fixes


def write_page(path: Path, gallery: Gallery, found: Hygiene, shown: int, name: Path) -> None:
    """A page with the suspects' faces beside the neighbours that outvote them.

    Raises:
        DataError: The gallery has no thumbnails.
    """
    from eval import report

    if gallery.thumbnails is None:
        raise DataError(f"{name} keeps no thumbnails, so no page of faces can be made; use --csv or --json.")
    place = {number: index for index, number in enumerate(gallery.numbers.tolist())}
    queries = []
    for suspect in found.suspects[:shown]:
        near = [place[number] for number in suspect.neighbours[:6]]
        own = gallery.vectors[place[suspect.number]]
        queries.append(
            report.Evidence(
                gallery.thumbnails[place[suspect.number]],
                f"{suspect.emotion}, #{suspect.number}",
                suspect.suggested,
                suspect.suspicion,
                tuple(
                    (
                        gallery.thumbnails[index],
                        gallery.references[index].label,
                        float(1 - own @ gallery.vectors[index])
                        if gallery.metric == "cosine"
                        else float(((own - gallery.vectors[index]) ** 2).sum() ** 0.5),
                    )
                    for index in near
                ),
            )
        )
    counts = [[emotion, count] for emotion, count in found.counts.items()]
    body = [
        report.tiles(
            [
                (f"{len(found.suspects)}", f"of {found.size} references are outvoted by their nearest others"),
                (f"{len(found.duplicates)}", "groups of duplicates"),
                (f"{found.imbalance:.1f}", "times as many of the most frequent emotion as of the rarest"),
            ]
        ),
        report.section(
            "Suspected mislabels",
            report.evidence(queries),
            text="On the left a reference, what its neighbours say, and by how much more of the vote than its own "
            "label has; on the right the neighbours. The neighbours may be wrong too: look, then decide.",
        ),
        report.section("References by emotion", report.html_table(["emotion", "references"], counts)),
    ]
    write_text(path, report.page(f"What is wrong in {name}?", f"{found.size} references were looked through.", body))


def read_size(text: str, size: int) -> int:
    """``"500"`` or ``"5%"`` of a gallery's size, as a number.

    Raises:
        ConfigError: It is neither.
    """
    try:
        wanted = round(size * float(text[:-1]) / 100) if text.endswith("%") else int(text)
    except (ValueError, OverflowError):
        raise ConfigError(f"--to {text!r} was given; give a number of references, or a share such as 5%.") from None
    return wanted
