//! Languages, countries and forms beyond those of the other tests. Every value is made up.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "support/findings.rs"]
mod findings;

use engines_pii::Scrubber;
use findings::{finds, leaves};

#[test]
fn phone_numbers_behind_native_cue_words_are_found() {
    finds(&[
        ("Tél : 01 23 45 67 89", "PHONE_NUMBER", "01 23 45 67 89"),
        ("tlm 912 345 592", "PHONE_NUMBER", "912 345 592"),
        ("kom. 512 343 609", "PHONE_NUMBER", "512 343 609"),
        ("Zavolejte mi na 601 123 717", "PHONE_NUMBER", "601 123 717"),
        ("τηλ. 21 2345 2034", "PHONE_NUMBER", "21 2345 2034"),
        ("Позвоните мне по номеру 8 (301) 171-13-42", "PHONE_NUMBER", "8 (301) 171-13-42"),
        ("הטלפון: 02-123-6269", "PHONE_NUMBER", "02-123-6269"),
        ("هاتف: 0112345678", "PHONE_NUMBER", "0112345678"),
        ("เบอร์โทร: 02 123 4791", "PHONE_NUMBER", "02 123 4791"),
        ("Tlf. 22.34.56.78", "PHONE_NUMBER", "22.34.56.78"),
        ("số điện thoại của tôi là 0912 345 678", "PHONE_NUMBER", "0912 345 678"),
        ("Điện thoại: 24 3825 4321", "PHONE_NUMBER", "24 3825 4321"),
        ("call me at 410 1718", "PHONE_NUMBER", "410 1718"),
    ]);
}

#[test]
fn phone_numbers_that_cannot_be_assigned_are_found_by_form() {
    finds(&[
        ("Desk: +1-903-140-4508x769", "PHONE_NUMBER", "+1-903-140-4508x769"),
        ("Fax: 259.735.7502x459", "PHONE_NUMBER", "259.735.7502x459"),
        ("(898)666-3621x0135 is the office", "PHONE_NUMBER", "(898)666-3621x0135"),
        ("416 60 039 office\n", "PHONE_NUMBER", "416 60 039"),
        ("+46 (0)179 459 33", "PHONE_NUMBER", "+46 (0)179 459 33"),
        ("phone: 020 7946 0018 ext. 12", "PHONE_NUMBER", "020 7946 0018 ext. 12"),
        ("8-(912)-345-62-47 тел.; тел. 8-(912)-345-62-47", "PHONE_NUMBER", "8-(912)-345-62-47"),
    ]);
    leaves(&[
        "c 0.15625 0.09375 0.335937 0.140625 0.515625 0.140625 v 0.003906",
        "GG +492717-0023210 Europe/Guernsey",
        "FD66 => 0635 0645 0645",
        "CEP: see 40.368",
        "The order 696-5541824 was sent",
        "الطلب رقم 7739725805",
        "+1 000 000 0000",
    ]);
}

#[test]
fn national_numbers_of_further_countries_are_found() {
    finds(&[
        ("ΑΜΚΑ: 21129024564", "NATIONAL_ID", "21129024564"),
        ("ΑΦΜ: 321766890", "NATIONAL_ID", "321766890"),
        ("ИНН: 053589813111", "NATIONAL_ID", "053589813111"),
        ("РНОКПП: 6983730137", "NATIONAL_ID", "6983730137"),
        ("תעודת זהות: 779852649", "NATIONAL_ID", "779852649"),
        ("ЕГН 6905233842", "NATIONAL_ID", "6905233842"),
        ("OIB: 72876412199", "NATIONAL_ID", "72876412199"),
        ("isikukood: 49607063859", "NATIONAL_ID", "49607063859"),
        ("asmens kodas 44910211789", "NATIONAL_ID", "44910211789"),
        ("personas kods 091140-15712", "NATIONAL_ID", "091140-15712"),
        ("kennitala: 260596-8880", "NATIONAL_ID", "260596-8880"),
        ("NIK: 3171012508410002", "NATIONAL_ID", "3171012508410002"),
        ("MyKad 440928-14-3238", "NATIONAL_ID", "440928-14-3238"),
        ("CNIC: 42101-5097383-8", "NATIONAL_ID", "42101-5097383-8"),
        ("CUIT: 20-37344521-6", "NATIONAL_ID", "20-37344521-6"),
        ("mi DNI es 37.887.555", "NATIONAL_ID", "37.887.555"),
        ("RUT 18.873.759-5", "NATIONAL_ID", "18.873.759-5"),
        ("NIT: 423.036.810-1", "NATIONAL_ID", "423.036.810-1"),
        ("cédula No. 001-1051989-9", "NATIONAL_ID", "001-1051989-9"),
        ("PPSN: 7836124Q", "NATIONAL_ID", "7836124Q"),
        ("SVNR: 1835220356", "NATIONAL_ID", "1835220356"),
        ("UTR: 6194097960", "NATIONAL_ID", "6194097960"),
        ("my IRD is 025307372", "NATIONAL_ID", "025307372"),
        ("mi RFC es EHRX7412295I1", "NATIONAL_ID", "EHRX7412295I1"),
    ]);
    // The same with one wrong digit.
    leaves(&[
        "ΑΜΚΑ: 21129024565",
        "ΑΦΜ: 321766891",
        "ИНН: 053589813112",
        "ЕГН 6905233843",
        "OIB: 72876412198",
        "isikukood: 49607063858",
        "CUIT: 20-37344521-7",
        "RUT 18.873.759-6",
        "PPSN: 7836124R",
    ]);
}

