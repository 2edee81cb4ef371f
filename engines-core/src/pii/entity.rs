//! What kind of thing a finding is.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A kind of personal data or secret this engine finds by itself.
///
/// The names ([`Kind::name`]) follow Presidio's supported entities where Presidio has one; secrets begin with `SECRET_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each variant is its Presidio name in camel case; docs/pii.md has the table")]
pub enum Kind {
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

/// Every [`Kind`] with its name, in the order of the enum.
const NAMES: [(Kind, &str); 93] = [
    (Kind::EmailAddress, "EMAIL_ADDRESS"),
    (Kind::PhoneNumber, "PHONE_NUMBER"),
    (Kind::CreditCard, "CREDIT_CARD"),
    (Kind::IbanCode, "IBAN_CODE"),
    (Kind::BicCode, "BIC_CODE"),
    (Kind::UsSsn, "US_SSN"),
    (Kind::UsItin, "US_ITIN"),
    (Kind::UsEin, "US_EIN"),
    (Kind::AbaRouting, "ABA_ROUTING_NUMBER"),
    (Kind::UsNpi, "US_NPI"),
    (Kind::MedicalLicense, "MEDICAL_LICENSE"),
    (Kind::UsMbi, "US_MBI"),
    (Kind::UsPassport, "US_PASSPORT"),
    (Kind::UsDriverLicense, "US_DRIVER_LICENSE"),
    (Kind::Passport, "PASSPORT"),
    (Kind::UkNhs, "UK_NHS"),
    (Kind::UkNino, "UK_NINO"),
    (Kind::UkSortCode, "UK_SORT_CODE"),
    (Kind::EsNif, "ES_NIF"),
    (Kind::EsNie, "ES_NIE"),
    (Kind::ItFiscalCode, "IT_FISCAL_CODE"),
    (Kind::ItVatCode, "IT_VAT_CODE"),
    (Kind::PlPesel, "PL_PESEL"),
    (Kind::DeTaxId, "DE_TAX_ID"),
    (Kind::DeIdCard, "DE_ID_CARD"),
    (Kind::DeSocialSecurity, "DE_SOCIAL_SECURITY"),
    (Kind::FrNir, "FR_NIR"),
    (Kind::NlBsn, "NL_BSN"),
    (Kind::BeNrn, "BE_NRN"),
    (Kind::PtNif, "PT_NIF"),
    (Kind::SePersonalNumber, "SE_PERSONNUMMER"),
    (Kind::FiPersonalIdentityCode, "FI_PERSONAL_IDENTITY_CODE"),
    (Kind::DkCpr, "DK_CPR"),
    (Kind::NoFodselsnummer, "NO_FODSELSNUMMER"),
    (Kind::CzBirthNumber, "CZ_BIRTH_NUMBER"),
    (Kind::RoCnp, "RO_CNP"),
    (Kind::ChAhv, "CH_AHV"),
    (Kind::InAadhaar, "IN_AADHAAR"),
    (Kind::InPan, "IN_PAN"),
    (Kind::InGstin, "IN_GSTIN"),
    (Kind::SgNricFin, "SG_NRIC_FIN"),
    (Kind::AuAbn, "AU_ABN"),
    (Kind::AuAcn, "AU_ACN"),
    (Kind::AuTfn, "AU_TFN"),
    (Kind::AuMedicare, "AU_MEDICARE"),
    (Kind::BrCpf, "BR_CPF"),
    (Kind::BrCnpj, "BR_CNPJ"),
    (Kind::CaSin, "CA_SIN"),
    (Kind::KrRrn, "KR_RRN"),
    (Kind::JpMyNumber, "JP_MY_NUMBER"),
    (Kind::CnResidentId, "CN_RESIDENT_ID"),
    (Kind::ThTnin, "TH_TNIN"),
    (Kind::TrNationalId, "TR_NATIONAL_ID"),
    (Kind::ZaId, "ZA_ID_NUMBER"),
    (Kind::MxCurp, "MX_CURP"),
    (Kind::NationalId, "NATIONAL_ID"),
    (Kind::IpAddress, "IP_ADDRESS"),
    (Kind::MacAddress, "MAC_ADDRESS"),
    (Kind::PostalCode, "POSTAL_CODE"),
    (Kind::StreetAddress, "STREET_ADDRESS"),
    (Kind::DateOfBirth, "DATE_OF_BIRTH"),
    (Kind::GeoCoordinates, "GEO_COORDINATES"),
    (Kind::Crypto, "CRYPTO"),
    (Kind::Vin, "VIN"),
    (Kind::Imei, "IMEI"),
    (Kind::Aws, "SECRET_AWS_ACCESS_KEY"),
    (Kind::AwsSecret, "SECRET_AWS_SECRET_KEY"),
    (Kind::Gcp, "SECRET_GCP_API_KEY"),
    (Kind::Azure, "SECRET_AZURE_KEY"),
    (Kind::GitHub, "SECRET_GITHUB_TOKEN"),
    (Kind::GitLab, "SECRET_GITLAB_TOKEN"),
    (Kind::Slack, "SECRET_SLACK_TOKEN"),
    (Kind::Stripe, "SECRET_STRIPE_KEY"),
    (Kind::OpenAi, "SECRET_OPENAI_KEY"),
    (Kind::Anthropic, "SECRET_ANTHROPIC_KEY"),
    (Kind::HuggingFace, "SECRET_HUGGINGFACE_TOKEN"),
    (Kind::Npm, "SECRET_NPM_TOKEN"),
    (Kind::PyPi, "SECRET_PYPI_TOKEN"),
    (Kind::Twilio, "SECRET_TWILIO_KEY"),
    (Kind::SendGrid, "SECRET_SENDGRID_KEY"),
    (Kind::Discord, "SECRET_DISCORD_TOKEN"),
    (Kind::Telegram, "SECRET_TELEGRAM_TOKEN"),
    (Kind::Shopify, "SECRET_SHOPIFY_TOKEN"),
    (Kind::OtherToken, "SECRET_TOKEN"),
    (Kind::Jwt, "SECRET_JWT"),
    (Kind::PrivateKey, "SECRET_PRIVATE_KEY"),
    (Kind::BearerToken, "SECRET_BEARER_TOKEN"),
    (Kind::BasicAuth, "SECRET_BASIC_AUTH"),
    (Kind::ConnectionString, "SECRET_CONNECTION_STRING"),
    (Kind::UrlCredentials, "SECRET_URL_CREDENTIALS"),
    (Kind::Password, "SECRET_PASSWORD"),
    (Kind::HighEntropy, "SECRET_HIGH_ENTROPY"),
    (Kind::DenyList, "DENY_LIST"),
];

impl Kind {
    /// The name in findings, masks, receipts and policies, for example `EMAIL_ADDRESS`.
    pub const fn name(self) -> &'static str {
        NAMES[self as usize].1
    }

