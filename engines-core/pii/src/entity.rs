//! Entities: the kinds of personal data and secrets.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of personal data or secret that the engine finds itself.
///
/// The names ([`EntityKind::name`]) follow Presidio's supported entities where Presidio has one; secrets begin with
/// `SECRET_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is its Presidio name in camel case; docs/pii.md has the table")]
pub enum EntityKind {
    EmailAddress,
    PhoneNumber,
    CreditCard,
    IbanCode,
    BicCode,
    UsSsn,
    UsItin,
    UsEin,
    AbaRouting,
    UsNpi,
    MedicalLicense,
    UsMbi,
    UsPassport,
    UsDriverLicense,
    Passport,
    UkNhs,
    UkNino,
    UkSortCode,
    EsNif,
    EsNie,
    ItFiscalCode,
    ItVatCode,
    PlPesel,
    DeTaxId,
    DeIdCard,
    DeSocialSecurity,
    FrNir,
    NlBsn,
    BeNrn,
    PtNif,
    SePersonalNumber,
    FiPersonalIdentityCode,
    DkCpr,
    NoFodselsnummer,
    CzBirthNumber,
    RoCnp,
    ChAhv,
    InAadhaar,
    InPan,
    InGstin,
    SgNricFin,
    AuAbn,
    AuAcn,
    AuTfn,
    AuMedicare,
    BrCpf,
    BrCnpj,
    CaSin,
    KrRrn,
    JpMyNumber,
    CnResidentId,
    ThTnin,
    TrNationalId,
    ZaId,
    MxCurp,
    NationalId,
    IpAddress,
    MacAddress,
    PostalCode,
    StreetAddress,
    DateOfBirth,
    GeoCoordinates,
    Crypto,
    Vin,
    Imei,
    Aws,
    AwsSecret,
    Gcp,
    Azure,
    GitHub,
    GitLab,
    Slack,
    Stripe,
    OpenAi,
    Anthropic,
    HuggingFace,
    Npm,
    PyPi,
    Twilio,
    SendGrid,
    Discord,
    Telegram,
    Shopify,
    OtherToken,
    Jwt,
    PrivateKey,
    BearerToken,
    BasicAuth,
    ConnectionString,
    UrlCredentials,
    Password,
    HighEntropy,
    DenyList,
}

