//! `/v1/correct`, `/v1/scan`, what the server says of itself, and who may ask.

use redline::model::AlignerTemplate;
use redline::profile::{OPERATOR, Profile, ProfileFit, ProfileModel, ProfileTemplate, SCHEMA, VectorFile, hash_of};
use redline::steer::{EditRatioVariant, Interval, TokenRange};
use serde_json::{Value, json};

use super::http::{Reply, send};
use super::program::Server;
use super::{CLEAN, FLAWED, QUESTION};
use crate::program::{repository, succeed};

fn body(answer: &str, coefficient: f32) -> Value {
    json!({ "question": QUESTION, "answer": answer, "steering": { "coefficient": coefficient } })
}

fn error(reply: &Reply) -> (u16, String, String) {
    let error = &reply.json()["error"];
    let text = |name: &str| error[name].as_str().unwrap_or_default().to_string();
    (reply.status, text("code"), text("message"))
}

#[test]
fn corrections_scans_and_facts() {
    let server = Server::start("--max-new-tokens 200");
    facts(&server);
    corrections(&server);
    streams(&server);
    scans(&server);
    refusals(&server);
    hosts(&server);
}

fn facts(server: &Server) {
    assert_eq!(server.get("/healthz").json()["status"], "ok");
    assert_eq!(server.get("/v1/models").json()["data"][0]["id"], "redline-tiny");
    assert_eq!(server.get("/v1/models/redline-tiny").json()["owned_by"], "redline");
    assert_eq!(server.get("/v1/models/other").status, 404);
    let facts = server.get("/v1/steering").json();
    assert_eq!((facts["has_upstream"].as_bool(), facts["fail"].as_str()), (Some(false), Some("closed")));
    assert_eq!(facts["vectors"][0]["name"], "correction");
    let page = server.get("/");
    assert!(page.body.contains("<title>Redline</title>"));
    assert!(page.header("content-security-policy").unwrap().contains("default-src 'none'"));
    let chat = server.post("/v1/chat/completions", &super::chat_body("m", "x"));
    assert_eq!(error(&chat).1, "no_upstream");
}

fn corrections(server: &Server) {
    let copied = server.post("/v1/correct", &body(CLEAN, 0.0)).json();
    assert_eq!((copied["correction"].as_str(), copied["exact_copy"].as_bool()), (Some(CLEAN), Some(true)));
    assert_eq!((copied["edit_ratio"].as_f64(), copied["steered"]["activations"].as_u64()), (Some(0.0), Some(0)));
    assert!(copied["drafted"]["accepted"].as_u64().unwrap() > 0, "{copied}");

    let steered = server.post("/v1/correct", &body(FLAWED, 0.5)).json();
    assert!(steered["edit_ratio"].as_f64().unwrap() > 0.2, "{steered}");
    assert!(steered["correction"].as_str().unwrap().contains("The capital of France is Paris."), "{steered}");
    assert!(steered["steered"]["activations"].as_u64().unwrap() > 0);
    assert_eq!((steered["coefficient"].as_f64(), steered["vector"].as_str()), (Some(0.5), Some("correction")));
    assert_eq!(steered["steered"]["layers"].as_u64(), Some(4));
    assert!(server.metric("redline_corrections_total") >= 2.0);

    let mut one_layer = body(FLAWED, 0.5);
    one_layer["steering"]["layers"] = json!([2]);
    assert_eq!(server.post("/v1/correct", &one_layer).json()["steered"]["layers"].as_u64(), Some(1));
    let mut clamped = body(FLAWED, 0.5);
    clamped["steering"]["operator"] = json!("clamp");
    let clamped = server.post("/v1/correct", &clamped).json();
    assert_eq!((clamped["operator"].as_str(), clamped["steered"]["layers"].as_u64()), (Some("clamp"), Some(4)));
    let mut cut = body(FLAWED, 0.0);
    cut["max_tokens"] = json!(2);
    let cut = server.post("/v1/correct", &cut).json();
    assert_eq!((cut["truncated"].as_bool(), cut["usage"]["completion_tokens"].as_u64()), (Some(true), Some(2)));
    let mut feedback = body(FLAWED, 0.0);
    feedback["feedback"] = json!("more empathetic");
    let longer = server.post("/v1/correct", &feedback).json()["usage"]["prompt_tokens"].as_u64();
    assert!(longer > copied["usage"]["prompt_tokens"].as_u64(), "feedback stands in the prompt");
}

