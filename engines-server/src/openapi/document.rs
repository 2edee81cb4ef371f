//! Generates the OpenAPI document from the table of routes.

use bytes::Bytes;
use engines::{Error, Limits, Result};
use serde_json::{Map, Value, json};

use crate::{
    media_types,
    route_info::{BodyKind, Route, RouteAccess},
    routes,
};

/// The schemas that routes refer to, in one file for each area.
const SCHEMAS: &[&str] = &[
    include_str!("schemas/common.json"),
    include_str!("schemas/identity.json"),
    include_str!("schemas/accounts.json"),
    include_str!("schemas/chat.json"),
    include_str!("schemas/canvas.json"),
    include_str!("schemas/events.json"),
    include_str!("schemas/pii.json"),
    include_str!("schemas/retention.json"),
];

/// Generates the document.
///
/// # Errors
/// Returns `INTERNAL` when the schemas are not JSON, or a route refers to one that does not exist.
pub fn document(limits: &Limits) -> Result<Value> {
    let mut schemas = Map::new();
    for area in SCHEMAS {
        let area: Map<String, Value> =
            serde_json::from_str(area).map_err(|error| Error::internal("openapi.schemas", error))?;
        schemas.extend(area);
    }
    let mut paths = Map::new();
    for route in routes::all() {
        for name in [route.doc.request, route.doc.response].into_iter().flatten() {
            if !schemas.contains_key(name) {
                return Err(Error::internal("openapi.schemas", format!("there is no schema {name}")));
            }
        }
        let item = paths.entry(route.path.replace("{*", "{")).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(route.method.as_str().to_ascii_lowercase(), operation(route, limits));
        }
    }
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "engines",
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer" },
                "ticket": { "type": "apiKey", "in": "query", "name": "ticket" },
            },
        },
    }))
}

pub(crate) fn to_bytes(limits: &Limits) -> Result<Bytes> {
    let text = serde_json::to_vec(&document(limits)?).map_err(|error| Error::internal("openapi.text", error))?;
    Ok(text.into())
}

fn operation(route: &Route, limits: &Limits) -> Value {
    let doc = &route.doc;
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": doc.summary,
        "x-engines-policy": policy_value(route),
        "parameters": parameters(route, limits),
        "responses": responses(route),
    });
    if route.access != RouteAccess::Public {
        let ticket = route.stream.then(|| json!({ "ticket": [] }));
        let none = (route.access == RouteAccess::Guest).then(|| json!({}));
        operation["security"] = [json!({ "bearer": [] })].into_iter().chain(ticket).chain(none).collect();
    }
    let media_type = match route.body {
        BodyKind::None => None,
        BodyKind::Json | BodyKind::OptionalJson => Some(media_types::JSON),
        // The schema is that of one line.
        BodyKind::Lines => Some(media_types::NDJSON),
    };
    if let (Some(media_type), Some(schema)) = (media_type, doc.request) {
        let required = route.body != BodyKind::OptionalJson;
        operation["requestBody"] =
            json!({ "required": required, "content": { media_type: { "schema": reference(schema) } } });
    }
    operation
}

/// Returns an id such as `post_chat_threads_id_messages`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    [route.method.as_str().to_ascii_lowercase().as_str()].into_iter().chain(words).collect::<Vec<_>>().join("_")
}

fn policy_value(route: &Route) -> Value {
    match route.access {
        RouteAccess::Public => json!({ "kind": "public" }),
        RouteAccess::Guest => json!({ "kind": "public", "token": "optional" }),
        RouteAccess::Token => json!({ "kind": "token" }),
        RouteAccess::Operator => json!({ "kind": "operator", "tenant": "t_system", "least_role": "admin" }),
        RouteAccess::Action(action) => {
            let spec = action.spec();
            json!({
                "kind": "action",
                "action": spec.name,
                "least_role": spec.min_role.as_str(),
                "gate": spec.gate,
                "rate": spec.rate,
                "danger": spec.danger,
                "audited": spec.audited,
            })
        }
    }
}

fn parameters(route: &Route, limits: &Limits) -> Vec<Value> {
    let segments = route.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
    let mut all: Vec<_> = segments
        .map(|name| {
            let schema = match name {
                "t" => reference("TenantId"),
                "user_id" => reference("UserId"),
                name if name.starts_with('*') => json!({ "type": "string" }),
                _ => reference("Id"),
            };
            json!({ "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": schema })
        })
        .collect();
    for param in route.doc.query {
        let schema = match (param.name, param.number) {
            ("limit", _) => json!({ "type": "integer", "minimum": 1, "maximum": limits.page_max }),
            (_, true) => json!({ "type": "integer", "minimum": 0 }),
            (_, false) => json!({ "type": "string" }),
        };
        all.push(json!({ "name": param.name, "in": "query", "description": param.text, "schema": schema }));
    }
    for name in route.doc.headers.request {
        all.push(json!({ "name": name, "in": "header", "schema": { "type": "string" } }));
    }
    if matches!(route.access, RouteAccess::Action(_)) {
        let header = |name: &str, text: &str, schema: Value| json!({ "name": name, "in": "header", "description": text, "schema": schema });
        all.push(header(
            "X-Tenant-Id",
            "The tenant. If absent: `tenant_id`, then the default of the token",
            reference("TenantId"),
        ));
        all.push(header("X-Env", "The environment. If absent: `env`", reference("Env")));
    }
    all
}

fn responses(route: &Route) -> Value {
    let doc = &route.doc;
    let media_type = doc.media_type.unwrap_or("application/json");
    let schema = doc.response.map_or_else(|| json!({}), |schema| json!({ "schema": reference(schema) }));
    let mut responses = Map::new();
    let success = match doc.status {
        101 => json!({ "description": "Switching to WebSocket" }),
        204 => json!({ "description": "Done" }),
        _ => json!({ "description": "Done", "content": { media_type: schema } }),
    };
    responses.insert(doc.status.to_string(), success);
    if route.path == "/readyz" {
        let content = json!({ "application/json": { "schema": reference("Status") } });
        responses.insert("503".into(), json!({ "description": "Not ready", "content": content }));
    }
    let content = json!({ media_types::PROBLEM: { "schema": reference("Problem") } });
    responses.insert("default".into(), json!({ "description": "A problem document (RFC 9457)", "content": content }));
    Value::Object(responses)
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}
