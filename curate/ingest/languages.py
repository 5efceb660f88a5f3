"""Languages as dumps name them ("English", "en-US", "eng") to ISO 639-1 codes.

Source: ISO 639-1; names as the language detectors behind LMSYS-Chat-1M (polyglot) and WildChat (lingua) write them.
"""

from __future__ import annotations

from typing import Any

NAMES = """
aa afar, ab abkhazian abkhaz, af afrikaans, ak akan, am amharic, an aragonese, ar arabic, as assamese, av avaric, ay
aymara, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bh bihari, bi bislama, bm bambara, bn bengali bangla,
bo tibetan, br breton, bs bosnian, ca catalan, ce chechen, ch chamorro, co corsican, cr cree, cs czech, cu
church_slavic, cv chuvash, cy welsh, da danish, de german, dv divehi dhivehi, dz dzongkha, ee ewe, el greek, en
english, eo esperanto, es spanish, et estonian, eu basque, fa persian farsi, ff fulah, fi finnish, fj fijian, fo
faroese, fr french, fy western_frisian frisian, ga irish, gd scottish_gaelic scots_gaelic, gl galician, gn guarani, gu
gujarati, gv manx, ha hausa, he hebrew, hi hindi, ho hiri_motu, hr croatian, ht haitian haitian_creole, hu hungarian,
hy armenian, hz herero, ia interlingua, id indonesian, ie interlingue, ig igbo, ii sichuan_yi, ik inupiaq inupiak, io
ido, is icelandic, it italian, iu inuktitut, ja japanese, jv javanese, ka georgian, kg kongo, ki kikuyu, kj kuanyama,
kk kazakh, kl kalaallisut greenlandic, km khmer, kn kannada, ko korean, kr kanuri, ks kashmiri, ku kurdish, kv komi,
kw cornish, ky kyrgyz kirghiz, la latin, lb luxembourgish, lg ganda luganda, li limburgish limburgan, ln lingala, lo
lao laothian, lt lithuanian, lu luba-katanga, lv latvian, mg malagasy, mh marshallese, mi maori, mk macedonian, ml
malayalam, mn mongolian, mr marathi, ms malay, mt maltese, my burmese, na nauru, nb bokmal norwegian_bokmal, nd
north_ndebele, ne nepali, ng ndonga, nl dutch, nn nynorsk norwegian_nynorsk, no norwegian, nr south_ndebele, nv
navajo, ny nyanja chichewa, oc occitan, oj ojibwa, om oromo, or oriya odia, os ossetian, pa punjabi panjabi, pi pali,
pl polish, ps pashto pushto, pt portuguese, qu quechua, rm romansh, rn rundi, ro romanian moldavian, ru russian, rw
kinyarwanda, sa sanskrit, sc sardinian, sd sindhi, se northern_sami, sg sango, si sinhala sinhalese, sk slovak, sl
slovenian, sm samoan, sn shona, so somali, sq albanian, sr serbian, ss swati siswant, st southern_sotho sotho, su
sundanese, sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai, ti tigrinya, tk turkmen, tl tagalog
filipino, tn tswana, to tonga tongan, tr turkish, ts tsonga, tt tatar, tw twi, ty tahitian, ug uyghur uighur, uk
ukrainian, ur urdu, uz uzbek, ve venda, vi vietnamese, vo volapuk, wa walloon, wo wolof, xh xhosa, yi yiddish, yo
yoruba, za zhuang, zh chinese simplified_chinese traditional_chinese mandarin cantonese, zu zulu
"""
CODES = {
    name.replace("_", " "): code
    for code, *names in (entry.split() for entry in NAMES.split(","))
    for name in (code, *names)
}


def language_code(value: Any) -> str | None:
    """The ISO 639-1 code of a name or code, without its region; null where it is none ("Unknown", "nolang", "")."""
    if not isinstance(value, str):
        return None
    folded = value.strip().lower()
    return CODES.get(folded) or CODES.get(folded.replace("_", "-").partition("-")[0])
