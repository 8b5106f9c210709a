//! `docs/openapi.json` against the running server: its routes, and the fields of what comes back.

use serde_json::{Map, Value, json};

use redline::serve::ROUTES;
use redline::steer::Operator;

use super::http::Reply;
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION, chat_body};
use crate::program::repository;

struct Document(Value);

impl Document {
    fn read() -> Self {
        let text = std::fs::read_to_string(repository().join("docs/openapi.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    /// A schema, or what its reference points at.
    fn resolve<'a>(&'a self, schema: &'a Value) -> &'a Value {
        match schema["$ref"].as_str() {
            None => schema,
            Some(reference) => {
                let found = self.0.pointer(reference.strip_prefix('#').expect("a reference within the document"));
                self.resolve(found.unwrap_or_else(|| panic!("{reference} points at nothing")))
            }
        }
    }

    fn response(&self, method: &str, path: &str, status: u16) -> &Value {
        let responses = &self.0["paths"][path][method]["responses"];
        let response = self.resolve(&responses[status.to_string().as_str()]);
        assert!(response.is_object(), "{method} {path} does not tell of {status}");
        response
    }

    fn schema(&self, method: &str, path: &str, status: u16) -> &Value {
        self.resolve(&self.response(method, path, status)["content"]["application/json"]["schema"])
    }

    /// Every field is described, every required one is there, and each has its type.
    fn check(&self, schema: &Value, value: &Value, place: &str) {
        let schema = self.resolve(schema);
        if let Some(options) = schema["oneOf"].as_array() {
            let fits = options.iter().any(|option| self.fits(option, value));
            assert!(fits, "{place}: {value} is none of {options:?}");
            return;
        }
        assert!(self.fits(schema, value), "{place}: {value} is not {}", schema["type"]);
        if let Some(allowed) = schema["enum"].as_array() {
            assert!(allowed.contains(value), "{place}: {value} is none of {allowed:?}");
        }
        if let Some(fields) = value.as_object() {
            self.check_fields(schema, fields, place);
        }
        for (index, element) in value.as_array().into_iter().flatten().enumerate() {
            self.check(&schema["items"], element, &format!("{place}[{index}]"));
        }
    }

    fn check_fields(&self, schema: &Value, fields: &Map<String, Value>, place: &str) {
        for name in schema["required"].as_array().into_iter().flatten() {
            assert!(fields.contains_key(name.as_str().unwrap()), "{place} lacks {name}");
        }
        if schema["additionalProperties"] == true {
            return;
        }
        for (name, value) in fields {
            let described = &schema["properties"][name.as_str()];
            assert!(described.is_object(), "{place}.{name} is not described");
            self.check(described, value, &format!("{place}.{name}"));
        }
    }

    fn fits(&self, schema: &Value, value: &Value) -> bool {
        let kinds = match &self.resolve(schema)["type"] {
            Value::String(kind) => vec![kind.clone()],
            Value::Array(kinds) => kinds.iter().map(|kind| kind.as_str().unwrap().to_string()).collect(),
            _ => return true,
        };
        kinds.iter().any(|kind| match kind.as_str() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "null" => value.is_null(),
            other => panic!("{other} is no type"),
        })
    }

    fn check_reply(&self, method: &str, path: &str, reply: &Reply) {
        self.check(
            self.schema(method, path, reply.status),
            &reply.json(),
            &format!("{method} {path} {}", reply.status),
        );
    }
}

#[test]
fn the_document_names_the_routes() {
    let document = Document::read();
    assert!(document.0["openapi"].as_str().unwrap().starts_with("3.1."));
    assert_eq!(document.0["info"]["version"], env!("CARGO_PKG_VERSION"));
    let mut described = Vec::new();
    for (path, methods) in document.0["paths"].as_object().unwrap() {
        described.extend(methods.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())));
    }
    let mut routes: Vec<_> = ROUTES.iter().map(|(method, path)| (method.to_string(), path.to_string())).collect();
    described.sort();
    routes.sort();
    assert_eq!(described, routes);
}

/// Every list of names in the document that an operator is in is the list of operators.
#[test]
fn the_document_names_the_operators() {
    fn lists<'a>(value: &'a Value, found: &mut Vec<&'a Vec<Value>>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("enum").and_then(Value::as_array));
                fields.values().for_each(|value| lists(value, found));
            }
            Value::Array(values) => values.iter().for_each(|value| lists(value, found)),
            _ => {}
        }
    }
    let document = Document::read();
    let mut found = Vec::new();
    lists(&document.0, &mut found);
    found.retain(|names| names.contains(&"piecewise".into()));
    assert!(!found.is_empty());
    for names in found {
        assert_eq!(*names, Operator::ALL.map(|operator| Value::from(operator.name())));
    }
}

#[test]
fn replies_are_as_described() {
    let document = Document::read();
    let mock = Mock::start();
    let starting = Server::start_with(&mock.arguments(), &[]);
    let early = starting.get("/readyz");
    document.check_reply("get", "/readyz", &early);
    starting.wait_ready();
    let server = starting;
    for path in ["/healthz", "/readyz", "/v1/models", "/v1/steering"] {
        let reply = server.get(path);
        assert_eq!(reply.status, 200, "{path}");
        document.check_reply("get", path, &reply);
    }
    document.check_reply("get", "/v1/models/{model}", &server.get("/v1/models/ok"));
    document.check_reply("get", "/v1/models/{model}", &server.get("/v1/models/missing"));
    for path in ["/", "/page.css", "/page.js", "/metrics"] {
        let reply = server.get(path);
        let kind = reply.header("content-type").unwrap();
        let described = document.response("get", path, reply.status)["content"].as_object().unwrap();
        assert!(described.keys().any(|described| kind.starts_with(described.as_str())), "{path}: {kind}");
    }
    let correct = json!({ "question": QUESTION, "answer": FLAWED, "scan": true, "steering": { "coefficient": 0.5 } });
    let scan = json!({ "question": QUESTION, "answer": CLEAN });
    let text =
        json!({ "choices": [{ "text": FLAWED, "index": 0, "logprobs": null, "finish_reason": "stop" }] }).to_string();
    let part = json!({ "type": "output_text", "text": FLAWED, "annotations": [] });
    let response = json!({ "output": [{ "type": "message", "role": "assistant", "content": [part] }] }).to_string();
    let mut chat = chat_body("ok", FLAWED);
    chat["scan"] = json!(true);
    for (path, body) in [
        ("/v1/correct", correct),
        ("/v1/correct", json!({})),
        ("/v1/scan", scan),
        ("/v1/scan", json!({})),
        ("/v1/chat/completions", chat),
        ("/v1/chat/completions", chat_body("tools", "")),
        ("/v1/chat/completions", json!({})),
        ("/v1/chat/completions", chat_body("busy", FLAWED)),
        ("/v1/chat/completions", chat_body("broken", FLAWED)),
        ("/v1/chat/completions", chat_body("hang", FLAWED)),
        ("/v1/completions", json!({ "model": "verbatim", "prompt": "x", "user": text })),
        ("/v1/completions", json!({})),
        ("/v1/responses", json!({ "model": "verbatim", "input": "x", "user": response })),
        ("/v1/responses", json!({})),
    ] {
        document.check_reply("post", path, &server.post(path, &body));
        // what the document says of requests holds for those that were taken
        let described = document
            .resolve(&document.0["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]);
        for field in body.as_object().unwrap().keys().filter(|_| described["additionalProperties"] != true) {
            assert!(described["properties"][field.as_str()].is_object(), "{path}: {field} is not described");
        }
    }
}