#[test]
fn national_numbers_are_found_by_phrase_or_form() {
    finds(&[
        ("my tax file no. is 573 351 887", "AU_TFN", "573 351 887"),
        ("Australian Business Number 97 637 358 745", "AU_ABN", "97 637 358 745"),
        ("numéro d'assurance sociale 708-474-366", "CA_SIN", "708-474-366"),
        ("Burger Service Nummer: 585116684", "NL_BSN", "585116684"),
        ("INSZ 02.10.10-348.46", "BE_NRN", "02.10.10-348.46"),
        ("con DNI número 29.110.860-J", "ES_NIF", "29.110.860-J"),
        ("mi NIE es X-7970531-L", "ES_NIE", "X-7970531-L"),
        ("Z2284205-B", "ES_NIE", "Z2284205-B"),
        ("hetu 160104-5906", "FI_PERSONAL_IDENTITY_CODE", "160104-5906"),
        ("r. č. 410628/4732", "CZ_BIRTH_NUMBER", "410628/4732"),
        ("ID number 871207 3672 08 3", "ZA_ID_NUMBER", "871207 3672 08 3"),
        ("My Number: 4599 8727 3545", "JP_MY_NUMBER", "4599 8727 3545"),
        ("871220-2384 är mitt nummer", "SE_PERSONNUMMER", "871220-2384"),
        ("nino: PR 123612 C", "UK_NINO", "PR 123612 C"),
        ("vrdgpp80a01h501u", "IT_FISCAL_CODE", "vrdgpp80a01h501u"),
    ]);
    leaves(&["tax id 911-89-1234", "order 871220-2384", "12.345.678-A", "X-1234567-A"]);
}

#[test]
fn dates_of_birth_are_found_in_many_languages() {
    finds(&[
        ("تاريخ الميلاد: 29/11/1977", "DATE_OF_BIRTH", "29/11/1977"),
        ("Datum narození: 28. května 1965", "DATE_OF_BIRTH", "28. května 1965"),
        ("γεννήθηκε στις 4 Οκτωβρίου 1985", "DATE_OF_BIRTH", "4 Οκτωβρίου 1985"),
        ("Syntymäaika: 15. tammikuuta 1972", "DATE_OF_BIRTH", "15. tammikuuta 1972"),
        ("נולד ב-18/09/1954", "DATE_OF_BIRTH", "18/09/1954"),
        ("जन्म तिथि: 29/10/1959", "DATE_OF_BIRTH", "29/10/1959"),
        ("született: 1999. 10. 30.", "DATE_OF_BIRTH", "1999. 10. 30"),
        ("született: 1997. október 30.", "DATE_OF_BIRTH", "1997. október 30"),
        ("1984年2月17日生まれです", "DATE_OF_BIRTH", "1984年2月17日"),
        ("1989년 11월 12일 출생", "DATE_OF_BIRTH", "1989년 11월 12일"),
        ("geboren op 15-12-1987", "DATE_OF_BIRTH", "15-12-1987"),
        ("născut pe 05.03.1940", "DATE_OF_BIRTH", "05.03.1940"),
        ("เกิดวันที่ 04/03/1984", "DATE_OF_BIRTH", "04/03/1984"),
        ("Doğum tarihim 10 Şubat 1974", "DATE_OF_BIRTH", "10 Şubat 1974"),
        ("народився 12 лютого 1947", "DATE_OF_BIRTH", "12 лютого 1947"),
        ("née à Lyon le 12/03/1980", "DATE_OF_BIRTH", "12/03/1980"),
        ("birth_date: 1993-08-02", "DATE_OF_BIRTH", "1993-08-02"),
    ]);
    leaves(&["Vydáno 28. května 1965", "الطلب في 29/11/1977", "1984年2月17日に発送"]);
}