/// A stream ends with what the plain reply holds, and its texts add up to it.
fn streams(server: &Server) {
    let mut asked = body(FLAWED, 0.25);
    let mut plain = server.post("/v1/correct", &asked).json();
    asked["stream"] = json!(true);
    asked["scan"] = json!(true);
    let events = server.post("/v1/correct", &asked).events();
    let parsed = |kind: &str| -> Vec<Value> {
        let of_kind = events.iter().filter(|(name, _)| name == kind);
        of_kind.map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
    };
    let texts: Vec<String> = parsed("text").iter().map(|event| event["text"].as_str().unwrap().to_string()).collect();
    assert!(texts.len() > 3, "{events:?}");
    let mut done = parsed("done").remove(0);
    assert_eq!(Some(texts.concat().as_str()), done["correction"].as_str());
    let columns = parsed("column");
    assert_eq!(done["scan"]["columns"].as_array().unwrap(), &columns);
    assert_eq!(columns.len() as u64, done["usage"]["completion_tokens"].as_u64().unwrap());
    assert!(columns.iter().all(|column| column["z"].as_array().unwrap().len() == 4));
    // how the tokens came about may differ with the rows beside them; they may not
    done.as_object_mut().unwrap().remove("scan");
    for value in [&mut plain, &mut done] {
        value.as_object_mut().unwrap().remove("drafted");
        value["steered"].as_object_mut().unwrap().remove("activations");
    }
    assert_eq!(plain, done);
}

/// The live columns of an unsteered correction are those of a scan of its text.
fn scans(server: &Server) {
    let mut asked = body(FLAWED, 0.0);
    asked["scan"] = json!(true);
    let live = server.post("/v1/correct", &asked).json();
    let text = live["correction"].as_str().unwrap();
    let read = server
        .post("/v1/scan", &json!({ "question": QUESTION, "answer": FLAWED, "correction": text, "tokens": 64 }))
        .json();
    let (live, read) = (live["scan"]["columns"].as_array().unwrap(), read["columns"].as_array().unwrap());
    assert!(read.len() > 5);
    let mut n_equal = 0;
    for (a, b) in live.iter().zip(read).filter(|(a, b)| a["text"] == b["text"]) {
        n_equal += 1;
        for (a, b) in a["z"].as_array().unwrap().iter().zip(b["z"].as_array().unwrap()) {
            assert!((a.as_f64().unwrap() - b.as_f64().unwrap()).abs() < 1e-4, "{a} {b}");
        }
    }
    assert!(n_equal > 5, "{live:?} {read:?}");
    let copy = server.post("/v1/scan", &json!({ "question": QUESTION, "answer": FLAWED })).json();
    assert_eq!(copy["layers"], json!([0, 1, 2, 3]));
    assert!(copy["columns"].as_array().unwrap().len() <= 20);
}