    /// Every kind, in the order of the enum.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(kind, _)| *kind)
    }

    /// The kind of that name, if this engine has it.
    pub fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(kind, _)| *kind)
    }

    /// The kind with that number, for findings that were packed.
    pub(crate) fn from_index(index: u16) -> Option<Self> {
        NAMES.get(usize::from(index)).map(|(kind, _)| *kind)
    }

    /// Whether it is a credential rather than data of a person.
    pub fn is_secret(self) -> bool {
        self.name().starts_with("SECRET_")
    }
}

/// The kind of a finding: one of this engine's own, or one that a [`Detector`](super::Detector) names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entity {
    /// One of this engine's own.
    Known(Kind),
    /// A name given by a detector of one's own: capital letters, digits and `_`, at most 48 bytes.
    Custom(Arc<str>),
}

impl Entity {
    /// The name in findings, masks, receipts and policies, for example `EMAIL_ADDRESS`.
    pub fn name(&self) -> &str {
        match self {
            Self::Known(kind) => kind.name(),
            Self::Custom(name) => name,
        }
    }

    /// An entity by its name; `None` unless it has 1 to 48 capital letters, digits and `_`, beginning with a letter.
    pub fn from_name(name: &str) -> Option<Self> {
        if let Some(kind) = Kind::from_name(name) {
            return Some(Self::Known(kind));
        }
        let ok = (1..=48).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_uppercase())
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        ok.then(|| Self::Custom(name.into()))
    }
}

impl From<Kind> for Entity {
    fn from(kind: Kind) -> Self {
        Self::Known(kind)
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