#[test]
fn passwords_are_found_in_many_languages() {
    finds(&[
        ("كلمة المرور: Wq83!xTz0", "SECRET_PASSWORD", "Wq83!xTz0"),
        ("Moje heslo je 2LJheB2IE7", "SECRET_PASSWORD", "2LJheB2IE7"),
        ("Min adgangskode er LnOm9odl2c9", "SECRET_PASSWORD", "LnOm9odl2c9"),
        ("Ο κωδικός μου είναι 0MiVhf6hXwx3", "SECRET_PASSWORD", "0MiVhf6hXwx3"),
        ("Salasana: 7RUSGaOJtLCkN5", "SECRET_PASSWORD", "7RUSGaOJtLCkN5"),
        ("Mon mot de passe est Jwd9eA!d_5", "SECRET_PASSWORD", "Jwd9eA!d_5"),
        ("הסיסמה שלי היא HcZTXI5CIYtt", "SECRET_PASSWORD", "HcZTXI5CIYtt"),
        ("पासवर्ड: 9xtE4s3Fir35", "SECRET_PASSWORD", "9xtE4s3Fir35"),
        ("Şifre: ZJv4K4Jla0", "SECRET_PASSWORD", "ZJv4K4Jla0"),
        ("Пароль: 7eadF4evCpzs", "SECRET_PASSWORD", "7eadF4evCpzs"),
        ("รหัสผ่านคือ 5XSOWwQvq0", "SECRET_PASSWORD", "5XSOWwQvq0"),
        ("Мой пароль -wqgUPk!4EO1c6", "SECRET_PASSWORD", "-wqgUPk!4EO1c6"),
    ]);
    leaves(&[
        "login with password -q7Xd2kLm9 --no-tls1.2 please",
        "mot de passe oublié ?",
        "The password for the admin page has expired",
        "self.key_password = key_password",
    ]);
}

#[test]
fn streets_and_postcodes_are_found() {
    finds(&[
        ("Osoite: Fallinkuja 40", "STREET_ADDRESS", "Fallinkuja 40"),
        ("Jag bor på Aspstigen 42 i Stockholm", "STREET_ADDRESS", "Aspstigen 42"),
        ("Szabadság utca 176.", "STREET_ADDRESS", "Szabadság utca 176"),
        ("Karl Johans gate 22, 0154 Oslo", "STREET_ADDRESS", "Karl Johans gate 22"),
        ("Я живу по адресу пр. Громова, д. 8", "STREET_ADDRESS", "пр. Громова, д. 8"),
        ("주소: 경상북도 안산시 단원구 봉은사로 169-6", "STREET_ADDRESS", "경상북도 안산시 단원구 봉은사로 169-6"),
        ("Address: H.No. 720, Bhatti Marg", "STREET_ADDRESS", "H.No. 720, Bhatti Marg"),
        ("lives at Flat 4, Glenn Isle now", "STREET_ADDRESS", "Flat 4, Glenn Isle"),
        ("send it to PSC 7951, Box 9972", "STREET_ADDRESS", "PSC 7951, Box 9972"),
        ("Vivo en Calzada Hidalgo 746 852", "STREET_ADDRESS", "Calzada Hidalgo 746 852"),
        ("kod pocztowy 40-905", "POSTAL_CODE", "40-905"),
        ("〒089-3574", "POSTAL_CODE", "089-3574"),
        ("código postal 1690-656", "POSTAL_CODE", "1690-656"),
        ("postcode 6970ZU", "POSTAL_CODE", "6970ZU"),
        ("الرمز البريدي 60315", "POSTAL_CODE", "60315"),
    ]);
    leaves(&[
        "address: localhost:8080",
        "Address: 0x00007f3a12",
        "The address: u32 field is 4 bytes",
        "It lives in module 4 of the crate",
        "Adresse: siehe Seite drei",
    ]);
}

#[test]
fn cards_are_found_among_other_numbers() {
    finds(&[
        ("4012888888881881 4012-8888-8888-1881 4012 8888 8888 1881", "CREDIT_CARD", "4012 8888 8888 1881"),
        ("213161594239298", "CREDIT_CARD", "213161594239298"),
        ("cc 3509413199654323 please", "CREDIT_CARD", "3509413199654323"),
        ("luottokortti 6759 8226 4396 6697", "CREDIT_CARD", "6759 8226 4396 6697"),
    ]);
    leaves(&["5422 5423 5424 5425 5426", "[.4300.0020.0011.0002]"]);
}

#[test]
fn a_card_is_found_whole_and_adjacent_numbers_are_kept_apart() {
    finds(&[
        ("call 1 (4111 1111 1111 1111)", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("order, phone: (4111 1111 1111 1111) 0", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("phone (212) 555-0199 CA 90210 4111 1111 1111 1111", "CREDIT_CARD", "4111 1111 1111 1111"),
        ("(see 12) 529.982.247-25", "BR_CPF", "529.982.247-25"),
        ("+44 20 7946 0958 x. 529.982.247-25", "PHONE_NUMBER", "+44 20 7946 0958"),
        ("CA 90210 - 2001:db8::1:2:3: here", "IP_ADDRESS", "2001:db8::1:2:3"),
    ]);
    leaves(&["phone: at lat 52.520008, 13.404954 (12 of them)"]);
}

#[test]
fn scrubbing_twice_changes_nothing() {
    let scrubber = Scrubber::default();
    for text in [
        "phone: \n1234567 529.982.247-25",
        "(212) 555-0199\t1234567 (203.0.113.9",
        "password= call ana@example.org = x",
        "(212) 555-0199: lat (52.520008, 13.404954 (12 Oak Street",
    ] {
        let once = scrubber.scrub_text(text).unwrap().value.into_owned();
        assert_eq!(scrubber.scrub_text(&once).unwrap().value, once, "{text}");
    }
}
