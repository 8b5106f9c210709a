//! What is read of replies.

use super::*;

#[test]
fn letters_and_relations_are_read_from_text() {
    let server = Server::new(|_, body| Line::text(if shows(body, "zero") { "Hm. [[A]]" } else { "[[B]]" }));
    let mut judge = server.judge(Form::Letter);
    assert_eq!((judge.id(), judge.template()), (&*format!("{}#judge-7b", server.url), Form::Letter.template_id()));
    assert_eq!(judge.orders(), Form::Letter.orders());
    let judged = judge.judge(&asked(2), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Ok(Verdict::First), Ok(Verdict::Second)]);
    assert_eq!((judged[0].raw.as_str(), judged[0].is_recorded, judged[0].cost), ("Hm. [[A]]", false, None));
    assert!(judged[0].seconds > 0.0);
    {
        let seen = server.seen.lock().unwrap();
        let body = &seen.bodies[0];
        assert_eq!(
            (&body["model"], &body["temperature"], &body["max_tokens"]),
            (&json!("judge-7b"), &json!(0), &json!(1024))
        );
        assert_eq!(body["messages"], json!(Form::Letter.requests(&asked(2)[usize::from(!shows(body, "zero"))])[0]));
        assert_eq!((body.get("logprobs"), body.get("max_completion_tokens")), (None, None));
        assert_eq!(seen.keys, [format!("Bearer {KEY}"), format!("Bearer {KEY}")]);
    }
    let server = Server::new(|_, _| Line::text("[[B>>A]]"));
    assert_eq!(verdicts(&server.judge(Form::Five).judge(&asked(1), &mut ()).unwrap()), [Ok(Verdict::StrongSecond)]);
}

#[test]
fn one_token_is_read_with_its_probability_although_it_is_cut() {
    let server = Server::new(|_, _| {
        let top = json!([{ "token": "m", "logprob": -0.25 }, { "token": "M", "logprob": -1.75 }]);
        let choice = json!({ "message": { "content": "m" }, "finish_reason": "length",
            "logprobs": { "content": [{ "token": "m", "logprob": -0.25, "top_logprobs": top }] } });
        Line::new(200, json!({ "choices": [choice] }))
    });
    let mut judge = server.judge(Form::LogProb);
    let judged = judge.judge(&asked(1), &mut ()).unwrap();
    let p = judged[0].p().unwrap();
    assert!((p - 1.0 / (1.0 + (-1.5f64).exp())).abs() < 1e-12, "{p}");
    assert_eq!(judged[0].raw, r#"{"M":-1.75,"m":-0.25}"#);
    let body = server.seen.lock().unwrap().bodies[0].clone();
    assert_eq!((&body["max_tokens"], &body["logprobs"], &body["top_logprobs"]), (&json!(1), &json!(true), &json!(5)));

    let server = Server::new(|_, _| Line::text("m"));
    let judged = server.judge(Form::LogProb).judge(&asked(1), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Err(NoVerdict::NoLogProbs)], "a letter alone is no probability");
}

#[test]
fn scores_come_of_two_requests() {
    let server = Server::new(|_, body| Line::text(if shows(body, "zero") { "[[8]]" } else { "[[3]]" }));
    let mut judge = server.judge_with(Form::Score, |options| {
        options.prices = Some(Prices { prompt: 2.0, completion: 10.0 });
    });
    let judged = judge.judge(&asked(1), &mut ()).unwrap();
    assert_eq!((judged[0].verdict, judged[0].raw.as_str()), (Ok(Verdict::First), r#"["[[8]]","[[3]]"]"#));
    // 2 · (100 · 2 + 10 · 10) / 10⁶
    assert!((judged[0].cost.unwrap() - 0.0006).abs() < 1e-15);
    assert_eq!((judge.account().tokens, judge.account().n_requests, judge.account().n_retries), ([200, 20], 2, 0));
    assert!((judge.account().cost.unwrap() - 0.0006).abs() < 1e-15);
}

#[test]
fn a_reply_without_a_count_of_tokens_has_no_cost() {
    let server = Server::new(|n, _| match n {
        0 => Line::text("[[A]]"),
        _ => Line::new(200, json!({ "choices": [{ "message": { "content": "[[A]]" } }] })),
    });
    let prices = Prices { prompt: 1e6, completion: 0.0 };
    let mut judge = server.judge_with(Form::Letter, |options| {
        (options.prices, options.n_workers) = (Some(prices), 1);
    });
    assert_eq!(judge.account().cost, Some(0.0));
    let judged = judge.judge(&asked(2), &mut ()).unwrap();
    assert_eq!((judged[0].cost, judged[1].cost), (Some(100.0), None));
    assert_eq!((judge.account().cost, judge.account().tokens), (None, [100, 10]));
}

#[test]
fn garbage_is_no_verdict_and_no_tie() {
    let script: [(Line, NoVerdict, &str); 6] = [
        (Line::text("I cannot tell."), NoVerdict::NoToken, "I cannot tell."),
        (Line::text(""), NoVerdict::NoReply, ""),
        (Line::message(json!({ "content": null, "reasoning_content": "[[A]]" })), NoVerdict::NoReply, ""),
        (Line::message(json!({ "content": "[[A]]", "refusal": "Not that." })), NoVerdict::NoAnswer, "Not that."),
        (
            Line::new(
                200,
                json!({ "choices": [{ "message": { "content": "[[A]]: cut" }, "finish_reason": "length" }] }),
            ),
            NoVerdict::NoReply,
            "[[A]]: cut",
        ),
        (Line::new(200, "not JSON"), NoVerdict::NoReply, "the upstream server's reply cannot be used: no JSON object"),
    ];
    for (line, expected, raw) in script {
        let server = Server::new(move |_, _| line.clone());
        let mut judge = server.judge(Form::Letter);
        let mut heard = Heard::default();
        let judged = judge.judge(&asked(1), &mut heard).unwrap();
        assert_eq!(judged[0].verdict, Err(expected), "{raw}");
        assert!(judged[0].raw.starts_with(raw), "{:?}, expected {raw:?}", judged[0].raw);
        assert_eq!((heard.judged.len(), judge.account().n_requests), (1, 1), "the same words would come again");
    }
}

#[test]
fn parts_are_text() {
    let parts = json!([{ "type": "thinking", "thinking": "[[B]]" }, { "type": "text", "text": "[[A" }, "]]"]);
    let server = Server::new(move |_, _| Line::message(json!({ "content": parts })));
    let judged = server.judge(Form::Letter).judge(&asked(1), &mut ()).unwrap();
    assert_eq!((judged[0].verdict, judged[0].raw.as_str()), (Ok(Verdict::First), "[[A]]"));
}
