//! Findings of each entity, and texts without a finding of it.

#![expect(clippy::unwrap_used, reason = "tests")]

use engines_pii::Scrubber;

/// The findings in a text: names and values.
fn found(text: &str) -> Vec<(String, String)> {
    let findings = Scrubber::default().findings(text).unwrap();
    findings.iter().map(|f| (f.entity.name().to_owned(), text[f.start..f.end].to_owned())).collect()
}

fn finds(cases: &[(&str, &str, &str)]) {
    let wrong: Vec<_> = cases
        .iter()
        .filter_map(|(text, entity, value)| {
            let got = found(text);
            (got != vec![((*entity).to_owned(), (*value).to_owned())]).then_some((text, got))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn leaves(cases: &[&str]) {
    let wrong: Vec<_> = cases.iter().map(|text| (text, found(text))).filter(|(_, got)| !got.is_empty()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn email_addresses_are_found() {
    finds(&[
        ("mail ana.silva+news@example.co.uk.", "EMAIL_ADDRESS", "ana.silva+news@example.co.uk"),
        ("<o'brien@example.org>", "EMAIL_ADDRESS", "o'brien@example.org"),
        ("user='bob@example.com'", "EMAIL_ADDRESS", "bob@example.com"),
        ("mailto:bob@example.com?subject=x", "EMAIL_ADDRESS", "bob@example.com"),
        ("an jörg@müller.de bitte", "EMAIL_ADDRESS", "jörg@müller.de"),
        ("\"john doe\"@example.com", "EMAIL_ADDRESS", "\"john doe\"@example.com"),
        ("root@[192.0.2.1]", "EMAIL_ADDRESS", "root@[192.0.2.1]"),
        ("bob (at) example (dot) com", "EMAIL_ADDRESS", "bob (at) example (dot) com"),
        ("bob [at] mail.example.org", "EMAIL_ADDRESS", "bob [at] mail.example.org"),
        ("write to john at example dot com", "EMAIL_ADDRESS", "john at example dot com"),
        ("bob%40example.com", "EMAIL_ADDRESS", "bob%40example.com"),
        ("bob\\u0040example.com", "EMAIL_ADDRESS", "bob\\u0040example.com"),
        ("bob&#64;example.com", "EMAIL_ADDRESS", "bob&#64;example.com"),
        ("bob\u{200b}@example.com!", "EMAIL_ADDRESS", "bob\u{200b}@example.com"),
        ("ｂob＠example.com", "EMAIL_ADDRESS", "ｂob＠example.com"),
        ("メールbob@example.comです", "EMAIL_ADDRESS", "bob@example.com"),
    ]);
    leaves(&[
        "git@github.com:rust-lang/rust.git",
        "ssh://git@github.com/rust-lang/rust",
        "@bob said hi to @alice",
        "npm i @scope/name@1.2.3",
        "image@2x.png",
        "getty@tty1.service",
        "meet me at the dot com boom",
        "a@b",
    ]);
}

#[test]
fn phone_numbers_are_found() {
    finds(&[
        ("+442079460958", "PHONE_NUMBER", "+442079460958"),
        ("+44 (0)20 7946 0958 ok", "PHONE_NUMBER", "+44 (0)20 7946 0958"),
        ("ring +49 30 901820 now", "PHONE_NUMBER", "+49 30 901820"),
        ("call 0033 1 42 68 53 00", "PHONE_NUMBER", "0033 1 42 68 53 00"),
        ("(212) 555-0199", "PHONE_NUMBER", "(212) 555-0199"),
        ("at 212-555-0199.", "PHONE_NUMBER", "212-555-0199"),
        ("tel 01 42 68 53 00", "PHONE_NUMBER", "01 42 68 53 00"),
        ("Tel.: 030 901820", "PHONE_NUMBER", "030 901820"),
        ("mi móvil: 612 34 56 78", "PHONE_NUMBER", "612 34 56 78"),
        ("電話は 090-1234-5678 です", "PHONE_NUMBER", "090-1234-5678"),
        ("мой телефон 8 (912) 345-67-89", "PHONE_NUMBER", "8 (912) 345-67-89"),
        ("whatsapp (11) 96123-4567", "PHONE_NUMBER", "(11) 96123-4567"),
        ("phone ＋４４２０７９４６０９５８", "PHONE_NUMBER", "＋４４２０７９４６０９５８"),
        ("mobile: 98765 43210", "PHONE_NUMBER", "98765 43210"),
    ]);
    leaves(&[
        "+1 000 000 0000",
        "order 12345678",
        "invoice no. 2125550199",
        "0.12345678",
        "2026-03-04 05:06:07",
        "1 234 567 890 requests",
        "part 555-1234",
        "ISBN 978-3-16-148410-0",
        "tracking 9400110200881234567890",
        "1600000000000",
        "192837465 rows",
    ]);
}

#[test]
fn payment_cards_are_found() {
    finds(&[
        ("4111111111111111", "CREDIT_CARD", "4111111111111111"),
        ("card 4111 1111 1111 1111 exp 09/27", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("5555-5555-5555-4444", "CREDIT_CARD", "5555-5555-5555-4444"),
        ("2223003122003222", "CREDIT_CARD", "2223003122003222"),
        ("amex 3782 822463 10005", "CREDIT_CARD", "3782 822463 10005"),
        ("3056 930902 5904", "CREDIT_CARD", "3056 930902 5904"),
        ("6011111111111117", "CREDIT_CARD", "6011111111111117"),
        ("3530111333300000", "CREDIT_CARD", "3530111333300000"),
        ("６０１１１１１１１１１１１１１７", "CREDIT_CARD", "６０１１１１１１１１１１１１１７"),
        ("maestro card 6759649826438453", "CREDIT_CARD", "6759649826438453"),
    ]);
    leaves(&[
        "4111111111111112",
        "card 1234567890123456",
        "order 4111111111111111",
        "0000 0000 0000 0000",
        "test card 5637 0779 1519 3662 is rejected by checksum",
        "6759649826438453",
    ]);
}

#[test]
fn bank_accounts_are_found() {
    finds(&[
        ("DE89 3704 0044 0532 0130 00", "IBAN_CODE", "DE89 3704 0044 0532 0130 00"),
        ("GB82WEST12345698765432,", "IBAN_CODE", "GB82WEST12345698765432"),
        ("fr1420041010050500013m02606", "IBAN_CODE", "fr1420041010050500013m02606"),
        ("NO93 8601 1117 947", "IBAN_CODE", "NO93 8601 1117 947"),
        ("BIC: DEUTDEFF500", "BIC_CODE", "DEUTDEFF500"),
        ("swift code is CHASUS33", "BIC_CODE", "CHASUS33"),
        ("sort code 12-34-56", "UK_SORT_CODE", "12-34-56"),
        ("routing number 021000021", "ABA_ROUTING_NUMBER", "021000021"),
    ]);
    leaves(&[
        "DE89 3704 0044 0532 0130 01",
        "XX89370400440532013000",
        "DEUTDEFF500",
        "GB82 TEST",
        "routing number 021000022",
    ]);
}

#[test]
fn numbers_of_the_united_states_are_found() {
    finds(&[
        ("SSN 123-45-6789", "US_SSN", "123-45-6789"),
        ("123-45-6789", "US_SSN", "123-45-6789"),
        ("my social security number is 123456789", "US_SSN", "123456789"),
        ("ITIN 912-70-1234", "US_ITIN", "912-70-1234"),
        ("EIN 12-3456789", "US_EIN", "12-3456789"),
        ("NPI 1234567893", "US_NPI", "1234567893"),
        ("DEA AB1234563", "MEDICAL_LICENSE", "AB1234563"),
        ("1EG4-TE5-MK73", "US_MBI", "1EG4-TE5-MK73"),
        ("passport number 123456789", "US_PASSPORT", "123456789"),
        ("driver's license D1234567", "US_DRIVER_LICENSE", "D1234567"),
        ("vin 1HGCM82633A004352", "VIN", "1HGCM82633A004352"),
        ("imei 490154203237518", "IMEI", "490154203237518"),
    ]);
    leaves(&[
        "000-12-3456",
        "666-12-3456",
        "serial 123-45-6789",
        "900-12-3456",
        "NPI 1234567890",
        "123456789",
        "1HGCM82633A004353",
    ]);
}

#[test]
fn numbers_of_the_united_kingdom_and_ireland_are_found() {
    finds(&[
        ("NHS number 943 476 5919", "UK_NHS", "943 476 5919"),
        ("AB123456C", "UK_NINO", "AB123456C"),
        ("NI number AB 12 34 56 C", "UK_NINO", "AB 12 34 56 C"),
        ("SW1A 1AA", "POSTAL_CODE", "SW1A 1AA"),
        ("postcode is M1 1AE", "POSTAL_CODE", "M1 1AE"),
    ]);
    leaves(&["NHS number 943 476 5918", "GB123456C", "BG123456C", "QQ1A 1AA", "AB123456E"]);
}

#[test]
fn numbers_of_continental_europe_are_found() {
    finds(&[
        ("DNI 12345678Z", "ES_NIF", "12345678Z"),
        ("NIE X1234567L", "ES_NIE", "X1234567L"),
        ("codice fiscale RSSMRA85T10A562S", "IT_FISCAL_CODE", "RSSMRA85T10A562S"),
        ("partita IVA 00743110157", "IT_VAT_CODE", "00743110157"),
        ("PESEL 44051401359", "PL_PESEL", "44051401359"),
        ("Steuer-ID 86095742719", "DE_TAX_ID", "86095742719"),
        ("Sozialversicherungsnummer 65170839J003", "DE_SOCIAL_SECURITY", "65170839J003"),
        ("NIR 2 55 08 14 168 025 38", "FR_NIR", "2 55 08 14 168 025 38"),
        ("BSN 111222333", "NL_BSN", "111222333"),
        ("rijksregisternummer 85.07.30-033.28", "BE_NRN", "85.07.30-033.28"),
        ("contribuinte 123456789", "PT_NIF", "123456789"),
        ("personnummer 811228-9874", "SE_PERSONNUMMER", "811228-9874"),
        ("hetu 131052-308T", "FI_PERSONAL_IDENTITY_CODE", "131052-308T"),
        ("CPR 070761-4285", "DK_CPR", "070761-4285"),
        ("fødselsnummer 01010750160", "NO_FODSELSNUMMER", "01010750160"),
        ("rodné číslo 736028/5163", "CZ_BIRTH_NUMBER", "736028/5163"),
        ("CNP 1800101221144", "RO_CNP", "1800101221144"),
        ("AHV 756.9217.0769.85", "CH_AHV", "756.9217.0769.85"),
    ]);
    leaves(&["DNI 12345678A", "PESEL 44051401358", "BSN 111222334", "Steuer-ID 86095742718", "44051401359"]);
}

#[test]
fn numbers_of_other_countries_are_found() {
    finds(&[
        ("Aadhaar 2345 6789 0124", "IN_AADHAAR", "2345 6789 0124"),
        ("PAN ABCPE1234F", "IN_PAN", "ABCPE1234F"),
        ("27AAPFU0939F1ZV", "IN_GSTIN", "27AAPFU0939F1ZV"),
        ("S1234567D", "SG_NRIC_FIN", "S1234567D"),
        ("ABN 51 824 753 556", "AU_ABN", "51 824 753 556"),
        ("ACN 004 085 616", "AU_ACN", "004 085 616"),
        ("TFN 123 456 782", "AU_TFN", "123 456 782"),
        ("medicare 2123 45670 1", "AU_MEDICARE", "2123 45670 1"),
        ("529.982.247-25", "BR_CPF", "529.982.247-25"),
        ("CNPJ 11.222.333/0001-81", "BR_CNPJ", "11.222.333/0001-81"),
        ("SIN 130-692-544", "CA_SIN", "130-692-544"),
        ("주민등록번호 900101-1234568", "KR_RRN", "900101-1234568"),
        ("マイナンバー 1234 5678 9018", "JP_MY_NUMBER", "1234 5678 9018"),
        ("身份证 11010519491231002X", "CN_RESIDENT_ID", "11010519491231002X"),
        ("1-1017-00230-70-8", "TH_TNIN", "1-1017-00230-70-8"),
        ("kimlik no 10000000146", "TR_NATIONAL_ID", "10000000146"),
        ("south african id number 8001015009087", "ZA_ID_NUMBER", "8001015009087"),
        ("CURP HEGG560427MVZRRL04", "MX_CURP", "HEGG560427MVZRRL04"),
    ]);
    leaves(&["529.982.247-26", "S1234567A", "27AAPFU0939F1ZW", "10000000146", "ABCPE1234F"]);
}

#[test]
fn network_addresses_and_locations_are_found() {
    finds(&[
        ("from 203.0.113.9:8080", "IP_ADDRESS", "203.0.113.9"),
        ("10.0.0.0/8", "IP_ADDRESS", "10.0.0.0/8"),
        ("2001:db8::8a2e:370:7334", "IP_ADDRESS", "2001:db8::8a2e:370:7334"),
        ("[fe80::1ff:fe23:4567:890a%eth0]", "IP_ADDRESS", "fe80::1ff:fe23:4567:890a%eth0"),
        ("00:1B:44:11:3A:B7", "MAC_ADDRESS", "00:1B:44:11:3A:B7"),
        ("001b.4411.3ab7", "MAC_ADDRESS", "001b.4411.3ab7"),
        ("born on 17 May 1980", "DATE_OF_BIRTH", "17 May 1980"),
        ("Geburtsdatum: 17.05.1980", "DATE_OF_BIRTH", "17.05.1980"),
        ("née le 5 mars 1961", "DATE_OF_BIRTH", "5 mars 1961"),
        ("生年月日 1980年5月17日", "DATE_OF_BIRTH", "1980年5月17日"),
        ("at 1600 Pennsylvania Avenue", "STREET_ADDRESS", "1600 Pennsylvania Avenue"),
        ("wohnt Hauptstraße 12a", "STREET_ADDRESS", "Hauptstraße 12a"),
        ("12, rue de la Paix", "STREET_ADDRESS", "12, rue de la Paix"),
        ("vive en Calle Mayor 5", "STREET_ADDRESS", "Calle Mayor 5"),
        ("Beverly Hills, CA 90210", "POSTAL_CODE", "CA 90210"),
        ("GPS: 52.520008, 13.404954", "GEO_COORDINATES", "52.520008, 13.404954"),
    ]);
    leaves(&[
        "version 3.14.1.7",
        "127.0.0.1",
        "v1.2.3.4",
        "std::vec::push_back",
        "at 12:30:45",
        "SHA256:ab:cd:ef:01:23:45:67:89:ab:cd:ef:01:23:45:67:89",
        "550e8400-e29b-41d4-a716-446655440000",
        "released on 2026-05-17",
        "in 5 New York minutes",
        "Spring 2024",
        "0.5, 0.75",
    ]);
}

#[test]
fn crypto_wallets_are_found() {
    finds(&[
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "CRYPTO", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        ("bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", "CRYPTO", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
        ("0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "CRYPTO", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"),
        ("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "CRYPTO", "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"),
        (
            "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A",
            "CRYPTO",
            "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A",
        ),
    ]);
    leaves(&[
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
        "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    ]);
}
