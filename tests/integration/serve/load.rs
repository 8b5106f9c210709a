//! Many clients at once: the same replies as alone.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use redline::embedded;
use serde_json::{Value, json};

use super::http::post;
use super::program::Server;

const CLIENTS: usize = 64;

/// Requests with all kinds of questions, coefficients and layers.
fn requests(n: usize) -> Vec<Value> {
    let rows = embedded::rows().unwrap();
    let coefficients = [-1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 1.5];
    let layers = [json!("all"), json!([1, 2]), json!("2-3"), Value::Null];
    let request = |i: usize| {
        let row = &rows[300 + i];
        let mut steering = json!({ "coefficient": coefficients[i % coefficients.len()] });
        if !layers[i % layers.len()].is_null() {
            steering["layers"] = layers[i % layers.len()].clone();
        }
        json!({ "question": row.question, "answer": row.answer, "steering": steering, "max_tokens": 96 })
    };
    (0..n).map(request).collect()
}

/// What must not depend on the rows beside: all but how many tokens were drafted, and steered, in vain.
fn result(mut reply: Value) -> Value {
    reply.as_object_mut().unwrap().remove("drafted");
    reply["steered"].as_object_mut().unwrap().remove("activations");
    reply
}

#[test]
fn sixty_four_clients_get_the_replies_of_one() {
    let server = Server::start("");
    let requests = requests(CLIENTS);
    let alone: Vec<Value> = requests.iter().map(|body| result(server.post("/v1/correct", body).json())).collect();
    assert!(alone.iter().all(|reply| reply["correction"].is_string()), "{alone:?}");
    let distinct: std::collections::HashSet<&str> =
        alone.iter().map(|reply| reply["correction"].as_str().unwrap()).collect();
    assert!(distinct.len() > CLIENTS / 2, "the replies differ, so that a mix-up would be seen");

    // two rounds: rows leave and join a batch that is never empty
    let jobs: Vec<usize> = (0..2 * CLIENTS).map(|i| i * 37 % CLIENTS).collect();
    let next = AtomicUsize::new(0);
    let together = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&index) = jobs.get(job) else { return };
                    let reply = post(server.address, "/v1/correct", &requests[index]);
                    assert_eq!(reply.status, 200, "{reply:?}");
                    together.lock().unwrap().push((index, result(reply.json())));
                }
            });
        }
    });
    let together = together.into_inner().unwrap();
    assert_eq!(together.len(), 2 * CLIENTS);
    for (index, reply) in together {
        assert_eq!(reply, alone[index], "request {index}");
    }
    let text = server.get("/metrics").body;
    let below = |bound: &str| -> u64 {
        let line = format!("redline_batch_rows_bucket{{le=\"{bound}\"}} ");
        text.lines().find_map(|other| other.strip_prefix(&line)).unwrap().parse().unwrap()
    };
    assert!(below("+Inf") > below("16"), "batches of more than 16 rows ran: {text}");
}