/// Every [`EntityKind`] with its name, in the order of the enum.
const KIND_NAMES: [(EntityKind, &str); 93] = [
    (EntityKind::EmailAddress, "EMAIL_ADDRESS"),
    (EntityKind::PhoneNumber, "PHONE_NUMBER"),
    (EntityKind::CreditCard, "CREDIT_CARD"),
    (EntityKind::IbanCode, "IBAN_CODE"),
    (EntityKind::BicCode, "BIC_CODE"),
    (EntityKind::UsSsn, "US_SSN"),
    (EntityKind::UsItin, "US_ITIN"),
    (EntityKind::UsEin, "US_EIN"),
    (EntityKind::AbaRouting, "ABA_ROUTING_NUMBER"),
    (EntityKind::UsNpi, "US_NPI"),
    (EntityKind::MedicalLicense, "MEDICAL_LICENSE"),
    (EntityKind::UsMbi, "US_MBI"),
    (EntityKind::UsPassport, "US_PASSPORT"),
    (EntityKind::UsDriverLicense, "US_DRIVER_LICENSE"),
    (EntityKind::Passport, "PASSPORT"),
    (EntityKind::UkNhs, "UK_NHS"),
    (EntityKind::UkNino, "UK_NINO"),
    (EntityKind::UkSortCode, "UK_SORT_CODE"),
    (EntityKind::EsNif, "ES_NIF"),
    (EntityKind::EsNie, "ES_NIE"),
    (EntityKind::ItFiscalCode, "IT_FISCAL_CODE"),
    (EntityKind::ItVatCode, "IT_VAT_CODE"),
    (EntityKind::PlPesel, "PL_PESEL"),
    (EntityKind::DeTaxId, "DE_TAX_ID"),
    (EntityKind::DeIdCard, "DE_ID_CARD"),
    (EntityKind::DeSocialSecurity, "DE_SOCIAL_SECURITY"),
    (EntityKind::FrNir, "FR_NIR"),
    (EntityKind::NlBsn, "NL_BSN"),
    (EntityKind::BeNrn, "BE_NRN"),
    (EntityKind::PtNif, "PT_NIF"),
    (EntityKind::SePersonalNumber, "SE_PERSONNUMMER"),
    (EntityKind::FiPersonalIdentityCode, "FI_PERSONAL_IDENTITY_CODE"),
    (EntityKind::DkCpr, "DK_CPR"),
    (EntityKind::NoFodselsnummer, "NO_FODSELSNUMMER"),
    (EntityKind::CzBirthNumber, "CZ_BIRTH_NUMBER"),
    (EntityKind::RoCnp, "RO_CNP"),
    (EntityKind::ChAhv, "CH_AHV"),
    (EntityKind::InAadhaar, "IN_AADHAAR"),
    (EntityKind::InPan, "IN_PAN"),
    (EntityKind::InGstin, "IN_GSTIN"),
    (EntityKind::SgNricFin, "SG_NRIC_FIN"),
    (EntityKind::AuAbn, "AU_ABN"),
    (EntityKind::AuAcn, "AU_ACN"),
    (EntityKind::AuTfn, "AU_TFN"),
    (EntityKind::AuMedicare, "AU_MEDICARE"),
    (EntityKind::BrCpf, "BR_CPF"),
    (EntityKind::BrCnpj, "BR_CNPJ"),
    (EntityKind::CaSin, "CA_SIN"),
    (EntityKind::KrRrn, "KR_RRN"),
    (EntityKind::JpMyNumber, "JP_MY_NUMBER"),
    (EntityKind::CnResidentId, "CN_RESIDENT_ID"),
    (EntityKind::ThTnin, "TH_TNIN"),
    (EntityKind::TrNationalId, "TR_NATIONAL_ID"),
    (EntityKind::ZaId, "ZA_ID_NUMBER"),
    (EntityKind::MxCurp, "MX_CURP"),
    (EntityKind::NationalId, "NATIONAL_ID"),
    (EntityKind::IpAddress, "IP_ADDRESS"),
    (EntityKind::MacAddress, "MAC_ADDRESS"),
    (EntityKind::PostalCode, "POSTAL_CODE"),
    (EntityKind::StreetAddress, "STREET_ADDRESS"),
    (EntityKind::DateOfBirth, "DATE_OF_BIRTH"),
    (EntityKind::GeoCoordinates, "GEO_COORDINATES"),
    (EntityKind::Crypto, "CRYPTO"),
    (EntityKind::Vin, "VIN"),
    (EntityKind::Imei, "IMEI"),
    (EntityKind::Aws, "SECRET_AWS_ACCESS_KEY"),
    (EntityKind::AwsSecret, "SECRET_AWS_SECRET_KEY"),
    (EntityKind::Gcp, "SECRET_GCP_API_KEY"),
    (EntityKind::Azure, "SECRET_AZURE_KEY"),
    (EntityKind::GitHub, "SECRET_GITHUB_TOKEN"),
    (EntityKind::GitLab, "SECRET_GITLAB_TOKEN"),
    (EntityKind::Slack, "SECRET_SLACK_TOKEN"),
    (EntityKind::Stripe, "SECRET_STRIPE_KEY"),
    (EntityKind::OpenAi, "SECRET_OPENAI_KEY"),
    (EntityKind::Anthropic, "SECRET_ANTHROPIC_KEY"),
    (EntityKind::HuggingFace, "SECRET_HUGGINGFACE_TOKEN"),
    (EntityKind::Npm, "SECRET_NPM_TOKEN"),
    (EntityKind::PyPi, "SECRET_PYPI_TOKEN"),
    (EntityKind::Twilio, "SECRET_TWILIO_KEY"),
    (EntityKind::SendGrid, "SECRET_SENDGRID_KEY"),
    (EntityKind::Discord, "SECRET_DISCORD_TOKEN"),
    (EntityKind::Telegram, "SECRET_TELEGRAM_TOKEN"),
    (EntityKind::Shopify, "SECRET_SHOPIFY_TOKEN"),
    (EntityKind::OtherToken, "SECRET_TOKEN"),
    (EntityKind::Jwt, "SECRET_JWT"),
    (EntityKind::PrivateKey, "SECRET_PRIVATE_KEY"),
    (EntityKind::BearerToken, "SECRET_BEARER_TOKEN"),
    (EntityKind::BasicAuth, "SECRET_BASIC_AUTH"),
    (EntityKind::ConnectionString, "SECRET_CONNECTION_STRING"),
    (EntityKind::UrlCredentials, "SECRET_URL_CREDENTIALS"),
    (EntityKind::Password, "SECRET_PASSWORD"),
    (EntityKind::HighEntropy, "SECRET_HIGH_ENTROPY"),
    (EntityKind::DenyList, "DENY_LIST"),
];

impl EntityKind {
    /// The name in findings, masks, receipts and policies, for example `EMAIL_ADDRESS`.
    pub const fn name(self) -> &'static str {
        KIND_NAMES[self as usize].1
    }

    /// Every kind, in the order of the enum.
    pub fn all() -> impl Iterator<Item = Self> {
        KIND_NAMES.iter().map(|(kind, _)| *kind)
    }

    /// The kind with that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        KIND_NAMES.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind)
    }

    /// The kind with that number, for packed findings.
    pub(crate) fn from_index(index: u16) -> Option<Self> {
        KIND_NAMES.get(usize::from(index)).map(|(kind, _)| *kind)
    }

    /// Whether the kind is a credential rather than personal data.
    pub fn is_secret(self) -> bool {
        self.name().starts_with("SECRET_")
    }
}

/// The entity of a finding: a built-in one, or one of a custom [`Detector`](super::Detector).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entity {
    /// A built-in entity.
    BuiltIn(EntityKind),
    /// A custom detector's entity: capital letters, digits and `_`, at most 48 bytes.
    Custom(Arc<str>),
}

impl Entity {
    /// The name in findings, masks, receipts and policies, for example `EMAIL_ADDRESS`.
    pub fn name(&self) -> &str {
        match self {
            Self::BuiltIn(kind) => kind.name(),
            Self::Custom(name) => name,
        }
    }

    /// An entity by its name; `None` unless it has 1 to 48 capital letters, digits and `_`, beginning with a letter.
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(kind) = EntityKind::from_name(name) {
            return Some(Self::BuiltIn(kind));
        }
        let ok = (1..=48).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        ok.then(|| Self::Custom(name.into()))
    }
}

impl From<EntityKind> for Entity {
    fn from(kind: EntityKind) -> Self {
        Self::BuiltIn(kind)
    }
}

impl fmt::Display for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialOrd for Entity {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entity {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.name().cmp(other.name())
    }
}

impl Serialize for Entity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Entity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::from_name(&name)
            .ok_or_else(|| serde::de::Error::custom("an entity name has capital letters, digits and `_`"))
    }
}
