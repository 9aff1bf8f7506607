"""What maps and reports say, in English and Spanish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from galleries.errors import unknown_name
from galleries.vocabulary import SPANISH

LANGUAGES = ("en", "es")

TEXTS: dict[str, tuple[str, str]] = {
    # the map
    "map.title": ("{faces} faces in {emotions} emotions", "{faces} rostros en {emotions} emociones"),
    "map.lead": (
        "Every point is a face; faces that the tower finds alike lie together. Point at one to see it, and click an "
        "emotion in the legend to hide it.",
        "Cada punto es un rostro; los que la red encuentra parecidos quedan juntos. Señale uno para verlo y haga clic "
        "en una emoción de la leyenda para ocultarla.",
    ),
    "map.quality": (
        "k-NN purity {purity} (at random {floor}), silhouette {silhouette}, leave-one-out vote {vote} right; k = {k}",
        "pureza k-NN {purity} (al azar {floor}), silueta {silhouette}, voto dejando uno fuera {vote} correcto; k = {k}",
    ),
    "map.measured": (
        "These numbers are measured in the embedding, not in the map; the silhouette on {sample} faces.",
        "Estas cifras se miden en el espacio de características, no en el mapa; la silueta, con {sample} rostros.",
    ),
    "map.no_silhouette": ("undefined", "no definida"),
    "map.no_test": (
        "A reference is left out of its own vote. Towers are usually trained on their references, so this is no test "
        "of new faces: emotions evaluate does that.",
        "Cada referencia queda fuera de su propio voto. La red suele haberse entrenado con sus referencias, así que "
        "esto no prueba rostros nuevos: eso lo hace emotions evaluate.",
    ),
    "map.licence": (
        "The page holds the faces it shows: pass it on only where their licence and the people on them allow it.",
        "La página contiene los rostros que muestra: compártala solo si su licencia y las personas lo permiten.",
    ),
    "map.sampled": ("{drawn} of {all} references were drawn at random.", "{drawn} de {all} referencias, al azar."),
    "map.queries": (
        "{count} queries ({dataset}) are laid over them; the gallery's vote on them is {right} right.",
        "Se superponen {count} consultas ({dataset}); el voto de la galería acierta en {right}.",
    ),
    "map.umap": ("Map: UMAP, seed {seed}.", "Mapa: UMAP, semilla {seed}."),
    "map.tsne": ("Map: t-SNE, seed {seed}.", "Mapa: t-SNE, semilla {seed}."),
    "map.pca": ("Map: PCA; it shows {variance} of the variance.", "Mapa: PCA; muestra {variance} de la varianza."),
    "map.missing": (
        "UMAP was asked for, but umap-learn is not installed (pip install 'siamese-emotions[eval]').",
        "Se pidió UMAP, pero umap-learn no está instalado (pip install 'siamese-emotions[eval]').",
    ),
    "map.few": (
        "UMAP was asked for, but there are too few faces for it.",
        "Se pidió UMAP, pero hay muy pocos rostros para él.",
    ),
    "map.colour": ("Colour", "Color"),
    "map.only": ("Show", "Mostrar"),
    "map.emotion": ("emotion", "emoción"),
    "map.subject": ("person", "persona"),
    "map.dataset": ("data set", "base de datos"),
    "map.verdict": ("right or wrong", "acierto o error"),
    "map.all": ("all", "todos"),
    "map.wrong_only": ("misclassified ({count})", "mal clasificados ({count})"),
    "map.isolated_only": ("isolated ({count})", "aislados ({count})"),
    "map.right": ("right", "acierto"),
    "map.wrong": ("wrong", "error"),
    "map.others": ("others", "otros"),
    "map.unknown": ("unknown", "desconocida"),
    "map.query": ("query", "consulta"),
    "map.vote": ("the neighbours say", "los vecinos dicen"),
    "map.neighbours": ("neighbours", "vecinos"),
    "map.isolated": ("isolated: its k-th neighbour is far", "aislado: su k-ésimo vecino está lejos"),
    # words of several pages
    "emotion": ("emotion", "emoción"),
    "pictures": ("pictures", "imágenes"),
    "precision": ("precision", "precisión"),
    "recall": ("recall", "exhaustividad"),
    "f1": ("F1", "F1"),
    "all": ("all", "todas"),
    "train": ("train", "entrenamiento"),
    "val": ("val", "validación"),
    "test": ("test", "prueba"),
    "epoch": ("epoch", "época"),
    "loss": ("training loss", "pérdida en entrenamiento"),
    "chance": ("chance", "azar"),
    "validation": ("validation accuracy, %", "exactitud en validación, %"),
    "knn": ("k-NN vote", "voto k-NN"),
    "softmax": ("softmax", "softmax"),
    "answer": ("answer", "respuesta"),
    "truth": ("true emotion", "emoción verdadera"),
    "of_row": ("% of row", "% de la fila"),
    "called": ("was called", "se clasificó como"),
    "of_the_vote": ("of the vote", "del voto"),
    "is": ("is", "es"),
    "face": ("face", "rostro"),
    # the report of a run
    "report.title": (
        "{tower} on {data}: {accuracy} of {n} test faces recognised",
        "{tower} con {data}: reconoce {accuracy} de {n} rostros de prueba",
    ),
    "report.untested": ("{tower} on {data}: not tested", "{tower} con {data}: sin prueba"),
    "report.lead": (
        "A tower turns a face into a vector, and its {k} nearest neighbours among the training faces vote on the "
        "emotion. 95 % interval of that share: {low} to {high}; guessing gives {chance}.",
        "Una red convierte un rostro en un vector y sus {k} vecinos más cercanos entre los rostros de entrenamiento "
        "votan la emoción. Intervalo del 95 % de esa proporción: {low} a {high}; al azar se obtiene {chance}.",
    ),
    "report.lead_untested": (
        "The run has not ended with a test: its split holds no test pictures, or it was stopped (go on with: emotions "
        "train --resume).",
        "La ejecución no terminó con una prueba: su partición no tiene imágenes de prueba o se detuvo (continúe con: "
        "emotions train --resume).",
    ),
    "report.accuracy": (
        "accuracy of the k-NN vote on the test (95 %: {low} to {high})",
        "exactitud del voto k-NN en la prueba (95 %: {low} a {high})",
    ),
    "report.without": (
        "without test pictures that leak from training ({n} left; 95 %: {low} to {high})",
        "sin las imágenes de prueba filtradas del entrenamiento (quedan {n}; 95 %: {low} a {high})",
    ),
    "report.floors": (
        "chance; always saying the most frequent emotion gives {majority}",
        "azar; decir siempre la emoción más frecuente da {majority}",
    ),
    "report.leaking": ("LEAKING", "LEAKING (con fugas)"),
    "report.leaking_text": (
        "the split lets people, films or copies of pictures from training into the test",
        "la partición deja pasar personas, videos o copias de imágenes del entrenamiento a la prueba",
    ),
    "report.data": ("Data and split", "Datos y partición"),
    "report.data_text": (
        "{pictures} pictures of {data}, {method} split (seed {seed}); {skipped} were skipped while reading.",
        "{pictures} imágenes de {data}, partición {method} (semilla {seed}); {skipped} se omitieron al leer.",
    ),
    "report.unaudited": ("The split was not audited.", "La partición no fue auditada."),
    "report.training": ("Training", "Entrenamiento"),
    "report.training_text": (
        "{epochs} epochs; the weights of epoch {best} were kept. Validation faces are not trained on.",
        "{epochs} épocas; se conservaron los pesos de la época {best}. No se entrena con los rostros de validación.",
    ),
    "report.numbers": ("The test in numbers", "La prueba en cifras"),
    "report.balanced": ("balanced", "balanceada"),
    "report.share": ("accuracy", "exactitud"),
    "report.macro": ("macro F1", "F1 macro"),
    "report.majority": ("always the most frequent", "siempre la más frecuente"),
    "report.without_leaks": ("without leaks", "sin las fugas"),
    "report.matrix": ("Which emotion is taken for which", "Qué emoción se confunde con cuál"),
    "report.matrix_text": (
        "A row is a true emotion; a cell tells how often it was given which answer.",
        "Cada fila es una emoción verdadera; cada celda dice con qué frecuencia recibió cada respuesta.",
    ),
    "report.map": ("Map of the gallery", "Mapa de la galería"),
    "report.no_map": ("There is no map: {reason}", "No hay mapa: {reason}"),
    "report.confusions": ("Hardest confusions", "Confusiones más difíciles"),
    "report.confusions_text": (
        "The pairs that are taken for one another most often, and test faces on which the wrong vote was clearest, "
        "beside their nearest references with distance. Copies of references are left out.",
        "Los pares que más se confunden y los rostros de prueba con el voto equivocado más claro, junto a sus "
        "referencias más cercanas y su distancia. Se omiten las copias de referencias.",
    ),
    "report.pair": (
        "{truth} taken for {answer}: {count} of {of} ({share})",
        "{truth} tomada por {answer}: {count} de {of} ({share})",
    ),
    "report.no_examples": ("No faces can be shown: {reason}", "No se pueden mostrar rostros: {reason}"),
    "report.no_confusions": ("No test face was answered wrongly.", "Ningún rostro de prueba recibió un error."),
    "report.card": ("Model card", "Ficha del modelo"),
    "report.card_text": (
        "Meant for research on facial emotion recognition. It tells expressions, not feelings, and only as well as the "
        "numbers above say, on faces like those it was trained on.",
        "Pensado para investigar el reconocimiento de emociones faciales. Reconoce expresiones, no sentimientos, y "
        "solo tan bien como dicen las cifras anteriores, en rostros como los de su entrenamiento.",
    ),
    "report.faces": (
        "This page holds faces of the data set: pass it on only where its licence allows it.",
        "Esta página contiene rostros de la base de datos: compártala solo si su licencia lo permite.",
    ),
    "card.tower": ("tower", "red"),
    "card.parameters": ("parameters", "parámetros"),
    "card.multiply_adds": ("multiply-adds a face", "multiplicaciones y sumas por rostro"),
    "card.input": ("input, pixels", "entrada, píxeles"),
    "card.embedding": ("embedding", "vector de características"),
    "card.emotions": ("emotions", "emociones"),
    "card.fingerprint": ("fingerprint", "huella"),
    "card.recipe": ("recipe", "receta"),
    "card.loss": ("loss", "pérdida"),
    "card.optimizer": ("optimizer", "optimizador"),
    "card.schedule": ("epochs, batch, schedule", "épocas, lote, plan"),
    "card.augment": ("augmentation", "aumento de datos"),
    "card.seed": ("seed", "semilla"),
    "card.time": ("training time", "tiempo de entrenamiento"),
    "card.time_value": (
        "{minutes} min, {rate} images/s, {precision}",
        "{minutes} min, {rate} imágenes/s, {precision}",
    ),
    "card.data": ("data", "datos"),
    # the audit, from its counts
    "audit.unknown_subjects": (
        "The data set does not say which people its pictures show.",
        "La base de datos no dice qué personas muestran sus imágenes.",
    ),
    "audit.unknown_sequences": (
        "The data set does not say which films its pictures come from.",
        "La base de datos no dice de qué videos provienen sus imágenes.",
    ),
    "audit.subjects": (
        "{count} people stand on both sides of the split.",
        "{count} personas están en ambos lados de la partición.",
    ),
    "audit.sequences": (
        "{count} films stand on both sides of the split.",
        "{count} videos están en ambos lados de la partición.",
    ),
    "audit.copies": (
        "{test} test and {val} val pictures are exact copies of training ones.",
        "{test} imágenes de prueba y {val} de validación son copias exactas de otras de entrenamiento.",
    ),
    "audit.groups": (
        "There are {groups} groups of equal pictures, {conflicts} of them with conflicting labels.",
        "Hay {groups} grupos de imágenes iguales, {conflicts} de ellos con etiquetas contradictorias.",
    ),
}
"""Every text by its key: English, Spanish; what stands in braces is filled in."""


@dataclass(frozen=True)
class Words:
    """Texts and numbers in one language.

    Attributes:
        language: ``"en"`` or ``"es"``.
    """

    language: str = "en"

    def __post_init__(self) -> None:
        if self.language not in LANGUAGES:
            raise unknown_name("language", self.language, LANGUAGES)

    def __call__(self, key: str, **values: Any) -> str:
        """The text of a key, its braces filled in."""
        return TEXTS[key][LANGUAGES.index(self.language)].format(**values)

    def emotion(self, name: str) -> str:
        """An emotion's name; one outside the vocabulary stays as it is."""
        return SPANISH.get(name, name) if self.language == "es" else name

    def number(self, value: float, digits: int = 0) -> str:
        """A number with its thousands parted: ``28,697.5``, or ``28.697,5`` in Spanish."""
        text = f"{value:,.{digits}f}"
        return text.translate(str.maketrans(",.", ".,")) if self.language == "es" else text

    def percent(self, share: float, digits: int = 1) -> str:
        """A share 0-1: ``66.4 %``, with a space that no line breaks at."""
        return f"{self.number(100 * share, digits)}\N{NO-BREAK SPACE}%"


ENGLISH = Words("en")
