//! The cue words, by what they speak of.

use super::cue::{Cues, bit::*};

/// Words in lower case, separated by spaces, and what they speak of. A word may be in more than one list.
pub(crate) const WORDS: &[(&str, Cues)] = &[
    (
        "phone phones telephone telephones phonenumber tel tele telefon telefono teléfono téléphone telefone telefoon telephon \
         telefonnummer telefonnr rufnummer mobilnummer handynummer handy mobil mobile móvil movil celular cell cellphone cellular \
         landline dial dialed dialled sms whatsapp viber fax faxnummer msisdn caller callback cellulare telefonino \
         komórka komórkowy portable festnetz gsm mobilnr tlf tlfn puhelin puhelinnumero telefonszám telefonul telefoonnummer \
         телефон телефона телефону тел моб мобильный звоните Телефон Тел telefonu telefonumuz téléphoner rappeler appelez joindre \
         llámame llame ligue anrufen rückruf chiamare chiamami zadzwoń hotline handset rappelez",
        PHONE,
    ),
    (
        "call called calling calls ring text texted reach contact contacto contatto kontakt number num numéro numero número nummer numer nr номер Номер номера numéros",
        NUMBER,
    ),
    ("number num no nr nº numéro numero número nummer numer номер id is le la el is: ist est es é è", FILLER),
    (
        "card cards creditcard cardnumber visa mastercard amex maestro discover diners unionpay jcb karte kreditkarte \
         kreditkartennummer kartennummer carte tarjeta tarjetas cartão cartao kort kortnummer karta karty карта карты картой debit \
         ccnum ccnumber creditcardnumber paymentcard kreditkort carta creditcards cc",
        CARD,
    ),
    (
        "iban account konto kontonummer bankverbindung compte cuenta conta rekening rekeningnummer rachunek счет bank",
        BANK,
    ),
    ("ssn ssns social socialsecurity socialsecuritynumber", SSN),
    (
        "ip ips ipv4 ipv6 ipaddress ipaddr remote addr host client clientip remoteip address subnet gateway cidr network peer",
        IP,
    ),
    ("mac macaddress macaddr ethernet bssid hwaddr ether dhcp lease arp wifi wlan nic interface device", MAC),
    (
        "wallet btc bitcoin eth ethereum crypto monero xmr usdt ltc litecoin solana sol dogecoin doge ripple xrp tron stellar cardano кошелек",
        WALLET,
    ),
    (
        "born dob birth birthday birthdate birthdays dateofbirth bday geburtsdatum geburtstag geboren geb née né naissance nacimiento nací nacido \
         nacida nascimento nascido nascida nasci nascita nato nata geboortedatum födelsedatum född fødselsdato født urodzenia \
         urodzony urodzona urodzin syntymäaika рождения родился родилась doğum narozen narozena naskut d.o.b",
        BORN,
    ),
    (
        "zip zipcode postcode postcodes postal postalcode plz postleitzahl cep cap codepostal postnummer индекс pincode",
        ZIP,
    ),
    (
        "address addresses street adresse adress dirección direccion endereço endereco indirizzo adres adresa адрес lives living live \
         moved ship shipped deliver delivery shipping residence resides wohnhaft anschrift domicilio wohnt habite mailing billing home",
        ADDRESS,
    ),
    (
        "password passwords passwd passwort pass passphrase passcode pwd pword mdp contraseña contrasena clave senha wachtwoord hasło haslo \
         lösenord losenord пароль kennwort parola adgangskode passord heslo şifre smtppass dbpassword userpassword pgpassword mysqlpwd",
        PASSWORD,
    ),
    (
        "secret secrets token tokens apikey apisecret accesskey secretkey authtoken accesstoken refreshtoken clientsecret credential \
         credentials privatekey signingkey encryptionkey sessionid sessiontoken csrf xsrf webhooksecret accountkey sharedaccesskey sig signature cookie",
        SECRET,
    ),
    ("key keys schlüssel clé chiave llave chave", KEY),
    ("bearer", BEARER),
    ("basic", BASIC),
    ("bic swift bicswift swiftcode biccode", BIC),
    (
        "passport passports passeport pasaporte passaporto passaporte reisepass reisepassnummer paspoort paszport pass-nr паспорт паспорта passnummer pasaportes passportnumber",
        PASSPORT,
    ),
    (
        "licence license licenses licences driver drivers driving dl führerschein fuehrerschein permis patente rijbewijs driverlicense driverslicense",
        LICENCE,
    ),
    ("nhs", NHS),
    ("insurance nino ni nationalinsurance", NINO),
    ("sort sortcode", SORT),
    (
        "national personal identity identification identifier citizen citizenship taxpayer tax taxid nationalid personalid personnummer ident \
         identité identidad identidade identità identiteit tin govt government steuer steuernummer fiscal fiscale idnumber",
        NATIONAL,
    ),
    ("aadhaar aadhar adhaar uidai uid आधार", AADHAAR),
    ("pan pancard permanent", PAN),
    ("gst gstin gstn", GSTIN),
    ("cpf", CPF),
    ("cnpj", CNPJ),
    ("nir sécu sécurité securite sécuritesociale sociale insee nirnumber", NIR),
    ("bsn burgerservicenummer sofinummer sofi", BSN),
    ("pesel", PESEL),
    ("dni nie nif documento", DNI),
    ("sin nas socialinsurance", SIN),
    ("insurance", SIN),
    ("steuer steuerid steuernummer steueridentifikationsnummer idnr identifikationsnummer tin taxid steuernr", STEUER),
    ("fiscale codicefiscale fiscal cf", FISCAL),
    ("iva partita vat piva p.iva", VAT),
    ("rijksregisternummer rijksregister nrn niss insz registre", NRN),
    ("nif contribuinte fiscal", NIF),
    ("personnummer personnr samordningsnummer pnr", SE | NO),
    ("hetu henkilötunnus henkilotunnus", FI),
    ("cpr cprnummer personnummer", DK),
    ("fødselsnummer fodselsnummer fnr fødselsnr", NO),
    ("rodné rodne číslo rodnecislo rc birthnumber", CZ),
    ("cnp", RO),
    ("ahv avs ahvn13 ahvnr sozialversicherungsnummer oasi", AHV),
    ("nric fin nricfin", NRIC),
    ("abn", ABN),
    ("acn", ACN),
    ("tfn", TFN),
    ("medicare", MEDICARE | MBI),
    ("rrn resident", RRN),
    ("mynumber kojin", MYNUMBER),
    ("shenfenzheng resident", CNID),
    ("thai", TH),
    ("tckn tc kimlik", TR),
    ("rsa southafrican african", ZA),
    ("curp", CURP),
    ("vin vehicle chassis fahrgestellnummer fin fahrzeug", VIN),
    ("imei imeis meid", IMEI),
    (
        "gps coordinates coordinate location geolocation geo position standort ubicación ubicacion posizione coordonnées coordenadas",
        GEO,
    ),
    ("lat lon lng latitude longitude", LATLON),
    ("ein employer fein", EIN),
    ("itin", ITIN),
    ("aba routing rtn transit", ABA),
    ("npi", NPI),
    ("dea", DEA),
    ("mbi", MBI),
    ("personalausweis ausweis ausweisnummer personalausweisnummer perso idcard", PERSONALAUSWEIS),
    ("sozialversicherungsnummer rentenversicherungsnummer svnr rvnr sozialversicherung versicherungsnummer", SOCIALDE),
    ("email mail e-mail correo courriel почта", EMAIL),
    (
        "order orders ord orderid ordernumber bestellung bestellnummer commande pedido ordine zamówienie zamowienie заказ заказа Заказ \
         invoice invoices inv rechnung rechnungsnummer facture factura fatura fattura faktura ticket tickets case inc jira issue tracking \
         trackingnumber track shipment parcel serial sku part partno isbn issn ean upc gtin barcode asin sha sha1 sha256 sha512 md5 hash \
         checksum commit revision build trace traceid span spanid request req seq sequence price amount total size bytes rows count \
         timestamp epoch block batch port pid row error status ref reference lot model product item quantity qty transaction txn nonce \
         uuid guid fingerprint fp firmware digest etag offset length took ttl duration snowflake bestelling paczka colis paquete",
        NEGATIVE,
    ),
    (
        "version versions ver firmware fw release released releases bumped bump upgrade upgraded upgrading build sdk driver software app \
         agent kernel section sections chapter clause rfc paragraph mask netmask oid version: versión versão versione wersja версия chrome safari firefox assembly fileversion was downgrade",
        VERSION,
    ),
    (
        "public primary foreign cache partition sort idempotency shard object row index map dict hash translation i18n",
        HARMLESS,
    ),
    (
        "access api auth client private secret account master encryption signing service license x shared subscription storage",
        STRENGTHENS,
    ),
    ("at", AT),
    ("dot", DOT),
    ("rue avenue boulevard chemin quai cours impasse via viale piazza calle avenida plaza rua travessa ulica", ROAD),
    ("flat studio apartment unit suite", UNIT),
    ("aws amazon s3", AWS),
    ("azure", AZURE),
    ("twilio", TWILIO),
];

