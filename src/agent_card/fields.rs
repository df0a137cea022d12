//! The fields of a card as two signers know them, as data: the protobuf of A2A 1.0.1 and the structs of kagenti's operator.
//!
//! Sources: a2aproject/A2A 16ba5269 `specification/a2a.proto:336-660`; kagenti operator d790f656
//! `api/v1alpha1/agentcard_types.go:138-290`.

/// A field of a message.
pub(super) struct Field {
    /// Its key.
    pub(super) name: &'static str,
    /// What a value is.
    pub(super) shape: Shape,
    /// How many values it has.
    pub(super) many: Many,
    /// Whether its default value says something.
    pub(super) kept: bool,
}

/// What a value is.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Text,
    Flag,
    /// Any JSON.
    Any,
    Message(&'static [Field]),
}

/// How many values a field has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Many {
    One,
    List,
    /// By keys of any name.
    Map,
}

const fn one(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, many: Many::One, kept: false }
}

const fn list(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, many: Many::List, kept: false }
}

const fn map(name: &'static str, shape: Shape) -> Field {
    Field { name, shape, many: Many::Map, kept: false }
}

/// A field that is required, or `optional` in the protobuf: what stands there is kept even if it is the default.
const fn kept(field: Field) -> Field {
    Field { kept: true, ..field }
}

/// A message in a field is there or not, and not its default.
const fn message(name: &'static str, fields: &'static [Field]) -> Field {
    kept(one(name, Shape::Message(fields)))
}

use Shape::{Any, Flag, Message, Text};

/// A card of A2A 1.0.
pub(super) const A2A: &[Field] = &[
    kept(one("name", Text)),
    kept(one("description", Text)),
    kept(list("supportedInterfaces", Message(INTERFACE))),
    message("provider", PROVIDER),
    kept(one("version", Text)),
    kept(one("documentationUrl", Text)),
    message("capabilities", CAPABILITIES),
    map("securitySchemes", Message(SECURITY_SCHEME)),
    list("securityRequirements", Message(SECURITY_REQUIREMENT)),
    kept(list("defaultInputModes", Text)),
    kept(list("defaultOutputModes", Text)),
    kept(list("skills", Message(SKILL))),
    kept(one("iconUrl", Text)),
];

const INTERFACE: &[Field] = &[
    kept(one("url", Text)),
    kept(one("protocolBinding", Text)),
    one("tenant", Text),
    kept(one("protocolVersion", Text)),
];

const PROVIDER: &[Field] = &[kept(one("url", Text)), kept(one("organization", Text))];

const CAPABILITIES: &[Field] = &[
    kept(one("streaming", Flag)),
    kept(one("pushNotifications", Flag)),
    list("extensions", Message(EXTENSION)),
    kept(one("extendedAgentCard", Flag)),
];

const EXTENSION: &[Field] =
    &[one("uri", Text), one("description", Text), one("required", Flag), kept(one("params", Any))];

const SKILL: &[Field] = &[
    kept(one("id", Text)),
    kept(one("name", Text)),
    kept(one("description", Text)),
    kept(list("tags", Text)),
    list("examples", Text),
    list("inputModes", Text),
    list("outputModes", Text),
    list("securityRequirements", Message(SECURITY_REQUIREMENT)),
];

const SECURITY_REQUIREMENT: &[Field] = &[map("schemes", Message(&[list("list", Text)]))];

const SECURITY_SCHEME: &[Field] = &[
    message(
        "apiKeySecurityScheme",
        &[one("description", Text), kept(one("location", Text)), kept(one("name", Text))],
    ),
    message(
        "httpAuthSecurityScheme",
        &[one("description", Text), kept(one("scheme", Text)), one("bearerFormat", Text)],
    ),
    message(
        "oauth2SecurityScheme",
        &[one("description", Text), message("flows", FLOWS), one("oauth2MetadataUrl", Text)],
    ),
    message("openIdConnectSecurityScheme", &[one("description", Text), kept(one("openIdConnectUrl", Text))]),
    message("mtlsSecurityScheme", &[one("description", Text)]),
];

const FLOWS: &[Field] = &[
    message(
        "authorizationCode",
        &[
            kept(one("authorizationUrl", Text)),
            kept(one("tokenUrl", Text)),
            one("refreshUrl", Text),
            kept(map("scopes", Text)),
            one("pkceRequired", Flag),
        ],
    ),
    message(
        "clientCredentials",
        &[kept(one("tokenUrl", Text)), one("refreshUrl", Text), kept(map("scopes", Text))],
    ),
    message("implicit", &[one("authorizationUrl", Text), one("refreshUrl", Text), map("scopes", Text)]),
    message("password", &[one("tokenUrl", Text), one("refreshUrl", Text), map("scopes", Text)]),
    message(
        "deviceCode",
        &[
            kept(one("deviceAuthorizationUrl", Text)),
            kept(one("tokenUrl", Text)),
            one("refreshUrl", Text),
            kept(map("scopes", Text)),
        ],
    ),
];

/// A card as kagenti's operator and signer hold it. All that is empty goes, a flag stays.
pub(super) const KAGENTI: &[Field] = &[
    one("name", Text),
    one("description", Text),
    one("version", Text),
    one("url", Text),
    one("documentationUrl", Text),
    one("iconUrl", Text),
    one("provider", Message(&[one("organization", Text), one("url", Text)])),
    one("capabilities", Message(KAGENTI_CAPABILITIES)),
    list("defaultInputModes", Text),
    list("defaultOutputModes", Text),
    list("skills", Message(KAGENTI_SKILL)),
    kept(one("supportsAuthenticatedExtendedCard", Flag)),
];

const KAGENTI_CAPABILITIES: &[Field] = &[
    kept(one("streaming", Flag)),
    kept(one("pushNotifications", Flag)),
    list(
        "extensions",
        Message(&[
            one("uri", Text),
            one("description", Text),
            kept(one("required", Flag)),
            map("params", Any),
        ]),
    ),
];

const KAGENTI_SKILL: &[Field] = &[
    one("id", Text),
    one("name", Text),
    one("description", Text),
    list("tags", Text),
    list("examples", Text),
    list("inputModes", Text),
    list("outputModes", Text),
    list(
        "parameters",
        Message(&[
            one("name", Text),
            one("type", Text),
            one("description", Text),
            kept(one("required", Flag)),
            one("default", Text),
        ]),
    ),
];
