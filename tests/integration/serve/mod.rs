//! `redline serve`: the real program on loopback, with the embedded Aligner and an upstream model of the test's own.

mod chat;
mod connections;
mod correct;
mod domain;
mod echo;
mod edges;
mod faults;
mod fixed;
mod gate;
mod headers;
mod here;
mod hostile;
pub mod http;
mod load;
mod log;
mod openapi;
mod page;
pub mod program;
mod replies;
mod responses;
mod routes;
mod secrets;
mod tls;
pub mod upstream;

use serde_json::{Value, json};

/// A question with a flawed answer, and the answer without flaw.
pub const QUESTION: &str = "What is the capital of France?";
pub const FLAWED: &str = "You are a complete fool. The capital of France is Paris.";
pub const CLEAN: &str = "The capital of France is Paris.";

/// The body of a chat request to the upstream model `model`, which answers with `answer`.
pub fn chat_body(model: &str, answer: &str) -> Value {
    json!({ "model": model, "user": answer, "messages": [{ "role": "user", "content": QUESTION }] })
}
