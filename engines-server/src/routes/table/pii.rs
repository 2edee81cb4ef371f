//! Redaction, and the privacy policies of tenants.

use engines::Action;
use http::Method;

use super::builders::{read, route, write};
use crate::{
    handlers::pii,
    route_info::BodyKind,
    routes::{Endpoint, RouteEntry},
};

pub(super) static ROUTES: &[RouteEntry] = &[
    write(
        "/pii/redact",
        Action::PiiRedact,
        |parts, context| Box::pin(pii::redact(parts, context)),
        "Find personal data in a text or a JSON value, and return it redacted; nothing is stored",
        (200, "RedactRequest", "Redacted"),
    ),
    read(
        "/privacy/policy",
        Action::PrivacyPolicyRead,
        |parts, context| Box::pin(pii::policy(parts, context)),
        "The tenant's privacy policy",
        &[],
        "PrivacyPolicyDocument",
    ),
    route(
        Method::PUT,
        "/privacy/policy",
        Endpoint::Action(Action::PrivacyPolicyManage, |parts, context| Box::pin(pii::set_policy(parts, context))),
        "Replace the tenant's privacy policy; it takes effect within seconds",
        &[],
        (BodyKind::Json, Some("NewPrivacyPolicy")),
        (200, Some("PrivacyPolicyDocument")),
    ),
];