/// Cues in scripts that are written without spaces.
pub(crate) const INSIDE: &[(&str, Cues)] = &[
    ("電話", PHONE),
    ("携帯", PHONE),
    ("电话", PHONE),
    ("手机", PHONE),
    ("手機", PHONE),
    ("전화", PHONE),
    ("휴대폰", PHONE),
    ("핸드폰", PHONE),
    ("연락처", PHONE),
    ("โทร", PHONE),
    ("फोन", PHONE),
    ("मोबाइल", PHONE),
    ("注文", NEGATIVE),
    ("订单", NEGATIVE),
    ("訂單", NEGATIVE),
    ("주문", NEGATIVE),
    ("カード", CARD),
    ("信用卡", CARD),
    ("卡号", CARD),
    ("카드", CARD),
    ("生年月日", BORN),
    ("誕生日", BORN),
    ("出生", BORN),
    ("生日", BORN),
    ("생년월일", BORN),
    ("생일", BORN),
    ("パスワード", PASSWORD),
    ("密码", PASSWORD),
    ("密碼", PASSWORD),
    ("비밀번호", PASSWORD),
    ("住所", ADDRESS),
    ("地址", ADDRESS),
    ("주소", ADDRESS),
    ("郵便番号", ZIP),
    ("邮编", ZIP),
    ("우편번호", ZIP),
    ("マイナンバー", MYNUMBER),
    ("個人番号", MYNUMBER),
    ("身份证", CNID),
    ("身分證", CNID),
    ("주민등록번호", RRN),
    ("주민번호", RRN),
    ("外国人登録", NATIONAL),
    ("护照", PASSPORT),
    ("パスポート", PASSPORT),
    ("여권", PASSPORT),
    ("बैंक", BANK),
    ("आधार", AADHAAR),
    ("पैन", PAN),
    ("บัตรประชาชน", TH),
    ("เลขประจำตัวประชาชน", TH),
];