fn refusals(server: &Server) {
    let refused = |edit: &dyn Fn(&mut Value)| {
        let mut body = body(FLAWED, 0.0);
        edit(&mut body);
        error(&server.post("/v1/correct", &body))
    };
    type Case<'a> = (&'a str, &'a dyn Fn(&mut Value));
    let cases: [Case<'_>; 9] = [
        ("there is no vector `x`; this server has correction", &|body| body["steering"]["vector"] = json!("x")),
        ("coefficient 1000000 is not within ±1000", &|body| body["steering"]["coefficient"] = json!(1e6)),
        ("layer 9", &|body| body["steering"]["layers"] = json!([9])),
        ("`x` is not a layer", &|body| body["steering"]["layers"] = json!("x")),
        ("operator `twist` is not known", &|body| body["steering"]["operator"] = json!("twist")),
        ("answer is empty", &|body| body["answer"] = json!(" ")),
        ("unknown field `colour`", &|body| body["colour"] = json!(1)),
        ("max_tokens is 0", &|body| body["max_tokens"] = json!(0)),
        ("no more than", &|body| body["answer"] = json!("a ".repeat(500_000))),
    ];
    for (expected, edit) in cases {
        let (status, _, message) = refused(edit);
        assert_eq!(status, 400, "{message}");
        assert!(message.contains(expected), "{message} lacks {expected}");
    }
    let long = refused(&|body| body["answer"] = json!("word and ".repeat(2_000)));
    assert_eq!((long.0, long.1.as_str()), (400, "context_length_exceeded"), "{}", long.2);
    let plain = send(server.address, "POST", "/v1/correct", &[("Content-Type", "text/plain")], "{}");
    assert_eq!(plain.status, 415);
    let malformed = send(server.address, "POST", "/v1/correct", &[], "{");
    assert_eq!(error(&malformed).1, "malformed_body");
    assert_eq!(server.post("/v1/correct", &json!("x".repeat(5 << 20))).status, 413);
    assert_eq!(server.get("/v1/correct").status, 405);
    assert_eq!(error(&server.get("/v1/nothing")).1, "unknown_url");
    assert_eq!(server.post("/v1/scan", &json!({ "question": "q", "answer": "a", "tokens": 0 })).status, 400);
}

