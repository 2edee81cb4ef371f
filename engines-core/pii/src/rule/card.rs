//! Payment cards (ISO/IEC 7812): issuer ranges, lengths, Luhn.

use super::check_digits::{all_same, digits_value, luhn};

/// The confidence that the issuer range alone gives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Issuer {
    /// An unused range or length, or a wrong check digit.
    None,
    /// A range or a length that needs a cue: Maestro, 13-digit Visa and the like.
    Weak,
    Strong,
}

/// The issuer of a number of 12 to 19 digits whose check digit is right.
pub(crate) fn issuer(digits: &[u8]) -> Issuer {
    let n = digits.len();
    if !(12..=19).contains(&n) || all_same(digits) {
        return Issuer::None;
    }
    let p6 = digits_value(&digits[..6]) as u32;
    let (p2, p3, p4) = (p6 / 10_000, p6 / 1000, p6 / 100);
    let range = match p2 {
        40..=49 => match n {
            16 => Issuer::Strong,
            13 | 19 => Issuer::Weak,
            _ => Issuer::None,
        },
        51..=55 if n == 16 => Issuer::Strong,
        22..=27 if (2221..=2720).contains(&p4) && n == 16 => Issuer::Strong,
        // Mir.
        22 if (2200..=2204).contains(&p4) && (16..=19).contains(&n) => {
            if n == 16 {
                Issuer::Strong
            } else {
                Issuer::Weak
            }
        }
        34 | 37 if n == 15 => Issuer::Strong,
        36 | 38 | 39 if n == 14 => Issuer::Strong,
        36 | 38 | 39 if (16..=19).contains(&n) => Issuer::Weak,
        30 if ((300..=305).contains(&p3) || p3 == 309) && n == 14 => Issuer::Strong,
        30 if ((300..=305).contains(&p3) || p3 == 309) && (16..=19).contains(&n) => Issuer::Weak,
        35 if (3528..=3589).contains(&p4) && n == 16 => Issuer::Strong,
        35 if (16..=19).contains(&n) => Issuer::Weak,
        // JCB's older ones.
        21 | 18 if matches!(p4, 2131 | 1800) && n == 15 => Issuer::Strong,
        // Dankort, and Maestro as it is given out most.
        50 if p4 == 5019 && n == 16 => Issuer::Strong,
        // Discover with its later ranges, UnionPay.
        60 if p4 == 6011 && n == 16 => Issuer::Strong,
        64 if (644..=649).contains(&p3) && n == 16 => Issuer::Strong,
        65 if n == 16 => Issuer::Strong,
        60 | 64 | 65 if (p4 == 6011 || (644..=659).contains(&p3)) && (17..=19).contains(&n) => Issuer::Weak,
        // RuPay.
        60 if (p3 == 607 || p3 == 608) && n == 16 => Issuer::Strong,
        81 | 82 if (p4 / 10 == 817 || p2 == 82 || p2 == 81) && (16..=19).contains(&n) => Issuer::Weak,
        62 if n == 16 || n == 19 => Issuer::Strong,
        62 if (17..=18).contains(&n) => Issuer::Weak,
        // Maestro.
        6 if p4 == 604 && n == 12 => Issuer::Weak,
        50 | 56..=58 | 60 | 61 | 63 | 66..=69 if (12..=19).contains(&n) => Issuer::Weak,
        // Troy.
        97 if p4 == 9792 && n == 16 => Issuer::Strong,
        // UATP.
        10..=19 if n == 15 => Issuer::Weak,
        _ => Issuer::None,
    };
    if range != Issuer::None && luhn(digits) { range } else { Issuer::None }
}

/// Whether the groups are how a card of that length is embossed or typed.
pub(crate) fn is_card_grouping(lens: &[u8]) -> bool {
    matches!(
        lens,
        [4, 4, 4, 4]
            | [4, 6, 5]
            | [4, 6, 4]
            | [4, 4, 4, 4, 1..=3]
            | [6, 13]
            | [4, 4, 4, 1..=3]
            | [4, 4, 5]
            | [8, 8]
            | [6, 10]
            | [4, 5, 6]
    )
}
