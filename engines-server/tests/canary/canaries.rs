//! A value of every entity, each with words around it that make it recognizable. Secrets are assembled when the test
//! runs.

use engines::core::pii::{DetectedSpan, Detector, DetectorBudget, DetectorError, Entity, EntityKind, Policy, Scrubber};

/// A value that must not appear in any output.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    pub(crate) entity: Entity,
    pub(crate) value: String,
    /// The value in a sentence.
    pub(crate) text: String,
}

/// The entity that `Names` reports for a person.
pub(crate) const PERSON: &str = "PERSON";

/// Returns made-up letters and digits, different ones for each `from`.
fn tail(from: usize, length: usize) -> String {
    "aZ3kQ9xV7bN1mR5tY8wE2uI6oP4sD0fGhJ".chars().cycle().skip(from).take(length).collect()
}

/// Returns characters of base64. Each occurs once before any is repeated.
fn varied(from: usize, length: usize) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (from..from + length).map(|at| char::from(LETTERS[(at * 37 + 11) % LETTERS.len()])).collect()
}

fn hex(from: usize, length: usize) -> String {
    "0a1b2c3d4e5f60718293a4b5c6d7e8f9".chars().cycle().skip(from).take(length).collect()
}

fn upper(from: usize, length: usize) -> String {
    "A2B3C4D5E6F7GHIJKLMN".chars().cycle().skip(from).take(length).collect()
}