fn hosts(server: &Server) {
    let asked = |host: &str| send(server.address, "GET", "/healthz", &[("Host", host)], "").status;
    assert_eq!([asked("localhost:1"), asked("[::1]"), asked("evil.example")], [200, 200, 403]);
    let other = send(server.address, "GET", "/healthz", &[("Origin", "https://evil.example")], "");
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[test]
fn keys_open_the_server_and_origins_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys"), "# ours\nfirst-key\n").unwrap();
    let arguments = format!("--api-keys {} --allow-origin https://ours.example", folder.path().join("keys").display());
    let server = Server::start_with(&arguments, &[("REDLINE_API_KEYS", "second-key")]);
    server.wait_ready();
    let asked = |headers: &[(&str, &str)]| send(server.address, "GET", "/v1/steering", headers, "");
    assert_eq!(error(&asked(&[])).1, "invalid_api_key");
    assert_eq!(asked(&[("Authorization", "Bearer third-key")]).status, 401);
    assert_eq!(asked(&[("Authorization", "Bearer first-key")]).status, 200);
    assert_eq!(asked(&[("Authorization", "bearer second-key")]).status, 200);
    assert_eq!(server.get("/metrics").status, 401);
    assert_eq!((server.get("/").status, server.get("/healthz").status), (200, 200));
    let origin = |name: &str| {
        let headers = [("Authorization", "Bearer first-key"), ("Origin", name)];
        asked(&headers).header("access-control-allow-origin")
    };
    assert_eq!(origin("https://ours.example").as_deref(), Some("https://ours.example"));
    assert_eq!(origin("https://evil.example"), None);
    let preflight = [
        ("Origin", "https://ours.example"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang"),
    ];
    let allowed = send(server.address, "OPTIONS", "/v1/correct", &preflight, "");
    assert!(allowed.header("access-control-allow-headers").unwrap().contains("x-stainless-lang"), "{allowed:?}");
}

#[test]
fn options_are_checked_before_the_model_is_loaded() {
    let refused = |line: &str| {
        let ran =
            crate::program::run(std::path::Path::new("."), &crate::fixture::words(&format!("serve --port 0 {line}")));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{line}: {ran:?}");
        ran.stderr
    };
    assert!(refused("--host 0.0.0.0").contains("no API keys are set"));
    assert!(refused("--upstream nonsense").contains("--upstream: `nonsense` is no address"));
    assert!(refused("--upstream ftp://x/v1").contains("http:// or https://"));
    assert!(refused("--timeout 0").contains("--timeout is 0"));
    assert!(
        refused("--upstream http://x/v1 --upstream-key-env REDLINE_TEST_UNSET")
            .contains("REDLINE_TEST_UNSET is not set")
    );
    assert!(refused("--vector name").contains("not NAME=FILE"));
    assert!(refused("--vector name=missing.safetensors").contains("missing.safetensors"));
    assert!(refused("--coefficient nan").contains("coefficient"));
    assert!(refused("--max-waiting 0").contains("--max-waiting"));
    for origin in ["*", "https://x.example/", "x.example"] {
        assert!(refused(&format!("--allow-origin {origin}")).contains("is no origin"), "{origin}");
    }
}

/// A profile with a line of the test's own.
fn write_profile(folder: &std::path::Path) {
    let rows = repository().join("assets/aligner/held-out.jsonl.gz");
    let extract =
        ["extract", "--data", rows.to_str().unwrap(), "--pairs", "16", "--strictness", "1", "--out", "v.safetensors"];
    succeed(folder, &extract);
    let model = redline::embedded::model().unwrap();
    let between = |low: f64, high: f64| Interval { low, high };
    let profile = Profile {
        schema: SCHEMA.into(),
        name: "gentle".into(),
        vector: VectorFile {
            file: "v.safetensors".into(),
            sha256: hash_of(&std::fs::read(folder.join("v.safetensors")).unwrap()),
        },
        operator: OPERATOR.into(),
        coefficient: 0.5,
        coefficient_interval: between(0.4, 0.6),
        layers: vec![1, 2],
        unit: "gap".into(),
        range: TokenRange::Output,
        template: ProfileTemplate {
            name: "aligner".into(),
            text: AlignerTemplate::by_name("aligner").unwrap().source(),
        },
        model: ProfileModel {
            fingerprint: model.fingerprint.clone(),
            name: "redline-tiny.gguf".into(),
            architecture: model.decoder.config().architecture.clone(),
        },
        fit: ProfileFit {
            variant: EditRatioVariant::Char,
            target: 0.25,
            slope: 0.1,
            slope_interval: between(0.05, 0.15),
            intercept: 0.2,
            intercept_interval: between(0.15, 0.25),
            r2: Some(0.99),
            coherent_range: between(-1.0, 1.0),
            coherence_bound: 0.5,
            n_prompts: 24,
        },
        verified: None,
        chosen_for: None,
        policy: None,
        domain: None,
        made_with: "a test".into(),
    };
    profile.save(&folder.join("gentle.json")).unwrap();
}

#[test]
fn a_profile_is_a_dial_whose_line_predicts() {
    let folder = tempfile::tempdir().unwrap();
    write_profile(folder.path());
    let server = Server::start(&format!("--profile {}", folder.path().join("gentle.json").display()));
    let dial = server.get("/v1/steering").json()["vectors"][0].clone();
    assert_eq!((dial["name"].as_str(), dial["coefficient"].as_f64()), (Some("gentle"), Some(0.5)));
    assert_eq!(dial["measured"], json!({ "coherent_range": [-1.0, 1.0], "intercept": 0.2, "slope": 0.1 }));
    let ask = |steering: Value| {
        let body = json!({ "question": QUESTION, "answer": CLEAN, "steering": steering });
        server.post("/v1/correct", &body).json()
    };
    let near = |reply: &Value, expected: f64| (reply["predicted_ratio"].as_f64().unwrap() - expected).abs() < 1e-6;
    let usual = ask(json!({}));
    assert!(near(&usual, 0.25) && usual["steered"]["layers"] == 2, "{usual}");
    assert!(near(&ask(json!({ "profile": "gentle", "coefficient": -1.0 })), 0.1));
    assert!(ask(json!({ "coefficient": 1.5 }))["predicted_ratio"].is_null(), "outside the coherent range");
    assert!(ask(json!({ "layers": [0] }))["predicted_ratio"].is_null(), "other layers have another line");
    assert!(ask(json!({ "operator": "clamp" }))["predicted_ratio"].is_null());
}
