//! The server's key for the upstream server, and passwords in addresses, reach no client and no log.

use serde_json::json;

use super::QUESTION;
use super::echo::Echo;
use super::http::{Reply, send};
use super::program::Server;

const KEY: &str = "sk-redline/test+0123456789=abc";
const PASSWORD: &str = "correct-horse-battery";

/// Neither as it is nor as a URL has it.
fn hides(reply: &Reply, secret: &str) {
    let escaped = secret.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let whole = format!("{}\n{}", reply.head, reply.body);
    assert!(!whole.contains(secret) && !whole.contains(&escaped), "{whole}");
}

#[test]
fn an_upstream_server_that_tells_the_key_tells_it_to_this_server_alone() {
    let upstream = Echo::start();
    let arguments = format!("--upstream http://{}/v1 --upstream-key-env UPSTREAM_KEY --fail open", upstream.address);
    let server = Server::start_with(&arguments, &[("UPSTREAM_KEY", KEY)]);
    server.wait_ready();
    let models = ["error", "page", "error-200", "redirect", "no-json", "ok"];
    let expected = [400, 502, 502, 502, 502, 200];
    for (model, status) in models.into_iter().zip(expected) {
        for is_stream in [false, true] {
            let body =
                json!({ "model": model, "stream": is_stream, "messages": [{ "role": "user", "content": QUESTION }] });
            let reply = server.post("/v1/chat/completions", &body);
            assert_eq!(reply.status, status, "{model}: {reply:?}");
            hides(&reply, KEY);
            assert_eq!(upstream.header("authorization"), Some(format!("Bearer {KEY}")));
        }
    }
    for (method, path, status) in [
        ("GET", "/v1/models", 200),
        ("GET", "/v1/files", 403),
        ("POST", "/v1/embeddings", 200),
        ("POST", "/v1/audio/speech", 200),
    ] {
        let reply = send(server.address, method, path, &[], "{}");
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        hides(&reply, KEY);
    }
    server.terminate();
    let (_, told) = server.wait();
    assert!(!told.contains(KEY), "{told}");
}

#[test]
fn passwords_in_addresses_stay_here() {
    let upstream = Echo::start();
    let address = format!("--upstream http://me:{PASSWORD}@{}/v1", upstream.address);
    let here = Server::start(&address);
    let body = json!({ "model": "error", "messages": [{ "role": "user", "content": QUESTION }] });
    let reply = here.post("/v1/chat/completions", &body);
    hides(&reply, PASSWORD);
    assert!(upstream.header("authorization").is_some_and(|key| key.starts_with("Basic ")));
    hides(&reply, upstream.header("authorization").unwrap().trim_start_matches("Basic "));

    let nobody = format!("--upstream http://me:{PASSWORD}@127.0.0.1:9/v1");
    let proxied = "--upstream http://upstream.example/v1";
    let proxy = format!("http://me:{PASSWORD}@127.0.0.1:9");
    let variables = [("HTTP_PROXY", proxy.as_str()), ("http_proxy", &proxy), ("NO_PROXY", ""), ("no_proxy", "")];
    for (arguments, variables) in [(nobody.as_str(), &[][..]), (proxied, &variables)] {
        let server = Server::start_with(arguments, variables);
        server.wait_ready();
        let reply = server.post("/v1/chat/completions", &body);
        assert_eq!(reply.status, 502, "{reply:?}");
        assert!(reply.body.contains("127.0.0.1:9"), "the message says which place fails: {reply:?}");
        hides(&reply, PASSWORD);
        server.terminate();
        let (_, told) = server.wait();
        assert!(!told.contains(PASSWORD), "{told}");
    }
}
