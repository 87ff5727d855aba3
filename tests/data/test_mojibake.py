"""UTF-8 read as Windows-1252 is repaired; what is right stays."""

import pytest

from app.data.mojibake import repair

SENTENCES = {
    "French": [
        "«\u00a0La société\u00a0» n’a jamais été contactée, l’accueil était raté…”",
        "L’été dernier, le café était déjà fermé à 18 h…",
        "Il a dit\u00a0: «\u00a0C’est raté\u00a0», puis il est parti.",
        "Le film «\u00a0Le Passé\u00a0» est né à Cannes.",
        "Très déçu… vraiment très très déçu…",
        "C’est là-bas, à l’École “Ménagé”, qu’il a étudié”.",
        "« Oh là là… » s’est-il exclamé — quelle journée !",
        "Marché conclu à 12 € l’unité™.",
        "LA SOCIÉTÉ A FERMÉ…",
        "ÇA ALORS… QUEL CAFÉ…",
        "Une naïveté… désarmante, un “cliché”…",
        "Prix\u00a0: 25\u00a0€, très bon rapport qualité\u00a0/ prix\u00a0!",
        "À bientôt…",
        "Voilà…”",
        "Elle a répété ‹à jamais›…",
        "Où est le thé\u00a0? Ici, près du cœur de l’été\u00a0…",
        "L’hôtel d’à côté… »",
        "Œuvre d’art, mœurs et sœurs : raté’…",
        "Le procédé\u00a0– bien rodé\u00a0– a marché\u00a0!",
        "Il est resté\u00a0« bloqué\u00a0» à l’entrée",
        "Deuxième étage, côté cour, 3 m² carré²",
        "dit-il à\u00a0“Libé”…",
        "Touché…’ dit-elle",
        "Il a été primé\u00a0« meilleur café\u00a0»…",
        "Du Nestlé® et du café™…",
        "le n° 5 d’André°",
        "On l’a trouvé\u00a0œuvrant à côté\u00a0¿",
    ],
    "Finnish": [
        "KYLLÄ… OLIN TODELLA PETTYNYT…",
        "HYVÄ… mutta kallis",
        "Ei käy, sanoi hän: ”Ä… en tiedä”",
        "TÄMÄ ON HYVÄ – OIKEASTI HYVÄ”",
        "SIINÄ… SITÄ… MITÄ…",
        "Ruoka oli hyvää, palvelu ystävällistä…",
        "Älä… älä mene sinne!",
        "Pääsylippu maksoi 25 €, ja jono oli pitkä…",
        "”Hyvää päivää”, sanoi emäntä’",
        "ÄÄÄÄ… EI JAKSA ENÄÄ”",
        "YÖ’ OLI KYLMÄ”",
        "kylmä… kylmä… kylmä…”",
        "NÄIN KÄVI TÄNÄÄN – TÄNÄÄN…",
        "Sää… ’ei niin hyvä’…",
        "Lähtisitkö sinä… ” kysyi hän",
        "Hinta–laatu-suhde: HYVÄ–HUONO",
        "PÄÄSIÄISENÄ»",
        "»HYVÄÄ PÄIVÄÄ» SANOI ÄITI",
        "EN TIEDÄ™",
        "ÅÅÅ… ÅLAND”",
    ],
    "Swedish": [
        "JÄTTEBRA… MEN DYRT…",
        "Vi åt på krogen Å… och sedan på Ö…",
        "”Så jäkla bra”, sa hon – ”så…”",
        "Maten på Ö’ var god",
        "ÄR DET SÅ… JA, SÅ…”",
        "ÅÄÖ…",
        "Bra för barn på öarna – både små och stora…",
        "DÅ… SÅ…",
        "GRÅ”",
        "NÄ… NÄ…",
        "Ångström skrivs Å² eller Å³ ibland",
        "avståndet är 1,5 Å–2 Å",
        "”Å…”",
        "Åker du till Å’?",
        "SÅ® SÅ™",
        "Är allt okej där på ön?…",
        "FÅ… FÅ… FÅ SER”",
        "HAN SA ‘JA’ TILL DÅ’",
        "måndag–lördag på Café Å°",
    ],
    "German": [
        "„Ä“ ist ein Umlaut",
        "»Schönes Hotel«, sagte sie – »sehr schön…«",
        "Das Café „Zum Bär“ war geschlossen…",
        "ÄRGERLICH… SEHR ÄRGERLICH…",
        "‚Ä‘ und ‚Ö‘ und ‚Ü‘",
        "Ö… Ä… Ü…",
        "Übrigens: Das Frühstück war großartig – wirklich großartig!",
        "„Größe Ä“ statt „Größe Ü“",
        "GRÖSSE Ä…",
        "Die Rosé“ war süß”",
        "5 Å“ Wellenlänge",
        "»Ä« oder »Ö«?",
        "Preis: 25 € für’s Menü…",
        "Weiß…“ sagte er",
        "Café…“ „À la carte“",
        "Spaß» und «Größe",
        "Tür›",
        "‹Ä› und ‹Ö›",
        "Ä´",
        "süß–sauer, heiß—kalt",
        "das Niveau ist à… la carte“",
    ],
    "Portuguese": [
        "NÃO… NÃO VOLTO…",
        "Amanhã… amanhã de manhã…”",
        "A IRMÃ… DO JOÃO…",
        "MANHÃ”",
        "É o fim», disse",
        "“Não gostei”, afirmou a irmã…",
        "A MAÇÃ’ ESTAVA BOA",
        "Você está à…”",
        "ESTA MANHÃ – QUE MANHÃ – FOI BOA",
        "«AMANHÃ» disse a avó»",
        "Preço: 25 €, não é caro",
        "Café à la carte… e pão à…”",
        "Coração partido… e ação…",
        "A ALEMÃ™",
        "A CAMPEÃ… SUÍÇA…",
        "AVELÃ® COM ROMÃ®",
        "A LÃ… É CARA…",
        "fã… fã… de “Xuxá”…",
    ],
    "Spanish": [
        "ESPAÑ… ¿qué?",
        "¿Cómo está usted…? ¡Muy bien…!",
        "No sé…¿y tú?",
        "El niño dijo: «mamá», y luego «papá».",
        "Qué pasó…¡nada!",
        "AÑO Ñ… AÑO Ñ”",
        "“Jamás volveré”, dijo José”",
        "Llegó, comió y se marchó…”",
        "la letra ‘Ñ’ y la letra “Ñ”",
        "Comí paella—¡buenísima!—",
        "Aquí—“sí”—no",
        "Él está allí»…",
        "la ñ—¿sí?—está",
        "mañana… o pasado… té”…",
        "EL TÉ… EL CAFÉ…",
        "Así… ¡no!",
        "CORUÑ… A",
        "vivió aquí —«así»— y murió",
        "Nº 5, 1ª planta, 20º C",
    ],
    "Polish": [
        "Jedzenie było pyszne… naprawdę pyszne…",
        "„Świetny hotel”, powiedziała Łucja…",
        "Kupił za 5 zł… i co?",
        "BYŁO ŹLE… BARDZO ŹLE…",
        "Żółć, gęś, jaźń…",
        "»Dzień dobry« – rzekł",
        "SÓ… L",
        "Ó… „Ó”",
        "KRÓL’ ÓW",
        "nie, to nie tó…”",
        "Zażółć gęślą jaźń",
        "LÓD… MIÓD…",
        "Był tu André… i René”…",
        "kawiarnia «Café\u00a0»",
        "A on ó\u2011ó… ó…”’",
    ],
    "Turkish": [
        "Çok güzel… çok kötü…",
        "GÜZEL Mİ? ÇÖZ… ÜÇ…",
        "“İyi ki geldik”, dedi Ömer’e…",
        "Ö’nün, Ü’nün yeri",
        "Dağ’a çıktık",
        "Rüzgâr… kâr… hâlâ…”",
        "KÂR… HÂL”",
        "â… î… û…”",
        "RÜZGÂ… R",
        "hâlâ»",
        "‘Â’ harfi",
        "Otel “Â” kategorisinde",
        "YÜZ… ÜÇ YÜZ…",
        "lâ…” dedi",
    ],
    "Vietnamese": [
        "Đồ ăn rất ngon… nhưng đắt…",
        "“Tôi không thích”, anh ấy nói…",
        "Khách sạn ở Đà Nẵng…",
        "QUÁ ĐẮT… QUÁ XA…",
        "Món này là… phở à…”",
        "CÀ PHÊ… SỮA ĐÁ”",
        "thế à…” cô hỏi",
        "Ở đó có… ‘bà’…",
        "Ừ… à… ờ…",
        "XÃ… XÃ HỘI”",
        "ĐÃ… RỒI",
        "Tôi là… cá…”",
        "cà…”…",
        "VÀ… LÀ…",
        "Â… Ê… Ô…",
    ],
}
# fmt: off
WORDS = [
    "société", "raté", "KYLLÄ", "HYVÄ", "Å", "Ä", "Ö", "é", "GRÅ", "DÅ", "GRÖSSE", "Bär", "NÃO", "MANHÃ", "irmã",
    "AMANHÃ", "ALEMÃ", "Ñ", "AÑO", "mamá", "qué", "té", "comió", "Łódź", "MIÓD", "KRÓL", "René", "dağ", "KÂR",
    "hâlâ", "RÜZGÂR", "phở", "ĐÃ", "XÃ", "cá", "là", "Úžasné", "víš", "máš", "už", "LUNEDÌ", "però", "CAFÉ", "Æ",
    "PERÚ", "menú", "það",
]
ENDINGS = [
    "…", "…”", "”", "’", "“", "‘", "»", "\u00a0»", "\u00a0«", "›", "…»", "”…", "–", "—", "…¿", "…¡", "™", "®", "²", "´",
    "”\u00a0–", "’”", "\u00a0€", "\u00a0œuvre", "…’", "—“", "‘“", "»…", "\u00ad", "—¿", "\u00a0…", "“,", "«", "…\u00a0",
]
# fmt: on