/// Returns the text before the value, and the value.
fn sentence(kind: EntityKind) -> Option<(&'static str, String)> {
    use EntityKind as K;
    let known = match kind {
        K::EmailAddress => ("mail", "canary.bird@example.org"),
        K::PhoneNumber => ("ring", "+44 20 7946 0958"),
        K::CreditCard => ("card", "4111 1111 1111 1111"),
        K::IbanCode => ("to", "DE89 3704 0044 0532 0130 00"),
        K::BicCode => ("BIC:", "DEUTDEFF500"),
        K::UsSsn => ("SSN", "123-45-6789"),
        K::UsItin => ("ITIN", "912-70-1234"),
        K::UsEin => ("EIN", "12-3456789"),
        K::AbaRouting => ("routing number", "021000021"),
        K::UsNpi => ("NPI", "1234567893"),
        K::MedicalLicense => ("DEA", "AB1234563"),
        K::UsMbi => ("of", "1EG4-TE5-MK73"),
        K::UsPassport => ("passport number", "523456789"),
        K::UsDriverLicense => ("driver's license", "D1234567"),
        K::Passport => ("passport number", "C01X00T4"),
        K::UkNhs => ("NHS number", "943 476 5919"),
        K::UkNino => ("of", "AB123456C"),
        K::UkSortCode => ("sort code", "12-34-56"),
        K::EsNif => ("DNI", "12345678Z"),
        K::EsNie => ("NIE", "X1234567L"),
        K::ItFiscalCode => ("codice fiscale", "RSSMRA85T10A562S"),
        K::ItVatCode => ("partita IVA", "00743110157"),
        K::PlPesel => ("PESEL", "44051401359"),
        K::DeTaxId => ("Steuer-ID", "86095742719"),
        K::DeIdCard => ("Personalausweis", "L01X00T471"),
        K::DeSocialSecurity => ("Sozialversicherungsnummer", "65170839J003"),
        K::FrNir => ("NIR", "2 55 08 14 168 025 38"),
        K::NlBsn => ("BSN", "111222333"),
        K::BeNrn => ("rijksregisternummer", "85.07.30-033.28"),
        K::PtNif => ("contribuinte", "123456789"),
        K::SePersonalNumber => ("personnummer", "811228-9874"),
        K::FiPersonalIdentityCode => ("hetu", "131052-308T"),
        K::DkCpr => ("CPR", "070761-4285"),
        K::NoFodselsnummer => ("f\u{f8}dselsnummer", "01010750160"),
        K::CzBirthNumber => ("rodn\u{e9} \u{10d}\u{ed}slo", "736028/5163"),
        K::RoCnp => ("CNP", "1800101221144"),
        K::ChAhv => ("AHV", "756.9217.0769.85"),
        K::InAadhaar => ("Aadhaar", "2345 6789 0124"),
        K::InPan => ("PAN", "ABCPE1234F"),
        K::InGstin => ("of", "27AAPFU0939F1ZV"),
        K::SgNricFin => ("of", "S1234567D"),
        K::AuAbn => ("ABN", "51 824 753 556"),
        K::AuAcn => ("ACN", "004 085 616"),
        K::AuTfn => ("TFN", "123 456 782"),
        K::AuMedicare => ("medicare", "2123 45670 1"),
        K::BrCpf => ("of", "529.982.247-25"),
        K::BrCnpj => ("CNPJ", "11.222.333/0001-81"),
        K::CaSin => ("SIN", "130-692-544"),
        K::KrRrn => ("\u{c8fc}\u{bbfc}\u{b4f1}\u{b85d}\u{bc88}\u{d638}", "900101-1234568"),
        K::JpMyNumber => ("\u{30de}\u{30a4}\u{30ca}\u{30f3}\u{30d0}\u{30fc}", "1234 5678 9018"),
        K::CnResidentId => ("\u{8eab}\u{4efd}\u{8bc1}", "11010519491231002X"),
        K::ThTnin => ("of", "1-1017-00230-70-8"),
        K::TrNationalId => ("kimlik no", "10000000146"),
        K::ZaId => ("south african id number", "8001015009087"),
        K::MxCurp => ("CURP", "HEGG560427MVZRRL04"),
        K::NationalId => ("of", "STAFF-77-4711"),
        K::IpAddress => ("from", "203.0.113.97"),
        K::MacAddress => ("at", "00:1B:44:11:3A:B7"),
        K::PostalCode => ("in", "SW1A 1AA"),
        K::StreetAddress => ("at", "1600 Pennsylvania Avenue"),
        K::DateOfBirth => ("born on", "17 May 1980"),
        K::GeoCoordinates => ("GPS:", "52.520008, 13.404954"),
        K::Crypto => ("to", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
        K::Vin => ("vin", "1HGCM82633A004352"),
        K::Imei => ("imei", "490154203237518"),
        K::DenyList => ("on", "Project Nightfall"),
        _ => return secret(kind),
    };
    Some((known.0, known.1.to_owned()))
}

fn secret(kind: EntityKind) -> Option<(&'static str, String)> {
    use EntityKind as K;
    Some(match kind {
        K::Aws => ("use", format!("AKIA{}", upper(0, 16))),
        K::AwsSecret => ("AWS secret key:", varied(0, 40)),
        K::Gcp => ("use", format!("AIza{}", tail(5, 35))),
        K::Azure => ("AccountKey=", format!("{}==", varied(20, 86))),
        K::GitHub => ("use", format!("ghp_{}", tail(0, 36))),
        K::GitLab => ("use", format!("glpat-{}", tail(1, 20))),
        K::Slack => ("use", format!("xoxb-123456789012-123456789012-{}", tail(2, 24))),
        K::Stripe => ("use", format!("sk_live_{}", tail(3, 24))),
        K::OpenAi => ("use", format!("sk-proj-{}", tail(4, 48))),
        K::Anthropic => ("use", format!("sk-ant-api03-{}", tail(5, 93))),
        K::HuggingFace => ("use", format!("hf_{}", tail(6, 34))),
        K::Npm => ("use", format!("npm_{}", tail(7, 36))),
        K::PyPi => ("use", format!("pypi-AgEIcHlwaS5vcmc{}", tail(8, 70))),
        K::Twilio => ("use", format!("SK{}", hex(1, 32))),
        K::SendGrid => ("use", format!("SG.{}.{}", tail(9, 22), tail(10, 43))),
        K::Discord => ("use", format!("MTIzNDU2Nzg5MDEyMzQ1Njc4.{}.{}", tail(11, 6), tail(12, 38))),
        K::Telegram => ("use", format!("123456789:A{}", tail(13, 34))),
        K::Shopify => ("use", format!("shpat_{}", hex(2, 32))),
        K::OtherToken => ("use", format!("dop_v1_{}", hex(3, 64))),
        K::Jwt => ("use", format!("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{}", tail(14, 43))),
        K::PrivateKey => {
            let kind = "RSA PRIVATE KEY";
            ("use", format!("-----BEGIN {kind}-----\n{}\n{}\n-----END {kind}-----", tail(15, 64), tail(16, 40)))
        }
        K::BearerToken => ("Authorization: Bearer", tail(17, 40)),
        K::BasicAuth => ("Authorization: Basic", "YWxhZGRpbjpvcGVuc2VzYW1l".into()),
        K::ConnectionString => ("postgres://app:", ["hun", "ter7", "!x"].concat()),
        K::UrlCredentials => ("https://bob:", ["hun", "ter8", "!x"].concat()),
        K::Password => ("password=", ["hun", "ter2", "!x"].concat()),
        K::HighEntropy => ("api_key=", tail(18, 38)),
        _ => return None,
    })
}

/// Returns a canary of every entity.
pub(crate) fn all() -> Vec<Canary> {
    let kinds = EntityKind::all().map(|kind| {
        let (cue, value) = sentence(kind).unwrap_or_else(|| panic!("{kind:?} needs a canary: say one here"));
        // Some cues are directly before their values.
        let gap = if cue.ends_with('=') || cue.contains("://") { "" } else { " " };
        let end = match kind {
            EntityKind::ConnectionString => "@db.internal/prod",
            EntityKind::UrlCredentials => "@files.internal/x",
            _ => "",
        };
        Canary { entity: kind.into(), text: format!("{cue}{gap}{value}{end}"), value }
    });
    let person = Canary {
        entity: Entity::from_name(PERSON).unwrap(),
        value: "Ada Canary Lovelace".into(),
        text: "said Ada Canary Lovelace".into(),
    };
    kinds.chain([person]).collect()
}

/// A name model, and the personnel numbers of a company.
struct Names;

impl Detector for Names {
    fn name(&self) -> &str {
        "names"
    }

    fn entities(&self) -> Vec<Entity> {
        [EntityKind::NationalId.into()].into_iter().chain(Entity::from_name(PERSON)).collect()
    }

    fn detect(&self, text: &str, _: Option<&DetectorBudget>) -> Result<Vec<DetectedSpan>, DetectorError> {
        let [number, person] = [0, 1].map(|at| self.entities().swap_remove(at));
        let wanted = [("STAFF-77-4711", number), ("Ada Canary Lovelace", person)];
        let spans = wanted.into_iter().flat_map(|(value, entity)| {
            let found = text.match_indices(value).map(move |(start, value)| (start, start + value.len()));
            found.map(move |(start, end)| DetectedSpan { entity: entity.clone(), start, end, score: 1.0 })
        });
        Ok(spans.collect())
    }
}

/// The policy of the deployment: a deny-list, and all findings masked.
pub(crate) fn policy() -> Policy {
    Policy { deny: vec!["Project Nightfall".into()], ..Policy::default() }
}

pub(crate) fn scrubber(policy: Policy) -> Scrubber {
    Scrubber::builder().policy(policy).detector(Names).build().unwrap()
}

#[test]
fn every_canary_is_detected_as_its_entity() {
    let scrubber = scrubber(policy());
    let mut wrong = Vec::new();
    for canary in all() {
        let found = scrubber.findings(&canary.text).unwrap();
        let named =
            |f: &engines::core::pii::Finding| f.entity == canary.entity && canary.text[f.start..f.end] == canary.value;
        if !found.iter().any(named) {
            wrong.push((canary.text.clone(), found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
