//! The words of streets, units and dwellings.

use std::sync::LazyLock;

use crate::scan::cue::{CueTable, Cues};

/// Street suffixes (USPS Publication 28, appendix C1, with what is in use in Great Britain and Ireland).
const SUFFIXES: &str = " alley ally aly annex anx arcade arc avenue ave av bayou beach bch bend bnd bluff bluffs blf bottom boulevard blvd branch br bridge brg brook brooks burg burgs bypass \
    camp canyon cyn cape causeway cswy center centers centre circle circles cir cliff cliffs close club common commons corner corners course court courts ct cove coves creek crescent cres crest crossing \
    crossroad crossroads curve dale dam divide drive drives dr estate estates expressway expy extension extensions fall falls ferry field fields flat flats ford fords forest forge forges fork forks \
    fort freeway fwy garden gardens gdns gateway glen glens green greens grove groves harbor harbors harbour haven heights hts highway hwy hill hills hollow inlet island islands isle junction junctions key \
    keys knoll knolls lake lakes land landing lane ln light lights loaf lock locks lodge loop mall manor manors meadow meadows mews mill mills mission motorway mount mountain mountains mountains neck \
    orchard oval overpass park parks parkway pkwy parkways pass passage path pike pine pines place pl plain plains plaza plz point points port ports prairie radial ramp ranch rapid rapids rest ridge \
    ridges river road rd roads route row rue run shoal shoals shore shores skyway spring springs spur spurs square sq squares station stravenue stream street st str streets summit terrace ter throughway \
    trace track trafficway trail trailer trl tunnel turnpike underpass union unions valley valleys via viaduct view views village villages ville vista walk walks wall way ways well wells wynd yard ";

/// Suffixes that are hardly ever anything else, also in lower case.
const CERTAIN_SUFFIXES: &str = " street st road rd avenue ave boulevard blvd lane ln drive court crescent terrace highway hwy parkway pkwy close mews turnpike gardens ";

/// Words that begin a street's name, with the number before or after it.
const STARTERS: &str = " rue avenue av boulevard bd blvd chemin place allée allées allee impasse route quai cours square passage ruelle faubourg esplanade via viale vial piazza piazzale corso largo vicolo \
    strada calle avenida avda plaza paseo carrer carretera camino rua travessa praça praca alameda ul ul. ulica aleja al al. plac os os. улица ул ул. проспект просп пр переулок бульвар шоссе площадь \
    calea bulevardul str str. strada ulice náměstí utca út straße strasse c/ ";

/// Small words inside a street's name.
const CONNECTORS: &str = " de du des de la le les l d della delle dei degli di del dello da do dos das el los las y e et von van der den den het of the saint st san santa sainte am an im zum zur ";

/// Endings of one-word streets with the number behind.
pub(super) static ENDINGS: [&str; 46] = [
    "straße",
    "strasse",
    "str.",
    "str",
    "gasse",
    "weg",
    "allee",
    "platz",
    "ring",
    "damm",
    "ufer",
    "steig",
    "stieg",
    "chaussee",
    "berg",
    "graben",
    "markt",
    "promenade",
    "straat",
    "laan",
    "plein",
    "gracht",
    "kade",
    "singel",
    "dreef",
    "gatan",
    "vägen",
    "gata",
    "veien",
    "vegen",
    "gade",
    "vej",
    "katu",
    "tie",
    "kuja",
    "polku",
    "tori",
    "stigen",
    "gränd",
    "backen",
    "stræde",
    "vænget",
    "parken",
    "pad",
    "steeg",
    "boulevard",
];

/// Endings that are also endings of other words.
pub(super) const COMMON_ENDINGS: [&str; 14] = [
    "ring",
    "berg",
    "markt",
    "str",
    "tie",
    "weg",
    "graben",
    "platz",
    "promenade",
    "gata",
    "pad",
    "tori",
    "parken",
    "backen",
];

const UNITS: &str = " apt apt. apartment suite ste ste. unit flat studio room rm rm. floor fl fl. lot bldg building # no no. \
    piso puerta pta esc escalera dpto depto int interno scala étage appt apto apartamento andar bloco lok lok. m. кв кв. корп квартира daire kat byt lgh ";

/// The compiled words above, with the roles of each.
pub(super) static STREET_WORDS: LazyLock<CueTable> = LazyLock::new(|| {
    CueTable::compile(&[
        (SUFFIXES, SUFFIX),
        (CERTAIN_SUFFIXES, CERTAIN_SUFFIX),
        (STARTERS, STARTER),
        ("via calle rua rue avenida viale piazza corso", SOUTHERN),
        (CONNECTORS, CONNECTOR),
        (UNITS, UNIT),
        ("flat studio apartment apt unit suite", DWELLING),
        (
            "straße strasse str str. allee allé alle utca utcája út útja tér körút sokak sokağı sok sk caddesi cad gate gata gatan vei veien väg vägen vej gade katu tie straat laan plein weg platz ulica náměstí вулиця",
            LATE_STARTER,
        ),
        (
            "alte alter altes neue neuer große grosse kleine obere untere lange hohe an der den im am zur zum st",
            ADJECTIVE,
        ),
    ])
});

pub(super) const SUFFIX: Cues = 1;
pub(super) const CERTAIN_SUFFIX: Cues = 2;
pub(super) const STARTER: Cues = 4;
pub(super) const SOUTHERN: Cues = 8;
pub(super) const CONNECTOR: Cues = 16;
pub(super) const UNIT: Cues = 32;
pub(super) const DWELLING: Cues = 64;
pub(super) const ADJECTIVE: Cues = 128;
/// Words that stand between the name and the number.
pub(super) const LATE_STARTER: Cues = 256;

pub(super) fn in_word_list(which: Cues, word: &[u8]) -> bool {
    match word {
        [b'e' | b'y' | b'l' | b'd'] => which == CONNECTOR,
        _ => STREET_WORDS.get(word) & which != 0,
    }
}