def _garbled(text: str, encoding: str) -> str:
    """The text as UTF-8 that was read in another encoding; bytes that mean nothing there become control characters."""
    return "".join(bytes([byte]).decode(encoding, "ignore") or chr(byte) for byte in text.encode("utf-8"))


@pytest.mark.parametrize("language", SENTENCES)
def test_sound_sentences_stay(language: str) -> None:
    assert [repair(text) for text in SENTENCES[language]] == SENTENCES[language]
    assert repair(" ".join(SENTENCES[language])) == " ".join(SENTENCES[language])


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_word_and_what_may_stand_behind_it_stay(ending: str) -> None:
    texts = [
        f"{before}{word}{ending}{after}" for word in WORDS for before, after in (("", ""), ("ja, ", " ok"), ("„", " x"))
    ]
    assert [repair(text) for text in texts] == texts


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
@pytest.mark.parametrize("language", SENTENCES)
def test_the_same_sentences_garbled_are_repaired(language: str, encoding: str) -> None:
    texts = [text for text in SENTENCES[language] if not text.isascii()]
    assert [repair(_garbled(text, encoding)) for text in texts] == texts


@pytest.mark.parametrize(
    "text",
    [
        *(
            "the waiter’s café",
            "naïve – “quoted” …",
            "好吃的豬排",
            "Ελληνικά",
            "Привет",
            "ok 👍",
            "à Paris",
            "25 °C",
            "Début",
        ),
        *(
            "Côte",
            "Añadir",
            "CÓDIGO",
            "średni",
            "İzin",
            "trá lỗi",
            "Ömer",
            "العربية",
            "עברית",
            "ภาษาไทย",
            "हिन्दी",
            "œuvre",
        ),
        *("£5 or €6", "e\u0301te\u0301", "Română și țară", "Įvertink", "Հայերեն", "한국어", "✓ done ✅"),
    ],
)
@pytest.mark.parametrize("encoding", ["cp1252", "latin-1"])
def test_a_garbled_text_is_repaired(text: str, encoding: str) -> None:
    garbled = _garbled(text, encoding)
    assert garbled != text
    assert repair(garbled) == text


def test_what_is_certain_is_repaired_beside_sound_letters() -> None:
    assert repair("un café, deux cafÃ©s, trois raté…” et ÇA…") == "un café, deux cafés, trois raté…” et ÇA…"


@pytest.mark.parametrize(
    "text", ["plain", "café “naïve” – déjà vu…", "Spaß» und Größe", "É o fim», disse", "Ärger Ö Ü", "好吃 €5", "½ Â"]
)
def test_a_sound_text_stays(text: str) -> None:
    assert repair(text) == text
